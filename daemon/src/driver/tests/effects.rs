//! Effects: their places, what stops them before they begin, and the end of those whose process is gone.

use paramedic_policies::action::{Action, Mode};
use paramedic_policies::answer::{Preflight, Surroundings};
use paramedic_policies::policy::{Limit, LimitScope};
use paramedic_policies::question::Ask;
use paramedic_policies::remediation::restart;
use paramedic_policies::settings::Pace;
use paramedic_policies::state::InFlight;
use paramedic_policies::target::Target;
use paramedic_remediations::ports::halt::Halt;
use paramedic_remediations::{EFFECTS_AT_ONCE, Release, WriteAhead};

use super::*;
use crate::redaction::Redactor;

/// A world in which everything may be restarted, and a restart ends when the test says so.
struct Restarting {
    begun: AtomicUsize,
    ends: Semaphore,
}

#[async_trait]
impl World for Restarting {
    async fn answer(&self, question: &Question) -> Found {
        let Ask::Preflight { .. } = question.ask else {
            return Found::Failed { what: format!("nobody knows {:?}", question.ask) };
        };
        Found::Preflight(Box::new(Preflight {
            uid: "uid-1".to_owned(),
            action: Some(Action::Restart(restart::Action { generation: 1 })),
            already: false,
            refusals: Vec::new(),
            passed: Vec::new(),
            labels: BTreeMap::new(),
            beside: Default::default(),
            surroundings: Some(Surroundings { desired: 100, unavailable: 0, added: 0, workloads: 100 }),
            diff: None,
        }))
    }
    async fn perform(&self, _: &Sealed<Intent>, _: &Halt) -> Outcome {
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.ends.acquire().await.expect("never closed").forget();
        Outcome::Done { diff: None, already: false }
    }
    async fn close(&self, _: &Sealed<Intent>) -> Outcome {
        Outcome::Unknown { what: "nobody looked".to_owned() }
    }
}

const ALERTS: [&str; EFFECTS_AT_ONCE + 1] = ["A0", "A1", "A2", "A3", "A4", "A5", "A6", "A7", "A8"];

/// A policy for each alert, on a target in a namespace of its own, and nothing that would make them wait.
fn book() -> Arc<Source> {
    let files = ALERTS.iter().map(|alert| {
        let name = alert.to_lowercase();
        let text = format!(
            "apiVersion: paramedic.dev/v1alpha1\nkind: RemediationPolicy\nmetadata: {{name: restart-{name}}}\nspec:\n  \
             mode: enforce\n  match: ['alertname=\"{alert}\"']\n  \
             target: {{kind: Deployment, namespace: {name}, name: web}}\n  ladder:\n    - restart: {{}}\n"
        );
        SourceFile { path: format!("{name}.yaml"), text }
    });
    let mut settings = Settings { mode: Mode::Enforce, ..Settings::default() };
    settings.guards.confirmation = false;
    settings.guards.limits = vec![Limit { max: 100, per: Span::from_hours(1), by: LimitScope::Global }];
    settings.guards.pace = Pace { every: Span::from_secs(1), burst: 100 };
    Arc::new(Source { files: files.collect(), settings, tzdb: "test".to_owned() })
}

async fn restarting() -> (Running, Arc<Restarting>) {
    let world = Arc::new(Restarting { begun: AtomicUsize::new(0), ends: Semaphore::new(0) });
    let clock = Arc::new(HandClock::new());
    let valve = Valve::new(Arc::clone(&clock) as Arc<dyn Clock>);
    let (_, book) = watch::channel(Some(NewBook { source: book(), by: None }));
    let running = Running::begin_in(Arc::clone(&world) as Arc<dyn World>, book, clock, valve).await;
    running.until(Standing::is_ready).await;
    (running, world)
}

/// Eight restarts under way, and a ninth that waits for a place.
async fn nine() -> (Running, Arc<Restarting>) {
    let (running, world) = restarting().await;
    running.inbox.take(delivery(&ALERTS)).await.expect("taken");
    running.until(|standing| standing.in_flight == ALERTS.len()).await;
    seen("eight restarts", || world.begun.load(Ordering::SeqCst) == EFFECTS_AT_ONCE).await;
    (running, world)
}

/// How intents ended that did not begin.
async fn not_begun(running: &Running) -> Vec<String> {
    let archive = running.inbox.archive().expect("open");
    let filter = crate::journal::Filter { outcome: Some("failed".to_owned()), ..Default::default() };
    let records = archive.query(filter).await.expect("readable").items.into_iter();
    let ended = records.filter_map(|record| match record.event {
        paramedic_policies::event::Event::Ended {
            outcome: Outcome::Failed { what, applied, .. }, ..
        } => {
            assert!(!applied);
            Some(what)
        }
        _ => None,
    });
    ended.collect()
}

#[tokio::test]
async fn an_effect_that_waited_begins_when_there_is_a_place() {
    let (running, world) = nine().await;
    world.ends.add_permits(1);
    seen("the ninth", || world.begun.load(Ordering::SeqCst) == ALERTS.len()).await;
    world.ends.add_permits(100);
    running.until(|standing| standing.in_flight == 0).await;
    running.stop().await;
}

#[tokio::test]
async fn an_effect_that_waited_does_not_begin_after_a_pause() {
    let (running, world) = nine().await;
    let command = Command::Pause { scope: PauseScope::Everything, until: None, reason: String::new() };
    running.inbox.take(Input::Order(Order { by: "jane".to_owned(), command })).await.expect("taken");
    world.ends.add_permits(1);
    running.until(|standing| standing.in_flight == EFFECTS_AT_ONCE - 1).await;
    assert_eq!(world.begun.load(Ordering::SeqCst), EFFECTS_AT_ONCE);
    assert_eq!(not_begun(&running).await, ["not begun: everything is paused by jane"]);
    world.ends.add_permits(100);
    running.until(|standing| standing.in_flight == 0).await;
    running.stop().await;
}

/// An effect of many changes, which asks before each and makes none.
struct Draining;

#[async_trait]
impl World for Draining {
    async fn answer(&self, question: &Question) -> Found {
        Restarting { begun: AtomicUsize::new(0), ends: Semaphore::new(0) }.answer(question).await
    }
    async fn perform(&self, _: &Sealed<Intent>, halt: &Halt) -> Outcome {
        loop {
            if let Err(why) = halt.may_go_on() {
                return Outcome::Failed { what: why, applied: false, diff: None };
            }
            tokio::task::yield_now().await;
        }
    }
    async fn close(&self, _: &Sealed<Intent>) -> Outcome {
        Outcome::Unknown { what: "nobody looked".to_owned() }
    }
}

/// A drain under way.
async fn draining() -> Running {
    let clock = Arc::new(HandClock::new());
    let valve = Valve::new(Arc::clone(&clock) as Arc<dyn Clock>);
    let (_, book) = watch::channel(Some(NewBook { source: book(), by: None }));
    let running = Running::begin_in(Arc::new(Draining) as Arc<dyn World>, book, clock, valve).await;
    running.until(Standing::is_ready).await;
    running.inbox.take(delivery(&["A0"])).await.expect("taken");
    running.until(|standing| standing.in_flight == 1).await;
    running
}

#[tokio::test]
async fn an_effect_under_way_hears_of_a_pause_before_its_next_change() {
    let running = draining().await;
    let scope = PauseScope::Namespace("a0".to_owned());
    let command = Command::Pause { scope, until: None, reason: String::new() };
    running.inbox.take(Input::Order(Order { by: "jane".to_owned(), command })).await.expect("taken");
    running.until(|standing| standing.in_flight == 0).await;
    assert_eq!(not_begun(&running).await, ["namespace a0 is paused by jane"]);
    running.stop().await;
}

#[tokio::test]
async fn an_effect_under_way_makes_no_change_while_the_journal_is_broken() {
    let running = draining().await;
    running.valve.fails.store(true, Ordering::SeqCst);
    let lost = running.inbox.take(delivery(&["Lost"])).await;
    assert!(matches!(lost, Err(Turned::Frozen { .. })), "{lost:?}");
    running.until(|standing| standing.is_ready() && standing.in_flight == 0).await;
    let ended = not_begun(&running).await;
    assert!(ended.len() == 1 && ended[0].contains("the disk is full"), "{ended:?}");
    running.stop().await;
}

#[tokio::test]
async fn an_effect_that_waited_does_not_begin_after_the_order_to_stop() {
    let (running, world) = nine().await;
    running.stop.send_replace(true);
    running.until(|standing| standing.journal == JournalStanding::Stopping).await;
    world.ends.add_permits(100);
    let (clock, valve) = running.stop().await;
    assert_eq!(world.begun.load(Ordering::SeqCst), EFFECTS_AT_ONCE);
    let running = Running::over(clock, valve).await;
    assert_eq!(not_begun(&running).await, ["not begun: the daemon stops"]);
    running.stop().await;
}

#[tokio::test]
async fn a_refusal_is_counted_each_time() {
    let (running, _) = restarting().await;
    let command = Command::Pause { scope: PauseScope::Everything, until: None, reason: String::new() };
    running.inbox.take(Input::Order(Order { by: "jane".to_owned(), command })).await.expect("taken");
    for times in 1..=3 {
        running.inbox.take(delivery(&["A0"])).await.expect("taken");
        let count = format!("paramedic_refusals_total{{policy=\"restart-a0\",reason=\"paused\"}} {times}\n");
        let text = running.metrics.text(0);
        assert!(text.contains(&count), "{text}");
        // Longer than it is held.
        running.clock.pass(Span::from_mins(10));
    }
    running.stop().await;
}

/// A seal on an intent of a process that is gone, with that long until its deadline.
fn seal(clock: &HandClock, left: Span) -> Sealed<Intent> {
    let id = Seq(7);
    let target = Target { kind: "Deployment".into(), namespace: "prod".into(), name: "web".into() };
    let intent = Intent {
        id,
        episode: Seq(1),
        policy: "restart-web".to_owned(),
        book: paramedic_policies::book::Digest::default(),
        rung: 0,
        step: 0,
        target,
        uid: "uid-1".to_owned(),
        action: Action::Restart(restart::Action { generation: 1 }),
        mode: Mode::Enforce,
        at: clock.wall(),
        deadline: clock.wall() + left,
        charged: true,
        reverts: None,
        revert_after: None,
        epoch: 1,
        approved_by: None,
        correlation: None,
    };
    let mut state = State { next: Seq(8), ..State::new() };
    state.in_flight.insert(id, InFlight { intent, in_doubt: false });
    let mut ahead = WriteAhead::new(state, "journal".to_owned());
    ahead.feed(clock.wall(), &Input::Began { version: "test".to_owned() }, None);
    let block = ahead.take_block().expect("the start is recorded");
    let root = paramedic_policies::book::Digest::default();
    let receipt = Receipt { first: block.first(), end: block.end(), root };
    let found = ahead.committed(&receipt).into_iter().find_map(|release| match release {
        Release::Close(seal) => Some(seal),
        Release::Act(_) | Release::Ask(_) | Release::Deliver(_) | Release::Reply { .. } => None,
    });
    found.expect("it is in doubt")
}

/// A world whose closing takes that long.
struct Closing(Duration);

#[async_trait]
impl World for Closing {
    async fn answer(&self, _: &Question) -> Found {
        Found::Failed { what: "nobody is there".to_owned() }
    }
    async fn perform(&self, _: &Sealed<Intent>, _: &Halt) -> Outcome {
        Outcome::Failed { what: "nobody is there".to_owned(), applied: false, diff: None }
    }
    async fn close(&self, _: &Sealed<Intent>) -> Outcome {
        tokio::time::sleep(self.0).await;
        Outcome::Done { diff: None, already: false }
    }
}

/// How closing ends that takes so long, of an intent with so long until its deadline.
async fn check_closing(left: Span, takes: Duration, ends: &str) {
    let clock = Arc::new(HandClock::new());
    let seal = seal(&clock, left);
    let mut errands = errands::Errands::new(Arc::new(Closing(takes)), clock, Redactor::default());
    errands.close(seal);
    let Input::Ended { outcome, .. } = errands.next().await else { panic!("an end is awaited") };
    assert_eq!(outcome.name(), ends, "{left} until the deadline, {takes:?} to close");
}

#[tokio::test(start_paused = true)]
async fn closing_may_take_as_long_as_the_effect_and_its_last_looks() {
    check_closing(Span::from_mins(10), Duration::from_secs(9 * 60), "done").await;
    check_closing(Span::ZERO, Duration::from_secs(185), "done").await;
    check_closing(Span::ZERO, Duration::from_secs(221), "unknown").await;
}
