//! `audit` over a small journal: one alert withheld, restarted, verified, resolved; a pause; an alert nobody matches.

use paramedic_policies::action::Outcome;

use super::fixture;
use super::paramedic;

#[test]
fn a_query_reads_like_a_log_of_reasons() {
    let journal = fixture::journal();
    insta::assert_snapshot!(paramedic(&["audit", "query", "--data-dir", journal.path()]));
}

#[test]
fn filters_narrow_and_say_when_nothing_is_left() {
    let journal = fixture::journal();
    let query = |more: &[&str]| {
        let mut args = vec!["audit", "query", "--data-dir", journal.path()];
        args.extend(more);
        paramedic(&args)
    };
    let mut text = String::new();
    for more in [
        &["--kind", "ruled"][..],
        &["--target", "shop/Deployment/cart", "--kind", "intended"],
        &["--namespace", "shop", "--outcome", "done"],
        &["--verdict", "helped"],
        &["--since", "10m"],
        &["--until", "2026-11-21T09:00:00Z"],
        &["--limit", "2"],
        &["--limit", "2", "--oldest"],
        &["--policy", "cart-erors"],
        &["--policy", "search-slow"],
        &["--target", "shop/Deployment/card"],
        &["--namespace", "shop", "--alert", "CartError", "--since", "1d"],
        &["--namespace", "shop", "--since", "1m"],
        &["--since", "2030-01-01T00:00:00Z"],
    ] {
        text += &format!("$ paramedic audit query {}\n{}\n", more.join(" "), query(more));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn statistics_say_what_each_policy_is_worth() {
    let journal = fixture::journal();
    let stats = |more: &[&str]| {
        let mut args = vec!["audit", "stats", "--data-dir", journal.path()];
        args.extend(more);
        paramedic(&args)
    };
    let mut text = String::new();
    for more in [
        &["--since", "1h"][..],
        &["--since", "1h", "--policy", "search-slow"],
        &["--since", "1h", "--output", "json"],
        &["--since", "1h", "--until", "2h"],
        &["--since", "2030-01-01T00:00:00Z"],
    ] {
        text += &format!("$ paramedic audit stats {}\n{}\n", more.join(" "), stats(more));
    }
    insta::assert_snapshot!(text);
}

/// Both documents count the same cases: whoever lays one beside the other must not find two numbers.
#[test]
fn statistics_and_report_agree_on_how_cases_ended() {
    let what = || "no answer".to_owned();
    for outcome in [
        Outcome::Done { diff: None, already: false },
        Outcome::Done { diff: None, already: true },
        Outcome::Failed { what: what(), applied: false, diff: None },
        Outcome::Failed { what: what(), applied: true, diff: None },
        Outcome::Unknown { what: what() },
    ] {
        let journal = fixture::told(fixture::Tale { outcome: outcome.clone(), words: None });
        let counts = |command: &str| {
            let args = ["audit", command, "--data-dir", journal.path(), "--since", "1h", "--output", "json"];
            let json: serde_json::Value = serde_json::from_str(&paramedic(&args).out).expect("JSON");
            let columns = [
                "cases",
                "acted",
                "helped",
                "notHelped",
                "unknown",
                "unchecked",
                "rehearsed",
                "endedAfter",
                "underWay",
                "pending",
                "nothingDone",
            ];
            columns.map(|column| json["policies"][0][column].as_u64().expect("a number"))
        };
        let told = counts("report");
        assert_eq!(told, counts("stats"), "{outcome:?}");
        assert_eq!(told[2..].iter().sum::<u64>(), told[0], "{outcome:?}");
    }
}

#[test]
fn a_story_is_told_from_any_of_its_records() {
    let journal = fixture::journal();
    for (kind, nth) in [("ruled", 0), ("intended", 0), ("verified", 0)] {
        let seq = journal.seq_of(kind, nth);
        let name = format!("story_of_{kind}");
        insta::assert_snapshot!(name, paramedic(&["audit", "show", &seq, "--data-dir", journal.path()]));
    }
}

#[test]
fn json_is_one_record_a_line_and_reads_back() {
    let journal = fixture::journal();
    let ran = paramedic(&["audit", "export", "--data-dir", journal.path()]);
    assert_eq!(ran.code, 0, "{ran}");
    let records: Vec<paramedic_policies::event::Record> =
        ran.out.lines().map(|line| serde_json::from_str(line).expect("a record")).collect();
    assert_eq!(records, journal.records);
}

#[test]
fn the_tail_is_the_end() {
    let journal = fixture::journal();
    let ran = paramedic(&["audit", "tail", "--lines", "3", "--data-dir", journal.path()]);
    assert_eq!(ran.code, 0, "{ran}");
    insta::assert_snapshot!(ran.out);
}

#[test]
fn a_whole_journal_verifies() {
    let journal = fixture::journal();
    let ran = paramedic(&["audit", "verify", "--data-dir", journal.path()]);
    assert_eq!(ran.code, 0, "{ran}");
    assert!(ran.out.contains(": whole\n"), "{ran}");
}

#[test]
fn a_journal_in_use_says_how_to_read_it() {
    let journal = fixture::journal();
    let _daemon = journal.held();
    let ran = paramedic(&["audit", "query", "--data-dir", journal.path()]);
    assert_eq!(ran.code, 1, "{ran}");
    insta::assert_snapshot!(ran.err.replace(journal.path(), "DIR"));
}

#[test]
fn a_record_that_is_not_there_says_where_to_look() {
    let journal = fixture::journal();
    let ran = paramedic(&["audit", "show", "999", "--data-dir", journal.path()]);
    assert_eq!(ran.code, 1, "{ran}");
    insta::assert_snapshot!(ran.err);
}
