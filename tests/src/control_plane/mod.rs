//! A real Kubernetes control plane: etcd, API server, controllers and scheduler, with kwok playing three nodes
//! and their kubelets by our own stages (`tests/stages`), so that Deployments really roll out. It must never be
//! reachable from another machine, nor touch a cluster that the user has.
//!
//! Tests of one binary share one ([`ControlPlane::shared`]), each in a namespace of its own. A test that stops
//! parts of it starts its own ([`ControlPlane::own`]).

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use k8s_openapi::api::core::v1::Node;
use serde_json::json;
use tokio::sync::OnceCell;

use crate::peers::{self, peer};
use crate::ports::free_port;
use crate::process::{self, Process};
use crate::scratch::Scratch;
use crate::tls;
use crate::waiting::{eventually, seen};

mod namespace;
mod users;

pub use namespace::{Namespace, ready_replicas};
pub use users::User;

/// The nodes that kwok plays.
pub const NODES: [&str; 3] = ["node-0", "node-1", "node-2"];

/// What it is made of.
pub const PEERS: [&str; 6] =
    ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok", "openssl"];

/// What the API server shows and who signed it, in one file of its own making.
const CERTIFICATES: &str = "certificates/apiserver.crt";

const READY_WITHIN: Duration = Duration::from_secs(60);

/// A running control plane; dropping it ends all its processes.
#[derive(Debug)]
pub struct ControlPlane {
    api_port: u16,
    etcd_port: u16,
    // In the order in which they are dropped: the API server's clients first, the folder last.
    others: Vec<Process>,
    api_server: Process,
    _etcd: Process,
    folder: Scratch,
}

impl ControlPlane {
    /// The one that the tests of this binary share, started at the first call; `None` where the test is left out.
    pub async fn shared() -> Option<&'static Self> {
        static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();
        if !peers::need(&PEERS) {
            return None;
        }
        Some(SHARED.get_or_init(Self::start).await)
    }

    /// One for a test alone, which may stop parts of it; `None` where the test is left out.
    pub async fn own() -> Option<Self> {
        if !peers::need(&PEERS) {
            return None;
        }
        Some(Self::start().await)
    }

    async fn start() -> Self {
        let folder = Scratch::new("control-plane");
        let (etcd_port, api_port) = (free_port(), free_port());
        let etcd = start_etcd(&folder, etcd_port).await;

        let key = folder.path().join("service-accounts.key");
        let mut openssl = tokio::process::Command::new(&peer("openssl").path);
        process::run(openssl.args(["genrsa", "-out"]).arg(&key).arg("2048")).await;
        folder.write("tokens.csv", users::token_file());

        let api_server = start_api_server(&folder, api_port, etcd_port).await;
        for user in User::ALL {
            let certificates = folder.path().join(CERTIFICATES);
            folder.write(user.file(), users::kubeconfig(user, api_port, &certificates));
        }
        let mut plane = Self { api_port, etcd_port, others: Vec::new(), api_server, _etcd: etcd, folder };
        plane.others = plane.start_others();
        users::grant(&plane.client(User::Admin).await).await;
        plane.add_nodes().await;
        plane
    }

    /// The address of the API server.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.api_port)
    }

    /// A kubeconfig file of that user.
    pub fn kubeconfig(&self, user: User) -> PathBuf {
        self.folder.path().join(user.file())
    }

    /// A client of that user, for the runtime of the calling test.
    pub async fn client(&self, user: User) -> kube::Client {
        tls::install();
        let read =
            kube::config::Kubeconfig::read_from(self.kubeconfig(user)).expect("our own kubeconfig is one");
        let mut config =
            kube::Config::from_custom_kubeconfig(read, &kube::config::KubeConfigOptions::default())
                .await
                .expect("our own kubeconfig is complete");
        // A machine's proxy is not for loopback.
        config.proxy_url = None;
        kube::Client::try_from(config).expect("a client of our own kubeconfig can be built")
    }

    /// A new namespace whose name starts with `prefix`, with the admin's client.
    pub async fn namespace(&self, prefix: &str) -> Namespace {
        Namespace::create(self.client(User::Admin).await, prefix).await
    }

    /// Ends the API server; what connects to it is refused from now on.
    pub fn stop_api_server(&mut self) {
        self.api_server.kill();
    }

    /// Starts the API server again, on the same address and data.
    pub async fn start_api_server(&mut self) {
        self.api_server = start_api_server(&self.folder, self.api_port, self.etcd_port).await;
    }

    /// The process that is the API server, for its log, or to `STOP` and `CONT` it.
    pub fn api_server(&mut self) -> &mut Process {
        &mut self.api_server
    }

    fn start_others(&self) -> Vec<Process> {
        let admin = self.kubeconfig(User::Admin);
        let folder = self.folder.path();
        let start = |name: &str, arguments: &[String]| {
            let mut command = Command::new(&peer(name).path);
            command.arg("--kubeconfig").arg(&admin).args(arguments);
            Process::spawn(name, folder, command)
        };
        let flag = |name: &str, path: PathBuf| format!("--{name}={}", path.display());
        let stages = peers::repository().join("tests/stages");
        let mut configs: Vec<String> = std::fs::read_dir(&stages)
            .expect("tests/stages can be read")
            .map(|entry| flag("config", entry.expect("tests/stages can be read").path()))
            .collect();
        configs.sort();
        configs.push("--manage-all-nodes=true".into());
        configs.push(format!("--server-address=127.0.0.1:{}", free_port()));
        vec![
            start(
                "kube-controller-manager",
                &[
                    "--leader-elect=false".into(),
                    "--secure-port=0".into(),
                    "--kube-api-qps=500".into(),
                    "--kube-api-burst=1000".into(),
                    "--horizontal-pod-autoscaler-sync-period=1s".into(),
                    flag("service-account-private-key-file", folder.join("service-accounts.key")),
                    flag("root-ca-file", folder.join(CERTIFICATES)),
                ],
            ),
            start(
                "kube-scheduler",
                &[
                    "--leader-elect=false".into(),
                    "--secure-port=0".into(),
                    "--kube-api-qps=500".into(),
                    "--kube-api-burst=1000".into(),
                ],
            ),
            start("kwok", &configs),
        ]
    }

    async fn add_nodes(&mut self) {
        let client = self.client(User::Admin).await;
        let nodes = kube::Api::<Node>::all(client);
        for name in NODES {
            let node = serde_json::from_value(json!({
                "metadata": {
                    "name": name,
                    "labels": {
                        "kubernetes.io/hostname": name,
                        "kubernetes.io/os": "linux",
                        "topology.kubernetes.io/zone": name.replace("node", "zone"),
                    },
                },
            }))
            .expect("a node of ours is one");
            nodes.create(&kube::api::PostParams::default(), &node).await.expect("a node can be created");
        }
        let others = &mut self.others;
        eventually(READY_WITHIN, "three nodes are ready", async || {
            for process in others.iter_mut() {
                let status = process.ended();
                assert!(status.is_none(), "{process:?} ended early: {}", process.log_tail(20));
            }
            let all = nodes.list(&Default::default()).await.map_err(|error| error.to_string())?;
            // A node may be ready and still bear the taint of one that is not; then all pods go elsewhere.
            let is_taken = |node: &&Node| {
                let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
                let is_ready = conditions
                    .is_some_and(|all| all.iter().any(|one| one.type_ == "Ready" && one.status == "True"));
                let taints = node.spec.as_ref().and_then(|spec| spec.taints.as_ref());
                is_ready && taints.is_none_or(Vec::is_empty)
            };
            let ready = all.items.iter().filter(is_taken).count();
            seen(ready == NODES.len(), || format!("{ready} ready"))
        })
        .await;
    }
}

async fn start_etcd(folder: &Scratch, port: u16) -> Process {
    let client = format!("http://127.0.0.1:{port}");
    let between = format!("http://127.0.0.1:{}", free_port());
    let mut command = Command::new(&peer("etcd").path);
    command
        .arg("--data-dir")
        .arg(folder.path().join("etcd"))
        .args(["--unsafe-no-fsync", "--name=only", "--log-level=warn"])
        .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
        .args(["--listen-peer-urls", &between, "--initial-advertise-peer-urls", &between])
        .args(["--initial-cluster", &format!("only={between}")]);
    let mut etcd = Process::spawn("etcd", folder.path(), command);
    etcd.answers(&format!("{client}/health"), &tls::http(), READY_WITHIN).await;
    etcd
}

async fn start_api_server(folder: &Scratch, port: u16, etcd_port: u16) -> Process {
    let key = folder.path().join("service-accounts.key");
    let mut command = Command::new(&peer("kube-apiserver").path);
    command
        .arg(format!("--etcd-servers=http://127.0.0.1:{etcd_port}"))
        .args(["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1"])
        .arg(format!("--secure-port={port}"))
        .arg("--cert-dir")
        .arg(folder.path().join("certificates"))
        .args(["--service-account-issuer=https://kubernetes.default.svc"])
        .arg("--service-account-key-file")
        .arg(&key)
        .arg("--service-account-signing-key-file")
        .arg(&key)
        .args(["--service-cluster-ip-range=10.0.0.0/24", "--endpoint-reconciler-type=none"])
        .args(["--authorization-mode=RBAC,Node", "--profiling=false"])
        .arg("--token-auth-file")
        .arg(folder.path().join("tokens.csv"));
    let mut server = Process::spawn("kube-apiserver", folder.path(), command);
    tls::install();
    // Its certificate is its own and new; that it answers at all on this port is what matters here.
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_danger_accept_invalid_certs(true)
        .build()
        .expect("a client with fixed settings can be built");
    server.answers(&format!("https://127.0.0.1:{port}/readyz"), &client, READY_WITHIN).await;
    server
}
