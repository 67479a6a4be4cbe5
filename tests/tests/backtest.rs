//! `paramedic backtest` and `plan` over a real Prometheus with a month of alerts: every number is that of a count made here,
//! by hand, without anything of paramedic's own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use paramedic_tests::history::{self, Alert, BACKLOG, ERRORS, Shape};
use paramedic_tests::paramedic::binary;
use paramedic_tests::prometheus::Prometheus;
use paramedic_tests::scratch::Scratch;
use paramedic_tests::waiting::eventually;
use serde_json::{Value, json};

/// October 2026.
const SHAPE: Shape = Shape { events: 20_000, days: 31, from: 1_790_812_800, seed: 11 };

const COOLDOWN: i64 = 4 * 86_400;
const MAX: usize = 3;
const PER: i64 = 6 * 3600;

/// One policy with a cooldown and a ceiling, one with a precondition.
fn policies(cooldown: i64) -> String {
    format!(
        r#"apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {{name: restart-web}}
spec:
  mode: enforce
  match: ['alertname="{ERRORS}"', 'severity="critical"']
  target: {{kind: Deployment, namespace: "{{{{ labels.namespace }}}}", name: "{{{{ labels.deployment }}}}"}}
  ladder: [{{restart: {{}}, verify: {{rollout: complete}}}}]
  guards:
    cooldown: {cooldown}s
    concurrency: 1000
    blastRadius: {{targets: {{max: 1000, in: cluster, per: 1s}}}}
    limits: [{{max: {MAX}, per: {PER}s, by: policy}}]
---
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {{name: more-consumers}}
spec:
  mode: approve
  match: ['alertname="{BACKLOG}"']
  target: {{kind: Deployment, namespace: "{{{{ labels.namespace }}}}", name: "{{{{ labels.deployment }}}}"}}
  when: [{{query: 'queue_depth{{queue="{{{{ labels.queue }}}}"}}', is: "> 100"}}]
  ladder: [{{scale: {{by: 1, max: 9}}, verify: {{rollout: complete}}}}]
  guards: {{cooldown: 0s, limits: [], concurrency: 1000, blastRadius: {{targets: {{max: 1000, in: cluster, per: 1s}}}}}}
"#
    )
}

/// Without guards over all policies: they are not what is counted here.
const CONFIG: &str = "apiVersion: paramedic.dev/v1alpha1
kind: Configuration
guards:
  storm: {alertsPerMinute: 100000, targetsFiringPercent: 100, targetsKnownMin: 100000}
  limits: []
  pace: {every: 1ms, burst: 100000}
";

/// What a person with a list of alerts and a pencil comes to.
#[derive(Debug, Default)]
struct ByHand {
    began: u64,
    restarts: Vec<(i64, String)>,
    scales: Vec<(i64, String)>,
    cooling: BTreeSet<usize>,
    limited: BTreeSet<usize>,
    shallow: BTreeSet<usize>,
}

fn target(alert: &Alert) -> String {
    format!("{}/deployment/{}", alert.labels["namespace"], alert.labels["deployment"])
}

fn by_hand(alerts: &[Alert], cooldown: i64) -> ByHand {
    let mut by_hand = ByHand { began: alerts.len() as u64, ..ByHand::default() };
    let mut last: BTreeMap<String, i64> = BTreeMap::new();
    let mut acted: Vec<i64> = Vec::new();
    // What waits: until when, and which alert; those that began earlier come first.
    let mut waiting: BTreeSet<(i64, usize)> = BTreeSet::new();
    for (index, alert) in alerts.iter().enumerate() {
        match alert.labels["alertname"].as_str() {
            ERRORS => {
                waiting.insert((alert.begins, index));
            }
            BACKLOG if history::is_deep(alert.begins) => by_hand.scales.push((alert.begins, target(alert))),
            BACKLOG => {
                by_hand.shallow.insert(index);
            }
            _ => {}
        }
    }
    while let Some((now, index)) = waiting.pop_first() {
        let alert = &alerts[index];
        // An alert that ends at this moment is not acted upon any more.
        if now >= alert.ends {
            continue;
        }
        let mut until = now;
        if let Some(then) = last.get(&target(alert)).filter(|then| **then + cooldown > now) {
            by_hand.cooling.insert(index);
            until = until.max(then + cooldown);
        }
        let recent: Vec<i64> = acted.iter().copied().filter(|then| then + PER > now).collect();
        if recent.len() >= MAX {
            by_hand.limited.insert(index);
            until = until.max(recent[recent.len() - MAX] + PER);
        }
        if until > now {
            waiting.insert((until, index));
            continue;
        }
        last.insert(target(alert), now);
        acted.push(now);
        by_hand.restarts.push((now, target(alert)));
    }
    by_hand
}

impl ByHand {
    fn days(&self) -> BTreeMap<i64, u64> {
        let mut days = BTreeMap::new();
        for (at, _) in self.restarts.iter().chain(&self.scales) {
            *days.entry(at.div_euclid(86_400)).or_default() += 1;
        }
        days
    }

    fn targets(&self) -> BTreeMap<&str, u64> {
        let mut targets = BTreeMap::new();
        for (_, target) in self.restarts.iter().chain(&self.scales) {
            *targets.entry(target.as_str()).or_default() += 1;
        }
        targets
    }

    /// The most within an hour, all of them and different targets.
    fn busiest(&self) -> (usize, usize) {
        let mut all: Vec<(i64, &str)> =
            self.restarts.iter().chain(&self.scales).map(|(at, target)| (*at, target.as_str())).collect();
        all.sort_unstable();
        let window = |end: usize| {
            let recent: Vec<&(i64, &str)> =
                all[..=end].iter().filter(|(at, _)| at + 3600 > all[end].0).collect();
            let targets: BTreeSet<&str> = recent.iter().map(|(_, target)| *target).collect();
            (recent.len(), targets.len())
        };
        let each: Vec<(usize, usize)> = (0..all.len()).map(window).collect();
        (each.iter().map(|one| one.0).max().unwrap_or(0), each.iter().map(|one| one.1).max().unwrap_or(0))
    }
}

struct Stage {
    prometheus: Prometheus,
    folder: Scratch,
    alerts: Vec<Alert>,
}

async fn stage() -> Option<Stage> {
    let folder = Scratch::new("history");
    let files = SHAPE.write(folder.path()).expect("the disk takes a month");
    let prometheus = Prometheus::plan().past(files).start().await?;
    folder.write("config.yaml", CONFIG);
    Some(Stage { prometheus, folder, alerts: SHAPE.alerts() })
}

impl Stage {
    fn policies(&self, name: &str, cooldown: i64) -> String {
        self.folder.write(&format!("{name}/policies.yaml"), policies(cooldown)).display().to_string()
    }

    /// Runs a command over the whole month, and gives its exit code and its data.
    fn run(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let time = |secs: i64| {
            let (day, rest) = (secs.div_euclid(86_400) - 20_727, secs.rem_euclid(86_400));
            assert_eq!(rest, 0, "the month begins and ends at midnight");
            let (month, day) = if day < 31 { (10, day + 1) } else { (11, day - 30) };
            format!("2026-{month:02}-{day:02}T00:00:00Z")
        };
        let ran = Command::new(binary())
            .args(args)
            .args(["--from", "prometheus", "--prometheus-url", &self.prometheus.url()])
            .args(["--since", &time(SHAPE.from), "--until", &time(SHAPE.until())])
            .arg("--config")
            .arg(self.folder.path().join("config.yaml"))
            .output()
            .expect("paramedic starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (ran.status.code(), text(&ran.stdout), text(&ran.stderr))
    }
}

#[track_caller]
fn json(ran: &(Option<i32>, String, String)) -> Value {
    serde_json::from_str(&ran.1).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

fn cases(refusals: &Value, reason: &str) -> u64 {
    let all = refusals.as_array().expect("a list");
    all.iter().filter(|one| one["reason"] == reason).filter_map(|one| one["cases"].as_u64()).sum()
}

/// Some seconds of samples are a past, however long the time is that was asked for; and what is before them is named.
#[tokio::test(flavor = "multi_thread")]
async fn a_prometheus_that_was_started_a_moment_ago_has_a_past() {
    let plan = Prometheus::plan().alert(ERRORS, "vector(1)", json!({"severity": "critical"}));
    let Some(prometheus) = plan.start().await else { return };
    eventually(Duration::from_secs(30), "the alert fires", async || {
        let firing = prometheus.query("ALERTS").await;
        (!firing.is_empty()).then_some(()).ok_or_else(|| "not yet".to_owned())
    })
    .await;
    let folder = Scratch::new("young");
    let policies = folder.write("policies.yaml", policies(COOLDOWN));
    for since in ["5m", "2h", "15d"] {
        let ran = Command::new(binary())
            .args(["backtest", "--from", "prometheus", "--prometheus-url", &prometheus.url(), "-o", "json"])
            .args(["--since", since, "--policies"])
            .arg(&policies)
            .output()
            .expect("paramedic starts");
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "--since {since}: {said}");
        let report: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
        assert_eq!(report["began"], 1, "--since {since}: {report}");
        assert!(report.to_string().contains("Prometheus has no sample of that time"), "{report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_number_is_that_of_a_count_by_hand() {
    let Some(stage) = stage().await else { return };
    a_backtest_counts_what_was_counted_by_hand(&stage);
    a_plan_counts_what_a_change_adds_and_removes(&stage);
}

fn a_backtest_counts_what_was_counted_by_hand(stage: &Stage) {
    let counted = by_hand(&stage.alerts, COOLDOWN);
    // A month in which nothing is refused would show nothing.
    assert!(counted.restarts.len() > 50 && counted.cooling.len() > 10 && counted.limited.len() > 10);
    assert!(counted.scales.len() > 20 && counted.shallow.len() > 20, "{counted:?}");

    let policies = stage.policies("new", COOLDOWN);
    let html = stage.folder.path().join("backtest.html");
    let page = html.display().to_string();
    let ran = stage.run(&["backtest", "--policies", &policies, "--output", "json", "--html", &page]);
    assert_eq!(ran.0, Some(0), "{}", ran.2);
    let report = json(&ran);

    assert_eq!(report["began"], counted.began);
    assert_eq!(report["ended"], counted.began);
    assert_eq!(report["matched"], matched(&stage.alerts));
    assert_eq!(report["actions"], (counted.restarts.len() + counted.scales.len()) as u64);
    let of = |name: &str| -> &Value {
        let policies = report["policies"].as_array().expect("a list");
        policies.iter().find(|one| one["policy"] == name).expect("it is told")
    };
    assert_eq!(of("restart-web")["actions"]["restart"], counted.restarts.len() as u64);
    assert_eq!(of("more-consumers")["actions"]["scale"], counted.scales.len() as u64);
    assert_eq!(cases(&of("restart-web")["refusals"], "coolingDown"), counted.cooling.len() as u64);
    assert_eq!(cases(&of("restart-web")["refusals"], "limitReached"), counted.limited.len() as u64);
    assert_eq!(cases(&of("more-consumers")["refusals"], "conditionFalse"), counted.shallow.len() as u64);
    assert_eq!(report["notKnown"], serde_json::json!([]));
    assert_eq!(report["asked"]["failed"], 0);

    let days: BTreeMap<i64, u64> = counted.days();
    for day in report["days"].as_array().expect("a list") {
        let number: i64 = day_number(day["day"].as_str().expect("a time"));
        assert_eq!(day["actions"], days.get(&number).copied().unwrap_or(0), "{day}");
    }
    assert_eq!(report["days"].as_array().map(Vec::len), Some(31));

    let targets = counted.targets();
    assert_eq!(report["targetsCount"], targets.len() as u64);
    for one in report["targets"].as_array().expect("a list") {
        let of = &one["target"];
        let name = format!(
            "{}/deployment/{}",
            of["namespace"].as_str().unwrap_or(""),
            of["name"].as_str().unwrap_or("")
        );
        assert_eq!(one["actions"], targets[name.as_str()], "{name}");
    }
    let (busiest, widest) = counted.busiest();
    assert_eq!(report["busiest"]["actions"], busiest as u64);
    assert_eq!(report["blast"]["targets"], widest as u64);
    opens_offline(&html);
}

fn matched(alerts: &[Alert]) -> u64 {
    let has_policy = |alert: &&Alert| [ERRORS, BACKLOG].contains(&alert.labels["alertname"].as_str());
    alerts.iter().filter(has_policy).count() as u64
}

/// Days since 1970 of a moment in October or November 2026.
fn day_number(text: &str) -> i64 {
    let part = |range| text.get(range).and_then(|text: &str| text.parse::<i64>().ok()).expect("a number");
    20_727 + (part(5..7) - 10) * 31 + part(8..10) - 1
}

/// The page asks for nothing: no address, no script, and a policy that would not allow any.
fn opens_offline(page: &Path) {
    let text = std::fs::read_to_string(page).expect("the page was written");
    assert!(text.contains("default-src &#39;none&#39;"), "escaped, as every value");
    for wanted in ["<svg", "restart-web", "Actions a day", "What history cannot tell"] {
        assert!(text.contains(wanted), "{wanted}");
    }
    for unwanted in ["http://", "https://", "<script", "src=", "@import", "url("] {
        assert!(!text.contains(unwanted), "{unwanted}");
    }
}

fn a_plan_counts_what_a_change_adds_and_removes(stage: &Stage) {
    let (old, new) = (stage.policies("old", COOLDOWN), stage.policies("new", 0));
    let (before, after) = (by_hand(&stage.alerts, COOLDOWN), by_hand(&stage.alerts, 0));
    let plan = ["plan", old.as_str(), new.as_str(), "--output", "json"];
    let ran = stage.run(&plan);
    assert_eq!(ran.0, Some(0), "{}", ran.2);
    let told = json(&ran);
    let all = |one: &ByHand| (one.restarts.len() + one.scales.len()) as u64;
    assert_eq!((&told["before"], &told["after"]), (&all(&before).into(), &all(&after).into()));
    let set = |one: &ByHand| -> BTreeSet<(i64, String)> {
        one.restarts.iter().chain(&one.scales).cloned().collect()
    };
    let same = set(&before).intersection(&set(&after)).count() as u64;
    assert_eq!(told["same"], same);
    let number = |name: &str| told[name].as_u64().expect("a number");
    assert_eq!(number("added") + number("retimed") + same, all(&after));
    assert_eq!(number("removed") + number("retimed") + same, all(&before));
    assert!(number("added") > 0, "{told}");

    let bound = (number("added") - 1).to_string();
    let gate = [&plan[..], &["--max-new-actions", &bound]].concat();
    let refused = stage.run(&gate);
    assert_eq!(refused.0, Some(1), "{}", refused.2);
    assert!(refused.2.contains(&format!("--max-new-actions allows {bound}")), "{}", refused.2);
    let enough = number("added").to_string();
    let gate = [&plan[..], &["--max-new-actions", &enough]].concat();
    assert_eq!(stage.run(&gate).0, Some(0));
}
