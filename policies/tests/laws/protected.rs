//! Nothing protected is ever intended: told from the records alone, by what the book in force at that moment protects
//! and by the labels that the last look before the intent found.

use std::collections::BTreeMap;

use paramedic_policies::answer::Found;
use paramedic_policies::event::{Event, Seq};
use paramedic_policies::question::Fact;
use paramedic_policies::settings::Protected;
use paramedic_policies::state::CaseId;
use paramedic_policies::time::Moment;
use proptest::prelude::*;

use crate::draft::draft;
use crate::life::{Held, Life, law};
use crate::turns::history;

/// Who looked: a case before it acts, or a revert.
type Looker = (CaseId, Option<Seq>);

/// Follows the records and judges each intent.
#[derive(Default)]
struct Oracle {
    protected: Protected,
    asked: BTreeMap<Seq, Looker>,
    /// Whether the last look found a protecting label.
    labelled: BTreeMap<Looker, String>,
    intents: u32,
}

impl Oracle {
    fn follow(&mut self, event: &Event) -> Held {
        match event {
            Event::Adopted { source, .. } => self.protected = source.settings.guards.protected.clone(),
            Event::Asked { question } => {
                let looker = match question.fact {
                    Fact::Preflight => (question.case.clone(), None),
                    Fact::Revert(intent) => (question.case.clone(), Some(intent)),
                    _ => return Ok(()),
                };
                self.asked.insert(question.id, looker);
            }
            Event::Told { answer } => {
                let (Some(looker), Found::Preflight(look)) =
                    (self.asked.get(&answer.question), &answer.found)
                else {
                    return Ok(());
                };
                let rule = look.labels.iter().find(|(name, value)| {
                    let whole = format!("{name}={value}");
                    self.protected.labels.iter().any(|rule| rule == *name || *rule == whole)
                });
                match rule {
                    Some((name, _)) => self.labelled.insert(looker.clone(), name.clone()),
                    None => self.labelled.remove(looker),
                };
            }
            Event::Intended { intent } => {
                self.intents += 1;
                for namespace in intent.namespaces() {
                    let listed = self.protected.namespaces.iter().any(|name| name == namespace);
                    prop_assert!(
                        !listed && namespace != self.protected.own_namespace,
                        "{} on {} reaches the protected namespace {namespace}",
                        intent.action,
                        intent.target
                    );
                }
                let looker = (CaseId::of(intent), intent.reverts);
                let label = self.labelled.get(&looker);
                prop_assert_eq!(
                    label,
                    None,
                    "{} on {} is protected by a label",
                    intent.action,
                    intent.target
                );
            }
            _ => {}
        }
        Ok(())
    }
}

fn judged(records: &[(Moment, Event)]) -> Result<u32, TestCaseError> {
    let mut oracle = Oracle::default();
    records.iter().try_for_each(|(_, event)| oracle.follow(event))?;
    Ok(oracle.intents)
}

#[test]
fn nothing_protected_is_ever_intended() {
    let intents = std::cell::Cell::new(0);
    law(96, ((draft(3), draft(3)), history(60)), |((first, second), turns)| {
        let mut life = Life::new(&[&first, &second])?;
        life.live(&turns.0, &mut |_| Ok(()))?;
        intents.set(intents.get() + judged(&life.records)?);
        Ok(())
    });
    assert!(intents.get() > 0, "nothing was intended at all");
}
