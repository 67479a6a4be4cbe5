//! What happened, as the journal keeps it. A record is an event with its sequence, its time and its schema;
//! record schemas are read for ever.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::action::{Intent, Outcome};
use crate::address::AddressRange;
use crate::alert::{EpisodeKey, Labels};
use crate::answer::Answer;
use crate::book::{Digest, Source};
use crate::notifications::{Notice, Receipt};
use crate::order::{ByHand, PauseScope};
use crate::question::Question;
use crate::ruling::Ruling;
use crate::state::CaseId;
use crate::target::Target;
use crate::time::Moment;

pub use conclusion::{Conclusion, Worth};
pub use ignored::{Ignored, Late};

mod conclusion;
mod ignored;

/// Position in the journal, from 1. Every id is one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// The one after that many more.
    pub fn plus(self, count: usize) -> Self {
        Self(self.0 + count as u64)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// The schema that this program writes.
pub const SCHEMA: u32 = 1;

/// One record of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its position.
    pub seq: Seq,
    /// When the loop took its cause.
    pub at: Moment,
    /// How to read it.
    pub schema: u32,
    /// What happened.
    pub event: Event,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[expect(clippy::large_enum_variant, reason = "few are held at a time, and a box would hide the shape")]
pub enum Event {
    /// A webhook delivery was taken; the episodes it opened follow as `Opened`.
    Received {
        /// Who sent it.
        sender: String,
        /// Alertmanager's receiver.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        receiver: String,
        /// Alertmanager's group key.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        group_key: String,
        /// Ties it to logs and effects.
        correlation: String,
        /// How many alerts it had, readable or not.
        alerts: u32,
        /// Open episodes that it repeated.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        repeated: Vec<Seq>,
        /// What could not be read of it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        unreadable: Vec<Unreadable>,
        /// How many alerts Alertmanager left out.
        #[serde(default, skip_serializing_if = "is_zero")]
        truncated: u64,
        /// What changed nothing.
        #[serde(default, skip_serializing_if = "Ignored::is_none")]
        ignored: Ignored,
    },
    /// An alert fires that was not open, or an operator runs a policy by hand. The episode's id is this record's
    /// sequence.
    Opened {
        /// Its identity.
        key: EpisodeKey,
        /// Its labels.
        labels: Labels,
        /// Its annotations, redacted.
        #[serde(default, skip_serializing_if = "Labels::is_empty")]
        annotations: Labels,
        /// Since when it fires.
        starts_at: Moment,
        /// The sender's fingerprint.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fingerprint: Option<String>,
        /// The delivery's correlation id.
        correlation: String,
        /// Who opened it, where that was no alert.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by_hand: Option<Box<ByHand>>,
    },
    /// An episode ended.
    Closed {
        /// Which.
        episode: Seq,
        /// Why.
        why: Closing,
        /// When the alert ended, by the sender's clock.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ended_at: Option<Moment>,
    },
    /// A fact is wanted.
    Asked {
        /// The question.
        question: Question,
    },
    /// A fact came, or failed to.
    Told {
        /// The answer.
        answer: Answer,
    },
    /// A policy's decision on an episode.
    Ruled {
        /// The ruling.
        ruling: Box<Ruling>,
    },
    /// As before; look again then.
    Held {
        /// Which case.
        case: CaseId,
        /// When to look again; without it, when something changes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Moment>,
    },
    /// Something is to be done. Nothing leaves before this record is durable.
    Intended {
        /// The intent; its id is this record's sequence.
        intent: Box<Intent>,
    },
    /// An effect ended.
    Ended {
        /// Of which intent.
        intent: Seq,
        /// How.
        outcome: Outcome,
    },
    /// One look of a verification that did not end it.
    Looked {
        /// Which intent.
        intent: Seq,
        /// What was seen: `true` holds, `false` does not, `null` is not known.
        holds: Option<bool>,
        /// The number, or why there is none.
        seen: String,
        /// When to look again.
        again: Moment,
    },
    /// A verification ended.
    Verified {
        /// Which intent.
        intent: Seq,
        /// Whether it helped.
        verdict: Verdict,
        /// The last number, or why there is none.
        seen: String,
    },
    /// A case goes on at another rung or step.
    Advanced {
        /// Which case.
        case: CaseId,
        /// Rung, from 0.
        rung: usize,
        /// Step, from 0.
        step: usize,
        /// Why.
        why: Advance,
        /// When to look at it; without it, at once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due: Option<Moment>,
        /// In a relapse: where the trouble came back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target: Option<Target>,
    },
    /// A case rests.
    Concluded {
        /// Which case.
        case: CaseId,
        /// How it ended.
        conclusion: Conclusion,
    },
    /// A person is called.
    Escalated {
        /// Which case, where there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        case: Option<CaseId>,
        /// Why.
        why: String,
        /// Who.
        notify: Vec<String>,
        /// What it is about, where its case may be gone by then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        about: Option<Box<About>>,
    },
    /// A message is to be delivered. It does not leave before this record is durable.
    Notified {
        /// The message; its id is this record's sequence.
        notice: Box<Notice>,
    },
    /// What came of a message.
    Delivered {
        /// Of which.
        notice: Seq,
        /// What.
        receipt: Receipt,
    },
    /// Nobody acknowledged a call in time: others are told.
    Raised {
        /// The `Escalated` record that called.
        page: Seq,
        /// Receivers.
        to: Vec<String>,
        /// Why.
        why: String,
    },
    /// A person has it.
    Acknowledged {
        /// The `Escalated` record that called.
        page: Seq,
        /// Who.
        by: String,
        /// For the record.
        comment: String,
    },
    /// An operator approved a proposal.
    Approved {
        /// The ruling that proposed.
        proposal: Seq,
        /// Who.
        by: String,
        /// For the record.
        comment: String,
    },
    /// An operator denied a proposal.
    Denied {
        /// The ruling that proposed.
        proposal: Seq,
        /// Who.
        by: String,
        /// For the record.
        comment: String,
    },
    /// A proposal was not answered in time.
    Lapsed {
        /// The ruling that proposed.
        proposal: Seq,
    },
    /// An order that could not be followed.
    OrderRefused {
        /// Who gave it.
        by: String,
        /// Why not.
        why: String,
    },
    /// A pause began.
    Paused {
        /// Of what.
        scope: PauseScope,
        /// Who.
        by: String,
        /// Until when.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Moment>,
        /// For the record.
        reason: String,
    },
    /// A pause ended.
    Resumed {
        /// Of what.
        scope: PauseScope,
        /// Who.
        by: String,
    },
    /// A book came into force.
    Adopted {
        /// Its name.
        digest: Digest,
        /// Its whole text.
        source: Box<Source>,
        /// Who asked for it, where somebody did; without, the files had changed or the process had started.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// A storm began.
    StormBegan {
        /// Why, with the numbers.
        why: String,
    },
    /// A storm goes on; look again then.
    StormGoesOn {
        /// When.
        again: Moment,
    },
    /// A storm ended.
    StormEnded,
    /// A policy's actions do not help; it acts no more until resumed.
    Quarantined {
        /// Which.
        policy: String,
        /// After how many rounds.
        rounds: u32,
    },
    /// A revert is due no more, because of this.
    RevertDropped {
        /// The intent that will not be taken back.
        intent: Seq,
        /// The later intent whose revert restores the value from before this one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        into: Option<Seq>,
        /// Why.
        why: String,
    },
    /// A revert is held; look again then.
    RevertHeld {
        /// The intent to be taken back.
        intent: Seq,
        /// When to look again.
        until: Moment,
        /// Why.
        why: String,
        /// Whether the order that asked for it is over with this.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        order_over: bool,
        /// What holds it, in one word; records did not always say it.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
        /// How often in a row it could not be taken back, or nobody could look, this time included.
        #[serde(default, skip_serializing_if = "is_zero")]
        failures: u32,
        /// Since when it is not taken back for what nobody has decided.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Moment>,
        /// The intent under way that it waits for: it is looked at again when that has ended.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        behind: Option<Seq>,
    },
    /// An operator wants an action taken back now.
    RevertOrdered {
        /// The intent to be taken back.
        intent: Seq,
        /// Who.
        by: String,
        /// For the record.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
        /// Of several entries only these; none means all of it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        only: Vec<AddressRange>,
        /// The action as it was recorded, where nothing was going to take it back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<Box<Intent>>,
    },
    /// What somebody ordered by hand, and what was not done yet, is not wanted any more.
    Cancelled {
        /// The episode that the order opened.
        episode: Seq,
        /// Who.
        by: String,
        /// For the record.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// Leadership won or lost.
    Reigned {
        /// Whether this process leads.
        leader: bool,
        /// Counts leaderships.
        epoch: u64,
    },
    /// The process started.
    Began {
        /// Version of the program.
        version: String,
    },
    /// The wall clock moved; nothing acts until an operator accepts it.
    ClockStepped {
        /// Milliseconds, negative when backward.
        by_ms: i64,
    },
    /// An operator accepted the clock.
    ClockAccepted {
        /// Who.
        by: String,
    },
}

fn is_zero<Count: Default + PartialEq>(count: &Count) -> bool {
    *count == Count::default()
}

impl Event {
    /// The case goes on at this rung and step, at once or then.
    pub(crate) fn advanced(case: &CaseId, at: (usize, usize), why: Advance, due: Option<Moment>) -> Self {
        Self::Advanced { case: case.clone(), rung: at.0, step: at.1, why, due, target: None }
    }

    /// The trouble is back on this target, and the case goes on at this rung.
    pub(crate) fn relapsed(case: &CaseId, rung: usize, target: Target) -> Self {
        let (why, target) = (Advance::Relapse, Some(target));
        Self::Advanced { case: case.clone(), rung, step: 0, why, due: None, target }
    }

    /// Its name, as in `kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Received { .. } => "received",
            Self::Opened { .. } => "opened",
            Self::Closed { .. } => "closed",
            Self::Asked { .. } => "asked",
            Self::Told { .. } => "told",
            Self::Ruled { .. } => "ruled",
            Self::Held { .. } => "held",
            Self::Intended { .. } => "intended",
            Self::Ended { .. } => "ended",
            Self::Looked { .. } => "looked",
            Self::Verified { .. } => "verified",
            Self::Advanced { .. } => "advanced",
            Self::Concluded { .. } => "concluded",
            Self::Escalated { .. } => "escalated",
            Self::Notified { .. } => "notified",
            Self::Delivered { .. } => "delivered",
            Self::Raised { .. } => "raised",
            Self::Acknowledged { .. } => "acknowledged",
            Self::Approved { .. } => "approved",
            Self::Denied { .. } => "denied",
            Self::Lapsed { .. } => "lapsed",
            Self::OrderRefused { .. } => "orderRefused",
            Self::Paused { .. } => "paused",
            Self::Resumed { .. } => "resumed",
            Self::Adopted { .. } => "adopted",
            Self::StormBegan { .. } => "stormBegan",
            Self::StormGoesOn { .. } => "stormGoesOn",
            Self::StormEnded => "stormEnded",
            Self::Quarantined { .. } => "quarantined",
            Self::RevertDropped { .. } => "revertDropped",
            Self::RevertHeld { .. } => "revertHeld",
            Self::RevertOrdered { .. } => "revertOrdered",
            Self::Cancelled { .. } => "cancelled",
            Self::Reigned { .. } => "reigned",
            Self::Began { .. } => "began",
            Self::ClockStepped { .. } => "clockStepped",
            Self::ClockAccepted { .. } => "clockAccepted",
        }
    }
}

/// What a call for a person is about whose episode may be forgotten: actions are taken back long after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct About {
    /// On what the action was done.
    pub target: Target,
    /// The labels of the alert that it was done for.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// The intent that should be taken back, and is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_taken_back: Option<Seq>,
}

/// A part of a delivery that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unreadable {
    /// Position in the batch, from 0; absent when the whole body could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// What is wrong with it.
    pub problem: String,
    /// How many alerts this stands for, where the list was cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
}

impl Unreadable {
    /// How many alerts of a delivery could not be read, those included that are not listed one by one.
    pub fn alerts<'u>(all: impl IntoIterator<Item = &'u Self>) -> u32 {
        all.into_iter().map(|one| one.count.unwrap_or(1)).fold(0, u32::saturating_add)
    }
}

/// Why an episode ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Closing {
    /// Alertmanager said so.
    Resolved,
    /// Nobody repeated it for too long.
    Expired,
    /// It was opened by hand, and its case rests.
    Over,
}

/// Whether an action helped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// The check held.
    Helped,
    /// The check was seen not to hold.
    DidNotHelp,
    /// Nobody knows: it stays where it is and calls a person.
    Unknown,
}

/// Why a case goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Advance {
    /// The step was done and held; the next step of the sequence follows.
    NextStep,
    /// The rung did not help; the next one follows.
    NextRung,
    /// The trouble came back within `relapse`; the last rung counts as no help.
    Relapse,
    /// The attempt failed without an effect and is tried again.
    Retry,
    /// What was done lasted its time, and the alert is still open.
    Again,
    /// What was decided did not begin, since something stopped it before: no attempt.
    NotBegun,
    /// The last step of a sequence that has begun was so already; it is looked whether that helps.
    Already,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_of_nothing_is_not_written() {
        let written = |truncated: u64| {
            let received = Event::Received {
                sender: "alertmanager".to_owned(),
                receiver: String::new(),
                group_key: String::new(),
                correlation: "c".to_owned(),
                alerts: 1,
                repeated: Vec::new(),
                unreadable: Vec::new(),
                truncated,
                ignored: Ignored::default(),
            };
            serde_json::to_value(received).expect("plain data").get("truncated").cloned()
        };
        assert_eq!((written(0), written(3)), (None, Some(3.into())));
    }

    #[test]
    fn a_position_is_shown_with_its_mark_to_programmers_alone() {
        assert_eq!((format!("{:?}", Seq(7)), Seq(7).to_string()), ("#7".to_owned(), "7".to_owned()));
    }
}
