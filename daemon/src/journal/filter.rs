//! What to look for in the journal, as query parameters of the API and flags of the command line name it. All given
//! conditions must hold. Records of an intent or an episode are also found by its policy, target, namespace and alert.

use paramedic_policies::event::Seq;
use paramedic_policies::time::Moment;
use serde::{Deserialize, Serialize};

use super::term::{Dimension, Term};

/// How many records a page has when nothing is said.
pub const LIMIT_DEFAULT: usize = 100;
/// How many records a page may have: an answer is built in memory.
pub const LIMIT_MAX: usize = 10_000;

/// Conditions on records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Filter {
    /// Not before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Moment>,
    /// Before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Moment>,
    /// After this record; with `newest`, before it. A page's `next` goes here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Seq>,
    /// At most this many records, [`LIMIT_DEFAULT`] unless said, [`LIMIT_MAX`] at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Newest first.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub newest: bool,
    /// A policy's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// A namespace, of the target or of the alert.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// A target as records show it: `namespace/kind/name`, the kind in lower case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// An alert's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alert: Option<String>,
    /// The sender's fingerprint of an alert, or our own key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// An episode's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub episode: Option<Seq>,
    /// An intent's id; also finds the intent that takes it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intent: Option<Seq>,
    /// A ruling's verdict (act, hold, withhold, propose) or a verification's (helped, didNotHelp, unknown).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// How an effect ended (done, refused, failed, unknown) or a case (helped, exhausted, resolved ...).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// A kind of record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

impl Filter {
    /// How many records a page has.
    pub fn page(&self) -> usize {
        self.limit.unwrap_or(LIMIT_DEFAULT).clamp(1, LIMIT_MAX)
    }

    /// The terms that a record must have.
    pub(super) fn terms(&self) -> Vec<Term> {
        let texts = [
            (Dimension::Policy, &self.policy),
            (Dimension::Namespace, &self.namespace),
            (Dimension::Target, &self.target),
            (Dimension::Alert, &self.alert),
            (Dimension::Fingerprint, &self.fingerprint),
        ];
        let words = [
            (Dimension::Kind, &self.kind),
            (Dimension::Verdict, &self.verdict),
            (Dimension::Outcome, &self.outcome),
        ];
        let seqs = [(Dimension::Episode, self.episode), (Dimension::Intent, self.intent)];
        let mut terms = Vec::new();
        terms.extend(texts.iter().filter_map(|(of, text)| text.as_ref().map(|text| Term::text(*of, text))));
        terms.extend(words.iter().filter_map(|(of, word)| word.as_ref().map(|word| Term::word(*of, word))));
        terms.extend(seqs.iter().filter_map(|(of, seq)| seq.map(|seq| Term::seq(*of, seq))));
        terms
    }
}
