//! Holds what happened against what was expected. Reads the records and the world, never the engine's mind; what is not
//! expected is not looked at.

use paramedic_policies::action::{Intent, Outcome};
use paramedic_policies::book::Book;
use paramedic_policies::event::{Conclusion, Event, Record, Seq, Verdict as Help};
use paramedic_policies::guard::Finding;
use paramedic_policies::reason::Reason;
use paramedic_policies::ruling::Verdict;
use serde::Serialize;
use serde_json::Value;

use super::Scenario;
use super::document::OrderDocument;
use super::expect_document::{
    ActionDocument, EndWord, ExpectDocument, HelpWord, OutcomeWord, StateDocument, VerdictWord,
};
use super::play::labels;
use super::story::Story;
use crate::run::Run;
use crate::transcript;
use crate::world::kinds;

/// Something that was expected and is otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Miss {
    /// Where the expectation stands.
    pub line: usize,
    /// And in which column.
    pub column: usize,
    /// Its name, such as `actions[0].on`.
    pub what: String,
    /// What was expected.
    pub wanted: String,
    /// What is.
    pub found: String,
}

/// A path below `expect`, both as a pointer and as people read it.
fn miss(scenario: &Scenario, path: &str, wanted: impl Into<String>, found: impl Into<String>) -> Miss {
    let (line, column) = scenario.place(&format!("/spec/{path}"));
    let mut what = String::new();
    for step in path.split('/') {
        let step = step.replace("~1", "/").replace("~0", "~");
        if !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit()) {
            what.push_str(&format!("[{step}]"));
        } else {
            if !what.is_empty() {
                what.push('.');
            }
            what.push_str(&step);
        }
    }
    Miss { line, column, what, wanted: wanted.into(), found: found.into() }
}

/// A scenario in which nothing happens, and of which nothing is expected: it would always be as expected.
pub(super) fn idle(scenario: &Scenario, story: &Story) -> Option<Miss> {
    let ExpectDocument { verdicts, actions, refusals, calls, ends, state } = &scenario.document.spec.expect;
    let expects = !verdicts.is_empty()
        || actions.is_some()
        || !refusals.is_empty()
        || calls.is_some()
        || !ends.is_empty()
        || !state.is_empty()
        || scenario.document.spec.orders.iter().any(|order| order.refused.is_some());
    let wanted = "something that happens, or something that is expected (`actions: []` is nothing at all)";
    (story.lines.is_empty() && !expects).then(|| miss(scenario, "expect", wanted, "nothing happened"))
}

/// A scenario of alerts that no policy of the book matches shows nothing: whatever is expected not to happen does not. Who means
/// it says which policy is silent.
pub(super) fn unmatched(scenario: &Scenario, book: &Book) -> Option<Miss> {
    let spec = &scenario.document.spec;
    let is_matched = spec.alerts.iter().flat_map(labels).any(|labels| !book.matching(&labels).is_empty());
    let is_by_hand = spec.orders.iter().any(|order| order.run.is_some());
    let is_meant = spec.expect.verdicts.values().any(Vec::is_empty);
    if spec.alerts.is_empty() || is_matched || is_by_hand || is_meant {
        return None;
    }
    let wanted = "a policy that matches it (or, where that is meant, `verdicts: {NAME: []}`: that policy says nothing)";
    Some(miss(scenario, "alerts/0/labels", wanted, "no policy matches any alert of the scenario"))
}

/// All that is expected of the whole. What is found is told as the story tells it, so that the two can be compared; an
/// expectation may be written in its words, or in those of the records.
pub(super) fn judge(scenario: &Scenario, run: &Run, story: &Story) -> Vec<Miss> {
    let records = run.records();
    let mut misses = verdicts(scenario, records);
    misses.extend(actions(scenario, records, story));
    misses.extend(refusals(scenario, records, story));
    misses.extend(calls(scenario, records, story));
    misses.extend(ends(scenario, records));
    for (index, expected) in scenario.document.spec.expect.state.iter().enumerate() {
        if expected.at.is_none() {
            misses.extend(state(scenario, run, index));
        }
    }
    misses
}

fn word(verdict: Verdict) -> VerdictWord {
    match verdict {
        Verdict::Act => VerdictWord::Act,
        Verdict::Hold { .. } => VerdictWord::Hold,
        Verdict::Withhold => VerdictWord::Withhold,
        Verdict::Propose { .. } => VerdictWord::Propose,
    }
}

/// A word as scenarios write it.
fn written<T: Serialize>(word: T) -> String {
    let value = serde_json::to_value(word).expect("a word is written as one");
    value.as_str().unwrap_or_default().to_owned()
}

fn named(words: &[VerdictWord]) -> String {
    let names: Vec<String> = words.iter().map(written).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn verdicts(scenario: &Scenario, records: &[Record]) -> Vec<Miss> {
    let mut misses = Vec::new();
    for (policy, wanted) in &scenario.document.spec.expect.verdicts {
        let mut found: Vec<VerdictWord> = records
            .iter()
            .filter_map(|record| match &record.event {
                Event::Ruled { ruling } if ruling.policy == *policy => Some(word(ruling.verdict)),
                _ => None,
            })
            .collect();
        found.dedup();
        if found != *wanted {
            misses.push(miss(
                scenario,
                &format!("expect/verdicts/{}", escaped(policy)),
                named(wanted),
                named(&found),
            ));
        }
    }
    misses
}

fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// An intent with what became of it.
struct Done<'r> {
    intent: &'r Intent,
    outcome: Option<&'r Outcome>,
    helped: Option<Help>,
}

fn done(records: &[Record]) -> Vec<Done<'_>> {
    let intents = records.iter().filter_map(|record| match &record.event {
        Event::Intended { intent } => Some(intent.as_ref()),
        _ => None,
    });
    intents
        .map(|intent| Done {
            intent,
            outcome: records.iter().find_map(|record| match &record.event {
                Event::Ended { intent: id, outcome } if *id == intent.id => Some(outcome),
                _ => None,
            }),
            helped: records.iter().find_map(|record| match &record.event {
                Event::Verified { intent: id, verdict, .. } if *id == intent.id => Some(*verdict),
                _ => None,
            }),
        })
        .collect()
}

fn told(one: &Done<'_>) -> String {
    let Intent { action, target, reverts, policy, .. } = one.intent;
    let back = if reverts.is_some() { "take back: " } else { "" };
    format!("{back}{action} on {target} ({policy})")
}

fn actions(scenario: &Scenario, records: &[Record], story: &Story) -> Vec<Miss> {
    let Some(wanted) = &scenario.document.spec.expect.actions else { return Vec::new() };
    let found = done(records);
    let mut misses = Vec::new();
    for (index, expected) in wanted.iter().enumerate() {
        let path = format!("expect/actions/{index}");
        match found.get(index) {
            Some(one) => misses.extend(action(scenario, &path, expected, one, story)),
            None => {
                let before = match index {
                    0 => "nothing was done".to_owned(),
                    1 => "nothing after the first action".to_owned(),
                    several => format!("nothing after {several} actions"),
                };
                misses.push(miss(scenario, &path, expected.does.clone(), before));
            }
        }
    }
    for more in found.iter().skip(wanted.len()) {
        misses.push(miss(scenario, "expect/actions", "nothing more", story.told(&told(more))));
    }
    misses
}

fn action(
    scenario: &Scenario,
    path: &str,
    expected: &ActionDocument,
    one: &Done<'_>,
    story: &Story,
) -> Vec<Miss> {
    let intent = one.intent;
    let mut misses = Vec::new();
    let mut hold = |key: &str, wanted: String, found: String, is: bool| {
        if !is {
            misses.push(miss(scenario, &format!("{path}/{key}"), wanted, found));
        }
    };
    let action = intent.action.to_string();
    hold("do", expected.does.clone(), story.told(&action), story.says(&action, &expected.does));
    if let Some(on) = &expected.on {
        let target = intent.target.to_string();
        hold("on", on.clone(), target.clone(), *on == target);
    }
    if let Some(policy) = &expected.policy {
        hold("policy", policy.clone(), intent.policy.clone(), *policy == intent.policy);
    }
    let back = |is: bool| if is { "an action taken back" } else { "an action of its own" }.to_owned();
    let is_back = intent.reverts.is_some();
    hold("takesBack", back(expected.takes_back), back(is_back), expected.takes_back == is_back);
    if let Some(wanted) = expected.ends {
        let is = one.outcome.is_some_and(|outcome| match wanted {
            OutcomeWord::Done => matches!(outcome, Outcome::Done { .. }),
            OutcomeWord::Collected => matches!(outcome, Outcome::Collected { .. }),
            OutcomeWord::Refused => matches!(outcome, Outcome::Refused { .. }),
            OutcomeWord::Failed => matches!(outcome, Outcome::Failed { .. }),
            OutcomeWord::Unknown => matches!(outcome, Outcome::Unknown { .. }),
        });
        let found = match one.outcome {
            None => "it has not ended".to_owned(),
            Some(outcome) => {
                let end = Event::Ended { intent: Seq(0), outcome: outcome.clone() };
                let line = transcript::line(&end).unwrap_or_default();
                story.told(line.trim_start_matches("intent 0 "))
            }
        };
        hold("ends", written(wanted), found, is);
    }
    if let Some(wanted) = expected.verified {
        let found = one.helped.map(help);
        let shown = found.map_or("it is not verified".to_owned(), written);
        hold("verified", written(wanted), shown, found == Some(wanted));
    }
    if let Some(at) = expected.at {
        let found = intent.at.since(scenario.begins);
        hold("at", at.to_string(), found.to_string(), at == found);
    }
    misses
}

fn help(verdict: Help) -> HelpWord {
    match verdict {
        Help::Helped => HelpWord::Helped,
        Help::DidNotHelp => HelpWord::DidNotHelp,
        Help::Unknown => HelpWord::Unknown,
    }
}

/// Every refusal with the policy that spoke.
fn refused(records: &[Record]) -> Vec<(&str, &Reason)> {
    let mut all = Vec::new();
    for record in records {
        match &record.event {
            Event::Ruled { ruling } => {
                let reasons = ruling.findings.iter().filter_map(Finding::reason);
                all.extend(reasons.map(|reason| (ruling.policy.as_str(), reason)));
            }
            Event::Ended { intent: id, outcome: Outcome::Refused { reasons } } => {
                let policy = records.iter().find_map(|record| match &record.event {
                    Event::Intended { intent } if intent.id == *id => Some(intent.policy.as_str()),
                    _ => None,
                });
                all.extend(reasons.iter().map(|reason| (policy.unwrap_or_default(), reason)));
            }
            _ => {}
        }
    }
    all
}

fn refusals(scenario: &Scenario, records: &[Record], story: &Story) -> Vec<Miss> {
    let given = refused(records);
    let mut misses = Vec::new();
    for (index, expected) in scenario.document.spec.expect.refusals.iter().enumerate() {
        let meets = |(policy, reason): &(&str, &Reason)| {
            *policy == expected.policy
                && reason.name() == expected.reason
                && expected.says.as_ref().is_none_or(|says| story.says(&reason.to_string(), says))
        };
        if given.iter().any(meets) {
            continue;
        }
        let wanted = match &expected.says {
            Some(says) => format!("{}, with `{says}`", expected.reason),
            None => expected.reason.clone(),
        };
        let mut of_policy: Vec<String> = given
            .iter()
            .filter(|(policy, _)| *policy == expected.policy)
            .map(|(_, reason)| story.told(&format!("{}: {reason}", reason.name())))
            .collect();
        of_policy.dedup();
        let found = match of_policy.as_slice() {
            [] => format!("{} refused nothing", expected.policy),
            some => some.join("; "),
        };
        misses.push(miss(scenario, &format!("expect/refusals/{index}"), wanted, found));
    }
    misses
}

fn calls(scenario: &Scenario, records: &[Record], story: &Story) -> Vec<Miss> {
    let Some(wanted) = &scenario.document.spec.expect.calls else { return Vec::new() };
    let found: Vec<&str> = records
        .iter()
        .filter_map(|record| match &record.event {
            Event::Escalated { why, .. } => Some(why.as_str()),
            _ => None,
        })
        .collect();
    let mut misses = Vec::new();
    for (index, expected) in wanted.iter().enumerate() {
        let path = format!("expect/calls/{index}");
        match found.get(index) {
            Some(why) if story.says(why, expected) => {}
            Some(why) => misses.push(miss(scenario, &path, expected.clone(), story.told(why))),
            None => misses.push(miss(scenario, &path, expected.clone(), "nobody was called")),
        }
    }
    for more in found.iter().skip(wanted.len()) {
        misses.push(miss(scenario, "expect/calls", "nobody more is called", story.told(more)));
    }
    misses
}

fn ends(scenario: &Scenario, records: &[Record]) -> Vec<Miss> {
    let mut misses = Vec::new();
    for (name, wanted) in &scenario.document.spec.expect.ends {
        let found = records.iter().rev().find_map(|record| match &record.event {
            Event::Concluded { case, conclusion } if case.policy == *name => Some(end(*conclusion)),
            _ => None,
        });
        if found != Some(*wanted) {
            let found = found.map_or("it has not ended".to_owned(), written);
            misses.push(miss(scenario, &format!("expect/ends/{}", escaped(name)), written(wanted), found));
        }
    }
    misses
}

fn end(conclusion: Conclusion) -> EndWord {
    match conclusion {
        Conclusion::Helped => EndWord::Helped,
        Conclusion::Done => EndWord::Done,
        Conclusion::Rehearsed => EndWord::Rehearsed,
        Conclusion::Already => EndWord::Already,
        Conclusion::Exhausted => EndWord::Exhausted,
        Conclusion::Unknown => EndWord::Unknown,
        Conclusion::Failed => EndWord::Failed,
        Conclusion::Resolved => EndWord::Resolved,
        Conclusion::Withdrawn => EndWord::Withdrawn,
        Conclusion::Denied => EndWord::Denied,
        Conclusion::Refused => EndWord::Refused,
        Conclusion::TakenBack => EndWord::TakenBack,
        Conclusion::Cancelled => EndWord::Cancelled,
    }
}

/// One expectation of an object, as it is now.
pub(super) fn state(scenario: &Scenario, run: &Run, index: usize) -> Option<Miss> {
    let expected = &scenario.document.spec.expect.state[index];
    let StateDocument { kind, namespace, name, there, field, annotation, is, .. } = expected;
    let path = format!("expect/state/{index}");
    let resource = kinds::of_target(kind)?;
    let found: Vec<Value> = run.world(|world| {
        world.sync();
        match name {
            Some(name) => world.objects.get(&resource.named(namespace, name)).cloned().into_iter().collect(),
            None => world.objects.list(resource, namespace, ""),
        }
    });
    if let Some(there) = there {
        let shown = |is: bool| if is { "it is there" } else { "there is none" }.to_owned();
        let is = !found.is_empty();
        return (is != *there).then(|| miss(scenario, &format!("{path}/there"), shown(*there), shown(is)));
    }
    let object = match found.as_slice() {
        [object] => object,
        [] => return Some(miss(scenario, &path, format!("a {kind}"), "there is none")),
        several => {
            let names: Vec<&str> =
                several.iter().filter_map(|one| one.pointer("/metadata/name")?.as_str()).collect();
            return Some(miss(scenario, &path, format!("one {kind}"), names.join(", ")));
        }
    };
    let (key, value) = match (annotation, field) {
        (Some(name), _) => {
            ("annotation", object.pointer("/metadata/annotations").and_then(|all| all.get(name)))
        }
        (None, Some(field)) => ("field", at(object, field)),
        (None, None) => return None,
    };
    let (wanted, value) = (is.clone().unwrap_or(Value::Null), value.cloned().unwrap_or(Value::Null));
    (value != wanted).then(|| miss(scenario, &format!("{path}/{key}"), wanted.to_string(), value.to_string()))
}

/// The value at a path such as `spec.template.spec.containers[0].image`.
fn at<'v>(object: &'v Value, path: &str) -> Option<&'v Value> {
    let steps = path.split(['.', '[', ']']).filter(|step| !step.is_empty());
    steps.into_iter().try_fold(object, |at, step| match at {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        other => other.get(step),
    })
}

/// What became of an order.
pub(super) fn order(
    scenario: &Scenario,
    index: usize,
    order: &OrderDocument,
    refusal: Option<&str>,
    records: &[Record],
) -> Option<Miss> {
    let path = format!("orders/{index}");
    let Some(refusal) = refusal else {
        let wanted = order.refused.as_ref()?;
        let wanted = format!("refused: {wanted}");
        return Some(miss(scenario, &format!("{path}/refused"), wanted, "it was taken"));
    };
    // Only a refusal names records: a story is as long as all that came before.
    let story = Story::of(records, scenario.begins);
    match &order.refused {
        Some(wanted) if story.says(refusal, wanted) => None,
        Some(wanted) => {
            let wanted = format!("refused: {wanted}");
            Some(miss(scenario, &format!("{path}/refused"), wanted, story.told(refusal)))
        }
        None => Some(miss(scenario, &path, "the order is taken", story.told(refusal))),
    }
}

#[cfg(test)]
mod tests {
    use paramedic_policies::book::{Book, Source, SourceFile};
    use paramedic_policies::load;

    use crate::scenario::{Unasked, play, read};

    const POLICY: &str = "apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: cart-errors}
spec:
  mode: enforce
  match: ['alertname=\"A\"']
  for: 5m
  target: {kind: Deployment, namespace: shop, name: cart}
  when: [{query: 'rate(consumed_total{queue=\"mail\"}[5m])', is: '> 1'}]
  ladder: [{restart: {}}]
";

    fn book() -> Book {
        let files = vec![SourceFile { path: "cart.yaml".to_owned(), text: POLICY.to_owned() }];
        load::book(Source { files, settings: Default::default(), tzdb: String::new() }).expect("it loads")
    }

    /// Each miss as `what: expected, found`, what was asked in vain, and what nobody asked.
    fn judged(queue: &str, expect: &str) -> (Vec<String>, Vec<String>, Vec<Unasked>) {
        played(&format!("    - {{query: 'rate(consumed_total{{queue=\"{queue}\"}}[5m])', is: 2}}\n"), expect)
    }

    fn played(facts: &str, expect: &str) -> (Vec<String>, Vec<String>, Vec<Unasked>) {
        let text = format!(
            "apiVersion: paramedic.dev/v1alpha1\nkind: Scenario\nmetadata: {{name: a}}\nspec:
  world: {{workloads: [{{namespace: shop, name: cart, replicas: 4}}]}}
  alerts: [{{labels: {{alertname: A}}, until: 20m}}]
  facts:
{facts}  expect: {{{expect}}}\n"
        );
        let scenarios = read(&text, "cart.yaml").expect("it can be read");
        let played = play(&scenarios[0], &book()).expect("it can be played");
        let misses = played.misses.iter().map(|one| format!("{}: {}, {}", one.what, one.wanted, one.found));
        (misses.collect(), played.untold, played.unasked)
    }

    #[test]
    fn what_is_found_is_told_in_the_times_of_the_story() {
        let expect = "actions: [{do: restart, ends: failed}], refusals: [{policy: cart-errors, reason: tooYoung, says: 9m}]";
        let (misses, _, _) = judged("mail", expect);
        let restarted = "spec.template.metadata.annotations[\"kubectl.kubernetes.io/restartedAt\"]";
        let wanted = [
            format!("expect.actions[0].ends: failed, done: {restarted} none -> +0:05:00"),
            "expect.refusals[0]: tooYoung, with `9m`, tooYoung: open for 0s, wanted for 5m, until +0:05:00"
                .to_owned(),
        ];
        assert_eq!(misses, wanted);
    }

    #[test]
    fn what_the_story_says_may_be_expected_and_what_the_records_say_too() {
        for says in ["until +0:05:00", "until 2026-11-23T09:05:00.000Z"] {
            let expect = format!("refusals: [{{policy: cart-errors, reason: tooYoung, says: '{says}'}}]");
            assert_eq!(judged("mail", &expect).0, [""; 0], "{says}");
        }
    }

    #[test]
    fn what_was_told_and_never_asked_stands_beside_what_was_asked_and_not_told() {
        let (_, untold, unasked) = judged("mial", "actions: []");
        assert_eq!(untold, ["rate(consumed_total{queue=\"mail\"}[5m])"]);
        let about = "rate(consumed_total{queue=\"mial\"}[5m])".to_owned();
        assert_eq!(unasked, [Unasked { line: 8, column: 7, about }]);
        let (_, untold, unasked) = judged("mail", "actions: [{do: restart}]");
        assert_eq!((untold, unasked), (Vec::new(), Vec::new()));
    }

    #[test]
    fn a_series_and_a_place_that_nothing_asked_are_told_too() {
        let facts = "    - {series: 'up{job=\"carts\"}', is: 1}
    - {policy: cart-errors, place: 'when[0]', is: 2}
    - {policy: cart-errors, place: verification, is: 1}\n";
        let (misses, untold, unasked) = played(facts, "actions: [{do: restart}]");
        assert_eq!((misses, untold), (Vec::new(), Vec::new()));
        let told: Vec<String> =
            unasked.into_iter().map(|one| format!("{}: {}", one.line, one.about)).collect();
        assert_eq!(told, ["8: up{job=\"carts\"}", "10: verification of cart-errors"]);
    }
}
