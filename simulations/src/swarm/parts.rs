//! What a process is put together from, each part by itself: the right ones are production's own. A planted mistake puts
//! a wrapper around one of them; nothing in production knows of that.

use std::sync::Arc;

use paramedic_policies::input::Input;
use paramedic_policies::state::State;
use paramedic_policies::time::{Moment, Span};
use paramedic_remediations::ports::cluster::Hands;
use paramedic_remediations::ports::journal::{Block, Journal, Receipt};
use paramedic_remediations::ports::metrics::Metrics;
use paramedic_remediations::ports::world::World as Outside;
use paramedic_remediations::{Release, Stuck, Ticket, WriteAhead};

use super::disk::Disk;
use super::prometheus::{FreshOnly, Prometheus};

/// The loop as a process drives it.
pub(crate) trait Engine: Send {
    /// See [`WriteAhead::feed`].
    fn feed(&mut self, now: Moment, input: &Input, ticket: Option<Ticket>);
    /// See [`WriteAhead::take_block`].
    fn take_block(&mut self) -> Option<Block>;
    /// See [`WriteAhead::take_ready`].
    fn take_ready(&mut self) -> Vec<Release>;
    /// See [`WriteAhead::committed`].
    fn committed(&mut self, receipt: &Receipt) -> Vec<Release>;
    /// The production loop itself.
    fn ahead(&self) -> &WriteAhead;

    /// See [`WriteAhead::state`].
    fn state(&self) -> &State {
        self.ahead().state()
    }

    /// See [`WriteAhead::wake`].
    fn wake(&self) -> Option<Moment> {
        self.ahead().wake()
    }

    /// See [`WriteAhead::stuck`].
    fn stuck(&self) -> Option<&Stuck> {
        self.ahead().stuck()
    }
}

impl Engine for WriteAhead {
    fn feed(&mut self, now: Moment, input: &Input, ticket: Option<Ticket>) {
        Self::feed(self, now, input, ticket);
    }

    fn take_block(&mut self) -> Option<Block> {
        Self::take_block(self)
    }

    fn take_ready(&mut self) -> Vec<Release> {
        Self::take_ready(self)
    }

    fn committed(&mut self, receipt: &Receipt) -> Vec<Release> {
        Self::committed(self, receipt)
    }

    fn ahead(&self) -> &WriteAhead {
        self
    }
}

/// The parts of a process.
#[derive(Clone, Copy)]
pub(crate) struct Parts {
    /// What becomes of the state that the journal folds to.
    pub(crate) refold: fn(State) -> State,
    /// The loop.
    pub(crate) engine: fn(WriteAhead) -> Box<dyn Engine>,
    /// The journal.
    pub(crate) journal: fn(Disk) -> Box<dyn Journal>,
    /// Hands on the cluster.
    pub(crate) hands: fn(Arc<dyn Hands>) -> Arc<dyn Hands>,
    /// How Prometheus is asked, and how old its answers may be.
    pub(crate) metrics: fn(Prometheus, Span) -> Arc<dyn Metrics>,
    /// Questions, effects and messages.
    pub(crate) outside: fn(Arc<dyn Outside>) -> Arc<dyn Outside>,
}

impl Parts {
    /// Without any mistake.
    pub(crate) fn right() -> Self {
        Self {
            refold: |state| state,
            engine: |ahead| Box::new(ahead),
            journal: |disk| Box::new(disk),
            hands: |hands| hands,
            metrics: |prometheus, max_age| Arc::new(FreshOnly { prometheus, max_age }),
            outside: |outside| outside,
        }
    }
}
