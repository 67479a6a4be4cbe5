//! The loop: decide, apply, collect; hand blocks to the journal; let things leave when their block is durable.
//! It does no I/O and reads no clock, so the daemon and the simulator drive the same one.
//!
//! ```text
//!   feed(now, input) -> decide, apply (again while something is due) -> pending records
//!   take_block()     -> pending records as a block, remembered as in commit
//!   committed(receipt) -> replies, questions, sealed intents of that block
//! ```

use std::collections::VecDeque;

use paramedic_policies::action::Intent;
use paramedic_policies::book::Digest;
use paramedic_policies::engine::next_duty;
use paramedic_policies::event::{Event, Record, SCHEMA, Seq};
use paramedic_policies::input::Input;
use paramedic_policies::notifications::Notice;
use paramedic_policies::question::Question;
use paramedic_policies::state::{Duty, State};
use paramedic_policies::time::Moment;
use paramedic_policies::{apply, decide, wake};

use crate::ports::journal::{Block, Receipt};
use crate::seal::Sealed;

/// The driver's name for somebody who waits for an input to be durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// What may leave now.
#[derive(Debug, Clone, PartialEq)]
pub enum Release {
    /// Somebody's input, and all that was decided before it, is durable.
    Reply {
        /// Who waits.
        ticket: Ticket,
        /// First record that followed from the input.
        first: Seq,
        /// The sequence after its last.
        end: Seq,
        /// Why an order was refused, where it was.
        refusal: Option<String>,
    },
    /// A question to be asked.
    Ask(Question),
    /// An intent to be carried out.
    Act(Sealed<Intent>),
    /// An intent of a process that is gone, to be closed by looking.
    Close(Sealed<Intent>),
    /// A message to be delivered.
    Deliver(Sealed<Notice>),
}

/// How often the engine may be woken for one moment before it is clear that it does not come to rest.
const WAKES_MAX: usize = 1_000_000;

/// The engine broke one of its own laws: whatever it decided in that moment cannot be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the engine is stuck on {duty}, which is due since {due}: {why}")]
pub struct Stuck {
    /// What should have been done, with the ids of its records.
    pub duty: String,
    /// Since when it is due.
    pub due: Moment,
    /// Which law is broken.
    pub why: StuckWhy,
}

impl Stuck {
    /// What to do about it.
    pub const HINT: &str = "this is a mistake in paramedic: please report it with `paramedic audit export` of the last \
                            hour; meanwhile act by hand, and begin with an older program or another data directory";
}

/// Which law the engine broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StuckWhy {
    /// A wake-up that is due must change something.
    #[error("looking at it changes nothing")]
    ChangesNothing,
    /// It must come to rest.
    #[error("it does not come to rest after {WAKES_MAX} looks")]
    NoRest,
}

/// The loop's own data.
#[derive(Debug)]
pub struct WriteAhead {
    state: State,
    journal: String,
    pending: Vec<Record>,
    waiting: Vec<Waiting>,
    in_commit: VecDeque<InCommit>,
    stuck: Option<Stuck>,
}

#[derive(Debug)]
struct InCommit {
    first: Seq,
    end: Seq,
    waiting: Vec<Waiting>,
}

/// What may leave later. An intent waits unsealed: the seal is made of the receipt that it waits for.
#[derive(Debug)]
enum Waiting {
    /// An answer; it needs no record of its own.
    Reply {
        ticket: Ticket,
        first: Seq,
        end: Seq,
        refusal: Option<String>,
    },
    Ask(Question),
    Act(Intent),
    Close(Intent),
    Deliver(Notice),
}

impl WriteAhead {
    /// A loop over a state that is the fold of the journal with this uuid.
    pub fn new(state: State, journal: String) -> Self {
        let (pending, waiting, in_commit) = (Vec::new(), Vec::new(), VecDeque::new());
        Self { state, journal, pending, waiting, in_commit, stuck: None }
    }

    /// The state, including what is not durable yet.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// When to feed [`Input::Wake`].
    pub fn wake(&self) -> Option<Moment> {
        wake(&self.state)
    }

    /// Whether nothing waits for the journal: the state is the fold of durable records.
    pub fn is_settled(&self) -> bool {
        self.pending.is_empty() && self.in_commit.is_empty()
    }

    /// Why nothing is taken and nothing more leaves: whoever drives the loop must look after each input, and throw it
    /// away. A fold of the journal begins anew, without what was not durable.
    pub fn stuck(&self) -> Option<&Stuck> {
        self.stuck.as_ref()
    }

    /// Takes one input at `now`, and all that has become due by then. Somebody who holds `ticket` is answered
    /// once everything decided so far is durable.
    ///
    /// Without a book nothing is decided but the adoption of one. When the engine does not come to rest, the loop is
    /// [`stuck`](Self::stuck) and takes nothing more.
    pub fn feed(&mut self, now: Moment, input: &Input, ticket: Option<Ticket>) {
        self.feed_within(now, input, ticket, WAKES_MAX);
    }

    fn feed_within(&mut self, now: Moment, input: &Input, ticket: Option<Ticket>, wakes_max: usize) {
        if self.stuck.is_some() {
            return;
        }
        let now = now.max(self.state.now);
        let first = self.state.next;
        let refusal = self.step(now, input);
        let end = self.state.next;
        if let Some(ticket) = ticket {
            self.waiting.push(Waiting::Reply { ticket, first, end, refusal });
        }
        for _ in 0..wakes_max {
            match self.wake() {
                Some(due) if due <= now => {
                    let before = (self.state.next, self.wake());
                    self.step(now, &Input::Wake);
                    if before == (self.state.next, self.wake()) {
                        return self.stick(StuckWhy::ChangesNothing);
                    }
                }
                Some(_) | None => return,
            }
        }
        if self.wake().is_some_and(|due| due <= now) {
            self.stick(StuckWhy::NoRest);
        }
    }

    /// From now on nothing is taken and nothing leaves.
    fn stick(&mut self, why: StuckWhy) {
        if let Some((due, duty)) = next_duty(&self.state) {
            self.stuck = Some(Stuck { duty: told(duty), due, why });
        }
    }

    fn step(&mut self, now: Moment, input: &Input) -> Option<String> {
        let book = self.state.current_book();
        let events = decide(&self.state, &book, now, input);
        let mut refusal = None;
        for event in events {
            let seq = self.state.next;
            if let Event::OrderRefused { why, .. } = &event {
                refusal = Some(why.clone());
            }
            self.release_later(&event);
            apply(&mut self.state, now, &event);
            self.pending.push(Record { seq, at: now, schema: SCHEMA, event });
        }
        refusal
    }

    /// Remembers what may leave once the event is durable.
    fn release_later(&mut self, event: &Event) {
        match event {
            Event::Asked { question } => self.waiting.push(Waiting::Ask(question.clone())),
            Event::Intended { intent } => {
                self.waiting.push(Waiting::Act(Intent::clone(intent)));
            }
            Event::Notified { notice } => {
                self.waiting.push(Waiting::Deliver(Notice::clone(notice)));
            }
            Event::Began { .. } => {
                let in_doubt = self.state.in_flight.values().map(|flight| flight.intent.clone());
                self.waiting.extend(in_doubt.map(Waiting::Close));
            }
            Event::Received { .. }
            | Event::Opened { .. }
            | Event::Closed { .. }
            | Event::Told { .. }
            | Event::Ruled { .. }
            | Event::Held { .. }
            | Event::Ended { .. }
            | Event::Looked { .. }
            | Event::Verified { .. }
            | Event::Advanced { .. }
            | Event::Concluded { .. }
            | Event::Escalated { .. }
            | Event::Delivered { .. }
            | Event::Raised { .. }
            | Event::Acknowledged { .. }
            | Event::Approved { .. }
            | Event::Denied { .. }
            | Event::Lapsed { .. }
            | Event::OrderRefused { .. }
            | Event::Paused { .. }
            | Event::Resumed { .. }
            | Event::Adopted { .. }
            | Event::StormBegan { .. }
            | Event::StormGoesOn { .. }
            | Event::StormEnded
            | Event::Quarantined { .. }
            | Event::RevertDropped { .. }
            | Event::RevertHeld { .. }
            | Event::RevertOrdered { .. }
            | Event::Cancelled { .. }
            | Event::Reigned { .. }
            | Event::ClockStepped { .. }
            | Event::ClockAccepted { .. } => {}
        }
    }

    /// The records collected so far, as a block for the journal; `None` when there are none.
    pub fn take_block(&mut self) -> Option<Block> {
        if self.pending.is_empty() || self.stuck.is_some() {
            return None;
        }
        let block = Block { records: std::mem::take(&mut self.pending) };
        self.in_commit.push_back(InCommit {
            first: block.first(),
            end: block.end(),
            waiting: std::mem::take(&mut self.waiting),
        });
        Some(block)
    }

    /// What may leave without waiting for the journal: answers to inputs that recorded nothing while nothing
    /// else waits. Otherwise they wait with the block in front of them.
    pub fn take_ready(&mut self) -> Vec<Release> {
        if !self.pending.is_empty() || self.stuck.is_some() {
            return Vec::new();
        }
        if let Some(last) = self.in_commit.back_mut() {
            last.waiting.append(&mut self.waiting);
            return Vec::new();
        }
        let (mut ready, mut recorded) = (Vec::new(), Vec::new());
        for one in std::mem::take(&mut self.waiting) {
            match one {
                Waiting::Reply { ticket, first, end, refusal } => {
                    ready.push(Release::Reply { ticket, first, end, refusal });
                }
                // Without a receipt nothing that has a record leaves.
                Waiting::Ask(_) | Waiting::Act(_) | Waiting::Close(_) | Waiting::Deliver(_) => {
                    recorded.push(one)
                }
            }
        }
        self.waiting = recorded;
        ready
    }

    /// The journal has made the oldest block in commit durable: what may leave now. Here alone seals are made.
    ///
    /// # Panics
    /// When the receipt is not for that block: the journal is broken, and nothing may leave on its word.
    pub fn committed(&mut self, receipt: &Receipt) -> Vec<Release> {
        let done = self.in_commit.pop_front().expect("a receipt comes only after its block was taken");
        assert_eq!(
            (done.first, done.end),
            (receipt.first, receipt.end),
            "receipts come in the order of blocks"
        );
        let sealed = |intent: Intent| Sealed::mint(intent, &self.journal, receipt);
        let release = |one: Waiting| match one {
            Waiting::Reply { ticket, first, end, refusal } => Release::Reply { ticket, first, end, refusal },
            Waiting::Ask(question) => Release::Ask(question),
            Waiting::Act(intent) => Release::Act(sealed(intent)),
            Waiting::Close(intent) => Release::Close(sealed(intent)),
            Waiting::Deliver(notice) => Release::Deliver(Sealed::message(notice, &self.journal, receipt)),
        };
        done.waiting.into_iter().map(release).collect()
    }

    /// The digest of the book in force.
    pub fn book_digest(&self) -> Option<Digest> {
        self.state.book
    }
}

/// A duty as people find it again.
fn told(duty: &Duty) -> String {
    match duty {
        Duty::Expire(episode) => format!("the expiry of episode {episode}"),
        Duty::Calm => "the end of the storm".to_owned(),
        Duty::Revert(intent) => format!("taking back intent {intent}"),
        Duty::Page(page) => format!("the call for a person {page}"),
        Duty::Kept(id) => format!("the long wait of policy `{}` on episode {}", id.policy, id.episode),
        Duty::Case { id, .. } => format!("the case of policy `{}` on episode {}", id.policy, id.episode),
    }
}

#[cfg(test)]
mod tests {
    use paramedic_policies::state::CaseId;

    use super::*;

    fn at(secs: i64) -> Moment {
        Moment::from_unix_ms(secs * 1000)
    }

    fn leads() -> Input {
        Input::Reign { leader: true, epoch: 1 }
    }

    /// A loop whose agenda holds what no state made by the engine holds.
    fn over(duties: &[Duty]) -> WriteAhead {
        let mut state = State::new();
        state.agenda.extend(duties.iter().map(|duty| (at(10), duty.clone())));
        WriteAhead::new(state, "journal".to_owned())
    }

    #[test]
    fn a_duty_that_changes_nothing_sticks_and_nothing_leaves() {
        let id = CaseId { episode: Seq(7), policy: "restart-web".to_owned() };
        let mut ahead = over(&[Duty::Case { rank: 0, id }]);
        ahead.feed(at(9), &leads(), None);
        assert_eq!(ahead.stuck(), None, "it is not due yet");
        let block = ahead.take_block().expect("the start is recorded");
        ahead.feed(at(11), &Input::ClockStepped { by_ms: 90_000 }, Some(Ticket(1)));
        let stuck = ahead.stuck().expect("it is due").clone();
        assert_eq!((stuck.due, stuck.why), (at(10), StuckWhy::ChangesNothing));
        assert_eq!(
            stuck.to_string(),
            "the engine is stuck on the case of policy `restart-web` on episode 7, which is due since \
             1970-01-01T00:00:10.000Z: looking at it changes nothing"
        );
        let next = ahead.state().next;
        ahead.feed(at(12), &leads(), Some(Ticket(2)));
        assert_eq!(ahead.state().next, next, "nothing is taken");
        assert_eq!((ahead.take_block(), ahead.take_ready()), (None, Vec::new()));
        // What was durable before may still be said.
        let receipt = Receipt { first: block.first(), end: block.end(), root: Digest::of(b"root") };
        assert_eq!(ahead.committed(&receipt), Vec::new());
    }

    #[test]
    fn an_engine_that_does_not_come_to_rest_is_stuck() {
        let mut ahead = over(&[Duty::Calm]);
        ahead.feed_within(at(11), &leads(), None, 0);
        let stuck = ahead.stuck().expect("it is due and was not looked at");
        assert_eq!((stuck.why, stuck.duty.as_str()), (StuckWhy::NoRest, "the end of the storm"));
    }
}
