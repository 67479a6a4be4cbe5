//! Restarts and rollbacks of Argo Rollouts on a real API server, by the real controller.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use paramedic_policies::action::{DiffSource, Intent, Mode, Wish};
use paramedic_policies::answer::{Found, Number, Sample};
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::rollback::{self, Helm};
use paramedic_policies::remediation::{abort_rollout, freeze_deploys, restart};
use paramedic_policies::time::{Moment, Span};
use paramedic_remediations::ports::halt::Halt;
use paramedic_remediations::ports::metrics::Metrics;
use paramedic_remediations::ports::world::World;
use paramedic_remediations::{PlainHttp, Remedies};
use paramedic_tests::argo_rollouts::ArgoRollouts;
use paramedic_tests::control_plane::{ControlPlane, Namespace};
use paramedic_tests::waiting::{eventually, seen};
use serde_json::{Value, json};

use super::least::Asks;
use super::stand::{intent, kubernetes, now, preflight, sealed, stamp, target, words};

const POLICIES: [Asks; 2] = [
    ("{kind: Rollout.argoproj.io, namespace: NS, name: web}", "[{restart: {}}]"),
    (
        "{kind: Rollout.argoproj.io, namespace: NS, name: web}",
        "[{rollback: {healthy: {query: 'errors', is: '< 0.05'}}}]",
    ),
];

const SOON: Duration = Duration::from_secs(120);

/// How long a deploy must have been healthy here.
const HELD: Span = Span::from_secs(4);

/// Says of every time that was asked about that all was well, at each of its looks.
struct AllWell;

#[async_trait]
impl Metrics for AllWell {
    async fn query(&self, _: &str) -> Found {
        Found::Series(vec![Sample { labels: Default::default(), value: Number(4.0) }])
    }
}

async fn rollout(shop: &Namespace, image: &str) {
    let labels = json!({"app": "web"});
    shop.apply(json!({
        "kind": "Rollout",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"terminationGracePeriodSeconds": 1, "containers": [{"name": "main", "image": image}]},
            },
            "strategy": {"canary": {"steps": [{"setWeight": 50}]}},
        },
    }))
    .await;
}

async fn healthy(shop: &Namespace) -> Value {
    eventually(SOON, "the Rollout is healthy", async || {
        let rollout = shop.get("Rollout", "web").await;
        let observed = rollout["status"]["observedGeneration"].as_str().and_then(|text| text.parse().ok());
        let is_new = observed == rollout["metadata"]["generation"].as_u64();
        let is_healthy = rollout["status"]["phase"] == "Healthy";
        seen(is_new && is_healthy, || rollout["status"].to_string()).map(|()| rollout)
    })
    .await
}

async fn uids(shop: &Namespace) -> BTreeSet<String> {
    let pods = shop.pods("web").await;
    pods.values().filter_map(|pod| pod["metadata"]["uid"].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn a_rollout_is_restarted_and_taken_back_by_its_own_controller() {
    if !ArgoRollouts::needed() {
        return;
    }
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("rollouts").await;
    let _controller = ArgoRollouts::start(cluster, &shop).await;
    let http = Arc::new(PlainHttp::new().expect("a client"));
    let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
    let world = Remedies::with_hands(Some(kubernetes), http, Arc::new(AllWell), Arc::new(now));
    let web = target(&shop, abort_rollout::KIND, "web");
    let restart = || Wish::Restart(restart::Written {});
    let back = || {
        Wish::Rollback(rollback::Wish {
            query: "errors".into(),
            is: "< 0.05".into(),
            held: HELD,
            deployed_within: None,
            helm: Helm::Refuse,
        })
    };
    let long = |intent: Intent| Intent { deadline: now() + Span::from_mins(3), ..intent };

    rollout(&shop, "registry.example/web:good").await;
    healthy(&shop).await;
    let before = uids(&shop).await;
    let only = preflight(&world, &web, back(), false).await;
    assert_eq!(only.refusals.iter().map(Reason::name).collect::<Vec<_>>(), ["targetAbsent"], "{only:?}");

    // A pod as old as the restart to the second counts as new.
    eventually(SOON, "its pods are of an earlier second", async || {
        let pods = shop.pods("web").await;
        let of = |pod: &Value| pod["metadata"]["creationTimestamp"].as_str()?.parse::<Moment>().ok();
        let newest = pods.values().filter_map(of).max();
        seen(newest.is_some_and(|newest| now().since(newest) > Span::from_secs(6)), || pods.len().to_string())
    })
    .await;
    let found = preflight(&world, &web, restart(), true).await;
    assert_eq!(found.diff.as_ref().map(|diff| &diff.source), Some(&DiffSource::ServerDryRun), "{found:?}");
    assert_eq!(found.diff.as_ref().map(|diff| diff.fields[0].path.as_str()), Some("spec.restartAt"));
    let planned = long(intent(161, &web, &found));
    let rehearsed =
        world.perform(&sealed(Intent { mode: Mode::DryRun, ..planned.clone() }), &Halt::never()).await;
    assert_eq!(rehearsed.name(), "done", "{rehearsed:?}");
    let seal = sealed(planned);
    let outcome = world.perform(&seal, &Halt::never()).await;
    assert_eq!(outcome.name(), "done", "{outcome:?}");
    let restarted = shop.get("Rollout", "web").await;
    assert_eq!(restarted["spec"]["restartAt"], restarted["status"]["restartedAt"]);
    assert_eq!(restarted["metadata"]["annotations"]["paramedic.dev/intent"], stamp(161));
    let after = uids(&shop).await;
    assert!(before.is_disjoint(&after) && after.len() == 2, "every pod is another one: {before:?} {after:?}");
    assert_eq!(restarted["status"]["currentPodHash"], restarted["status"]["stableRS"], "no canary began");
    assert_eq!(world.perform(&seal, &Halt::never()).await.name(), "done", "a repeat is the same restart");
    assert_eq!(world.close(&seal).await.name(), "done");
    let generation = restarted["metadata"]["generation"].clone();
    assert_eq!(shop.get("Rollout", "web").await["metadata"]["generation"], generation);

    // A canary whose pods never become ready: nothing else moves it meanwhile, and the way back is to the first.
    rollout(&shop, "registry.example/bad:1").await;
    eventually(SOON, "the canary is under way", async || {
        let rollout = shop.get("Rollout", "web").await;
        let status = &rollout["status"];
        let differs = status["currentPodHash"] != status["stableRS"];
        let observed = status["observedGeneration"].as_str().and_then(|text| text.parse().ok());
        let is_new = observed == rollout["metadata"]["generation"].as_u64();
        seen(is_new && differs, || status.to_string())
    })
    .await;
    let busy = preflight(&world, &web, restart(), false).await;
    assert_eq!(busy.refusals.iter().map(Reason::name).collect::<Vec<_>>(), ["rollingOut"], "{busy:?}");
    let found = preflight(&world, &web, back(), true).await;
    assert_eq!(words(found.action.as_ref()), "roll back revision 2 to 1", "{:?}", found.refusals);
    let seal = sealed(long(intent(162, &web, &found)));
    let outcome = world.perform(&seal, &Halt::never()).await;
    assert_eq!(outcome.name(), "done", "{outcome:?}");
    let good = healthy(&shop).await;
    assert_eq!(good["spec"]["template"]["spec"]["containers"][0]["image"], "registry.example/web:good");
    assert_eq!(good["status"]["currentPodHash"], good["status"]["stableRS"]);
    assert_eq!(good["metadata"]["annotations"]["paramedic.dev/intent"], stamp(162));
    assert_eq!(world.perform(&seal, &Halt::never()).await.name(), "done", "a repeat finds itself");
    assert_eq!(world.close(&seal).await.name(), "done");
}

#[tokio::test]
async fn a_freeze_refuses_a_new_template_of_a_rollout_too() {
    if !ArgoRollouts::needed() {
        return;
    }
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("rollout-frozen").await;
    let _controller = ArgoRollouts::start(cluster, &shop).await;
    shop.deployment("other", 1).await;
    rollout(&shop, "registry.example/web:1").await;
    healthy(&shop).await;
    let freezes: [Asks; 1] =
        [("{kind: Deployment, namespace: NS, name: other}", "[{freezeDeploys: {for: 1h}}]")];
    let http = Arc::new(PlainHttp::new().expect("a client"));
    let kubernetes = kubernetes(cluster, &shop, &freezes).await;
    let world = Remedies::with_hands(Some(kubernetes), http, Arc::new(AllWell), Arc::new(now));
    let other = target(&shop, "Deployment", "other");
    let wish = Wish::FreezeDeploys(freeze_deploys::Wish {
        namespaces: vec![shop.name.clone()],
        lasts: Span::from_hours(1),
        reason: Some("a test".into()),
        break_glass: "break-glass".into(),
        reach: Vec::new(),
    });
    let found = preflight(&world, &other, wish, false).await;
    let outcome = world.perform(&sealed(intent(211, &other, &found)), &Halt::never()).await;
    assert_eq!(outcome.name(), "done", "{outcome:?}");
    let image = |tag: &str| {
        let container = json!({"name": "main", "image": format!("registry.example/web:{tag}")});
        json!({"spec": {"template": {"spec": {"containers": [container]}}}})
    };
    // Whatever else the admin may do: the gate is for everybody.
    let refused = shop.try_patch("Rollout", "web", image("2")).await.expect_err("it is frozen");
    assert!(refused.to_string().contains("paramedic has frozen deploys"), "{refused}");
    shop.patch("Rollout", "web", json!({"spec": {"replicas": 3}})).await;
}
