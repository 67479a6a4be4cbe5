//! The load: several posters with distinct alerts, as many as get through. What is not acknowledged is sent again
//! later, as Alertmanager would; some of what is, too.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::future::join_all;
use paramedic_tests::metrics_service::MetricsService;
use paramedic_tests::paramedic::Paramedic;
use paramedic_tests::seeded::Seeded;
use paramedic_tests::tls;
use serde_json::{Value, json};

use crate::scene::{Scene, WORKLOADS};

const POSTERS: u64 = 4;

/// The largest webhook.
const BATCH: u64 = 8;

/// How many alerts are resolved by one webhook.
const RESOLVED: usize = 50;

/// How many alerts of a round lead to a restart, and to a reset: more would only wait for each other.
const ACTING: u64 = 6;

pub(crate) struct Load<'a> {
    breakers: &'a MetricsService,
    webhook: String,
    client: reqwest::Client,
    seed: u64,
    next: AtomicU64,
    shared: Mutex<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Names of alerts whose webhook was answered 200.
    acknowledged: BTreeSet<String>,
    /// Those of them that are to be resolved: nobody keeps all alerts open for ever.
    to_resolve: Vec<Value>,
    /// Webhooks that were not, and may have been taken all the same.
    unanswered: Vec<Value>,
    /// Alerts that lead to an action.
    acting: Vec<Value>,
    restarts_left: u64,
    resets_left: u64,
}

impl<'a> Load<'a> {
    pub(crate) fn new(scene: &'a Scene, webhook: String, seed: u64) -> Self {
        Self {
            breakers: &scene.breakers,
            webhook,
            client: tls::http(),
            seed,
            next: AtomicU64::new(0),
            shared: Mutex::default(),
        }
    }

    /// Posts until the kill at a random moment. Says how many alerts were acknowledged, and when the kill was.
    pub(crate) async fn run_until(
        &self,
        choices: &mut Seeded,
        longest: Duration,
        kill: impl FnOnce(),
    ) -> (usize, Duration) {
        let before = self.with(|shared| {
            (shared.restarts_left, shared.resets_left) = (ACTING, ACTING);
            shared.acknowledged.len()
        });
        let (over, begun) = (AtomicBool::new(false), Instant::now());
        let moment = choices.span(longest);
        let posters = join_all((0..POSTERS).map(|_| self.post_until(&over)));
        let killer = async {
            tokio::time::sleep(moment).await;
            kill();
            over.store(true, Ordering::SeqCst);
            begun.elapsed()
        };
        let (_, killed) = tokio::join!(posters, killer);
        (self.with(|shared| shared.acknowledged.len()) - before, killed)
    }

    /// All names that were acknowledged so far.
    pub(crate) fn acknowledged(&self) -> BTreeSet<String> {
        self.with(|shared| shared.acknowledged.clone())
    }

    /// Ends the episodes of all alerts that lead to actions, so that no new ones begin.
    pub(crate) async fn resolve_all(&self, paramedic: &Paramedic) {
        let body = ended(self.with(|shared| shared.acting.clone()));
        let (status, answer) = paramedic.post_webhook(&body).await;
        assert_eq!(status, 200, "{answer}");
    }

    async fn post_until(&self, over: &AtomicBool) {
        while !over.load(Ordering::SeqCst) {
            let webhook = self.webhook();
            let posted = self.client.post(&self.webhook).json(&webhook).send().await;
            let is_taken = match posted {
                // The whole answer: one that broke off is none.
                Ok(answer) => answer.status() == 200 && answer.bytes().await.is_ok(),
                Err(_) => false,
            };
            self.with(|shared| match is_taken {
                true => shared.acknowledge(&webhook),
                false => shared.unanswered.push(webhook),
            });
        }
    }

    /// Something new, or something again.
    fn webhook(&self) -> Value {
        let at = self.next.fetch_add(1, Ordering::SeqCst);
        let mut choices = Seeded::new(self.seed ^ at.rotate_left(32));
        if choices.below(3) == 0
            && let Some(again) = self.with(|shared| shared.unanswered.pop())
        {
            return again;
        }
        if choices.below(6) == 0 {
            let resolved = self.with(|shared| {
                let rest = shared.to_resolve.len().saturating_sub(RESOLVED);
                shared.to_resolve.split_off(rest)
            });
            if !resolved.is_empty() {
                return ended(resolved);
            }
        }
        let mut alerts: Vec<Value> = (0..1 + choices.below(BATCH))
            .map(|index| alert("Plain", &format!("{at}-{index}"), &[]))
            .collect();
        if choices.below(4) == 0 {
            alerts.extend(self.acting(at, &mut choices));
        }
        json!({"version": "4", "status": "firing", "alerts": alerts})
    }

    fn acting(&self, at: u64, choices: &mut Seeded) -> Vec<Value> {
        self.with(|shared| {
            let mut alerts = Vec::new();
            if shared.restarts_left > 0 {
                shared.restarts_left -= 1;
                let web = format!("web-{}", choices.below(WORKLOADS));
                alerts.push(alert("Restart", &format!("{at}-restart"), &[("deployment", &web)]));
            }
            if shared.resets_left > 0 {
                shared.resets_left -= 1;
                let breaker = format!("breaker-{at}");
                self.breakers.set_breaker(&breaker, "OPEN");
                alerts.push(alert("Breaker", &format!("{at}-reset"), &[("breaker", &breaker)]));
            }
            shared.acting.extend(alerts.iter().cloned());
            alerts
        })
    }

    fn with<T>(&self, what: impl FnOnce(&mut Shared) -> T) -> T {
        what(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Shared {
    fn acknowledge(&mut self, webhook: &Value) {
        let alerts = webhook["alerts"].as_array().into_iter().flatten();
        for alert in alerts.filter(|alert| alert["status"] == "firing") {
            let name = alert["labels"]["name"].as_str().unwrap_or_default().to_owned();
            let is_new = self.acknowledged.insert(name);
            if is_new && alert["labels"]["alertname"] == "Plain" {
                self.to_resolve.push(alert.clone());
            }
        }
    }
}

/// A webhook that says that these have ended.
fn ended(mut alerts: Vec<Value>) -> Value {
    for alert in &mut alerts {
        alert["status"] = json!("resolved");
        alert["endsAt"] = json!("2026-01-01T00:01:00Z");
    }
    json!({"version": "4", "status": "resolved", "alerts": alerts})
}

fn alert(alertname: &str, name: &str, labels: &[(&str, &str)]) -> Value {
    let mut all = json!({"alertname": alertname, "name": name});
    for (label, value) in labels {
        all[label] = json!(value);
    }
    json!({"status": "firing", "labels": all, "startsAt": "2026-01-01T00:00:00Z"})
}
