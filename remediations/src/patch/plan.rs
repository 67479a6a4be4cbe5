//! What a wish comes to on the object at hand: old values and new ones, within every bound. Asks the world where the
//! wish depends on it; changes nothing.

use std::collections::BTreeMap;

use paramedic_policies::quantity::Quantity;
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::patch::{
    Action, Amount, Edit, Field, Limited, More, Place, SwitchPlace, Wish,
};
use paramedic_policies::target::Target;
use serde_json::Value;

use super::fields::path;
use super::looked::{CONFIG_MAPS, Looked, resource, texts};
use crate::checks::Checks;
use crate::ports::cluster::{Cluster, LookError};
use crate::ports::objects::Resource;
use crate::stamp::annotation;

pub(super) const INGRESS_CLASSES: Resource =
    Resource::of_cluster("networking.k8s.io", "v1", "ingressclasses", "IngressClass");

/// The controller that these annotations are for.
const INGRESS_NGINX: &str = "k8s.io/ingress-nginx";

/// The answer that a client understands; ingress-nginx gives 503 where nothing says so.
const TOO_MANY_REQUESTS: &str = "429";

/// Argo Rollouts writes this label into the selectors it owns.
const ROLLOUTS_LABEL: &str = "rollouts-pod-template-hash";

/// What is longer is no switch: its old value would have to be kept.
const SWITCH_CHARS_MAX: usize = 256;

/// Where the fields of a wish are.
pub(super) fn place(wish: &Wish) -> Place {
    match wish {
        Field::Resources { container, .. } => Place::Resources { container: container.clone() },
        Field::RateLimit { .. } => Place::RateLimit,
        Field::Selector { .. } => Place::Selector,
        Field::Switch { place: SwitchPlace::Annotation(_), .. } => Place::Annotation,
        Field::Switch { place: SwitchPlace::Key(_), .. } => Place::Data,
    }
}

/// The label, its new value and the ready pods needed.
pub(super) fn selects(wish: &Wish) -> Option<(String, String, usize)> {
    match wish {
        Field::Selector { label, to, ready } => {
            Some((label.clone(), to.clone(), usize::try_from(*ready).unwrap_or(usize::MAX)))
        }
        Field::Resources { .. } | Field::RateLimit { .. } | Field::Switch { .. } => None,
    }
}

/// Whether the kind has such a field.
pub(super) fn fits(wish: &Wish, target: &Target) -> Result<(), Reason> {
    let kind = target.kind.as_str();
    let (fits, wanted) = match wish {
        Field::Resources { .. } => (["Deployment", "StatefulSet"].contains(&kind), "Deployment, StatefulSet"),
        Field::RateLimit { .. } => (kind == "Ingress.networking.k8s.io", "Ingress.networking.k8s.io"),
        Field::Selector { .. } => (kind == "Service", "Service"),
        Field::Switch { place: SwitchPlace::Key(_), .. } => (kind == "ConfigMap", "ConfigMap"),
        Field::Switch { place: SwitchPlace::Annotation(_), .. } => (
            resource(kind).is_some(),
            "Deployment, StatefulSet, DaemonSet, Service, ConfigMap, Ingress.networking.k8s.io",
        ),
    };
    if fits { Ok(()) } else { Err(Reason::WrongKind { kind: kind.to_owned(), wanted: wanted.into() }) }
}

/// The action; without edits where all is as wished already, none where it is refused.
pub(super) async fn plan(
    wish: &Wish,
    cluster: &dyn Cluster,
    looked: &Looked,
    checks: &mut Checks,
) -> Result<Option<Action>, LookError> {
    let edits = match wish {
        Field::Resources { container, amounts } => resources(looked, container, amounts),
        Field::RateLimit { limited, at_most, paths, controller_namespace, controller_name } => {
            only_these(looked, paths, checks);
            is_nginx(cluster, looked, checks).await?;
            let controller = CONFIG_MAPS.named(controller_namespace, controller_name);
            let config = cluster.get(&controller).await?;
            checks.note(answers_429(config.as_ref(), *limited, &controller.to_string()));
            rate(looked, *limited, *at_most)
        }
        Field::Selector { label, to, .. } => {
            looked.enough_ready(checks);
            selector(looked, label, to)
        }
        Field::Switch { place, to } => switch(looked, place, to),
    };
    Ok(match edits {
        Ok(edits) => {
            for (key, Edit { from, to }) in &edits {
                let (from, to) = (from.as_deref().unwrap_or("-"), to.as_deref().unwrap_or("-"));
                checks.pass(format!("{} {from} -> {to} is within bounds", path(&place(wish), key)));
            }
            Some(Action { place: place(wish), edits })
        }
        Err(reason) => {
            checks.refuse(reason);
            None
        }
    })
}

type Edits = BTreeMap<String, Edit>;

fn bad(what: impl Into<String>, problem: impl Into<String>) -> Reason {
    Reason::BadValue { what: what.into(), problem: problem.into() }
}

/// One edit, or none where the value holds already.
fn one(key: String, from: Option<&str>, to: &str) -> Edits {
    let edit = Edit { from: from.map(str::to_owned), to: Some(to.to_owned()) };
    if from == Some(to) { Edits::new() } else { [(key, edit)].into() }
}

fn resources(looked: &Looked, container: &str, amounts: &BTreeMap<Amount, More>) -> Result<Edits, Reason> {
    let place = Place::Resources { container: container.to_owned() };
    let containers =
        path(&Place::Resources { container: container.to_owned() }, "limits").pointer(&looked.object);
    if containers.is_none() {
        return Err(Reason::TargetAbsent { what: format!("container {container} of {}", looked.at) });
    }
    let mut edits = Edits::new();
    for (amount, more) in amounts {
        let (part, resource) = amount.keys();
        let key = format!("{part}.{resource}");
        let has = looked.value(&place, &key);
        let now =
            has.map(str::parse::<Quantity>).transpose().map_err(|error| bad(&key, error.to_string()))?;
        let to = match (more, now) {
            (More::Times { .. }, None) => {
                return Err(bad(&key, "it is not set, so there is nothing to multiply"));
            }
            (More::Times { max, .. }, Some(now)) if now >= *max => {
                return Err(bad(&key, format!("{now} is at its max {max} already")));
            }
            (More::Times { thousandths, max }, Some(now)) => now.times(*thousandths).min(*max),
            (More::AtLeast(least), Some(now)) if now >= *least => continue,
            // No limit is more than any.
            (More::AtLeast(_), None) if part == "limits" => continue,
            (More::AtLeast(least), Some(_) | None) => *least,
        };
        edits.extend(one(key, has, &to.to_string()));
    }
    Ok(edits)
}

fn rate(looked: &Looked, limited: Limited, at_most: u32) -> Result<Edits, Reason> {
    let name = limited.annotation();
    let has = annotation(&looked.object, &name);
    let now = has.map(str::parse::<u32>).transpose();
    let now = now.map_err(|_| bad(&name, format!("`{}` is no number", has.unwrap_or_default())))?;
    // Zero switches the limit off.
    if now.is_some_and(|now| now != 0 && now <= at_most) {
        return Ok(Edits::new());
    }
    Ok(one(name, has, &at_most.to_string()))
}

/// Refuses where the limit would hit what it is not meant for.
fn only_these(looked: &Looked, paths: &[String], checks: &mut Checks) {
    let object = &looked.object;
    let mut others = Vec::new();
    if object.pointer("/spec/defaultBackend").is_some() {
        others.push("everything else (spec.defaultBackend)".to_owned());
    }
    if annotation(object, "nginx.ingress.kubernetes.io/use-regex") == Some("true") {
        others.push("paths as expressions (use-regex)".to_owned());
    }
    let rules = object.pointer("/spec/rules").and_then(Value::as_array);
    for rule in rules.into_iter().flatten() {
        let inner = rule.pointer("/http/paths").and_then(Value::as_array);
        for one in inner.into_iter().flatten() {
            let path = one.get("path").and_then(Value::as_str).unwrap_or("/");
            if !paths.iter().any(|allowed| is_under(path, allowed)) {
                others.push(path.to_owned());
            }
        }
    }
    checks.note(if others.is_empty() {
        Ok(format!("the Ingress serves nothing but {}", paths.join(", ")))
    } else {
        Err(bad("Ingress for a rate limit", format!("it serves {} too", others.join(", "))))
    });
}

fn is_under(path: &str, allowed: &str) -> bool {
    let allowed = allowed.trim_end_matches('/');
    path.strip_prefix(allowed).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Refuses where no ingress-nginx reads the annotation.
async fn is_nginx(cluster: &dyn Cluster, looked: &Looked, checks: &mut Checks) -> Result<(), LookError> {
    let class = looked.object.pointer("/spec/ingressClassName").and_then(Value::as_str);
    let class = class.or_else(|| annotation(&looked.object, "kubernetes.io/ingress.class"));
    let Some(class) = class else {
        checks.refuse(bad(
            "Ingress for a rate limit",
            "it has no class, so nobody knows which controller reads it",
        ));
        return Ok(());
    };
    let found = cluster.get(&INGRESS_CLASSES.named("", class)).await?;
    let by = found.as_ref().and_then(|class| class.pointer("/spec/controller")?.as_str());
    checks.note(match by {
        Some(INGRESS_NGINX) => Ok(format!("class {class} is ingress-nginx")),
        Some(other) => {
            Err(bad("Ingress for a rate limit", format!("class {class} is {other}, not ingress-nginx")))
        }
        None => Err(bad("Ingress for a rate limit", format!("there is no class {class}"))),
    });
    Ok(())
}

/// A limit that answers 503 looks like an outage, and starts the policies against those.
fn answers_429(config: Option<&Value>, limited: Limited, controller: &str) -> Result<String, Reason> {
    let key = limited.status_key();
    let Some(config) = config else {
        return Err(bad(
            "Ingress for a rate limit",
            format!("there is no {controller} to say that it answers 429"),
        ));
    };
    match config.pointer(&format!("/data/{key}")).and_then(Value::as_str) {
        Some(TOO_MANY_REQUESTS) => Ok(format!("{controller} answers 429 for it")),
        other => {
            let other = other.unwrap_or("not set, which means 503");
            Err(bad(
                "Ingress for a rate limit",
                format!("{key} of {controller} is {other}; set it to \"429\""),
            ))
        }
    }
}

fn selector(looked: &Looked, label: &str, to: &str) -> Result<Edits, Reason> {
    let selector = texts(&looked.object, "/spec/selector");
    if looked.object.pointer("/spec/type").is_some_and(|kind| kind == "ExternalName") {
        return Err(bad("selector", "an ExternalName has none"));
    }
    if selector.contains_key(ROLLOUTS_LABEL) {
        let by = "Argo Rollouts".to_owned();
        return Err(Reason::ManagedByGitOps { by, field: "spec.selector".into() });
    }
    match selector.get(label) {
        Some(has) => Ok(one(label.to_owned(), Some(has), to)),
        None => Err(bad("selector", format!("it has no label {label}, and none is added"))),
    }
}

fn switch(looked: &Looked, place: &SwitchPlace, to: &str) -> Result<Edits, Reason> {
    match place {
        SwitchPlace::Annotation(name) => {
            let has = annotation(&looked.object, name);
            short(name, has)?;
            Ok(one(name.clone(), has, to))
        }
        SwitchPlace::Key(key) => {
            if looked.object.get("immutable") == Some(&Value::Bool(true)) {
                return Err(bad(key, "the ConfigMap is immutable"));
            }
            let has = looked.value(&Place::Data, key);
            if has.is_none() {
                return Err(Reason::TargetAbsent { what: format!("key {key} in {}", looked.at) });
            }
            short(key, has)?;
            Ok(one(key.clone(), has, to))
        }
    }
}

fn short(what: &str, has: Option<&str>) -> Result<(), Reason> {
    match has.map(|text| text.chars().count()) {
        Some(chars) if chars > SWITCH_CHARS_MAX => {
            Err(bad(what, format!("it holds {chars} characters, which is no switch")))
        }
        Some(_) | None => Ok(()),
    }
}
