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
use paramedic_policies::event::{Event, Record, SCHEMA, Seq};
use paramedic_policies::input::Input;
use paramedic_policies::question::Question;
use paramedic_policies::state::State;
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
}

/// How often the engine may be woken for one moment before it is clear that it does not come to rest.
const WAKES_MAX: usize = 1_000_000;

/// The loop's own data.
#[derive(Debug)]
pub struct WriteAhead {
    state: State,
    journal: String,
    pending: Vec<Record>,
    waiting: Vec<Release>,
    in_commit: VecDeque<InCommit>,
}

#[derive(Debug)]
struct InCommit {
    first: Seq,
    end: Seq,
    releases: Vec<Release>,
}

impl WriteAhead {
    /// A loop over a state that is the fold of the journal with this uuid.
    pub fn new(state: State, journal: String) -> Self {
        Self { state, journal, pending: Vec::new(), waiting: Vec::new(), in_commit: VecDeque::new() }
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

    /// Takes one input at `now`, and all that has become due by then. Somebody who holds `ticket` is answered
    /// once everything decided so far is durable.
    ///
    /// Without a book nothing is decided but the adoption of one.
    pub fn feed(&mut self, now: Moment, input: &Input, ticket: Option<Ticket>) {
        let now = now.max(self.state.now);
        let first = self.state.next;
        let refusal = self.step(now, input);
        let end = self.state.next;
        if let Some(ticket) = ticket {
            self.waiting.push(Release::Reply { ticket, first, end, refusal });
        }
        for _ in 0..WAKES_MAX {
            match self.wake() {
                Some(due) if due <= now => {
                    let before = (self.state.next, self.wake());
                    self.step(now, &Input::Wake);
                    assert_ne!(
                        before,
                        (self.state.next, self.wake()),
                        "a wake-up that is due must change something"
                    );
                }
                Some(_) | None => return,
            }
        }
        panic!("the engine does not come to rest at {now}");
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
            Event::Asked { question } => self.waiting.push(Release::Ask(question.clone())),
            Event::Intended { intent } => {
                let sealed = self.seal(intent);
                self.waiting.push(Release::Act(sealed));
            }
            Event::Began { .. } => {
                let in_doubt: Vec<_> = self
                    .state
                    .in_flight
                    .values()
                    .map(|flight| Release::Close(self.seal(&flight.intent)))
                    .collect();
                self.waiting.extend(in_doubt);
            }
            _ => {}
        }
    }

    /// Mints a seal. What it is put on leaves this struct only through `committed`.
    fn seal(&self, intent: &Intent) -> Sealed<Intent> {
        Sealed::mint(intent.clone(), format!("{}-{}", self.journal, intent.id))
    }

    /// The records collected so far, as a block for the journal; `None` when there are none.
    pub fn take_block(&mut self) -> Option<Block> {
        if self.pending.is_empty() {
            return None;
        }
        let block = Block { records: std::mem::take(&mut self.pending) };
        self.in_commit.push_back(InCommit {
            first: block.first(),
            end: block.end(),
            releases: std::mem::take(&mut self.waiting),
        });
        Some(block)
    }

    /// What may leave without waiting for the journal: answers to inputs that recorded nothing while nothing
    /// else waits. Otherwise they wait with the block in front of them.
    pub fn take_ready(&mut self) -> Vec<Release> {
        if !self.pending.is_empty() {
            return Vec::new();
        }
        match self.in_commit.back_mut() {
            Some(last) => {
                last.releases.append(&mut self.waiting);
                Vec::new()
            }
            None => std::mem::take(&mut self.waiting),
        }
    }

    /// The journal has made the oldest block in commit durable: what may leave now.
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
        done.releases
    }

    /// The digest of the book in force.
    pub fn book_digest(&self) -> Option<Digest> {
        self.state.book
    }
}
