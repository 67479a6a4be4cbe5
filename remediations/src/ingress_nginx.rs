//! What an ingress-nginx controller makes of an Ingress: whether it reads it at all, and by what it knows its clients. By
//! its sources; what cannot be told refuses. Never takes a header that anybody may write for an address.

use std::fmt::Write as _;

use paramedic_policies::address::AddressRange;
use serde_json::Value;

use crate::ports::cluster::{Cluster, LookError};
use crate::ports::objects::{DEPLOYMENTS, Resource};
use crate::rights::{Rights, Verb, everywhere, within};
use crate::stamp::annotation;

pub(crate) const CLASSES: Resource =
    Resource::of_cluster("networking.k8s.io", "v1", "ingressclasses", "IngressClass");
pub(crate) const CONFIG_MAPS: Resource = Resource::namespaced("", "v1", "configmaps", "ConfigMap");
const SERVICES: Resource = Resource::namespaced("", "v1", "services", "Service");

/// What a controller can be.
const WORKLOADS: [Resource; 2] = [Resource::namespaced("apps", "v1", "daemonsets", "DaemonSet"), DEPLOYMENTS];

/// The controller's name in an IngressClass.
const NAME: &str = "k8s.io/ingress-nginx";

/// Whether ingress-nginx reads this Ingress: what is so, or what stands against it.
///
/// # Errors
/// When nobody knows.
pub(crate) async fn reads(
    cluster: &dyn Cluster,
    ingress: &Value,
) -> Result<Result<String, String>, LookError> {
    let class = ingress.pointer("/spec/ingressClassName").and_then(Value::as_str);
    let class = class.or_else(|| annotation(ingress, "kubernetes.io/ingress.class"));
    let Some(class) = class else {
        return Ok(Err("it has no class, so nobody knows which controller reads it".into()));
    };
    let found = cluster.get(&CLASSES.named("", class)).await?;
    Ok(match found.as_ref().and_then(|class| class.pointer("/spec/controller")?.as_str()) {
        Some(NAME) => Ok(format!("class {class} is of ingress-nginx")),
        Some(other) => Err(format!("class {class} is {other}, not ingress-nginx")),
        None => Err(format!("there is no class {class}")),
    })
}

/// By what a controller knows the address of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KnownBy {
    /// By the connection: whoever is at its other end.
    Connection,
    /// By the PROXY protocol of a balancer.
    ProxyProtocol,
    /// By a header, which it takes from these ranges alone.
    Header {
        /// As they are written.
        from: String,
    },
}

/// By what this ConfigMap lets the controller know its clients; or why nobody can rely on it.
pub(crate) fn known_by(config: &Value) -> Result<KnownBy, String> {
    let mut is_on = [false; 3];
    let keys = ["use-forwarded-headers", "enable-real-ip", "use-proxy-protocol"];
    for (on, key) in is_on.iter_mut().zip(keys) {
        *on = flag(config, key)?;
    }
    let [forwarded, real_ip, proxy_protocol] = is_on;
    // With `enable-real-ip` too the controller writes `real_ip_header`, whatever the other key says.
    if forwarded || real_ip {
        let from = setting(config, "proxy-real-ip-cidr").unwrap_or("0.0.0.0/0");
        if from.split(',').map(str::trim).filter(|range| !range.is_empty()).any(is_wide) {
            return Err(format!(
                "believes X-Forwarded-For of everybody ({}), so that anyone can be taken for anyone; set \
                 proxy-real-ip-cidr to the ranges of the balancer",
                if forwarded { keys[0] } else { keys[1] }
            ));
        }
        return Ok(KnownBy::Header { from: from.to_owned() });
    }
    Ok(if proxy_protocol { KnownBy::ProxyProtocol } else { KnownBy::Connection })
}

/// Whether services see the address that the controller knows in the X-Forwarded-For that it hands on: what is so, or
/// what stands against it.
pub(crate) fn hands_on_what_it_knows(config: &Value) -> Result<String, String> {
    const APPENDS: &str = "compute-full-forwarded-for";
    if flag(config, APPENDS)? {
        return Err(format!(
            "hands X-Forwarded-For on as the client began it ({APPENDS}), so that an address counted by its first part \
             may be forged; unset it"
        ));
    }
    Ok("hands on no address that a client wrote".into())
}

/// Whether clients of a controller can be told apart by the address that it sees: what is so, or what stands against it.
/// A balancer in front of it that speaks HTTP itself cannot be seen from here.
///
/// # Errors
/// When nobody knows.
pub(crate) async fn tells_clients_apart(
    cluster: &dyn Cluster,
    namespace: &str,
    name: &str,
    known: &KnownBy,
) -> Result<Result<String, String>, LookError> {
    match known {
        KnownBy::Header { from } => return Ok(Ok(format!("clients are told apart by a header from {from}"))),
        KnownBy::ProxyProtocol => return Ok(Ok("clients are told apart by the PROXY protocol".into())),
        KnownBy::Connection => {}
    }
    let text = |object: &Value, pointer: &str| {
        object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let mut hides = String::new();
    let mut open = 0;
    for service in cluster.list(SERVICES, namespace, "").await? {
        if !["LoadBalancer", "NodePort"].contains(&text(&service, "/spec/type").as_str()) {
            continue;
        }
        open += 1;
        if text(&service, "/spec/externalTrafficPolicy") != "Local" {
            let _ = write!(
                hides,
                "{}{}",
                if hides.is_empty() { "" } else { ", " },
                text(&service, "/metadata/name")
            );
        }
    }
    if !hides.is_empty() {
        return Ok(Err(format!(
            "behind Service {hides} of {namespace} it sees nodes and not clients (externalTrafficPolicy is not Local), so \
             that all clients share one limit"
        )));
    }
    if open > 0 {
        return Ok(Ok("its Services keep the clients' addresses (externalTrafficPolicy: Local)".into()));
    }
    for workload in WORKLOADS {
        let workload = workload.named(namespace, name);
        let found = cluster.get(&workload).await?;
        if found
            .is_some_and(|found| found.pointer("/spec/template/spec/hostNetwork") == Some(&Value::Bool(true)))
        {
            return Ok(Ok(format!("{workload} answers its clients by the nodes' own network")));
        }
    }
    Ok(Err(format!(
        "no Service of {namespace} with externalTrafficPolicy: Local, no header and no PROXY protocol shows that it can \
         tell its clients apart"
    )))
}

/// What [`reads`] and a look at the controller's settings read.
pub(crate) fn needs(namespace: &str, name: &str, rights: &mut Rights) {
    rights.look(&[Verb::Get], &everywhere(CLASSES));
    rights.look(&[Verb::Get], &within(namespace, CONFIG_MAPS).named(Some(name.to_owned())));
}

/// What [`tells_clients_apart`] reads.
pub(crate) fn needs_to_tell_apart(namespace: &str, name: &str, rights: &mut Rights) {
    rights.look(&[Verb::List], &within(namespace, SERVICES));
    for workload in WORKLOADS {
        rights.look(&[Verb::Get], &within(namespace, workload).named(Some(name.to_owned())));
    }
}

fn setting<'v>(config: &'v Value, key: &str) -> Option<&'v str> {
    config.pointer("/data")?.get(key)?.as_str()
}

/// As Go reads a boolean, which the controller does.
fn flag(config: &Value, key: &str) -> Result<bool, String> {
    match setting(config, key).unwrap_or("false") {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        other => Err(format!("has {key}: {other:.40}, which is neither true nor false")),
    }
}

/// No balancer has so many addresses; what is no range at all may be anything.
fn is_wide(range: &str) -> bool {
    AddressRange::loose(range).map_or(true, |range| range.bits() < if range.is_ipv4() { 8 } else { 16 })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn known(data: Value) -> Result<KnownBy, String> {
        known_by(&json!({"data": data}))
    }

    #[test]
    fn a_header_counts_only_where_few_may_write_it() {
        assert_eq!(known(json!({})), Ok(KnownBy::Connection));
        assert_eq!(known_by(&json!({})), Ok(KnownBy::Connection));
        assert_eq!(known(json!({"use-proxy-protocol": "True"})), Ok(KnownBy::ProxyProtocol));
        let from = || "192.0.2.0/24, 2001:db8::/32".to_owned();
        for key in ["use-forwarded-headers", "enable-real-ip"] {
            for on in ["true", "True", "TRUE", "1", "t", "T"] {
                let few = known(json!({key: on, "proxy-real-ip-cidr": from()}));
                assert_eq!(few, Ok(KnownBy::Header { from: from() }), "{key}: {on}");
                for open in ["0.0.0.0/0", "192.0.2.0/24,::/0", "0.0.0.0/1,128.0.0.0/1", "balancers"] {
                    let all = known(json!({key: on, "proxy-real-ip-cidr": open}));
                    assert!(all.is_err_and(|why| why.contains("of everybody")), "{key}: {on}, {open}");
                }
                assert!(known(json!({key: on})).is_err(), "{key}: {on} believes everybody by default");
            }
            for off in ["false", "False", "0", "f", ""] {
                assert_eq!(known(json!({key: off})), Ok(KnownBy::Connection), "{key}: {off}");
            }
            assert!(known(json!({key: "yes"})).is_err_and(|why| why.contains("neither true nor false")));
        }
        let appends = json!({"data": {"compute-full-forwarded-for": "true"}});
        assert!(hands_on_what_it_knows(&appends).is_err_and(|why| why.contains("may be forged")));
        assert!(hands_on_what_it_knows(&json!({})).is_ok());
    }
}
