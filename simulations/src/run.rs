//! The real loop in virtual time: feeds alerts and orders, answers questions and carries out intents through the
//! production remediations on the simulated world, and lets time pass. One thread, no chance: the same run takes the
//! same course every time. Must run where tokio's time is paused.

use std::sync::Arc;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use paramedic_policies::action::Outcome;
use paramedic_policies::alert::{Alert, Labels};
use paramedic_policies::answer::Answer;
use paramedic_policies::book::Source;
use paramedic_policies::event::Record;
use paramedic_policies::input::{Delivery, Input};
use paramedic_policies::order::{Command, Order};
use paramedic_policies::state::State;
use paramedic_policies::time::{Moment, Span};
use paramedic_remediations::ports::clock::Clock;
use paramedic_remediations::ports::journal::Journal;
use paramedic_remediations::ports::world::World as Outside;
use paramedic_remediations::{Release, Ticket, Turn, Turns, WriteAhead};
use tokio::time::{Instant, sleep_until};

use crate::adapters::SimulatedCluster;
use crate::alertmanager::Alertmanager;
use crate::memory_journal::MemoryJournal;
use crate::transcript;
use crate::world::World;

/// How often the simulated Prometheus evaluates its rules.
const EVALUATE_EVERY: Span = Span::from_secs(1);

/// The journal's name in stamps.
const JOURNAL: &str = "simulated";

/// Whether the process is forgotten after every block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// The state lives on.
    Lasting,
    /// After every block the state is thrown away, and made anew from the records by way of its written form.
    /// Nothing may be decided otherwise because of it.
    ForgetfulAfterEveryBlock,
}

/// One run.
pub struct Run {
    cluster: SimulatedCluster,
    outside: Arc<dyn Outside>,
    clock: Clock,
    epoch: (Moment, Instant),
    ahead: WriteAhead,
    journal: MemoryJournal,
    errands: FuturesUnordered<BoxFuture<'static, Input>>,
    turns: Turns,
    alertmanager: Alertmanager,
    evaluated: Moment,
    every: Option<Span>,
    memory: Memory,
    twin: State,
    source: Source,
    reigns: u64,
    deliveries: u64,
    refusal: Option<String>,
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run")
            .field("now", &self.now())
            .field("records", &self.records().len())
            .finish_non_exhaustive()
    }
}

impl Run {
    /// A process that begins on this world under this book, and leads.
    pub fn new(world: World, source: Source, memory: Memory) -> Self {
        let outside = |cluster: &SimulatedCluster| Arc::new(cluster.remedies()) as Arc<dyn Outside>;
        Self::told(world, source, memory, Some(EVALUATE_EVERY), outside)
    }

    /// The same with something between the loop and the remedies, and with rules that are evaluated now and then, or only
    /// when [`evaluate`](Self::evaluate) is called.
    pub fn told(
        world: World,
        source: Source,
        memory: Memory,
        every: Option<Span>,
        outside: impl FnOnce(&SimulatedCluster) -> Arc<dyn Outside>,
    ) -> Self {
        let epoch = (world.now(), Instant::now());
        let clock: Clock = Arc::new(move || now(epoch));
        let cluster = SimulatedCluster::new(world, Arc::clone(&clock));
        let outside = outside(&cluster);
        let mut run = Self {
            cluster,
            outside,
            clock,
            epoch,
            ahead: WriteAhead::new(State::new(), JOURNAL.to_owned()),
            journal: MemoryJournal::default(),
            errands: FuturesUnordered::new(),
            turns: Turns::default(),
            alertmanager: Alertmanager::default(),
            evaluated: epoch.0,
            every,
            memory,
            twin: State::new(),
            source,
            reigns: 0,
            deliveries: 0,
            refusal: None,
        };
        run.begin();
        run
    }

    fn begin(&mut self) {
        self.feed(Input::Began { version: "simulated".to_owned() });
        self.feed(Input::Adopt(Box::new(self.source.clone())));
        self.reigns += 1;
        self.feed(Input::Reign { leader: true, epoch: self.reigns });
    }

    /// The process ends without a word, and another one begins on its journal. Effects under way are cut off.
    pub fn restart(&mut self) {
        self.errands = FuturesUnordered::new();
        self.turns = Turns::default();
        self.ahead = WriteAhead::new(self.journal.fold(), JOURNAL.to_owned());
        self.begin();
    }

    /// Another book comes into force.
    pub fn adopt(&mut self, source: Source) {
        self.source = source;
        self.feed(Input::Adopt(Box::new(self.source.clone())));
    }

    /// What time it is.
    pub fn now(&self) -> Moment {
        (self.clock)()
    }

    /// Looks at the world, or changes it.
    pub fn world<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        self.cluster.with(look)
    }

    /// All records.
    pub fn records(&self) -> &[Record] {
        self.journal.records()
    }

    /// The engine's state.
    pub fn state(&self) -> &State {
        self.ahead.state()
    }

    /// What happened, as people read it, each with the time since the beginning.
    pub fn story(&self) -> Vec<String> {
        let told = self.records().iter().filter_map(|record| {
            let line = transcript::line(&record.event)?;
            Some(format!("{} {line}", transcript::since(self.epoch.0, record.at)))
        });
        told.collect()
    }

    /// Takes one input; why an order was refused, where it was.
    pub fn feed(&mut self, input: Input) -> Option<String> {
        self.refusal = None;
        if let Input::Ended { intent, .. } = &input {
            self.turns.ended(*intent);
        }
        self.ahead.feed(self.now(), &input, Some(Ticket(0)));
        assert_eq!(self.ahead.stuck(), None, "the engine comes to rest");
        self.commit();
        self.begin_effects();
        self.refusal.take()
    }

    /// An operator's order; why it was refused, where it was.
    pub fn order(&mut self, by: &str, command: Command) -> Option<String> {
        self.feed(Input::Order(Order { by: by.to_owned(), command }))
    }

    /// A webhook delivery with these alerts, beside what the simulated Alertmanager sends.
    pub fn deliver(&mut self, alerts: Vec<Alert>, truncated: u64) {
        self.deliveries += 1;
        let delivery = Delivery {
            sender: "alertmanager".to_owned(),
            receiver: "paramedic".to_owned(),
            group_key: String::new(),
            correlation: format!("delivery-{}", self.deliveries),
            alerts,
            unreadable: Vec::new(),
            truncated,
        };
        self.feed(Input::Alerts(delivery));
    }

    /// Sends everything that fires once more.
    pub fn repeat(&mut self) {
        let firing = self.alertmanager.repeat();
        self.deliver(firing, 0);
    }

    /// Sends these once more, as far as they fire.
    pub fn repeat_some(&mut self, labels: &[Labels]) {
        let mut firing = self.alertmanager.repeat();
        firing.retain(|alert| labels.contains(&alert.labels));
        if !firing.is_empty() {
            self.deliver(firing, 0);
        }
    }

    /// Lets time pass: alerts begin and end, questions are answered, effects come to their ends.
    pub async fn pass(&mut self, span: Span) {
        self.pass_until(self.now() + span).await;
    }

    /// Lets time pass until a moment.
    pub async fn pass_until(&mut self, until: Moment) {
        while self.now() < until || !self.is_quiet() {
            self.step_before(until).await;
        }
    }

    /// Until the next thing happens, whatever it is.
    pub async fn step(&mut self) {
        self.step_before(self.now() + EVALUATE_EVERY).await;
    }

    async fn step_before(&mut self, until: Moment) {
        if self.every.is_some() {
            self.evaluate();
        }
        let wake = self.ahead.wake().unwrap_or(until);
        let evaluation = self.every.map_or(until, |every| self.evaluated + every);
        let next = until.min(wake).min(evaluation).max(self.now());
        let next = self.instant(next);
        let input = tokio::select! {
            biased;
            Some(input) = self.errands.next() => input,
            () = sleep_until(next) => Input::Wake,
        };
        self.feed(input);
    }

    /// Whether no engine work is due now.
    fn is_quiet(&self) -> bool {
        self.ahead.wake().is_none_or(|wake| wake > self.now())
    }

    /// Prometheus evaluates its rules, and Alertmanager sends what is new.
    pub fn evaluate(&mut self) {
        let now = self.now();
        self.evaluated = now;
        let firing = self.world(|world| world.firing());
        for alert in self.alertmanager.notify(&firing, now) {
            self.deliver(vec![alert], 0);
        }
    }

    fn instant(&self, at: Moment) -> Instant {
        self.epoch.1 + at.since(self.epoch.0).duration()
    }

    fn commit(&mut self) {
        let mut is_new = false;
        while let Some(block) = self.ahead.take_block() {
            is_new = true;
            let receipt = self.journal.append(&block).expect("a journal in memory takes blocks in order");
            if self.memory == Memory::ForgetfulAfterEveryBlock {
                for record in &block.records {
                    paramedic_policies::apply(&mut self.twin, record.at, &record.event);
                }
            }
            let releases = self.ahead.committed(&receipt);
            self.leave(releases);
        }
        let ready = self.ahead.take_ready();
        self.leave(ready);
        if is_new && self.memory == Memory::ForgetfulAfterEveryBlock {
            self.forget();
        }
    }

    /// Begins effects while there are places, and says to those under way whether they may go on.
    fn begin_effects(&mut self) {
        let now = self.now();
        self.turns.watch(self.ahead.state(), now);
        while let Some(turn) = self.turns.next(self.ahead.state(), now) {
            let outside = Arc::clone(&self.outside);
            self.errands.push(match turn {
                Turn::Begin(seal, halt) => Box::pin(async move {
                    Input::Ended { intent: seal.id, outcome: outside.perform(&seal, &halt).await }
                }),
                Turn::Not(intent, why) => {
                    let outcome = Outcome::not_begun(&why);
                    Box::pin(async move { Input::Ended { intent, outcome } })
                }
            });
        }
    }

    fn leave(&mut self, releases: Vec<Release>) {
        for release in releases {
            let (outside, clock) = (Arc::clone(&self.outside), Arc::clone(&self.clock));
            match release {
                Release::Reply { refusal, .. } => self.refusal = refusal,
                Release::Ask(question) => self.errands.push(Box::pin(async move {
                    let taken_at = clock();
                    let found = outside.answer(&question).await;
                    Input::Told(Answer { question: question.id, taken_at, found })
                })),
                Release::Act(seal) => self.turns.push(seal),
                Release::Deliver(seal) => self.errands.push(Box::pin(async move {
                    Input::Delivered { notice: seal.id, receipt: outside.deliver(&seal).await }
                })),
                Release::Close(seal) => self.errands.push(Box::pin(async move {
                    Input::Ended { intent: seal.id, outcome: outside.close(&seal).await }
                })),
            }
        }
    }

    /// Goes on with a state made from the records, by way of its written form.
    fn forget(&mut self) {
        let written = serde_json::to_string(&self.twin).expect("a state can be written");
        let read: State = serde_json::from_str(&written).expect("a state that was written can be read");
        let live = serde_json::to_value(self.ahead.state()).expect("a state can be written");
        let folded = serde_json::to_value(&read).expect("a state can be written");
        assert_eq!(live, folded, "the state is the fold of its records");
        self.twin = read.clone();
        self.ahead = WriteAhead::new(read, JOURNAL.to_owned());
    }
}

fn now(epoch: (Moment, Instant)) -> Moment {
    let passed = u64::try_from(epoch.1.elapsed().as_millis()).unwrap_or(u64::MAX);
    epoch.0 + Span::from_ms(passed)
}
