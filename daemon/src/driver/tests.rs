//! The driver on a real journal in a temporary folder, with a world that a test commands.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::BoxFuture;
use paramedic_policies::action::Intent;
use paramedic_policies::alert::{Alert, AlertStatus};
use paramedic_policies::answer::Found;
use paramedic_policies::book::SourceFile;
use paramedic_policies::input::Delivery;
use paramedic_policies::order::{Command, Order, PauseScope};
use paramedic_policies::question::Question;
use paramedic_policies::settings::Settings;
use paramedic_policies::state::{CaseId, Duty, State};
use paramedic_policies::time::Span;
use paramedic_remediations::Sealed;
use paramedic_remediations::ports::halt::Halt;
use paramedic_remediations::ports::journal::{Block, JournalError, Receipt};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::*;
use crate::clock::tests::HandClock;
use crate::config::Retention;
use crate::keeping::SledJournals;

mod effects;

/// A world in which everything fails politely.
pub(crate) struct QuietWorld;

#[async_trait]
impl World for QuietWorld {
    async fn answer(&self, _: &Question) -> Found {
        Found::Failed { what: "nobody is there".to_owned() }
    }
    async fn perform(&self, _: &Sealed<Intent>, _: &Halt) -> Outcome {
        Outcome::Failed { what: "nobody is there".to_owned(), applied: false, diff: None }
    }
    async fn close(&self, _: &Sealed<Intent>) -> Outcome {
        Outcome::Unknown { what: "nobody is there".to_owned() }
    }
}

/// What the journal is asked for beside blocks: it waits while it is held, and can be made to fail.
#[derive(Default)]
pub(crate) struct Gate {
    held: watch::Sender<bool>,
    begun: AtomicUsize,
    /// For checkpoints: one is due.
    due: AtomicBool,
    fails: AtomicBool,
}

impl Gate {
    fn pass(
        self: &Arc<Self>,
        then: BoxFuture<'static, Result<(), JournalError>>,
    ) -> BoxFuture<'static, Result<(), JournalError>> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let gate = Arc::clone(self);
        async move {
            gate.held.subscribe().wait_for(|held| !held).await.expect("the gate lives");
            gate.due.store(false, Ordering::SeqCst);
            if gate.fails.swap(false, Ordering::SeqCst) {
                let problem = "it is not there".to_owned();
                return Err(JournalError { tried: "look at the journal".to_owned(), problem });
            }
            then.await
        }
        .boxed()
    }
}

/// Journals whose appends wait for a permit, and fail when told to.
pub(crate) struct Valve {
    inner: SledJournals,
    pub(crate) places: Arc<Semaphore>,
    pub(crate) fails: Arc<AtomicBool>,
    pub(crate) opened: AtomicUsize,
    pub(crate) blocks: Arc<Mutex<Vec<usize>>>,
    /// Checkpoints.
    pub(crate) checkpoints: Arc<Gate>,
    /// Looks.
    pub(crate) looks: Arc<Gate>,
    /// The next journal that is opened has a duty on its agenda that the engine can do nothing about.
    sticks: AtomicBool,
    folder: tempfile::TempDir,
}

impl Valve {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let inner = SledJournals::new(folder.path().join("data"), &Retention::default(), clock);
        Arc::new(Self {
            inner,
            places: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
            fails: Arc::default(),
            opened: AtomicUsize::new(0),
            blocks: Arc::default(),
            checkpoints: Arc::default(),
            looks: Arc::default(),
            sticks: AtomicBool::new(false),
            folder,
        })
    }

    /// From now on appends wait.
    pub(crate) fn shut(&self) {
        self.places.forget_permits(Semaphore::MAX_PERMITS);
    }

    /// Waiting appends go on.
    pub(crate) fn open_again(&self) {
        self.places.add_permits(1_000_000);
    }
}

#[async_trait]
impl Journals for Valve {
    async fn open(&self) -> Result<Opened, JournalError> {
        let mut opened = self.inner.open().await?;
        if self.sticks.load(Ordering::SeqCst) {
            let id = CaseId { episode: Seq(7), policy: "restart-web".to_owned() };
            opened.state.agenda.insert((Moment::from_unix_ms(0), Duty::Case { rank: 0, id }));
        }
        self.opened.fetch_add(1, Ordering::SeqCst);
        let committer = ValveCommitter {
            inner: opened.committer,
            places: Arc::clone(&self.places),
            fails: Arc::clone(&self.fails),
            blocks: Arc::clone(&self.blocks),
            checkpoints: Arc::clone(&self.checkpoints),
            looks: Arc::clone(&self.looks),
        };
        Ok(Opened { committer: Box::new(committer), ..opened })
    }
}

struct ValveCommitter {
    inner: Box<dyn Committer>,
    places: Arc<Semaphore>,
    fails: Arc<AtomicBool>,
    blocks: Arc<Mutex<Vec<usize>>>,
    checkpoints: Arc<Gate>,
    looks: Arc<Gate>,
}

impl Committer for ValveCommitter {
    fn append(&self, block: Block) -> BoxFuture<'static, Result<Receipt, JournalError>> {
        if self.fails.swap(false, Ordering::SeqCst) {
            let error = JournalError { tried: "append".to_owned(), problem: "the disk is full".to_owned() };
            return async { Err(error) }.boxed();
        }
        self.blocks.lock().expect("no panics").push(block.records.len());
        let places = Arc::clone(&self.places);
        let appended = self.inner.append(block);
        async move {
            places.acquire().await.expect("never closed").forget();
            appended.await
        }
        .boxed()
    }
    fn wants_checkpoint(&self) -> bool {
        self.inner.wants_checkpoint() || self.checkpoints.due.load(Ordering::SeqCst)
    }
    fn checkpoint(&self, state: State) -> BoxFuture<'static, Result<(), JournalError>> {
        self.checkpoints.pass(self.inner.checkpoint(state))
    }
    fn look(&self) -> BoxFuture<'static, Result<(), JournalError>> {
        self.looks.pass(self.inner.look())
    }
    fn stop(self: Box<Self>) -> BoxFuture<'static, ()> {
        self.inner.stop()
    }
}

/// A running driver.
pub(crate) struct Running {
    pub(crate) inbox: Inbox,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) valve: Arc<Valve>,
    metrics: Arc<Metrics>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

pub(crate) fn empty_book() -> Arc<Source> {
    Arc::new(Source {
        files: Vec::<SourceFile>::new(),
        settings: Settings::default(),
        tzdb: "test".to_owned(),
    })
}

impl Running {
    pub(crate) async fn start() -> Self {
        let clock = Arc::new(HandClock::new());
        let valve = Valve::new(Arc::clone(&clock) as Arc<dyn Clock>);
        Self::over(clock, valve).await
    }

    async fn over(clock: Arc<HandClock>, valve: Arc<Valve>) -> Self {
        let running = Self::begin(clock, valve).await;
        running.until(Standing::is_ready).await;
        running
    }

    /// A driver that may never become ready.
    async fn begin(clock: Arc<HandClock>, valve: Arc<Valve>) -> Self {
        let (_, book) = watch::channel(Some(NewBook { source: empty_book(), by: None }));
        Self::begin_in(Arc::new(QuietWorld), book, clock, valve).await
    }

    /// A driver that takes these books.
    pub(crate) async fn with_books(clock: Arc<HandClock>, book: watch::Receiver<Option<NewBook>>) -> Self {
        let valve = Valve::new(Arc::clone(&clock) as Arc<dyn Clock>);
        let running = Self::begin_in(Arc::new(QuietWorld), book, clock, valve).await;
        running.until(Standing::is_ready).await;
        running
    }

    /// A driver in this world that takes these books.
    async fn begin_in(
        world: Arc<dyn World>,
        book: watch::Receiver<Option<NewBook>>,
        clock: Arc<HandClock>,
        valve: Arc<Valve>,
    ) -> Self {
        let (stop, stopped) = watch::channel(false);
        let metrics = Arc::new(Metrics::default());
        let equipment = Equipment {
            journals: Arc::clone(&valve) as Arc<dyn Journals>,
            world,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            redactor: Default::default(),
            metrics: Arc::clone(&metrics),
            book,
            stop: stopped,
            version: "test".to_owned(),
        };
        let opened = valve.open().await.expect("the journal opens");
        let (driver, inbox) = Driver::new(equipment);
        let task = tokio::spawn(driver.run(opened));
        Self { inbox, clock, valve, metrics, stop, task }
    }

    pub(crate) async fn until(&self, holds: impl FnMut(&Standing) -> bool) {
        let mut standing = self.inbox.watch();
        let waited = tokio::time::timeout(Duration::from_secs(30), standing.wait_for(holds)).await;
        waited.expect("it comes in time").expect("the driver lives");
    }

    async fn stop(self) -> (Arc<HandClock>, Arc<Valve>) {
        self.stop.send_replace(true);
        tokio::time::timeout(Duration::from_secs(30), self.task).await.expect("in time").expect("no panic");
        (self.clock, self.valve)
    }
}

pub(crate) fn delivery(names: &[&str]) -> Input {
    let alerts = names.iter().map(|name| Alert {
        status: AlertStatus::Firing,
        labels: [("alertname".to_owned(), (*name).to_owned())].into(),
        annotations: BTreeMap::new(),
        starts_at: Moment::from_unix_ms(1_763_713_800_000),
        ends_at: None,
        fingerprint: None,
    });
    Input::Alerts(Delivery {
        sender: "test".to_owned(),
        receiver: String::new(),
        group_key: String::new(),
        correlation: "c".to_owned(),
        alerts: alerts.collect(),
        unreadable: Vec::new(),
        truncated: 0,
    })
}

#[tokio::test]
async fn what_is_answered_is_there_after_a_restart() {
    let running = Running::start().await;
    let taken = running.inbox.take(delivery(&["A", "B"])).await.expect("taken");
    assert_eq!(taken.end.0 - taken.first.0, 3, "one delivery, two episodes");
    let (clock, valve) = running.stop().await;
    clock.pass(Span::from_secs(1));
    let running = Running::over(clock, valve).await;
    let open = running.inbox.look(|state| state.open.len()).await.expect("seen");
    assert_eq!(open, 2);
    running.stop().await;
}

#[tokio::test]
async fn a_repeat_opens_nothing() {
    let running = Running::start().await;
    running.inbox.take(delivery(&["A"])).await.expect("taken");
    let taken = running.inbox.take(delivery(&["A"])).await.expect("taken");
    let record = running.inbox.archive().expect("open").record(taken.first).await.expect("readable");
    let record = record.expect("it is there");
    let paramedic_policies::event::Event::Received { repeated, .. } = record.event else {
        panic!("{record:?}")
    };
    assert_eq!(repeated.len(), 1);
    assert_eq!(running.inbox.look(|state| state.open.len()).await, Ok(1));
    running.stop().await;
}

#[tokio::test]
async fn nothing_is_answered_before_it_is_durable_and_what_waits_shares_one_block() {
    let running = Running::start().await;
    running.valve.shut();
    let inbox = running.inbox.clone();
    let before = running.valve.blocks.lock().expect("no panics").len();
    let names: Vec<String> = (0..50).map(|n| format!("A{n}")).collect();
    let mut waiting: futures::stream::FuturesUnordered<_> =
        names.iter().map(|name| inbox.take(delivery(&[name]))).collect();
    let look = inbox.look(|state| state.open.len());
    tokio::pin!(look);
    // All are handed over and none is answered: the first append has not ended.
    let early = futures::StreamExt::next(&mut waiting);
    assert!(tokio::time::timeout(Duration::from_millis(300), early).await.is_err());
    assert!(tokio::time::timeout(Duration::from_millis(50), &mut look).await.is_err());
    running.valve.open_again();
    while let Some(taken) = futures::StreamExt::next(&mut waiting).await {
        taken.expect("taken");
    }
    assert_eq!(look.await, Ok(50));
    let blocks = running.valve.blocks.lock().expect("no panics").len() - before;
    assert!(blocks <= 3, "{blocks} blocks for 50 deliveries");
    running.stop().await;
}

#[tokio::test]
async fn a_full_inbox_turns_away_at_once() {
    let running = Running::start().await;
    running.valve.shut();
    let limit = INBOX_MAX + 8192;
    let mut waiting = Vec::new();
    let mut full = 0;
    for n in 0..limit {
        let name = format!("A{n}");
        let mut take = Box::pin({
            let inbox = running.inbox.clone();
            async move { inbox.take(delivery(&[&name])).await }
        });
        match futures::poll!(&mut take) {
            std::task::Poll::Ready(Err(Turned::Full)) => full += 1,
            std::task::Poll::Ready(other) => panic!("{other:?}"),
            std::task::Poll::Pending => waiting.push(take),
        }
    }
    assert!(full > 0);
    running.valve.open_again();
    for take in waiting {
        take.await.expect("what was taken in is answered");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_failed_append_freezes_discards_and_folds_anew() {
    let running = Running::start().await;
    running.inbox.take(delivery(&["Kept"])).await.expect("taken");
    running.valve.fails.store(true, Ordering::SeqCst);
    let lost = running.inbox.take(delivery(&["Lost"])).await;
    assert!(matches!(lost, Err(Turned::Frozen { .. })), "{lost:?}");
    assert!(!running.inbox.standing().is_ready());
    assert!(running.inbox.archive().is_none());
    let refused = running.inbox.take(delivery(&["Early"])).await;
    assert!(matches!(refused, Err(Turned::Frozen { .. })), "{refused:?}");
    running.until(Standing::is_ready).await;
    assert_eq!(running.valve.opened.load(Ordering::SeqCst), 2);
    let names = running
        .inbox
        .look(|state| state.episodes.values().map(|one| one.alert().to_owned()).collect::<Vec<_>>());
    assert_eq!(names.await.expect("seen"), ["Kept"]);
    running.inbox.take(delivery(&["Lost"])).await.expect("the sender comes again");
    running.stop().await;
}

#[tokio::test]
async fn a_stepped_clock_is_recorded_and_accepted() {
    let running = Running::start().await;
    running.clock.step(120_000);
    running.inbox.take(delivery(&["A"])).await.expect("taken");
    assert_eq!(running.inbox.standing().clock_stepped_ms, Some(120_000));
    let order = Order { by: "jane".to_owned(), command: Command::AcceptClock };
    let taken = running.inbox.take(Input::Order(order)).await.expect("taken");
    assert_eq!(taken.refusal, None);
    assert_eq!(running.inbox.standing().clock_stepped_ms, None);
    running.stop().await;
}

#[tokio::test]
async fn a_step_while_the_journal_is_broken_is_recorded() {
    let running = Running::start().await;
    running.valve.fails.store(true, Ordering::SeqCst);
    let lost = running.inbox.take(delivery(&["Lost"])).await;
    assert!(matches!(lost, Err(Turned::Frozen { .. })), "{lost:?}");
    running.clock.step(120_000);
    running.until(|standing| standing.is_ready() && standing.clock_stepped_ms == Some(120_000)).await;
    running.stop().await;
}

#[tokio::test]
async fn a_step_that_was_lost_with_its_block_is_recorded_later() {
    let running = Running::start().await;
    running.clock.step(120_000);
    running.valve.fails.store(true, Ordering::SeqCst);
    let lost = running.inbox.take(delivery(&["Lost"])).await;
    assert!(matches!(lost, Err(Turned::Frozen { .. })), "{lost:?}");
    running.until(|standing| standing.is_ready() && standing.clock_stepped_ms == Some(120_000)).await;
    running.stop().await;
}

#[tokio::test]
async fn a_step_that_was_lost_with_a_failing_look_is_recorded_later() {
    let running = Running::start().await;
    running.valve.looks.held.send_replace(true);
    pass(life::LOOK_EVERY + Duration::from_secs(1)).await;
    seen("a look", || running.valve.looks.begun.load(Ordering::SeqCst) > 0).await;
    running.valve.shut();
    running.clock.step(120_000);
    let blocks = || running.valve.blocks.lock().expect("no panics").len();
    let before = blocks();
    let lost = tokio::spawn({
        let inbox = running.inbox.clone();
        async move { inbox.take(delivery(&["Lost"])).await }
    });
    seen("an append with the step", || blocks() > before).await;
    running.valve.looks.fails.store(true, Ordering::SeqCst);
    running.valve.looks.held.send_replace(false);
    let lost = lost.await.expect("no panic");
    assert!(matches!(lost, Err(Turned::Frozen { .. })), "{lost:?}");
    running.valve.open_again();
    running.until(|standing| standing.is_ready() && standing.clock_stepped_ms == Some(120_000)).await;
    running.stop().await;
}

#[tokio::test]
async fn while_a_partition_is_opened_the_loop_goes_on_and_the_next_block_waits() {
    let running = Running::start().await;
    running.valve.checkpoints.held.send_replace(true);
    running.valve.checkpoints.due.store(true, Ordering::SeqCst);
    running.inbox.take(delivery(&["A"])).await.expect("taken");
    seen("a checkpoint", || running.valve.checkpoints.begun.load(Ordering::SeqCst) > 0).await;
    assert_eq!(running.inbox.look(|state| state.open.len()).await, Ok(1), "who only looks is answered");
    let before = running.valve.blocks.lock().expect("no panics").len();
    let next = tokio::spawn({
        let inbox = running.inbox.clone();
        async move { inbox.take(delivery(&["B"])).await }
    });
    seen("the letter's opening", || running.inbox.depth() == 0).await;
    assert_eq!(running.valve.blocks.lock().expect("no panics").len(), before);
    running.valve.checkpoints.held.send_replace(false);
    next.await.expect("no panic").expect("taken");
    assert_eq!(running.inbox.look(|state| state.open.len()).await, Ok(2));
    running.stop().await;
}

#[tokio::test]
async fn a_start_before_the_last_record_is_a_stepped_clock() {
    let running = Running::start().await;
    running.clock.pass(Span::from_mins(10));
    running.inbox.take(delivery(&["A"])).await.expect("taken");
    let (clock, valve) = running.stop().await;
    clock.step(-300_000);
    let running = Running::over(clock, valve).await;
    assert_eq!(running.inbox.standing().clock_stepped_ms, Some(-300_000));
    running.stop().await;
}

#[tokio::test]
async fn a_refused_order_says_why() {
    let running = Running::start().await;
    let command = Command::Approve { proposal: Seq(99), comment: String::new() };
    let taken =
        running.inbox.take(Input::Order(Order { by: "jane".to_owned(), command })).await.expect("taken");
    assert!(taken.refusal.is_some());
    let command = Command::Pause { scope: PauseScope::Everything, until: None, reason: "lunch".to_owned() };
    let taken =
        running.inbox.take(Input::Order(Order { by: "jane".to_owned(), command })).await.expect("taken");
    assert_eq!(taken.refusal, None);
    assert_eq!(running.inbox.standing().pauses, 1);
    running.stop().await;
}

#[tokio::test]
async fn after_the_order_to_stop_nothing_is_taken() {
    let running = Running::start().await;
    let inbox = running.inbox.clone();
    running.stop().await;
    assert_eq!(inbox.take(delivery(&["A"])).await, Err(Turned::Stopping));
}

/// The standing that shows trouble, once there is one.
async fn trouble(running: &Running) -> JournalStanding {
    let mut standing = running.inbox.watch();
    let broken = standing.wait_for(|standing| match standing.journal {
        JournalStanding::Broken { .. } | JournalStanding::Stuck { .. } => true,
        JournalStanding::Opening | JournalStanding::Open | JournalStanding::Stopping => false,
    });
    let seen = tokio::time::timeout(Duration::from_secs(30), broken).await;
    seen.expect("it comes in time").expect("the driver lives").journal.clone()
}

/// As if that much time had passed at once, for whoever waits now.
async fn pass(span: Duration) {
    tokio::time::pause();
    tokio::time::advance(span).await;
    tokio::time::resume();
}

/// Waits for what nobody announces.
async fn seen(what: &str, mut holds: impl FnMut() -> bool) {
    let patience = std::time::Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(std::time::Instant::now() < patience, "{what} did not come");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn an_append_that_hangs_freezes() {
    let running = Running::start().await;
    running.inbox.take(delivery(&["Kept"])).await.expect("taken");
    running.valve.shut();
    let blocks = || running.valve.blocks.lock().expect("no panics").len();
    let before = blocks();
    let late = tokio::spawn({
        let inbox = running.inbox.clone();
        async move { inbox.take(delivery(&["Late"])).await }
    });
    seen("an append", || blocks() > before).await;
    pass(life::APPENDS_WITHIN + Duration::from_secs(1)).await;
    let broken = trouble(&running).await;
    let JournalStanding::Broken { problem } = broken else { panic!("{broken:?}") };
    assert!(problem.contains("the disk did not answer within 30 s"), "{problem}");
    let answer = late.await.expect("no panic");
    assert!(matches!(answer, Err(Turned::Frozen { .. } | Turned::Late)), "{answer:?}");
    assert!(!running.inbox.standing().is_ready());
    running.valve.open_again();
    running.until(Standing::is_ready).await;
    running.inbox.take(delivery(&["Later"])).await.expect("it goes on");
    running.stop().await;
}

#[tokio::test]
async fn a_folder_that_is_gone_is_noticed_while_nothing_is_written_and_never_begun_anew() {
    let running = Running::start().await;
    running.inbox.take(delivery(&["Kept"])).await.expect("taken");
    let (data, aside) = (running.valve.folder.path().join("data"), running.valve.folder.path().join("aside"));
    std::fs::rename(&data, &aside).expect("it is there");
    pass(life::LOOK_EVERY + Duration::from_secs(1)).await;
    let broken = trouble(&running).await;
    let JournalStanding::Broken { problem } = broken else { panic!("{broken:?}") };
    assert!(problem.contains("journal.json is not there any more"), "{problem}");
    // It is opened again and again, and does not become an empty journal.
    let lost = |standing: &Standing| matches!(&standing.journal, JournalStanding::Broken { problem } if problem.contains("there is none any more"));
    running.until(lost).await;
    assert!(!data.exists(), "nothing was begun in its place");
    std::fs::rename(&aside, &data).expect("it is there");
    running.until(Standing::is_ready).await;
    assert_eq!(running.inbox.look(|state| state.open.len()).await, Ok(1));
    running.stop().await;
}

#[tokio::test]
async fn a_stuck_engine_freezes_names_the_duty_and_goes_on_when_a_fold_is_whole() {
    let clock = Arc::new(HandClock::new());
    let valve = Valve::new(Arc::clone(&clock) as Arc<dyn Clock>);
    valve.sticks.store(true, Ordering::SeqCst);
    let running = Running::begin(clock, valve).await;
    let stuck = trouble(&running).await;
    let JournalStanding::Stuck { duty, hint, .. } = stuck else { panic!("{stuck:?}") };
    assert_eq!(duty, "the case of policy `restart-web` on episode 7");
    assert!(hint.contains("report it"), "{hint}");
    assert!(!running.inbox.standing().is_ready());
    let refused = running.inbox.take(delivery(&["A"])).await;
    assert!(matches!(refused, Err(Turned::Stuck { .. })), "{refused:?}");
    let is_counted = || running.metrics.text(0).contains("paramedic_engine_stuck_total 1");
    seen("the count", is_counted).await;
    running.valve.sticks.store(false, Ordering::SeqCst);
    pass(Duration::from_secs(61)).await;
    running.until(Standing::is_ready).await;
    running.inbox.take(delivery(&["A"])).await.expect("it goes on");
    running.stop().await;
}
