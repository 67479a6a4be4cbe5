//! A drain on a real API server, with nodes of its own that kwok plays.

use paramedic_policies::action::{Intent, Mode, Outcome, Wish};
use paramedic_policies::event::Seq;
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::drain_node;
use paramedic_policies::remediation::evict_pod::LocalStorage;
use paramedic_policies::target::Target;
use paramedic_policies::time::Span;
use paramedic_remediations::ports::halt::Halt;
use paramedic_remediations::ports::world::World;
use paramedic_tests::control_plane::ControlPlane;
use serde_json::{Value, json};

use super::least::Asks;
use super::nodes;
use super::stand::{intent, kubernetes, now, preflight, sealed, stamp, words, world};

const POLICIES: [Asks; 1] = [("{from: {node: drain-a}}", "[{drainNode: {}}]")];

fn wish() -> Wish {
    Wish::DrainNode(drain_node::Wish {
        max_nodes: 1,
        local_storage: LocalStorage::Refuse,
        within: Span::from_mins(2),
    })
}

#[tokio::test]
async fn a_node_is_drained_as_its_budgets_allow_and_given_back() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("drain").await;
    let names = ["drain-a", "drain-b"];
    let _alone = nodes::alone().await;
    for name in names {
        nodes::node(&shop, name, "drain").await;
    }
    let only_there = nodes::only_on("drain");
    shop.workload("Deployment", "web", 4, only_there.clone()).await;
    shop.workload("DaemonSet", "agent", 0, only_there).await;
    shop.apply(json!({"kind": "PodDisruptionBudget", "metadata": {"name": "web"},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}}}))
        .await;
    shop.becomes("PodDisruptionBudget", "web", "/status/disruptionsAllowed", json!(1)).await;
    let on = async |name: &str| {
        let pods = shop.pods("web").await;
        pods.values().filter(|pod| pod["spec"]["nodeName"] == name).count()
    };
    let here = on("drain-a").await;
    assert!(here > 0, "the scheduler spreads them");
    let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
    let world = world(&kubernetes);
    let node = Target { kind: "Node".into(), namespace: String::new(), name: "drain-a".into() };

    // Another node that somebody has taken out counts, and a cordon of somebody else's is theirs.
    let cordon = |value: Value| json!({"spec": {"unschedulable": value}});
    shop.patch("Node", "drain-b", cordon(json!(true))).await;
    let names = async || {
        let found = preflight(&world, &node, wish(), false).await;
        found.refusals.iter().map(Reason::name).collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["outOfBounds"]);
    shop.patch("Node", "drain-b", cordon(Value::Null)).await;
    shop.patch("Node", "drain-a", cordon(json!(true))).await;
    assert_eq!(names().await, ["managedByOther"]);
    shop.patch("Node", "drain-a", cordon(Value::Null)).await;

    let found = preflight(&world, &node, wish(), true).await;
    let plural = if here == 1 { "" } else { "s" };
    let said = format!("cordon it and evict {here} pod{plural} of {}", shop.name);
    assert_eq!(words(found.action.as_ref()), said, "{found:?}");
    let planned = Intent { deadline: now() + Span::from_mins(3), ..intent(151, &node, &found) };
    let rehearsed =
        world.perform(&sealed(Intent { mode: Mode::DryRun, ..planned.clone() }), &Halt::never()).await;
    assert_eq!(rehearsed.name(), "done", "{rehearsed:?}");
    let seal = sealed(planned);
    let outcome = world.perform(&seal, &Halt::never()).await;
    assert_eq!(outcome.name(), "done", "{outcome:?}");
    let cordoned = shop.get("Node", "drain-a").await;
    assert_eq!(cordoned["spec"]["unschedulable"], true);
    assert_eq!(cordoned["metadata"]["annotations"]["paramedic.dev/intent"], stamp(151));
    assert_eq!(on("drain-a").await, 0);
    let agents = shop.pods("agent").await;
    assert!(agents.values().any(|pod| pod["spec"]["nodeName"] == "drain-a"), "the DaemonSet's pod stays");
    shop.rolled_out("Deployment", "web").await;
    assert_eq!(
        world.perform(&seal, &Halt::never()).await.name(),
        "done",
        "the same intent again evicts nobody"
    );
    assert_eq!(world.close(&seal).await.name(), "done");
    let again = preflight(&world, &node, wish(), false).await;
    assert!(again.already, "{again:?}");

    let found = preflight(&world, &node, Wish::Revert(seal.action.clone()), true).await;
    let back = Intent { id: Seq(152), reverts: Some(Seq(151)), ..intent(152, &node, &found) };
    let outcome = world.perform(&sealed(back.clone()), &Halt::never()).await;
    assert_eq!(outcome.name(), "done", "{outcome:?}");
    let free = shop.get("Node", "drain-a").await;
    assert_eq!(free["spec"].get("unschedulable"), None);
    assert_eq!(free["metadata"]["annotations"].get("paramedic.dev/intent"), None);

    // A drain that its budget stops, and another one that takes its cordon over: the API server does not make the second the
    // owner of a field that it finds as it wants it, and the cordon is given back all the same.
    nodes::takes_pods(&shop, "drain-a").await;
    let moved = json!({"spec": {"template": {"metadata": {"labels": {"again": "yes"}}}}});
    shop.patch("Deployment", "web", moved).await;
    shop.rolled_out("Deployment", "web").await;
    assert!(on("drain-a").await > 0, "the scheduler spreads them again");
    let budget = async |most: u32, allows: u32| {
        let spec = json!({"maxUnavailable": most, "selector": {"matchLabels": {"app": "web"}}});
        shop.apply(json!({"kind": "PodDisruptionBudget", "metadata": {"name": "web"}, "spec": spec})).await;
        shop.becomes("PodDisruptionBudget", "web", "/status/disruptionsAllowed", json!(allows)).await;
    };
    budget(1, 1).await;
    let found = preflight(&world, &node, wish(), false).await;
    budget(0, 0).await;
    let stopped = Intent { deadline: now() + Span::from_secs(10), ..intent(153, &node, &found) };
    let outcome = world.perform(&sealed(stopped), &Halt::never()).await;
    assert!(matches!(&outcome, Outcome::Failed { applied: true, .. }), "{outcome:?}");
    budget(1, 1).await;
    let found = preflight(&world, &node, wish(), false).await;
    let second = Intent { deadline: now() + Span::from_mins(3), ..intent(154, &node, &found) };
    let seal = sealed(second);
    assert_eq!(world.perform(&seal, &Halt::never()).await.name(), "done");
    let owners = shop.get("Node", "drain-a").await["metadata"]["managedFields"].to_string();
    assert!(owners.contains(&format!("paramedic-{}", stamp(153))), "the first still owns it: {owners}");
    assert_eq!(world.perform(&seal, &Halt::never()).await.name(), "done", "a repeat evicts nobody");
    assert_eq!(world.close(&seal).await.name(), "done");
    let found = preflight(&world, &node, Wish::Revert(seal.action.clone()), false).await;
    let again = Intent { id: Seq(155), reverts: Some(Seq(154)), ..intent(155, &node, &found) };
    assert_eq!(world.perform(&sealed(again), &Halt::never()).await.name(), "done");
    assert_eq!(shop.get("Node", "drain-a").await["spec"].get("unschedulable"), None);

    // Somebody cordons it after that: theirs stays, whatever is repeated.
    shop.patch("Node", "drain-a", cordon(json!(true))).await;
    assert_eq!(world.perform(&sealed(back), &Halt::never()).await.name(), "done");
    assert_eq!(shop.get("Node", "drain-a").await["spec"]["unschedulable"], true);
    for name in ["drain-a", "drain-b"] {
        shop.delete("Node", name).await;
    }
}
