//! `POST /-/reload`: in force and on record when it is answered.

use super::*;

async fn reload(server: &Server) -> (StatusCode, Value) {
    let asked = request(Method::POST, "/-/reload", None);
    server.ask(bearing(asked, &format!("Bearer {}", token("joe")))).await
}

#[tokio::test]
async fn a_new_book_is_on_record_with_a_name_when_it_is_answered() {
    let server = Server::with(&[("joe", Role::Operate)]).await;
    let before = server.running.inbox.standing();
    let more = server.folder.path().join("policies/more.yaml");
    std::fs::write(more, POLICY.replace("restart-web", "more")).expect("a file can be written");
    let (status, answer) = reload(&server).await;
    assert_eq!((status, &answer["changed"]), (StatusCode::OK, &json!(true)), "{answer}");
    let standing = server.running.inbox.standing();
    assert_ne!(standing.book, before.book);
    assert_eq!((standing.policies, json!(standing.book)), (2, answer["digest"].clone()));
    let asked = request(Method::GET, "/api/v1/records?kind=adopted&newest=true", None);
    let (_, page) = server.ask(bearing(asked, &format!("Bearer {}", token("joe")))).await;
    assert_eq!(page["items"][0]["event"]["by"], json!("joe"), "{page}");
    let before = standing.next;
    assert_eq!(reload(&server).await.0, StatusCode::OK);
    assert_eq!(server.running.inbox.standing().next, before, "the same book is not adopted again");
}

#[tokio::test]
async fn a_reload_that_cannot_be_recorded_is_503() {
    let server = Server::with(&[("joe", Role::Operate)]).await;
    let more = server.folder.path().join("policies/more.yaml");
    std::fs::write(more, POLICY.replace("restart-web", "more")).expect("a file can be written");
    server.running.valve.fails.store(true, std::sync::atomic::Ordering::SeqCst);
    let (status, answer) = reload(&server).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "lost with its block: {answer}");
}
