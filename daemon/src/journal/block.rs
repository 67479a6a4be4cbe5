//! A block as it is stored: a header of fixed length, then the LZ4-compressed records, each its canonical JSON bytes
//! behind its length. Decoding believes nothing: lengths are bounded and the Merkle root is computed again.
//!
//! ```text
//!   format:1 parts:2 first:8 count:4 from:8 to:8 root:32 previous:32 raw:4 | lz4( (length:4 json)* )
//! ```

use paramedic_policies::book::Digest;
use paramedic_policies::event::{Record, Seq};
use paramedic_policies::time::Moment;
use paramedic_remediations::ports::journal::Block;

use super::keys::{STORED_MAX, VALUE_MAX};
use super::merkle::{Tree, chain};

/// The only block format so far.
const FORMAT: u8 = 1;
const HEADER: usize = 99;
/// LZ4 cannot make more than this out of one byte.
const RATIO_MAX: usize = 255;

/// What is known of a block without reading its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// Under how many keys it is stored.
    pub(super) parts: u16,
    /// Its first sequence.
    pub(super) first: Seq,
    /// How many records it has.
    pub(super) count: u32,
    /// Time of its first record.
    pub(super) from: Moment,
    /// Time of its last record.
    pub(super) to: Moment,
    /// Merkle root over its records.
    pub(super) root: Digest,
    /// Chained root of the block before.
    pub(super) previous: Digest,
    raw: u32,
}

impl Header {
    /// The sequence after its last record.
    pub(super) fn end(&self) -> Seq {
        Seq(self.first.0 + u64::from(self.count))
    }

    /// Its root, bound to all blocks before it.
    pub(super) fn chained(&self) -> Digest {
        chain(&self.previous, &self.root)
    }

    fn write(&self, to: &mut Vec<u8>) {
        to.push(FORMAT);
        to.extend_from_slice(&self.parts.to_be_bytes());
        to.extend_from_slice(&self.first.0.to_be_bytes());
        to.extend_from_slice(&self.count.to_be_bytes());
        to.extend_from_slice(&self.from.unix_ms().to_be_bytes());
        to.extend_from_slice(&self.to.unix_ms().to_be_bytes());
        to.extend_from_slice(self.root.bytes());
        to.extend_from_slice(self.previous.bytes());
        to.extend_from_slice(&self.raw.to_be_bytes());
    }

    /// Reads the header at the beginning of a block's first part.
    pub(super) fn read(stored: &[u8]) -> Result<Self, String> {
        let Some(header) = stored.first_chunk::<HEADER>() else {
            return Err(format!("{} bytes are too few for a header", stored.len()));
        };
        if header[0] != FORMAT {
            return Err(format!("block format {} is not known", header[0]));
        }
        let mut rest = &header[1..];
        Ok(Self {
            parts: u16::from_be_bytes(take(&mut rest)),
            first: Seq(u64::from_be_bytes(take(&mut rest))),
            count: u32::from_be_bytes(take(&mut rest)),
            from: Moment::from_unix_ms(i64::from_be_bytes(take(&mut rest))),
            to: Moment::from_unix_ms(i64::from_be_bytes(take(&mut rest))),
            root: Digest::from_bytes(take(&mut rest)),
            previous: Digest::from_bytes(take(&mut rest)),
            raw: u32::from_be_bytes(take(&mut rest)),
        })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let (head, tail) = rest.split_first_chunk::<N>().expect("the fields of the header add up to its length");
    *rest = tail;
    *head
}

/// Encodes a block. `raw` is a buffer to be used again.
pub(super) fn encode(
    block: &Block,
    previous: Digest,
    raw: &mut Vec<u8>,
) -> Result<(Header, Vec<u8>), String> {
    let (Some(from), Some(to)) = (block.records.first(), block.records.last()) else {
        return Err("a block has at least one record".to_owned());
    };
    raw.clear();
    let mut tree = Tree::default();
    for record in &block.records {
        let start = raw.len();
        raw.extend_from_slice(&[0; 4]);
        serde_json::to_writer(&mut *raw, record)
            .map_err(|error| format!("record {}: {error}", record.seq))?;
        let length =
            u32::try_from(raw.len() - start - 4).map_err(|_| format!("record {} is too long", record.seq))?;
        raw[start..start + 4].copy_from_slice(&length.to_le_bytes());
        tree.push(&raw[start + 4..]);
    }
    let compressed = lz4_flex::block::compress(raw);
    let stored = HEADER + compressed.len();
    if stored > STORED_MAX {
        return Err(format!("{stored} bytes are more than a block may have ({STORED_MAX})"));
    }
    let header = Header {
        parts: u16::try_from(stored.div_ceil(VALUE_MAX)).map_err(|_| "too many parts".to_owned())?,
        first: from.seq,
        count: u32::try_from(block.records.len()).map_err(|_| "too many records".to_owned())?,
        from: from.at,
        to: to.at,
        root: tree.root(),
        previous,
        raw: u32::try_from(raw.len()).map_err(|_| "too many bytes".to_owned())?,
    };
    let mut value = Vec::with_capacity(stored);
    header.write(&mut value);
    value.extend_from_slice(&compressed);
    Ok((header, value))
}

/// A block whose records have been checked against its root.
#[derive(Debug)]
pub(super) struct Decoded {
    /// Its header.
    pub(super) header: Header,
    raw: Vec<u8>,
    /// Where each record begins and ends in `raw`.
    spans: Vec<(usize, usize)>,
}

impl Decoded {
    /// Decodes all parts of a block, put together.
    pub(super) fn read(stored: &[u8]) -> Result<Self, String> {
        let header = Header::read(stored)?;
        let (compressed, length) = (&stored[HEADER..], header.raw as usize);
        if length > compressed.len().saturating_mul(RATIO_MAX) + 64 {
            return Err(format!("{} bytes cannot be {length} bytes compressed", compressed.len()));
        }
        let raw = lz4_flex::block::decompress(compressed, length).map_err(|error| error.to_string())?;
        if raw.len() != length {
            return Err(format!("{} bytes instead of {length}", raw.len()));
        }
        let mut spans = Vec::with_capacity((header.count as usize).min(length / 4));
        let (mut at, mut tree) = (0, Tree::default());
        while at < raw.len() {
            let Some(prefix) = raw[at..].first_chunk::<4>() else {
                return Err("a length is cut off".to_owned());
            };
            let (start, length) = (at + 4, u32::from_le_bytes(*prefix) as usize);
            let Some(record) = raw.get(start..start + length) else {
                return Err("a record is cut off".to_owned());
            };
            tree.push(record);
            spans.push((start, start + length));
            at = start + length;
        }
        if spans.len() != header.count as usize {
            return Err(format!("{} records instead of {}", spans.len(), header.count));
        }
        if tree.root() != header.root {
            return Err("the records do not have the Merkle root of the header".to_owned());
        }
        Ok(Self { header, raw, spans })
    }

    /// The canonical bytes of a record of this block.
    pub(super) fn bytes(&self, seq: Seq) -> Option<&[u8]> {
        let index = usize::try_from(seq.0.checked_sub(self.header.first.0)?).ok()?;
        self.spans.get(index).map(|(start, end)| &self.raw[*start..*end])
    }

    /// A record of this block.
    pub(super) fn record(&self, seq: Seq) -> Result<Record, String> {
        let bytes = self.bytes(seq).ok_or_else(|| format!("record {seq} is not in this block"))?;
        let record: Record =
            serde_json::from_slice(bytes).map_err(|error| format!("record {seq}: {error}"))?;
        if record.seq == seq {
            Ok(record)
        } else {
            Err(format!("record {} stands in the place of {seq}", record.seq))
        }
    }

    /// All its records.
    pub(super) fn records(&self) -> impl Iterator<Item = Result<Record, String>> {
        (self.header.first.0..self.header.end().0).map(|seq| self.record(Seq(seq)))
    }
}

/// The records of a stored block, its parts put together, once they have been checked against its root.
///
/// # Errors
/// In words, where the bytes are no whole block.
pub fn read_block(stored: &[u8]) -> Result<Vec<Record>, String> {
    Decoded::read(stored)?.records().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first block of a journal, as format 1 stores it; it must be read for ever. `UPDATE_GOLDEN=1` is for a
    /// format that nobody has written yet. It holds the first of the golden records: those that came later do not
    /// change it.
    #[test]
    fn a_block_of_format_1_is_read() {
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/");
        let lines =
            std::fs::read_to_string(format!("{golden}records-v1.jsonl")).expect("committed with the tests");
        let records = lines.lines().map(|line| serde_json::from_str(line).expect("read for ever")).collect();
        let mut block = Block { records };
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            let (_, stored) = encode(&block, Digest::of(b"before"), &mut Vec::new()).expect("encodable");
            std::fs::write(format!("{golden}block-v1.bin"), stored).expect("writable");
        }
        let stored = std::fs::read(format!("{golden}block-v1.bin")).expect("committed with the tests");
        let decoded = Decoded::read(&stored).expect("read for ever");
        assert!(decoded.header.count > 50, "too few records to show anything");
        block.records.truncate(decoded.header.count as usize);
        assert_eq!(decoded.records().collect::<Result<Vec<_>, _>>().as_ref(), Ok(&block.records));
        assert_eq!(decoded.header.previous, Digest::of(b"before"));
        let (again, _) = encode(&block, Digest::of(b"before"), &mut Vec::new()).expect("encodable");
        assert_eq!(again, decoded.header, "the root is over other bytes now");
        for at in (0..stored.len()).step_by(61) {
            let mut bytes = stored.clone();
            bytes[at] ^= 1;
            // What the header says beside the root is bound by the chain and the key; the records by the root.
            let same = Decoded::read(&bytes).is_ok_and(|read| read.raw == decoded.raw);
            assert!(same || Decoded::read(&bytes).is_err(), "byte {at}: other records under the same root");
        }
    }
}
