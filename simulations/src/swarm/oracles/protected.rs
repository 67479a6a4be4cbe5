//! Nothing protected is touched, and nobody's field is written: replicas that an HPA or a GitOps controller owns.

use super::Evidence;
use paramedic_policies::target::Target;

/// Whether this is a pod of that workload: a drawn world numbers them.
fn is_pod_of(pod: &Target, workload: &Target) -> bool {
    let number = pod.name.strip_prefix(&workload.name).and_then(|rest| rest.strip_prefix('-'));
    pod.kind == "Pod"
        && pod.namespace == workload.namespace
        && number.is_some_and(|number| number.parse::<u32>().is_ok())
}

pub(super) fn judge(evidence: &Evidence<'_>, says: &mut Vec<String>) {
    for intent in evidence.made() {
        if evidence.plan.protected.contains(&intent.target) {
            says.push(format!("{} is protected, and intent {} was made on it", intent.target, intent.id));
        }
    }
    let world = &evidence.plan.world;
    for request in &evidence.tape.requests {
        // An HPA of a drawn world is named as its workload is.
        let is_it = |one: &&Target| one.namespace == request.on.namespace && one.name == request.on.name;
        if evidence.plan.protected.iter().any(|one| is_it(&one) || is_pod_of(&request.on, one)) {
            says.push(format!("{} is protected: {} ({})", request.on, request.what, request.stamp));
        }
        if request.on.namespace == "kube-system" {
            says.push(format!("its namespace protects {}: {} ({})", request.on, request.what, request.stamp));
        }
        let Some(workload) = world.workloads.get(&request.on) else { continue };
        let writes_replicas = request.what.starts_with("spec.replicas");
        let tracked = workload.gitops.as_ref().is_some_and(|gitops| gitops.tracks_replicas);
        if writes_replicas && (workload.hpa.is_some() || tracked) {
            let what = format!("{} on {} ({})", request.what, request.on, request.stamp);
            says.push(format!("replicas that somebody else owns: {what}"));
        }
    }
}
