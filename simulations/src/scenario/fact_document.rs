//! How the answers of Prometheus are written in a scenario: about what, and what is said, always or over time. What these
//! types cannot say is checked in `read`.

use std::collections::BTreeMap;

use paramedic_policies::time::Span;
use schemars::JsonSchema;
use serde::Deserialize;

/// An answer of Prometheus: one of `series`, `query`, or `policy` with `place`; and its value now, or `over` time.
// serde cannot refuse unknown keys beside flattened ones: `read` holds the document against the schema first.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("additionalProperties" = false))]
pub struct FactDocument {
    /// A series as a selector with equality matchers, such as `up{job="web"}`. Selectors find it, and `sum`, `min`, `max`,
    /// `avg`, `count` and comparisons over it are computed.
    #[serde(default)]
    pub series: Option<String>,
    /// A whole expression, or a part of one, as it is asked: with the labels' values in it.
    #[serde(default)]
    pub query: Option<String>,
    /// The policy that asks.
    #[serde(default)]
    pub policy: Option<String>,
    /// Where it asks: `confirmation`, `let.NAME`, `when[0]`, `verification`.
    #[serde(default)]
    pub place: Option<String>,
    /// What is said at all times.
    #[serde(flatten)]
    pub says: SaysDocument,
    /// Answers that follow each other; the first holds before its time too.
    #[serde(default)]
    pub over: Vec<SpellDocument>,
}

/// An answer from a time on: `at`, or `ago` for before the beginning.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("additionalProperties" = false))]
pub struct SpellDocument {
    /// From when.
    #[serde(default)]
    pub at: Option<Span>,
    /// So long before the beginning.
    #[serde(default)]
    pub ago: Option<Span>,
    /// What is said from then on.
    #[serde(flatten)]
    pub says: SaysDocument,
}

/// What is said: one of `is`, `samples`, `empty`, `nan`, `fails`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SaysDocument {
    /// The value.
    #[serde(default)]
    pub is: Option<f64>,
    /// The series of the answer, where it has labels or is more than one.
    #[serde(default)]
    pub samples: Option<Vec<SampleDocument>>,
    /// No series at all.
    #[serde(default)]
    pub empty: bool,
    /// A value that is not a number.
    #[serde(default)]
    pub nan: bool,
    /// The question fails with this.
    #[serde(default)]
    pub fails: Option<String>,
    /// How long the answer takes.
    #[serde(default)]
    pub takes: Span,
}

/// One series of an answer.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SampleDocument {
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub is: f64,
}
