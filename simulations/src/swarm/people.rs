//! Operators: they look now and then, approve, deny, let proposals lapse, accept a clock, end pauses. They see what the
//! API shows them.

use std::collections::BTreeSet;

use paramedic_policies::event::Seq;
use paramedic_policies::order::{Command, PauseScope};
use paramedic_policies::state::State;

use super::dice::Dice;
use super::plan;

/// The operators of a run.
#[derive(Debug)]
pub(crate) struct People {
    manners: plan::Operators,
    dice: Dice,
    /// Proposals that somebody has decided about, be it to do nothing.
    seen: BTreeSet<Seq>,
    is_calm: bool,
}

impl People {
    /// Operators of these manners.
    pub(crate) fn new(manners: plan::Operators, dice: Dice) -> Self {
        Self { manners, dice, seen: BTreeSet::new(), is_calm: false }
    }

    /// From now on they set right what they left.
    pub(crate) fn calm(&mut self) {
        self.is_calm = true;
    }

    /// An order was not answered: it is given again when somebody looks.
    pub(crate) fn unanswered(&mut self, command: &Command) {
        if let Command::Approve { proposal, .. } | Command::Deny { proposal, .. } = command {
            self.seen.remove(proposal);
        }
    }

    /// What they order when they look.
    pub(crate) fn look(&mut self, shown: &State) -> Vec<Command> {
        let mut orders = Vec::new();
        for proposal in shown.proposals.keys() {
            if !self.seen.insert(*proposal) {
                continue;
            }
            let comment = "seen".to_owned();
            if self.dice.percent(self.manners.approve) {
                orders.push(Command::Approve { proposal: *proposal, comment });
            } else if self.dice.percent(self.manners.deny) {
                orders.push(Command::Deny { proposal: *proposal, comment });
            }
        }
        if shown.clock_stepped.is_some() && (self.is_calm || self.dice.percent(40)) {
            orders.push(Command::AcceptClock);
        }
        let ends = |dice: &mut Dice, calm: bool| calm || dice.percent(15);
        for scope in shown.pauses.keys() {
            if ends(&mut self.dice, self.is_calm) {
                orders.push(Command::Resume { scope: scope.clone() });
            }
        }
        let quarantined = shown.efficacy.iter().filter(|(_, one)| one.quarantined_since.is_some());
        for (policy, _) in quarantined {
            if self.dice.percent(10) {
                orders.push(Command::Resume { scope: PauseScope::Policy(policy.clone()) });
            }
        }
        orders
    }
}
