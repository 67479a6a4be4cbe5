//! The world as the loop's driver sees it: sends each question and each sealed intent to the file it belongs to. Never
//! decides whether something should be done, and without hands cannot do anything.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use paramedic_policies::action::{Action, Intent, Mode, Outcome, Wish};
use paramedic_policies::answer::{Found, Preflight};
use paramedic_policies::question::{Ask, Question};
use paramedic_policies::reason::Reason;
use paramedic_policies::target::Target;

use crate::checks::{Checks, Seen};
use crate::one_change;
use crate::ports::clock::{Clock, left};
use crate::ports::cluster::{Cluster, Hands, LookError};
use crate::ports::http::{Call, Http, HttpHands};
use crate::ports::metrics::Metrics;
use crate::ports::world::World;
use crate::reset_breaker::{self, Reset};
use crate::restart::{self, Restart};
use crate::retry;
use crate::scale::{self, Scaling};
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
    hands: Option<BothHands>,
    clock: Clock,
}

struct BothHands {
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
        Self { cluster, http, metrics, hands: None, clock }
    }

    /// Eyes and hands. An intent in dry-run never reaches the hands all the same.
    pub fn with_hands(
        cluster: Option<Arc<dyn Hands>>,
        http: Arc<dyn HttpHands>,
        metrics: Arc<dyn Metrics>,
        clock: Clock,
    ) -> Self {
        let eyes = cluster.clone().map(|hands| hands as Arc<dyn Cluster>);
        let hands = Some(BothHands { cluster, http: Arc::clone(&http) });
        Self { cluster: eyes, http, metrics, hands, clock }
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

    async fn preflight(&self, target: &Target, wish: &Wish, diff: bool) -> Result<Preflight, LookError> {
        let now = (self.clock)();
        let cluster = self.cluster.as_deref();
        match (wish, cluster) {
            (Wish::ResetBreaker { breaker, endpoints }, _) => {
                let wanted = (breaker.as_str(), endpoints);
                reset_breaker::preflight(cluster, self.http.as_ref(), now, target, wanted, diff).await
            }
            (Wish::Revert(done @ (Action::Restart { .. } | Action::ResetBreaker { .. })), _) => {
                Ok(refused(Reason::BadValue {
                    what: "revert".into(),
                    problem: format!("a {} cannot be taken back", done.name()),
                }))
            }
            (Wish::Scale(_) | Wish::Restart | Wish::Revert(Action::Scale { .. }), None) => {
                Ok(refused(Reason::NoKubernetes))
            }
            (Wish::Scale(wish), Some(cluster)) => scale::preflight(cluster, now, target, wish, diff).await,
            (Wish::Restart, Some(cluster)) => restart::preflight(cluster, now, target, diff).await,
            (Wish::Revert(Action::Scale { lever, from, to }), Some(cluster)) => {
                scale::preflight_of_revert(cluster, now, target, (lever, *from, *to), diff).await
            }
        }
    }

    /// Shows what the intent would change. Has no way to the hands.
    async fn rehearse(&self, seal: &Sealed<Intent>) -> Outcome {
        match (&seal.action, self.cluster.as_deref()) {
            (Action::ResetBreaker { breaker, endpoints }, _) => {
                reset_breaker::rehearse(self.http.as_ref(), &reset(seal, breaker, endpoints)).await
            }
            (Action::Scale { .. } | Action::Restart { .. }, None) => no_kubernetes(),
            (Action::Scale { lever, from, to }, Some(cluster)) => {
                one_change::rehearse(cluster, &self.clock, seal, &scaling(seal, lever, *from, *to)).await
            }
            (Action::Restart { generation }, Some(cluster)) => {
                one_change::rehearse(cluster, &self.clock, seal, &restarting(seal, *generation)).await
            }
        }
    }

    async fn act(&self, hands: &BothHands, seal: &Sealed<Intent>) -> Outcome {
        match (&seal.action, hands.cluster.as_deref()) {
            (Action::ResetBreaker { breaker, endpoints }, _) => {
                reset_breaker::perform(
                    hands.http.as_ref(),
                    &self.clock,
                    seal,
                    &reset(seal, breaker, endpoints),
                )
                .await
            }
            (Action::Scale { .. } | Action::Restart { .. }, None) => no_kubernetes(),
            (Action::Scale { lever, from, to }, Some(cluster)) => {
                scale::perform(cluster, &self.clock, seal, &scaling(seal, lever, *from, *to)).await
            }
            (Action::Restart { generation }, Some(cluster)) => {
                restart::perform(cluster, &self.clock, seal, &restarting(seal, *generation)).await
            }
        }
    }

    /// Finds out, with eyes alone.
    async fn find_out(&self, seal: &Sealed<Intent>) -> Outcome {
        match (&seal.action, self.cluster.as_deref()) {
            (Action::ResetBreaker { breaker, endpoints }, _) => {
                reset_breaker::close(self.http.as_ref(), &reset(seal, breaker, endpoints)).await
            }
            (Action::Scale { .. } | Action::Restart { .. }, None) => Outcome::Unknown {
                what: format!(
                    "{} {} cannot be looked at: {}",
                    seal.action,
                    seal.target,
                    Reason::NoKubernetes
                ),
            },
            (Action::Scale { lever, from, to }, Some(cluster)) => {
                scale::close(cluster, seal, &scaling(seal, lever, *from, *to)).await
            }
            (Action::Restart { generation }, Some(cluster)) => {
                restart::close(cluster, &self.clock, seal, &restarting(seal, *generation)).await
            }
        }
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

    async fn perform(&self, seal: &Sealed<Intent>) -> Outcome {
        let outcome = match (seal.mode, &self.hands) {
            (Mode::DryRun, _) => self.in_time(seal, self.rehearse(seal)).await,
            (Mode::Approve | Mode::Enforce, Some(hands)) => self.in_time(seal, self.act(hands, seal)).await,
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
            Mode::Approve | Mode::Enforce => self.in_time(seal, self.find_out(seal)).await,
        };
        told(seal, "an effect of an earlier process was closed", outcome)
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

fn reset<'a>(seal: &'a Sealed<Intent>, breaker: &'a str, endpoints: &'a [String]) -> Reset<'a> {
    Reset { breaker, endpoints, correlation: seal.correlation.as_deref() }
}

fn scaling<'a>(
    seal: &'a Sealed<Intent>,
    lever: &'a paramedic_policies::action::ScaleLever,
    from: u32,
    to: u32,
) -> Scaling<'a> {
    Scaling { intent: seal, stamp: seal.stamp(), lever, from, to }
}

fn restarting(seal: &Sealed<Intent>, generation: i64) -> Restart<'_> {
    Restart { intent: seal, stamp: seal.stamp(), generation }
}

fn refused(reason: Reason) -> Preflight {
    let mut checks = Checks::default();
    checks.refuse(reason);
    checks.into_preflight(Seen::default(), None, false)
}

fn no_kubernetes() -> Outcome {
    Outcome::Refused { reasons: vec![Reason::NoKubernetes] }
}

fn not_in_time(tried: String) -> LookError {
    LookError::Failed { tried, problem: "no answer in time".into() }
}

fn not_found(error: LookError) -> Found {
    match error {
        LookError::Absent { what } => Found::Absent { what },
        LookError::Forbidden { .. } | LookError::Failed { .. } => Found::Failed { what: error.to_string() },
    }
}

fn humane(span: Duration) -> paramedic_policies::time::Span {
    paramedic_policies::time::Span::from_ms(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}
