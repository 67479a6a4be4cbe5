//! A cluster of one workload and a few HTTP endpoints, in memory, for the tests of the remediations: they note every
//! effect, test old values as the API server does, and lose answers when told to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use paramedic_policies::action::{Action, Change, Diff, DiffSource, Intent, Mode, Outcome, Wish};
use paramedic_policies::answer::{Found, Preflight, Surroundings};
use paramedic_policies::book::Digest;
use paramedic_policies::event::Seq;
use paramedic_policies::question::{Ask, Fact, Question};
use paramedic_policies::reason::Reason;
use paramedic_policies::state::CaseId;
use paramedic_policies::target::{Sought, Target};
use paramedic_policies::time::{Moment, Span};

use serde_json::{Value, json};

use crate::Remedies;
use crate::in_memory::Objects;
use crate::ports::cluster::{
    ChangeError, Cluster, ClusterChange, Hands, LookError, Reachable, Rollout, Run, SetBy, Workload, manager,
};
use crate::ports::halt::{Halt, Stopper};
use crate::ports::http::{Call, CallError, Http, HttpHands, Reply};
use crate::ports::journal::Receipt;
use crate::ports::metrics::Metrics;
use crate::ports::objects::{Address, Field, ObjectChange, Resource};
use crate::ports::world::World;
use crate::seal::Sealed;

/// The stamp of [`intent`]'s seal.
pub(crate) const STAMP: &str = "journal-7";

/// When everything here happens.
pub(crate) fn now() -> Moment {
    "2026-11-21T09:00:00Z".parse().expect("a time")
}

pub(crate) fn target() -> Target {
    Target { kind: "Deployment".into(), namespace: "prod".into(), name: "web".into() }
}

/// A healthy Deployment of three.
pub(crate) fn workload() -> Workload {
    Workload {
        target: target(),
        uid: "uid-1".into(),
        generation: 4,
        labels: [("app".into(), "web".into())].into(),
        annotations: BTreeMap::new(),
        namespace_annotations: BTreeMap::new(),
        replicas: Some(3),
        replicas_set: Some(SetBy { manager: "kubectl".into(), at: Some(now() - Span::from_hours(1)) }),
        paused: false,
        rollout: settled(),
        immovable: None,
        max_unavailable: 1,
        available: Some(3),
        autoscaler: None,
        budgets: Vec::new(),
        gitops: None,
        stamp: None,
        surroundings: Surroundings { desired: 20, unavailable: 2, added: 0, workloads: 8 },
    }
}

fn settled() -> Rollout {
    Rollout { complete: true, under_way: false, stuck: false, detail: "3 of 3 updated, 3 available".into() }
}

/// How the next change is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// As the API server answers.
    Honest,
    /// By an admission rule that refuses.
    Denied,
    /// As an eviction is that a PodDisruptionBudget does not allow.
    NoDisruption,
    /// By an error of its own (over HTTP: 500); nothing is made.
    Broken,
    /// It never leaves.
    NotSent,
    /// It is made, and the answer is lost.
    LostAfter,
    /// It is lost on its way.
    LostBefore,
    /// Nobody knows what becomes of it: it is made, the answer is lost, and no look is answered any more.
    LostBlind,
}

pub(crate) struct FakeCluster {
    pub(crate) workload: Mutex<Workload>,
    /// Every change that reached the server.
    pub(crate) changes: Mutex<Vec<ClusterChange>>,
    pub(crate) answer: Mutex<Answer>,
    /// Rollouts to be shown, in order; then the workload's own.
    pub(crate) rollouts: Mutex<VecDeque<Rollout>>,
    pub(crate) looks_fail: Mutex<bool>,
    /// Every other object.
    pub(crate) objects: Mutex<Objects>,
    /// Objects that come to be, or change, once so many changes were made.
    pub(crate) then: Mutex<Vec<(usize, Address, Value)>>,
    /// Logs by pod, container, and `now` or `before`.
    pub(crate) logs: Mutex<BTreeMap<String, String>>,
    /// A resource that the server does not know.
    pub(crate) unserved: Mutex<Option<Resource>>,
    /// A resource whose objects no role lets us read.
    pub(crate) forbidden: Mutex<Option<Resource>>,
    /// Before so many of the next changes somebody else writes their object, as a kubelet writes a status.
    pub(crate) races: Mutex<usize>,
    /// Whether admission refuses the proof of a freeze; else every dry run passes.
    pub(crate) enforces: Mutex<bool>,
    /// Once so many changes have reached the server, somebody pauses everything.
    pub(crate) pauses: Mutex<Option<(usize, Stopper)>>,
    /// Every question that reached the server.
    pub(crate) asked: Mutex<Vec<String>>,
    /// How many objects are being read now, and were at most.
    pub(crate) reading: (AtomicUsize, AtomicUsize),
    /// Whether objects take their time to come.
    pub(crate) is_slow: AtomicBool,
}

impl FakeCluster {
    pub(crate) fn new(arrange: impl FnOnce(&mut Workload)) -> Arc<Self> {
        let mut workload = workload();
        arrange(&mut workload);
        Arc::new(Self {
            workload: Mutex::new(workload),
            changes: Mutex::default(),
            answer: Mutex::new(Answer::Honest),
            rollouts: Mutex::default(),
            looks_fail: Mutex::new(false),
            objects: Mutex::default(),
            then: Mutex::default(),
            logs: Mutex::default(),
            unserved: Mutex::default(),
            forbidden: Mutex::default(),
            races: Mutex::default(),
            enforces: Mutex::new(true),
            pauses: Mutex::default(),
            asked: Mutex::default(),
            reading: Default::default(),
            is_slow: AtomicBool::new(false),
        })
    }

    pub(crate) fn answering(self: Arc<Self>, answer: Answer) -> Arc<Self> {
        *self.answer.lock().expect("no test panicked") = answer;
        self
    }

    pub(crate) fn changes(&self) -> usize {
        self.changes.lock().expect("no test panicked").len()
    }

    fn sees(&self, tried: impl FnOnce() -> String) -> Result<(), LookError> {
        let tried = tried();
        self.asked.lock().expect("no test panicked").push(tried.clone());
        if *self.looks_fail.lock().expect("no test panicked") {
            return Err(LookError::Failed { tried, problem: "connection refused".into() });
        }
        Ok(())
    }

    /// One reader more, until its answer comes.
    async fn reads(&self) {
        let (now, most) = &self.reading;
        let begun = now.fetch_add(1, Ordering::SeqCst) + 1;
        most.fetch_max(begun, Ordering::SeqCst);
        if self.is_slow.load(Ordering::SeqCst) {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        now.fetch_sub(1, Ordering::SeqCst);
    }

    fn workload(&self) -> Workload {
        self.workload.lock().expect("no test panicked").clone()
    }

    fn apply(&self, change: &ClusterChange, stamp: &str) -> Result<Diff, ChangeError> {
        let conflict =
            |what: &str| ChangeError::Refused { message: format!("{what} did not hold"), conflict: true };
        let set = Some(SetBy { manager: manager(stamp), at: Some(now()) });
        let mut workload = self.workload.lock().expect("no test panicked");
        match change {
            ClusterChange::Object(change) => {
                let mut objects = self.objects.lock().expect("no test panicked");
                let mut races = self.races.lock().expect("no test panicked");
                if *races > 0
                    && let Some(object) = objects.get(change.address()).cloned()
                {
                    *races -= 1;
                    objects.put(change.address().clone(), object);
                }
                let diff = objects.change(change)?;
                sign(&mut objects, change, stamp);
                return Ok(diff);
            }
            ClusterChange::Replicas { uid, from, to, .. } => {
                if workload.uid != *uid || workload.replicas != Some(*from) {
                    return Err(conflict("uid or spec.replicas"));
                }
                workload.replicas = Some(*to);
                workload.replicas_set = set;
                workload.generation += 1;
            }
            ClusterChange::MinReplicas { uid, from, to, .. } => {
                let hpa = workload.autoscaler.as_mut().ok_or_else(|| conflict("HPA"))?;
                if hpa.uid != *uid || hpa.min != *from {
                    return Err(conflict("uid or spec.minReplicas"));
                }
                hpa.min = *to;
                hpa.min_set = set;
            }
            ClusterChange::Restart { uid, generation, .. } => {
                if workload.uid != *uid || workload.generation != *generation {
                    return Err(conflict("uid or generation"));
                }
                workload.stamp = Some(stamp.to_owned());
                workload.generation += 1;
            }
        }
        Ok(diff_of(change, DiffSource::Applied))
    }
}

/// Notes who wrote the fields of a status, as the API server does.
fn sign(objects: &mut Objects, change: &ObjectChange, stamp: &str) {
    let ObjectChange::Patch { at, subresource: Some(subresource), fields, .. } = change else { return };
    let Some(mut object) = objects.get(at).cloned() else { return };
    let owned = |field: &Field| {
        let keys = field.pointer.rsplit('/').filter(|key| !key.is_empty());
        keys.fold(json!({}), |inner, key| json!({format!("f:{key}"): inner}))
    };
    let entry = |field: &Field| json!({"manager": manager(stamp), "subresource": subresource, "fieldsV1": owned(field)});
    object["metadata"]["managedFields"] = fields.iter().map(entry).collect();
    objects.put(at.clone(), object);
}

fn diff_of(change: &ClusterChange, source: DiffSource) -> Diff {
    let (path, before, after) = match change {
        ClusterChange::Replicas { from, to, .. } => ("spec.replicas", from.to_string(), to.to_string()),
        ClusterChange::MinReplicas { from, to, .. } => ("spec.minReplicas", from.to_string(), to.to_string()),
        ClusterChange::Restart { at, .. } => ("restartedAt", "-".into(), at.to_string()),
        ClusterChange::Object(change) => {
            let computed =
                |field: Field| Change { path: field.path, before: field.before, after: field.after };
            return Diff { fields: change.fields().into_iter().map(computed).collect(), source };
        }
    };
    Diff { fields: vec![Change { path: path.into(), before, after }], source }
}

#[async_trait]
impl Cluster for FakeCluster {
    async fn seek(&self, sought: &Sought) -> Result<Target, LookError> {
        match sought {
            Sought::Named(wanted) if *wanted == target() => Ok(target()),
            Sought::Named(_) | Sought::OwnerOf { .. } => Err(LookError::Absent { what: sought.to_string() }),
        }
    }

    async fn look(&self, wanted: &Target) -> Result<Workload, LookError> {
        self.sees(|| format!("look at {wanted}"))?;
        if wanted.name == self.workload().target.name {
            Ok(self.workload())
        } else {
            Err(LookError::Absent { what: wanted.to_string() })
        }
    }

    async fn rollout(&self, _: &Target) -> Result<Rollout, LookError> {
        let shown = self.rollouts.lock().expect("no test panicked").pop_front();
        Ok(shown.unwrap_or_else(|| self.workload().rollout))
    }

    async fn endpoints(&self, service: &Target, port: &str) -> Result<Reachable, LookError> {
        if port != "http" {
            return Err(LookError::Absent { what: format!("port {port} of {service}") });
        }
        let workload = self.workload();
        Ok(Reachable {
            uid: "uid-service".into(),
            labels: workload.labels,
            annotations: workload.annotations,
            namespace_annotations: workload.namespace_annotations,
            urls: vec!["http://10.0.0.1:8080".into(), "http://10.0.0.2:8080".into()],
            surroundings: workload.surroundings,
        })
    }

    async fn get(&self, at: &Address) -> Result<Option<Value>, LookError> {
        self.sees(|| format!("get {at}"))?;
        self.reads().await;
        if self.forbidden.lock().expect("no test panicked").as_ref() == Some(&at.resource) {
            return Err(LookError::Forbidden { tried: format!("get {at}"), problem: "no right".into() });
        }
        Ok(self.objects.lock().expect("no test panicked").get(at).cloned())
    }

    async fn list(
        &self,
        resource: Resource,
        namespace: &str,
        selector: &str,
    ) -> Result<Vec<Value>, LookError> {
        self.sees(|| format!("list {}", resource.plural))?;
        if *self.unserved.lock().expect("no test panicked") == Some(resource) {
            return Err(LookError::Absent { what: format!("resource {}", resource.plural) });
        }
        let found = self.objects.lock().expect("no test panicked").list(resource, namespace, selector);
        // As the adapter of a real one does.
        if found.len() > 10_000 {
            let tried = format!("list {}", resource.plural);
            return Err(LookError::Forbidden { tried, problem: "there are more than 10000".into() });
        }
        Ok(found)
    }

    async fn list_where(
        &self,
        resource: Resource,
        namespace: &str,
        (path, wanted): (&str, &str),
    ) -> Result<Vec<Value>, LookError> {
        self.sees(|| format!("list {}", resource.plural))?;
        if *self.unserved.lock().expect("no test panicked") == Some(resource) {
            return Err(LookError::Absent { what: format!("resource {}", resource.plural) });
        }
        let pointer = format!("/{}", path.replace('.', "/"));
        let mut found = self.objects.lock().expect("no test panicked").list(resource, namespace, "");
        found.retain(|object| object.pointer(&pointer).and_then(Value::as_str) == Some(wanted));
        Ok(found)
    }

    async fn log_tail(&self, pod: &Address, _: Option<&str>) -> Result<String, LookError> {
        self.sees(|| format!("read the log of {pod}"))?;
        Ok(format!("the log of {pod}\n"))
    }

    async fn log_of(&self, run: &Run<'_>) -> Result<String, LookError> {
        self.sees(|| format!("read the log of {}", run.pod))?;
        let which = if run.previous { "before" } else { "now" };
        let known = self.logs.lock().expect("no test panicked");
        let log = known.get(&format!("{} {} {which}", run.pod.name, run.container)).cloned();
        log.ok_or_else(|| LookError::Absent { what: format!("log of {} {which}", run.pod) })
    }

    async fn username(&self) -> Result<String, LookError> {
        self.sees(|| "ask who we are".into())?;
        Ok("system:serviceaccount:ops:paramedic".into())
    }

    async fn preview(&self, change: &ClusterChange, _: &str) -> Result<Diff, ChangeError> {
        if let ClusterChange::Object(change) = change
            && *self.enforces.lock().expect("no test panicked")
        {
            return self.objects.lock().expect("no test panicked").preview(change);
        }
        Ok(diff_of(change, DiffSource::ServerDryRun))
    }
}

#[async_trait]
impl Hands for FakeCluster {
    async fn change(&self, seal: &Sealed<Intent>, change: &ClusterChange) -> Result<Diff, ChangeError> {
        let answer = *self.answer.lock().expect("no test panicked");
        let (tried, problem) = (seal.action.to_string(), "connection reset".to_owned());
        if answer != Answer::NotSent {
            self.changes.lock().expect("no test panicked").push(change.clone());
        }
        let answered = match answer {
            Answer::Honest => self.apply(change, seal.stamp()),
            Answer::Denied => {
                Err(ChangeError::Refused { message: "freeze until Monday".into(), conflict: false })
            }
            Answer::NoDisruption => {
                let message = "Cannot evict pod as it would violate the pod's disruption budget. (429)";
                Err(ChangeError::Refused { message: message.into(), conflict: false })
            }
            Answer::Broken => Err(ChangeError::NoAnswer { tried, problem: "etcd is gone (500)".into() }),
            Answer::NotSent => Err(ChangeError::NotSent { tried, problem }),
            Answer::LostBefore => Err(ChangeError::NoAnswer { tried, problem }),
            Answer::LostAfter => {
                self.apply(change, seal.stamp())?;
                Err(ChangeError::NoAnswer { tried, problem })
            }
            Answer::LostBlind => {
                self.apply(change, seal.stamp())?;
                *self.looks_fail.lock().expect("no test panicked") = true;
                Err(ChangeError::NoAnswer { tried, problem })
            }
        };
        let made = self.changes();
        pause(&self.pauses, made);
        for (after, at, object) in self.then.lock().expect("no test panicked").iter() {
            if *after == made {
                self.objects.lock().expect("no test panicked").put(at.clone(), object.clone());
            }
        }
        answered
    }
}

/// Breakers by URL: the state, and what becomes of a reset.
pub(crate) struct FakeHttp {
    pub(crate) states: Mutex<BTreeMap<String, String>>,
    pub(crate) posts: Mutex<Vec<Call>>,
    pub(crate) answers: Mutex<BTreeMap<String, Answer>>,
    /// Once so many calls have left, somebody pauses everything.
    pub(crate) pauses: Mutex<Option<(usize, Stopper)>>,
}

impl FakeHttp {
    /// Endpoints by base URL with the state of their breaker `postgres`; a state of `-` is an endpoint that is down.
    pub(crate) fn new(states: &[(&str, &str)]) -> Arc<Self> {
        let states = states.iter().map(|(url, state)| ((*url).to_owned(), (*state).to_owned())).collect();
        let (posts, answers, pauses) = Default::default();
        Arc::new(Self { states: Mutex::new(states), posts, answers, pauses })
    }

    pub(crate) fn answering(self: Arc<Self>, url: &str, answer: Answer) -> Arc<Self> {
        self.answers.lock().expect("no test panicked").insert(url.to_owned(), answer);
        self
    }

    pub(crate) fn posts(&self) -> Vec<Call> {
        self.posts.lock().expect("no test panicked").clone()
    }

    fn base(url: &str) -> String {
        url.split("/api/").next().unwrap_or_default().to_owned()
    }
}

#[async_trait]
impl Http for FakeHttp {
    async fn get(&self, call: &Call) -> Result<Reply, CallError> {
        let state = self.states.lock().expect("no test panicked").get(&Self::base(&call.url)).cloned();
        match state.as_deref() {
            None | Some("-") => {
                Err(CallError::NotSent { url: call.url.clone(), problem: "connection refused".into() })
            }
            Some(state) => {
                Ok(Reply { status: 200, body: format!(r#"{{"postgres": {{"state": "{state}"}}}}"#) })
            }
        }
    }
}

#[async_trait]
impl HttpHands for FakeHttp {
    async fn post(&self, _: &Sealed<Intent>, call: &Call) -> Result<Reply, CallError> {
        let base = Self::base(&call.url);
        let answer =
            self.answers.lock().expect("no test panicked").get(&base).copied().unwrap_or(Answer::Honest);
        let (url, problem) = (call.url.clone(), "connection reset".to_owned());
        if answer != Answer::NotSent {
            self.posts.lock().expect("no test panicked").push(call.clone());
        }
        pause(&self.pauses, self.posts().len());
        let close = || {
            self.states.lock().expect("no test panicked").insert(base.clone(), "CLOSED".into());
        };
        match answer {
            Answer::Honest => {
                close();
                Ok(Reply { status: 200, body: String::new() })
            }
            Answer::Denied | Answer::NoDisruption => Ok(Reply { status: 403, body: String::new() }),
            Answer::Broken => Ok(Reply { status: 500, body: String::new() }),
            Answer::NotSent => Err(CallError::NotSent { url, problem }),
            Answer::LostBefore => Err(CallError::NoAnswer { url, problem }),
            Answer::LostAfter | Answer::LostBlind => {
                close();
                Err(CallError::NoAnswer { url, problem })
            }
        }
    }
}

fn pause(pauses: &Mutex<Option<(usize, Stopper)>>, sent: usize) {
    if let Some((after, stopper)) = &*pauses.lock().expect("no test panicked")
        && *after == sent
    {
        stopper.says(Some("everything is paused by ann".to_owned()));
    }
}

/// What lets an effect make so many requests, by a cluster or endpoints with these pauses.
pub(crate) fn halted_after(requests: usize, pauses: &Mutex<Option<(usize, Stopper)>>) -> Halt {
    let (halt, stopper) = Halt::with_stopper();
    *pauses.lock().expect("no test panicked") = Some((requests, stopper));
    halt
}

struct NoMetrics;

#[async_trait]
impl Metrics for NoMetrics {
    async fn query(&self, _: &str) -> Found {
        Found::Series(Vec::new())
    }
}

/// Nobody answers PromQL.
pub(crate) fn nobody() -> Arc<dyn Metrics> {
    Arc::new(NoMetrics)
}

/// Both, with hands.
pub(crate) fn remedies(cluster: &Arc<FakeCluster>, http: &Arc<FakeHttp>) -> Remedies {
    let cluster = Arc::clone(cluster) as Arc<dyn Hands>;
    let http = Arc::clone(http) as Arc<dyn HttpHands>;
    Remedies::with_hands(Some(cluster), http, Arc::new(NoMetrics), Arc::new(now))
}

/// Without Kubernetes.
pub(crate) fn http_only(http: &Arc<FakeHttp>) -> Remedies {
    let http = Arc::clone(http) as Arc<dyn HttpHands>;
    Remedies::with_hands(None, http, Arc::new(NoMetrics), Arc::new(now))
}

/// On a cluster, with eyes only.
pub(crate) fn eyes(cluster: &Arc<FakeCluster>) -> Remedies {
    let http = FakeHttp::new(&[]) as Arc<dyn Http>;
    Remedies::without_hands(
        Some(Arc::clone(cluster) as Arc<dyn Cluster>),
        http,
        Arc::new(NoMetrics),
        Arc::new(now),
    )
}

/// On a cluster alone.
pub(crate) fn on(cluster: &Arc<FakeCluster>) -> Remedies {
    remedies(cluster, &FakeHttp::new(&[]))
}

/// An intent in `enforce`, with ten minutes.
pub(crate) fn intent(action: Action) -> Intent {
    Intent {
        id: Seq(7),
        episode: Seq(1),
        policy: "p".into(),
        book: Digest::from_bytes([0; 32]),
        rung: 0,
        step: 0,
        target: target(),
        uid: "uid-1".into(),
        action,
        mode: Mode::Enforce,
        at: now(),
        deadline: now() + Span::from_mins(10),
        charged: true,
        reverts: None,
        revert_after: None,
        epoch: 1,
        approved_by: None,
        correlation: Some("c-1".into()),
    }
}

pub(crate) fn sealed(intent: Intent) -> Sealed<Intent> {
    let (first, end) = (intent.id, intent.id.plus(1));
    let (journal, _) = STAMP.rsplit_once('-').expect("a stamp has a uuid and a sequence");
    Sealed::mint(intent, journal, &Receipt { first, end, root: Digest::from_bytes([0; 32]) })
}

/// Asks for a preflight.
pub(crate) async fn preflight(world: &Remedies, target: Target, wish: Wish, diff: bool) -> Preflight {
    match asked(world, Ask::Preflight { target, wish, diff }).await {
        Found::Preflight(preflight) => *preflight,
        other => panic!("no preflight: {other:?}"),
    }
}

pub(crate) async fn asked(world: &Remedies, ask: Ask) -> Found {
    let case = CaseId { episode: Seq(1), policy: "p".into() };
    let deadline = now() + Span::from_secs(10);
    world.answer(&Question { id: Seq(3), case, fact: Fact::Preflight, ask, deadline }).await
}

/// The reasons of a refused outcome, by name.
pub(crate) fn refused(outcome: &Outcome) -> Vec<&'static str> {
    match outcome {
        Outcome::Refused { reasons } => names(reasons),
        other => panic!("not refused: {other:?}"),
    }
}

pub(crate) fn names(reasons: &[Reason]) -> Vec<&'static str> {
    reasons.iter().map(Reason::name).collect()
}
