//! What is said of webhooks that were not taken, and of alerts that would not be.

use super::*;

#[tokio::test]
async fn a_batch_that_is_too_large_is_logged_and_recorded() {
    let log = Log::default();
    let writer = log.clone();
    let lines = tracing_subscriber::fmt().with_ansi(false).without_time().with_target(false);
    // While there is one subscriber alone, a line that another test's thread logs first is switched off for all.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    let _logging = tracing::subscriber::set_default(lines.with_writer(move || writer.clone()).finish());
    let server = Server::start().await;
    let large = Request::builder()
        .method(Method::POST)
        .uri("/webhook/alertmanager")
        .header(header::CONTENT_LENGTH, BODY_BYTES_MAX + 1)
        .body(Body::from("{}"))
        .expect("valid");
    let (status, answer) = server.ask(large).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{answer}");
    let text = String::from_utf8(log.0.lock().expect("no panics").clone()).expect("UTF-8");
    let line = text.lines().find(|line| line.contains("webhook turned away; its alerts are lost"));
    let line = line.unwrap_or_else(|| panic!("nothing is said in:\n{text}"));
    assert!(
        line.contains("WARN") && line.contains("status=413") && line.contains("larger than 33554432"),
        "{line}"
    );
    let (_, records) = server.get("/api/v1/records?kind=received").await;
    let problem = &records["items"][0]["event"]["unreadable"][0]["problem"];
    assert_eq!(problem, "the body is larger than 33554432 bytes", "{records}");
}

#[tokio::test]
async fn bodies_that_are_only_announced_turn_nobody_away() {
    let server = Server::start().await;
    let mut announced = Vec::new();
    for _ in 0..2 * BODY_MEMORY_KIB * 1024 / BODY_BYTES_MAX {
        let body = Body::from_stream(futures::stream::pending::<Result<Vec<u8>, std::io::Error>>());
        let request = Request::builder().method(Method::POST).uri("/webhook/alertmanager");
        let request = request.header(header::CONTENT_LENGTH, BODY_BYTES_MAX).body(body).expect("valid");
        let mut one = Box::pin(answer(server.public.clone(), request));
        assert!(futures::poll!(&mut one).is_pending());
        announced.push(one);
    }
    let (status, answer) = server.post("/webhook/alertmanager", &batch(&[alert("A")])).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

#[tokio::test]
async fn what_a_webhook_would_refuse_is_not_explained() {
    let server = Server::start().await;
    let mut odd = alert("A");
    odd["labels"]["job"] = json!("a\u{7}b");
    let (status, answer) = server.post("/api/v1/explain", &json!({"alert": odd})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
    assert_eq!(answer["error"], "`labels`: `job` has the control character U+0007");
}
