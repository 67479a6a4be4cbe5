//! Everything that comes from outside, each with the time at which the loop took it.

use serde::{Deserialize, Serialize};

use crate::action::Outcome;
use crate::alert::Alert;
use crate::answer::Answer;
use crate::book::Source;
use crate::event::{Seq, Unreadable};
use crate::notifications::Receipt;
use crate::order::Order;

/// One thing from outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// One webhook delivery.
    Alerts(Delivery),
    /// The answer to a question.
    Told(Answer),
    /// The end of an effect.
    Ended {
        /// Of which intent.
        intent: Seq,
        /// How.
        outcome: Outcome,
    },
    /// What came of a message.
    Delivered {
        /// Of which.
        notice: Seq,
        /// What.
        receipt: Receipt,
    },
    /// What an operator wants.
    Order(Order),
    /// A new book, already checked to load.
    Adopt(Box<Source>),
    /// A new book that an operator asked for, already checked to load.
    Reload {
        /// The name of the operator's token.
        by: String,
        /// The book.
        source: Box<Source>,
    },
    /// An operator asked for a book that does not load; the one in force stays.
    ReloadRefused {
        /// The name of the operator's token.
        by: String,
        /// What is wrong with it, in a line.
        why: String,
    },
    /// Leadership won or lost.
    Reign {
        /// Whether this process leads.
        leader: bool,
        /// Counts leaderships.
        epoch: u64,
    },
    /// The process has started; questions in flight are lost, intents in flight are in doubt.
    Began {
        /// Version of the program.
        version: String,
    },
    /// The wall clock moved by more than a minute against the monotonic clock, or a start before the last record.
    ClockStepped {
        /// Milliseconds, negative when backward.
        by_ms: i64,
    },
    /// The moment that [`wake`](crate::wake) named has come.
    Wake,
}

/// One webhook delivery, parsed per alert and redacted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// Who sent it: the name of the token, or `anonymous`.
    pub sender: String,
    /// Alertmanager's receiver.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub receiver: String,
    /// Alertmanager's group key.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group_key: String,
    /// `X-Correlation-Id` or the trace id, made up where none was sent.
    pub correlation: String,
    /// The alerts that could be read.
    pub alerts: Vec<Alert>,
    /// Those that could not.
    pub unreadable: Vec<Unreadable>,
    /// `truncatedAlerts`: how many Alertmanager left out.
    pub truncated: u64,
}
