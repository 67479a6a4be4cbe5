//! An alert that fires again as it fired before its end: nothing is opened, and everything says why.

use super::*;

#[tokio::test]
async fn a_late_alert_is_recorded_and_explained_as_one() {
    let server = Server::start().await;
    let mut ended = alert("A");
    ended["status"] = json!("resolved");
    ended["endsAt"] = json!("2025-11-21T08:40:00Z");
    let mut answers = Vec::new();
    for one in [alert("A"), ended, alert("A")] {
        let (status, answer) = server.post("/webhook/alertmanager", &batch(&[one])).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answers.push(answer);
    }
    let (_, record) = server.get(&format!("/api/v1/records/{}", answers[2]["first"])).await;
    let ignored = &record["event"]["ignored"];
    assert_eq!(ignored["late"], 1, "{record}");
    let opened = answers[0]["first"].as_u64().expect("a sequence") + 1;
    assert_eq!(ignored["listed"][0]["episode"], opened, "{record}");
    // Whoever reads the episode finds it.
    let (_, story) = server.get(&format!("/api/v1/records?episode={opened}&kind=received")).await;
    assert_eq!(story["items"].as_array().map(Vec::len), Some(1), "{story}");
    let (_, explained) = server.post("/api/v1/explain", &json!({"alert": alert("A")})).await;
    assert_eq!(explained["late"], ignored["listed"][0], "{explained}");
}
