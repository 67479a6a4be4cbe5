//! The counts, over the records of a journal that was lived through.

use paramedic_policies::event::Advance;
use paramedic_policies::time::Span;

use super::*;
use crate::cli::tests::fixture;

fn counted(records: &[Record]) -> Stats {
    counted_of(None, records)
}

/// As the command reads them: of one policy, or all.
fn counted_of(policy: Option<&str>, records: &[Record]) -> Stats {
    let mut tally = Tally::of(policy.map(str::to_owned), records[0].at, records[0].at + Span::from_hours(2));
    for kind in KINDS {
        records.iter().filter(|record| record.event.kind() == kind).for_each(|record| tally.take(record));
    }
    tally.finished()
}

/// What another policy did on the same episodes: the same records of its own.
fn and_by_another(records: &[Record], policy: &str) -> Vec<Record> {
    let mut all = records.to_vec();
    for record in records {
        let mut event = record.event.clone();
        match &mut event {
            Event::Ruled { ruling } => ruling.policy = policy.to_owned(),
            Event::Intended { intent } => (intent.policy, intent.mode) = (policy.to_owned(), Mode::DryRun),
            Event::Concluded { case, conclusion } => {
                (case.policy, *conclusion) = (policy.to_owned(), Conclusion::Rehearsed);
            }
            _ => continue,
        }
        all.push(Record { seq: record.seq.plus(records.len()), event, ..record.clone() });
    }
    all
}

#[test]
fn an_alert_that_another_policy_acted_on_did_not_end_without_us() {
    let records = and_by_another(&fixture::journal().records, "another");
    for policy in [None, Some("another")] {
        let stats = counted_of(policy, &records);
        let [one] = stats.without_us.as_slice() else { panic!("{stats:?}") };
        assert_eq!((one.policy.as_str(), one.rehearsed, one.ended, one.acted), ("another", 0, 0, 0));
        assert_eq!(one.another_acted, 1);
    }
}

#[test]
fn a_case_that_acted_is_never_one_of_which_nothing_was_done() {
    let records = fixture::journal().records;
    let ended = |conclusion: Option<Conclusion>| {
        let mut records = records.clone();
        records.retain(|record| conclusion.is_some() || record.event.kind() != "concluded");
        for record in &mut records {
            if let (Event::Concluded { conclusion: is, .. }, Some(conclusion)) =
                (&mut record.event, conclusion)
            {
                *is = conclusion;
            }
        }
        counted(&records).policies.remove(0)
    };
    let early = [Conclusion::Resolved, Conclusion::Withdrawn, Conclusion::TakenBack, Conclusion::Cancelled];
    for conclusion in early {
        let one = ended(Some(conclusion)).ends;
        assert_eq!((one.acted, one.ended_after, one.nothing_done), (1, 1, 0), "{one:?}");
    }
    let one = ended(None).ends;
    assert_eq!((one.acted, one.under_way, one.nothing_done), (1, 1, 0), "{one:?}");
}

/// A freeze whose time is over while its alert is open, for example: it is to be done again.
#[test]
fn a_case_that_goes_on_after_it_was_over_is_under_way() {
    let records = fixture::journal().records;
    let concluded = records.iter().find_map(|record| match &record.event {
        Event::Concluded { case, .. } => Some((record.clone(), case.clone())),
        _ => None,
    });
    let (record, case) = concluded.expect("a case ended");
    let again = |seq| Record {
        seq,
        event: Event::Advanced {
            case: case.clone(),
            rung: 0,
            step: 0,
            why: Advance::Again,
            due: None,
            target: None,
        },
        ..record.clone()
    };
    let ends = |more: Record| {
        let all: Vec<Record> = records.iter().cloned().chain([more]).collect();
        counted(&all).policies.remove(0).ends
    };
    let (before, after) = (ends(again(Seq(1))), ends(again(record.seq.plus(records.len()))));
    assert_eq!((before.helped, before.under_way), (1, 0), "it went on, and ended then: {before:?}");
    assert_eq!((after.helped, after.under_way), (0, 1), "{after:?}");
}

#[test]
fn an_alert_that_was_only_rehearsed_is_no_act_but_a_measure_of_waiting() {
    let acted = counted(&fixture::journal().records);
    assert_eq!((acted.policies[0].ends.acted, acted.policies[0].ends.helped), (1, 1), "{acted:?}");
    assert_eq!(acted.without_us, [], "nothing was only rehearsed");

    let mut records = fixture::journal().records;
    for record in &mut records {
        match &mut record.event {
            Event::Intended { intent } => intent.mode = Mode::DryRun,
            Event::Concluded { conclusion, .. } => *conclusion = Conclusion::Rehearsed,
            _ => {}
        }
    }
    let rehearsed = counted(&records);
    assert_eq!((rehearsed.policies[0].ends.acted, rehearsed.policies[0].ends.rehearsed), (0, 1));
    assert_eq!(rehearsed.remediations, []);
    let [alone] = rehearsed.without_us.as_slice() else { panic!("{rehearsed:?}") };
    assert_eq!((alone.rehearsed, alone.ended, alone.acted), (1, 1, 0));
    assert!(matches!(alone.after.median, Took::Known(_)), "{alone:?}");
}

/// What waits for a person or a guard is not over; what ended without an effect did not act.
#[test]
fn what_waits_is_pending_and_an_intent_without_an_effect_is_no_act() {
    let mut records = fixture::journal().records;
    records.retain(|record| !matches!(record.event.kind(), "intended" | "ended" | "verified" | "concluded"));
    let last = records.iter().rposition(|record| record.event.kind() == "ruled").expect("it has some");
    let until = records[last].at + Span::from_hours(1);
    let proposal = records[last].seq;
    let mut with = |verdict: ruling::Verdict| {
        if let Event::Ruled { ruling } = &mut records[last].event {
            ruling.verdict = verdict;
        }
        let one = counted(&records).policies.remove(0).ends;
        (one.pending, one.nothing_done)
    };
    assert_eq!(with(ruling::Verdict::Withhold), (0, 1));
    assert_eq!(with(ruling::Verdict::Hold { until }), (1, 0));
    assert_eq!(with(ruling::Verdict::Propose { until }), (1, 0));
    // Its policy was changed: the first proposal is over with its case, which is decided anew.
    let id = match &records[last].event {
        Event::Ruled { ruling } => CaseId { episode: ruling.episode, policy: ruling.policy.clone() },
        other => panic!("a ruling: {other:?}"),
    };
    let changed = Event::Concluded { case: id, conclusion: Conclusion::Withdrawn };
    let mut anew = records.clone();
    anew.push(Record { seq: proposal.plus(400), event: changed, ..records[last].clone() });
    let over = counted(&anew).policies.remove(0).ends;
    assert_eq!((over.pending, over.nothing_done), (0, 1));
    anew.push(Record { seq: proposal.plus(401), ..records[last].clone() });
    let again = counted(&anew).policies.remove(0).ends;
    assert_eq!((again.pending, again.nothing_done), (1, 0));
    let lapsed =
        Record { seq: proposal.plus(500), event: Event::Lapsed { proposal }, ..records[last].clone() };
    records.push(lapsed);
    let one = counted(&records).policies.remove(0).ends;
    assert_eq!((one.pending, one.nothing_done), (0, 1));

    let mut records = fixture::journal().records;
    records.retain(|record| !matches!(record.event.kind(), "verified" | "concluded"));
    for (outcome, acted) in [
        (Outcome::Failed { what: "refused".to_owned(), applied: false, diff: None }, false),
        (Outcome::Refused { reasons: Vec::new() }, false),
        (Outcome::Failed { what: "no rollout".to_owned(), applied: true, diff: None }, true),
        (Outcome::Unknown { what: "no answer".to_owned() }, true),
    ] {
        for record in &mut records {
            if let Event::Ended { outcome: is, .. } = &mut record.event {
                *is = outcome.clone();
            }
        }
        let one = counted(&records).policies.remove(0).ends;
        let wanted = if acted { (1, 1, 0) } else { (0, 0, 1) };
        assert_eq!((one.acted, one.under_way, one.pending), wanted, "{outcome:?}: {one:?}");
    }
}

#[test]
fn an_episode_from_outside_the_time_counts_nowhere() {
    let records = fixture::journal().records;
    let last = records.last().expect("it has some").at;
    let mut tally = Tally::of(None, last + Span::from_secs(1), last + Span::from_secs(2));
    records.iter().for_each(|record| tally.take(record));
    let stats = tally.finished();
    assert_eq!((stats.episodes, stats.policies.len(), stats.remediations.len()), (0, 0, 0));
}
