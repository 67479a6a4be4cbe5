//! Whether a NetworkPolicy can isolate these pods here. Policies only add up: what another one allows stays allowed, and so
//! it refuses where one would still let something in or out. It must never call a pod isolated that is not.

use std::collections::BTreeMap;

use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::quarantine::{Held, Quarantine};
use paramedic_policies::target::Target;
use serde_json::{Value, json};

use super::{QUARANTINE, labels_behind, told};
use crate::block_ip::{self, POLICIES, selects, text, texts};
use crate::checks::Checks;
use crate::makers::STATEFUL_SETS;
use crate::pods;
use crate::ports::cluster::{Cluster, LookError};
use crate::ports::objects::REPLICA_SETS;

fn wrong(why: String) -> Reason {
    Reason::WrongLever { why }
}

/// The pods with the labels that each loses.
///
/// # Errors
/// When nobody knows.
pub(super) async fn held(
    cluster: &dyn Cluster,
    target: &Target,
    found: &[&Value],
    services: &[Value],
    detach: bool,
    checks: &mut Checks,
) -> Result<Vec<Held>, LookError> {
    let mut all = Vec::new();
    let mut served = Vec::new();
    for pod in found {
        let labels = texts(pod, "/metadata/labels");
        let mut selectors: Vec<(String, Value)> = Vec::new();
        for service in services {
            let wanted = texts(service, "/spec/selector");
            if !wanted.is_empty() && wanted.iter().all(|(key, value)| labels.get(key) == Some(value)) {
                let name = format!("Service {}", text(service, "/metadata/name"));
                selectors.push((name, json!({"matchLabels": wanted})));
            }
        }
        served.extend(selectors.iter().map(|(name, _)| name.clone()));
        // A StatefulSet wants a pod of that very name: without it, it would make, scale and update nothing.
        let ordinal = pods::controller(pod).filter(|owner| owner.kind == "StatefulSet");
        let mut kept: Vec<String> = Vec::new();
        if let Some((name, selector)) = controllers(cluster, &target.namespace, pod).await? {
            match &ordinal {
                Some(_) => kept = keys(&selector),
                None => selectors.push((name, selector)),
            }
        }
        let mut detached = BTreeMap::new();
        if detach {
            let keys = selectors.iter().flat_map(|(_, selector)| keys(selector));
            let keys = keys.filter(|key| !kept.contains(key));
            detached = keys.filter_map(|key| Some((key.clone(), labels.get(&key)?.clone()))).collect();
        }
        let held = Held {
            name: text(pod, "/metadata/name").to_owned(),
            uid: text(pod, "/metadata/uid").to_owned(),
            detached,
            was: labels.get(QUARANTINE).cloned(),
        };
        if let Some(by) = &held.was {
            checks
                .pass(format!("pod {} has a label of a quarantine ({by}) that nothing isolates", held.name));
        }
        if detach {
            let after = labels_behind(pod, &held);
            let still = selectors.iter().find(|(_, selector)| selects(selector, &after));
            checks.note(match still {
                Some((name, _)) if ordinal.is_some() => Ok(format!(
                    "{name} goes on sending to pod {} while it is ready: its StatefulSet would stop without its labels",
                    held.name
                )),
                Some((name, _)) => Err(wrong(format!(
                    "{name} would still select pod {} by what it does not have; no label can be taken away",
                    held.name
                ))),
                None => Ok(format!("pod {} loses {}", held.name, told(&held.detached))),
            });
        }
        all.push(held);
    }
    served.sort();
    served.dedup();
    if !detach && !served.is_empty() {
        let names = served.join(", ");
        checks.pass(format!(
            "{names} goes on sending to isolated pods while they are ready; detach: true takes them out"
        ));
    }
    Ok(all)
}

/// The selector of what made a pod.
async fn controllers(
    cluster: &dyn Cluster,
    namespace: &str,
    pod: &Value,
) -> Result<Option<(String, Value)>, LookError> {
    let Some(owner) = pods::controller(pod) else { return Ok(None) };
    let resource = match owner.kind.as_str() {
        "ReplicaSet" => REPLICA_SETS,
        "StatefulSet" => STATEFUL_SETS,
        "DaemonSet" => block_ip::DAEMON_SETS,
        _ => return Ok(None),
    };
    let object = cluster.get(&resource.named(namespace, &owner.name)).await?;
    let selector = object.and_then(|object| object.pointer("/spec/selector").cloned());
    Ok(selector.map(|selector| (owner.to_string(), selector)))
}

/// The labels that a selector asks for.
fn keys(selector: &Value) -> Vec<String> {
    let wanted = selector.pointer("/matchExpressions").and_then(Value::as_array);
    let asked = wanted.into_iter().flatten().filter(|one| ["In", "Exists"].contains(&text(one, "/operator")));
    let asked = asked.map(|one| text(one, "/key").to_owned());
    texts(selector, "/matchLabels").into_keys().chain(asked).collect()
}

/// Notes what would keep the pods reachable.
///
/// # Errors
/// When nobody knows.
pub(super) async fn ground(
    cluster: &dyn Cluster,
    namespace: &str,
    found: &[&Value],
    quarantine: &Quarantine,
    checks: &mut Checks,
) -> Result<(), LookError> {
    let on_node = |pod: &&&Value| pod.pointer("/spec/hostNetwork") == Some(&json!(true));
    checks.note(match found.iter().find(on_node) {
        Some(pod) => Err(wrong(format!(
            "{} uses its node's network (hostNetwork), which no NetworkPolicy covers",
            pods::address(pod)
        ))),
        None => Ok("the pods have a network of their own".into()),
    });
    let declared = quarantine.wish.enforced;
    checks.note(block_ip::enforced(block_ip::enforcer(cluster, declared).await?.as_deref(), declared));
    let behind: Vec<BTreeMap<String, String>> =
        found.iter().zip(&quarantine.pods).map(|(pod, held)| labels_behind(pod, held)).collect();
    let policies = cluster.list(POLICIES, namespace, "").await?;
    let mut walled = true;
    for policy in &policies {
        let selector = policy.pointer("/spec/podSelector").cloned().unwrap_or_default();
        if !behind.iter().any(|labels| selects(&selector, labels)) {
            continue;
        }
        let name = text(policy, "/metadata/name");
        for way in open_ways(policy) {
            walled = false;
            let hint = if quarantine.wish.detach {
                ""
            } else {
                "; detach: true takes the pods out of what selects them"
            };
            checks.refuse(wrong(format!(
                "NetworkPolicy {name} lets traffic {way} these pods, and no other NetworkPolicy can take that back{hint}"
            )));
        }
    }
    if walled {
        checks.pass("no other NetworkPolicy lets anything in or out");
    }
    checks.pass("connections that stand may live on until they end: networks differ in that");
    block_ip::foreign(cluster, namespace, checks).await
}

/// The ways that a policy holds open.
fn open_ways(policy: &Value) -> Vec<&'static str> {
    let rules = |key: &str| {
        let rules = policy.pointer(&format!("/spec/{key}")).and_then(Value::as_array);
        rules.is_some_and(|rules| !rules.is_empty())
    };
    let types = policy.pointer("/spec/policyTypes").and_then(Value::as_array);
    let is_of = |one: &str| types.is_none_or(|types| types.iter().any(|is| is == one));
    [("Ingress", "ingress", "into"), ("Egress", "egress", "out of")]
        .into_iter()
        .filter(|(one, key, _)| is_of(one) && rules(key))
        .map(|(_, _, way)| way)
        .collect()
}
