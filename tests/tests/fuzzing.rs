//! What is fuzzed, for a bounded time and on stable: the committed corpus, what ships and what is kept as golden, and
//! some thousands of mutations of them, made from one seed. It must never need the fuzzer itself.
//!
//! `PARAMEDIC_SEED=7` mutates otherwise, `PARAMEDIC_MUTATIONS=100000` for longer; a failure is kept in a file.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use paramedic_tests::peers::repository;
use paramedic_tests::seeded::Seeded;

#[path = "../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "the fuzzer's package shows them to its programs")]
mod fuzzed;

/// Mutations of each target; what is slow has fewer.
const MUTATIONS: [(&str, u64); 6] = [
    ("payload", 1_500),
    ("matchers", 2_500),
    ("policies", 1_000),
    ("templates", 2_500),
    ("records", 2_000),
    ("blocks", 2_500),
];

/// The longest input that is mutated further: a long one teaches little, and takes long.
const BYTES_MAX: usize = 16 * 1024;

/// The greatest size of the committed corpus.
const CORPUS_BYTES_MAX: usize = 1024 * 1024;

/// Pieces that mean something to one of the readers.
const WORDS: [&str; 36] = [
    "\"",
    "'",
    "\\",
    "{",
    "}",
    "[",
    "]",
    "{{",
    "}}",
    "{{ labels.x }}",
    "=~",
    "!~",
    "=\"",
    "\0",
    "\n",
    "\r\n",
    ": ",
    "- ",
    "---\n",
    "&a ",
    "*a",
    "null",
    "-1",
    "1e999",
    "18446744073709551615",
    "9999-12-31T23:59:59Z",
    "\u{202e}",
    "\u{feff}",
    "é",
    "🙂",
    "%2e%2e/",
    "../",
    "(?i)",
    ".*",
    "99999999h",
    "\u{1b}[2J",
];

/// Beside `corpus/`: folders and files that are kept true elsewhere.
fn also(target: &str) -> &'static [&'static str] {
    match target {
        "policies" => &["policies/maestro", "policies/by-hand"],
        "records" => &["daemon/tests/golden/records-v1.jsonl"],
        "blocks" => &["daemon/tests/golden/block-v1.bin"],
        _ => &[],
    }
}

fn corpus() -> PathBuf {
    repository().join("tests/fuzz/corpus")
}

/// A file, or those of a folder by name.
fn read(path: &Path) -> Vec<Vec<u8>> {
    if path.is_file() {
        return vec![std::fs::read(path).expect("a committed file can be read")];
    }
    let entries = std::fs::read_dir(path).expect("a committed folder can be listed");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.iter().filter(|path| path.is_file()).flat_map(|path| read(path)).collect()
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let mut seeds = read(&corpus().join(target));
    seeds.extend(also(target).iter().flat_map(|path| read(&repository().join(path))));
    seeds
}

/// A place in so many bytes, the end included.
fn place(random: &mut Seeded, bytes: usize) -> usize {
    usize::try_from(random.below(bytes as u64 + 1)).expect("as short as the bytes")
}

/// A part of these bytes, mostly a short one.
fn part<'b>(random: &mut Seeded, bytes: &'b [u8]) -> &'b [u8] {
    let from = place(random, bytes.len());
    let length = place(random, (bytes.len() - from).min(64));
    &bytes[from..from + length]
}

/// One to four small changes.
fn mutated(random: &mut Seeded, seed: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = seed[..seed.len().min(BYTES_MAX)].to_vec();
    for _ in 0..=random.below(4) {
        let at = place(random, bytes.len());
        match random.below(8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 if at < bytes.len() => bytes[at] = random.bits().to_le_bytes()[0],
            2 => drop(bytes.drain(at..bytes.len().min(at + 1 + place(random, 16)))),
            3 => bytes.truncate(at),
            4 => drop(bytes.splice(at..at, part(random, other).to_vec())),
            5 => {
                let again = part(random, &bytes).to_vec();
                drop(bytes.splice(at..at, again));
            }
            _ => {
                let word = WORDS[place(random, WORDS.len() - 1)];
                drop(bytes.splice(at..at, word.bytes()));
            }
        }
    }
    bytes
}

/// Calls the target, and keeps what breaks it.
fn check(target: &str, body: fn(&[u8]), bytes: &[u8], what: &str) {
    if catch_unwind(AssertUnwindSafe(|| body(bytes))).is_err() {
        let path = std::env::temp_dir().join(format!("paramedic-fuzzing-{target}"));
        let kept = std::fs::write(&path, bytes).map(|()| path.display().to_string());
        let text = String::from_utf8_lossy(bytes);
        panic!("{target} breaks on {what}, kept in {kept:?}:\n{}", text.escape_debug());
    }
}

#[track_caller]
fn fuzz(target: &str) {
    let (_, body) = fuzzed::TARGETS.into_iter().find(|(name, _)| *name == target).expect("a target");
    let (_, mutations) = MUTATIONS.into_iter().find(|(name, _)| *name == target).expect("with a number");
    let mutations = match std::env::var("PARAMEDIC_MUTATIONS") {
        Ok(text) => text.parse().expect("PARAMEDIC_MUTATIONS is a number"),
        Err(_) => mutations,
    };
    let seed = std::env::var_os("PARAMEDIC_SEED").map_or(1, |_| Seeded::seed());
    let seeds = seeds(target);
    for (index, bytes) in seeds.iter().enumerate() {
        check(target, body, bytes, &format!("input {index} of its corpus"));
    }
    let mut random = Seeded::new(seed);
    for turn in 0..mutations {
        let (one, other) = (place(&mut random, seeds.len() - 1), place(&mut random, seeds.len() - 1));
        let bytes = mutated(&mut random, &seeds[one], &seeds[other]);
        check(target, body, &bytes, &format!("mutation {turn} of seed {seed}"));
    }
}

#[test]
fn payloads() {
    fuzz("payload");
}

#[test]
fn matchers() {
    fuzz("matchers");
}

#[test]
fn policies() {
    fuzz("policies");
}

#[test]
fn templates() {
    fuzz("templates");
}

#[test]
fn records() {
    fuzz("records");
}

#[test]
fn blocks() {
    fuzz("blocks");
}

/// A folder for each target, a target for each program of the fuzzer, and little of it all.
#[test]
fn the_corpus_is_small_and_each_target_has_one() {
    let names = |path: PathBuf| -> Vec<String> {
        let entries = std::fs::read_dir(path).expect("a committed folder can be listed");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let mut names: Vec<String> = paths
            .filter_map(|path| path.file_stem().map(|name| name.to_string_lossy().into_owned()))
            .collect();
        names.sort();
        names
    };
    let mut targets: Vec<&str> = fuzzed::TARGETS.iter().map(|(name, _)| *name).collect();
    targets.sort_unstable();
    assert_eq!(names(corpus()), targets);
    assert_eq!(names(repository().join("tests/fuzz/fuzz_targets")), targets);
    let bytes: usize =
        targets.iter().flat_map(|target| read(&corpus().join(target))).map(|one| one.len()).sum();
    assert!(bytes < CORPUS_BYTES_MAX, "{bytes} bytes of corpus");
}
