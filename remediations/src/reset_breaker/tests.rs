//! That reset breaker does what its file says, over a cluster and HTTP endpoints in memory.

use std::sync::Arc;

use paramedic_policies::action::{Action, DiffSource, Intent, Mode, Outcome, Wish};
use paramedic_policies::remediation::reset_breaker::{self, Endpoints};
use paramedic_policies::remediation::restart;
use paramedic_policies::target::Target;

use crate::fakes::{
    Answer, FakeCluster, FakeHttp, STAMP, halted_after, http_only, intent, names, preflight, remedies,
    sealed, target,
};
use crate::ports::cluster::Workload;
use crate::ports::halt::Halt;
use crate::ports::world::World;

const A: &str = "http://10.0.0.1:8080";
const B: &str = "http://10.0.0.2:8080";

fn service() -> Target {
    Target { kind: "Service".into(), ..target() }
}

fn of_service() -> Wish {
    Wish::ResetBreaker(reset_breaker::Wish {
        breaker: "postgres".into(),
        endpoints: Endpoints::OfService { port: "http".into() },
    })
}

fn listed(urls: &[&str]) -> Wish {
    let urls = urls.iter().map(|url| (*url).to_owned()).collect();
    Wish::ResetBreaker(reset_breaker::Wish { breaker: "postgres".into(), endpoints: Endpoints::Listed(urls) })
}

fn resetting() -> Intent {
    let action = Action::ResetBreaker(reset_breaker::Action {
        breaker: "postgres".into(),
        endpoints: vec![A.into(), B.into()],
        port: None,
    });
    Intent { target: service(), uid: "uid-service".into(), ..intent(action) }
}

async fn performed(http: &Arc<FakeHttp>) -> Outcome {
    http_only(http).perform(&sealed(resetting()), &Halt::never()).await
}

#[tokio::test(start_paused = true)]
async fn a_preflight_asks_every_endpoint_and_names_those_that_are_not_closed() {
    let planned = |endpoints: &[&str]| {
        Some(Action::ResetBreaker(reset_breaker::Action {
            breaker: "postgres".into(),
            endpoints: endpoints.iter().map(|url| (*url).to_owned()).collect(),
            port: Some("http".into()),
        }))
    };
    for (of_a, of_b, endpoints) in
        [("OPEN", "HALF_OPEN", &[A, B][..]), ("OPEN", "CLOSED", &[A]), ("CLOSED", "OPEN", &[B])]
    {
        let world = remedies(&FakeCluster::new(|_| {}), &FakeHttp::new(&[(A, of_a), (B, of_b)]));
        let found = preflight(&world, service(), of_service(), false).await;
        assert_eq!((found.action, found.uid.as_str()), (planned(endpoints), "uid-service"));
        assert_eq!(found.passed.iter().filter(|line| line.contains("breaker postgres on")).count(), 2);
    }
    let world = remedies(&FakeCluster::new(|_| {}), &FakeHttp::new(&[(A, "OPEN"), (B, "CLOSED")]));
    let found = preflight(&world, service(), of_service(), true).await;
    let diff = found.diff.expect("one was asked for");
    assert!(matches!(diff.source, DiffSource::Computed { .. }));
    assert_eq!(diff.fields.len(), 1, "{diff:?}");
    assert_eq!(found.surroundings.map(|around| around.added), Some(0));
}

#[tokio::test(start_paused = true)]
async fn each_obstacle_refuses_by_its_name() {
    let http = FakeHttp::new(&[(A, "OPEN"), (B, "-")]);
    let healthy = FakeCluster::new(|_| {});
    let world = remedies(&healthy, &http);
    assert_eq!(names(&preflight(&world, service(), of_service(), false).await.refusals), ["factUnknown"]);
    assert_eq!(names(&preflight(&world, target(), of_service(), false).await.refusals), ["wrongKind"]);
    assert_eq!(names(&preflight(&world, service(), listed(&[]), false).await.refusals), ["targetAbsent"]);
    let without = http_only(&http);
    assert_eq!(names(&preflight(&without, service(), of_service(), false).await.refusals), ["noKubernetes"]);
    assert_eq!(
        names(&preflight(&without, target(), Wish::Restart(restart::Wish {}), false).await.refusals),
        ["noKubernetes"]
    );
    let paused = FakeCluster::new(|workload| {
        workload.annotations.insert("paramedic.dev/pause-until".into(), "2027-01-01T00:00:00Z".into());
    });
    let both = FakeHttp::new(&[(A, "OPEN"), (B, "OPEN")]);
    let found = preflight(&remedies(&paused, &both), service(), of_service(), false).await;
    assert_eq!(names(&found.refusals), ["pausedByAnnotation"]);
    let unknown = Wish::ResetBreaker(reset_breaker::Wish {
        breaker: "redis".into(),
        endpoints: Endpoints::Listed(vec![A.into()]),
    });
    assert_eq!(names(&preflight(&without, service(), unknown, false).await.refusals), ["factUnknown"]);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_changed_since_it_was_looked_at_is_not_touched() {
    let of_service = |uid: &str, urls: &[&str]| {
        let action = Action::ResetBreaker(reset_breaker::Action {
            breaker: "postgres".into(),
            endpoints: urls.iter().map(|url| (*url).to_owned()).collect(),
            port: Some("http".into()),
        });
        sealed(Intent { target: service(), uid: uid.into(), ..intent(action) })
    };
    let (as_it_was, gone) = (&[A, B][..], &[A, "http://10.0.0.9:8080"][..]);
    let pause = |workload: &mut Workload| {
        workload.annotations.insert("paramedic.dev/pause-until".into(), "2027-01-01T00:00:00Z".into());
    };
    for (uid, urls, paused, refusals) in [
        ("uid-service", as_it_was, false, &[][..]),
        ("uid-earlier", as_it_was, false, &["changed"]),
        ("uid-service", gone, false, &["changed"]),
        ("uid-service", as_it_was, true, &["pausedByAnnotation"]),
    ] {
        let http = FakeHttp::new(&[(A, "OPEN"), (B, "OPEN")]);
        let cluster = FakeCluster::new(|workload| {
            if paused {
                pause(workload)
            }
        });
        let outcome = remedies(&cluster, &http).perform(&of_service(uid, urls), &Halt::never()).await;
        let refused = match &outcome {
            Outcome::Refused { reasons } => names(reasons),
            _ => Vec::new(),
        };
        assert_eq!(refused, refusals, "{outcome:?}");
        assert_eq!(http.posts().len(), if refusals.is_empty() { 2 } else { 0 });
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_closed_everywhere_is_closed_already() {
    let http = FakeHttp::new(&[(A, "CLOSED"), (B, "CLOSED")]);
    let found = preflight(&http_only(&http), service(), listed(&[A, B]), false).await;
    assert_eq!((found.already, found.action), (true, None));
    assert_eq!(performed(&http).await, Outcome::Done { diff: None, already: true });
    assert!(http.posts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_reset_reaches_every_endpoint_that_is_not_closed_once() {
    let http = FakeHttp::new(&[(A, "OPEN"), (B, "HALF_OPEN")]);
    let Outcome::Done { diff: Some(diff), already: false } = performed(&http).await else { panic!() };
    let seen: Vec<_> = diff.fields.iter().map(|one| (one.before.as_str(), one.after.as_str())).collect();
    assert_eq!(seen, [("OPEN", "CLOSED"), ("HALF_OPEN", "CLOSED")]);
    let posts = http.posts();
    assert_eq!(posts[0].url, format!("{A}/api/resilience/circuit-breakers/postgres/reset"));
    let header =
        |name: &str| posts[0].headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    assert_eq!((header("Idempotency-Key"), header("X-Correlation-Id")), (Some(STAMP), Some("c-1")));

    assert_eq!(performed(&http).await.name(), "done");
    assert_eq!(http.posts().len(), 2, "a repeat sends nothing");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_before_every_endpoint_has_shown_its_state() {
    let http = FakeHttp::new(&[(A, "OPEN"), (B, "-")]);
    let outcome = performed(&http).await;
    assert!(matches!(outcome, Outcome::Failed { applied: false, .. }), "{outcome:?}");
    assert!(http.posts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn each_way_a_reset_can_fail_has_its_own_end() {
    for (of_a, of_b, ends) in [
        (Answer::LostAfter, Answer::Honest, "done"),
        (Answer::LostBefore, Answer::Honest, "unknown"),
        (Answer::Denied, Answer::Denied, "failed, nothing applied"),
        (Answer::NotSent, Answer::NotSent, "failed, nothing applied"),
        (Answer::Honest, Answer::NotSent, "failed, applied"),
        (Answer::Honest, Answer::Denied, "failed, applied"),
        (Answer::Honest, Answer::Broken, "failed, applied"),
    ] {
        let http = FakeHttp::new(&[(A, "OPEN"), (B, "OPEN")]).answering(A, of_a).answering(B, of_b);
        let outcome = performed(&http).await;
        let ended = match &outcome {
            Outcome::Failed { applied: true, .. } => "failed, applied",
            Outcome::Failed { applied: false, .. } => "failed, nothing applied",
            other => other.name(),
        };
        assert_eq!(ended, ends, "{of_a:?}, {of_b:?}: {outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_intent_in_doubt_is_closed_by_the_states() {
    let seal = sealed(resetting());
    for (of_b, ends) in [("CLOSED", "done"), ("OPEN", "unknown"), ("-", "unknown")] {
        let http = FakeHttp::new(&[(A, "CLOSED"), (B, of_b)]);
        let outcome = http_only(&http).close(&seal).await;
        assert_eq!(outcome.name(), ends, "{of_b}");
        assert!(!matches!(outcome, Outcome::Done { already: true, .. }), "the resets may have been sent");
        assert!(http.posts().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_rehearsal_sends_nothing() {
    let http = FakeHttp::new(&[(A, "OPEN"), (B, "CLOSED")]);
    let seal = sealed(Intent { mode: Mode::DryRun, ..resetting() });
    let Outcome::Done { diff: Some(diff), already: false } =
        http_only(&http).perform(&seal, &Halt::never()).await
    else {
        panic!()
    };
    assert_eq!(diff.fields.len(), 1);
    assert!(http.posts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_reset_has_no_way_back() {
    let http = FakeHttp::new(&[(A, "CLOSED"), (B, "CLOSED")]);
    let back = Wish::Revert(resetting().action);
    let found = preflight(&http_only(&http), service(), back, true).await;
    assert_eq!((names(&found.refusals), found.action), (vec!["badValue"], None));
    assert_eq!(resetting().action.inverse(), None, "what was open cannot be opened again");
    assert!(http.posts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_pause_stops_it_before_the_next_endpoint() {
    let http = FakeHttp::new(&[(A, "OPEN"), (B, "HALF_OPEN")]);
    let halt = halted_after(1, &http.pauses);
    let outcome = http_only(&http).perform(&sealed(resetting()), &halt).await;
    let Outcome::Failed { what, applied: true, .. } = &outcome else { panic!("half done: {outcome:?}") };
    let wanted = format!(
        "could not close breaker postgres everywhere: it is HALF_OPEN on {B} and was not reset there: \
         everything is paused by ann; reset on {A}"
    );
    assert_eq!(*what, wanted);
    assert_eq!(http.posts().len(), 1);
}
