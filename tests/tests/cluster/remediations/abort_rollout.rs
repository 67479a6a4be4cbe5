//! Aborts on a real API server, with the real controller of Argo Rollouts.

use std::time::Duration;

use paramedic_policies::action::Wish;
use paramedic_policies::remediation::abort_rollout;
use paramedic_remediations::ports::halt::Halt;
use paramedic_remediations::ports::world::World;
use paramedic_tests::argo_rollouts::ArgoRollouts;
use paramedic_tests::control_plane::{ControlPlane, Namespace};
use paramedic_tests::waiting::{eventually, seen};
use serde_json::{Value, json};

use super::least::Asks;
use super::stand::{intent, kubernetes, preflight, sealed, target, words, world};

const POLICIES: [Asks; 1] =
    [("{kind: Rollout.argoproj.io, namespace: NS, name: web}", "[{abortRollout: {}}]")];

const SOON: Duration = Duration::from_secs(60);

/// Four replicas; a new version waits at a quarter of them for somebody to let it go on.
async fn canary(shop: &Namespace, image: &str) {
    let labels = json!({"app": "web"});
    shop.apply(json!({
        "kind": "Rollout",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 4,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "main", "image": image}]},
            },
            "strategy": {"canary": {"steps": [{"setWeight": 25}, {"pause": {}}]}},
        },
    }))
    .await;
}

/// Waits until the controller says so of the newest spec.
async fn is(shop: &Namespace, phase: &str) -> Value {
    eventually(SOON, phase, async || {
        let rollout = shop.get("Rollout", "web").await;
        let status = &rollout["status"];
        // The controller writes it as text.
        let observed = status["observedGeneration"].as_str().and_then(|text| text.parse().ok());
        let is_new = observed == rollout["metadata"]["generation"].as_u64();
        seen(is_new && status["phase"] == phase, || status.to_string()).map(|()| rollout)
    })
    .await
}

async fn images(shop: &Namespace) -> Vec<String> {
    let pods = shop.pods("web").await;
    let image = |pod: &Value| pod.pointer("/spec/containers/0/image")?.as_str().map(str::to_owned);
    pods.values().filter_map(image).collect()
}

#[tokio::test]
async fn a_canary_is_aborted_only_while_it_is_rolled_out() {
    if !ArgoRollouts::needed() {
        return;
    }
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("abort").await;
    let _controller = ArgoRollouts::start(cluster, &shop).await;
    let world = world(&kubernetes(cluster, &shop, &POLICIES).await);
    let web = target(&shop, abort_rollout::KIND, "web");
    let wish = || Wish::AbortRollout(abort_rollout::Written {});
    let told = async || {
        let found = preflight(&world, &web, wish(), false).await;
        found.refusals.iter().map(ToString::to_string).collect::<Vec<_>>()
    };

    let (good, bad) = ("registry.example/web:good", "registry.example/web:canary");
    canary(&shop, good).await;
    let stable = is(&shop, "Healthy").await;
    let stable = stable["status"]["stableRS"].as_str().expect("it is stable").to_owned();
    let nothing = "there is no rollout in progress";
    assert_eq!(told().await, [format!("{nothing}: {stable} is both the newest version and the stable one")]);

    canary(&shop, bad).await;
    let paused = is(&shop, "Paused").await;
    let newest = paused["status"]["currentPodHash"].as_str().expect("it is new").to_owned();
    eventually(SOON, "a quarter of the pods is new", async || {
        let images = images(&shop).await;
        seen(images.iter().filter(|image| *image == bad).count() == 1, || images.join(" "))
    })
    .await;

    let found = preflight(&world, &web, wish(), true).await;
    assert_eq!(
        words(found.action.as_ref()),
        format!("abort the rollout of {newest}, back to {stable}"),
        "{:?}",
        found.refusals
    );
    let diff = found.diff.clone().expect("the server was asked");
    assert_eq!((diff.fields[0].path.as_str(), diff.fields[0].after.as_str()), ("status.abort", "true"));
    let seal = sealed(intent(61, &web, &found));
    let outcome = world.perform(&seal, &Halt::never()).await;
    assert_eq!(outcome.name(), "done", "{outcome:?}");
    let aborted = is(&shop, "Degraded").await;
    assert_eq!(aborted["status"]["abort"], true);
    assert_eq!(aborted["spec"]["template"]["spec"]["containers"][0]["image"], bad, "the spec stays");
    eventually(SOON, "all pods are of the stable version", async || {
        let images = images(&shop).await;
        seen(images == [good; 4], || images.join(" "))
    })
    .await;

    // A repeat finds itself, also where the process is another one; a new wish finds it done.
    assert_eq!(world.perform(&seal, &Halt::never()).await.name(), "done");
    assert_eq!(world.close(&seal).await.name(), "done");
    let again = preflight(&world, &web, wish(), false).await;
    assert!(again.already && again.action.is_none(), "{again:?}");

    // Somebody deploys the good one again: nothing is in progress any more.
    canary(&shop, good).await;
    is(&shop, "Healthy").await;
    assert_eq!(told().await.len(), 1);
    let late = world.perform(&seal, &Halt::never()).await;
    assert_eq!(late.name(), "refused", "{late:?}");
}
