//! A block as the list of refused sources of an Ingress that ingress-nginx serves. What a person wrote into that list stays
//! as it was written, and in its place; ours comes after it, and only ours is taken out again.
//!
//! What the controller makes of the list, by its sources: an Ingress without the annotation has the list of the
//! controller's ConfigMap, which the annotation replaces; a list without one valid address closes the Ingress to
//! everybody; `satisfy: any` lets in who can sign in, list or not; a canary Ingress has no list of its own.

use paramedic_policies::address::AddressRange;
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::block_ip::Terms;
use serde_json::{Value, json};

use super::record::{BLOCKED, Record};
use crate::checks::Checks;
use crate::cleanup::Known;
use crate::ownership;
use crate::ports::cluster::{Cluster, LookError};
use crate::ports::objects::{Address, Field, ObjectChange, Resource, add, escaped, remove, test};
use crate::rights::{Aim, Rights, Verb, everywhere, within};
use crate::stamp::annotation;

pub(super) const INGRESSES: Resource =
    Resource::namespaced("networking.k8s.io", "v1", "ingresses", "Ingress");
const CLASSES: Resource = Resource::of_cluster("networking.k8s.io", "v1", "ingressclasses", "IngressClass");
const CONFIG_MAPS: Resource = Resource::namespaced("", "v1", "configmaps", "ConfigMap");

/// The list.
pub(super) const DENYLIST: &str = "nginx.ingress.kubernetes.io/denylist-source-range";
const CANARY: &str = "nginx.ingress.kubernetes.io/canary";
const SATISFY: &str = "nginx.ingress.kubernetes.io/satisfy";

/// The controller that reads it.
const INGRESS_NGINX: &str = "k8s.io/ingress-nginx";

/// What stands in the list beside what the record says, as it was written.
///
/// # Errors
/// Where it holds what is no address: nobody knows what the controller makes of it.
pub(super) fn theirs(object: &Value, record: &Record) -> Result<Vec<String>, Reason> {
    let mut ours: Vec<String> = record.ranges().iter().map(|range| range.cidr()).collect();
    let mut left = Vec::new();
    for item in annotation(object, DENYLIST).unwrap_or_default().split(',') {
        if item.trim().is_empty() {
            continue;
        }
        if let Err(problem) = AddressRange::loose(item) {
            let problem = format!("`{}` in {DENYLIST} {problem}", item.trim());
            return Err(Reason::BadValue { what: "Ingress".into(), problem });
        }
        left.push(item.to_owned());
    }
    // Ours are the last of their kind: what a person wrote stands before them.
    left.reverse();
    left.retain(|item| match ours.iter().position(|our| our == item) {
        Some(index) => {
            ours.swap_remove(index);
            false
        }
        None => true,
    });
    left.reverse();
    Ok(left)
}

/// Whether a person's own entry keeps out all of a range.
pub(super) fn covers(theirs: &[String], range: AddressRange) -> bool {
    theirs.iter().any(|item| AddressRange::loose(item).is_ok_and(|written| written.contains(range)))
}

/// From the Ingress as it is to the record.
pub(super) fn change(at: Address, object: &Value, theirs: &[String], record: &Record) -> ObjectChange {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let mut operations = vec![
        test("/metadata/uid", json!(text("/metadata/uid"))),
        // So that nothing was written in between, a list where there is none yet included.
        test("/metadata/resourceVersion", json!(text("/metadata/resourceVersion"))),
    ];
    if object.pointer("/metadata/annotations").is_none() {
        operations.push(add("/metadata/annotations", json!({})));
    }
    let ours = record.ranges().into_iter().map(AddressRange::cidr);
    let list: Vec<String> = theirs.iter().cloned().chain(ours).collect();
    let list = (!list.is_empty()).then(|| list.join(","));
    let kept = (!record.is_empty()).then(|| record.text());
    let mut set = |name: &str, value: &Option<String>| {
        let pointer = format!("/metadata/annotations/{}", escaped(name));
        match value {
            Some(value) => operations.push(add(&pointer, json!(value))),
            None if annotation(object, name).is_some() => operations.push(remove(&pointer)),
            None => {}
        }
        pointer
    };
    let pointer = set(DENYLIST, &list);
    set(BLOCKED, &kept);
    let fields = vec![Field {
        path: format!("metadata.annotations[\"{DENYLIST}\"]"),
        // What is removed is not shown.
        pointer: if list.is_some() { pointer } else { String::new() },
        before: annotation(object, DENYLIST).unwrap_or("-").to_owned(),
        after: list.unwrap_or_else(|| "-".into()),
    }];
    ObjectChange::Patch { at, subresource: None, operations, fields }
}

/// What takes our entries and our record away, where there are any; what a person wrote into the list stays.
pub(crate) fn left(at: &Address, object: &Value) -> Option<Known> {
    annotation(object, BLOCKED)?;
    let told = |reason: Reason| Err(reason.to_string());
    let record = match Record::of(Some(object)) {
        Ok(record) => record,
        Err(reason) => return Some((String::new(), told(reason))),
    };
    let stamps = record.stamps().join(", ");
    let swept = theirs(object, &record).map(|theirs| change(at.clone(), object, &theirs, &Record::default()));
    Some((stamps, swept.or_else(told)))
}

/// Whether a list of this Ingress keeps anybody out, and nobody else puts it back.
///
/// # Errors
/// When nobody knows.
pub(super) async fn ground(
    cluster: &dyn Cluster,
    object: &Value,
    terms: &Terms,
    checks: &mut Checks,
) -> Result<(), LookError> {
    let wrong = |why: String| Reason::WrongLever { why };
    checks.note(class(cluster, object).await?);
    checks.note(if annotation(object, CANARY) == Some("true") {
        Err(wrong("a canary Ingress has no list of its own: ingress-nginx reads that of the main one".into()))
    } else {
        Ok("it is no canary".into())
    });
    checks.note(if annotation(object, SATISFY) == Some("any") {
        Err(wrong("with satisfy: any the Ingress lets in whoever can sign in, whatever the list says".into()))
    } else {
        Ok("the list holds for everybody (satisfy is not any)".into())
    });
    let (namespace, name) = &terms.controller;
    let at = CONFIG_MAPS.named(namespace, name);
    match cluster.get(&at).await? {
        None => {
            let what = format!("{at} to say how the controller knows its clients");
            checks.refuse(Reason::TargetAbsent { what });
        }
        Some(config) => controller(&at.to_string(), &config, object, checks),
    }
    ownership::note(object, &ownership::Path::of(&["metadata", "annotations", DENYLIST]), checks);
    Ok(())
}

/// What [`ground`] reads, and the change of the Ingress itself.
pub(super) fn needs(aim: &Aim<'_>, terms: &Terms, rights: &mut Rights) {
    for target in aim.targets() {
        rights.look(&[Verb::Get], &target);
        rights.change(&[Verb::Patch], &target);
    }
    rights.look(&[Verb::Get], &everywhere(CLASSES));
    let (namespace, name) = &terms.controller;
    rights.look(&[Verb::Get], &within(namespace, CONFIG_MAPS).named(Some(name.clone())));
}

async fn class(cluster: &dyn Cluster, object: &Value) -> Result<Result<String, Reason>, LookError> {
    let wrong = |why: String| Err(Reason::WrongLever { why });
    let legacy = || annotation(object, "kubernetes.io/ingress.class");
    let Some(class) = object.pointer("/spec/ingressClassName").and_then(Value::as_str).or_else(legacy) else {
        return Ok(wrong("the Ingress has no class, so nobody knows which controller reads its list".into()));
    };
    let found = cluster.get(&CLASSES.named("", class)).await?;
    Ok(match found.as_ref().and_then(|class| class.pointer("/spec/controller")?.as_str()) {
        Some(INGRESS_NGINX) => Ok(format!("class {class} is of ingress-nginx")),
        Some(other) => wrong(format!("class {class} is of {other}, which does not read {DENYLIST}")),
        None => wrong(format!("there is no class {class}, so nobody knows which controller reads the list")),
    })
}

/// What the controller's own settings say of its clients' addresses.
fn controller(at: &str, config: &Value, object: &Value, checks: &mut Checks) {
    let wrong = |why: String| Reason::WrongLever { why };
    let setting = |key: &str| config.pointer("/data").and_then(|data| data.get(key)).and_then(Value::as_str);
    let global = setting("denylist-source-range").is_some_and(|list| !list.trim().is_empty());
    checks.note(if global && annotation(object, DENYLIST).is_none() {
        Err(wrong(format!(
            "{at} refuses sources for all Ingresses, and an own list would let those in; write them into the Ingress"
        )))
    } else {
        Ok("its list hides no other".into())
    });
    let trusted = setting("proxy-real-ip-cidr").unwrap_or("0.0.0.0/0");
    let is_open = |range: &str| ["0.0.0.0/0", "::/0"].contains(&range.trim());
    let reads_header = setting("use-forwarded-headers") == Some("true");
    checks.note(if reads_header && trusted.split(',').any(is_open) {
        Err(wrong(format!(
            "{at} believes X-Forwarded-For of everybody, so that anyone can have anyone blocked; set \
             proxy-real-ip-cidr to the ranges of the balancer"
        )))
    } else if reads_header {
        Ok(format!("{at} believes X-Forwarded-For of {trusted} alone"))
    } else if setting("use-proxy-protocol") == Some("true") {
        Ok(format!("{at} takes the client's address from the PROXY protocol"))
    } else {
        Ok(format!("{at} takes the client's address from the connection"))
    });
}
