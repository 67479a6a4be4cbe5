//! All policies in force with the settings they run under: valid by construction, named by the digest of its text.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::policy::Policy;
use crate::settings::Settings;

/// A book's name: SHA-256 of its source as the program that adopted it wrote it. Computed once, when it is adopted, and
/// carried from then on: a later program may write the same source otherwise.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut digest = [0_u8; 32];
        digest.copy_from_slice(&Sha256::digest(bytes));
        Self(digest)
    }

    /// The raw bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The digest with these raw bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let mut digest = [0_u8; 32];
        let bad = || serde::de::Error::custom("a digest is 64 hexadecimal digits");
        if text.len() != 64 || !text.is_ascii() {
            return Err(bad());
        }
        for (index, byte) in digest.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[index * 2..index * 2 + 2], 16).map_err(|_| bad())?;
        }
        Ok(Self(digest))
    }
}

/// The text of one policy file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// Path as given by whoever read it.
    pub path: String,
    /// Its whole text.
    pub text: String,
}

/// What a book is made from, and what an `Adopted` record carries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// Policy files, sorted by path.
    pub files: Vec<SourceFile>,
    /// Settings.
    pub settings: Settings,
    /// Version of the time zone database that schedule windows are judged by.
    pub tzdb: String,
}

impl Source {
    /// The digest of this source as this program writes it: the name of a book that has none yet.
    pub fn digest(&self) -> Digest {
        Digest::of(&serde_json::to_vec(self).expect("a source is plain data, which serde_json always writes"))
    }
}

/// All policies in force. Made only by [`load::book`](crate::load::book), so it is valid.
#[derive(Debug)]
pub struct Book {
    pub(crate) policies: BTreeMap<String, Policy>,
    pub(crate) source: Source,
    pub(crate) digest: Digest,
    pub(crate) index: crate::load::index::Index,
}

impl Book {
    /// The book before any was adopted: no policies, default settings, so dry-run.
    pub fn empty() -> Self {
        let source = Source { files: Vec::new(), settings: Settings::default(), tzdb: String::new() };
        Self::without_policies(source.digest(), source)
    }

    /// A book whose text gives no policies, or no longer loads.
    pub(crate) fn without_policies(digest: Digest, source: Source) -> Self {
        Self { policies: BTreeMap::new(), source, digest, index: crate::load::index::Index::default() }
    }

    /// The policies by name.
    pub fn policies(&self) -> &BTreeMap<String, Policy> {
        &self.policies
    }

    /// How many of them somebody wrote: without paramedic's own.
    pub fn written(&self) -> usize {
        let own = |policy: &&Policy| crate::load::built_in::is_own(&policy.place.file);
        self.policies.values().filter(|policy| !own(policy)).count()
    }

    /// One policy.
    pub fn policy(&self, name: &str) -> Option<&Policy> {
        self.policies.get(name)
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.source.settings
    }

    /// What it was made from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Its name, as the record of its adoption has it.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The policies whose matchers all meet these labels, by priority, then by name.
    pub fn matching(&self, labels: &crate::alert::Labels) -> Vec<&Policy> {
        self.index.matching(&self.policies, labels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_its_bytes_and_its_64_digits() {
        let digest = Digest::of(b"a book");
        assert_eq!(Digest::from_bytes(*digest.bytes()), digest);
        assert_eq!(format!("{digest:?}"), digest.to_string());
        let text = serde_json::to_string(&digest).expect("plain data");
        assert_eq!(serde_json::from_str::<Digest>(&text).expect("it reads again"), digest);
    }

    #[test]
    fn nothing_else_is_a_digest() {
        let letters = "\u{e9}".repeat(31);
        for bad in ["", &"ab".repeat(31), &"ab".repeat(33), &"xy".repeat(32), &format!("a{letters}b")] {
            let text = serde_json::to_string(bad).expect("plain data");
            let why = serde_json::from_str::<Digest>(&text).expect_err(bad).to_string();
            assert_eq!(why, "a digest is 64 hexadecimal digits", "{bad}");
        }
    }

    #[test]
    fn what_somebody_wrote_is_counted_without_our_own() {
        let empty = Book::empty().source;
        let own = crate::load::built_in::with(empty);
        let book = crate::load::book(own.clone()).expect("our own policies load");
        assert_eq!((book.written(), book.policies().len()), (0, 5));
        let text = include_str!("../tests/language/example.yaml").to_owned();
        let mut with_one = own;
        with_one.files.push(SourceFile { path: "example.yaml".to_owned(), text });
        let book = crate::load::book(with_one).expect("the example loads");
        assert_eq!(book.written(), book.policies().len() - 5);
        assert!(book.written() > 0);
    }
}
