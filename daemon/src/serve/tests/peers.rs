//! Whether Prometheus and the API server answer is known before anybody needs them.

use axum::Json;
use axum::routing::get as route;

use super::*;

/// A kubeconfig for this server.
fn kubeconfig(home: &Home, server: &str) {
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: one\nclusters: [{{name: one, cluster: {{server: '{server}'}}}}]\n\
         contexts: [{{name: one, context: {{cluster: one, user: one}}}}]\nusers: [{{name: one, user: {{}}}}]\n"
    );
    home.write("kubeconfig", &text);
}

/// A daemon of this cluster, with a Prometheus that is not there.
async fn start(home: &Home) -> Daemon {
    let mut configuration = home.configuration();
    configuration.kubernetes.enabled = true;
    configuration.kubernetes.kubeconfig = Some(home.path("kubeconfig"));
    configuration.prometheus.url = format!("http://{}", nobody().await);
    Plan::new(configuration).start().await.expect("it starts")
}

/// An address at which nobody listens.
async fn nobody() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    listener.local_addr().expect("it is bound")
}

/// The body of `/readyz`, once this part of it is so.
async fn until(daemon: &Daemon, part: &str, is: &str) -> Value {
    let patience = std::time::Instant::now() + Duration::from_secs(60);
    loop {
        let (status, detail) = get(daemon.admin, "/readyz").await;
        assert_eq!(status, 200, "alerts are taken all the same: {detail}");
        if detail[part]["is"] == json!(is) {
            return detail;
        }
        assert!(std::time::Instant::now() < patience, "{part} is never {is}: {detail}");
        tokio::task::yield_now().await;
    }
}

async fn metrics(daemon: &Daemon) -> String {
    let answer = reqwest::get(format!("http://{}/metrics", daemon.admin)).await.expect("it answers");
    answer.text().await.expect("text")
}

#[tokio::test]
async fn peers_that_are_gone_at_the_start_are_said_though_nobody_asked_for_them() {
    let home = Home::new();
    let gone = nobody().await;
    kubeconfig(&home, &format!("http://{gone}"));
    let daemon = start(&home).await;
    let detail = until(&daemon, "kubernetesAnswers", "failed").await;
    assert_eq!(detail["clusterUid"], Value::Null, "what is not known is not said");
    let problem = detail["kubernetesAnswers"]["problem"].as_str().unwrap_or_default();
    assert!(problem.contains("ask the API server for its version"), "{detail}");
    assert!(detail["kubernetes"].as_str().is_some_and(|url| url.contains(&gone.to_string())), "{detail}");
    until(&daemon, "prometheus", "failed").await;
    let text = metrics(&daemon).await;
    for peer in ["kubernetes", "prometheus"] {
        assert!(text.contains(&format!("paramedic_peer_up{{peer=\"{peer}\"}} 0\n")), "{text}");
    }
    assert!(text.contains("paramedic_ready 1\n") && text.contains("paramedic_journal_open 1\n"), "{text}");
    daemon.stop().await.expect("it stops");
}

#[tokio::test]
async fn an_api_server_that_answers_is_said_too() {
    let home = Home::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    kubeconfig(&home, &format!("http://{}", listener.local_addr().expect("it is bound")));
    let version = json!({
        "major": "1", "minor": "36", "gitVersion": "v1.36.0", "gitCommit": "c", "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z", "goVersion": "go1.26", "compiler": "gc", "platform": "linux/amd64",
    });
    let oldest = json!({"kind": "Namespace", "metadata": {"name": "kube-system", "uid": "8a7e"}});
    let router = axum::Router::new()
        .route("/version", route(async move || Json(version)))
        .route("/api/v1/namespaces/kube-system", route(async move || Json(oldest)));
    let server = tokio::spawn(axum::serve(listener, router).into_future());
    let daemon = start(&home).await;
    until(&daemon, "kubernetesAnswers", "answered").await;
    let patience = std::time::Instant::now() + Duration::from_secs(60);
    while get(daemon.public, "/api/v1/status").await.1["clusterUid"] != json!("8a7e") {
        assert!(std::time::Instant::now() < patience, "it never knows which cluster it is");
        tokio::task::yield_now().await;
    }
    let text = metrics(&daemon).await;
    assert!(text.contains("paramedic_peer_up{peer=\"kubernetes\"} 1\n"), "{text}");
    assert!(text.contains("paramedic_peer_last_answer_timestamp_seconds{peer=\"kubernetes\"}"), "{text}");
    daemon.stop().await.expect("it stops");
    server.abort();
}
