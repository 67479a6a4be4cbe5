//! Reads what is done: the rungs of a ladder, the steps of a sequence.

use crate::action::Mode;
use crate::load::fields::{Fields, Walk};
use crate::load::yaml::Tree;
use crate::policy::{Rung, Step, TargetSpec, Verification};
use crate::remediation::{KEYS, Remediation};
use crate::time::Span;

/// No ladder or sequence may be longer; beyond this a person should have been called long ago.
const STEPS_MAX: usize = 32;

/// The words for modes.
pub(crate) const MODES: [(&str, Mode); 3] =
    [("dry-run", Mode::DryRun), ("approve", Mode::Approve), ("enforce", Mode::Enforce)];

/// What the policy says, for the steps under it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Under<'a> {
    pub(crate) mode: Option<Mode>,
    pub(crate) target: Option<&'a TargetSpec>,
}

impl Walk {
    /// The rungs of a policy, from `ladder:` or `sequence:`.
    pub(crate) fn rungs(&mut self, fields: &mut Fields<'_>, under: Under<'_>) -> Option<Vec<Rung>> {
        match (fields.get("ladder"), fields.get("sequence")) {
            (Some(_), Some(_)) => {
                self.error(
                    fields.at_key("sequence"),
                    "`spec` has both `ladder` and `sequence`",
                    "keep one; a rung of a ladder may hold a `sequence`",
                );
                None
            }
            (Some(ladder), None) => self.ladder(ladder, under),
            (None, Some(sequence)) => Some(vec![Rung { steps: self.sequence(sequence, under)? }]),
            (None, None) => {
                self.error(
                    fields.at,
                    "`spec` says nothing to do",
                    "add `ladder:` (until one helps) or `sequence:` (all in order)",
                );
                None
            }
        }
    }

    fn ladder(&mut self, tree: &Tree, under: Under<'_>) -> Option<Vec<Rung>> {
        let items = self.bounded(tree, "ladder")?;
        let rungs: Vec<Option<Rung>> = items
            .iter()
            .enumerate()
            .map(|(index, item)| {
                let name = format!("ladder[{index}]");
                let rung = match item.get("sequence") {
                    Some(_) => {
                        let mut fields = Fields::open(self, item, &name, "StepDocument")?;
                        let steps = fields.get("sequence").and_then(|tree| self.sequence(tree, under));
                        for key in KEYS.iter().copied().chain(STEP_KEYS) {
                            if let (Some(_), Some(at)) = (fields.get(key), fields.key_at(key)) {
                                self.error(
                                    at,
                                    format!("`{name}` has both `sequence` and `{key}`"),
                                    "what belongs to a step stands in the items of the sequence",
                                );
                            }
                        }
                        fields.close(self);
                        Rung { steps: steps? }
                    }
                    None => Rung { steps: vec![self.step(item, &name, under)?] },
                };
                if index + 1 < items.len() && rung.steps.last().is_some_and(|step| step.verify.is_none()) {
                    self.error(
                        item.at,
                        format!(
                            "`{name}` has no `verify`, so nobody would know whether to go on to the next rung"
                        ),
                        "add verify: {query: ..., is: ...}, or {rollout: complete}, or {http: ...}",
                    );
                }
                Some(rung)
            })
            .collect();
        rungs.into_iter().collect()
    }

    fn sequence(&mut self, tree: &Tree, under: Under<'_>) -> Option<Vec<Step>> {
        let items = self.bounded(tree, "sequence")?;
        let steps: Vec<Option<Step>> = items
            .iter()
            .enumerate()
            .map(|(index, item)| {
                if item.get("sequence").is_some() {
                    self.error(item.at, "a sequence cannot hold another one", "write its steps in one list");
                    return None;
                }
                self.step(item, &format!("sequence[{index}]"), under)
            })
            .collect();
        steps.into_iter().collect()
    }

    fn bounded<'t>(&mut self, tree: &'t Tree, what: &str) -> Option<&'t [Tree]> {
        let items = self.list(tree, what)?;
        if items.is_empty() || items.len() > STEPS_MAX {
            self.error(
                tree.at,
                format!("`{what}` has {} items", items.len()),
                format!("from 1 to {STEPS_MAX}"),
            );
            return None;
        }
        Some(items)
    }

    fn step(&mut self, tree: &Tree, name: &str, under: Under<'_>) -> Option<Step> {
        let mut fields = Fields::open(self, tree, name, "StepDocument")?;
        fields.get("sequence");
        let target = fields.maybe(self, "target", Self::target);
        let on = target.as_ref().and_then(Option::as_ref).or(under.target);
        let remediation = self.remediation(&mut fields, name, on);
        let mode = fields.maybe(self, "mode", |walk, tree, what| walk.choice(tree, what, &MODES));
        if let (Some(Some(mode)), Some(policy)) = (mode, under.mode)
            && mode > policy
        {
            self.error(
                fields.at_key("mode"),
                format!("`{name}` has mode {mode}, the policy {policy}"),
                "a step can only be stricter than its policy",
            );
        }
        let limits = fields.or(self, "limits", Vec::new(), Self::limits);
        let verify = fields.maybe(self, "verify", Self::verify);
        let revert_after = fields.maybe(self, "revert", |walk, tree, _| {
            let mut fields = Fields::open(walk, tree, "revert", "RevertDocument")?;
            let after =
                fields.need(walk, "after", "such as after: 1h").and_then(|tree| walk.span(tree, "after"));
            fields.close(walk);
            if after == Some(Span::ZERO) {
                walk.error(tree.at, "`after` cannot be 0s", "such as after: 1h");
                return None;
            }
            after
        });
        if let (Some(remediation), Some(Some(_))) = (&remediation, revert_after)
            && !remediation.is_revertible()
        {
            self.error(
                fields.at_key("revert"),
                format!("`{}` cannot be taken back", remediation.name()),
                "remove `revert`; the reference says which remediations can have it",
            );
        }
        if let (Some(remediation), Some(Some(_))) = (&remediation, &verify)
            && remediation.looks_only()
        {
            self.error(
                fields.at_key("verify"),
                format!("`{}` changes nothing, so there is nothing to verify", remediation.name()),
                "remove `verify`; make it the first step of a `sequence` with what comes after it",
            );
        }
        let lasts = remediation.as_ref().and_then(Remediation::lasts);
        if let (Some(Some(_)), Some(remediation)) = (revert_after, &remediation)
            && remediation.lasts_by_itself()
        {
            self.error(
                fields.at_key("revert"),
                format!("`{}` says itself how long it lasts", remediation.name()),
                "remove `revert`",
            );
        }
        let ends_after = revert_after.flatten().or(lasts);
        if let (Some(after), Some(Some(Verification { settle, hold, within, .. }))) = (ends_after, &verify)
            // What holds at the end of `within` may finish its `hold`.
            && after.ms() <= within.ms().saturating_add(hold.ms())
        {
            let told =
                if after.ms() < settle.ms().saturating_add(hold.ms()) { "before" } else { "perhaps before" };
            self.warn(
                fields.at_key("verify"),
                format!("`{name}` is taken back after {after}, {told} `verify` has told whether it helped: `settle` {settle}, `hold` {hold}, `within` {within}"),
                "let it last longer than `within` and `hold` together: what is taken back first counts as not known",
            );
        }
        fields.close(self);
        Some(Step {
            remediation: remediation?,
            target: target?,
            mode: mode?,
            limits: limits?,
            verify: verify?,
            revert_after: revert_after?.or(lasts),
        })
    }
}

/// What belongs to a step and not to a rung with a sequence, beside its remediation.
const STEP_KEYS: [&str; 5] = ["target", "mode", "limits", "verify", "revert"];
