//! What the tests of the remediations stand on: the daemon's own adapter on a real API server, and sealed intents as
//! the loop mints them. There is no other way to a seal, in tests either.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use kube::config::{KubeConfigOptions, Kubeconfig};
use paramedic_policies::action::{Action, Intent, Mode, Wish};
use paramedic_policies::answer::{Found, Preflight};
use paramedic_policies::book::Digest;
use paramedic_policies::event::Seq;
use paramedic_policies::input::Input;
use paramedic_policies::question::{Ask, Fact, Question};
use paramedic_policies::state::{CaseId, InFlight, State};
use paramedic_policies::target::Target;
use paramedic_policies::time::{Moment, Span};
use paramedic_remediations::ports::cluster::Cluster;
use paramedic_remediations::ports::journal::Receipt;
use paramedic_remediations::ports::metrics::Metrics;
use paramedic_remediations::ports::world::World;
use paramedic_remediations::{Endpoints, Kubernetes, PlainHttp, Release, Remedies, Sealed, WriteAhead};
use paramedic_tests::control_plane::{ControlPlane, Namespace, User};

use super::least::{Asks, account};

/// The uuid of a journal.
pub(crate) const JOURNAL: &str = "0190a3c4-5d6e-7f80-9a1b-2c3d4e5f6071";

pub(crate) fn now() -> Moment {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("the clock is past 1970");
    Moment::from_unix_ms(i64::try_from(since.as_millis()).expect("the clock is before the year 292 million"))
}

/// A configuration as the daemon infers it from a kubeconfig.
pub(crate) async fn config(cluster: &ControlPlane, user: User) -> kube::Config {
    paramedic_tests::tls::install();
    let read = Kubeconfig::read_from(cluster.kubeconfig(user)).expect("our own kubeconfig is one");
    let mut config = kube::Config::from_custom_kubeconfig(read, &KubeConfigOptions::default())
        .await
        .expect("our own kubeconfig is complete");
    config.proxy_url = None;
    config
}

/// The adapter, as an account that may do what these policies need and nothing else.
pub(crate) async fn kubernetes(
    cluster: &ControlPlane,
    namespace: &Namespace,
    policies: &[Asks],
) -> Arc<Kubernetes> {
    Arc::new(Kubernetes::new(account(cluster, namespace, policies).await).expect("a client"))
}

/// The same, by way of something else.
pub(crate) async fn kubernetes_by(
    cluster: &ControlPlane,
    url: &str,
    namespace: &Namespace,
    policies: &[Asks],
) -> Arc<Kubernetes> {
    let mut config = account(cluster, namespace, policies).await;
    config.cluster_url = url.parse().expect("a URL");
    Arc::new(Kubernetes::new(config).expect("a client"))
}

struct NoMetrics;

#[async_trait]
impl Metrics for NoMetrics {
    async fn query(&self, _: &str) -> Found {
        Found::Series(Vec::new())
    }
}

/// Everything, with hands.
pub(crate) fn world(kubernetes: &Arc<Kubernetes>) -> Remedies {
    let http = Arc::new(PlainHttp::new().expect("a client"));
    Remedies::with_hands(Some(kubernetes.clone()), http, Arc::new(NoMetrics), Arc::new(now))
}

/// Everything but Kubernetes.
pub(crate) fn http_only() -> Remedies {
    paramedic_tests::tls::install();
    let http = Arc::new(PlainHttp::new().expect("a client"));
    Remedies::with_hands(None, http, Arc::new(NoMetrics), Arc::new(now))
}

/// The same, with endpoints.
pub(crate) fn http_with(endpoints: Endpoints) -> Remedies {
    let http = Arc::new(PlainHttp::new().expect("a client").with_endpoints(endpoints));
    Remedies::with_hands(None, http, Arc::new(NoMetrics), Arc::new(now))
}

pub(crate) fn target(namespace: &Namespace, kind: &str, name: &str) -> Target {
    Target { kind: kind.into(), namespace: namespace.name.clone(), name: name.into() }
}

/// Asks for a preflight.
pub(crate) async fn preflight(world: &Remedies, target: &Target, wish: Wish, diff: bool) -> Preflight {
    let ask = Ask::Preflight { target: target.clone(), wish, diff };
    match asked(world, ask).await {
        Found::Preflight(preflight) => *preflight,
        other => panic!("no preflight: {other:?}"),
    }
}

pub(crate) async fn asked(world: &Remedies, ask: Ask) -> Found {
    let case = CaseId { episode: Seq(1), policy: "p".into() };
    let deadline = now() + Span::from_secs(20);
    world.answer(&Question { id: Seq(1), case, fact: Fact::Preflight, ask, deadline }).await
}

/// The intent that an engine makes of a preflight.
pub(crate) fn intent(id: u64, target: &Target, found: &Preflight) -> Intent {
    let action = found.action.clone().unwrap_or_else(|| panic!("nothing to do: {found:?}"));
    Intent {
        id: Seq(id),
        episode: Seq(1),
        policy: "p".into(),
        book: Digest::of(b"no book"),
        rung: 0,
        step: 0,
        target: target.clone(),
        uid: found.uid.clone(),
        action,
        mode: Mode::Enforce,
        at: now(),
        deadline: now() + Span::from_secs(30),
        charged: true,
        reverts: None,
        revert_after: None,
        epoch: 1,
        approved_by: None,
        correlation: Some("c-1".into()),
    }
}

/// A seal, as a loop mints it for an intent that it finds in flight.
pub(crate) fn sealed(intent: Intent) -> Sealed<Intent> {
    let mut state = State { next: Seq(intent.id.0 + 1), now: intent.at, ..State::default() };
    state.in_flight.insert(intent.id, InFlight { intent, in_doubt: false });
    let mut wal = WriteAhead::new(state, JOURNAL.into());
    wal.feed(now(), &Input::Began { version: "test".into() }, None);
    let block = wal.take_block().expect("a start is recorded");
    let receipt = Receipt { first: block.first(), end: block.end(), root: Digest::of(b"root") };
    let releases = wal.committed(&receipt);
    let seal = releases.into_iter().find_map(|release| match release {
        Release::Close(seal) => Some(seal),
        _ => None,
    });
    seal.expect("an intent in flight is closed at a start")
}

/// The stamp of such a seal.
pub(crate) fn stamp(id: u64) -> String {
    format!("{JOURNAL}-{id}")
}

/// Waits until the adapter sees the workload at rest: no rollout under way.
pub(crate) async fn rests(kubernetes: &Kubernetes, target: &Target) {
    paramedic_tests::waiting::eventually(Duration::from_secs(30), "a workload at rest", async || {
        let rollout = kubernetes.rollout(target).await.map_err(|error| error.to_string())?;
        if rollout.complete { Ok(()) } else { Err(rollout.detail) }
    })
    .await;
}

/// An action's words, for comparison.
pub(crate) fn words(action: Option<&Action>) -> String {
    action.map_or("nothing".into(), Action::to_string)
}
