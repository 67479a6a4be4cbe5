//! What operators want, with their names: approve, deny, acknowledge, pause, resume, accept a clock, run a policy by
//! hand, cancel that, undo an action.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::action::{Action, Intent, Outcome};
use crate::address::AddressRange;
use crate::alert::Labels;
use crate::event::{Event, Seq};
use crate::target::Target;
use crate::time::Moment;

/// An operator's order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// The name of the operator's token.
    pub by: String,
    /// What.
    pub command: Command,
}

/// What an operator may order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Command {
    /// Approve a proposal; it is decided again with fresh facts.
    #[serde(rename_all = "camelCase")]
    Approve {
        /// Sequence of the ruling that proposed.
        proposal: Seq,
        /// For the record.
        comment: String,
    },
    /// Deny a proposal.
    #[serde(rename_all = "camelCase")]
    Deny {
        /// Sequence of the ruling that proposed.
        proposal: Seq,
        /// For the record.
        comment: String,
    },
    /// A person has the trouble that this page calls for.
    #[serde(rename_all = "camelCase")]
    Acknowledge {
        /// Sequence of the escalation.
        page: Seq,
        /// For the record.
        comment: String,
    },
    /// Act on nothing in this scope until then.
    #[serde(rename_all = "camelCase")]
    Pause {
        /// What.
        scope: PauseScope,
        /// Until when; without it, until resumed.
        until: Option<Moment>,
        /// For the record.
        reason: String,
    },
    /// End the pause of exactly this scope; for a policy, also its quarantine.
    #[serde(rename_all = "camelCase")]
    Resume {
        /// What.
        scope: PauseScope,
    },
    /// The wall clock is right; act again.
    AcceptClock,
    /// Start a policy by hand, without an alert.
    #[serde(rename_all = "camelCase")]
    Run {
        /// Which.
        policy: String,
        /// What its templates take.
        labels: Labels,
        /// For the record.
        reason: String,
        /// Only show what would be done, whatever the policy's mode.
        dry_run: bool,
        /// Names this request: the same again is the same run.
        key: String,
    },
    /// What was ordered by hand, and is not done yet, is not to be done.
    #[serde(rename_all = "camelCase")]
    Cancel {
        /// The episode that the order opened.
        episode: Seq,
        /// For the record.
        reason: String,
    },
    /// Take an action back now.
    #[serde(rename_all = "camelCase")]
    Undo {
        /// The intent.
        intent: Seq,
        /// Of several entries only these; none means all of it.
        only: Vec<AddressRange>,
        /// For the record.
        reason: String,
        /// What the journal tells of it; none where it tells nothing.
        past: Option<Box<Past>>,
    },
}

/// What the journal tells of an intent that the state may have forgotten.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Past {
    /// As it was recorded.
    pub intent: Intent,
    /// How it ended, where that is known.
    pub outcome: Option<Outcome>,
    /// The intent that has taken it back, where one has.
    pub taken_back: Option<Seq>,
    /// The later intent whose revert restores the value from before this one.
    pub into: Option<Seq>,
}

impl Past {
    /// From the records that are about it: first what was intended, then how that ended. What was taken back of it in part is
    /// left out of the action, so that the rest can still be undone.
    pub fn of(intent: Intent, events: impl IntoIterator<Item = Event>) -> Self {
        let id = intent.id;
        let mut past = Self { intent, outcome: None, taken_back: None, into: None };
        let mut reverts = BTreeMap::new();
        for event in events {
            match event {
                Event::Intended { intent } if intent.reverts == Some(id) => {
                    reverts.insert(intent.id, intent.action);
                }
                Event::Ended { intent, outcome } if intent == id => past.outcome = Some(outcome),
                Event::Ended { intent, outcome: Outcome::Done { .. } } => {
                    match reverts.get(&intent).map(Action::rest) {
                        Some(Some((rest, _))) => past.intent.action = rest,
                        Some(None) => past.taken_back = Some(intent),
                        // Of an intent that it led to.
                        None => {}
                    }
                }
                Event::RevertDropped { intent, into, .. } if intent == id => past.into = past.into.or(into),
                // Of the intents that it led to.
                _ => {}
            }
        }
        past
    }
}

/// Who started an episode by hand that no alert opened, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ByHand {
    /// The name of the operator's token.
    pub by: String,
    /// The policy that was asked for; no other looks at the episode, and its matchers are not asked.
    pub policy: String,
    /// For the record.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Whether nothing may be changed, whatever the policy's mode.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Names the request: the same again is the same run.
    pub key: String,
}

/// What is paused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PauseScope {
    /// Everything.
    Everything,
    /// Targets in this namespace.
    Namespace(String),
    /// This policy.
    Policy(String),
    /// This target.
    Target(Target),
}

impl std::fmt::Display for PauseScope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Everything => f.write_str("everything"),
            Self::Namespace(name) => write!(f, "namespace {name}"),
            Self::Policy(name) => write!(f, "policy {name}"),
            Self::Target(target) => write!(f, "target {target}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn intended(id: u64, reverts: Option<u64>, action: &Value) -> Event {
        let event = json!({"kind": "intended", "intent": {
            "id": id, "episode": 1, "policy": "block", "book": crate::book::Digest::default(), "rung": 0,
            "step": 0, "target": {"kind": "Deployment", "namespace": "prod", "name": "web"}, "uid": "u", "action": action,
            "mode": "enforce", "at": "2026-11-21T08:30:00Z", "deadline": "2026-11-21T08:40:00Z", "charged": true,
            "reverts": reverts, "epoch": 1,
        }});
        serde_json::from_value(event).expect("an intent as it is recorded")
    }

    fn done(intent: u64) -> Event {
        Event::Ended { intent: Seq(intent), outcome: Outcome::Done { diff: None, already: false } }
    }

    /// Of two addresses the first was let in: the second can still be.
    #[test]
    fn what_was_taken_back_in_part_can_still_be_undone() {
        let entry = |address: &str| json!({"range": address, "for": "1h", "times": 1});
        let (first, second) = (entry("203.0.113.7"), entry("203.0.113.8"));
        let terms = json!({"by": "networkPolicy", "clientAddress": "peer", "for": "1h", "private": false,
            "ipv4Bits": 32, "ipv6Bits": 64, "entries": 100, "enforced": false,
            "controller": ["ingress-nginx", "ingress-nginx-controller"]});
        let block = json!({"blockIp": {"block": {"ranges": [first, second], "terms": terms}}});
        let part = json!({"blockIp": {"unblock": {"ranges": [first], "rest": [second],
            "again": "2026-11-21T09:30:00Z", "terms": terms}}});
        let all = json!({"blockIp": {"unblock": {"ranges": [second], "terms": terms}}});
        let Event::Intended { intent } = intended(9, None, &block) else { panic!("it is one") };
        let mut events = vec![intended(12, Some(9), &part), done(9), done(12)];
        let past = Past::of(*intent.clone(), events.clone());
        assert_eq!(
            (past.taken_back, past.intent.action.to_string().as_str()),
            (None, "block 203.0.113.8 for 1h")
        );
        events.extend([intended(15, Some(9), &all), done(15)]);
        assert_eq!(Past::of(*intent, events).taken_back, Some(Seq(15)));
    }
}
