//! `http` as people write it: what it becomes, what is refused, and that no label leaves its place in a request.

use std::collections::BTreeMap;

use paramedic_policies::action::Wish;
use paramedic_policies::alert::Labels;
use paramedic_policies::load;
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::http_call;
use paramedic_policies::template::Scope;
use serde_json::json;

use super::support::{book, said};

fn policy(call: &str) -> String {
    format!(
        "apiVersion: paramedic.dev/v1alpha1\nkind: RemediationPolicy\nmetadata: {{name: call}}\nspec:\n  \
         mode: enforce\n  match: ['alertname=\"PoisonMessage\"']\n  \
         target: {{kind: Deployment, namespace: prod, name: web}}\n  \
         ladder:\n    - http: {call}\n      verify: {{query: up, is: \"> 0\"}}\n"
    )
}

fn wished(call: &str, labels: &[(&str, &str)]) -> Result<http_call::Wish, Reason> {
    let labels: Labels =
        labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let none = BTreeMap::new();
    let scope = Scope { labels: &labels, vars: &none, lets: &none, target: None };
    let book = book(&policy(call));
    let step = &book.policy("call").expect("it is there").ladder[0].steps[0];
    step.remediation.wish(&scope).map(|wish| match wish {
        Wish::Http(wish) => wish,
        other => panic!("{other:?}"),
    })
}

const WHOLE: &str = r#"{
  endpoint: dlq, method: PUT, path: "/queues/{{ labels.queue }}/messages/{{ labels.job }}",
  query: {why: "{{ labels.why }}"},
  body: {job: "{{ labels.job }}", tries: "{{ labels.tries }}", tags: [dead, "{{ labels.queue }}"], keep: true, n: 3},
  numbers: [/tries], expect: [202], already: [409], idempotent: true, idempotencyKey: X-Request-Id, timeout: 5s,
  look: {path: "/messages/{{ labels.job }}", field: /state, is: dead},
  undo: {method: DELETE, path: "/dead/{{ labels.job }}", look: {path: "/dead/{{ labels.job }}", status: 404}}}"#;

#[test]
fn a_call_is_rendered_and_encoded() {
    let labels = [("queue", "a.b:c"), ("job", "m-1"), ("tries", "7"), ("why", "x&y=z")];
    let wish = wished(&WHOLE.replace('\n', " "), &labels).expect("nothing is missing");
    assert_eq!(wish.call.path, "/queues/a.b%3Ac/messages/m-1?why=x%26y%3Dz");
    let body = json!({"job": "m-1", "tries": 7, "tags": ["dead", "a.b:c"], "keep": true, "n": 3});
    assert_eq!(wish.call.body, Some(body));
    assert_eq!((wish.call.expect.as_slice(), wish.call.already.as_slice()), (&[202][..], &[409][..]));
    assert_eq!((wish.idempotent, wish.idempotency_key.as_str()), (true, "X-Request-Id"));
    let undo = wish.undo.expect("one is declared");
    assert_eq!(undo.call.path, "/dead/m-1");
    assert_eq!(undo.look.map(|look| look.status), Some(404));
}

#[test]
fn defaults_are_a_post_with_the_usual_key() {
    let wish = wished("{endpoint: dlq, path: /pause}", &[]).expect("nothing is missing");
    assert_eq!((wish.call.method, wish.call.path.as_str()), (http_call::Method::Post, "/pause"));
    assert_eq!(wish.call.expect, [200, 201, 202, 204]);
    assert_eq!((wish.idempotent, wish.idempotency_key.as_str()), (false, "Idempotency-Key"));
    assert_eq!((wish.call.body, wish.look, wish.undo), (None, None, None));
}

#[test]
fn no_label_leaves_its_place() {
    let path = "{endpoint: dlq, path: \"/m/{{ labels.v }}/dead\"}";
    for good in ["a", "7", "a-b_c.d~e", "a:b", "..."] {
        let path = wished(path, &[("v", good)]).expect(good).call.path;
        assert_eq!(path.matches('/').count(), 3, "{path}");
        assert!(!path.contains(['?', '#', ' ']), "{path}");
    }
    // Encoded or not: what decodes before it routes sees another path.
    for bad in [
        "", ".", "..", "a/../b", "..\\x", "a\nb", "a\0b", "7/purge", "a?b=c#d", "%2e%2e", "a;b", "a b", "{}",
        "é",
    ] {
        assert!(wished(path, &[("v", bad)]).is_err(), "{bad:?} should be refused");
    }
    let body =
        "{endpoint: dlq, path: /m, body: {id: \"{{ labels.v }}\", n: \"{{ labels.n }}\"}, numbers: [/n]}";
    let injected = wished(body, &[("v", "x\", \"admin\": true, \"y\": \""), ("n", "-1.5e3")]).expect("text");
    let sent = injected.call.body.expect("one");
    assert_eq!(sent["n"], json!(-1500.0));
    assert_eq!(sent.as_object().map(|object| object.len()), Some(2), "{sent}");
    for bad in ["", "abc", "1, 2", "null", "\"1\"", "0x10", "NaN", "[1]"] {
        assert!(wished(body, &[("v", "x"), ("n", bad)]).is_err(), "{bad:?} should be refused");
    }
    let long = "x".repeat(20_000);
    assert!(wished(body, &[("v", &long), ("n", "1")]).is_err(), "a body has a bound");
    assert!(wished(path, &[("v", &long)]).is_err(), "a path has a bound");
}

#[test]
fn what_it_is_in_force_as_reads_again_to_the_same() {
    let book_of = book(&policy(&WHOLE.replace('\n', " ")));
    let whole = load::effective(book_of.policy("call").expect("it is there"));
    let again = book(&whole.to_string());
    assert_eq!(whole, load::effective(again.policy("call").expect("it is there")));
}

#[test]
fn the_labels_of_every_part_are_used() {
    let book = book(&policy(&WHOLE.replace('\n', " ")));
    let used = book.policy("call").expect("it is there").labels_used();
    for label in ["queue", "job", "why", "tries"] {
        assert!(used.contains(label), "{label} of {used:?}");
    }
}

#[test]
fn broken_calls_say_what_is_wrong_and_where() {
    let mut told = String::new();
    for (claim, call) in [
        ("nothing in it", "{}"),
        ("an endpoint that is not declared", "{endpoint: dql, path: /a}"),
        ("a host instead of an endpoint", "{endpoint: \"http://evil\", path: /a}"),
        ("a method that only looks", "{endpoint: dlq, path: /a, method: GET}"),
        ("a path without a slash", "{endpoint: dlq, path: a}"),
        ("a path that is a host", "{endpoint: dlq, path: //evil/a}"),
        ("a path with a query", "{endpoint: dlq, path: \"/a?b={{ labels.c }}\"}"),
        ("a path that climbs", "{endpoint: dlq, path: /a/../b}"),
        ("a template as a parameter's name", "{endpoint: dlq, path: /a, query: {\"{{ labels.x }}\": a}}"),
        ("a template as a key", "{endpoint: dlq, path: /a, body: {\"{{ labels.x }}\": a}}"),
        ("a number that is not there", "{endpoint: dlq, path: /a, body: {a: 1}, numbers: [/b]}"),
        ("no status", "{endpoint: dlq, path: /a, expect: []}"),
        ("a status that is none", "{endpoint: dlq, path: /a, expect: [20]}"),
        ("a key that is no header", "{endpoint: dlq, path: /a, idempotencyKey: \"a b\"}"),
        ("a key that frames the request", "{endpoint: dlq, path: /a, idempotencyKey: Content-Length}"),
        ("a key that the endpoint sets", "{endpoint: dlq, path: /a, idempotencyKey: x-team}"),
        ("a timeout that is too long", "{endpoint: dlq, path: /a, timeout: 5m}"),
        ("a look at half a field", "{endpoint: dlq, path: /a, look: {path: /a, field: /b}}"),
        ("a field that is no pointer", "{endpoint: dlq, path: /a, look: {path: /a, field: b, is: c}}"),
        ("a look for a list", "{endpoint: dlq, path: /a, look: {path: /a, field: /b, is: [c]}}"),
        ("an undo without a path", "{endpoint: dlq, path: /a, undo: {}}"),
        ("an unknown key", "{endpoint: dlq, path: /a, url: \"http://evil\"}"),
    ] {
        let said = said(&[("call.yaml", &policy(call))]);
        assert!(said.contains("hint: "), "{claim}: {said}");
        told.push_str(&format!("# {claim}\n{said}\n\n"));
    }
    insta::assert_snapshot!("broken_calls", told);
}

#[test]
fn only_a_call_with_an_undo_is_taken_back() {
    let reverted =
        |call: &str| policy(call).replace("      verify", "      revert: {after: 1h}\n      verify");
    assert_eq!(said(&[("call.yaml", &reverted("{endpoint: dlq, path: /a, undo: {path: /b}}"))]), "");
    let told = said(&[("call.yaml", &reverted("{endpoint: dlq, path: /a}"))]);
    assert!(told.contains("`http` cannot be taken back"), "{told}");
}
