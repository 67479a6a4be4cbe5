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
async fn a_reload_that_is_refused_is_on_record_with_a_name_and_the_reason() {
    let server = Server::with(&[("joe", Role::Operate)]).await;
    std::fs::write(server.folder.path().join("policies/more.yaml"), "kind: [")
        .expect("a file can be written");
    let (status, answer) = reload(&server).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
    let asked = request(Method::GET, "/api/v1/records?kind=orderRefused", None);
    let (_, page) = server.ask(bearing(asked, &format!("Bearer {}", token("joe")))).await;
    let event = &page["items"][0]["event"];
    assert_eq!(event["by"], json!("joe"), "{page}");
    let why = event["why"].as_str().unwrap_or_default();
    assert!(
        why.starts_with("a reload: ") && why.contains("more.yaml:2:1: error") && !why.contains('\n'),
        "{why}"
    );
}

/// Whoever sends a signal is not answered: the journal says what came of it.
#[tokio::test]
async fn a_signal_whose_reload_is_refused_is_on_record() {
    let server = Server::with(&[("joe", Role::Operate)]).await;
    std::fs::write(server.folder.path().join("policies/more.yaml"), "kind: [")
        .expect("a file can be written");
    reload_by_signal(&server.served).await;
    let asked = request(Method::GET, "/api/v1/records?kind=orderRefused", None);
    let (_, page) = server.ask(bearing(asked, &format!("Bearer {}", token("joe")))).await;
    let event = &page["items"][0]["event"];
    assert_eq!(event["by"], json!("SIGHUP"), "{page}");
    assert!(event["why"].as_str().is_some_and(|why| why.contains("more.yaml:2:1: error")), "{page}");
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

#[tokio::test]
async fn what_is_gone_from_the_configuration_or_cannot_be_read_is_out_and_the_others_stay() {
    let server = Server::with(&[("ada", Role::Operate), ("jane", Role::Read), ("joe", Role::Operate)]).await;
    let knows = async |name: &str| {
        let asked = bearing(request(Method::GET, "/api/v1/status", None), &format!("Bearer {}", token(name)));
        server.ask(asked).await.0 == StatusCode::OK
    };
    let file = |name: &str, role| {
        let file = server.folder.path().join(format!("{name}.token"));
        TokenFile { name: name.to_owned(), role, file }
    };
    let two = vec![file("jane", Role::Read), file("joe", Role::Operate)];
    let out = server.served.tokens.reread(Some(two));
    assert_eq!(out.taken_out, ["the token `ada` is not in the configuration any more: it is out"]);
    assert_eq!((knows("ada").await, knows("jane").await, knows("joe").await), (false, true, true));
    std::fs::remove_file(file("joe", Role::Operate).file).expect("it is there");
    let out = server.served.tokens.reread(None);
    assert!(out.unusable[0].contains("`joe`") && out.unusable[0].contains("is out until"), "{out:?}");
    assert_eq!((knows("jane").await, knows("joe").await), (true, false));
    // Jane's token under Joe's name must not give orders.
    std::fs::write(file("joe", Role::Operate).file, token("jane")).expect("a file can be written");
    let out = server.served.tokens.reread(None);
    assert!(out.unusable[0].contains("are the same"), "{out:?}");
    let order = bearing(request(Method::POST, "/-/reload", None), &format!("Bearer {}", token("jane")));
    assert_eq!((knows("jane").await, server.ask(order).await.0), (true, StatusCode::FORBIDDEN));
    // The last one out opens no door.
    let out = server.served.tokens.reread(Some(Vec::new()));
    assert!(out.unusable[0].contains("every request is refused"), "{out:?}");
    assert!(!knows("jane").await);
    assert_eq!(server.get("/api/v1/status").await.0, StatusCode::UNAUTHORIZED);
}
