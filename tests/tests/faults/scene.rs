//! On what the daemon acts while things fail: circuit breakers of the test, each reset by one alert, which need no cluster.
//! And the oracle: what was answered 200 is in the journal, nothing is done twice, nothing without an earlier intent, and
//! every intent ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use paramedic_tests::metrics_service::MetricsService;
use paramedic_tests::paramedic::{Paramedic, Plan};
use paramedic_tests::seeded::Seeded;
use paramedic_tests::waiting::{eventually, seen, stays};
use serde_json::{Value, json};

/// Within this all that is awaited here has come, on a busy machine too.
pub(crate) const SOON: Duration = Duration::from_secs(90);

/// How long is looked that something does not happen, where a mistake would show at once.
pub(crate) const A_WHILE: Duration = Duration::from_secs(1);

const CONFIG: &str = "
apiVersion: paramedic.dev/v1alpha1
kind: Configuration
guards:
  confirmation: false
  settle: 0s
  limits: []
  pace: {every: 1ms, burst: 1000}
  storm: {alertsPerMinute: 10000000, targetsFiringPercent: 100, targetsKnownMin: 1000000}
";

const GUARDS: &str = "{cooldown: 0s, relapse: 0s, limits: [], concurrency: 100, inStorm: act, \
                       blastRadius: {targets: off, unavailable: off}}";

pub(crate) struct Scene {
    pub(crate) breakers: MetricsService,
    /// Names of alerts whose webhook was answered 200.
    acknowledged: Mutex<BTreeSet<String>>,
    /// How many webhooks there were.
    posted: AtomicU64,
}

impl Scene {
    pub(crate) async fn set() -> Self {
        Self {
            breakers: MetricsService::start().await,
            acknowledged: Mutex::default(),
            posted: AtomicU64::default(),
        }
    }

    /// A daemon that resets the breaker an alert names, where `when` (a list in YAML) holds. `facts` is that part of the
    /// configuration.
    pub(crate) fn plan(&self, facts: &str, when: &str) -> Plan {
        self.plan_of(facts, when, &self.reset("{{ labels.breaker }}", ""))
    }

    /// The same with another ladder.
    pub(crate) fn plan_of(&self, facts: &str, when: &str, rungs: &str) -> Plan {
        let policy = format!(
            r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {{name: reset}}
spec:
  mode: enforce
  match: ['alertname="Breaker"']
  target: {{kind: Service, namespace: shop, name: "{{{{ labels.breaker }}}}"}}
  when: {when}
  ladder: [{rungs}]
  guards: {GUARDS}
  onFailure: {{quarantineAfter: 0}}
"#
        );
        Paramedic::plan()
            .config(&format!("{CONFIG}facts: {facts}\n"))
            .policy("reset.yaml", &policy)
            .mode("enforce")
    }

    /// A rung that resets that breaker.
    pub(crate) fn reset(&self, breaker: &str, verify: &str) -> String {
        let url = self.breakers.url();
        let verify = if verify.is_empty() { String::new() } else { format!(", verify: {verify}") };
        format!(r#"{{resetBreaker: {{breaker: "{breaker}", endpoints: ["{url}"]}}{verify}}}"#)
    }

    /// Opens a breaker and posts the alert of that; gives the status of the answer.
    pub(crate) async fn opens(&self, paramedic: &Paramedic, breaker: &str) -> u16 {
        self.breakers.set_breaker(breaker, "OPEN");
        self.posts(paramedic, "Breaker", &[breaker.to_owned()], 0).await
    }

    /// Posts alerts of these names, each with an annotation of so many words that no compression shortens.
    pub(crate) async fn posts(
        &self,
        paramedic: &Paramedic,
        alertname: &str,
        names: &[String],
        noise: usize,
    ) -> u16 {
        let mut words = Seeded::new(self.posted.fetch_add(1, Ordering::SeqCst));
        let mut alert = |name: &String| {
            let summary: Vec<String> = (0..noise).map(|_| format!("{:016x}", words.bits())).collect();
            json!({
                "status": "firing",
                "labels": {"alertname": alertname, "breaker": name},
                "annotations": {"summary": summary.join(" ")},
                "startsAt": "2026-01-01T00:00:00Z",
            })
        };
        let alerts: Vec<Value> = names.iter().map(&mut alert).collect();
        let body = json!({"version": "4", "status": "firing", "alerts": alerts});
        let (status, _) = paramedic.post_webhook(&body).await;
        if status == 200 {
            let mut acknowledged = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
            acknowledged.extend(names.iter().cloned());
        }
        status
    }

    /// Waits until that breaker has been reset.
    pub(crate) async fn closes(&self, breaker: &str) {
        let what = format!("breaker {breaker} is reset");
        eventually(SOON, &what, async || {
            let state = self.breakers.breaker(breaker).unwrap_or_default();
            seen(state == "CLOSED", || state)
        })
        .await;
    }

    /// Looks for a while that nobody resets it.
    pub(crate) async fn stays_open(&self, breaker: &str, span: Duration) {
        let what = format!("breaker {breaker} is left alone");
        stays(span, &what, async || {
            let state = self.breakers.breaker(breaker).unwrap_or_default();
            seen(state == "OPEN", || state)
        })
        .await;
    }

    /// An alert is taken and acted upon.
    pub(crate) async fn acts(&self, paramedic: &Paramedic, breaker: &str) {
        assert_eq!(self.opens(paramedic, breaker).await, 200);
        self.closes(breaker).await;
    }

    /// The newest ruling of that breaker's alert, once there is one that says so.
    pub(crate) async fn ruled(&self, paramedic: &Paramedic, breaker: &str, says: &str) -> Value {
        let what = format!("a ruling on {breaker} says {says}");
        eventually(SOON, &what, async || {
            let opened = paramedic.try_records("kind=opened").await?;
            let of_breaker = |record: &&Value| record["event"]["labels"]["breaker"] == breaker;
            let Some(opened) = opened.iter().rev().find(of_breaker) else {
                return Err("its alert is not in the journal".to_owned());
            };
            let rulings = paramedic.try_records(&format!("kind=ruled&episode={}", opened["seq"])).await?;
            let found = rulings.iter().rev().find(|ruling| ruling.to_string().contains(says)).cloned();
            found.ok_or_else(|| format!("{:?}", rulings.last()))
        })
        .await
    }

    /// What must hold when a fault is over.
    pub(crate) async fn holds(&self, paramedic: &Paramedic) {
        let records = self.records_at_rest(paramedic).await;
        let mut opened = BTreeSet::new();
        let mut intents: BTreeMap<u64, Value> = BTreeMap::new();
        let mut ends: BTreeMap<u64, u64> = BTreeMap::new();
        for (expected, record) in (1..).zip(&records) {
            assert_eq!(record["seq"], expected, "a gap in the journal");
            let event = &record["event"];
            match event["kind"].as_str() {
                Some("opened") => {
                    let name = event["labels"]["breaker"].as_str().unwrap_or_default().to_owned();
                    assert!(opened.insert(name), "opened twice: {event}");
                }
                Some("intended") => {
                    intents.insert(expected, event["intent"].clone());
                }
                Some("ended") => {
                    let intent = event["intent"].as_u64().unwrap_or_default();
                    assert!(intents.contains_key(&intent), "an end before its intent: {event}");
                    *ends.entry(intent).or_default() += 1;
                }
                _ => {}
            }
        }
        let acknowledged = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let lost: Vec<&String> = acknowledged.difference(&opened).collect();
        assert!(lost.is_empty(), "answered 200 and not in the journal: {lost:?}");
        assert!(ends.values().all(|count| *count == 1), "an intent has two ends: {ends:?}");

        let mut keys: BTreeMap<String, u64> = BTreeMap::new();
        let mut resets: BTreeMap<String, usize> = BTreeMap::new();
        for reset in self.breakers.resets() {
            let key = reset.headers.get("idempotency-key").cloned().unwrap_or_default();
            let (_, seq) = key.rsplit_once('-').expect("a stamp is the journal's uuid and a sequence");
            let seq: u64 = seq.parse().expect("a sequence is a number");
            assert!(intents.contains_key(&seq), "{key} was done, and no intent of the journal says so");
            *keys.entry(key).or_default() += 1;
            let breaker = reset.path.rsplit('/').nth(1).unwrap_or_default().to_owned();
            *resets.entry(breaker).or_default() += 1;
        }
        assert!(keys.values().all(|count| *count == 1), "done twice: {keys:?}");
        assert!(resets.values().all(|count| *count == 1), "reset twice by two intents: {resets:?}");
        let (status, report) = paramedic.get("/api/v1/verify").await;
        assert_eq!(status, 200, "{report}");
        assert_eq!(report["problems"].as_array().map_or(0, Vec::len), 0, "{report}");
    }

    async fn records_at_rest(&self, paramedic: &Paramedic) -> Vec<Value> {
        eventually(SOON, "every intent has ended", async || {
            let records = paramedic.try_records("").await?;
            let of = |kind: &str| records.iter().filter(|one| one["event"]["kind"] == kind).count();
            let (intended, ended) = (of("intended"), of("ended"));
            seen(intended == ended, || format!("{intended} intents, {ended} ends")).map(|()| records)
        })
        .await
    }
}

/// Waits until `/readyz` says no, and gives what it says.
pub(crate) async fn unready(paramedic: &Paramedic) -> String {
    let url = format!("{}/readyz", paramedic.admin_url());
    eventually(SOON, "it says that it is not ready", async || {
        let answer =
            paramedic_tests::tls::http().get(&url).send().await.map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        let text = answer.text().await.map_err(|error| error.to_string())?;
        seen(status == 503, || format!("{status} {text}")).map(|()| text)
    })
    .await
}
