//! What a block by an Ingress does to a client: the list that a real API server keeps, read into a real nginx as
//! ingress-nginx reads it (one `deny` for each range, in the location of the Ingress), in front of a service.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use paramedic_policies::action::{Intent, Wish};
use paramedic_remediations::ports::halt::Halt;
use paramedic_remediations::ports::world::World;
use paramedic_tests::control_plane::ControlPlane;
use paramedic_tests::peers::{need, peer};
use paramedic_tests::ports::free_address;
use paramedic_tests::process::Process;
use paramedic_tests::receiver::WebhookReceiver;
use paramedic_tests::scratch::Scratch;
use serde_json::json;

use super::block_ip::{LIST, POLICIES, blocking, done, front, wish};
use super::stand::{intent, kubernetes, preflight, sealed, world};
use paramedic_policies::remediation::block_ip::Means;

const SOON: Duration = Duration::from_secs(20);

/// A proxy in front of `service`, which knows its clients by a header of the balancer in front of it.
async fn proxy(folder: &Scratch, name: &str, list: Option<&str>, service: &str) -> (Process, SocketAddr) {
    let address = free_address();
    let deny: String = list
        .unwrap_or_default()
        .split(',')
        .filter(|one| !one.is_empty())
        .map(|one| format!("deny {one};\n"))
        .collect();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("{kind}_temp_path {}/{name}-{kind};\n", folder.path().display()))
        .collect();
    let config = format!(
        "daemon off; worker_processes 1; pid {folder}/{name}.pid;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}\
         set_real_ip_from 127.0.0.1;\nreal_ip_header X-Forwarded-For;\nreal_ip_recursive on;\n\
         server {{ listen {address};\nlocation = /ready {{ return 204; }}\n\
         location / {{\n{deny}proxy_pass {service};\n}} }}\n}}\n",
        folder = folder.path().display(),
    );
    let config = folder.write(&format!("{name}.conf"), config);
    let mut command = Command::new(&peer("nginx").path);
    command.args(["-e", "stderr", "-p"]).arg(folder.path()).arg("-c").arg(config);
    let mut process = Process::spawn(name, folder.path(), command);
    process.answers(&format!("http://{address}/ready"), &reqwest::Client::new(), SOON).await;
    (process, address)
}

async fn status(address: SocketAddr, client: &str) -> u16 {
    let request = reqwest::Client::new().get(format!("http://{address}/")).header("x-forwarded-for", client);
    request.timeout(SOON).send().await.expect("nginx answers").status().as_u16()
}

#[tokio::test]
async fn a_blocked_client_reaches_the_service_no_more_and_the_others_do() {
    if !need(&["nginx"]) {
        return;
    }
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("block-proxy").await;
    let front = front(&shop, json!({LIST: "198.51.100.0/24"})).await;
    let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
    let (world, folder, service) =
        (world(&kubernetes), Scratch::new("nginx"), WebhookReceiver::start().await);
    let list = async || {
        let annotations = shop.get("Ingress", "shop").await["metadata"]["annotations"].clone();
        annotations[LIST].as_str().map(str::to_owned)
    };
    let clients = ["203.0.113.7", "203.0.113.8", "198.51.100.9", "2001:db8::7", "2001:db8:0:1::7"];
    let answers = async |name: &str| {
        let (mut process, address) = proxy(&folder, name, list().await.as_deref(), &service.url()).await;
        let mut all = Vec::new();
        for client in clients {
            all.push(status(address, client).await);
        }
        process.stop(SOON).await;
        all
    };
    assert_eq!(answers("before").await, [200, 200, 403, 200, 200]);

    let mut blocked = Vec::new();
    for (id, address) in [(130, "203.0.113.7"), (131, "2001:db8::/64")] {
        let one = blocking(&world, id, &front, wish(address, Means::IngressNginx, &shop)).await;
        done(&world.perform(&sealed(one.clone()), &Halt::never()).await);
        blocked.push(one);
    }
    let before = service.received().len();
    assert_eq!(answers("blocked").await, [403, 200, 403, 403, 200]);
    assert_eq!(service.received().len(), before + 2, "the service has seen the others alone");

    for (id, one) in [(132, &blocked[0]), (133, &blocked[1])] {
        let found = preflight(&world, &front, Wish::Revert(one.action.clone()), false).await;
        let back = Intent { reverts: Some(one.id), charged: false, ..intent(id, &front, &found) };
        done(&world.perform(&sealed(back), &Halt::never()).await);
    }
    assert_eq!(answers("after").await, [200, 200, 403, 200, 200], "a person's own entry stays");
}
