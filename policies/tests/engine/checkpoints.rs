//! States as they were once stored are read for ever. A stored state of a released schema never changes;
//! `UPDATE_GOLDEN=1` is for one that nobody has written yet.

use std::path::PathBuf;

use paramedic_policies::state::State;

use crate::story::{RESTART_THEN_SCALE, Story, alert};

fn golden() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/engine/golden/state-v1.json")
}

/// One case in every place: waiting, asking, acting, verifying; a lease, an open alert nobody cares for.
fn lived() -> Story {
    let unless = RESTART_THEN_SCALE
        .replace("name: errors", "name: z-careful")
        .replace(
            "mode: enforce",
            "mode: enforce\n  priority: -1\n  unless: ['alertname=\"Noise\"', 'deployment=\"quiet\"']",
        )
        .replace("onFailure:", "guards: {concurrency: 9}\n  onFailure:");
    let bold = RESTART_THEN_SCALE.replace("onFailure:", "guards: {concurrency: 9}\n  onFailure:");
    let mut story = Story::new(&[&bold, &unless]);
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("11m");
    story.deliver(vec![alert("Errors", "prod/api"), alert("Noise", "prod/quiet")]);
    story.outcome = None;
    story.deliver(vec![alert("Errors", "prod/db")]);
    story.answers = false;
    story.deliver(vec![alert("Errors", "prod/cache")]);
    story
}

#[test]
fn a_state_that_was_stored_before_there_were_indexes_is_read() {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let text = serde_json::to_string_pretty(&lived().state).expect("plain data");
        std::fs::write(golden(), text).expect("writable");
    }
    let text = std::fs::read_to_string(golden()).expect("committed with the tests");
    let read: State = serde_json::from_str(&text).expect("read for ever");
    assert_eq!(read.indexes, lived().state.indexes);
    let targets = read.cases.values().filter(|case| case.target.is_some()).count();
    assert!(targets > 3, "the state has something to file");
}
