//! Who else would put a field of an object back: a GitOps controller, an operator, Helm. Judged field by field, by the
//! marks that each leaves on the object itself; where nothing shows that a field is free, it counts as taken.

use paramedic_policies::reason::Reason;
use serde_json::Value;

use crate::checks::Checks;
use crate::stamp::annotation;

const ARGO: &str = "argocd.argoproj.io/tracking-id";
const FLUX_KUSTOMIZATION: &str = "kustomize.toolkit.fluxcd.io/name";
const FLUX_HELM_RELEASE: &str = "helm.toolkit.fluxcd.io/name";
const HELM_RELEASE: &str = "meta.helm.sh/release-name";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A field, step by step from the root of its object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path(pub(crate) Vec<Step>);

/// One step of a [`Path`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Into the value of a key.
    Key(String),
    /// Into the item of a list whose `name` this is.
    Named(String),
}

impl Path {
    /// Through these keys.
    pub(crate) fn of(keys: &[&str]) -> Self {
        Self(keys.iter().map(|key| Step::Key((*key).to_owned())).collect())
    }

    /// The value there.
    pub(crate) fn value<'a>(&self, object: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(object, |at, step| match step {
            Step::Key(key) => at.get(key),
            Step::Named(name) => {
                at.as_array()?.iter().find(|item| item.get("name").is_some_and(|n| n == name))
            }
        })
    }

    /// Where it is as a JSON pointer, with the index that a named item has in this object.
    pub(crate) fn pointer(&self, object: &Value) -> Option<String> {
        let mut pointer = String::new();
        let mut at = Some(object);
        for step in &self.0 {
            match step {
                Step::Key(key) => {
                    pointer.push('/');
                    pointer.push_str(&crate::ports::objects::escaped(key));
                    at = at.and_then(|at| at.get(key));
                }
                Step::Named(name) => {
                    let items = at?.as_array()?;
                    let index = items.iter().position(|item| item.get("name").is_some_and(|n| n == name))?;
                    pointer.push_str(&format!("/{index}"));
                    at = items.get(index);
                }
            }
        }
        Some(pointer)
    }

    /// A path as it is shown to people.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(quoted) = rest.strip_prefix("[\"") {
                let (key, after) = quoted.split_once("\"]")?;
                steps.push(Step::Key(key.to_owned()));
                rest = after;
            } else if let Some(named) = rest.strip_prefix('[') {
                let (name, after) = named.split_once(']')?;
                steps.push(Step::Named(name.to_owned()));
                rest = after;
            } else {
                let key = rest.strip_prefix('.').unwrap_or(rest);
                let end = key.find(['.', '[']).unwrap_or(key.len());
                steps.push(Step::Key(key[..end].to_owned()));
                rest = &key[end..];
            }
        }
        (!steps.is_empty()).then_some(Self(steps))
    }

    /// The managers that own it in this object.
    pub(crate) fn managers<'a>(&self, object: &'a Value) -> Vec<&'a str> {
        let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
        let owns = |entry: &&Value| entry.get("fieldsV1").is_some_and(|fields| self.is_in(fields));
        entries
            .into_iter()
            .flatten()
            .filter(owns)
            .filter_map(|entry| entry.get("manager")?.as_str())
            .collect()
    }

    /// Whether a manager owns it, by its `fieldsV1`: a field without any below it is owned whole.
    fn is_in(&self, fields: &Value) -> bool {
        let mut at = fields;
        for step in &self.0 {
            let key = match step {
                Step::Key(key) => format!("f:{key}"),
                Step::Named(name) => format!("k:{}", serde_json::json!({"name": name})),
            };
            match at.get(&key) {
                Some(inner) => at = inner,
                None => return false,
            }
            if at.as_object().is_some_and(serde_json::Map::is_empty) {
                return true;
            }
        }
        true
    }
}

impl std::fmt::Display for Path {
    /// As people read it, such as `spec.selector["color"]`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if key.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                    let dot = if index == 0 { "" } else { "." };
                    write!(f, "{dot}{key}")?;
                }
                Step::Key(key) => write!(f, "[\"{key}\"]")?,
                Step::Named(name) => write!(f, "[{name}]")?,
            }
        }
        Ok(())
    }
}

/// Notes who would put this field back.
pub(crate) fn note(object: &Value, path: &Path, checks: &mut Checks) {
    let field = path.to_string();
    checks.note(match controller(object) {
        Some(by) => Err(Reason::ManagedByGitOps { by, field: field.clone() }),
        None => Ok("no operator owns the object".into()),
    });
    checks.note(match gitops(object) {
        Some(by) if tracks(object, path) => Err(Reason::ManagedByGitOps { by, field: field.clone() }),
        Some(by) => Ok(format!("{by} does not track {field}")),
        None => Ok("no GitOps controller owns the object".into()),
    });
    if let Some(release) = annotation(object, HELM_RELEASE) {
        checks
            .pass(format!("Helm release {release} owns the object: its next upgrade may set {field} again"));
    }
}

/// What made this object and keeps it as it wants it.
fn controller(object: &Value) -> Option<String> {
    let owners = object.pointer("/metadata/ownerReferences")?.as_array()?;
    let owner = owners.iter().find(|owner| owner.get("controller") == Some(&Value::Bool(true)))?;
    let text = |key: &str| owner.get(key).and_then(Value::as_str).unwrap_or("?");
    Some(format!("{} {}", text("kind"), text("name")))
}

/// The GitOps controller, by its own marks; `app.kubernetes.io/instance` alone is none, everybody writes that.
pub(crate) fn gitops(object: &Value) -> Option<String> {
    let label = |name: &str| object.pointer("/metadata/labels")?.get(name)?.as_str();
    if let Some(id) = annotation(object, ARGO) {
        let application = id.split_once(':').map_or(id, |(application, _)| application);
        return Some(format!("Argo CD application {application}"));
    }
    if let Some(name) = label(FLUX_KUSTOMIZATION) {
        return Some(format!("Flux Kustomization {name}"));
    }
    label(FLUX_HELM_RELEASE).map(|name| format!("Flux HelmRelease {name}"))
}

/// Whether the GitOps controller sets this field.
fn tracks(object: &Value, path: &Path) -> bool {
    let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    let text = |entry: &Value| entry.get("manager").and_then(Value::as_str).is_some_and(is_controller);
    let theirs: Vec<&Value> = entries.into_iter().flatten().filter(|entry| text(entry)).collect();
    if theirs.iter().any(|entry| entry.get("fieldsV1").is_some_and(|fields| path.is_in(fields))) {
        return true;
    }
    match annotation(object, LAST_APPLIED).map(serde_json::from_str::<Value>) {
        Some(Ok(applied)) => path.value(&applied).is_some(),
        Some(Err(_)) => true,
        None => theirs.is_empty(),
    }
}

fn is_controller(manager: &str) -> bool {
    manager.starts_with("argocd") || matches!(manager, "kustomize-controller" | "helm-controller" | "flux")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn memory() -> Path {
        let mut path = Path::of(&["spec", "template", "spec", "containers"]);
        path.0.push(Step::Named("db".into()));
        path.0.extend(Path::of(&["resources", "limits", "memory"]).0);
        path
    }

    fn said(object: &Value, path: &Path) -> String {
        let mut checks = Checks::default();
        note(object, path, &mut checks);
        let refusals: Vec<String> = checks.refusals.iter().map(Reason::to_string).collect();
        if refusals.is_empty() { checks.passed.join("; ") } else { refusals.join("; ") }
    }

    #[test]
    fn a_field_is_found_by_the_name_of_its_item() {
        let object = json!({"spec": {"template": {"spec": {"containers": [
            {"name": "proxy"}, {"name": "db", "resources": {"limits": {"memory": "4Gi"}}}]}}}});
        assert_eq!(memory().value(&object), Some(&json!("4Gi")));
        let pointer = "/spec/template/spec/containers/1/resources/limits/memory";
        assert_eq!(memory().pointer(&object).as_deref(), Some(pointer));
        assert_eq!(memory().to_string(), "spec.template.spec.containers[db].resources.limits.memory");
        assert_eq!(memory().pointer(&json!({})), None);
        let annotation = Path::of(&["metadata", "annotations", "a.b/c"]);
        assert_eq!(annotation.to_string(), "metadata.annotations[\"a.b/c\"]");
        assert_eq!(annotation.pointer(&json!({})).as_deref(), Some("/metadata/annotations/a.b~1c"));
    }

    #[test]
    fn each_owner_is_known_field_by_field() {
        let argo = |fields: Value| {
            json!({"metadata": {"annotations": {ARGO: "shop:apps/StatefulSet:prod/db"}, "managedFields": [
                {"manager": "argocd-controller", "fieldsV1": fields}]}})
        };
        let containers = |inner: Value| json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"db\"}": inner}}}}});
        let field = memory().to_string();
        let theirs = containers(json!({"f:resources": {"f:limits": {"f:memory": {}}}}));
        assert_eq!(said(&argo(theirs), &memory()), format!("Argo CD application shop would revert {field}"));
        let free = said(&argo(containers(json!({"f:image": {}}))), &memory());
        assert!(free.contains("does not track"), "{free}");
        // A Service's selector is owned as a whole.
        let selector = Path::of(&["spec", "selector", "color"]);
        let whole = said(&argo(json!({"f:spec": {"f:selector": {}}})), &selector);
        assert!(whole.contains("would revert spec.selector.color"), "{whole}");
        let unknown = json!({"metadata": {"labels": {FLUX_KUSTOMIZATION: "shop"}}});
        assert!(said(&unknown, &selector).contains("Flux Kustomization shop would revert"));
        let operator =
            json!({"metadata": {"ownerReferences": [{"kind": "Cluster", "name": "pg", "controller": true}]}});
        assert!(said(&operator, &memory()).contains("Cluster pg would revert"));
        let helm = json!({"metadata": {"annotations": {HELM_RELEASE: "shop"}}});
        assert!(said(&helm, &selector).contains("Helm release shop owns the object"));
    }
}
