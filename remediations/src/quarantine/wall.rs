//! The wall of a quarantine: a NetworkPolicy that selects the pods of one intent by their label and allows nothing, but DNS
//! where that is asked for. One of its own for every intent; to take one down never opens another.

use paramedic_policies::remediation::quarantine::Quarantine;
use paramedic_policies::time::Moment;
use serde_json::{Value, json};

use super::QUARANTINE;
use crate::block_ip::{POLICIES, selects, text, texts};
use crate::ports::cluster::{Cluster, LookError};
use crate::ports::objects::{Address, ObjectChange};
use crate::stamp::{INTENT, MANAGED_BY, UNTIL, annotation};

/// Annotation: the pods behind it.
const PODS_BEHIND: &str = "paramedic.dev/pods";

/// Which one.
pub(super) fn address(namespace: &str, stamp: &str) -> Address {
    POLICIES.named(namespace, &format!("paramedic-quarantine-{stamp}"))
}

/// The wall, to be made.
pub(super) fn built(
    namespace: &str,
    quarantine: &Quarantine,
    stamp: &str,
    until: Moment,
    correlation: Option<&str>,
) -> ObjectChange {
    let at = address(namespace, stamp);
    let (managed, by) = MANAGED_BY;
    let mut annotations = json!({
        (INTENT): stamp,
        (UNTIL): until.to_string(),
        (PODS_BEHIND): quarantine.names(),
    });
    if let Some(correlation) = correlation {
        annotations["paramedic.dev/correlation"] = json!(correlation);
    }
    let object = json!({
        "apiVersion": POLICIES.api_version(),
        "kind": POLICIES.kind,
        "metadata": {
            "name": at.name, "namespace": namespace, "labels": {managed: by}, "annotations": annotations,
        },
        "spec": {
            "podSelector": {"matchLabels": {QUARANTINE: stamp}},
            "policyTypes": ["Ingress", "Egress"],
            "egress": egress(quarantine.wish.dns),
        },
    });
    ObjectChange::Create { at, object }
}

fn egress(dns: bool) -> Value {
    if !dns {
        return json!([]);
    }
    let port = |protocol: &str| json!({"protocol": protocol, "port": 53});
    let cluster_dns = json!({
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    });
    json!([{"to": [cluster_dns], "ports": [port("UDP"), port("TCP")]}])
}

/// Whether a wall around these pods is still there.
pub(super) async fn is_left(
    cluster: &dyn Cluster,
    namespace: &str,
    quarantine: &Quarantine,
) -> Result<bool, LookError> {
    let (label, by) = MANAGED_BY;
    let ours = cluster.list(POLICIES, namespace, &format!("{label}={by}")).await?;
    let names = quarantine.names();
    Ok(ours.iter().any(|policy| annotation(policy, PODS_BEHIND) == Some(&names)))
}

/// Whether a pod stands behind a wall of ours. Its label alone isolates nobody: anybody can set one, and a wall can be gone.
pub(super) fn holds(policies: &[Value], pod: &Value) -> bool {
    let labels = texts(pod, "/metadata/labels");
    let Some(stamp) = labels.get(QUARANTINE) else { return false };
    let (managed, by) = MANAGED_BY;
    policies.iter().any(|policy| {
        let is = |key: &str, value: &str| text(policy, key) == value;
        let all = |key: &str| policy.pointer(key).cloned().unwrap_or_default();
        let none = |value: &Value| value.is_null() || *value == json!([]);
        let (types, egress) = (all("/spec/policyTypes"), all("/spec/egress"));
        is("/metadata/name", &address("", stamp).name)
            && texts(policy, "/metadata/labels").get(managed).is_some_and(|is| is == by)
            && selects(&all("/spec/podSelector"), &labels)
            && ["Ingress", "Egress"]
                .iter()
                .all(|one| types.as_array().is_some_and(|all| all.contains(&json!(one))))
            && none(&all("/spec/ingress"))
            && (none(&egress) || egress == self::egress(true))
    })
}
