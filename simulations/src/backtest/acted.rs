//! An action that would have been taken, as it is held against that of another book: what it would change, and how far it may
//! go. Whatever belongs to that, but is written elsewhere (the endpoint that it calls), is taken in.

use paramedic_policies::action::{Intent, Mode};
use paramedic_policies::alert::EpisodeKey;
use paramedic_policies::remediation::Wish;
use paramedic_policies::settings::Settings;
use paramedic_policies::target::Target;
use paramedic_policies::time::Moment;
use serde::Serialize;
use serde_json::{Value, json};

use super::why::Elsewhere;

/// One action that would have been taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Acted {
    /// When.
    pub at: Moment,
    /// By which policy.
    pub policy: String,
    /// What.
    pub remediation: &'static str,
    /// On what.
    pub target: Target,
    /// For which alert.
    pub alert: String,
    /// That alert's identity.
    #[serde(skip)]
    pub key: EpisodeKey,
    /// When its episode began.
    #[serde(skip)]
    pub opened_at: Moment,
    /// What the other policies have to do with it.
    #[serde(skip)]
    pub elsewhere: Elsewhere,
    /// How far it may go by its policy, in a storm where there was one.
    pub mode: Mode,
    /// The same of the step after it in its sequence that may go furthest.
    #[serde(skip)]
    pub mode_after: Mode,
    /// No policy goes further than this by the configuration, which `serve --mode` may say otherwise.
    #[serde(skip)]
    pub cap: Mode,
    /// What it would change, with every template rendered, as recorded; where it calls, and when it is taken back. What
    /// follows it in a sequence, as it is written.
    pub parameters: Value,
}

/// What an action would change, by its name, and what belongs to it: the endpoint that it calls, when it is taken back, and
/// what follows it in a sequence. `ladder` is its policy's, as it is written.
pub(super) fn parameters(wish: Option<&Wish>, intent: &Intent, settings: &Settings, ladder: &Value) -> Value {
    let mut parameters = match serde_json::to_value(wish).unwrap_or_default() {
        wish @ Value::Object(_) => wish,
        // One without settings is a bare word.
        _ => json!({intent.action.name(): {}}),
    };
    if let Some(Wish::Http(call)) = wish {
        parameters["endpoint"] = json!(settings.endpoints.get(&call.endpoint));
    }
    let rung = &ladder[intent.rung];
    let sequence = rung["sequence"].as_array();
    if let Some(after) = intent.revert_after {
        parameters["revert"] = json!({"after": after});
    }
    if let Some(rest @ [_, ..]) = sequence.and_then(|steps| steps.get(intent.step + 1..)) {
        parameters["then"] = json!(rest);
    }
    parameters
}
