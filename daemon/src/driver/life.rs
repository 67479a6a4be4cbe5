//! One life of the state: from an opened journal to its failure or the order to stop.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::BoxFuture;
use paramedic_policies::action::Outcome;
use paramedic_policies::input::Input;
use paramedic_policies::time::Moment;
use paramedic_remediations::ports::journal::{JournalError, Receipt};
use paramedic_remediations::{Release, Ticket, Turn, WriteAhead};
use tokio::time::Instant;

use super::inbox::{Letter, Taken, Turned, Waiter};
use super::journals::{Committer, Opened};
use super::standing::{JournalStanding, Standing};
use super::trouble::Trouble;
use super::{Driver, EFFECTS_END_WITHIN, NewBook};

/// Letters taken before the loop looks around again.
const LETTERS_AT_ONCE: usize = 256;

/// Inputs collected for one block. Beyond it letters wait in the inbox, and beyond that senders get 503.
const INPUTS_IN_BLOCK: usize = 4096;

/// The clocks are compared at least this often.
const CLOCK_EVERY: Duration = Duration::from_secs(15);

/// How long one append may take. One takes milliseconds; a disk that is silent for this long may be so for ever, and
/// whoever waits had better know.
pub(super) const APPENDS_WITHIN: Duration = Duration::from_secs(30);

/// How long a checkpoint may take: the whole state is written.
const CHECKPOINTS_WITHIN: Duration = Duration::from_secs(120);

/// While nothing is written, the journal is looked at this often.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(15);

/// Why no effect begins or goes on any more after the order to stop.
const STOPS: &str = "the daemon stops";

/// How a life ended.
pub(super) enum End {
    /// By order.
    Stopped,
    /// By the journal, or by the engine.
    Broken(Trouble),
}

type Later = Box<dyn FnOnce() + Send>;

/// A block that is being made durable.
struct Append {
    done: BoxFuture<'static, Result<Receipt, JournalError>>,
    began: Instant,
    standing: Standing,
    /// Looks to be answered when it is durable.
    later: Vec<Later>,
    /// The step of the clock that it says.
    step_ms: Option<i64>,
}

/// Something that the journal is asked for beside blocks.
struct Asked {
    done: BoxFuture<'static, Result<(), JournalError>>,
    began: Instant,
}

pub(super) struct Life<'d> {
    driver: &'d mut Driver,
    ahead: WriteAhead,
    committer: Box<dyn Committer>,
    append: Option<Append>,
    /// A checkpoint that is being written. The next block waits for it, and nothing else does.
    checkpoint: Option<Asked>,
    /// A look at the journal while nothing is written.
    look: Option<Asked>,
    /// When the journal was last known to be where it should.
    seen: Instant,
    /// Inputs since the last block was taken.
    collected: usize,
    /// Looks at what is not in a block yet.
    later: Vec<Later>,
    waiters: BTreeMap<Ticket, Waiter>,
    tickets: u64,
    /// Since the order to stop: when effects are cut off.
    stopping: Option<Instant>,
    /// Whether no letter can come any more.
    letters_ended: bool,
}

/// What the loop woke up for.
enum Woken {
    Durable(Result<Receipt, JournalError>),
    Checkpointed(Result<(), JournalError>),
    Looked(Result<(), JournalError>),
    Errand(Input),
    Letters(Vec<Letter>),
    Book(Option<NewBook>),
    Stop,
    Time,
}

impl<'d> Life<'d> {
    /// Begins: says that the process started, that the clock is off if it is, and which book is wanted.
    pub(super) fn begin(driver: &'d mut Driver, opened: Opened) -> Self {
        let last = opened.state.now;
        let epoch = opened.state.epoch;
        let mut life = Self {
            ahead: WriteAhead::new(opened.state, opened.uuid),
            driver,
            committer: opened.committer,
            append: None,
            checkpoint: None,
            look: None,
            seen: Instant::now(),
            collected: 0,
            later: Vec::new(),
            waiters: BTreeMap::new(),
            tickets: 0,
            stopping: None,
            letters_ended: false,
        };
        let now = life.driver.now();
        life.feed(&Input::Began { version: life.driver.equipment.version.clone() });
        if now < last {
            let by_ms = now.unix_ms().saturating_sub(last.unix_ms());
            tracing::error!(
                by_ms,
                "the clock is before the last record; nothing acts until an operator accepts it"
            );
            life.feed(&Input::ClockStepped { by_ms });
        }
        // A step that was lost with the last block of the life before, and one since then.
        if let Some(by_ms) = life.driver.unsaid_step_ms {
            life.feed(&Input::ClockStepped { by_ms });
        }
        life.look_at_clock();
        let wanted = life.driver.equipment.book.borrow_and_update().clone();
        life.adopt(wanted);
        // One process opens a journal at a time, so whoever has it open leads.
        life.feed(&Input::Reign { leader: true, epoch: epoch + 1 });
        life
    }

    pub(super) async fn run(mut self) -> End {
        loop {
            if let Some(stuck) = self.ahead.stuck() {
                let end = End::Broken(Trouble::Stuck(stuck.clone()));
                return self.close(end).await;
            }
            if let Some(end) = self.turn_over() {
                return self.close(end).await;
            }
            let woken = self.wait().await;
            if let Some(end) = self.handle(woken) {
                return self.close(end).await;
            }
        }
    }

    /// Hands the next block over, opens a partition where one is due, and ends where there is nothing left to do.
    fn turn_over(&mut self) -> Option<End> {
        self.begin_effects();
        if self.append.is_some() {
            return None;
        }
        let ready = self.ahead.take_ready();
        self.release(ready);
        // A checkpoint is the fold of all blocks before it.
        if self.checkpoint.is_none()
            && let Some(block) = self.ahead.take_block()
        {
            self.collected = 0;
            self.driver.equipment.metrics.handed_over(&block, self.ahead.state());
            self.append = Some(Append {
                done: self.committer.append(block),
                began: Instant::now(),
                standing: Standing::of(self.ahead.state()),
                later: std::mem::take(&mut self.later),
                step_ms: self.driver.unsaid_step_ms.take(),
            });
            return None;
        }
        if !self.ahead.is_settled() {
            return None;
        }
        self.collected = 0;
        std::mem::take(&mut self.later).into_iter().for_each(|answer| answer());
        self.publish(Standing::of(self.ahead.state()));
        if self.checkpoint.is_none() && self.committer.wants_checkpoint() {
            let done = self.committer.checkpoint(self.ahead.state().clone());
            self.checkpoint = Some(Asked { done, began: Instant::now() });
        }
        let stopped = self.stopping.is_some_and(|cut_off| {
            self.letters_ended && (!self.driver.errands.has_effects() || cut_off <= Instant::now())
        }) && self.checkpoint.is_none();
        stopped.then_some(End::Stopped)
    }

    async fn wait(&mut self) -> Woken {
        // A partition that is due needs the loop at rest to begin with: until then nothing new is taken.
        let wants_rest = self.committer.wants_checkpoint() && self.checkpoint.is_none();
        let takes = self.collected < INPUTS_IN_BLOCK && !wants_rest;
        let sleep = tokio::time::sleep_until(self.next_look());
        let writes = self.append.is_some() || self.checkpoint.is_some();
        if !writes && self.look.is_none() && self.seen.elapsed() >= LOOK_EVERY {
            self.look = Some(Asked { done: self.committer.look(), began: Instant::now() });
        }
        let stopping = self.stopping.is_some();
        let Driver { letters, errands, equipment, .. } = &mut *self.driver;
        let appended = async {
            match &mut self.append {
                Some(Append { done, began, .. }) => tokio::time::timeout_at(*began + APPENDS_WITHIN, done)
                    .await
                    .unwrap_or_else(|_| Err(hung("make a block durable", APPENDS_WITHIN))),
                None => std::future::pending().await,
            }
        };
        let checkpointed = asked(&mut self.checkpoint, "write a checkpoint", CHECKPOINTS_WITHIN);
        let looked = asked(&mut self.look, "look at the journal", APPENDS_WITHIN);
        let mut received = Vec::new();
        tokio::select! {
            biased;
            receipt = appended => Woken::Durable(receipt),
            written = checkpointed => Woken::Checkpointed(written),
            seen = looked => Woken::Looked(seen),
            end = errands.next(), if takes => Woken::Errand(end),
            _ = letters.recv_many(&mut received, LETTERS_AT_ONCE), if takes && !self.letters_ended => {
                Woken::Letters(received)
            }
            Ok(()) = equipment.book.changed(), if takes => {
                Woken::Book(equipment.book.borrow_and_update().clone())
            }
            () = super::ordered(&mut equipment.stop), if !stopping => Woken::Stop,
            () = sleep => Woken::Time,
        }
    }

    fn handle(&mut self, woken: Woken) -> Option<End> {
        self.look_at_clock();
        match woken {
            Woken::Durable(Err(error)) | Woken::Checkpointed(Err(error)) | Woken::Looked(Err(error)) => {
                return Some(End::Broken(Trouble::Journal(error)));
            }
            Woken::Durable(Ok(receipt)) => self.durable(&receipt),
            Woken::Checkpointed(Ok(())) => {
                self.checkpoint = None;
                self.seen = Instant::now();
                self.driver.equipment.metrics.checkpointed();
            }
            Woken::Looked(Ok(())) => {
                self.look = None;
                self.seen = Instant::now();
            }
            Woken::Errand(input) => {
                if let Input::Ended { intent, .. } = &input {
                    self.driver.turns.ended(*intent);
                }
                self.feed(&input);
            }
            Woken::Letters(letters) => {
                self.letters_ended = letters.is_empty();
                letters.into_iter().for_each(|letter| self.open_letter(letter));
            }
            Woken::Book(wanted) => self.adopt(wanted),
            Woken::Stop if self.stopping.is_some() => {}
            Woken::Stop => {
                tracing::info!("stopping: no new effects, those under way may end");
                self.stopping = Some(Instant::now() + EFFECTS_END_WITHIN);
                self.driver.letters.close();
                self.driver.errands.forget_questions();
                for seal in self.driver.turns.drain() {
                    self.driver.errands.known(seal.id, Outcome::not_begun(STOPS));
                }
                let epoch = self.ahead.state().epoch;
                self.feed(&Input::Reign { leader: false, epoch });
            }
            Woken::Time => {
                if self.ahead.wake().is_some_and(|due| due <= self.driver.now()) && self.stopping.is_none() {
                    self.feed(&Input::Wake);
                }
            }
        }
        None
    }

    fn open_letter(&mut self, letter: Letter) {
        match letter {
            Letter::Take(input, waiter) => {
                let ticket = Ticket(self.tickets);
                self.tickets += 1;
                self.waiters.insert(ticket, waiter);
                if let Input::Reload { .. } = &input {
                    // By the time it is opened, a newer one may be wanted.
                    self.driver.equipment.book.mark_changed();
                }
                self.feed_for(&input, Some(ticket));
            }
            Letter::Look(look) => {
                let answer = look(self.ahead.state());
                // What it saw may be part of the block in front, or of none yet.
                match &mut self.append {
                    Some(append) if self.collected == 0 => append.later.push(answer),
                    Some(_) | None => self.later.push(answer),
                }
            }
        }
    }

    fn feed(&mut self, input: &Input) {
        self.feed_for(input, None);
    }

    fn feed_for(&mut self, input: &Input, ticket: Option<Ticket>) {
        self.collected += 1;
        self.ahead.feed(self.driver.now(), input, ticket);
        let ready = self.ahead.take_ready();
        self.release(ready);
    }

    fn adopt(&mut self, wanted: Option<NewBook>) {
        let Some(wanted) = wanted else { return };
        if self.ahead.book_digest() != Some(wanted.source.digest()) {
            self.feed(&wanted.input());
        }
    }

    fn look_at_clock(&mut self) {
        if let Some(by_ms) = self.driver.guard.step_ms(&*self.driver.equipment.clock) {
            tracing::error!(by_ms, "the wall clock stepped; nothing acts until an operator accepts it");
            self.driver.unsaid_step_ms = Some(by_ms);
            self.feed(&Input::ClockStepped { by_ms });
        }
    }

    fn durable(&mut self, receipt: &Receipt) {
        let append = self.append.take().expect("a receipt comes only from the append in flight");
        self.seen = Instant::now();
        let metrics = &self.driver.equipment.metrics;
        metrics.appended(append.began.elapsed());
        // Before the replies: whoever has an answer finds it in the standing too.
        self.publish(append.standing);
        let releases = self.ahead.committed(receipt);
        self.release(releases);
        append.later.into_iter().for_each(|answer| answer());
    }

    fn release(&mut self, releases: Vec<Release>) {
        let stopping = self.stopping.is_some();
        for release in releases {
            match release {
                Release::Reply { ticket, first, end, refusal } => {
                    if let Some(waiter) = self.waiters.remove(&ticket) {
                        waiter.answer(Ok(Taken { first, end, refusal }));
                    }
                }
                Release::Ask(_) if stopping => {}
                Release::Ask(question) => self.driver.errands.ask(question),
                Release::Act(seal) if stopping => {
                    self.driver.errands.known(seal.id, Outcome::not_begun(STOPS));
                }
                Release::Act(seal) => self.driver.turns.push(seal),
                // The next start tells it again.
                Release::Deliver(_) if stopping => {}
                Release::Deliver(notice) => self.driver.errands.deliver(notice),
                Release::Close(seal) if self.driver.errands.is_running(seal.id) => {}
                Release::Close(seal) => match self.driver.kept.remove(&seal.id) {
                    Some(outcome) => self.driver.errands.known(seal.id, outcome),
                    None => self.driver.errands.close(seal),
                },
            }
        }
    }

    /// Begins effects while there are places. Between the decision and its turn somebody may have paused, and so may
    /// somebody while they run.
    fn begin_effects(&mut self) {
        let now = self.driver.now();
        match self.stopping {
            Some(_) => self.driver.turns.halt(STOPS),
            None => self.driver.turns.watch(self.ahead.state(), now),
        }
        while let Some(turn) = self.driver.turns.next(self.ahead.state(), now) {
            match turn {
                Turn::Begin(seal, halt) => self.driver.errands.act(*seal, halt),
                Turn::Not(intent, why) => {
                    tracing::warn!(%intent, why, "effect not begun");
                    self.driver.errands.known(intent, Outcome::not_begun(&why));
                }
            }
        }
    }

    fn publish(&self, standing: Standing) {
        let stopping = self.stopping.is_some();
        self.driver.equipment.metrics.stands(&standing);
        self.driver.standing.send_if_modified(|published| {
            let journal = if stopping { JournalStanding::Stopping } else { standing.journal.clone() };
            let standing = Standing { journal, ..standing };
            let changed = *published != standing;
            *published = standing;
            changed
        });
    }

    /// When to look at the clock, the agenda, or the end of the patience with effects.
    fn next_look(&self) -> Instant {
        let now = Instant::now();
        let due = |due: Moment| now + due.since(self.driver.now()).duration().min(CLOCK_EVERY);
        let wake = match self.stopping {
            Some(cut_off) => Some(cut_off.max(now)),
            None => self.ahead.wake().map(due),
        };
        wake.map_or(now + CLOCK_EVERY, |wake| wake.min(now + CLOCK_EVERY))
    }

    /// Nobody who waits is left without an answer.
    async fn close(mut self, end: End) -> End {
        let why = match &end {
            End::Stopped => Turned::Stopping,
            End::Broken(trouble) => trouble.turned(),
        };
        // Before the answers: whoever has one sees the rest too. A reader would keep the journal locked.
        self.driver.archive.send_replace(None);
        if let End::Broken(trouble) = &end {
            self.driver.standing.send_modify(|standing| standing.journal = trouble.standing());
            // Nobody knows whether the block with the step is durable: to say it twice harms nobody.
            let unsaid = self.append.take().and_then(|append| append.step_ms);
            self.driver.unsaid_step_ms = self.driver.unsaid_step_ms.or(unsaid);
            for seal in self.driver.turns.drain() {
                self.driver.kept.insert(seal.id, Outcome::not_begun(&why.to_string()));
            }
            // Nobody could stop them now: no order is taken.
            self.driver.turns.halt(&why.to_string());
        }
        for waiter in self.waiters.into_values() {
            waiter.answer(Err(why.clone()));
        }
        self.committer.stop().await;
        end
    }
}

/// What the journal was asked for; never, where nothing was.
async fn asked(asked: &mut Option<Asked>, tried: &str, within: Duration) -> Result<(), JournalError> {
    match asked {
        Some(Asked { done, began }) => {
            let ended = tokio::time::timeout_at(*began + within, done).await;
            ended.unwrap_or_else(|_| Err(hung(tried, within)))
        }
        None => std::future::pending().await,
    }
}

/// The disk is silent. The thread that waits for it is left behind; what it hands back later is not believed.
fn hung(tried: &str, within: Duration) -> JournalError {
    JournalError {
        tried: tried.to_owned(),
        problem: format!(
            "the disk did not answer within {} s (hint: look at the disk and the kernel's log; it is tried again)",
            within.as_secs()
        ),
    }
}
