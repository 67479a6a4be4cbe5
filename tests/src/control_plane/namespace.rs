//! A namespace of one test: objects in and out as JSON, workloads that roll out, and waits for them. It must
//! never hide a refusal of the API server: what fails here fails the test, with the server's words.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::waiting::{eventually, seen};

/// How long a roll-out may take; with kwok it is a second.
const ROLLED_OUT_WITHIN: Duration = Duration::from_secs(30);

/// A namespace, with the client that made it.
#[derive(Clone)]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// The client that all calls here use.
    pub client: kube::Client,
}

impl Namespace {
    pub(super) async fn create(client: kube::Client, prefix: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{prefix}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let namespace = Self { name, client };
        namespace.apply(json!({"kind": "Namespace", "metadata": {"name": namespace.name}})).await;
        namespace
    }

    /// The same namespace, seen by another user.
    pub fn seen_by(&self, client: kube::Client) -> Self {
        Self { name: self.name.clone(), client }
    }

    /// The objects of a kind, such as `Deployment`; see the table in this file.
    pub fn of_kind(&self, kind: &str) -> Api<DynamicObject> {
        let (group, version, cluster_wide) = match kind {
            "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "ControllerRevision" => {
                ("apps", "v1", false)
            }
            "HorizontalPodAutoscaler" => ("autoscaling", "v2", false),
            "PodDisruptionBudget" => ("policy", "v1", false),
            "Pod" | "Service" | "ConfigMap" | "ServiceAccount" | "Event" => ("", "v1", false),
            "Job" | "CronJob" => ("batch", "v1", false),
            "Ingress" | "NetworkPolicy" => ("networking.k8s.io", "v1", false),
            "IngressClass" => ("networking.k8s.io", "v1", true),
            "Rollout" => ("argoproj.io", "v1alpha1", false),
            "Namespace" | "Node" => ("", "v1", true),
            other => panic!("the harness knows no kind {other}; add it to `of_kind`"),
        };
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        if cluster_wide {
            Api::all_with(self.client.clone(), &resource)
        } else {
            Api::namespaced_with(self.client.clone(), &self.name, &resource)
        }
    }

    /// Creates or changes an object by server-side apply and gives what the server made of it; it needs `kind`
    /// and `metadata.name`, the rest of the head is filled in.
    pub async fn apply(&self, object: Value) -> Value {
        self.try_apply(object).await.unwrap_or_else(|error| panic!("apply failed: {error}"))
    }

    /// The same, for tests that expect a refusal.
    pub async fn try_apply(&self, mut object: Value) -> Result<Value, kube::Error> {
        let kind = text(&object, "/kind").to_string();
        let name = text(&object, "/metadata/name").to_string();
        let api = self.of_kind(&kind);
        if object.get("apiVersion").is_none() {
            let path = api.resource_url();
            let version = path.trim_start_matches('/').split('/').collect::<Vec<_>>();
            object["apiVersion"] = match version.as_slice() {
                ["api", version, ..] => json!(version),
                ["apis", group, version, ..] => json!(format!("{group}/{version}")),
                other => panic!("no API path: {other:?}"),
            };
        }
        let by = PatchParams::apply("tests").force();
        api.patch(&name, &by, &Patch::Apply(&object)).await.map(json_of)
    }

    /// A Deployment with that many replicas of a healthy image, rolled out when this returns.
    pub async fn deployment(&self, name: &str, replicas: u32) -> Value {
        self.workload("Deployment", name, replicas, json!({})).await
    }

    /// A StatefulSet, likewise.
    pub async fn stateful_set(&self, name: &str, replicas: u32) -> Value {
        self.workload("StatefulSet", name, replicas, json!({})).await
    }

    /// A Deployment, StatefulSet or DaemonSet, changed by a JSON merge patch before it is created; rolled out
    /// when this returns.
    pub async fn workload(&self, kind: &str, name: &str, replicas: u32, change: Value) -> Value {
        let mut object = workload(kind, name, replicas);
        merge(&mut object, &change);
        self.apply(object).await;
        self.rolled_out(kind, name).await
    }

    /// The object.
    pub async fn get(&self, kind: &str, name: &str) -> Value {
        self.try_get(kind, name).await.unwrap_or_else(|| panic!("there is no {kind} {name}"))
    }

    /// The object, if it is there.
    pub async fn try_get(&self, kind: &str, name: &str) -> Option<Value> {
        self.of_kind(kind)
            .get_opt(name)
            .await
            .unwrap_or_else(|error| panic!("get {kind} {name} failed: {error}"))
            .map(json_of)
    }

    /// Changes an object by a JSON merge patch.
    pub async fn patch(&self, kind: &str, name: &str, change: Value) -> Value {
        self.try_patch(kind, name, change)
            .await
            .unwrap_or_else(|error| panic!("patch of {kind} {name} failed: {error}"))
    }

    /// The same, for tests that expect a refusal.
    pub async fn try_patch(&self, kind: &str, name: &str, change: Value) -> Result<Value, kube::Error> {
        let by = PatchParams { field_manager: Some("tests".into()), ..PatchParams::default() };
        self.of_kind(kind).patch(name, &by, &Patch::Merge(&change)).await.map(json_of)
    }

    /// Deletes an object and does not wait for it to be gone.
    pub async fn delete(&self, kind: &str, name: &str) {
        self.of_kind(kind)
            .delete(name, &Default::default())
            .await
            .unwrap_or_else(|error| panic!("delete of {kind} {name} failed: {error}"));
    }

    /// All objects of a kind with that label selector (empty: all), by name.
    pub async fn list(&self, kind: &str, selector: &str) -> BTreeMap<String, Value> {
        self.of_kind(kind)
            .list(&ListParams::default().labels(selector))
            .await
            .unwrap_or_else(|error| panic!("list of {kind} failed: {error}"))
            .items
            .into_iter()
            .map(json_of)
            .map(|object| (text(&object, "/metadata/name").to_string(), object))
            .collect()
    }

    /// The pods of a workload that [`Self::workload`] made, less those that are going, by name.
    pub async fn pods(&self, workload: &str) -> BTreeMap<String, Value> {
        let mut pods = self.list("Pod", &format!("app={workload}")).await;
        pods.retain(|_, pod| pod.pointer("/metadata/deletionTimestamp").is_none());
        pods
    }

    /// Annotates a pod, such as with `tests.paramedic.dev/fails`, to which kwok's stages answer.
    pub async fn annotate_pod(&self, pod: &str, name: &str, value: Option<&str>) {
        self.patch("Pod", pod, json!({"metadata": {"annotations": {name: value}}})).await;
    }

    /// Waits until the controller has seen the newest spec and all replicas are new and available.
    pub async fn rolled_out(&self, kind: &str, name: &str) -> Value {
        let what = format!("{kind} {}/{name} is rolled out", self.name);
        eventually(ROLLED_OUT_WITHIN, &what, async || {
            let object = self.get(kind, name).await;
            seen(is_rolled_out(kind, &object), || object["status"].to_string()).map(|()| object)
        })
        .await
    }

    /// Waits until `pointer` in the object holds `value`.
    pub async fn becomes(&self, kind: &str, name: &str, pointer: &str, value: Value) -> Value {
        let what = format!("{kind} {}/{name} has {value} at {pointer}", self.name);
        eventually(ROLLED_OUT_WITHIN, &what, async || {
            let object = self.get(kind, name).await;
            let now = object.pointer(pointer).cloned().unwrap_or(Value::Null);
            seen(now == value, || now.to_string()).map(|()| object)
        })
        .await
    }
}

/// The ready replicas of a workload.
pub fn ready_replicas(workload: &Value) -> u64 {
    workload.pointer("/status/readyReplicas").and_then(Value::as_u64).unwrap_or(0)
}

/// As `kubectl rollout status` judges.
fn is_rolled_out(kind: &str, object: &Value) -> bool {
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    let is_seen = number("/status/observedGeneration") >= number("/metadata/generation");
    let wanted = number("/spec/replicas");
    is_seen
        && match kind {
            "Deployment" => {
                number("/status/updatedReplicas") == wanted
                    && number("/status/availableReplicas") == wanted
                    && number("/status/replicas") == wanted
            }
            "StatefulSet" => {
                number("/status/updatedReplicas") == wanted
                    && number("/status/availableReplicas") == wanted
                    && object.pointer("/status/currentRevision") == object.pointer("/status/updateRevision")
            }
            "DaemonSet" => {
                let wanted = number("/status/desiredNumberScheduled");
                wanted > 0
                    && number("/status/updatedNumberScheduled") == wanted
                    && number("/status/numberAvailable") == wanted
            }
            other => panic!("{other} does not roll out"),
        }
}

fn workload(kind: &str, name: &str, replicas: u32) -> Value {
    let mut object = json!({
        "kind": kind,
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "terminationGracePeriodSeconds": 1,
                    "containers": [{"name": "main", "image": "registry.example/shop/web:1"}],
                },
            },
        },
    });
    if kind != "DaemonSet" {
        object["spec"]["replicas"] = json!(replicas);
    }
    if kind == "StatefulSet" {
        object["spec"]["serviceName"] = json!(name);
        object["spec"]["podManagementPolicy"] = json!("Parallel");
    }
    object
}

/// RFC 7386; an array replaces an array.
fn merge(into: &mut Value, change: &Value) {
    let Value::Object(change) = change else {
        *into = change.clone();
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (key, value) in change {
        if value.is_null() {
            into.as_object_mut().expect("made one above").remove(key);
        } else {
            merge(&mut into[key], value);
        }
    }
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("no text at {pointer} of {object}"))
}

fn json_of(object: DynamicObject) -> Value {
    serde_json::to_value(object).expect("an object of the API is JSON")
}
