//! Evidence from the real API server: pods, events and revisions are its own. The stages that play the kubelet here give
//! no logs, which the evidence says; the endpoint of logs is played by a server of our own, behind the real adapter.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::routing::get;
use paramedic_policies::action::{Outcome, Wish};
use paramedic_policies::evidence::{Evidence, Kept};
use paramedic_policies::remediation::collect_evidence;
use paramedic_policies::time::Span;
use paramedic_remediations::ports::cluster::{Cluster, LookError, Run};
use paramedic_remediations::ports::halt::Halt;
use paramedic_remediations::ports::objects::Resource;
use paramedic_remediations::ports::world::World;
use paramedic_tests::control_plane::ControlPlane;

use super::least::{Asks, any};
use super::stand::{intent, kubernetes, kubernetes_by, preflight, rests, sealed, target, world};

/// The second lets the test itself watch the workload come to rest.
const POLICIES: [Asks; 2] =
    [(any!("Deployment"), "[{collectEvidence: {}}]"), (any!("Deployment"), "[{restart: {}}]")];

const PODS: Resource = Resource::namespaced("", "v1", "pods", "Pod");

fn wish(required: bool) -> collect_evidence::Wish {
    let (over, log_lines, max_kib) = (Span::from_mins(5), 50, 32);
    collect_evidence::Wish { queries: Vec::new(), over, log_lines, max_kib, required }
}

fn piece<'e>(evidence: &'e Evidence, name: &str) -> &'e Kept {
    let found = evidence.pieces.iter().find(|piece| piece.name.starts_with(name));
    &found.unwrap_or_else(|| panic!("no {name} in {evidence:#?}")).found
}

fn text<'e>(evidence: &'e Evidence, name: &str) -> &'e str {
    match piece(evidence, name) {
        Kept::Text(text) => text,
        other => panic!("{name}: {other:?}"),
    }
}

#[tokio::test]
async fn evidence_is_what_the_server_knows_and_says_what_it_does_not() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("evidence").await;
    let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
    let world = world(&kubernetes).with_redaction(Arc::new(str::to_owned));
    let web = target(&shop, "Deployment", "web");
    shop.workload("Deployment", "web", 2, serde_json::json!({})).await;
    rests(&kubernetes, &web).await;
    let before = shop.get("Deployment", "web").await;

    let found = preflight(&world, &web, Wish::CollectEvidence(wish(false)), false).await;
    let outcome = world.perform(&sealed(intent(51, &web, &found)), &Halt::never()).await;
    let Outcome::Collected { evidence } = outcome else { panic!("{outcome:?}") };
    let pods = text(&evidence, "pods");
    assert_eq!(pods.lines().count(), 2, "{pods}");
    assert!(pods.lines().all(|line| line.starts_with("web-") && line.contains("Running")), "{pods}");
    assert!(text(&evidence, "revisions").starts_with("revision 1 since "), "{evidence:#?}");
    assert!(text(&evidence, "events").contains("ScalingReplicaSet"), "{evidence:#?}");
    // Nobody runs a kubelet here, so there is no log, and the evidence does not pretend that there is.
    assert!(matches!(piece(&evidence, "log of web-"), Kept::Missing { .. }), "{evidence:#?}");
    assert_eq!(
        shop.get("Deployment", "web").await["metadata"]["generation"],
        before["metadata"]["generation"]
    );

    let found = preflight(&world, &web, Wish::CollectEvidence(wish(true)), false).await;
    let required = world.perform(&sealed(intent(52, &web, &found)), &Halt::never()).await;
    assert!(
        matches!(&required, Outcome::Failed { what, applied: false, .. } if what.contains("log of")),
        "{required:?}"
    );
}

#[tokio::test]
async fn logs_are_asked_for_as_the_api_server_takes_it() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let log = |Path((namespace, pod)): Path<(String, String)>, RawQuery(query): RawQuery| async move {
        let query = query.unwrap_or_default();
        if pod != "web-0" {
            return (StatusCode::NOT_FOUND, format!("pods {pod} not found"));
        }
        (StatusCode::OK, format!("{namespace} {pod} {query}\n"))
    };
    let router = Router::new().route("/api/v1/namespaces/{namespace}/pods/{pod}/log", get(log));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let served = tokio::spawn(async move { axum::serve(listener, router).await });
    let shop = cluster.namespace("evidence-logs").await;
    let kubernetes = kubernetes_by(cluster, &url, &shop, &POLICIES).await;
    let run =
        |pod: &str, previous| Run { pod: PODS.named("prod", pod), container: "app", previous, lines: 50 };
    let now = kubernetes.log_of(&run("web-0", false)).await.expect("a log");
    assert!(
        now.starts_with("prod web-0 ") && now.contains("container=app") && now.contains("tailLines=50"),
        "{now}"
    );
    assert!(now.contains("limitBytes=1048576") && !now.contains("previous=true"), "{now}");
    let before = kubernetes.log_of(&run("web-0", true)).await.expect("a log");
    assert!(before.contains("previous=true"), "{before}");
    let gone = kubernetes.log_of(&run("web-9", false)).await;
    assert!(
        matches!(
            gone,
            Err(LookError::Absent { .. } | LookError::Failed { .. } | LookError::Forbidden { .. })
        ),
        "{gone:?}"
    );
    served.abort();
}
