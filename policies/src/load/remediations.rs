//! Finds the one remediation of a step and lets its own file read it.

use crate::load::fields::{Fields, Walk};
use crate::load::yaml::{Position, Tree};
use crate::policy::TargetSpec;
use crate::remediation::{KEYS, Remediation};
use crate::target::Origin;

impl Walk {
    /// The one remediation of a step.
    pub(crate) fn remediation(
        &mut self,
        fields: &mut Fields<'_>,
        name: &str,
        on: Option<&TargetSpec>,
    ) -> Option<Remediation> {
        let given: Vec<(&'static str, &Tree)> =
            KEYS.iter().filter_map(|key| Some((*key, fields.get(key)?))).collect();
        match given.as_slice() {
            [(key, tree)] => {
                let remediation = Remediation::read(key, self, tree)?;
                self.fits(tree.at, &remediation, on);
                Some(remediation)
            }
            [] => {
                let empty = KEYS.iter().find_map(|key| Some((key, fields.key_at(key)?)));
                let at = empty.map_or(fields.at, |(_, at)| at);
                let hint = match empty {
                    Some((key, _)) => {
                        format!("`{key}` has no value; write `{key}: {{}}` where there is nothing to set")
                    }
                    None => format!("give one of: {}", KEYS.join(", ")),
                };
                self.error(at, format!("`{name}` says nothing to do"), hint);
                None
            }
            [_, (key, _), ..] => {
                self.error(
                    fields.at_key(key),
                    format!("`{name}` has more than one remediation"),
                    "make each its own rung, or steps of a `sequence`",
                );
                None
            }
        }
    }

    /// Warns where a remediation can never act on this kind of target.
    fn fits(&mut self, at: Position, remediation: &Remediation, on: Option<&TargetSpec>) {
        let kind = match on {
            Some(TargetSpec::Named { kind, .. }) => kind.as_str(),
            Some(TargetSpec::OwnerOf { origin: Origin::Node, .. }) => "Node",
            Some(TargetSpec::OwnerOf { .. }) => "workload",
            None => return,
        };
        if let Some(wanted) = remediation.misfit(kind) {
            let name = remediation.name();
            self.warn(
                at,
                format!("`{name}` on a {kind} will always be refused"),
                format!("give the step a `target` that is {wanted}"),
            );
        }
    }
}
