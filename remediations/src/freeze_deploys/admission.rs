//! A freeze as the API server enforces it: a ValidatingAdmissionPolicy with all that it needs written into it, and the
//! binding that switches it on. Two objects of its own for every intent, named after its stamp: a repeat finds its
//! own, two freezes of one namespace stand side by side, and to thaw one never opens another.
//!
//! ```text
//!   refused   a new pod template (UPDATE), a new workload (CREATE), while the API server's own clock, as it stands in
//!             metadata.managedFields[].time of the object at hand, is not past `until`
//!   passed    scale, status, deletes; ourselves, but for the one dry run that proves the freeze; the break-glass group
//! ```
//!
//! It must never outlast `until` or a fault of its own: no parameters that could be missing, and `failurePolicy: Ignore`
//! lets pass what it cannot judge. A precaution that breaks must not become an outage.

use paramedic_policies::remediation::freeze_deploys::Freeze;
use paramedic_policies::time::Moment;
use serde_json::{Value, json};

use crate::ports::objects::{Address, ObjectChange, Resource};
use crate::stamp::{INTENT, MANAGED_BY, UNTIL};

const GROUP: &str = "admissionregistration.k8s.io";

/// Stable since Kubernetes 1.30.
pub(crate) const POLICIES: Resource =
    Resource::of_cluster(GROUP, "v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy");

pub(crate) const BINDINGS: Resource = Resource::of_cluster(
    GROUP,
    "v1",
    "validatingadmissionpolicybindings",
    "ValidatingAdmissionPolicyBinding",
);

/// Annotation: the namespaces of a freeze, as [`listed`] writes them.
pub(crate) const NAMESPACES: &str = "paramedic.dev/namespaces";

/// Annotation of a pod template in a dry run: not even we may pass the freeze of that stamp.
pub(crate) const PROBE: &str = "paramedic.dev/freeze-probe";

/// A freeze with its name and end.
#[derive(Debug, Clone)]
pub(super) struct Terms<'a> {
    pub(super) freeze: &'a Freeze,
    pub(super) stamp: String,
    pub(super) until: Moment,
    pub(super) reason: String,
    pub(super) correlation: Option<String>,
}

/// The name of both objects of a freeze.
pub(crate) fn name(stamp: &str) -> String {
    format!("paramedic-freeze-{stamp}")
}

/// Namespaces as one text.
pub(super) fn listed(namespaces: &[String]) -> String {
    namespaces.join(",")
}

/// What is made, in this order: until the last is there, nothing is refused.
pub(super) fn addresses(stamp: &str) -> [Address; 2] {
    [POLICIES, BINDINGS].map(|resource| resource.named("", &name(stamp)))
}

impl Terms<'_> {
    /// The two objects, in order.
    pub(super) fn objects(&self) -> [ObjectChange; 2] {
        let [policy, binding] = addresses(&self.stamp);
        [
            ObjectChange::Create { at: policy, object: self.policy() },
            ObjectChange::Create { at: binding, object: self.binding() },
        ]
    }

    fn policy(&self) -> Value {
        let wish = &self.freeze.wish;
        let resources = json!({
            "apiGroups": ["apps"],
            "apiVersions": ["v1"],
            "operations": ["CREATE", "UPDATE"],
            "resources": ["deployments", "statefulsets", "daemonsets"],
            "scope": "Namespaced",
        });
        let selector =
            json!({"key": "kubernetes.io/metadata.name", "operator": "In", "values": wish.namespaces});
        json!({
            "apiVersion": POLICIES.api_version(),
            "kind": POLICIES.kind,
            "metadata": self.metadata(),
            "spec": {
                "failurePolicy": "Ignore",
                "matchConstraints": {
                    "namespaceSelector": {"matchExpressions": [selector]},
                    "resourceRules": [resources],
                },
                "matchConditions": [
                    {"name": "not-paramedic", "expression": self.not_us()},
                    {"name": "not-break-glass", "expression": self.not_break_glass()},
                ],
                "validations": [
                    {"expression": self.passes(), "message": self.message(), "reason": "Forbidden"},
                ],
            },
        })
    }

    fn binding(&self) -> Value {
        json!({
            "apiVersion": BINDINGS.api_version(),
            "kind": BINDINGS.kind,
            "metadata": self.metadata(),
            "spec": {"policyName": name(&self.stamp), "validationActions": ["Deny"]},
        })
    }

    fn metadata(&self) -> Value {
        let (managed, by) = MANAGED_BY;
        let mut annotations = json!({
            (INTENT): self.stamp,
            (UNTIL): self.until.to_string(),
            (NAMESPACES): listed(&self.freeze.wish.namespaces),
        });
        if let Some(correlation) = &self.correlation {
            annotations["paramedic.dev/correlation"] = json!(correlation);
        }
        json!({"name": name(&self.stamp), "labels": {managed: by}, "annotations": annotations})
    }

    fn not_us(&self) -> String {
        let (us, probe, stamp) = (literal(&self.freeze.exempt), literal(PROBE), literal(&self.stamp));
        let annotations = "object.spec.template.metadata.annotations";
        format!(
            "request.userInfo.username != {us} || (has(request.dryRun) && request.dryRun && has({annotations}) && \
             {probe} in {annotations} && {annotations}[{probe}] == {stamp})"
        )
    }

    fn not_break_glass(&self) -> String {
        let group = literal(&self.freeze.wish.break_glass);
        format!("!(has(request.userInfo.groups) && {group} in request.userInfo.groups)")
    }

    fn passes(&self) -> String {
        let until = literal(&self.until.to_string());
        format!(
            "(request.operation == 'UPDATE' && object.spec.template == oldObject.spec.template) || \
             (has(object.metadata.managedFields) && object.metadata.managedFields.exists(entry, has(entry.time) && \
             timestamp(entry.time) > timestamp({until})))"
        )
    }

    fn message(&self) -> String {
        let (until, reason, group) = (self.until, &self.reason, &self.freeze.wish.break_glass);
        format!(
            "paramedic has frozen deploys in this namespace until {until}: {reason}. Then it opens by itself. Before, \
             members of the group {group} may deploy, and `kubectl delete validatingadmissionpolicybinding {}` thaws it",
            name(&self.stamp)
        )
    }
}

/// Text as CEL and JSON both write it.
fn literal(text: &str) -> String {
    json!(text).to_string()
}

/// How an API server that enforces our freeze answers its proof; for objects in memory.
#[cfg(any(test, feature = "in-memory"))]
pub(crate) fn proof_refused(operations: &[Value], is_there: impl Fn(&Address) -> bool) -> Option<String> {
    let stamp = operations.iter().find_map(|operation| operation.pointer("/value")?.get(PROBE)?.as_str())?;
    let frozen = addresses(stamp).iter().all(is_there);
    frozen.then(|| format!("ValidatingAdmissionPolicy '{0}' with binding '{0}' denied request", name(stamp)))
}
