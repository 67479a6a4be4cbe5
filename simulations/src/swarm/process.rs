//! One process: the production loop driven as the daemon drives it. One append in flight while more is collected, effects
//! in turn and with a last word before each, a journal that fails and is opened again, clocks that are compared. It must
//! never decide anything itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::{BoxFuture, pending};
use futures::stream::FuturesUnordered;
use paramedic_policies::action::{Intent, Outcome};
use paramedic_policies::answer::{Answer, Found};
use paramedic_policies::book::{Digest, Source};
use paramedic_policies::event::Seq;
use paramedic_policies::input::Input;
use paramedic_policies::notifications::Receipt;
use paramedic_policies::state::State;
use paramedic_policies::time::{Moment, Span};
use paramedic_remediations::ports::clock::left;
use paramedic_remediations::ports::halt::Halt;
use paramedic_remediations::ports::journal::{Block, Journal};
use paramedic_remediations::ports::world::World as Outside;
use paramedic_remediations::{Release, Sealed, Ticket, Turn, Turns, WriteAhead};
use tokio::time::{sleep_until, timeout};

use super::clocks::ClockGuard;
use super::disk::Disk;
use super::faults::Fault;
use super::parts::{Engine, Parts};
use super::refold::differ;
use super::sky::Sky;
use super::tape::{Handed, Life as LifeOnTape, Reign};

/// The journal's name in stamps.
pub(crate) const JOURNAL: &str = "swarm";

/// What an effect is given beyond its deadline to find out how it ended, as in the daemon.
const GRACE: Duration = Duration::from_secs(220);

/// The clocks are compared at least this often, as in the daemon.
const CLOCK_EVERY: Span = Span::from_secs(15);

type Errands = FuturesUnordered<BoxFuture<'static, Input>>;

/// An answer to somebody who waited: the records it names, and why an order was refused; nothing where there was none.
pub(crate) type Said = Option<(Seq, Seq, Option<String>)>;

/// A process.
pub(crate) struct Process<W> {
    parts: Parts,
    sky: Sky,
    disk: Disk,
    outside: Arc<dyn Outside>,
    wanted: (Digest, Source),
    /// Whether the lease is ours.
    leads: bool,
    effects: Errands,
    running: BTreeSet<Seq>,
    turns: Turns,
    kept: BTreeMap<Seq, Outcome>,
    guard: ClockGuard,
    unsaid_step_ms: Option<i64>,
    opens_at: Moment,
    life: Option<Life<W>>,
    answers: Vec<(W, Said)>,
}

/// From an opened journal to its failure.
struct Life<W> {
    engine: Box<dyn Engine>,
    journal: Box<dyn Journal>,
    append: Option<Append>,
    checkpoint: Option<(Moment, State)>,
    questions: Errands,
    deliveries: Errands,
    waiters: BTreeMap<Ticket, W>,
    tickets: u64,
}

/// A block on its way to the disk.
struct Append {
    block: Block,
    due: Moment,
    /// The step of the clock that it says.
    step_ms: Option<i64>,
}

impl<W> Process<W> {
    /// A process that begins now.
    pub(crate) fn begin(
        parts: Parts,
        sky: &Sky,
        disk: &Disk,
        outside: Arc<dyn Outside>,
        (wanted, leads): (Source, bool),
    ) -> Self {
        let mut process = Self {
            parts,
            sky: sky.clone(),
            disk: disk.clone(),
            outside,
            wanted: (wanted.digest(), wanted),
            leads,
            effects: Errands::new(),
            running: BTreeSet::new(),
            turns: Turns::default(),
            kept: BTreeMap::new(),
            guard: ClockGuard::new(&sky.clocks),
            unsaid_step_ms: None,
            opens_at: sky.now(),
            life: None,
            answers: Vec::new(),
        };
        process.open();
        process
    }

    /// Folds the journal and begins to live.
    fn open(&mut self) {
        let opened = self.disk.open();
        if let Some(parts) = differ(&opened.whole, &opened.state) {
            let what = format!("from the last checkpoint, at record {}: {parts}", opened.from);
            self.sky.recorder.tape().unlike.push(what);
        }
        let state = (self.parts.refold)(opened.state);
        let (last, epoch) = (state.now, state.epoch);
        let life = LifeOnTape { from: opened.from, whole: Arc::new(opened.whole), inputs: Vec::new() };
        self.sky.recorder.tape().lives.push(life);
        self.life = Some(Life {
            engine: (self.parts.engine)(WriteAhead::new(state, JOURNAL.to_owned())),
            journal: (self.parts.journal)(self.disk.clone()),
            append: None,
            checkpoint: None,
            questions: Errands::new(),
            deliveries: Errands::new(),
            waiters: BTreeMap::new(),
            tickets: 0,
        });
        let now = self.sky.clocks.wall();
        self.feed(&Input::Began { version: "swarm".to_owned() }, None);
        if now < last {
            self.feed(&Input::ClockStepped { by_ms: now.unix_ms() - last.unix_ms() }, None);
        }
        if let Some(by_ms) = self.unsaid_step_ms {
            self.feed(&Input::ClockStepped { by_ms }, None);
        }
        self.look_at_clock();
        self.adopt_wanted();
        let epoch = if self.leads { epoch + 1 } else { epoch };
        self.feed(&Input::Reign { leader: self.leads, epoch }, None);
        self.turn_over();
    }

    /// The lease is ours, or another's; each time it is taken begins another epoch.
    pub(crate) fn reign(&mut self, leads: bool) {
        self.leads = leads;
        let now = self.sky.now();
        if let Some(epoch) = self.engine().map(|engine| engine.state().epoch) {
            let epoch = if leads { epoch + 1 } else { epoch };
            self.feed(&Input::Reign { leader: leads, epoch }, None);
            self.turn_over();
        }
        self.sky.recorder.tape().reigns.push(Reign { at: now, leads });
    }

    /// From now on this book is wanted.
    pub(crate) fn adopt(&mut self, wanted: Source) {
        self.wanted = (wanted.digest(), wanted);
        self.adopt_wanted();
        self.turn_over();
    }

    fn adopt_wanted(&mut self) {
        let has = self.engine().and_then(|engine| engine.state().book);
        if self.life.is_some() && has != Some(self.wanted.0) {
            self.feed(&Input::Adopt(Box::new(self.wanted.1.clone())), None);
        }
    }

    /// The loop, while there is one.
    pub(crate) fn engine(&self) -> Option<&dyn Engine> {
        self.life.as_ref().map(|life| life.engine.as_ref())
    }

    /// Takes an input of somebody who waits for the answer; gives it back where nothing is taken.
    pub(crate) fn take(&mut self, input: &Input, waiter: W) -> Result<(), W> {
        self.look_at_clock();
        let Some(life) = &mut self.life else { return Err(waiter) };
        let ticket = Ticket(life.tickets);
        life.tickets += 1;
        life.waiters.insert(ticket, waiter);
        self.feed(input, Some(ticket));
        self.turn_over();
        Ok(())
    }

    /// Who was answered, and what.
    pub(crate) fn answers(&mut self) -> Vec<(W, Said)> {
        std::mem::take(&mut self.answers)
    }

    /// The process is forgotten. Whoever waited is not answered.
    pub(crate) fn crash(mut self) -> Vec<(W, Said)> {
        self.compare();
        if let Some(life) = self.life.take() {
            if let Some(append) = &life.append {
                self.sky.fault(Fault::CrashInAppend, &append.block.first());
                self.disk.crash_in(&append.block);
            }
            self.answers.extend(life.waiters.into_values().map(|waiter| (waiter, None)));
        }
        self.answers
    }

    /// Holds the live state against the fold of what is on the disk, where nothing is under way.
    pub(crate) fn compare(&self) {
        let Some(engine) = self.engine().filter(|engine| engine.ahead().is_settled()) else { return };
        if let Some(parts) = differ(&self.disk.fold(), engine.state()) {
            let what = format!("after record {}: {parts}", engine.state().next);
            self.sky.recorder.tape().unlike.push(what);
        }
    }

    fn feed(&mut self, input: &Input, ticket: Option<Ticket>) {
        let Some(life) = &mut self.life else { return };
        let now = self.sky.clocks.wall();
        if let Some(life) = self.sky.recorder.tape().lives.last_mut() {
            life.inputs.push((now, input.clone()));
        }
        life.engine.feed(now, input, ticket);
        if let Some(stuck) = life.engine.stuck() {
            self.sky.recorder.tape().stuck = Some(stuck.to_string());
        }
        let ready = life.engine.take_ready();
        self.release(ready);
    }

    fn look_at_clock(&mut self) {
        if let Some(by_ms) = self.guard.step_ms(&self.sky.clocks) {
            self.unsaid_step_ms = Some(by_ms);
            self.feed(&Input::ClockStepped { by_ms }, None);
        }
    }

    /// Begins what may begin, and hands the next block over.
    pub(crate) fn turn_over(&mut self) {
        self.begin_effects();
        let Some(life) = &mut self.life else { return };
        // A checkpoint is the fold of all blocks before it: the next block waits for it, and nothing else does.
        if life.append.is_some() || life.checkpoint.is_some() {
            return;
        }
        let ready = life.engine.take_ready();
        if let Some(block) = life.engine.take_block() {
            let now = self.sky.now();
            let chance = self.sky.chances().append_slow;
            let takes = if self.sky.strikes(chance, Fault::AppendSlow, &block.first()) {
                self.sky.throw(|dice| dice.ms(500..=8000))
            } else {
                self.sky.throw(|dice| dice.ms(1..=25))
            };
            let handed = Handed { at: now, first: block.first(), end: block.end() };
            self.sky.recorder.tape().blocks.push(handed);
            life.append = Some(Append { block, due: now + takes, step_ms: self.unsaid_step_ms.take() });
        } else if life.engine.ahead().is_settled() && life.journal.wants_checkpoint(self.sky.clocks.wall()) {
            let takes = self.sky.throw(|dice| dice.ms(5..=3000));
            life.checkpoint = Some((self.sky.now() + takes, life.engine.state().clone()));
        }
        self.release(ready);
    }

    /// Between the decision and its turn somebody may have paused, and so may somebody while it runs.
    fn begin_effects(&mut self) {
        let now = self.sky.clocks.wall();
        let Some(life) = &self.life else { return };
        self.turns.watch(life.engine.state(), now);
        while let Some(life) = &self.life
            && let Some(turn) = self.turns.next(life.engine.state(), now)
        {
            match turn {
                Turn::Begin(seal, halt) => self.act(*seal, halt),
                Turn::Not(intent, why) => self.known(intent, Outcome::not_begun(&why)),
            }
        }
    }

    fn release(&mut self, releases: Vec<Release>) {
        for release in releases {
            let Some(life) = &mut self.life else { return };
            match release {
                Release::Reply { ticket, first, end, refusal } => {
                    if let Some(waiter) = life.waiters.remove(&ticket) {
                        self.answers.push((waiter, Some((first, end, refusal))));
                    }
                }
                Release::Ask(question) => {
                    let (outside, clock) = (Arc::clone(&self.outside), self.sky.clocks.of_process());
                    life.questions.push(Box::pin(async move {
                        let (within, taken_at) = (left(&clock, question.deadline), clock());
                        let found = timeout(within, outside.answer(&question)).await;
                        let late = |_| Found::Failed { what: "no answer in time".to_owned() };
                        let found = found.unwrap_or_else(late);
                        Input::Told(Answer { question: question.id, taken_at, found })
                    }));
                }
                Release::Act(seal) => self.turns.push(seal),
                Release::Deliver(notice) => {
                    let (outside, clock) = (Arc::clone(&self.outside), self.sky.clocks.of_process());
                    life.deliveries.push(Box::pin(async move {
                        let within = left(&clock, notice.deadline);
                        let receipt = timeout(within, outside.deliver(&notice)).await;
                        let late =
                            |_| Receipt::Failed { what: "no receipt in time".to_owned(), passing: true };
                        Input::Delivered { notice: notice.id, receipt: receipt.unwrap_or_else(late) }
                    }));
                }
                Release::Close(seal) if self.running.contains(&seal.id) => {}
                Release::Close(seal) => match self.kept.remove(&seal.id) {
                    Some(outcome) => self.known(seal.id, outcome),
                    None => self.close(seal),
                },
            }
        }
    }

    fn act(&mut self, seal: Sealed<Intent>, halt: Halt) {
        let outside = Arc::clone(&self.outside);
        self.start(seal, |seal| async move { outside.perform(&seal, &halt).await });
    }

    fn close(&mut self, seal: Sealed<Intent>) {
        let outside = Arc::clone(&self.outside);
        self.start(seal, |seal| async move { outside.close(&seal).await });
    }

    fn start<F>(&mut self, seal: Sealed<Intent>, how: impl FnOnce(Sealed<Intent>) -> F)
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let clock = self.sky.clocks.of_process();
        let (intent, deadline) = (seal.id, seal.deadline);
        let effect = how(seal);
        self.running.insert(intent);
        self.effects.push(Box::pin(async move {
            let ended = timeout(left(&clock, deadline) + GRACE, effect).await;
            let late = |_| Outcome::Unknown { what: "it did not end by its deadline".to_owned() };
            Input::Ended { intent, outcome: ended.unwrap_or_else(late) }
        }));
    }

    /// An outcome that is known already.
    fn known(&mut self, intent: Seq, outcome: Outcome) {
        self.running.insert(intent);
        self.effects.push(Box::pin(async move { Input::Ended { intent, outcome } }));
    }

    /// When it wants to be looked at, whatever else happens.
    fn due(&self) -> Moment {
        let now = self.sky.now();
        let Some(life) = &self.life else { return self.opens_at.min(now + CLOCK_EVERY) };
        let wake = life.engine.wake().map(|due| now + due.since(self.sky.clocks.wall()));
        let append = life.append.as_ref().map(|append| append.due);
        let checkpoint = life.checkpoint.as_ref().map(|(due, _)| *due);
        [wake, append, checkpoint].into_iter().flatten().fold(now + CLOCK_EVERY, Moment::min)
    }

    /// Lives until something happens, at most until then.
    pub(crate) async fn live_until(&mut self, until: Moment) {
        let due = self.sky.clocks.instant(until.min(self.due()));
        let life = &mut self.life;
        let errand = async {
            match life {
                Some(Life { questions, deliveries, .. }) => tokio::select! {
                    biased;
                    Some(input) = questions.next() => input,
                    Some(input) = deliveries.next() => input,
                    else => pending().await,
                },
                None => pending().await,
            }
        };
        let input = tokio::select! {
            biased;
            Some(input) = self.effects.next() => Some(input),
            input = errand => Some(input),
            () = sleep_until(due) => None,
        };
        self.look_at_clock();
        if let Some(input) = input {
            self.errand_ended(&input);
        }
        self.look_around();
        self.turn_over();
    }

    fn errand_ended(&mut self, input: &Input) {
        if let Input::Ended { intent, outcome } = input {
            self.running.remove(intent);
            self.turns.ended(*intent);
            if self.life.is_none() {
                // There is no journal to take it.
                self.kept.insert(*intent, outcome.clone());
            }
        }
        self.feed(input, None);
    }

    fn look_around(&mut self) {
        let now = self.sky.now();
        let Some(life) = &mut self.life else {
            if self.opens_at <= now {
                self.open();
            }
            return;
        };
        if let Some(Append { block, step_ms, .. }) = life.append.take_if(|append| append.due <= now) {
            match life.journal.append(&block) {
                Ok(receipt) => {
                    let releases = life.engine.committed(&receipt);
                    self.release(releases);
                }
                Err(_) => {
                    // Nobody knows whether the block with the step is durable: to say it twice harms nobody.
                    self.unsaid_step_ms = self.unsaid_step_ms.or(step_ms);
                    return self.freeze();
                }
            }
        }
        if let Some(life) = &mut self.life
            && let Some((_, state)) = life.checkpoint.take_if(|(due, _)| *due <= now)
            && life.journal.checkpoint(&state).is_err()
        {
            return self.freeze();
        }
        if self.engine().and_then(|engine| engine.wake()).is_some_and(|due| due <= self.sky.clocks.wall()) {
            self.feed(&Input::Wake, None);
        }
    }

    /// The journal failed: the state is thrown away, nothing begins, and after a while it is opened anew.
    fn freeze(&mut self) {
        let Some(life) = self.life.take() else { return };
        for seal in self.turns.drain() {
            self.kept.insert(seal.id, Outcome::not_begun("the journal failed"));
        }
        self.turns.halt("the journal failed");
        self.answers.extend(life.waiters.into_values().map(|waiter| (waiter, None)));
        self.opens_at = self.sky.now() + self.sky.throw(|dice| dice.ms(200..=20_000));
    }
}
