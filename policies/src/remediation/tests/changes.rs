//! What a recorded change says of itself: how it reads, what takes it back, whom it touches, how long it takes and lasts.

use serde_json::{Value, json};

use super::action;
use crate::address::AddressRange;
use crate::remediation::{Action, KEYS};
use crate::time::Moment;

fn terms() -> Value {
    json!({
        "by": "networkPolicy", "clientAddress": "peer", "for": "1h", "private": false, "ipv4Bits": 32, "ipv6Bits": 64,
        "entries": 100, "enforced": false, "controller": ["a", "b"],
    })
}

fn entry(range: &str, lasts: &str, times: u32) -> Value {
    json!({"range": range, "for": lasts, "times": times})
}

fn block(ranges: &[Value]) -> Value {
    json!({"blockIp": {"block": {"ranges": ranges, "terms": terms()}}})
}

fn unblock(ranges: &[Value], rest: &[Value], again: Option<&str>) -> Value {
    json!({"blockIp": {"unblock": {"ranges": ranges, "rest": rest, "again": again, "terms": terms()}}})
}

fn freeze(verb: &str, reach: &[Value], touches: &[&str]) -> Value {
    let freeze = json!({
        "namespaces": ["prod", "stage"], "for": "2h", "breakGlass": "leads", "reach": reach, "exempt": "me",
        "touches": touches,
    });
    json!({"freezeDeploys": {verb: freeze}})
}

fn drain(verb: &str, namespaces: &[&str]) -> Value {
    let pods: Vec<Value> =
        namespaces.iter().map(|space| json!({"namespace": space, "name": "web-0", "uid": "u"})).collect();
    let drain = json!({
        "maxNodes": 1, "localStorage": "refuse", "within": "15m", "pods": pods, "namespaces": namespaces,
    });
    json!({"drainNode": {verb: drain}})
}

fn quarantine(verb: &str, detach: bool, rejoin: bool, pods: &[&str]) -> Value {
    let pods: Vec<Value> = pods.iter().map(|name| json!({"name": name, "uid": "u"})).collect();
    let all = json!({
        "for": "1d", "detach": detach, "rejoin": rejoin, "dns": false, "max": 5, "enforced": false, "pods": pods,
    });
    json!({"quarantine": {verb: all}})
}

fn call(path: &str, look: Option<&str>, undo: Option<Value>) -> Value {
    let look = look.map(|path| json!({"path": path, "status": 200}));
    json!({"http": {
        "base": "http://queues", "endpoint": "dlq", "call": {"method": "PATCH", "path": path, "expect": [200]},
        "look": look, "idempotent": true, "idempotencyKey": "X-Id", "timeout": "9s", "undo": undo,
    }})
}

fn undo(look: Option<&str>) -> Value {
    let look = look.map(|path| json!({"path": path, "status": 404}));
    json!({"call": {"method": "DELETE", "path": "/undo", "expect": [204]}, "look": look})
}

fn scale(lever: Value, from: u32, to: u32, wanted: Option<u32>) -> Value {
    json!({"scale": {"lever": lever, "from": from, "to": to, "wanted": wanted}})
}

fn patch(place: Value, edits: Value) -> Value {
    json!({"patch": {"place": place, "edits": edits}})
}

fn pod(key: &str) -> Value {
    json!({key: {"controller": "ReplicaSet web-5d8f", "localStorage": "refuse"}})
}

fn job(template: Value, parameters: Value) -> Value {
    json!({"runJob": {"template": template, "parameters": parameters, "within": "10m"}})
}

fn evidence() -> Value {
    json!({"collectEvidence": {"queries": [], "over": "30m", "logLines": 100, "maxKib": 64, "required": false}})
}

const ROLLBACK: &str =
    r#"{"rollback": {"generation": 7, "from": 12, "to": 10, "replicaSet": "web-1", "replicaSetUid": "u"}}"#;

fn rollback() -> Value {
    serde_json::from_str(ROLLBACK).expect("plain data")
}

/// Each with how it reads, and how its inverse does.
fn changes() -> Vec<(Value, &'static str, Option<&'static str>)> {
    let hpa = json!({"minReplicas": {"hpa": "web", "uid": "u"}});
    let app = json!({"gate": "argoCd", "namespace": "argo", "name": "web"});
    let release = json!({"gate": "helmRelease", "namespace": "flux", "name": "db"});
    let two = [entry("203.0.113.7", "1h", 1), entry("203.0.113.8", "2h", 2)];
    let four = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"].map(|range| entry(range, "1h", 0));
    let three = &four[..3];
    let edits = json!({"a": {"from": "1", "to": "2"}, "b": {"from": null, "to": "x"}});
    let container = json!({"resources": {"container": "web"}});
    vec![
        (scale(json!("replicas"), 2, 4, None), "scale 2 -> 4", Some("scale 4 -> 2")),
        (
            scale(hpa, 2, 4, Some(9)),
            "scale minReplicas of HPA web 2 -> 4, short of 9",
            Some("scale minReplicas of HPA web 4 -> 2"),
        ),
        (json!({"restart": {"generation": 3}}), "restart", None),
        (
            json!({"resetBreaker": {"breaker": "db", "endpoints": ["http://a", "http://b"]}}),
            "reset breaker db on 2 endpoints",
            None,
        ),
        (
            freeze("freeze", &[app.clone(), release], &[]),
            "freeze deploys in prod, stage for 2h, AppProject argo/web, HelmRelease flux/db",
            Some("thaw deploys in prod, stage, AppProject argo/web, HelmRelease flux/db"),
        ),
        (freeze("thaw", &[app], &[]), "thaw deploys in prod, stage, AppProject argo/web", None),
        (
            block(&two),
            "block 203.0.113.7 for 1h, 203.0.113.8 for 2h (time 2)",
            Some("unblock 203.0.113.7, 203.0.113.8"),
        ),
        (
            block(&four),
            "block 10.0.0.1 for 1h, 10.0.0.2 for 1h, 10.0.0.3 for 1h and 1 more",
            Some("unblock 10.0.0.1, 10.0.0.2, 10.0.0.3 and 1 more"),
        ),
        (unblock(three, &[], None), "unblock 10.0.0.1, 10.0.0.2, 10.0.0.3", None),
        (
            patch(container, edits.clone()),
            "patch a of container web 1 -> 2, b of container web - -> x",
            Some("patch a of container web 2 -> 1, b of container web x -> -"),
        ),
        (
            patch(json!("rateLimit"), edits.clone()),
            "patch annotation a 1 -> 2, annotation b - -> x",
            Some("patch annotation a 2 -> 1, annotation b x -> -"),
        ),
        (
            patch(json!("annotation"), edits.clone()),
            "patch annotation a 1 -> 2, annotation b - -> x",
            Some("patch annotation a 2 -> 1, annotation b x -> -"),
        ),
        (
            patch(json!("selector"), edits.clone()),
            "patch selector a 1 -> 2, selector b - -> x",
            Some("patch selector a 2 -> 1, selector b x -> -"),
        ),
        (
            patch(json!("data"), edits),
            "patch key a 1 -> 2, key b - -> x",
            Some("patch key a 2 -> 1, key b x -> -"),
        ),
        (rollback(), "roll back revision 12 to 10", None),
        (call("/a", None, None), "PATCH /a of endpoint dlq", None),
        (
            call("/a", Some("/l"), Some(undo(Some("/gone")))),
            "PATCH /a of endpoint dlq",
            Some("DELETE /undo of endpoint dlq"),
        ),
        (
            json!({"abortRollout": {"from": "6c9", "to": "5d8"}}),
            "abort the rollout of 6c9, back to 5d8",
            None,
        ),
        (job(Value::Null, json!({})), "run a Job of its template within 10m", None),
        (
            job(json!({"image": "drill:1", "command": [], "args": []}), json!({"A": "1", "B": "2"})),
            "run a Job of drill:1 with A=1, B=2 within 10m",
            None,
        ),
        (
            json!({"renewCertificate": {"revision": 3, "notAfter": "2026-12-01T00:00:00Z"}}),
            "renew revision 3 that ends 2026-12-01T00:00:00Z",
            None,
        ),
        (json!({"renewCertificate": {"revision": 0}}), "renew revision 0 that ends -", None),
        (
            quarantine("isolate", false, false, &["web-0", "web-1"]),
            "quarantine web-0, web-1 for 1d",
            Some("release web-0, web-1 from quarantine"),
        ),
        (
            quarantine("isolate", true, false, &["web-0"]),
            "quarantine and detach web-0 for 1d, then ask a person",
            Some("release web-0 from quarantine"),
        ),
        (
            quarantine("isolate", true, true, &["web-0"]),
            "quarantine and detach web-0 for 1d",
            Some("release web-0 from quarantine"),
        ),
        (quarantine("release", false, false, &[]), "end a quarantine that holds nobody any more", None),
        (pod("evictPod"), "evict a pod of ReplicaSet web-5d8f", None),
        (pod("deletePod"), "delete a pod of ReplicaSet web-5d8f", None),
        (drain("drain", &["dev", "prod"]), "cordon it and evict 2 pods of dev, prod", Some("uncordon it")),
        (drain("drain", &[]), "cordon it and evict 0 pods", Some("uncordon it")),
        (drain("uncordon", &["dev"]), "uncordon it", None),
        (evidence(), "collect evidence", None),
    ]
}

#[test]
fn a_change_and_what_takes_it_back_are_said_in_words() {
    let changes = changes();
    for key in KEYS {
        assert!(changes.iter().any(|(recorded, ..)| recorded.get(key).is_some()), "{key} is not here");
    }
    for (recorded, said, back) in changes {
        let it = action(recorded.clone());
        assert_eq!(it.to_string(), said);
        assert_eq!(it.inverse().map(|back| back.to_string()).as_deref(), back, "{said}");
        assert!(recorded.get(it.name()).is_some(), "{said} is called {}", it.name());
        assert_eq!(action(serde_json::to_value(&it).expect("plain data")), it, "{said}, read again");
    }
}

#[test]
fn what_cannot_take_a_replica_away_says_why() {
    let nothing = ["restart", "rollback", "abortRollout", "evictPod", "deletePod", "quarantine", "scale"];
    for (recorded, said, _) in changes() {
        let it = action(recorded);
        let why = it.spares_replicas();
        let wanted = match &it {
            Action::ResetBreaker(_) => Some("a breaker reset takes no replica away"),
            Action::FreezeDeploys(_) => Some("a freeze takes no replica away"),
            Action::BlockIp(_) => Some("a block takes no replica away"),
            Action::Patch(_) if said.contains("container") => None,
            Action::Patch(_) => Some("this patch replaces no pod"),
            Action::Http(_) => Some("a call to a declared endpoint takes no replica of the cluster away"),
            Action::RunJob(_) => Some("a Job takes no replica away"),
            Action::RenewCertificate(_) => Some("a renewal takes no replica away"),
            Action::DrainNode(_) if said.starts_with("cordon") => None,
            Action::DrainNode(_) => Some("an uncordon takes no replica away"),
            Action::CollectEvidence(_) => Some("collecting evidence changes nothing"),
            other => {
                assert!(nothing.contains(&other.name()), "{said}");
                None
            }
        };
        assert_eq!(why, wanted, "{said}");
    }
}

#[test]
fn only_evidence_is_nothing_but_a_look() {
    for (recorded, said, _) in changes() {
        assert_eq!(action(recorded).looks_only(), said == "collect evidence", "{said}");
    }
}

#[test]
fn how_long_it_takes_and_lasts_and_what_ends_it() {
    let told = |recorded: Value| {
        let it = action(recorded);
        let span = |span: Option<crate::time::Span>| span.map_or("-".to_owned(), |span| span.to_string());
        format!(
            "takes {}, lasts {}, ends by itself: {}",
            span(it.takes()),
            span(it.lasts()),
            it.ends_by_itself()
        )
    };
    let two = [entry("203.0.113.7", "2h", 2), entry("203.0.113.8", "1h", 1)];
    for (recorded, says) in [
        (evidence(), "takes 1m, lasts -, ends by itself: false"),
        (job(Value::Null, json!({})), "takes 10m, lasts -, ends by itself: false"),
        (drain("drain", &["prod"]), "takes 15m, lasts -, ends by itself: false"),
        (drain("uncordon", &["prod"]), "takes -, lasts -, ends by itself: false"),
        (freeze("freeze", &[], &[]), "takes -, lasts 2h, ends by itself: true"),
        (freeze("thaw", &[], &[]), "takes -, lasts -, ends by itself: true"),
        (block(&two), "takes -, lasts 1h, ends by itself: true"),
        (unblock(&two, &[], None), "takes -, lasts -, ends by itself: true"),
        (quarantine("isolate", false, false, &["a"]), "takes -, lasts -, ends by itself: false"),
        (rollback(), "takes -, lasts -, ends by itself: false"),
    ] {
        assert_eq!(told(recorded.clone()), says, "{recorded}");
    }
}

#[test]
fn the_namespaces_that_it_reaches_are_told() {
    let of = |recorded: Value| action(recorded).namespaces().to_vec();
    assert_eq!(of(freeze("freeze", &[], &[])), ["prod", "stage"]);
    assert_eq!(of(freeze("thaw", &[], &["argo", "prod", "stage"])), ["argo", "prod", "stage"]);
    assert_eq!(of(drain("drain", &["dev", "prod"])), ["dev", "prod"]);
    assert_eq!(of(drain("uncordon", &["dev", "prod"])), [""; 0], "an uncordon touches no pod");
    assert_eq!(of(rollback()), [""; 0]);
}

#[test]
fn only_a_call_that_can_be_looked_for_can_be_seen() {
    for (look, back, seen) in [
        (Some("/l"), Some(undo(Some("/gone"))), true),
        (Some("/l"), Some(undo(None)), true),
        (Some("/l"), None, true),
        (None, Some(undo(Some("/gone"))), true),
        (None, Some(undo(None)), false),
        (None, None, false),
    ] {
        assert_eq!(action(call("/a", look, back.clone())).can_be_seen(), seen, "{look:?} {back:?}");
    }
    assert!(action(rollback()).can_be_seen());
}

#[test]
fn what_takes_a_call_back_is_the_call_that_was_declared_for_it_and_final() {
    let back = action(call("/a", Some("/l"), Some(undo(Some("/gone"))))).inverse().expect("one is declared");
    let mut wanted = call("/undo", None, None);
    wanted["http"]["call"] = json!({"method": "DELETE", "path": "/undo", "expect": [204]});
    wanted["http"]["look"] = json!({"path": "/gone", "status": 404});
    assert_eq!(back, action(wanted));
    assert_eq!(back.inverse(), None);
}

#[test]
fn detached_pods_are_let_go_by_a_person_alone() {
    let order = |verb: &str, detach: bool, rejoin: bool| {
        action(quarantine(verb, detach, rejoin, &["web-0"])).ends_by_order_alone()
    };
    let why = "its pods would serve again. Look at them, then delete them, or let them go by";
    assert_eq!(order("isolate", true, false), Some(why));
    assert_eq!(order("isolate", true, true), None);
    assert_eq!(order("isolate", false, false), None);
    assert_eq!(order("release", true, false), None);
    assert_eq!(action(rollback()).ends_by_order_alone(), None);
}

#[test]
fn two_scalings_of_one_field_are_one() {
    let (first, second) =
        (action(scale(json!("replicas"), 2, 4, None)), action(scale(json!("replicas"), 4, 7, Some(9))));
    assert_eq!(
        second.after(&first).map(|both| both.to_string()).as_deref(),
        Some("scale 2 -> 7, short of 9")
    );
    let hpa = action(scale(json!({"minReplicas": {"hpa": "web", "uid": "u"}}), 4, 7, None));
    assert_eq!(hpa.after(&first), None, "another field");
    assert_eq!(action(rollback()).after(&first), None, "another remediation");
}

/// These are made of objects of their own, or cannot be taken back: no two are one.
#[test]
fn what_has_an_end_of_its_own_is_never_joined() {
    for (recorded, said, _) in changes() {
        let it = action(recorded);
        match it {
            Action::Scale(_) | Action::Patch(_) => assert!(it.after(&it).is_some(), "{said}"),
            _ => assert_eq!(it.after(&it), None, "{said}"),
        }
    }
}

fn ranges(named: &[&str]) -> Vec<AddressRange> {
    named.iter().map(|range| range.parse().expect("a range")).collect()
}

#[test]
fn a_part_of_a_block_is_taken_back_and_the_rest_stays() {
    let two = [entry("203.0.113.7", "1h", 1), entry("203.0.113.8", "2h", 1)];
    let whole = action(block(&two));
    let part = whole.part(&ranges(&["203.0.113.7", "203.0.113.9"])).expect("one of two");
    assert_eq!(part.to_string(), "block 203.0.113.7 for 1h");
    assert_eq!(whole.part(&ranges(&["203.0.113.7", "203.0.113.8"])), None, "all of it");
    assert_eq!(whole.part(&ranges(&["203.0.113.9"])), None, "none of it");
    assert_eq!(action(unblock(&two, &[], None)).part(&ranges(&["203.0.113.7"])), None);
    assert_eq!(action(rollback()).part(&ranges(&["203.0.113.7"])), None);

    let due: Moment = "2026-11-22T09:00:00Z".parse().expect("a time");
    let back = part.inverse().expect("it ends").leaving(&whole, due);
    let (rest, again) = back.rest().expect("one stays");
    assert_eq!((rest.to_string(), again), ("block 203.0.113.8 for 2h".to_owned(), due));
    let all = whole.inverse().expect("it ends").leaving(&whole, due);
    assert_eq!((all.rest(), Some(all)), (None, whole.inverse()), "nothing stays");
    assert_eq!(whole.rest(), None);
    let odd = action(unblock(&two, &[], Some("2026-11-22T09:00:00Z")));
    assert_eq!(odd.rest(), None, "what is nothing is not taken back");
    assert_eq!(whole.leaving(&whole, due), whole, "no end of a block");
    let scaled = action(scale(json!("replicas"), 2, 4, None));
    assert_eq!(scaled.leaving(&whole, due), scaled, "no block");
}

#[test]
fn the_limits_of_an_ingress_have_the_names_that_ingress_nginx_knows() {
    use crate::remediation::patch::Limited;
    for (limited, annotation, status) in [
        (Limited::LimitRps, "nginx.ingress.kubernetes.io/limit-rps", "limit-req-status-code"),
        (Limited::LimitRpm, "nginx.ingress.kubernetes.io/limit-rpm", "limit-req-status-code"),
        (
            Limited::LimitConnections,
            "nginx.ingress.kubernetes.io/limit-connections",
            "limit-conn-status-code",
        ),
    ] {
        assert_eq!((limited.annotation().as_str(), limited.status_key()), (annotation, status));
    }
}

#[test]
fn a_freeze_touches_what_it_reaches_and_what_it_freezes() {
    use crate::remediation::freeze_deploys::{Freeze, Wish};
    let wish = |reach: Value| -> Wish {
        serde_json::from_value(
            json!({"namespaces": ["prod", "stage"], "for": "1h", "breakGlass": "leads", "reach": reach}),
        )
        .expect("plain data")
    };
    let app = |namespace: &str| json!({"gate": "argoCd", "namespace": namespace, "name": "web"});
    let touches = |reach| Freeze::new(wish(reach), "me".to_owned()).touches;
    assert_eq!(touches(json!([])), [""; 0]);
    assert_eq!(touches(json!([app("argo"), app("prod"), app("argo")])), ["argo", "prod", "stage"]);
}
