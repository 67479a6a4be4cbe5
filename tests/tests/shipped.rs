//! That the files for Prometheus and Alertmanager that ship under `ops/` are what those programs take, and that each
//! alert fires where it should and nowhere else. The programs judge; it must never read the files by itself.

use std::path::Path;
use std::process::Command;

use paramedic_tests::peers::{self, peer, repository};

/// Runs a peer in a folder of the repository.
///
/// # Panics
/// With all it printed, where it found anything.
fn passes(program: &str, folder: &str, arguments: &[&str]) {
    if !peers::need(&[program]) {
        return;
    }
    let output = Command::new(&peer(program).path)
        .args(arguments)
        .current_dir(repository().join(Path::new(folder)))
        .output()
        .expect("the peer starts");
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{program} {arguments:?}:\n{said}");
}

#[test]
fn prometheus_takes_the_rules() {
    passes("promtool", "ops/prometheus", &["check", "rules", "--lint-fatal", "maestro.rules.yaml"]);
}

#[test]
fn each_alert_fires_where_it_should_and_nowhere_else() {
    passes("promtool", "ops/prometheus", &["test", "rules", "maestro.test.yaml"]);
}

#[test]
fn the_alerts_of_days_fire_where_they_should_and_nowhere_else() {
    passes("promtool", "ops/prometheus", &["test", "rules", "maestro-days.test.yaml"]);
}

#[test]
fn alertmanager_takes_the_suggested_route() {
    passes("amtool", "ops/alertmanager", &["check-config", "maestro.yaml"]);
}
