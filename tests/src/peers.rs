//! Which real servers this machine has, as `ops/dev/peers --find` says. A test that lacks one is left out and
//! says so; where `CI=true` or `PARAMEDIC_REQUIRE_PEERS=1` it fails instead. It must never be silent about it.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A program that tests may start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Where it is.
    pub path: PathBuf,
    /// Its version, as its package or module says.
    pub version: String,
}

/// The folder of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is a folder of the repository")
}

/// A program by name, for a test that has asked [`need`] for it.
///
/// # Panics
/// When it is not there.
pub fn peer(name: &str) -> &'static Peer {
    found().get(name).unwrap_or_else(|| panic!("{name} is missing; run ops/dev/peers"))
}

/// Whether all of `names` are here. If not, the running test is to return at once: this has said that it is
/// left out, and why. If so, the test is noted as one that ran with real servers.
///
/// # Panics
/// Where one is missing and leaving out is not allowed.
pub fn need(names: &[&str]) -> bool {
    let missing: Vec<&str> = names.iter().copied().filter(|name| !found().contains_key(*name)).collect();
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    if missing.is_empty() {
        let with: Vec<String> = names.iter().map(|name| format!("{name} {}", peer(name).version)).collect();
        note(&format!("ran\t{test}\t{}", with.join(", ")));
        return true;
    }
    let missing = missing.join(", ");
    assert!(!required(), "{test} needs {missing}, and nothing may be left out here; run ops/dev/test");
    note(&format!("left out\t{test}\t{missing}"));
    // Not by `eprintln!`, which the test runner hides when a test passes.
    let _ = writeln!(std::io::stderr(), "left out: {test}: missing {missing}; run ops/dev/test");
    false
}

/// Says that part of the running test is left out, and why, where something else covers it: a right that this
/// process has not, such as that to mount. It is never silent, and never a failure.
pub fn leave_out(why: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    note(&format!("left out\t{test}\t{why}"));
    let _ = writeln!(std::io::stderr(), "left out: {test}: {why}");
}

fn required() -> bool {
    let says = |name: &str, yes: &str| std::env::var_os(name).is_some_and(|value| value == yes);
    says("CI", "true") || says("PARAMEDIC_REQUIRE_PEERS", "1")
}

/// A line for the summary of `ops/dev/test`, which names the file.
fn note(line: &str) {
    let Some(path) = std::env::var_os("PARAMEDIC_TEST_REPORT") else {
        return;
    };
    let written = std::fs::File::options()
        .create(true)
        .append(true)
        .open(&path)
        .and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    if let Err(error) = written {
        panic!("could not write the test report {}: {error}", path.display());
    }
}

fn found() -> &'static BTreeMap<String, Peer> {
    static FOUND: OnceLock<BTreeMap<String, Peer>> = OnceLock::new();
    FOUND.get_or_init(|| {
        let script = repository().join("ops/dev/peers");
        let answer = Command::new(&script)
            .arg("--find")
            .output()
            .unwrap_or_else(|error| panic!("could not run {}: {error}", script.display()));
        assert!(
            answer.status.success(),
            "{} failed: {}",
            script.display(),
            String::from_utf8_lossy(&answer.stderr)
        );
        table(&String::from_utf8_lossy(&answer.stdout))
    })
}

/// `NAME<tab>PATH<tab>VERSION` lines.
fn table(text: &str) -> BTreeMap<String, Peer> {
    text.lines()
        .filter_map(|line| {
            let mut columns = line.split('\t');
            let name = columns.next()?.to_string();
            let path = PathBuf::from(columns.next()?);
            let version = columns.next().unwrap_or("unknown").to_string();
            Some((name, Peer { path, version }))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_by_column() {
        let peers = table("etcd\t/opt/etcd\tv3.6.16\nstrace\t/usr/bin/strace\t6.1\n\n");
        assert_eq!(peers.len(), 2);
        assert_eq!(peers["etcd"].path, Path::new("/opt/etcd"));
        assert_eq!(peers["strace"].version, "6.1");
    }
}
