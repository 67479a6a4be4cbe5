//! The world as the loop's driver sees it: sends each question and each sealed intent to the file it belongs to. Never
//! decides whether something should be done, and without hands cannot do anything.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use async_trait::async_trait;
use paramedic_policies::action::{Intent, Mode, Outcome, Wish};
use paramedic_policies::answer::{Found, Preflight};
use paramedic_policies::notifications::{Notice, Receipt};
use paramedic_policies::question::{Ask, Question};
use paramedic_policies::reason::Reason;
use paramedic_policies::target::Target;

use crate::one_change;
use crate::ports::clock::{Clock, left};
use crate::ports::cluster::{Cluster, Hands, LookError};
use crate::ports::halt::Halt;
use crate::ports::http::{Call, Http, HttpHands};
use crate::ports::metrics::Metrics;
use crate::ports::redaction::Hides;
use crate::ports::world::{Deliveries, World};
use crate::remedy::{BothHands, Eyes, deed, plans, refused};
use crate::retry;
use crate::seal::Sealed;

/// No question may take longer, whatever its deadline.
const QUESTION_WITHIN_MAX: Duration = Duration::from_secs(30);

/// An effect that ignores its deadline is given up this long after it: looking for its traces takes time too.
const AFTER_THE_DEADLINE: Duration = Duration::from_secs(200);

/// Questions and effects, each by its own file.
pub struct Remedies {
    cluster: Option<Arc<dyn Cluster>>,
    http: Arc<dyn Http>,
    metrics: Arc<dyn Metrics>,
    hands: Option<OwnHands>,
    clock: Clock,
    courier: Option<Arc<dyn Deliveries>>,
    hides: Option<Hides>,
}

struct OwnHands {
    cluster: Option<Arc<dyn Hands>>,
    http: Arc<dyn HttpHands>,
}

impl std::fmt::Debug for Remedies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remedies")
            .field("kubernetes", &self.cluster.is_some())
            .field("hands", &self.hands.is_some())
            .finish_non_exhaustive()
    }
}

impl Remedies {
    /// Eyes only: for a daemon that is capped to dry-run, and for `explain`.
    pub fn without_hands(
        cluster: Option<Arc<dyn Cluster>>,
        http: Arc<dyn Http>,
        metrics: Arc<dyn Metrics>,
        clock: Clock,
    ) -> Self {
        Self { cluster, http, metrics, hands: None, clock, courier: None, hides: None }
    }

    /// Eyes and hands. An intent in dry-run never reaches the hands all the same.
    pub fn with_hands(
        cluster: Option<Arc<dyn Hands>>,
        http: Arc<dyn HttpHands>,
        metrics: Arc<dyn Metrics>,
        clock: Clock,
    ) -> Self {
        let eyes = cluster.clone().map(|hands| hands as Arc<dyn Cluster>);
        let hands = Some(OwnHands { cluster, http: Arc::clone(&http) });
        Self { cluster: eyes, http, metrics, hands, clock, courier: None, hides: None }
    }

    /// The same with somebody who delivers messages. Telling people is no remediation: dry-run tells them too.
    pub fn with_courier(self, courier: Arc<dyn Deliveries>) -> Self {
        Self { courier: Some(courier), ..self }
    }

    /// The same with what hides secrets in collected evidence; without it none is collected.
    pub fn with_redaction(self, hides: Hides) -> Self {
        Self { hides: Some(hides), ..self }
    }

    async fn found(&self, question: &Question) -> Found {
        match &question.ask {
            Ask::Query { promql } => self.metrics.query(promql).await,
            Ask::Seek { sought } => {
                let Some(cluster) = &self.cluster else {
                    return Found::Failed { what: Reason::NoKubernetes.to_string() };
                };
                let late = || not_in_time(format!("look for {sought}"));
                let within = self.within(question);
                let found =
                    retry::question(within, one_change::is_transient, late, || cluster.seek(sought)).await;
                found.map_or_else(not_found, Found::Target)
            }
            Ask::Preflight { target, wish, diff } => {
                let late = || not_in_time(format!("look at {target}"));
                let within = self.within(question);
                let ask = || self.preflight(target, wish, *diff);
                let found = retry::question(within, one_change::is_transient, late, ask).await;
                found.map_or_else(not_found, |preflight| Found::Preflight(Box::new(preflight)))
            }
            Ask::Rollout { target } => {
                let Some(cluster) = &self.cluster else {
                    return Found::Failed { what: Reason::NoKubernetes.to_string() };
                };
                let late = || not_in_time(format!("look at the rollout of {target}"));
                let within = self.within(question);
                let found =
                    retry::question(within, one_change::is_transient, late, || cluster.rollout(target)).await;
                found.map_or_else(not_found, |rollout| Found::Rollout {
                    complete: rollout.complete,
                    detail: rollout.detail,
                })
            }
            Ask::Http { url } => {
                let call = Call { url: url.clone(), headers: Vec::new(), timeout: self.within(question) };
                match self.http.get(&call).await {
                    Ok(reply) => Found::Http { status: reply.status },
                    Err(error) => Found::Failed { what: error.to_string() },
                }
            }
        }
    }

    fn within(&self, question: &Question) -> Duration {
        left(&self.clock, question.deadline).min(QUESTION_WITHIN_MAX)
    }

    fn eyes(&self) -> Eyes<'_> {
        Eyes {
            kubernetes: self.cluster.as_deref(),
            http: self.http.as_ref(),
            metrics: self.metrics.as_ref(),
            clock: &self.clock,
            hides: self.hides.as_ref(),
        }
    }

    async fn preflight(&self, target: &Target, wish: &Wish, diff: bool) -> Result<Preflight, LookError> {
        match plans(wish).preflight(self.eyes(), target, diff).await {
            Err(LookError::NoKubernetes) => Ok(refused(Reason::NoKubernetes)),
            found => found,
        }
    }

    async fn act(&self, hands: &OwnHands, seal: &Sealed<Intent>, halt: &Halt) -> Outcome {
        let (kubernetes, http) = (hands.cluster.as_deref(), hands.http.as_ref());
        let begun = AtomicBool::new(false);
        let hands = BothHands::new(self.eyes(), kubernetes, http, halt, &begun);
        deed(&seal.action).perform(hands, seal).await
    }

    /// Ends what does not end by itself: nobody knows then what it did.
    async fn in_time(&self, seal: &Sealed<Intent>, effect: impl Future<Output = Outcome>) -> Outcome {
        let within = left(&self.clock, seal.deadline) + AFTER_THE_DEADLINE;
        tokio::time::timeout(within, effect).await.unwrap_or_else(|_| Outcome::Unknown {
            what: format!("{} {} did not end by itself long after its deadline", seal.action, seal.target),
        })
    }
}

#[async_trait]
impl World for Remedies {
    async fn answer(&self, question: &Question) -> Found {
        let within = self.within(question);
        tokio::time::timeout(within, self.found(question))
            .await
            .unwrap_or_else(|_| Found::Failed { what: format!("no answer within {}", humane(within)) })
    }

    async fn perform(&self, seal: &Sealed<Intent>, halt: &Halt) -> Outcome {
        let outcome = match (seal.mode, &self.hands) {
            (Mode::DryRun, _) => self.in_time(seal, deed(&seal.action).rehearse(self.eyes(), seal)).await,
            (Mode::Approve | Mode::Enforce, Some(hands)) => {
                self.in_time(seal, self.act(hands, seal, halt)).await
            }
            (Mode::Approve | Mode::Enforce, None) => Outcome::Refused {
                reasons: vec![Reason::ServerRefused {
                    message: "this process runs in dry-run and has no hands".into(),
                }],
            },
        };
        told(seal, "an effect ended", outcome)
    }

    async fn close(&self, seal: &Sealed<Intent>) -> Outcome {
        let outcome = match seal.mode {
            // Nothing can have been changed.
            Mode::DryRun => one_change::failed("the process ended during the rehearsal".into()),
            Mode::Approve | Mode::Enforce => {
                self.in_time(seal, deed(&seal.action).close(self.eyes(), seal)).await
            }
        };
        told(seal, "an effect of an earlier process was closed", outcome)
    }

    async fn deliver(&self, notice: &Sealed<Notice>) -> Receipt {
        match &self.courier {
            Some(courier) => courier.deliver(notice).await,
            None => Receipt::Failed { what: "this process tells nobody".into(), passing: false },
        }
    }
}

fn told(seal: &Sealed<Intent>, what: &'static str, outcome: Outcome) -> Outcome {
    tracing::info!(
        intent = %seal.id,
        stamp = seal.stamp(),
        policy = %seal.policy,
        target = %seal.target,
        action = %seal.action,
        mode = %seal.mode,
        correlation = seal.correlation.as_deref(),
        outcome = outcome.name(),
        "{what}"
    );
    outcome
}

fn not_in_time(tried: String) -> LookError {
    LookError::Failed { tried, problem: "no answer in time".into() }
}

fn not_found(error: LookError) -> Found {
    match error {
        LookError::Absent { what } => Found::Absent { what },
        LookError::NoKubernetes | LookError::Forbidden { .. } | LookError::Failed { .. } => {
            Found::Failed { what: error.to_string() }
        }
    }
}

fn humane(span: Duration) -> paramedic_policies::time::Span {
    paramedic_policies::time::Span::from_ms(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}
