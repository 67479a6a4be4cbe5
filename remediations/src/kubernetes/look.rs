//! One workload with all that stands around it, read in one go and put into our words.

use std::collections::BTreeMap;

use futures::try_join;
use k8s_openapi::api::autoscaling::v1::Scale;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;
use kube::api::{Api, DynamicObject};
use paramedic_policies::answer::Surroundings;
use paramedic_policies::target::Target;

use super::calls::{asked, get, list, status_code};
use super::fields::set_by;
use super::kinds::Kind;
use super::selector::selects;
use super::strategies::{
    count, daemon_set_immovable, daemon_set_unavailable, deployment_unavailable, stateful_set_immovable,
    stateful_set_unavailable,
};
use super::{argo, gitops, rollouts, surroundings};
use crate::ports::cluster::{Autoscaler, GitOps, LookError, Rollout, Workload};
use crate::stamp;

/// A workload, and the labels of its pods.
struct Own {
    workload: Workload,
    pod_labels: BTreeMap<String, String>,
}

/// Everything.
pub(super) async fn look(client: &Client, target: &Target) -> Result<Workload, LookError> {
    let namespace = target.namespace.as_str();
    let autoscalers = Api::<HorizontalPodAutoscaler>::namespaced(client.clone(), namespace);
    let budgets = Api::<PodDisruptionBudget>::namespaced(client.clone(), namespace);
    let autoscalers_name = format!("HorizontalPodAutoscalers of namespace {namespace}");
    let budgets_name = format!("PodDisruptionBudgets of namespace {namespace}");
    // The object first: nothing else is asked about what is not there.
    let Own { mut workload, pod_labels } = own(client, target).await?;
    let (around, autoscalers, budgets) = try_join!(
        surroundings::around(client, namespace),
        list(&autoscalers, &autoscalers_name),
        list(&budgets, &budgets_name),
    )?;
    workload.namespace_annotations = around.annotations;
    workload.surroundings = around.surroundings;
    workload.autoscaler = autoscalers.iter().find(|hpa| scales(hpa, target)).map(autoscaler);
    workload.budgets = budgets
        .iter()
        .filter(|budget| {
            let selector = budget.spec.as_ref().and_then(|spec| spec.selector.as_ref());
            selector.is_some_and(|selector| selects(selector, &pod_labels))
        })
        .map(|budget| {
            let allowed = budget.status.as_ref().and_then(|status| status.disruptions_allowed).unwrap_or(0);
            (budget.metadata.name.clone().unwrap_or_default(), allowed)
        })
        .collect();
    workload.budgets.sort();
    Ok(workload)
}

/// The rollout alone, for one request.
pub(super) async fn rollout(client: &Client, target: &Target) -> Result<Rollout, LookError> {
    Ok(own(client, target).await?.workload.rollout)
}

async fn own(client: &Client, target: &Target) -> Result<Own, LookError> {
    let (name, what) = (target.name.as_str(), target.to_string());
    match Kind::of(client, target).await? {
        Kind::Deployment(api) => {
            let object = get(&api, name, &what).await?;
            let mut own = blank(target, &object.metadata);
            if let Some(spec) = &object.spec {
                own.workload.replicas = Some(count(spec.replicas.unwrap_or(1)));
                own.workload.paused = spec.paused == Some(true);
                own.template(&spec.template);
            }
            own.workload.rollout = rollouts::of_deployment(&object);
            own.workload.max_unavailable = deployment_unavailable(&object);
            Ok(own)
        }
        Kind::StatefulSet(api) => {
            let object = get(&api, name, &what).await?;
            let mut own = blank(target, &object.metadata);
            if let Some(spec) = &object.spec {
                own.workload.replicas = Some(count(spec.replicas.unwrap_or(1)));
                own.template(&spec.template);
            }
            own.workload.rollout = rollouts::of_stateful_set(&object);
            own.workload.max_unavailable = stateful_set_unavailable(&object);
            own.workload.immovable = stateful_set_immovable(&object);
            Ok(own)
        }
        Kind::DaemonSet(api) => {
            let object = get(&api, name, &what).await?;
            let mut own = blank(target, &object.metadata);
            if let Some(spec) = &object.spec {
                own.template(&spec.template);
            }
            own.workload.rollout = rollouts::of_daemon_set(&object);
            own.workload.max_unavailable = daemon_set_unavailable(&object);
            own.workload.immovable = daemon_set_immovable(&object);
            Ok(own)
        }
        Kind::Other(api) => {
            let object: DynamicObject = get(&api, name, &what).await?;
            let mut own = blank(target, &object.metadata);
            own.workload.paused = object.data.pointer("/spec/paused") == Some(&serde_json::Value::Bool(true));
            if let Some(scale) = scale(&api, name, &what).await? {
                let wanted = scale.spec.and_then(|spec| spec.replicas).unwrap_or(0);
                own.workload.replicas = Some(count(wanted));
                own.workload.rollout =
                    rollouts::of_scale(wanted, scale.status.map_or(0, |status| status.replicas));
            }
            if target.kind == argo::KIND {
                own.workload.rollout = argo::rollout(&object);
                let replicas = own.workload.replicas.unwrap_or(1);
                own.workload.max_unavailable = argo::max_unavailable(&object.data, replicas);
                own.workload.stamp = own.workload.annotations.get(stamp::INTENT).cloned();
                let labels = object.data.pointer("/spec/template/metadata/labels").cloned();
                let labels = labels.and_then(|labels| serde_json::from_value(labels).ok());
                own.pod_labels = labels.unwrap_or_default();
            } else {
                own.workload.immovable = Some(format!("nobody here knows how a {} rolls", target.kind));
            }
            Ok(own)
        }
    }
}

async fn scale(api: &Api<DynamicObject>, name: &str, what: &str) -> Result<Option<Scale>, LookError> {
    asked(&format!("get the scale of {what}"), async {
        match api.get_scale(name).await {
            Err(error) if status_code(&error) == Some(404) => Ok(None),
            found => found.map(Some),
        }
    })
    .await
}

fn blank(target: &Target, metadata: &ObjectMeta) -> Own {
    let workload = Workload {
        target: target.clone(),
        uid: metadata.uid.clone().unwrap_or_default(),
        generation: metadata.generation.unwrap_or(0),
        labels: metadata.labels.clone().unwrap_or_default(),
        annotations: metadata.annotations.clone().unwrap_or_default(),
        namespace_annotations: BTreeMap::new(),
        replicas: None,
        replicas_set: set_by(metadata, "f:replicas"),
        paused: false,
        rollout: Rollout {
            complete: false,
            under_way: false,
            stuck: false,
            detail: "does not roll out".into(),
        },
        immovable: None,
        max_unavailable: 0,
        autoscaler: None,
        budgets: Vec::new(),
        gitops: gitops::owner(metadata).map(|by| GitOps {
            by,
            tracks_replicas: gitops::tracks(metadata, "replicas"),
            tracks_template: gitops::tracks(metadata, "template"),
        }),
        stamp: None,
        surroundings: Surroundings { desired: 0, unavailable: 0, added: 0, workloads: 0 },
    };
    Own { workload, pod_labels: BTreeMap::new() }
}

impl Own {
    fn template(&mut self, template: &PodTemplateSpec) {
        let Some(metadata) = &template.metadata else { return };
        self.pod_labels = metadata.labels.clone().unwrap_or_default();
        self.workload.stamp = metadata.annotations.as_ref().and_then(|all| all.get(stamp::INTENT)).cloned();
    }
}

/// Whether an HPA scales the target; its API version may be an older one of the same group.
fn scales(hpa: &HorizontalPodAutoscaler, target: &Target) -> bool {
    let reference = &hpa.spec.scale_target_ref;
    let (kind, group) = target.kind.split_once('.').unwrap_or((&target.kind, "apps"));
    let is_group = reference
        .api_version
        .as_deref()
        .is_none_or(|version| version.split_once('/').is_some_and(|(of_reference, _)| of_reference == group));
    reference.kind == kind && reference.name == target.name && is_group
}

fn autoscaler(hpa: &HorizontalPodAutoscaler) -> Autoscaler {
    let metadata = &hpa.metadata;
    let spec = &hpa.spec;
    let owner = metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
    Autoscaler {
        name: metadata.name.clone().unwrap_or_default(),
        uid: metadata.uid.clone().unwrap_or_default(),
        min: count(spec.min_replicas.unwrap_or(1)),
        max: count(spec.max_replicas),
        min_set: set_by(metadata, "f:minReplicas"),
        owner: owner.map(|owner| format!("{} {}", owner.kind, owner.name)),
        gitops: gitops::owner(metadata).filter(|_| gitops::tracks(metadata, "minReplicas")),
    }
}
