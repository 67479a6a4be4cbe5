//! Orders by hand: who may give them, what is refused, and that the same request is one.

use paramedic_policies::load::built_in;

use super::*;

/// As many as a freeze's reason may have.
const REASON_CHARS_MAX: usize = 200;

fn run(policy: &str, key: &str) -> Value {
    json!({"policy": policy, "labels": {"namespace": "prod"}, "reason": "drill", "key": key})
}

async fn ordered(server: &Server, path: &str, body: &Value) -> (StatusCode, Value) {
    let asked = request(Method::POST, path, Some(body));
    server.ask(bearing(asked, &format!("Bearer {}", token("joe")))).await
}

#[tokio::test]
async fn a_run_is_on_record_with_a_name_and_the_same_request_is_one() {
    let server = Server::with(&[("joe", Role::Operate)]).await;
    let (status, answer) = ordered(&server, "/api/v1/runs", &run("restart-web", "k-1")).await;
    assert_eq!((status, &answer["repeated"]), (StatusCode::OK, &json!(false)), "{answer}");
    assert_eq!(answer["episode"], answer["record"]);
    let asked = request(Method::GET, &format!("/api/v1/records/{}", answer["episode"]), None);
    let (_, record) = server.ask(bearing(asked, &format!("Bearer {}", token("joe")))).await;
    assert_eq!(
        record["event"]["byHand"],
        json!({"by": "joe", "policy": "restart-web", "reason": "drill", "key": "k-1"}),
        "{record}"
    );
    let (status, again) = ordered(&server, "/api/v1/runs", &run("restart-web", "k-1")).await;
    assert_eq!((status, &again["repeated"]), (StatusCode::OK, &json!(true)), "{again}");
    assert_eq!(again["episode"], answer["episode"]);
}

#[tokio::test]
async fn what_cannot_be_run_is_refused_with_what_to_do() {
    let server = Server::with(&[("joe", Role::Operate), ("eve", Role::Read)]).await;
    for (body, status, error) in [
        (run("restart-db", "k-1"), 409, "there is no policy restart-db; there are: "),
        (json!({"policy": "restart-web"}), 409, "restart-web needs values for these labels: namespace"),
        (run("restart-web", "a b"), 400, "`key` cannot be `a b`"),
        (run("Restart web", "k-1"), 400, "`Restart web` cannot be the name of a policy"),
        (run(&"a".repeat(20_000), "k-1"), 400, "`aaaaaaaa"),
        (json!({"policy": "restart-web", "labels": {"a": "\u{1b}"}}), 400, "the label `a` has a control"),
        (json!({"policy": "restart-web", "all": true}), 400, "the body is not what this takes"),
    ] {
        let (got, answer) = ordered(&server, "/api/v1/runs", &body).await;
        assert_eq!(got.as_u16(), status, "{body}: {answer}");
        assert!(answer["error"].as_str().is_some_and(|text| text.starts_with(error)), "{answer}");
        assert!(answer["hint"].as_str().is_some_and(|text| !text.is_empty()), "{answer}");
        assert!(answer.to_string().len() < 1000, "what a stranger sends is not echoed whole");
    }
    let asked = request(Method::POST, "/api/v1/runs", Some(&run("restart-web", "k-2")));
    let (status, answer) = server.ask(bearing(asked, &format!("Bearer {}", token("eve")))).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{answer}");
}

#[tokio::test]
async fn what_cannot_be_undone_is_refused_with_what_could_be() {
    let server = Server::with(&[("joe", Role::Operate)]).await;
    for (path, body, status, error) in [
        ("/api/v1/intents/9/undo", json!({}), 409, "the journal has no intent 9"),
        ("/api/v1/intents/1/undo", json!({"reason": "x"}), 409, "the journal has no intent 1"),
        ("/api/v1/intents/x/undo", json!({}), 400, "`x` is not a record's sequence"),
        ("/api/v1/intents/1/undo", json!({"only": ["x"]}), 400, "the body is not what this takes"),
        (
            "/api/v1/intents/1/undo",
            json!({"only": vec!["203.0.113.7"; 501]}),
            400,
            "501 addresses in `only`, at most 500 may be",
        ),
    ] {
        let (got, answer) = ordered(&server, path, &body).await;
        assert_eq!(got.as_u16(), status, "{path}: {answer}");
        assert!(answer["error"].as_str().is_some_and(|text| text.starts_with(error)), "{answer}");
        assert!(answer["hint"].as_str().is_some_and(|text| !text.is_empty()), "{answer}");
    }
}

/// In the words of the refusal, and without its record.
#[tokio::test]
async fn a_rehearsed_undo_is_refused_like_the_order_and_not_recorded() {
    let server = Server::with(&[("joe", Role::Operate), ("eve", Role::Read)]).await;
    let next = || server.served.inbox.look(|state| state.next);
    let before = next().await.expect("it looks");
    let (path, body) = ("/api/v1/intents/9/undo", json!({"dryRun": true, "reason": "x"}));
    let (status, said) = ordered(&server, path, &body).await;
    assert_eq!(next().await.expect("it looks"), before);
    assert_eq!((status, ordered(&server, path, &json!({})).await), (StatusCode::CONFLICT, (status, said)));
    assert_ne!(next().await.expect("it looks"), before);
    let asked = request(Method::POST, path, Some(&body));
    let (status, answer) = server.ask(bearing(asked, &format!("Bearer {}", token("eve")))).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "as the order: {answer}");
}

#[tokio::test]
async fn a_reason_is_hidden_wherever_it_stands_and_colleagues_read_one_line() {
    let server = Server::with(&[("joe", Role::Operate)]).await;
    let freeze = |labels: Value, reason: &str, key: &str| {
        let mut all = json!({"namespace": "prod", "namespaces": "prod", "for": "2h"});
        all.as_object_mut().expect("a map").extend(labels.as_object().expect("a map").clone());
        json!({"policy": built_in::FREEZE, "labels": all, "reason": reason, "key": key})
    };
    let secret = "password=hunter2\nsee jane@example.com";
    for (body, key, says) in [
        (freeze(json!({}), secret, "k-1"), "k-1", "password=[secret] see [email]"),
        (freeze(json!({"reason": secret}), "", "k-2"), "k-2", "password=[secret] see [email]"),
        (freeze(json!({}), "", "k-3"), "k-3", "frozen by hand"),
        (freeze(json!({}), &"long ".repeat(100), "k-4"), "k-4", ""),
    ] {
        let (status, answer) = ordered(&server, "/api/v1/runs", &body).await;
        assert_eq!(status, StatusCode::OK, "{key}: {answer}");
        let asked = request(Method::GET, &format!("/api/v1/records/{}", answer["episode"]), None);
        let (_, record) = server.ask(bearing(asked, &format!("Bearer {}", token("joe")))).await;
        let label = record["event"]["labels"]["reason"].as_str().expect("a label");
        assert!(!record.to_string().contains("hunter2"), "{record}");
        assert!(!record.to_string().contains("jane"), "{record}");
        assert!(label.chars().count() <= REASON_CHARS_MAX && !label.contains('\n'), "{label}");
        assert!(says.is_empty() || label == says, "{label}");
        let (_, again) = ordered(&server, "/api/v1/runs", &body).await;
        assert_eq!(again["repeated"], json!(true), "{again}");
    }
}

#[tokio::test]
async fn a_refused_run_is_told_what_would_be_taken() {
    let server = Server::with(&[("joe", Role::Operate)]).await;
    let (status, _) = ordered(&server, "/api/v1/runs", &run("restart-web", "k-1")).await;
    assert_eq!(status, StatusCode::OK);
    for (body, hint) in [
        (json!({"policy": "restart-web"}), "restart-web takes the labels namespace; give each as NAME=VALUE"),
        (run("restart-db", "k-2"), "`paramedic check` lists the policies with the labels that they take"),
        (
            json!({"policy": "restart-web", "labels": {"namespace": "stage"}, "key": "k-1"}),
            "a key names one request: give another, or none and one is made up",
        ),
    ] {
        let (status, answer) = ordered(&server, "/api/v1/runs", &body).await;
        assert_eq!((status, &answer["hint"]), (StatusCode::CONFLICT, &json!(hint)), "{answer}");
    }
}
