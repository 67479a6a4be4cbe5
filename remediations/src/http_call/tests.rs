//! That a call does what its file says, over a queue service in memory.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use paramedic_policies::action::{Action, Intent, Mode, Outcome, Wish};
use paramedic_policies::remediation::http_call::{self, Call, Look, Method, Undo};
use paramedic_policies::time::Span;
use serde_json::json;

use crate::Remedies;
use crate::fakes::{
    Answer, FakeCluster, STAMP, intent, names, nobody, now, preflight, refused, sealed, target,
};
use crate::ports::cluster::Hands;
use crate::ports::halt::Halt;
use crate::ports::http::{self as port, CallError, Declared, Http, HttpHands, Reply, Request};
use crate::ports::world::World;
use crate::seal::Sealed;

/// A service with one message, and how it answers.
struct Queue {
    state: Mutex<&'static str>,
    answers: Mutex<Vec<Answer>>,
    sent: Mutex<Vec<(Method, Request)>>,
    declared: Mutex<Option<Declared>>,
    looks: Mutex<bool>,
}

impl Queue {
    fn new() -> Arc<Self> {
        let headers = vec![("Authorization".to_owned(), "Bearer <from /run/token>".to_owned())];
        Arc::new(Self {
            state: Mutex::new("queued"),
            answers: Mutex::default(),
            sent: Mutex::default(),
            declared: Mutex::new(Some(Declared { base: "http://queues".into(), headers, unready: None })),
            looks: Mutex::new(true),
        })
    }

    fn answering(self: Arc<Self>, answers: &[Answer]) -> Arc<Self> {
        *self.answers.lock().expect("no test panicked") = answers.to_vec();
        self
    }

    fn declaring(self: Arc<Self>, change: impl FnOnce(&mut Option<Declared>)) -> Arc<Self> {
        change(&mut self.declared.lock().expect("no test panicked"));
        self
    }

    fn with_state(self: Arc<Self>, state: &'static str) -> Arc<Self> {
        *self.state.lock().expect("no test panicked") = state;
        self
    }

    fn blind(self: Arc<Self>) -> Arc<Self> {
        *self.looks.lock().expect("no test panicked") = false;
        self
    }

    fn sent(&self) -> Vec<(Method, Request)> {
        self.sent.lock().expect("no test panicked").clone()
    }

    fn world(self: &Arc<Self>) -> Remedies {
        let http = Arc::clone(self) as Arc<dyn HttpHands>;
        Remedies::with_hands(None, http, nobody(), Arc::new(now))
    }
}

#[async_trait]
impl Http for Queue {
    async fn get(&self, call: &port::Call) -> Result<Reply, CallError> {
        Err(CallError::NotSent { url: call.url.clone(), problem: "nobody is there".into() })
    }

    async fn declared(&self, endpoint: &str) -> Option<Declared> {
        self.declared.lock().expect("no test panicked").clone().filter(|_| endpoint == "dlq")
    }

    async fn look(&self, _: &Request) -> Result<Reply, CallError> {
        if !*self.looks.lock().expect("no test panicked") {
            return Ok(Reply { status: 503, body: String::new() });
        }
        let state = *self.state.lock().expect("no test panicked");
        Ok(Reply { status: 200, body: json!({ "state": state }).to_string() })
    }
}

#[async_trait]
impl HttpHands for Queue {
    async fn post(&self, _: &Sealed<Intent>, call: &port::Call) -> Result<Reply, CallError> {
        Err(CallError::NotSent { url: call.url.clone(), problem: "nobody is there".into() })
    }

    async fn send(&self, _: &Sealed<Intent>, method: Method, request: &Request) -> Result<Reply, CallError> {
        let mut answers = self.answers.lock().expect("no test panicked");
        let answer = if answers.is_empty() { Answer::Honest } else { answers.remove(0) };
        let (url, problem) = (request.path.clone(), "connection reset".to_owned());
        if answer != Answer::NotSent {
            self.sent.lock().expect("no test panicked").push((method, request.clone()));
        }
        let state = if request.path.ends_with("replay") { "queued" } else { "dead" };
        let work = || *self.state.lock().expect("no test panicked") = state;
        match answer {
            Answer::Honest if *self.state.lock().expect("no test panicked") == state => {
                Ok(Reply { status: 409, body: String::new() })
            }
            Answer::Honest => {
                work();
                Ok(Reply { status: 202, body: String::new() })
            }
            Answer::Denied | Answer::NoDisruption => Ok(Reply { status: 403, body: String::new() }),
            Answer::Broken => Ok(Reply { status: 500, body: String::new() }),
            Answer::NotSent => Err(CallError::NotSent { url, problem }),
            Answer::LostBefore => Err(CallError::NoAnswer { url, problem }),
            Answer::LostAfter | Answer::LostBlind => {
                work();
                Err(CallError::NoAnswer { url, problem })
            }
        }
    }
}

fn call(path: &str) -> Call {
    let body = Some(json!({"job": "1"}));
    Call { method: Method::Post, path: path.into(), body, expect: vec![202], already: vec![409] }
}

fn look(state: &str) -> Look {
    Look { path: "/m/1".into(), status: 200, field: Some(("/state".into(), json!(state))), absent: None }
}

/// Moves a message to the dead letters; knows how to look, and how to take it back.
fn whole() -> http_call::Wish {
    http_call::Wish {
        endpoint: "dlq".into(),
        call: call("/m/1/dead"),
        look: Some(look("dead")),
        idempotent: false,
        idempotency_key: "Idempotency-Key".into(),
        timeout: Span::from_secs(5),
        undo: Some(Undo { call: call("/m/1/replay"), look: Some(look("queued")) }),
    }
}

fn blunt() -> http_call::Wish {
    http_call::Wish { look: None, undo: None, ..whole() }
}

fn intended(wish: http_call::Wish) -> Intent {
    intent(Action::Http(http_call::Action { base: "http://queues".into(), wish }))
}

async fn performed(queue: &Arc<Queue>, wish: http_call::Wish) -> Outcome {
    queue.world().perform(&sealed(intended(wish)), &Halt::never()).await
}

#[tokio::test(start_paused = true)]
async fn a_preflight_shows_the_request_with_the_files_of_its_secrets() {
    let queue = Queue::new();
    let found = preflight(&queue.world(), target(), Wish::Http(whole()), true).await;
    let shown: Vec<String> = found
        .diff
        .expect("one was asked for")
        .fields
        .iter()
        .map(|field| format!("{}: {}", field.path, field.after))
        .collect();
    assert_eq!(
        shown,
        [
            "request: POST http://queues/m/1/dead",
            "header Authorization: Bearer <from /run/token>",
            "header Idempotency-Key: <the stamp of the intent>",
            "body: {\"job\":\"1\"}",
        ]
    );
    assert!(found.action.is_some() && queue.sent().is_empty());
}

#[tokio::test(start_paused = true)]
async fn each_obstacle_refuses_by_its_name() {
    let refusals = async |queue: Arc<Queue>| {
        names(&preflight(&queue.world(), target(), Wish::Http(whole()), false).await.refusals)
    };
    assert_eq!(refusals(Queue::new().declaring(|declared| *declared = None)).await, ["targetAbsent"]);
    let unready = Queue::new().declaring(|declared| {
        declared.as_mut().expect("one").unready = Some("could not read /run/token".into());
    });
    assert_eq!(refusals(unready).await, ["factUnknown"]);
    assert_eq!(refusals(Queue::new().blind()).await, ["factUnknown"]);

    let paused = FakeCluster::new(|workload| {
        workload.annotations.insert("paramedic.dev/pause-until".into(), "2027-01-01T00:00:00Z".into());
    });
    let http = Queue::new() as Arc<dyn HttpHands>;
    let world = Remedies::with_hands(Some(paused as Arc<dyn Hands>), http, nobody(), Arc::new(now));
    let found = preflight(&world, target(), Wish::Http(whole()), false).await;
    assert_eq!((names(&found.refusals), found.labels.len()), (vec!["pausedByAnnotation"], 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_done_already_is_not_done_again() {
    let queue = Queue::new().with_state("dead");
    let found = preflight(&queue.world(), target(), Wish::Http(whole()), false).await;
    assert_eq!((found.already, found.action), (true, None));
    assert_eq!(performed(&queue, whole()).await, Outcome::Done { diff: None, already: true });
    assert!(queue.sent().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_call_carries_the_stamp_and_a_repeat_of_the_intent_sends_nothing() {
    let queue = Queue::new();
    let Outcome::Done { diff: Some(diff), already: false } = performed(&queue, whole()).await else {
        panic!("not done")
    };
    assert_eq!(diff.fields[0].after, "answered 202");
    let (_, request) = &queue.sent()[0];
    let header =
        |name: &str| request.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    assert_eq!((header("Idempotency-Key"), header("X-Correlation-Id")), (Some(STAMP), Some("c-1")));
    assert_eq!(performed(&queue, whole()).await, Outcome::Done { diff: None, already: true });
    assert_eq!(queue.sent().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn each_way_a_call_can_fail_has_its_own_end() {
    for (answer, with_look, without) in [
        (Answer::LostAfter, "done", "unknown"),
        (Answer::LostBefore, "failed, nothing applied", "unknown"),
        (Answer::Broken, "failed, nothing applied", "unknown"),
        (Answer::Denied, "failed, nothing applied", "failed, nothing applied"),
        (Answer::NotSent, "failed, nothing applied", "failed, nothing applied"),
    ] {
        for (wish, ends) in [(whole(), with_look), (blunt(), without)] {
            let queue = Queue::new().answering(&[answer]);
            let outcome = performed(&queue, wish).await;
            let ended = match &outcome {
                Outcome::Failed { applied: true, .. } => "failed, applied",
                Outcome::Failed { applied: false, .. } => "failed, nothing applied",
                other => other.name(),
            };
            assert_eq!(ended, ends, "{answer:?}: {outcome:?}");
            assert!(queue.sent().len() <= 1, "nothing is repeated that is not said to be idempotent");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_idempotent_call_is_repeated_with_its_key_and_not_for_ever() {
    let idempotent = || http_call::Wish { idempotent: true, ..blunt() };
    let queue = Queue::new().answering(&[Answer::LostBefore, Answer::Broken]);
    assert_eq!(performed(&queue, idempotent()).await.name(), "done");
    let keys: Vec<_> = queue.sent().iter().map(|(_, request)| request.headers[0].clone()).collect();
    assert_eq!(keys, vec![("Idempotency-Key".to_owned(), STAMP.to_owned()); 3]);
    let lost = Queue::new().answering(&[Answer::LostBefore; 9]);
    assert_eq!((performed(&lost, idempotent()).await.name(), lost.sent().len()), ("unknown", 3));
    // A refusal of the second try says nothing about the first.
    let odd = Queue::new().answering(&[Answer::LostBefore, Answer::Denied, Answer::NotSent]);
    assert_eq!(performed(&odd, idempotent()).await.name(), "unknown");
}

/// The first try was done and its answer lost, so the second is told that it was so already: by us.
#[tokio::test(start_paused = true)]
async fn a_repeat_that_meets_its_own_first_try_leaves_something_to_take_back() {
    let idempotent = || http_call::Wish { idempotent: true, ..blunt() };
    let met = Queue::new().answering(&[Answer::LostAfter]);
    let outcome = performed(&met, idempotent()).await;
    assert!(matches!(outcome, Outcome::Done { already: false, diff: Some(_) }), "{outcome:?}");
    let so_before = Queue::new().with_state("dead");
    assert_eq!(performed(&so_before, idempotent()).await, Outcome::Done { diff: None, already: true });
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_came_after_the_decision_holds_a_call() {
    let paused = FakeCluster::new(|workload| {
        workload.annotations.insert("paramedic.dev/pause-until".into(), "2027-01-01T00:00:00Z".into());
    });
    let queue = Queue::new();
    let http = Arc::clone(&queue) as Arc<dyn HttpHands>;
    let world = Remedies::with_hands(Some(paused as Arc<dyn Hands>), http, nobody(), Arc::new(now));
    let outcome = world.perform(&sealed(intended(whole())), &Halt::never()).await;
    assert_eq!(refused(&outcome), ["pausedByAnnotation"]);
    assert!(queue.sent().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_intent_in_doubt_is_closed_by_the_declared_look() {
    let seal = |wish| sealed(intended(wish));
    for (queue, wish, ends) in [
        (Queue::new().with_state("dead"), whole(), "done"),
        (Queue::new(), whole(), "failed"),
        (Queue::new().blind(), whole(), "unknown"),
        (Queue::new().with_state("dead"), blunt(), "unknown"),
    ] {
        assert_eq!(queue.world().close(&seal(wish)).await.name(), ends);
        assert!(queue.sent().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_was_declared_anew_is_not_called() {
    let queue =
        Queue::new().declaring(|declared| declared.as_mut().expect("one").base = "http://other".into());
    assert_eq!(refused(&performed(&queue, blunt()).await), ["changed"]);
    assert!(queue.sent().is_empty());
}

#[tokio::test(start_paused = true)]
async fn it_is_taken_back_by_the_declared_undo_while_it_still_holds() {
    let queue = Queue::new().with_state("dead");
    let Intent { action, .. } = intended(whole());
    let back = preflight(&queue.world(), target(), Wish::Revert(action.clone()), true).await;
    assert_eq!(back.action, action.inverse(), "{back:?}");
    let undo = intent(back.action.expect("one"));
    assert_eq!(queue.world().perform(&sealed(undo), &Halt::never()).await.name(), "done");
    assert_eq!(queue.sent()[0].1.path, "/m/1/replay");
    let again = preflight(&queue.world(), target(), Wish::Revert(action.clone()), false).await;
    assert!(again.already, "{again:?}");
    let other = Queue::new().with_state("deleted");
    let changed = preflight(&other.world(), target(), Wish::Revert(action), false).await;
    assert_eq!(names(&changed.refusals), ["changed"]);
    let Intent { action: blunt, .. } = intended(blunt());
    assert_eq!(blunt.inverse(), None);
    let refused = preflight(&queue.world(), target(), Wish::Revert(blunt), false).await;
    assert_eq!(names(&refused.refusals), ["badValue"]);
}

#[tokio::test(start_paused = true)]
async fn a_rehearsal_sends_nothing() {
    let queue = Queue::new();
    let seal = sealed(Intent { mode: Mode::DryRun, ..intended(whole()) });
    let Outcome::Done { diff: Some(diff), already: false } =
        queue.world().perform(&seal, &Halt::never()).await
    else {
        panic!("not rehearsed")
    };
    assert_eq!(diff.fields.len(), 4);
    assert!(diff.fields.iter().any(|field| field.after == STAMP), "{diff:?}");
    assert!(queue.sent().is_empty());
}
