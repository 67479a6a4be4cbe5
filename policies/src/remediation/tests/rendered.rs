//! What each remediation comes to for an alert: what its labels give is held against the same bounds as what is written
//! out, and nothing of it is lost.

use serde_json::{Value, json};

use super::{action, good, refused, wished};
use crate::lasting::Lasting;
use crate::remediation::Wish;
use crate::remediation::collect_evidence;
use crate::time::Span;

/// What it comes to, as a record holds it.
fn recorded(key: &str, text: &str, labels: &[(&str, &str)]) -> Value {
    let wish = wished(key, text, labels).unwrap_or_else(|reason| panic!("{key}: {text}: {reason}"));
    let value = serde_json::to_value(&wish).expect("plain data");
    let again: Wish = serde_json::from_value(value.clone()).expect("a record is read again");
    assert_eq!(again, wish, "{value}");
    match value {
        Value::Object(mut object) => object.remove(key).expect("under its own key"),
        bare => bare,
    }
}

#[test]
fn one_with_nothing_to_set_is_recorded_as_a_bare_word() {
    for key in ["restart", "abortRollout", "renewCertificate"] {
        assert_eq!(recorded(key, "{}", &[]), json!(key));
    }
    assert_eq!(recorded("evictPod", "{}", &[]), json!({"localStorage": "refuse"}));
}

#[test]
fn a_length_that_a_label_gives_is_held_against_the_bounds_of_a_written_one() {
    let block = "{by: networkPolicy, clientAddress: peer, for: '{{ labels.for }}', address: 203.0.113.7}";
    for (key, text) in [("freezeDeploys", "{for: '{{ labels.for }}'}"), ("blockIp", block)] {
        for (label, is) in [("1m", "1m"), ("90s", "1m 30s"), ("7d", "7d")] {
            let wish = recorded(key, text, &[("for", label)]);
            let found = if key == "blockIp" { &wish["terms"]["for"] } else { &wish["for"] };
            assert_eq!(found, &json!(is), "{key} for {label}");
        }
        for (label, why) in [
            ("59s", "is not from 1m to 7d"),
            ("7d 1ms", "is not from 1m to 7d"),
            ("soon", "is not a duration, such as 90s, 15m or 1h 30m"),
        ] {
            let said = refused(key, text, &[("for", label)]);
            assert_eq!(said, format!("no usable for: `{label}` {why}"), "{key}");
        }
    }
    assert_eq!(Lasting::Fixed(Span::from_hours(1)).fixed(), Some(Span::from_hours(1)));
}

#[test]
fn a_block_keeps_out_whom_its_label_names_and_never_whom_it_allows() {
    let block = "{by: networkPolicy, clientAddress: peer, for: 1h, address: '{{ labels.ip }}', \
                 allow: [10.0.0.0/8, '{{ labels.ours }}'], ipv4Bits: 24, ipv6Bits: 48}";
    let wish = recorded("blockIp", block, &[("ip", "203.0.113.7"), ("ours", "192.0.2.1")]);
    assert_eq!(wish["whom"], json!({"address": "203.0.113.0/24"}));
    assert_eq!(wish["allow"], json!(["10.0.0.0/8", "192.0.2.1/32"]));
    let wish = recorded("blockIp", block, &[("ip", "2001:db8::1"), ("ours", "192.0.2.1")]);
    assert_eq!(wish["whom"], json!({"address": "2001:db8::/48"}));
    let said = refused("blockIp", block, &[("ip", "nobody"), ("ours", "192.0.2.1")]);
    assert!(said.starts_with("no usable address: `nobody` "), "{said}");
    let said = refused("blockIp", block, &[("ip", "203.0.113.7"), ("ours", "us")]);
    assert!(said.starts_with("no usable allow: `us` "), "{said}");
    let query = "{by: networkPolicy, clientAddress: peer, for: 1h, query: 'up{job=\"{{ labels.job }}\"}', label: ip, max: 3}";
    let wish = recorded("blockIp", query, &[("job", "web")]);
    assert_eq!(wish["whom"], json!({"query": {"promql": "up{job=\"web\"}", "label": "ip", "max": 3}}));
    assert!(refused("blockIp", query, &[]).starts_with("no usable query: "));
}

#[test]
fn a_freeze_is_of_the_namespaces_it_names_and_of_the_targets_own() {
    let named = |text: &str, labels: &[(&str, &str)]| -> Value {
        recorded("freezeDeploys", text, labels)["namespaces"].clone()
    };
    assert_eq!(named("{for: 1h}", &[]), json!(["prod"]));
    let each = "{for: 1h, namespaces: [stage, '{{ labels.ns }}', stage]}";
    assert_eq!(named(each, &[("ns", "prod")]), json!(["prod", "stage"]));
    let said = refused("freezeDeploys", each, &[("ns", "test")]);
    assert_eq!(
        said,
        "no usable namespaces: the target's namespace `prod` is not among them, so nothing could be proven"
    );
    assert!(refused("freezeDeploys", each, &[("ns", "A")]).contains("`A` is not a namespace"));
    let joined = "{for: 1h, namespaces: '{{ labels.all }}'}";
    assert_eq!(named(joined, &[("all", "stage, prod,stage")]), json!(["prod", "stage"]));
    assert!(refused("freezeDeploys", joined, &[("all", "prod,,a")]).contains("is not a namespace"));
    let many = |count: usize| -> String {
        let others: Vec<String> = (1..count).map(|number| format!("a{number}")).collect();
        format!("prod,{}", others.join(","))
    };
    assert_eq!(named(joined, &[("all", &many(16))]).as_array().map(Vec::len), Some(16));
    assert!(refused("freezeDeploys", joined, &[("all", &many(17))]).contains("names more than 16"));
}

#[test]
fn what_a_freeze_says_and_reaches_is_proven() {
    let text = "{for: 1h, reason: '{{ labels.why }}', argoCd: [{namespace: '{{ labels.a }}', project: '{{ labels.b }}'}], \
                flux: [{kind: Kustomization, namespace: b, name: c}, {kind: Kustomization, namespace: b, name: c}]}";
    let with = |why: &str, a: &str, b: &str| {
        let labels = [("why", why), ("a", a), ("b", b)];
        wished("freezeDeploys", text, &labels).map_err(|reason| reason.to_string())
    };
    let Ok(Wish::FreezeDeploys(wish)) = with("fire", "argo", "b.c") else { panic!("it is good") };
    assert_eq!(wish.reason.as_deref(), Some("fire"));
    let reached: Vec<String> = wish.reach.iter().map(ToString::to_string).collect();
    assert_eq!(reached, ["AppProject argo/b.c", "Kustomization b/c"], "each once");
    assert!(with(&"x".repeat(200), "argo", "b").is_ok());
    let long = with(&"x".repeat(201), "argo", "b").expect_err("long");
    assert!(long.ends_with("is longer than 200 characters"), "{long}");
    assert!(with("a\nb", "argo", "b").expect_err("two lines").ends_with("is more than one line"));
    assert!(with("fire", "a.b", "b").expect_err("dots").ends_with("is not a namespace"));
    assert!(with("fire", "argo", "B").expect_err("capitals").ends_with("is not a name"));
}

#[test]
fn a_call_is_rendered_within_its_bounds() {
    let text = "{endpoint: dlq, path: '/a/{{ labels.p }}', query: {b: '{{ labels.q }}', a c: x}, \
                body: {v: '{{ labels.v }}', n: '{{ labels.n }}'}, numbers: [/n], timeout: 5s, idempotent: true, \
                look: {path: /l, field: /s, is: '{{ labels.v }}', absent: done}, undo: {path: /u, look: {path: /v}}}";
    let with = |p: &str, q: &str, v: &str, n: &str| {
        let labels = [("p", p), ("q", q), ("v", v), ("n", n)];
        wished("http", text, &labels).map_err(|reason| reason.to_string())
    };
    let Ok(Wish::Http(wish)) = with("7", "x&y", "w", "3") else { panic!("it is good") };
    assert_eq!(
        serde_json::to_value(&wish).expect("plain data"),
        json!({
            "endpoint": "dlq", "idempotent": true, "idempotencyKey": "Idempotency-Key", "timeout": "5s",
            "call": {
                "method": "POST", "path": "/a/7?a%20c=x&b=x%26y", "body": {"v": "w", "n": 3},
                "expect": [200, 201, 202, 204],
            },
            "look": {"path": "/l", "status": 200, "field": ["/s", "w"], "absent": "done"},
            "undo": {
                "call": {"method": "POST", "path": "/u", "expect": [200, 201, 202, 204]},
                "look": {"path": "/v", "status": 200},
            },
        })
    );
    assert!(
        with("7", "q", "w", "three").expect_err("no number").contains("is not a number as JSON writes it")
    );
    // `/a/7?a%20c=x&b=` and `{"n":3,"v":""}` are what stands around the values.
    let fits = "q".repeat(2048 - 15);
    assert!(with("7", &fits, "w", "3").is_ok());
    let said = with("7", &format!("{fits}q"), "w", "3").expect_err("too long");
    assert_eq!(said, "no usable path: has 2049 bytes with its query, 2048 are allowed");
    let fits = "v".repeat(16 * 1024 - 14);
    assert!(with("7", "q", &fits, "3").is_ok());
    let said = with("7", "q", &format!("{fits}v"), "3").expect_err("too long");
    assert_eq!(said, "no usable body: has 16385 bytes, 16384 are allowed");
}

#[test]
fn a_parameter_from_a_label_is_one_plain_word() {
    let text = "{parameters: {ID: '{{ labels.id }}'}}";
    for fine in ["a", "AZ09._:/@+,=-", &"x".repeat(256)] {
        assert_eq!(recorded("runJob", text, &[("id", fine)])["parameters"]["ID"], json!(fine));
    }
    for bad in ["-x", "a b", "$(B)", "a;b", "é", "a\nb", &"x".repeat(257)] {
        assert!(refused("runJob", text, &[("id", bad)]).starts_with("no usable parameter ID: "), "{bad}");
    }
    let written = recorded("runJob", "{parameters: {ID: -x and more}}", &[]);
    assert_eq!(written["parameters"]["ID"], json!("-x and more"), "an author may write what a label may not");
    let image = recorded("runJob", "{template: {image: '{{ vars.image }}'}, container: c, within: 5m}", &[]);
    assert_eq!(
        image,
        json!({
            "template": {"image": "drill:1", "command": [], "args": []}, "parameters": {}, "container": "c",
            "within": "5m",
        })
    );
}

#[test]
fn a_job_runs_only_in_the_namespaces_that_are_listed() {
    assert!(wished("runJob", "{namespaces: [stage, prod]}", &[]).is_ok());
    assert_eq!(
        refused("runJob", "{namespaces: [stage, test]}", &[]),
        "no usable namespace for a Job: `prod` is none of stage, test"
    );
}

#[test]
fn a_patch_takes_only_names_from_labels() {
    let container = "{resources: {container: '{{ labels.c }}', limits: {cpu: {times: 1.5, max: '2'}}}}";
    let wish = recorded("patch", container, &[("c", "web")]);
    assert_eq!(wish["resources"]["container"], json!("web"));
    assert!(refused("patch", container, &[("c", "Web")]).ends_with("is not a container's name"));
    let selector = "{selector: {label: color, to: '{{ labels.to }}'}}";
    assert_eq!(recorded("patch", selector, &[("to", "green")])["selector"]["to"], json!("green"));
    for bad in ["-a", "a-", "a b", &"x".repeat(64)] {
        assert!(refused("patch", selector, &[("to", bad)]).ends_with("is not a label's value"), "{bad}");
    }
    assert!(wished("patch", selector, &[("to", &"x".repeat(63))]).is_ok());
}

#[test]
fn a_breaker_from_a_label_is_one_segment_of_a_path() {
    let text = "{breaker: '{{ labels.b }}', port: http}";
    let wish = recorded("resetBreaker", text, &[("b", "db")]);
    assert_eq!(wish, json!({"breaker": "db", "endpoints": {"ofService": {"port": "http"}}}));
    assert!(refused("resetBreaker", text, &[("b", "a/b")]).starts_with("no usable breaker: "));
}

#[test]
fn a_rollback_asks_by_what_the_labels_give() {
    let text = "{healthy: {query: 'up{job=\"{{ labels.job }}\"}', is: '< 0.01'}, deployedWithin: 2h}";
    let wish = recorded("rollback", text, &[("job", "web")]);
    assert_eq!(
        wish,
        json!({
            "query": "up{job=\"web\"}", "is": "< 0.01", "held": "10m", "deployedWithin": "2h", "helm": "refuse",
        })
    );
    assert!(refused("rollback", text, &[]).starts_with("no usable healthy: "));
}

#[test]
fn evidence_asks_each_query_once_and_not_too_many() {
    let text = "{queries: ['up{job=\"{{ labels.job }}\"}', down], maxKib: 8}";
    let Ok(Wish::CollectEvidence(wish)) = wished("collectEvidence", text, &[("job", "web")]) else {
        panic!("it is good")
    };
    assert_eq!(wish.queries, ["up{job=\"web\"}", "down"]);
    assert_eq!(wish.bytes_max(), 8 * 1024);
    let more = wish.and(["down".to_owned(), "other".to_owned(), "other".to_owned()]);
    assert_eq!(more.queries, ["up{job=\"web\"}", "down", "other"]);
    let many = more.and((0..30).map(|number| format!("up{number}")));
    assert_eq!(many.queries.len(), collect_evidence::QUERIES_MAX);
    assert_eq!(many.queries[15], "up12", "the first that came");
    assert!(refused("collectEvidence", text, &[]).starts_with("no usable query: "));
}

#[test]
fn what_is_allowed_since_is_let_in_again() {
    let block = "{by: networkPolicy, clientAddress: peer, for: 1h, address: '{{ labels.ip }}', \
                 allow: ['{{ vars.ours }}', '{{ labels.ours }}', 198.51.100.0/24]}";
    let entry = |range: &str| json!({"range": range, "for": "1h", "times": 1});
    let terms = json!({
        "by": "networkPolicy", "clientAddress": "peer", "for": "1h", "private": false, "ipv4Bits": 32, "ipv6Bits": 64,
        "entries": 100, "enforced": false, "controller": ["a", "b"],
    });
    let ranges = ["192.0.2.0/24", "198.51.100.7", "203.0.113.7"].map(entry);
    let act = |verb: &str| action(json!({"blockIp": {verb: {"ranges": ranges, "terms": terms}}}));
    let vars = [("ours".to_owned(), "192.0.2.9".to_owned())].into();
    let lifted = |verb: &str| -> Vec<String> {
        good("blockIp", block).lifts(&act(verb), &vars).iter().map(ToString::to_string).collect()
    };
    assert_eq!(lifted("block"), ["192.0.2.0/24", "198.51.100.7"]);
    assert_eq!(lifted("unblock"), [""; 0], "the end of a block keeps nobody out");
    assert!(good("restart", "{}").lifts(&act("block"), &vars).is_empty(), "another remediation's");
}
