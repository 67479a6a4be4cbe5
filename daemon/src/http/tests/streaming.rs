//! The stream of durable records.

use super::*;

#[tokio::test]
async fn records_are_streamed_as_they_become_durable() {
    use futures::StreamExt;
    let server = Server::start().await;
    let asked = request(Method::GET, "/api/v1/stream?kind=opened", None);
    let response = server.public.clone().oneshot(asked).await.expect("routers do not fail");
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    let mut chunks = response.into_body().into_data_stream();
    server.post("/webhook/alertmanager", &batch(&[alert("Streamed")])).await;
    let chunk = tokio::time::timeout(std::time::Duration::from_secs(20), chunks.next()).await;
    let chunk = chunk.expect("in time").expect("there is one").expect("readable");
    let text = String::from_utf8_lossy(&chunk).into_owned();
    assert!(text.contains("event: opened") && text.contains("Streamed"), "{text}");
    // Whoever does not read for long is told how much there was, and nothing of it is kept for him.
    for batch_of in ["a", "b", "c"] {
        let alerts: Vec<Value> = (0..4000).map(|n| alert(&format!("{batch_of}{n}"))).collect();
        server.post("/webhook/alertmanager", &batch(&alerts)).await;
    }
    let chunk = tokio::time::timeout(std::time::Duration::from_secs(20), chunks.next()).await;
    let chunk = chunk.expect("in time").expect("there is one").expect("readable");
    let text = String::from_utf8_lossy(&chunk).into_owned();
    assert!(text.contains("event: missed") && text.contains("{\"records\":120"), "{text}");
}
