//! The index: for each term the sequences of its records, as posting lists over segments of some thousand records. The
//! last segment stays in memory and is built again when the journal opens, so a commit writes no index at all, and one
//! commit in a few thousand records writes all lists of a segment at once.
//!
//! A term that a segment knows many times has a key of its own. Most know only one alert or one episode: their lists
//! stand together in sorted runs, because a key each would cost more than the records themselves.

use std::collections::HashMap;

use paramedic_policies::event::Seq;

use super::error::ReadError;
use super::keys;
use super::partition::Partition;
use super::term::Term;

/// How many records a segment has at least: few enough to build again in a moment, many enough that the key of a term
/// that is everywhere costs nothing.
pub(super) const SEGMENT_RECORDS: u64 = 4096;

/// A list up to here is short.
const SHORT_MAX: usize = 16;

/// How many entries a run of short lists has at most: a value of 12 KiB.
const RUN_MAX: usize = 1024;

/// An entry of a run: the term, and how far behind the segment's first sequence the record is.
const ENTRY: usize = 8 + 4;

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
        let fits = |seq: &u64| u32::try_from(seq - self.from.0).is_ok();
        let (mut short, mut bytes) = (Vec::new(), Vec::new());
        for (term, seqs) in &self.lists {
            if seqs.len() <= SHORT_MAX && seqs.iter().all(fits) {
                short.push((*term, seqs));
                continue;
            }
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
        self.write_short(short, batch);
        batch.insert(keys::INDEXED, &self.end.0.to_be_bytes());
    }

    /// Adds runs of short lists; no list is cut by the end of a run.
    fn write_short(&self, mut short: Vec<(Term, &Vec<u64>)>, batch: &mut sled::Batch) {
        short.sort_unstable_by_key(|(term, _)| *term);
        let mut run: Option<(Term, Vec<u8>)> = None;
        for (term, seqs) in short {
            let full = |(_, bytes): &mut (Term, Vec<u8>)| bytes.len() + seqs.len() * ENTRY > RUN_MAX * ENTRY;
            if let Some((first, bytes)) = run.take_if(full) {
                batch.insert(&keys::short(self.from, first), bytes);
            }
            let (_, bytes) = run.get_or_insert_with(|| (term, Vec::new()));
            for seq in seqs {
                bytes.extend_from_slice(&term.0.to_be_bytes());
                bytes.extend_from_slice(&((seq - self.from.0) as u32).to_be_bytes());
            }
        }
        if let Some((first, bytes)) = run {
            batch.insert(&keys::short(self.from, first), bytes);
        }
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
    in_runs(partition, term, tail, range, &mut found)?;
    found.sort_unstable();
    Ok(found)
}

/// Adds the sequences of a term from runs of short lists: one look into each segment, newest first.
fn in_runs(
    partition: &Partition,
    term: Term,
    tail: Seq,
    range: &std::ops::Range<u64>,
    found: &mut Vec<u64>,
) -> Result<(), ReadError> {
    let damaged = || partition.damaged(None, "a run of the index cannot be read");
    let segment_of = |key: &[u8]| keys::seq_of(key).filter(|_| key.len() == 17).ok_or_else(damaged);
    let mut before = tail;
    while let Some((key, _)) = partition.last_below(&keys::short(before, Term(0)))? {
        let segment = segment_of(&key)?;
        if segment.0 < range.end
            && let Some((key, run)) =
                partition.last_below(&keys::short(segment, Term(term.0.saturating_add(1))))?
            && segment_of(&key)? == segment
        {
            let (entries, rest) = run.as_chunks::<ENTRY>();
            if !rest.is_empty() {
                return Err(damaged());
            }
            let wanted = term.0.to_be_bytes();
            let from = entries.partition_point(|entry| entry[..8] < wanted[..]);
            for entry in entries[from..].iter().take_while(|entry| entry[..8] == wanted[..]) {
                let offset = u32::from_be_bytes([entry[8], entry[9], entry[10], entry[11]]);
                let seq = segment.0.checked_add(u64::from(offset)).ok_or_else(damaged)?;
                if range.contains(&seq) {
                    found.push(seq);
                }
            }
        }
        if segment.0 <= range.start {
            break;
        }
        before = segment;
    }
    Ok(())
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
