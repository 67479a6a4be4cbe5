//! The ready endpoints of a Service, one by one: what lives per process must be done on each.

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Client;
use kube::api::{Api, ListParams};
use paramedic_policies::target::Target;

use super::calls::{asked, get};
use super::surroundings;
use crate::ports::cluster::{LookError, Reachable};

/// A Service with the base URLs of its ready endpoints on a port, by name or number.
pub(super) async fn endpoints(client: &Client, service: &Target, port: &str) -> Result<Reachable, LookError> {
    let what = format!("service {}/{}", service.namespace, service.name);
    let services = Api::<Service>::namespaced(client.clone(), &service.namespace);
    let slices = Api::<EndpointSlice>::namespaced(client.clone(), &service.namespace);
    let object = get(&services, &service.name, &what).await?;
    let ports = object.spec.as_ref().and_then(|spec| spec.ports.clone()).unwrap_or_default();
    let meant = ports.iter().find(|one| one.name.as_deref() == Some(port) || one.port.to_string() == port);
    // A slice names its ports as the Service does; the only port may have no name.
    let name = match meant {
        Some(meant) => meant.name.clone().unwrap_or_default(),
        None => return Err(LookError::Absent { what: format!("port {port} of {what}") }),
    };
    let of_service = ListParams::default().labels(&format!("kubernetes.io/service-name={}", service.name));
    let tried = format!("list EndpointSlices of {what}");
    let found = asked(&tried, slices.list(&of_service)).await?.items;
    let around = surroundings::around(client, &service.namespace).await?;
    let mut urls: Vec<String> = found.iter().flat_map(|slice| urls(slice, &name)).collect();
    urls.sort();
    urls.dedup();
    Ok(Reachable {
        uid: object.metadata.uid.unwrap_or_default(),
        labels: object.metadata.labels.unwrap_or_default(),
        annotations: object.metadata.annotations.unwrap_or_default(),
        namespace_annotations: around.annotations,
        urls,
        surroundings: around.surroundings,
    })
}

fn urls(slice: &EndpointSlice, port: &str) -> Vec<String> {
    let ports = slice.ports.iter().flatten();
    let meant = ports.clone().find(|one| one.name.as_deref().unwrap_or_default() == port);
    let Some(number) = meant.and_then(|one| one.port) else { return Vec::new() };
    let is_v6 = slice.address_type == "IPv6";
    let ready = slice.endpoints.iter().flatten().filter(|one| {
        // Absent means ready, says the API.
        one.conditions.as_ref().and_then(|conditions| conditions.ready) != Some(false)
    });
    // The addresses of one endpoint are the same endpoint, says the API: the first stands for it.
    ready
        .filter_map(|one| one.addresses.first())
        .map(|address| {
            if is_v6 { format!("http://[{address}]:{number}") } else { format!("http://{address}:{number}") }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_ready_endpoints_on_the_named_port_are_reached() {
        let slice: EndpointSlice = serde_json::from_value(json!({
            "metadata": {}, "addressType": "IPv4",
            "ports": [{"name": "metrics", "port": 9090}, {"name": "http", "port": 8080}],
            "endpoints": [
                {"addresses": ["10.0.0.1"], "conditions": {"ready": true}},
                {"addresses": ["10.0.0.2"], "conditions": {"ready": false}},
                {"addresses": ["10.0.0.3"]},
            ],
        }))
        .expect("a slice");
        assert_eq!(urls(&slice, "http"), ["http://10.0.0.1:8080", "http://10.0.0.3:8080"]);
        assert!(urls(&slice, "grpc").is_empty());
    }
}
