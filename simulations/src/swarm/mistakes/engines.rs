//! Mistakes about what the loop is told and what it keeps: inputs that are dropped or turned round on their way in, and
//! charges that are not kept.

use paramedic_policies::input::Input;
use paramedic_policies::order::{Command, Order};
use paramedic_policies::state::State;
use paramedic_policies::time::{Moment, Span};
use paramedic_remediations::ports::journal::{Block, Receipt};
use paramedic_remediations::{Release, Ticket, WriteAhead};

use super::super::parts::Engine;
use super::super::process::JOURNAL;

/// What becomes of an input on its way in.
pub(super) trait Turns: Send {
    /// What the loop is fed instead.
    fn turn(&mut self, state: &State, input: &Input) -> Input;
}

/// A loop that is fed other inputs than came.
pub(super) struct Inputs<T> {
    ahead: WriteAhead,
    turns: T,
}

impl<T> Inputs<T> {
    pub(super) fn new(ahead: WriteAhead, turns: T) -> Self {
        Self { ahead, turns }
    }
}

impl<T: Turns> Engine for Inputs<T> {
    fn feed(&mut self, now: Moment, input: &Input, ticket: Option<Ticket>) {
        let turned = self.turns.turn(self.ahead.state(), input);
        self.ahead.feed(now, &turned, ticket);
    }

    fn take_block(&mut self) -> Option<Block> {
        self.ahead.take_block()
    }

    fn take_ready(&mut self) -> Vec<Release> {
        self.ahead.take_ready()
    }

    fn committed(&mut self, receipt: &Receipt) -> Vec<Release> {
        self.ahead.committed(receipt)
    }

    fn ahead(&self) -> &WriteAhead {
        &self.ahead
    }
}

/// Alerts are told apart by the delivery they came in.
#[derive(Default)]
pub(super) struct Duplicates(u64);

impl Turns for Duplicates {
    fn turn(&mut self, _: &State, input: &Input) -> Input {
        let mut input = input.clone();
        if let Input::Alerts(delivery) = &mut input {
            self.0 += 1;
            let number = self.0.to_string();
            for alert in &mut delivery.alerts {
                alert.labels.insert("delivery".to_owned(), number.clone());
            }
        }
        input
    }
}

/// A storm is over at once.
pub(super) struct Breathless;

impl Turns for Breathless {
    fn turn(&mut self, _: &State, input: &Input) -> Input {
        let mut input = input.clone();
        if let Input::Adopt(source) = &mut input {
            source.settings.guards.storm.calm = Span::ZERO;
        }
        input
    }
}

/// Nobody is asked.
pub(super) struct Unasked;

impl Turns for Unasked {
    fn turn(&mut self, _: &State, input: &Input) -> Input {
        let mut input = input.clone();
        if let Input::Adopt(source) = &mut input {
            for file in &mut source.files {
                file.text = file.text.replace("\"mode\": \"approve\"", "\"mode\": \"enforce\"");
            }
        }
        input
    }
}

/// No is heard as yes.
pub(super) struct Deaf;

impl Turns for Deaf {
    fn turn(&mut self, _: &State, input: &Input) -> Input {
        match input {
            Input::Order(Order { by, command: Command::Deny { proposal, comment } }) => {
                let command = Command::Approve { proposal: *proposal, comment: comment.clone() };
                Input::Order(Order { by: by.clone(), command })
            }
            other => other.clone(),
        }
    }
}

/// Pauses are not heeded.
pub(super) struct Restless;

impl Turns for Restless {
    fn turn(&mut self, _: &State, input: &Input) -> Input {
        match input {
            Input::Order(Order { command: Command::Pause { .. }, .. }) => Input::Wake,
            other => other.clone(),
        }
    }
}

/// Who has led once leads for ever.
pub(super) struct Usurping;

impl Turns for Usurping {
    fn turn(&mut self, _: &State, input: &Input) -> Input {
        match input {
            Input::Reign { leader: false, .. } => Input::Wake,
            other => other.clone(),
        }
    }
}

/// Clocks are believed.
pub(super) struct Credulous;

impl Turns for Credulous {
    fn turn(&mut self, _: &State, input: &Input) -> Input {
        match input {
            Input::ClockStepped { .. } => Input::Wake,
            other => other.clone(),
        }
    }
}

/// Every fifth delivery is emptied.
#[derive(Default)]
pub(super) struct Lossy(u64);

impl Turns for Lossy {
    fn turn(&mut self, _: &State, input: &Input) -> Input {
        let mut input = input.clone();
        if let Input::Alerts(delivery) = &mut input {
            self.0 += 1;
            if self.0.is_multiple_of(5) {
                delivery.alerts.clear();
            }
        }
        input
    }
}

/// Every third end is not told.
#[derive(Default)]
pub(super) struct Absent(u64);

impl Turns for Absent {
    fn turn(&mut self, _: &State, input: &Input) -> Input {
        if let Input::Ended { .. } = input {
            self.0 += 1;
            if self.0.is_multiple_of(3) {
                return Input::Wake;
            }
        }
        input.clone()
    }
}

/// Charges are not kept: whenever nothing is under way, the loop goes on from a state without them.
pub(super) struct Uncharged(pub(super) WriteAhead);

impl Engine for Uncharged {
    fn feed(&mut self, now: Moment, input: &Input, ticket: Option<Ticket>) {
        if self.0.is_settled() && !self.0.state().ledger.charges.is_empty() {
            let mut state = self.0.state().clone();
            state.ledger.charges.clear();
            self.0 = WriteAhead::new(state, JOURNAL.to_owned());
        }
        self.0.feed(now, input, ticket);
    }

    fn take_block(&mut self) -> Option<Block> {
        self.0.take_block()
    }

    fn take_ready(&mut self) -> Vec<Release> {
        self.0.take_ready()
    }

    fn committed(&mut self, receipt: &Receipt) -> Vec<Release> {
        self.0.committed(receipt)
    }

    fn ahead(&self) -> &WriteAhead {
        &self.0
    }
}
