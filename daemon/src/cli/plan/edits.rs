//! What is written otherwise, in words: by policy, and in the settings. A plan says it even where no alert of the past shows it.

use paramedic_policies::counted::counted;
use paramedic_simulations::backtest::{Edit, How, Plan};

/// Of one policy; the rest is counted.
const SHOWN: usize = 40;

/// Of one action; the rest is counted.
const SHOWN_OF_ACTION: usize = 3;

/// Whose words they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose<'a> {
    /// A policy's, by its name.
    Policy(&'a str),
    /// Those of the configuration.
    Settings,
}

/// All that is written otherwise: a line for each, with `quoted` about what comes from files.
pub(super) fn all(plan: &Plan, quoted: fn(&str) -> String) -> Vec<(Whose<'_>, Vec<String>)> {
    let lines = |edits: &[Edit]| lines(edits, SHOWN, quoted);
    let mut all: Vec<_> = plan
        .rewritten
        .iter()
        .map(|one| {
            let lines = match &one.how {
                How::New { edits } => std::iter::once("is new".to_owned()).chain(lines(edits)).collect(),
                How::Gone => vec!["is gone".to_owned()],
                How::Changed { edits } => lines(edits),
            };
            (Whose::Policy(&one.policy), lines)
        })
        .collect();
    if !plan.settings.is_empty() {
        all.push((Whose::Settings, lines(&plan.settings)));
    }
    all
}

/// `2 policies and the settings are written otherwise`; none where nothing is.
pub(super) fn sum(plan: &Plan) -> Option<String> {
    let policies = plan.rewritten.len() as u64;
    let are = |many: u64| if many == 1 { "is" } else { "are" };
    match (policies, plan.settings.is_empty()) {
        (0, true) => None,
        (0, false) => Some("the settings are written otherwise".to_owned()),
        (_, true) => Some(format!("{} {} written otherwise", policies_of(policies), are(policies))),
        (_, false) => Some(format!("{} and the settings are written otherwise", policies_of(policies))),
    }
}

fn policies_of(many: u64) -> String {
    if many == 1 { "1 policy".to_owned() } else { format!("{many} policies") }
}

fn lines(edits: &[Edit], most: usize, quoted: fn(&str) -> String) -> Vec<String> {
    let shown = edits.iter().take(most).map(|edit| quoted(&edit.to_string()));
    let more = edits.len().checked_sub(most).filter(|more| *more > 0);
    let more = more.map(|more| format!("and {} more; --output json has all", counted(more as u64, "value")));
    shown.chain(more).collect()
}

/// What an action does otherwise, on one line, with `quoted` about what comes from files.
pub(super) fn line(edits: &[Edit], quoted: fn(&str) -> String) -> String {
    lines(edits, SHOWN_OF_ACTION, quoted).join("; ")
}
