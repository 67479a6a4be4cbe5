//! The keys of a partition. All numbers are big-endian, so that their order is the order of the journal.
//!
//! ```text
//!   c <next:8> <part:2>                 checkpoint
//!   i                                   first sequence that no posting covers
//!   p <term:8> <segment:8> [<part:2>]   posting list of one term over one segment
//!   q <segment:8> <first term:8>        the terms of a segment with short lists, from this one on
//!   r <first:8> [<part:2>]              block; last, so that appending stays at the right edge of the tree
//! ```

use paramedic_policies::event::Seq;

use super::term::Term;

/// Values longer than this are split into parts: sled puts pages above a quarter of a segment (1 MiB here) into files
/// of their own, which no fsync of ours covers, and a page holds up to 17 values.
pub(super) const VALUE_MAX: usize = 48 * 1024;

pub(super) const CHECKPOINT: u8 = b'c';
pub(super) const INDEXED: &[u8] = b"i";
pub(super) const POSTING: u8 = b'p';
pub(super) const SHORT: u8 = b'q';
pub(super) const BLOCK: u8 = b'r';

/// The key of part 0 of the block that begins with `first`, and the prefix of its other parts.
pub(super) fn block(first: Seq) -> [u8; 9] {
    let mut key = [BLOCK; 9];
    key[1..].copy_from_slice(&first.0.to_be_bytes());
    key
}

/// The sequence in a block's or checkpoint's key.
pub(super) fn seq_of(key: &[u8]) -> Option<Seq> {
    let bytes: [u8; 8] = key.get(1..9)?.try_into().ok()?;
    Some(Seq(u64::from_be_bytes(bytes)))
}

/// The prefix of the parts of the checkpoint before `next`.
pub(super) fn checkpoint(next: Seq) -> [u8; 9] {
    let mut key = [CHECKPOINT; 9];
    key[1..].copy_from_slice(&next.0.to_be_bytes());
    key
}

/// The prefix of all postings of a term.
pub(super) fn term(term: Term) -> [u8; 9] {
    let mut key = [POSTING; 9];
    key[1..].copy_from_slice(&term.0.to_be_bytes());
    key
}

/// The prefix of the parts of a term's posting list over the segment that begins with `segment`.
pub(super) fn posting(of: Term, segment: Seq) -> [u8; 17] {
    let mut key = [POSTING; 17];
    key[..9].copy_from_slice(&term(of));
    key[9..].copy_from_slice(&segment.0.to_be_bytes());
    key
}

/// The key of a run of short lists of the segment that begins with `segment`: `first` is the first term in it.
pub(super) fn short(segment: Seq, first: Term) -> [u8; 17] {
    let mut key = [SHORT; 17];
    key[1..9].copy_from_slice(&segment.0.to_be_bytes());
    key[9..].copy_from_slice(&first.0.to_be_bytes());
    key
}

/// The segment in a posting's key.
pub(super) fn segment_of(key: &[u8]) -> Option<Seq> {
    let bytes: [u8; 8] = key.get(9..17)?.try_into().ok()?;
    Some(Seq(u64::from_be_bytes(bytes)))
}

/// Cuts a value into the parts under which it is stored: part 0 under `prefix` itself, part n under `prefix n:2`.
pub(super) fn parts<'a>(prefix: &'a [u8], value: &'a [u8]) -> impl Iterator<Item = (Vec<u8>, &'a [u8])> {
    let count = value.len().div_ceil(VALUE_MAX).max(1);
    (0..count).map(move |part| {
        let mut key = prefix.to_vec();
        if part > 0 {
            key.extend_from_slice(&u16::try_from(part).unwrap_or(u16::MAX).to_be_bytes());
        }
        let end = value.len().min((part + 1) * VALUE_MAX);
        (key, &value[part * VALUE_MAX..end])
    })
}

/// The longest value that can be stored in parts.
pub(super) const STORED_MAX: usize = VALUE_MAX * u16::MAX as usize;
