//! Every kind of change whose answer is lost on the way back from a real API server: made, deleted, evicted, patched. What was
//! done is found out by looking, and nothing is ever sent twice.

use paramedic_policies::action::{Intent, Wish};
use paramedic_policies::remediation::evict_pod::LocalStorage;
use paramedic_policies::remediation::patch::{Field, SwitchPlace};
use paramedic_policies::remediation::scale::{self, Amount};
use paramedic_policies::remediation::{
    delete_pod, drain_node, evict_pod, freeze_deploys, quarantine, run_job,
};
use paramedic_policies::target::Target;
use paramedic_policies::time::Span;
use paramedic_remediations::Remedies;
use paramedic_remediations::ports::halt::Halt;
use paramedic_remediations::ports::world::World;
use paramedic_tests::control_plane::{ControlPlane, Namespace};
use serde_json::json;

use super::block_ip::wish as block;
use super::least::{Asks, WEB, any};
use super::nodes;
use super::proxy::{Fault, Proxy};
use super::run_job::{container_ends, cron_job};
use super::stand::{intent, kubernetes_by, now, preflight, sealed, stamp, target, world};
use paramedic_policies::remediation::block_ip::Means;

const POLICIES: [Asks; 8] = [
    (any!("Pod"), "[{quarantine: {for: 2h, detach: true, enforced: true}}]"),
    (any!("Pod"), "[{evictPod: {}}]"),
    (any!("Pod"), "[{deletePod: {}}]"),
    (WEB, "[{freezeDeploys: {for: 1h}}]"),
    (WEB, "[{scale: {by: 1, max: 9}}]"),
    (
        WEB,
        "[{blockIp: {by: networkPolicy, clientAddress: peer, address: '{{ labels.ip }}', for: 1h, enforced: true}}]",
    ),
    ("{kind: CronJob.batch, namespace: NS, name: backup}", "[{runJob: {}}]"),
    ("{kind: ConfigMap, namespace: NS, name: flags}", "[{patch: {switch: {key: maintenance, to: 'on'}}}]"),
];

/// A shop whose API server is reached by way of something that cuts.
struct Lossy {
    shop: Namespace,
    proxy: Proxy,
    world: Remedies,
}

impl Lossy {
    async fn of(cluster: &ControlPlane, name: &str, policies: &[Asks]) -> Self {
        let shop = cluster.namespace(name).await;
        let proxy = Proxy::before(cluster).await;
        let world = world(&kubernetes_by(cluster, &proxy.url, &shop, policies).await);
        Self { shop, proxy, world }
    }

    /// Does it while every answer to a change is lost; so many requests, now and ever.
    async fn lost(&self, intent: Intent, requests: u32) -> Intent {
        let before = self.proxy.changes();
        self.proxy.fails(Fault::CutAfter);
        let seal = sealed(intent.clone());
        let outcome = self.world.perform(&seal, &Halt::never()).await;
        assert_eq!(outcome.name(), "done", "{}: {outcome:?}", intent.action);
        assert_eq!(self.proxy.changes() - before, requests, "{}", intent.action);
        assert_eq!(
            self.world.perform(&seal, &Halt::never()).await.name(),
            "done",
            "{}: a repeat",
            intent.action
        );
        assert_eq!(self.world.close(&seal).await.name(), "done", "{}: after a crash", intent.action);
        assert_eq!(self.proxy.changes() - before, requests, "{}: nothing is sent twice", intent.action);
        self.proxy.fails(Fault::None);
        intent
    }

    async fn planned(&self, id: u64, target: &Target, wish: Wish) -> Intent {
        let found = preflight(&self.world, target, wish, false).await;
        assert!(found.refusals.is_empty(), "{found:?}");
        Intent { deadline: now() + Span::from_mins(2), ..intent(id, target, &found) }
    }

    async fn back(&self, id: u64, of: &Intent) -> Intent {
        let planned = self.planned(id, &of.target, Wish::Revert(of.action.clone())).await;
        Intent { reverts: Some(of.id), charged: false, uid: of.uid.clone(), ..planned }
    }

    async fn a_pod(&self) -> Target {
        let name = self.shop.pods("web").await.into_keys().next().expect("a pod");
        target(&self.shop, "Pod", &name)
    }
}

#[tokio::test]
async fn a_pod_is_held_evicted_and_deleted_once_though_no_answer_comes() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let lossy = Lossy::of(cluster, "lost-pods", &POLICIES).await;
    lossy.shop.deployment("web", 2).await;
    let wish = quarantine::Wish {
        lasts: Span::from_hours(2),
        detach: true,
        rejoin: false,
        dns: false,
        max: 5,
        enforced: true,
    };
    let pod = lossy.a_pod().await;
    let held = lossy.lost(lossy.planned(301, &pod, Wish::Quarantine(wish)).await, 2).await;
    assert_eq!(
        lossy.shop.get("Pod", &pod.name).await["metadata"]["labels"]["paramedic.dev/quarantine"],
        stamp(301)
    );
    lossy.lost(lossy.back(302, &held).await, 2).await;
    let wall = format!("paramedic-quarantine-{}", stamp(301));
    assert!(lossy.shop.try_get("NetworkPolicy", &wall).await.is_none());

    lossy.shop.rolled_out("Deployment", "web").await;
    let evict = Wish::EvictPod(evict_pod::Wish { local_storage: LocalStorage::Refuse });
    let pod = lossy.a_pod().await;
    lossy.lost(lossy.planned(303, &pod, evict).await, 1).await;
    assert!(lossy.shop.try_get("Pod", &pod.name).await.is_none());
    lossy.shop.rolled_out("Deployment", "web").await;
    let delete = Wish::DeletePod(delete_pod::Wish { local_storage: LocalStorage::Refuse });
    let pod = lossy.a_pod().await;
    lossy.lost(lossy.planned(304, &pod, delete).await, 1).await;
    assert!(lossy.shop.try_get("Pod", &pod.name).await.is_none());
}

#[tokio::test]
async fn a_freeze_and_a_block_are_made_and_taken_back_once_though_no_answer_comes() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let lossy = Lossy::of(cluster, "lost-made", &POLICIES).await;
    lossy.shop.deployment("web", 1).await;
    let web = target(&lossy.shop, "Deployment", "web");
    let freeze = Wish::FreezeDeploys(freeze_deploys::Wish {
        namespaces: vec![lossy.shop.name.clone()],
        lasts: Span::from_hours(1),
        reason: Some("a test".into()),
        break_glass: "break-glass".into(),
        reach: Vec::new(),
    });
    let frozen = lossy.lost(lossy.planned(311, &web, freeze).await, 2).await;
    lossy.lost(lossy.back(312, &frozen).await, 2).await;

    // The first block makes the NetworkPolicy, the second changes it, the last to end deletes it.
    let one = lossy.planned(313, &web, block("203.0.113.7", Means::NetworkPolicy, &lossy.shop)).await;
    let one = lossy.lost(one, 1).await;
    let two = lossy.planned(314, &web, block("203.0.113.8", Means::NetworkPolicy, &lossy.shop)).await;
    let two = lossy.lost(two, 1).await;
    lossy.lost(lossy.back(315, &one).await, 1).await;
    lossy.lost(lossy.back(316, &two).await, 1).await;
    assert!(lossy.shop.try_get("NetworkPolicy", "paramedic-block-deployment-web").await.is_none());
}

#[tokio::test]
async fn a_minimum_a_switch_and_a_job_are_set_and_run_once_though_no_answer_comes() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let lossy = Lossy::of(cluster, "lost-set", &POLICIES).await;
    lossy.shop.deployment("web", 2).await;
    let web = target(&lossy.shop, "Deployment", "web");
    let reference = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"});
    let spec = json!({"scaleTargetRef": reference, "minReplicas": 2, "maxReplicas": 4});
    lossy
        .shop
        .apply(json!({"kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"}, "spec": spec}))
        .await;
    let more = Wish::Scale(scale::Wish {
        amount: Amount::By(1),
        max: None,
        min: None,
        max_step: None,
        allow_down: false,
    });
    let raised = lossy.lost(lossy.planned(321, &web, more).await, 1).await;
    let min = async || lossy.shop.get("HorizontalPodAutoscaler", "web").await["spec"]["minReplicas"].clone();
    assert_eq!(min().await, json!(3));
    lossy.lost(lossy.back(322, &raised).await, 1).await;
    assert_eq!(min().await, json!(2));

    lossy
        .shop
        .apply(json!({"kind": "ConfigMap", "metadata": {"name": "flags"}, "data": {"maintenance": "off"}}))
        .await;
    let flags = target(&lossy.shop, "ConfigMap", "flags");
    let switch =
        Wish::Patch(Field::Switch { place: SwitchPlace::Key("maintenance".into()), to: "on".into() });
    let on = lossy.lost(lossy.planned(323, &flags, switch).await, 1).await;
    lossy.lost(lossy.back(324, &on).await, 1).await;
    assert_eq!(lossy.shop.get("ConfigMap", "flags").await["data"]["maintenance"], "off");

    cron_job(&lossy.shop, json!({})).await;
    let backup = target(&lossy.shop, "CronJob.batch", "backup");
    let wish = run_job::Wish {
        template: None,
        parameters: Default::default(),
        container: None,
        within: Span::from_mins(1),
    };
    let planned = lossy.planned(325, &backup, Wish::RunJob(wish)).await;
    let job = format!("paramedic-{}", stamp(325));
    tokio::join!(lossy.lost(planned, 1), container_ends(&lossy.shop, &job, 0));
    assert_eq!(lossy.shop.list("Job", "").await.len(), 1);
}

const DRAIN: [Asks; 1] = [("{from: {node: lost-a}}", "[{drainNode: {}}]")];

#[tokio::test]
async fn a_node_is_cordoned_emptied_and_given_back_once_though_no_answer_comes() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let lossy = Lossy::of(cluster, "lost-drain", &DRAIN).await;
    let shop = &lossy.shop;
    let _alone = nodes::alone().await;
    for name in ["lost-a", "lost-b"] {
        nodes::node(shop, name, "lost").await;
    }
    shop.workload("Deployment", "web", 2, nodes::only_on("lost")).await;
    let pods = shop.pods("web").await;
    let here = pods.values().filter(|pod| pod["spec"]["nodeName"] == "lost-a").count();
    let node = Target { kind: "Node".into(), namespace: String::new(), name: "lost-a".into() };
    let wish =
        drain_node::Wish { max_nodes: 1, local_storage: LocalStorage::Refuse, within: Span::from_mins(2) };
    let requests = 1 + u32::try_from(here).expect("two pods at most");
    let drained = lossy.lost(lossy.planned(331, &node, Wish::DrainNode(wish)).await, requests).await;
    lossy.lost(lossy.back(332, &drained).await, 1).await;
    assert_eq!(shop.get("Node", "lost-a").await["spec"].get("unschedulable"), None);
    for name in ["lost-a", "lost-b"] {
        shop.delete("Node", name).await;
    }
}
