//! The index: for each term the sequences of its records, as posting lists over segments of some thousand records. The
//! last segment stays in memory and is built again when the journal opens, so a commit writes no index at all, and one
//! commit in a few thousand records writes all lists of a segment at once. About ten bytes a record.

use std::collections::HashMap;

use paramedic_policies::event::Seq;

use super::error::ReadError;
use super::keys;
use super::partition::Partition;
use super::term::Term;

/// How many records a segment has at least: few enough to build again in a moment, many enough that the key of a term
/// that is everywhere costs nothing.
pub(super) const SEGMENT_RECORDS: u64 = 4096;

/// The segment that is not written yet.
#[derive(Debug)]
pub(super) struct Tail {
    /// Its first sequence.
    from: Seq,
    /// The sequence after its last.
    end: Seq,
    lists: HashMap<Term, Vec<u64>>,
}

impl Tail {
    /// An empty segment that begins with `from`.
    pub(super) fn new(from: Seq) -> Self {
        Self { from, end: from, lists: HashMap::new() }
    }

    /// Its first sequence.
    pub(super) fn from(&self) -> Seq {
        self.from
    }

    /// Adds the next record.
    pub(super) fn add(&mut self, seq: Seq, terms: &[Term]) {
        for term in terms {
            self.lists.entry(*term).or_default().push(seq.0);
        }
        self.end = seq.plus(1);
    }

    /// Whether it is time to write it.
    pub(super) fn is_full(&self) -> bool {
        self.end.0 - self.from.0 >= SEGMENT_RECORDS
    }

    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.end == self.from
    }

    /// Adds its posting lists to a batch, and the mark that says how far postings reach.
    pub(super) fn write(&self, batch: &mut sled::Batch) {
        let mut bytes = Vec::new();
        for (term, seqs) in &self.lists {
            bytes.clear();
            let mut before = self.from.0;
            for seq in seqs {
                push_varint(&mut bytes, seq - before);
                before = *seq;
            }
            for (key, part) in keys::parts(&keys::posting(*term, self.from), &bytes) {
                batch.insert(key, part);
            }
        }
        batch.insert(keys::INDEXED, &self.end.0.to_be_bytes());
    }

    /// The sequences of a term within `range`.
    pub(super) fn of(&self, term: Term, range: &std::ops::Range<u64>) -> Vec<u64> {
        let list = self.lists.get(&term).map_or(&[][..], Vec::as_slice);
        list.iter().copied().filter(|seq| range.contains(seq)).collect()
    }
}

/// The first sequence of a partition that no posting covers.
pub(super) fn indexed(partition: &Partition) -> Result<Seq, ReadError> {
    match partition.value(keys::INDEXED)? {
        None => Ok(partition.name.first),
        Some(bytes) => match <[u8; 8]>::try_from(bytes.as_slice()) {
            Ok(bytes) => Ok(Seq(u64::from_be_bytes(bytes))),
            Err(_) => Err(partition.damaged(None, "the index mark is not a sequence")),
        },
    }
}

/// The sequences of a term within `range`, from a partition's written segments before `tail`.
pub(super) fn of(
    partition: &Partition,
    term: Term,
    tail: Seq,
    range: &std::ops::Range<u64>,
) -> Result<Vec<u64>, ReadError> {
    let mut found = Vec::new();
    let damaged = || partition.damaged(None, "a posting list cannot be read");
    let mut list: Option<(Seq, Vec<u8>)> = None;
    let mut read = |(segment, bytes): (Seq, Vec<u8>)| -> Result<(), ReadError> {
        let (mut seq, mut rest) = (segment.0, bytes.as_slice());
        while !rest.is_empty() {
            let step = take_varint(&mut rest).ok_or_else(damaged)?;
            seq = seq.checked_add(step).ok_or_else(damaged)?;
            if range.contains(&seq) {
                found.push(seq);
            }
        }
        Ok(())
    };
    for entry in partition.db.range(keys::posting(term, Seq(0))..keys::posting(term, tail)) {
        let (key, part) = entry.map_err(ReadError::store("read", &partition.name.to_string()))?;
        let segment = keys::segment_of(&key).ok_or_else(damaged)?;
        match &mut list {
            Some((open, bytes)) if *open == segment => bytes.extend_from_slice(&part),
            _ => {
                if let Some(whole) = list.replace((segment, part.to_vec())) {
                    read(whole)?;
                }
            }
        }
    }
    if let Some(whole) = list {
        read(whole)?;
    }
    Ok(found)
}

/// What is in all of these sorted lists.
pub(super) fn intersect(mut lists: Vec<Vec<u64>>) -> Vec<u64> {
    lists.sort_by_key(Vec::len);
    let mut lists = lists.into_iter();
    let mut common = lists.next().unwrap_or_default();
    for list in lists {
        common.retain(|seq| list.binary_search(seq).is_ok());
    }
    common
}

fn push_varint(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

fn take_varint(from: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_length_are_read_back() {
        for value in [0, 1, 127, 128, 300, 16_384, u64::from(u32::MAX), u64::MAX] {
            let mut bytes = Vec::new();
            push_varint(&mut bytes, value);
            let mut rest = bytes.as_slice();
            assert_eq!(take_varint(&mut rest), Some(value));
            assert!(rest.is_empty());
        }
        assert_eq!(take_varint(&mut &[0x80_u8][..]), None);
    }

    #[test]
    fn only_what_is_in_every_list_is_common() {
        assert_eq!(intersect(vec![vec![1, 2, 3, 9], vec![2, 9], vec![0, 2, 4, 9]]), [2, 9]);
        assert_eq!(intersect(vec![vec![1], vec![]]), Vec::<u64>::new());
    }
}
