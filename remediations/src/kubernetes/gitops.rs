//! Which GitOps controller owns an object, and whether it would put a field back. Where nothing shows that a field
//! is free, it counts as tracked: being reverted every few seconds is worse than not acting.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use super::fields::owns;

const ARGO: &str = "argocd.argoproj.io/tracking-id";
const FLUX_KUSTOMIZATION: &str = "kustomize.toolkit.fluxcd.io/name";
const FLUX_HELM_RELEASE: &str = "helm.toolkit.fluxcd.io/name";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The owner, by its own marks; `app.kubernetes.io/instance` alone is none, everybody writes that.
pub(super) fn owner(metadata: &ObjectMeta) -> Option<String> {
    let annotation = |name: &str| metadata.annotations.as_ref().and_then(|all| all.get(name));
    let label = |name: &str| metadata.labels.as_ref().and_then(|all| all.get(name));
    if let Some(id) = annotation(ARGO) {
        let application = id.split_once(':').map_or(id.as_str(), |(application, _)| application);
        return Some(format!("Argo CD application {application}"));
    }
    if let Some(name) = label(FLUX_KUSTOMIZATION) {
        return Some(format!("Flux Kustomization {name}"));
    }
    label(FLUX_HELM_RELEASE).map(|name| format!("Flux HelmRelease {name}"))
}

/// Whether the owner sets this field of `spec`, such as `replicas`.
pub(super) fn tracks(metadata: &ObjectMeta, field: &str) -> bool {
    let field_of_manager = format!("f:{field}");
    let mut entries = metadata
        .managed_fields
        .iter()
        .flatten()
        .filter(|entry| entry.manager.as_deref().is_some_and(is_controller))
        .peekable();
    let has_applied = entries.peek().is_some();
    if entries.any(|entry| owns(entry, &field_of_manager)) {
        return true;
    }
    let last_applied = metadata.annotations.as_ref().and_then(|all| all.get(LAST_APPLIED));
    match last_applied.map(|text| serde_json::from_str::<Value>(text)) {
        Some(Ok(applied)) => applied.pointer(&format!("/spec/{field}")).is_some(),
        Some(Err(_)) => true,
        None => !has_applied,
    }
}

fn is_controller(manager: &str) -> bool {
    manager.starts_with("argocd") || matches!(manager, "kustomize-controller" | "helm-controller" | "flux")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn metadata(value: Value) -> ObjectMeta {
        serde_json::from_value(value).expect("metadata")
    }

    #[test]
    fn each_controller_is_known_by_its_own_mark() {
        let argo = json!({"annotations": {ARGO: "maestro:apps/Deployment:prod/web"}});
        assert_eq!(owner(&metadata(argo)).as_deref(), Some("Argo CD application maestro"));
        let flux = json!({"labels": {FLUX_KUSTOMIZATION: "apps"}});
        assert_eq!(owner(&metadata(flux)).as_deref(), Some("Flux Kustomization apps"));
        let helm = json!({"labels": {FLUX_HELM_RELEASE: "maestro"}});
        assert_eq!(owner(&metadata(helm)).as_deref(), Some("Flux HelmRelease maestro"));
        let nobody = json!({"labels": {"app.kubernetes.io/instance": "maestro"}});
        assert_eq!(owner(&metadata(nobody)), None);
    }

    #[test]
    fn a_field_is_free_only_where_something_shows_it() {
        let entry = |fields: Value| json!({"managedFields": [{"manager": "kustomize-controller", "fieldsV1": fields}]});
        assert!(tracks(&metadata(entry(json!({"f:spec": {"f:replicas": {}}}))), "replicas"));
        assert!(!tracks(&metadata(entry(json!({"f:spec": {"f:template": {}}}))), "replicas"));
        let applied = |text: &str| json!({"annotations": {LAST_APPLIED: text}});
        assert!(tracks(&metadata(applied(r#"{"spec": {"replicas": 3}}"#)), "replicas"));
        assert!(!tracks(&metadata(applied(r#"{"spec": {}}"#)), "replicas"));
        assert!(tracks(&metadata(applied("{")), "replicas"));
        assert!(tracks(&metadata(json!({})), "replicas"));
    }
}
