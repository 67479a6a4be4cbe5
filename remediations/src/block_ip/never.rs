//! Whom a block must never hit: the cluster itself, and those who look whether it lives. An overlap counts both ways, so
//! that neither a wide range nor a single address gets by.

use std::net::IpAddr;

use paramedic_policies::address::{AddressRange, Special};
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::block_ip::Wish;
use serde_json::Value;

use super::ground::PODS;
use super::{SERVICES, text};
use crate::ports::cluster::{Cluster, Keep, LookError};
use crate::ports::objects::Resource;
use crate::rights::{Rights, Verb, everywhere, within};

const NODES: Resource = Resource::of_cluster("", "v1", "nodes", "Node");
const SLICES: Resource = Resource::namespaced("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice");
const SERVICE_RANGES: Resource =
    Resource::of_cluster("networking.k8s.io", "v1", "servicecidrs", "ServiceCIDR");

/// Where the balancers of clouds look from; those of others are private. Google Cloud's, by its documents on health
/// checks; Azure's one address stands with the special ones.
const HEALTH_CHECKS: [&str; 7] = [
    "35.191.0.0/16",
    "130.211.0.0/22",
    "209.85.152.0/22",
    "209.85.204.0/22",
    "2600:2d00:1:b029::/64",
    // Its proxies over IPv6.
    "2600:2d00:1:1::/64",
    "2600:1901:8001::/48",
];

/// Ranges with what they are.
pub(super) struct Never(Vec<(AddressRange, String)>);

impl Never {
    fn put(&mut self, address: Option<&str>, what: &str) {
        if let Some(range) = address.and_then(|text| AddressRange::loose(text).ok()) {
            self.0.push((range, what.to_owned()));
        }
    }

    fn put_all(&mut self, object: &Value, pointer: &str, what: &str) {
        let all = object.pointer(pointer).and_then(Value::as_array);
        for address in all.into_iter().flatten() {
            self.put(address.as_str(), what);
        }
    }

    /// Why a range is not blocked, where it is not.
    pub(super) fn judge(&self, wish: &Wish, range: AddressRange) -> Option<Reason> {
        let terms = &wish.terms;
        let least = if range.is_ipv4() { terms.ipv4_bits } else { terms.ipv6_bits };
        let special = match range.special() {
            Some(Special::Never(what)) => Some(format!("it is {what}")),
            Some(Special::Private(what)) if !terms.private => Some(format!("it is {what} (private: false)")),
            Some(Special::Private(_)) | None => None,
        };
        let why = if range.bits() < least {
            Some(format!("it is wider than /{least}"))
        } else if special.is_some() {
            special
        } else if let Some(allowed) = wish.allow.iter().find(|allowed| allowed.overlaps(range)) {
            Some(format!("the allow-list has {allowed}"))
        } else {
            let hit = self.0.iter().find(|(never, _)| never.overlaps(range));
            hit.map(|(never, what)| format!("{never} is {what}"))
        };
        why.map(|why| Reason::NeverBlocked { range: range.to_string(), why })
    }
}

/// The addresses of the cluster.
///
/// # Errors
/// When nobody knows.
pub(super) async fn of_cluster(cluster: &dyn Cluster) -> Result<Never, LookError> {
    let mut never = Never(Vec::new());
    for range in HEALTH_CHECKS {
        never.put(Some(range), "where health checks come from");
    }
    for node in cluster.list(NODES, "", "").await? {
        let name = text(&node, "/metadata/name");
        let addresses = node.pointer("/status/addresses").and_then(Value::as_array);
        for address in addresses.into_iter().flatten() {
            never.put(address.get("address").and_then(Value::as_str), &format!("node {name}"));
        }
        never.put(node.pointer("/spec/podCIDR").and_then(Value::as_str), "for pods");
        never.put_all(&node, "/spec/podCIDRs", "for pods");
    }
    // Networks give out addresses without asking the nodes, whatever the nodes say.
    for pod in cluster.scan(PODS, "", Keep::Parts(&["/status/podIPs"])).await? {
        let addresses = pod.pointer("/status/podIPs").and_then(Value::as_array);
        for address in addresses.into_iter().flatten() {
            never.put(address.get("ip").and_then(Value::as_str), "a pod");
        }
    }
    for service in cluster.list(SERVICES, "", "").await? {
        let what =
            format!("Service {}/{}", text(&service, "/metadata/namespace"), text(&service, "/metadata/name"));
        never.put_all(&service, "/spec/clusterIPs", &what);
        never.put_all(&service, "/spec/externalIPs", &what);
        let balancers = service.pointer("/status/loadBalancer/ingress").and_then(Value::as_array);
        for balancer in balancers.into_iter().flatten() {
            never.put(balancer.get("ip").and_then(Value::as_str), &what);
        }
    }
    match cluster.list(SERVICE_RANGES, "", "").await {
        Err(LookError::Absent { .. }) => {}
        Err(error) => return Err(error),
        Ok(ranges) => {
            for range in ranges {
                never.put_all(&range, "/spec/cidrs", "for Services");
            }
        }
    }
    for slice in cluster.list(SLICES, "default", "kubernetes.io/service-name=kubernetes").await? {
        let endpoints = slice.pointer("/endpoints").and_then(Value::as_array);
        for endpoint in endpoints.into_iter().flatten() {
            never.put_all(endpoint, "/addresses", "the API server");
        }
    }
    never.0.retain(|(range, _)| is_real(*range));
    Ok(never)
}

/// What [`of_cluster`] reads.
pub(super) fn needs(rights: &mut Rights) {
    for resource in [NODES, PODS, SERVICES, SERVICE_RANGES] {
        rights.look(&[Verb::List], &everywhere(resource));
    }
    rights.look(&[Verb::List], &within("default", SLICES));
}

/// A range of everything says nothing: some networks write it where they have none.
fn is_real(range: AddressRange) -> bool {
    range != AddressRange::around(IpAddr::from([0, 0, 0, 0]), 0)
        && range != AddressRange::around(IpAddr::from([0_u16; 8]), 0)
}
