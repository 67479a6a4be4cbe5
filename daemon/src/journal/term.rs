//! Terms: what a record can be found by, as numbers. A term is one byte of dimension and 56 bits of value: a sequence
//! as it is, text as the beginning of its SHA-256, which nobody can aim at another's. Part of the format: never change one.

use paramedic_policies::event::Seq;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// One term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Term(pub(super) u64);

/// What a term is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dimension {
    Kind = 1,
    Episode = 2,
    Intent = 3,
    Policy = 4,
    Target = 5,
    Namespace = 6,
    Alert = 7,
    Fingerprint = 8,
    Verdict = 9,
    Outcome = 10,
}

const VALUE: u64 = (1 << 56) - 1;

impl Term {
    /// The term of a text.
    pub(super) fn text(dimension: Dimension, text: &str) -> Self {
        let digest = Sha256::digest(text.as_bytes());
        let mut bytes = [0_u8; 8];
        bytes.copy_from_slice(&digest[..8]);
        Self::new(dimension, u64::from_be_bytes(bytes) >> 8)
    }

    /// The term of a word from a closed set of ours: FNV-1a is enough where nobody else chooses the words.
    pub(super) fn word(dimension: Dimension, word: &str) -> Self {
        let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Self::new(dimension, word.bytes().fold(0xcbf2_9ce4_8422_2325, fnv))
    }

    /// The term of a sequence.
    pub(super) fn seq(dimension: Dimension, seq: Seq) -> Self {
        Self::new(dimension, seq.0)
    }

    fn new(dimension: Dimension, value: u64) -> Self {
        Self((dimension as u64) << 56 | (value & VALUE))
    }
}
