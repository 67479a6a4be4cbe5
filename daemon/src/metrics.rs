//! What `/metrics` shows: names begin with `paramedic_`, labels come from closed sets or from the policies in force,
//! never from alerts. It must never hold a label that a sender chooses.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use paramedic_policies::event::{Closing, Event, Seq, Unreadable, Verdict};
use paramedic_policies::state::{CaseId, State};
use paramedic_policies::time::Moment;
use paramedic_remediations::ports::journal::Block;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::driver::{JournalStanding, Standing};

macro_rules! labels {
    ($name:ident: $($field:ident),+) => {
        #[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
        struct $name { $($field: String),+ }
    };
}

labels!(Code: code);
labels!(What: what);
labels!(PolicyVerdict: policy, verdict);
labels!(PolicyReason: policy, reason);
labels!(PolicyAction: policy, action, mode);
labels!(OutcomeOf: outcome);
labels!(BookDigest: digest);
labels!(PolicyName: policy);
labels!(PeerName: peer);

/// All metrics of the daemon.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    webhooks: Family<Code, Counter>,
    api_requests: Family<Code, Counter>,
    alerts: Family<What, Counter>,
    rulings: Family<PolicyVerdict, Counter>,
    refusals: Family<PolicyReason, Counter>,
    reverts_held: Family<PolicyReason, Counter>,
    intents: Family<PolicyAction, Counter>,
    outcomes: Family<OutcomeOf, Counter>,
    verifications: Family<What, Counter>,
    deliveries: Family<What, Counter>,
    escalations: Counter,
    quarantines: Family<PolicyName, Counter>,
    runs: Family<PolicyName, Counter>,
    questions: Family<What, Counter>,
    records: Family<What, Counter>,
    append_seconds: Histogram,
    block_records: Histogram,
    journal_failures: Counter,
    engine_stuck: Counter,
    checkpoints: Counter,
    inbox_depth: Gauge,
    standing: Family<What, Gauge>,
    book: Family<BookDigest, Gauge>,
    reloads: Family<What, Counter>,
    reload_broken: Gauge,
    not_in_force: Gauge,
    peer_up: Family<PeerName, Gauge>,
    peer_answered_seconds: Family<PeerName, Gauge<f64, AtomicU64>>,
    ready: Gauge,
    journal_open: Gauge,
    first_deadline_seconds: Gauge<f64, AtomicU64>,
    last_record_seconds: Gauge<f64, AtomicU64>,
}

/// Others whose answers it acts by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// Who answers PromQL.
    Prometheus,
    /// The API server.
    Kubernetes,
}

impl Peer {
    fn label(self) -> PeerName {
        let peer = match self {
            Self::Prometheus => "prometheus",
            Self::Kubernetes => "kubernetes",
        };
        PeerName { peer: peer.to_owned() }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new(env!("CARGO_PKG_VERSION"))
    }
}

impl Metrics {
    /// All at zero.
    pub fn new(version: &str) -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("paramedic"),
            webhooks: Family::default(),
            api_requests: Family::default(),
            alerts: Family::default(),
            rulings: Family::default(),
            refusals: Family::default(),
            reverts_held: Family::default(),
            intents: Family::default(),
            outcomes: Family::default(),
            verifications: Family::default(),
            deliveries: Family::default(),
            escalations: Counter::default(),
            quarantines: Family::default(),
            runs: Family::default(),
            questions: Family::default(),
            records: Family::default(),
            // 0.1 ms to 3.3 s: below is a memory, above is a sick disk.
            append_seconds: Histogram::new(exponential_buckets(0.0001, 2.0, 16)),
            block_records: Histogram::new(exponential_buckets(1.0, 4.0, 8)),
            journal_failures: Counter::default(),
            engine_stuck: Counter::default(),
            checkpoints: Counter::default(),
            inbox_depth: Gauge::default(),
            standing: Family::default(),
            book: Family::default(),
            reloads: Family::default(),
            reload_broken: Gauge::default(),
            not_in_force: Gauge::default(),
            peer_up: Family::default(),
            peer_answered_seconds: Family::default(),
            ready: Gauge::default(),
            journal_open: Gauge::default(),
            first_deadline_seconds: Gauge::default(),
            last_record_seconds: Gauge::default(),
        };
        metrics.register(version);
        metrics
    }

    fn register(&mut self, version: &str) {
        let r = &mut self.registry;
        let info = Info::new([("version".to_owned(), version.to_owned())]);
        r.register("build", "The running program", info);
        r.register("webhooks", "Webhook deliveries by answer", self.webhooks.clone());
        r.register("api_requests", "API requests by answer", self.api_requests.clone());
        r.register(
            "alerts",
            "Alerts by what became of them: each received one is opened, repeated, closed, late, not_open, duplicate or unreadable; \
             truncated ones were left out by Alertmanager, expired ones nobody repeated",
            self.alerts.clone(),
        );
        r.register("rulings", "Decisions by policy and verdict", self.rulings.clone());
        r.register("refusals", "Refusals by policy and reason, repeated ones too", self.refusals.clone());
        let held = "Looks at what is to be taken back that ended with waiting, by policy and reason";
        r.register("reverts_held", held, self.reverts_held.clone());
        r.register("intents", "Actions decided, by policy, action and mode", self.intents.clone());
        r.register("outcomes", "How actions ended", self.outcomes.clone());
        r.register("notifications", "Messages to receivers, by what came of them", self.deliveries.clone());
        r.register("verifications", "Whether actions helped", self.verifications.clone());
        r.register("escalations", "Times a person was called", self.escalations.clone());
        r.register("runs", "Policies that operators ran by hand", self.runs.clone());
        r.register("quarantines", "Policies put into quarantine", self.quarantines.clone());
        r.register("questions", "Questions asked and answered", self.questions.clone());
        r.register("records", "Records handed to the journal, by kind", self.records.clone());
        r.register_with_unit(
            "journal_append",
            "Time until a block is durable",
            Unit::Seconds,
            self.append_seconds.clone(),
        );
        r.register("journal_block_records", "Records of a block", self.block_records.clone());
        r.register(
            "journal_failures",
            "Times the journal did not take a block",
            self.journal_failures.clone(),
        );
        r.register(
            "engine_stuck",
            "Times the engine did not come to rest, so that nothing acted",
            self.engine_stuck.clone(),
        );
        r.register("journal_checkpoints", "Partitions opened", self.checkpoints.clone());
        r.register("inbox_depth", "Letters that wait for the driver", self.inbox_depth.clone());
        r.register("standing", "Sizes and switches of the state", self.standing.clone());
        r.register("book_in_force", "1 for the digest of the book in force", self.book.clone());
        r.register("reloads", "Attempts to load policies by result", self.reloads.clone());
        r.register(
            "reload_broken",
            "1 while the policy files on disk are refused and an older book is in force",
            self.reload_broken.clone(),
        );
        r.register(
            "not_in_force",
            "What the configuration has and the daemon has not, such as what waits for a restart",
            self.not_in_force.clone(),
        );
        r.register("peer_up", "1 when the last request to this peer was answered", self.peer_up.clone());
        r.register(
            "peer_last_answer_timestamp_seconds",
            "Time of the last answer of this peer",
            self.peer_answered_seconds.clone(),
        );
        r.register("ready", "1 while webhooks are taken and decided", self.ready.clone());
        r.register(
            "journal_open",
            "1 while the journal takes records; without it nothing acts",
            self.journal_open.clone(),
        );
        r.register(
            "intent_first_deadline_timestamp_seconds",
            "When the actions under way should have begun to end; 0 while there are none",
            self.first_deadline_seconds.clone(),
        );
        r.register(
            "last_record_timestamp_seconds",
            "Time of the last durable record",
            self.last_record_seconds.clone(),
        );
    }

    /// What is judged by the present time, and must be true while nothing is recorded too: called before each
    /// [`text`](Self::text).
    pub fn stands_now(&self, standing: &Standing, now: Moment, not_in_force: usize) {
        self.ready.set(i64::from(standing.is_ready()));
        self.journal_open.set(i64::from(standing.journal == JournalStanding::Open));
        let stands_still = standing.stands_still_until.is_some_and(|until| now < until);
        self.standing.get_or_create(&what("time_stands_still")).set(i64::from(stands_still));
        self.not_in_force.set(i64::try_from(not_in_force).unwrap_or(i64::MAX));
    }

    /// The text for a scraper. The gauge of the inbox is as of now.
    pub fn text(&self, inbox_depth: usize) -> String {
        self.inbox_depth.set(i64::try_from(inbox_depth).unwrap_or(i64::MAX));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)
            .expect("writing to a string does not fail");
        text
    }

    /// A webhook was answered.
    pub fn webhook(&self, code: u16) {
        self.webhooks.get_or_create(&Code { code: code.to_string() }).inc();
    }

    /// An API request was answered.
    pub fn api_request(&self, code: u16) {
        self.api_requests.get_or_create(&Code { code: code.to_string() }).inc();
    }

    /// A block is durable.
    pub fn appended(&self, took: Duration) {
        self.append_seconds.observe(took.as_secs_f64());
    }

    /// A block was handed to the journal. Should the journal not take it, `journal_failures` says so, and what
    /// happens after the new fold is counted anew. `state` is the one after it.
    pub fn handed_over(&self, block: &Block, state: &State) {
        self.block_records.observe(block.records.len() as f64);
        for record in &block.records {
            self.records.get_or_create(&what(record.event.kind())).inc();
            self.event(&record.event);
            if let Event::Held { case, .. } = &record.event {
                self.refused_again(case, state);
            }
            if let Event::RevertHeld { intent, reason, .. } = &record.event {
                self.revert_held(*intent, reason, state);
            }
        }
    }

    /// An action is not taken back yet.
    fn revert_held(&self, intent: Seq, reason: &str, state: &State) {
        if let Some(lease) = state.leases.get(&intent).filter(|_| !reason.is_empty()) {
            let (policy, reason) = (lease.intent.policy.clone(), reason.to_owned());
            self.reverts_held.get_or_create(&PolicyReason { policy, reason }).inc();
        }
    }

    /// The same refusal again: its record is short, and the reasons are those of the case's last ruling.
    fn refused_again(&self, id: &CaseId, state: &State) {
        let last = state.cases.get(id).and_then(|case| case.last_ruling.as_ref());
        for reason in last.into_iter().flat_map(|last| &last.reasons) {
            let (policy, reason) = (id.policy.clone(), reason.clone());
            self.refusals.get_or_create(&PolicyReason { policy, reason }).inc();
        }
    }

    fn event(&self, event: &Event) {
        let alerts = |kind: &str, count: u64| {
            self.alerts.get_or_create(&what(kind)).inc_by(count);
        };
        match event {
            Event::Received { alerts: count, repeated, unreadable, truncated, ignored, .. } => {
                alerts("received", u64::from(*count));
                alerts("repeated", repeated.len() as u64);
                alerts("unreadable", u64::from(Unreadable::alerts(unreadable)));
                alerts("truncated", *truncated);
                alerts("late", u64::from(ignored.late));
                alerts("not_open", u64::from(ignored.not_open));
                alerts("duplicate", u64::from(ignored.duplicate));
            }
            Event::Opened { by_hand: None, .. } => {
                alerts("opened", 1);
            }
            Event::Closed { why: Closing::Resolved, .. } => {
                alerts("closed", 1);
            }
            Event::Closed { why: Closing::Expired, .. } => {
                alerts("expired", 1);
            }
            Event::Opened { by_hand: Some(order), .. } => {
                self.runs.get_or_create(&PolicyName { policy: order.policy.clone() }).inc();
            }
            Event::Asked { .. } => {
                self.questions.get_or_create(&what("asked")).inc();
            }
            Event::Told { .. } => {
                self.questions.get_or_create(&what("told")).inc();
            }
            Event::Ruled { ruling } => {
                let (policy, verdict) = (ruling.policy.clone(), ruling.verdict.name().to_owned());
                self.rulings.get_or_create(&PolicyVerdict { policy, verdict }).inc();
                for reason in ruling.findings.iter().filter_map(|finding| finding.reason()) {
                    let (policy, reason) = (ruling.policy.clone(), reason.name().to_owned());
                    self.refusals.get_or_create(&PolicyReason { policy, reason }).inc();
                }
            }
            Event::Intended { intent } => {
                let labels = PolicyAction {
                    policy: intent.policy.clone(),
                    action: intent.action.name().to_owned(),
                    mode: intent.mode.to_string(),
                };
                self.intents.get_or_create(&labels).inc();
            }
            Event::Ended { outcome, .. } => {
                self.outcomes.get_or_create(&OutcomeOf { outcome: outcome.name().to_owned() }).inc();
            }
            Event::Verified { verdict, .. } => {
                let name = match verdict {
                    Verdict::Helped => "helped",
                    Verdict::DidNotHelp => "did_not_help",
                    Verdict::Unknown => "unknown",
                };
                self.verifications.get_or_create(&what(name)).inc();
            }
            Event::Escalated { .. } => {
                self.escalations.inc();
            }
            Event::Delivered { receipt, .. } => {
                self.deliveries.get_or_create(&what(receipt.name())).inc();
            }
            Event::Quarantined { policy, .. } => {
                self.quarantines.get_or_create(&PolicyName { policy: policy.clone() }).inc();
            }
            // Counted by kind alone, or elsewhere.
            Event::Closed { why: Closing::Over, .. }
            | Event::Held { .. }
            | Event::Looked { .. }
            | Event::Advanced { .. }
            | Event::Concluded { .. }
            | Event::Notified { .. }
            | Event::Raised { .. }
            | Event::Acknowledged { .. }
            | Event::Approved { .. }
            | Event::Denied { .. }
            | Event::Lapsed { .. }
            | Event::OrderRefused { .. }
            | Event::Cancelled { .. }
            | Event::Paused { .. }
            | Event::Resumed { .. }
            | Event::Adopted { .. }
            | Event::StormBegan { .. }
            | Event::StormGoesOn { .. }
            | Event::StormEnded
            | Event::RevertDropped { .. }
            | Event::RevertHeld { .. }
            | Event::RevertOrdered { .. }
            | Event::Reigned { .. }
            | Event::Began { .. }
            | Event::ClockStepped { .. }
            | Event::ClockAccepted { .. } => {}
        }
    }

    /// How the daemon stands now.
    pub fn stands(&self, standing: &Standing) {
        let sizes = [
            ("episodes_open", standing.episodes_open),
            ("cases", standing.cases),
            ("proposals", standing.proposals),
            ("in_flight", standing.in_flight),
            ("leases", standing.leases),
            ("pauses", standing.pauses),
            ("quarantined", standing.quarantined),
            ("policies", standing.policies),
            ("storm", usize::from(standing.storm.is_some())),
            ("leader", usize::from(standing.leader)),
            ("clock_stepped", usize::from(standing.clock_stepped_ms.is_some())),
        ];
        for (name, size) in sizes {
            self.standing.get_or_create(&what(name)).set(i64::try_from(size).unwrap_or(i64::MAX));
        }
        self.last_record_seconds.set(seconds(standing.now));
        self.first_deadline_seconds.set(standing.first_deadline.map_or(0.0, seconds));
        if let Some(digest) = standing.book {
            let digest = BookDigest { digest: digest.to_string() };
            let is_new = self.book.get(&digest).is_none();
            if is_new {
                // One book is in force: an older digest would be a second truth.
                self.book.clear();
                self.book.get_or_create(&digest).set(1);
            }
        }
    }

    /// The journal did not take a block, or did not open.
    pub fn journal_failed(&self) {
        self.journal_failures.inc();
    }

    /// The engine did not come to rest.
    pub fn stuck(&self) {
        self.engine_stuck.inc();
    }

    /// A partition was opened.
    pub fn checkpointed(&self) {
        self.checkpoints.inc();
    }

    /// Policies were loaded, or refused.
    pub fn reloaded(&self, accepted: bool) {
        self.reloads.get_or_create(&what(if accepted { "accepted" } else { "refused" })).inc();
        self.reload_broken.set(i64::from(!accepted));
    }

    /// A peer answered now, or did not.
    pub fn answered(&self, peer: Peer, answered: bool, now: Moment) {
        self.peer_up.get_or_create(&peer.label()).set(i64::from(answered));
        if answered {
            self.peer_answered_seconds.get_or_create(&peer.label()).set(seconds(now));
        }
    }
}

fn seconds(at: Moment) -> f64 {
    at.unix_ms() as f64 / 1000.0
}

fn what(what: &str) -> What {
    What { what: what.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_our_prefix() {
        let metrics = Metrics::new("1.2.3");
        metrics.webhook(200);
        metrics.stands(&Standing::default());
        let text = metrics.text(3);
        assert!(text.contains("paramedic_webhooks_total{code=\"200\"} 1"), "{text}");
        assert!(text.contains("paramedic_inbox_depth 3"), "{text}");
        assert!(text.contains("paramedic_build_info{version=\"1.2.3\"} 1"), "{text}");
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            assert!(line.starts_with("paramedic_"), "{line}");
        }
    }

    #[test]
    fn every_alert_that_was_received_is_counted_once_more_by_what_became_of_it() {
        use paramedic_policies::event::Ignored;
        let metrics = Metrics::new("1.2.3");
        let (sender, receiver, group_key, correlation) = Default::default();
        let unreadable = vec![Unreadable { index: None, problem: String::new(), count: Some(3) }];
        let ignored = Ignored { late: 4, listed: Vec::new(), not_open: 5, duplicate: 6 };
        let repeated = vec![Seq(1), Seq(2)];
        let (alerts, truncated) = (21, 9);
        metrics.event(&Event::Received {
            sender,
            receiver,
            group_key,
            correlation,
            alerts,
            repeated,
            unreadable,
            truncated,
            ignored,
        });
        metrics.event(&Event::Closed { episode: Seq(3), why: Closing::Resolved, ended_at: None });
        metrics.event(&Event::Closed { episode: Seq(4), why: Closing::Expired, ended_at: None });
        let text = metrics.text(0);
        let count = |what: &str| {
            let name = format!("paramedic_alerts_total{{what=\"{what}\"}} ");
            text.lines().find_map(|line| line.strip_prefix(&name)?.parse::<u64>().ok()).unwrap_or(0)
        };
        let became = ["opened", "repeated", "closed", "late", "not_open", "duplicate", "unreadable"];
        assert_eq!(became.map(count), [0, 2, 1, 4, 5, 6, 3], "{text}");
        assert_eq!(count("received"), became.map(count).iter().sum::<u64>());
        assert_eq!((count("truncated"), count("expired")), (9, 1));
    }

    /// The alert rules about paramedic ask for metrics that there are.
    #[test]
    fn every_metric_that_a_rule_asks_for_is_registered() {
        let metrics = Metrics::new("1.2.3");
        // What has labels is shown once it has a value.
        metrics.webhook(200);
        metrics.answered(Peer::Kubernetes, true, Moment::from_unix_ms(0));
        metrics.deliveries.get_or_create(&what("failed")).inc();
        metrics.stands(&Standing::default());
        metrics.stands_now(&Standing::default(), Moment::from_unix_ms(0), 0);
        let text = metrics.text(0);
        let rules = include_str!("../../ops/prometheus/paramedic.rules.yaml");
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let asked: std::collections::BTreeSet<&str> =
            rules.split(|c| !is_name(c)).filter(|word| word.starts_with("paramedic_")).collect();
        assert!(asked.len() > 8, "{asked:?}");
        for name in asked {
            let is_shown =
                |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
            assert!(text.lines().any(is_shown), "{name} is no metric of ours:\n{text}");
        }
        for value in ["clock_stepped", "time_stands_still"] {
            assert!(
                rules.contains(value) && text.contains(&format!("paramedic_standing{{what=\"{value}\"}}"))
            );
        }
    }
}
