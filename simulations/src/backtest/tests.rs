//! Pasts of a few alerts, each with the numbers that a person comes to.

use std::collections::VecDeque;

use async_trait::async_trait;
use paramedic_policies::alert::{Alert, AlertStatus, Labels};
use paramedic_policies::book::{Source, SourceFile};
use paramedic_policies::settings::Settings;
use paramedic_policies::time::{Moment, Span};

use super::*;

/// Deliveries that were written down.
struct Written(VecDeque<Heard>);

#[async_trait]
impl History for Written {
    async fn next(&mut self) -> Result<Option<Heard>, HistoryError> {
        Ok(self.0.pop_front())
    }
}

fn at(minutes: i64) -> Moment {
    Moment::from_unix_ms(1_800_000_000_000 + minutes * 60_000)
}

fn minutes_of(moment: Moment) -> i64 {
    (moment.unix_ms() - at(0).unix_ms()) / 60_000
}

fn labels(name: &str, deployment: &str) -> Labels {
    let pairs = [("alertname", name), ("namespace", "shop"), ("deployment", deployment)];
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect()
}

fn alert(deployment: &str, from: i64, until: Option<i64>) -> Alert {
    Alert {
        status: if until.is_some() { AlertStatus::Resolved } else { AlertStatus::Firing },
        labels: labels("Errors", deployment),
        annotations: Labels::new(),
        starts_at: at(from),
        ends_at: until.map(at),
        fingerprint: None,
    }
}

/// Alerts on these deployments, from and until these minutes; without an end they fire on.
fn past(alerts: &[(&str, i64, Option<i64>)]) -> Written {
    let mut heard: Vec<Heard> = Vec::new();
    for (deployment, from, until) in alerts {
        let mut tell = |minutes: i64, alert: Alert| {
            heard.push(Heard { at: at(minutes), alerts: vec![alert], truncated: 0 });
        };
        tell(*from, alert(deployment, *from, None));
        until.inspect(|until| tell(*until, alert(deployment, *from, Some(*until))));
    }
    heard.sort_by_key(|heard| heard.at);
    Written(heard.into())
}

fn terms() -> Terms {
    Terms {
        from: None,
        until: None,
        goes_on_until: None,
        repeat_every: Some(Span::from_hours(4)),
        questions_at_once: 1,
        unknown: Vec::new(),
    }
}

/// One policy that restarts what the alert names.
fn policy(name: &str, more: &str, guards: &str) -> Source {
    let text = format!(
        r#"apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {{name: {name}}}
spec:
  mode: enforce
  match: ['alertname="Errors"']
  {more}
  target: {{kind: Deployment, namespace: "{{{{ labels.namespace }}}}", name: "{{{{ labels.deployment }}}}"}}
  ladder: [{{restart: {{}}, verify: {{rollout: complete}}}}]
  guards: {{cooldown: 0s, concurrency: 1000, blastRadius: {{targets: {{max: 1000, in: cluster, per: 1s}}}}, {guards}}}
"#
    );
    let files = vec![SourceFile { path: "policy.yaml".to_owned(), text }];
    let source = Source { files, settings: Settings::default(), tzdb: "test".to_owned() };
    paramedic_policies::load::book(source.clone()).expect("the policy is sound");
    source
}

fn restart(guards: &str) -> Source {
    policy("restart", "description: what an alert names is restarted", guards)
}

async fn replayed(mut past: Written, source: Source, terms: &Terms) -> Report {
    backtest(&mut past, &NoFacts, source, terms).await.expect("the past is read")
}

async fn planned(mut past: Written, old: Source, new: Source, terms: &Terms) -> Plan {
    plan(&mut past, &NoFacts, (old, new), terms).await.expect("the past is read")
}

#[tokio::test]
async fn an_alert_that_outlives_its_episode_opens_a_new_one_with_the_next_repeat() {
    let long = || past(&[("cart", 0, Some(24 * 60))]);
    let six_hours = Terms { repeat_every: Some(Span::from_hours(6)), ..terms() };
    let report = replayed(long(), restart("limits: []"), &six_hours).await;
    // It expires after five hours, and is repeated after 6, 12 and 18; at 24 it ends.
    assert_eq!((report.began, report.ended, report.actions), (4, 4, 4));

    let mut short = restart("limits: []");
    short.settings.episodes.expiry = Span::from_hours(1);
    let report = replayed(long(), short, &terms()).await;
    assert_eq!((report.began, report.ended, report.actions), (6, 6, 6));

    let report = replayed(long(), restart("limits: []"), &terms()).await;
    assert_eq!((report.began, report.ended, report.actions), (1, 1, 1), "four hours keep it open");
}

#[tokio::test]
async fn what_has_ended_is_repeated_no_more() {
    let alerts = [("cart", 0, Some(30)), ("cart", 120, Some(150)), ("web", 10, Some(20))];
    let often = Terms { repeat_every: Some(Span::from_mins(7)), until: Some(at(600)), ..terms() };
    let report = replayed(past(&alerts), restart("limits: []"), &often).await;
    assert_eq!((report.began, report.ended, report.actions), (3, 3, 3));
}

#[tokio::test]
async fn what_fires_already_at_the_beginning_begins_there_and_that_is_said() {
    let alerts = [
        ("gone", 0, Some(30)),
        ("long", 0, Some(240)),
        ("ends-there", 10, Some(60)),
        ("begins-there", 60, Some(90)),
        ("later", 70, Some(80)),
    ];
    let since = Terms { from: Some(at(60)), ..terms() };
    let report = replayed(past(&alerts), restart("limits: []"), &since).await;
    assert_eq!((report.began, report.actions, minutes_of(report.from)), (3, 3, 60));
    let said: Vec<&String> = report.unknown.iter().filter(|what| what.contains("--since")).collect();
    assert_eq!(said, ["what came of 1 alert that fired already at --since: each counts as begun then"]);

    let after = Terms { from: Some(at(100)), ..terms() };
    let plan = planned(past(&alerts), restart("limits: []"), restart("limits: []"), &after).await;
    assert_eq!((plan.began, plan.before, plan.same), (1, 1, 1));
}

#[tokio::test]
async fn what_nobody_repeated_for_long_fires_no_more_at_the_beginning() {
    // Webhooks as they were sent: the end of this alert was lost.
    let sent = Terms { from: Some(at(6 * 60)), repeat_every: None, ..terms() };
    let lost = [("cart", 0, None), ("web", 7 * 60, Some(8 * 60))];
    let report = replayed(past(&lost), restart("limits: []"), &sent).await;
    assert_eq!(report.began, 1, "the daemon would have let it expire after five hours");
    let soon = Terms { from: Some(at(4 * 60)), ..sent };
    assert_eq!(replayed(past(&lost), restart("limits: []"), &soon).await.began, 2);
}

#[tokio::test]
async fn what_has_no_end_fires_on_so_that_its_time_can_come() {
    let young = || policy("restart", "for: 2m", "limits: []");
    let open = || past(&[("cart", 0, None)]);
    let alone = replayed(open(), young(), &terms()).await;
    assert_eq!((alone.actions, minutes_of(alone.until)), (0, 0), "a source that has an end of its own");
    let goes_on = Terms { goes_on_until: Some(at(100_000)), ..terms() };
    let report = replayed(open(), young(), &goes_on).await;
    assert_eq!((report.actions, report.ended, minutes_of(report.until)), (1, 0, 5 * 60));
    assert!(report.unknown.iter().any(|what| what.starts_with("what came of 1 alert that fire")));
    let now = Terms { goes_on_until: Some(at(45)), ..terms() };
    assert_eq!(minutes_of(replayed(open(), young(), &now).await.until), 45, "never beyond now");
    let over = replayed(past(&[("cart", 0, Some(10))]), young(), &goes_on).await;
    assert_eq!(minutes_of(over.until), 10, "nothing fires any more");
}

fn refused(guard: &str, reason: &str) -> serde_json::Value {
    serde_json::json!({"is": "refused", "by": [{"guard": guard, "reason": reason}]})
}

fn why(all: &[Because]) -> Vec<(serde_json::Value, u64)> {
    all.iter().map(|one| (serde_json::to_value(&one.why).expect("data"), one.actions)).collect()
}

#[tokio::test]
async fn a_plan_says_that_a_ceiling_has_room_because_others_are_gone() {
    // Two an hour: the careful policy leaves the first two alone, since they are over soon.
    let alerts = [("a", 0, Some(3)), ("b", 1, Some(4)), ("c", 5, Some(50)), ("d", 6, Some(50))];
    let ceiling = "limits: [{max: 2, per: 1h, by: policy}]";
    let (old, new) = (policy("restart", "for: 1m", ceiling), policy("restart", "for: 5m", ceiling));
    let plan = planned(past(&alerts), old, new, &terms()).await;
    assert_eq!((plan.before, plan.after, plan.net, plan.added, plan.removed), (2, 2, 0, 2, 2));
    assert_eq!(why(&plan.why_added), [(refused("limits", "limitReached"), 2)]);
    assert_eq!(why(&plan.why_removed), [(refused("for", "tooYoung"), 2)]);
    let each: Vec<&Why> = plan.added_actions.iter().map(|one| &one.why).collect();
    assert!(each.iter().all(|why| matches!(why, Why::Refused { by } if by[0].reason == "limitReached")));
}

#[tokio::test]
async fn a_plan_says_that_a_policy_is_new_or_not_for_the_alert_any_more() {
    let alerts = [("a", 0, Some(30)), ("b", 1, None)];
    let other = policy("another", "for: 1m", "limits: []");
    let plan = planned(past(&alerts), restart("limits: []"), other.clone(), &terms()).await;
    assert_eq!(why(&plan.why_removed), [(serde_json::json!({"is": "noPolicy"}), 2)]);
    assert_eq!((plan.removed, plan.net), (2, plan.added.cast_signed() - 2));

    let mut narrow = restart("limits: []");
    narrow.files[0].text = narrow.files[0].text.replace("Errors\"'", "Errors\"', 'deployment=\"a\"'");
    let plan = planned(past(&alerts), restart("limits: []"), narrow, &terms()).await;
    assert_eq!(why(&plan.why_removed), [(serde_json::json!({"is": "notMatched"}), 1)]);
    assert_eq!(plan.net, -1);
}

#[tokio::test]
async fn a_plan_says_why_an_action_comes_later_or_earlier() {
    // Nothing is heard between an action and its counterpart: what was said then has to be remembered.
    let alerts = [("a", 0, Some(50)), ("b", 60, Some(90))];
    let (soon, late) =
        (policy("restart", "for: 1m", "limits: []"), policy("restart", "for: 5m", "limits: []"));
    let later = planned(past(&alerts), soon.clone(), late.clone(), &terms()).await;
    assert_eq!((later.same, later.retimed, later.added, later.removed), (0, 2, 0, 0));
    assert_eq!(why(&later.why_later), [(refused("for", "tooYoung"), 2)]);
    assert_eq!(later.why_earlier, []);
    let first = &later.retimed_actions[0];
    assert_eq!((minutes_of(first.before), minutes_of(first.action.at), first.is_earlier()), (1, 5, false));

    let earlier = planned(past(&alerts), late, soon, &terms()).await;
    assert_eq!(
        (why(&earlier.why_earlier), earlier.why_later),
        (vec![(refused("for", "tooYoung"), 2)], vec![])
    );
    assert!(earlier.retimed_actions.iter().all(Retimed::is_earlier));
}

#[tokio::test]
async fn an_action_that_comes_later_says_what_refused_it_at_the_old_time_and_not_what_did_since() {
    // One an hour: at two minutes the ceiling refuses the second, and for an hour. What is heard in between is of others.
    let ceiling = "limits: [{max: 1, per: 1h, by: policy}]";
    let (old, new) = (policy("restart", "for: 1m", "limits: []"), policy("restart", "for: 1m", ceiling));
    let alerts = [("a", 0, Some(200)), ("b", 1, Some(200)), ("x", 30, Some(31)), ("y", 100, Some(101))];
    let plan = planned(past(&alerts), old, new, &terms()).await;
    assert_eq!((plan.same, plan.retimed), (1, 1), "{plan:?}");
    assert_eq!(why(&plan.why_later), [(refused("limits", "limitReached"), 1)]);
}

#[tokio::test]
async fn an_alert_that_fires_at_the_end_says_why_too() {
    // Nothing is over: the case is still open when the plan is made.
    let plan = planned(
        past(&[("a", 0, None), ("b", 1, None)]),
        restart("limits: []"),
        policy("restart", "for: 1h", "limits: []"),
        &terms(),
    )
    .await;
    assert_eq!(why(&plan.why_removed), [(refused("for", "tooYoung"), 2)]);
}

#[tokio::test]
async fn a_moment_of_a_thousand_years_ago_does_not_hide_the_days_that_count() {
    let long_ago = -1_000 * 365 * 1440;
    let alerts = [("old", long_ago, Some(long_ago + 10)), ("cart", 10, Some(20))];
    let report = replayed(past(&alerts), restart("limits: []"), &terms()).await;
    let last = report.days.last().expect("days are drawn");
    assert_eq!((report.days.len(), last.began), (3_660, 1));
    assert!(report.unknown.iter().any(|what| what.contains("only the last ten years")));
}

/// The same with this in place of the restart.
fn doing(steps: &str, change: impl Fn(&mut Settings)) -> Source {
    let mut source = restart("limits: []");
    for file in &mut source.files {
        file.text = file.text.replace("ladder: [{restart: {}, verify: {rollout: complete}}]", steps);
    }
    change(&mut source.settings);
    paramedic_policies::load::book(source.clone()).expect("the policy is sound");
    source
}

fn words(edits: &[Edit]) -> Vec<String> {
    edits.iter().map(ToString::to_string).collect()
}

fn altered(plan: &Plan) -> Vec<Vec<String>> {
    assert_eq!(plan.altered_actions.len() as u64, plan.altered);
    plan.altered_actions.iter().map(|one| words(&one.edits)).collect()
}

fn two() -> Written {
    past(&[("cart", 0, Some(10)), ("web", 20, Some(30))])
}

/// The policies are the same to the letter: what is compared is what their templates come to.
#[tokio::test]
async fn a_value_that_only_the_configuration_changes_alters_the_action() {
    let job = r#"ladder: [{runJob: {template: {image: "{{ vars.image }}"}, parameters: {FOR: "{{ labels.deployment }}"}}}]"#;
    let with =
        |image: &str| doing(job, |settings| _ = settings.vars.insert("image".to_owned(), image.to_owned()));
    let plan = planned(two(), with("jobs:1"), with("jobs:2"), &terms()).await;
    assert_eq!((plan.same, plan.altered, plan.added, plan.rewritten.len()), (0, 2, 0, 0));
    assert_eq!(altered(&plan), vec![["runJob.template.image: jobs:1 -> jobs:2"]; 2]);
    assert_eq!(words(&plan.settings), ["vars.image: jobs:1 -> jobs:2"]);

    let plan = planned(two(), with("jobs:1"), with("jobs:1"), &terms()).await;
    assert_eq!((plan.same, plan.altered, plan.settings.len()), (2, 0, 0));
}

#[tokio::test]
async fn a_call_to_another_host_is_another_action() {
    let call = "ladder: [{http: {endpoint: queues, path: /drain}}]";
    let with = |url: &str| {
        let endpoint = serde_json::json!({"url": url});
        doing(call, |settings| {
            let endpoint = serde_json::from_value(endpoint.clone()).expect("an endpoint");
            settings.endpoints.insert("queues".to_owned(), endpoint);
        })
    };
    let plan = planned(two(), with("https://a.example"), with("https://b.example"), &terms()).await;
    assert_eq!(altered(&plan), vec![["endpoint.url: https://a.example -> https://b.example"]; 2]);
}

/// A dry run ends a sequence after its first action, and life goes on with the next.
#[tokio::test]
async fn what_follows_in_a_sequence_belongs_to_its_first_action() {
    let then = |step: &str| {
        let restart = "{restart: {}, verify: {rollout: complete}}";
        doing(&format!("sequence: [{restart}, {{{step}, verify: {{rollout: complete}}}}]"), |_| {})
    };
    let plan = planned(two(), then("scale: {to: 6}"), then("scale: {to: 5}"), &terms()).await;
    assert_eq!(altered(&plan), vec![["then[0].scale.to: 6 -> 5"]; 2]);
    let held = then("scale: {to: 6}, mode: dry-run");
    let plan = planned(two(), held, then("scale: {to: 6}"), &terms()).await;
    assert_eq!(altered(&plan), vec![["then[0].mode: dry-run -> -", "modeAfter: dry-run -> enforce"]; 2]);
}

/// What an approval held back in a storm happens by itself now: so does what no storm holds back any more.
#[tokio::test]
async fn a_storm_that_asks_nobody_raises_the_mode() {
    let with = |in_storm: &str, alerts_per_minute: u32| {
        let mut source = restart(&format!("limits: [], inStorm: {in_storm}"));
        source.settings.guards.storm.alerts_per_minute = alerts_per_minute;
        source
    };
    let at_once = || past(&[("a", 0, Some(30)), ("b", 0, Some(30)), ("c", 0, Some(30)), ("d", 0, Some(30))]);
    let plan = planned(at_once(), with("approve", 2), with("act", 2), &terms()).await;
    assert!(plan.after == 4 && plan.altered >= 2, "{plan:?}");
    assert!(altered(&plan).iter().all(|edits| edits == &["mode: approve -> enforce"]), "{plan:?}");
    let calmer = planned(at_once(), with("approve", 2), with("approve", 100), &terms()).await;
    assert_eq!(altered(&calmer), altered(&plan));
    let stricter = planned(at_once(), with("act", 2), with("approve", 2), &terms()).await;
    assert_eq!((stricter.altered, stricter.rewritten.len()), (0, 1));
}

#[tokio::test]
async fn how_long_a_change_lasts_belongs_to_it() {
    let patch = |lasts: &str| {
        let memory = "resources: {container: app, limits: {memory: {times: 1.5, max: 16Gi}}}";
        doing(&format!("ladder: [{{patch: {{{memory}{lasts}}}, verify: {{rollout: complete}}}}]"), |_| {})
    };
    let plan = planned(two(), patch(", for: 1h"), patch(", for: 2h"), &terms()).await;
    assert_eq!(altered(&plan), vec![["revert.after: 1h -> 2h"]; 2]);
    let plan = planned(two(), patch(", for: 1h"), patch(""), &terms()).await;
    assert_eq!(altered(&plan), vec![[r#"revert: {"after":"1h"} -> -"#]; 2]);
}

/// The first step is proposed before and after; the second happened by approval too, and now by itself.
#[tokio::test]
async fn a_later_step_that_goes_further_alters_the_first() {
    let with = |mode: &str| {
        let steps = "sequence: [{restart: {}, mode: approve, verify: {rollout: complete}}, {scale: {to: 6}}]";
        let mut source = doing(steps, |_| {});
        for file in &mut source.files {
            file.text = file.text.replace("mode: enforce", &format!("mode: {mode}"));
        }
        source
    };
    let plan = planned(two(), with("approve"), with("enforce"), &terms()).await;
    assert_eq!(altered(&plan), vec![["modeAfter: approve -> enforce"]; 2]);
    assert_eq!(planned(two(), with("enforce"), with("approve"), &terms()).await.altered, 0);
}

/// A Prometheus that answers nothing.
struct Silent;

#[async_trait]
impl Facts for Silent {
    async fn learn(&self, _ask: &paramedic_policies::question::Ask, _at: Moment) -> Learned {
        Learned::Found(paramedic_policies::answer::Found::Failed { what: "503".to_owned() })
    }
}

#[tokio::test]
async fn a_question_without_an_answer_judges_no_case() {
    let with = |is: &str| policy("asks", &format!("when: [{{query: up, is: '{is}'}}]"), "limits: []");
    let plan =
        plan(&mut two(), &Silent, (with("> 1"), with("> 0")), &terms()).await.expect("the past is read");
    let doubts = plan.doubts;
    assert_eq!((doubts.judged, doubts.unjudged, doubts.crowded, plan.after), (0, 2, 0, 0));
    assert!(plan.unknown.iter().any(|what| what.contains("they failed")), "{plan:?}");
}

/// What only rehearses takes room in the replay and none in life, so what had to make room for it may act.
#[tokio::test]
async fn what_makes_room_for_a_rehearsal_is_in_doubt() {
    let two_policies = |first: &str, second: &str, guards: &str| {
        let mut source = policy("aaa", "priority: 2", "limits: []");
        let more = policy("bbb", "priority: 1", guards).files.remove(0).text;
        let of = |text: &str, mode: &str| text.replace("mode: enforce", &format!("mode: {mode}"));
        let text = format!("{}---\n{}", of(&source.files[0].text, first), of(&more, second));
        source.files[0].text = text;
        source.settings.guards.limits = vec![paramedic_policies::policy::Limit {
            max: 1,
            per: Span::from_hours(1),
            by: paramedic_policies::policy::LimitScope::Global,
        }];
        source
    };
    let free = |first, second| two_policies(first, second, "limits: []");
    let of = |old, new| async move {
        planned(past(&[("cart", 0, Some(10))]), old, new, &terms()).await.doubts.crowded
    };
    assert_eq!(of(free("enforce", "enforce"), free("dry-run", "enforce")).await, 1, "one is put back");
    assert_eq!(of(free("enforce", "enforce"), free("approve", "enforce")).await, 1, "one asks now");
    assert_eq!(
        of(free("dry-run", "dry-run"), free("dry-run", "enforce")).await,
        1,
        "the other is switched on"
    );
    assert_eq!(of(free("dry-run", "enforce"), free("dry-run", "enforce")).await, 0, "as it was");
    assert_eq!(of(free("enforce", "enforce"), free("enforce", "dry-run")).await, 0, "it acts no more");
    let own = |first| two_policies(first, "enforce", "limits: [{max: 1, per: 1d, by: policy}]");
    let mut alone = (own("enforce"), own("dry-run"));
    (alone.0.settings.guards.limits, alone.1.settings.guards.limits) = (Vec::new(), Vec::new());
    let alerts = past(&[("cart", 0, Some(10)), ("web", 60, Some(70))]);
    let plan = planned(alerts, alone.0, alone.1, &terms()).await;
    assert!(plan.doubts.crowded <= 1, "its own ceiling is its own: {plan:?}");
}
