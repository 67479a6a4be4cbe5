//! Records are found by everything they are about, whether their index is written yet or not.

use paramedic::journal::{Filter, Reader};
use paramedic_policies::action::Outcome;
use paramedic_policies::event::{Closing, Event, Seq};
use paramedic_policies::order::PauseScope;
use paramedic_policies::ruling::Verdict;
use paramedic_policies::time::Span;
use paramedic_remediations::ports::journal::Journal as _;

use crate::samples::{Scribe, deployment, done, open, start};

/// Three alerts, two policies, two actions.
fn story(scribe: &mut Scribe) {
    let (web, api) = (deployment("prod", "web"), deployment("stage", "api"));
    let first = scribe.alert("Slow", "prod", "web"); // 1, 2
    scribe.decision(first, "Slow", "roll", &web, Verdict::Act); // 3, 4, 5
    scribe.action(first, "roll", &web, done()); // 6, 7, 8, 9
    let second = scribe.alert("Broken", "stage", "api"); // 10, 11
    scribe.decision(second, "Broken", "grow", &api, Verdict::Withhold); // 12, 13, 14
    scribe.write(Event::Closed { episode: second, why: Closing::Resolved, ended_at: None }); // 15
    scribe.action(first, "grow", &api, Outcome::Unknown { what: "no answer".to_owned() }); // 16..=19
    let scope = PauseScope::Target(web);
    scribe.write(Event::Paused { scope, by: "ada".to_owned(), until: None, reason: "release".to_owned() }); // 20
    scribe.alert("Slow", "stage", "api"); // 21, 22
}

fn found(reader: &Reader, filter: &Filter) -> Vec<u64> {
    reader.query(filter).expect("read").items.iter().map(|record| record.seq.0).collect()
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn check(reader: &Reader) {
    let f = Filter::default;
    let at = |seconds| Some(start() + Span::from_secs(seconds));
    let cases: Vec<(&str, Filter, Vec<u64>)> = vec![
        ("everything", f(), (1..=22).collect()),
        ("kind", Filter { kind: some("opened"), ..f() }, vec![2, 11, 22]),
        ("policy", Filter { policy: some("roll"), ..f() }, vec![3, 4, 5, 6, 7, 8, 9]),
        ("other policy", Filter { policy: some("grow"), ..f() }, vec![12, 13, 14, 16, 17, 18, 19]),
        ("target", Filter { target: some("prod/deployment/web"), ..f() }, vec![5, 6, 7, 8, 9, 20]),
        (
            "namespace",
            Filter { namespace: some("stage"), ..f() },
            vec![11, 12, 13, 14, 15, 16, 17, 18, 19, 22],
        ),
        ("alert", Filter { alert: some("Broken"), ..f() }, vec![11, 12, 13, 14, 15]),
        (
            "fingerprint",
            Filter { fingerprint: some(&format!("{:016x}", 2 * 7919)), kind: some("ruled"), ..f() },
            vec![5],
        ),
        ("episode", Filter { episode: Some(Seq(11)), ..f() }, vec![11, 12, 13, 14, 15]),
        ("intent", Filter { intent: Some(Seq(16)), ..f() }, vec![16, 17, 18, 19]),
        ("act", Filter { verdict: some("act"), ..f() }, vec![5]),
        ("withhold", Filter { verdict: some("withhold"), ..f() }, vec![14]),
        ("helped", Filter { verdict: some("helped"), ..f() }, vec![9, 19]),
        ("done", Filter { outcome: some("done"), ..f() }, vec![7]),
        ("unknown", Filter { outcome: some("unknown"), ..f() }, vec![17]),
        ("two conditions", Filter { policy: some("grow"), outcome: some("unknown"), ..f() }, vec![17]),
        ("never both", Filter { policy: some("roll"), outcome: some("unknown"), ..f() }, vec![]),
        ("unknown name", Filter { policy: some("nobody"), ..f() }, vec![]),
        ("since", Filter { since: at(19), ..f() }, vec![20, 21, 22]),
        ("until", Filter { until: at(2), ..f() }, vec![1, 2]),
        ("between", Filter { since: at(4), until: at(7), ..f() }, vec![5, 6, 7]),
        ("before all", Filter { until: at(0), ..f() }, vec![]),
        ("after all", Filter { since: at(100), ..f() }, vec![]),
        ("after", Filter { after: Some(Seq(20)), ..f() }, vec![21, 22]),
        ("newest", Filter { newest: true, limit: Some(3), ..f() }, vec![22, 21, 20]),
        ("newest before", Filter { newest: true, after: Some(Seq(20)), limit: Some(2), ..f() }, vec![19, 18]),
        (
            "newest of a policy",
            Filter { newest: true, policy: some("roll"), limit: Some(2), ..f() },
            vec![9, 8],
        ),
    ];
    for (name, filter, want) in cases {
        assert_eq!(found(reader, &filter), want, "{name}");
    }
}

#[test]
fn records_are_found_by_what_they_are_about() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut scribe = Scribe::new();
    let (mut journal, _) = open(dir.path());
    story(&mut scribe);
    // Blocks of one, of many, and of the rest.
    let all = scribe.block().records;
    for part in [&all[..1], &all[1..13], &all[13..]] {
        let records = part.to_vec();
        journal.append(&paramedic_remediations::ports::journal::Block { records }).expect("durable");
    }
    check(&journal.reader());
    drop(journal);
    check(&Reader::open(dir.path()).expect("no daemon runs"));
}

#[test]
fn a_written_index_and_the_unwritten_rest_are_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut scribe = Scribe::new();
    let (mut journal, _) = open(dir.path());
    let web = deployment("prod", "web");
    let mut last = Seq(0);
    for round in 0..1300 {
        let episode = scribe.alert("Slow", "prod", "web");
        last = scribe.action(episode, if round % 100 == 0 { "rare" } else { "often" }, &web, done());
        let block = scribe.block();
        journal.append(&block).expect("durable");
    }
    let count = |reader: &Reader, filter: &Filter| {
        let (mut count, mut filter) = (0, Filter { limit: Some(1000), ..filter.clone() });
        loop {
            let page = reader.query(&filter).expect("read");
            count += page.items.len();
            match page.next {
                Some(_) => filter.after = page.next,
                None => return count,
            }
        }
    };
    let f = Filter::default;
    let cases = [
        ("everything", f(), 1300 * 6),
        ("rare", Filter { policy: some("rare"), ..f() }, 13 * 4),
        ("rare ends", Filter { policy: some("rare"), kind: some("ended"), ..f() }, 13),
        ("often, newest first", Filter { policy: some("often"), newest: true, ..f() }, 1287 * 4),
        ("the last", Filter { intent: Some(last), ..f() }, 4),
        ("the first intent", Filter { intent: Some(Seq(3)), ..f() }, 4),
        ("the first episode", Filter { episode: Some(Seq(2)), ..f() }, 5),
        ("one in the middle", Filter { episode: Some(Seq(2 + 6 * 300)), ..f() }, 5),
        ("one across segments", Filter { episode: Some(Seq(2 + 6 * 682)), ..f() }, 5),
        ("no episode", Filter { episode: Some(Seq(4)), ..f() }, 0),
        (
            "a half",
            Filter { alert: some("Slow"), since: Some(start() + Span::from_secs(3900)), ..f() },
            650 * 5,
        ),
    ];
    let beside = journal.reader();
    for (name, filter, want) in &cases {
        assert_eq!(count(&beside, filter), *want, "{name}");
    }
    drop((beside, journal));
    let alone = Reader::open(dir.path()).expect("no daemon runs");
    for (name, filter, want) in &cases {
        assert_eq!(count(&alone, filter), *want, "{name}");
    }
    let mut lines = Vec::new();
    alone
        .export(&f(), |bytes| {
            lines.push(bytes.to_vec());
            Ok::<_, paramedic::journal::ReadError>(())
        })
        .expect("read");
    let canonical: Vec<_> =
        scribe.all.iter().map(|record| serde_json::to_vec(record).expect("plain data")).collect();
    assert_eq!(lines, canonical, "an export is the canonical bytes");
}

#[test]
fn unknown_conditions_are_refused() {
    let error = serde_json::from_str::<Filter>(r#"{"polcy": "x"}"#).expect_err("a typing error");
    assert!(error.to_string().contains("unknown field `polcy`, expected one of `since`"), "{error}");
}
