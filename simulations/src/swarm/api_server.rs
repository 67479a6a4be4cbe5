//! The way to the API server and back: looks that fail, changes that are lost, late, refused or made without an answer.
//! What is on its way is on its way: a process that ends does not call it back. Beyond the way everything is
//! [`SimulatedCluster`]'s.

use std::time::Duration;

use async_trait::async_trait;
use futures::channel::oneshot;
use paramedic_policies::action::{Diff, Intent};
use paramedic_policies::target::{Sought, Target};
use paramedic_policies::time::Span;
use paramedic_remediations::Sealed;
use paramedic_remediations::ports::cluster::{
    ChangeError, Cluster, ClusterChange, Hands, LookError, Reachable, Rollout, Workload,
};
use paramedic_remediations::ports::objects::{Address, ObjectChange, Resource};
use serde_json::Value;
use tokio::time::sleep;

use super::disk::Disk;
use super::faults::Fault;
use super::sky::Sky;
use super::tape::{Fate, Request};
use crate::SimulatedCluster;
use crate::world::api_server::target_of;

/// How long somebody waits for an answer that does not come.
const NO_ANSWER_FOR: Duration = Duration::from_secs(10);

/// The API server behind its way.
#[derive(Debug, Clone)]
pub(crate) struct ApiServer {
    cluster: SimulatedCluster,
    sky: Sky,
    disk: Disk,
}

/// What becomes of a change on its way.
enum Way {
    Clear,
    NotReached,
    Lost,
    Late(Span),
    AnswerLost,
    Conflict,
    TooMany,
    ServerError,
}

impl ApiServer {
    /// The way to this cluster. The disk is asked for nothing but what was durable when a request left.
    pub(crate) fn new(cluster: SimulatedCluster, sky: Sky, disk: Disk) -> Self {
        Self { cluster, sky, disk }
    }

    async fn look_at<T>(
        &self,
        what: &(dyn std::fmt::Display + Sync),
        look: impl Future<Output = Result<T, LookError>>,
    ) -> Result<T, LookError> {
        let failed = |problem: &str| {
            Err(LookError::Failed { tried: format!("look at {what}"), problem: problem.to_owned() })
        };
        let chances = self.sky.chances();
        if self.sky.strikes(chances.look_slow, Fault::LookSlow, what) {
            let takes = self.sky.throw(|dice| dice.ms(500..=12_000));
            sleep(takes.duration()).await;
        }
        if self.sky.is_cut_off() {
            return failed("connection refused");
        }
        if self.sky.strikes(chances.look_failed, Fault::LookFailed, what) {
            return failed("the server is currently unable to handle the request (503)");
        }
        look.await
    }

    fn way(&self, what: &str) -> Way {
        if self.sky.is_cut_off() {
            return Way::NotReached;
        }
        let chances = self.sky.chances();
        let strikes = |chance: u8, fault: Fault| self.sky.strikes(chance, fault, &what);
        if strikes(chances.request_lost, Fault::RequestLost) {
            Way::Lost
        } else if strikes(chances.request_late, Fault::RequestLate) {
            Way::Late(self.sky.throw(|dice| dice.ms(11_000..=58_000)))
        } else if strikes(chances.answer_lost, Fault::AnswerLost) {
            Way::AnswerLost
        } else if strikes(chances.conflict, Fault::Conflict) {
            Way::Conflict
        } else if strikes(chances.too_many, Fault::TooMany) {
            Way::TooMany
        } else if strikes(chances.server_error, Fault::ServerError) {
            Way::ServerError
        } else {
            Way::Clear
        }
    }

    fn note(&self, mut request: Request, fate: Fate) {
        (request.at, request.fate) = (self.sky.now(), fate);
        let line = format!("> {} on {}: {} ({fate:?})", request.stamp, request.on, request.what);
        self.sky.recorder.line(request.at, || line);
        self.sky.recorder.tape().requests.push(request);
    }

    /// The request arrives after a while, whatever becomes of its sender.
    fn leave(
        &self,
        after: Span,
        request: Request,
        seal: &Sealed<Intent>,
        change: &ClusterChange,
    ) -> oneshot::Receiver<Result<Diff, ChangeError>> {
        let (answer, answered) = oneshot::channel();
        let (this, seal, change) = (self.clone(), seal.clone(), change.clone());
        tokio::spawn(async move {
            sleep(after.duration()).await;
            let made = this.cluster.change(&seal, &change).await;
            this.note(request, if made.is_ok() { Fate::Made } else { Fate::Refused });
            // Whoever has given up does not listen any more.
            drop(answer.send(made));
        });
        answered
    }
}

#[async_trait]
impl Cluster for ApiServer {
    async fn seek(&self, sought: &Sought) -> Result<Target, LookError> {
        self.look_at(sought, self.cluster.seek(sought)).await
    }

    async fn look(&self, target: &Target) -> Result<Workload, LookError> {
        self.look_at(target, self.cluster.look(target)).await
    }

    async fn rollout(&self, target: &Target) -> Result<Rollout, LookError> {
        self.look_at(target, self.cluster.rollout(target)).await
    }

    async fn endpoints(&self, service: &Target, port: &str) -> Result<Reachable, LookError> {
        self.look_at(service, self.cluster.endpoints(service, port)).await
    }

    async fn get(&self, at: &Address) -> Result<Option<Value>, LookError> {
        self.look_at(at, self.cluster.get(at)).await
    }

    async fn list(
        &self,
        resource: Resource,
        namespace: &str,
        selector: &str,
    ) -> Result<Vec<Value>, LookError> {
        self.look_at(&resource.plural, self.cluster.list(resource, namespace, selector)).await
    }

    async fn log_tail(&self, pod: &Address, container: Option<&str>) -> Result<String, LookError> {
        self.look_at(pod, self.cluster.log_tail(pod, container)).await
    }

    async fn username(&self) -> Result<String, LookError> {
        self.look_at(&"ourselves", self.cluster.username()).await
    }

    async fn preview(&self, change: &ClusterChange, stamp: &str) -> Result<Diff, ChangeError> {
        if self.sky.is_cut_off() {
            let tried = "ask for a dry run".to_owned();
            return Err(ChangeError::NotSent { tried, problem: "connection refused".to_owned() });
        }
        self.cluster.preview(change, stamp).await
    }
}

#[async_trait]
impl Hands for ApiServer {
    async fn change(&self, seal: &Sealed<Intent>, change: &ClusterChange) -> Result<Diff, ChangeError> {
        let (on, what) = told(change);
        let now = self.sky.now();
        let request = Request {
            sent_at: now,
            at: now,
            durable: self.disk.durable(),
            stamp: seal.stamp().to_owned(),
            on,
            what,
            fate: Fate::Lost,
        };
        let tried = format!("{} {}", seal.action, seal.target);
        let no_answer =
            |problem: &str| Err(ChangeError::NoAnswer { tried: tried.clone(), problem: problem.to_owned() });
        let soon = self.sky.throw(|dice| dice.ms(5..=400));
        match self.way(&request.what) {
            Way::Clear => match self.leave(soon, request, seal, change).await {
                Ok(answer) => answer,
                Err(_) => no_answer("the connection was closed"),
            },
            Way::NotReached => Err(ChangeError::NotSent { tried, problem: "connection refused".to_owned() }),
            Way::Lost => {
                self.note(request, Fate::Lost);
                sleep(NO_ANSWER_FOR).await;
                no_answer("no answer in time")
            }
            Way::Late(after) => {
                drop(self.leave(after, request, seal, change));
                sleep(NO_ANSWER_FOR).await;
                no_answer("no answer in time")
            }
            Way::AnswerLost => {
                drop(self.leave(soon, request, seal, change));
                sleep(NO_ANSWER_FOR).await;
                no_answer("no answer in time")
            }
            Way::Conflict => {
                self.note(request, Fate::Refused);
                let message = "the object has been modified; please apply your changes to the latest version \
                               and try again (409)";
                Err(ChangeError::Refused { message: message.to_owned(), conflict: true })
            }
            Way::TooMany => {
                self.note(request, Fate::TurnedAway);
                Err(ChangeError::NotSent { tried, problem: "too many requests (429)".to_owned() })
            }
            Way::ServerError => {
                // Half of them were applied all the same.
                if self.sky.throw(|dice| dice.one_in(2)) {
                    drop(self.leave(soon, request, seal, change).await);
                } else {
                    self.note(request, Fate::Lost);
                }
                no_answer("etcdserver: request timed out (500)")
            }
        }
    }
}

/// A change in words.
fn told(change: &ClusterChange) -> (Target, String) {
    match change {
        ClusterChange::Replicas { target, from, to, .. } => {
            (target.clone(), format!("spec.replicas {from} -> {to}"))
        }
        ClusterChange::MinReplicas { namespace, hpa, from, to, .. } => {
            let kind = "HorizontalPodAutoscaler".to_owned();
            let target = Target { kind, namespace: namespace.clone(), name: hpa.clone() };
            (target, format!("spec.minReplicas {from} -> {to}"))
        }
        ClusterChange::Restart { target, at, .. } => (target.clone(), format!("restartedAt {at}")),
        ClusterChange::Object(change) => {
            let verb = match change {
                ObjectChange::Create { .. } => "create".to_owned(),
                ObjectChange::Delete { .. } => "delete".to_owned(),
                ObjectChange::Patch { operations, .. } => {
                    format!("patch {}", Value::from(operations.clone()))
                }
                ObjectChange::Evict { .. } => "evict".to_owned(),
            };
            (target_of(change.address()), verb)
        }
    }
}
