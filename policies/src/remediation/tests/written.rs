//! Each remediation as it is written: what it is in force as, what it uses, on what it can act, and what kind of thing
//! it is.

use serde_json::{Value, json};

use super::{good, read};
use crate::remediation::KEYS;
use crate::time::Span;

/// Every kind of target that any remediation speaks of.
const ALL: [&str; 14] = [
    "Certificate.cert-manager.io",
    "ConfigMap",
    "CronJob",
    "CronJob.batch",
    "DaemonSet",
    "Deployment",
    "Ingress.networking.k8s.io",
    "Namespace",
    "Node",
    "Pod",
    "Rollout.argoproj.io",
    "Service",
    "StatefulSet",
    "workload",
];

const SCALED: [&str; 11] = [
    "Certificate.cert-manager.io",
    "ConfigMap",
    "CronJob",
    "CronJob.batch",
    "Deployment",
    "Ingress.networking.k8s.io",
    "Namespace",
    "Pod",
    "Rollout.argoproj.io",
    "StatefulSet",
    "workload",
];
const ROLLED: [&str; 5] = ["DaemonSet", "Deployment", "Rollout.argoproj.io", "StatefulSet", "workload"];
const WORKLOADS: [&str; 4] = ["DaemonSet", "Deployment", "StatefulSet", "workload"];
const FROZEN: [&str; 5] = ["DaemonSet", "Deployment", "Namespace", "StatefulSet", "workload"];
const BESIDE: [&str; 6] = ["ConfigMap", "DaemonSet", "Deployment", "Service", "StatefulSet", "workload"];
const SWITCHED: [&str; 7] = [
    "ConfigMap",
    "DaemonSet",
    "Deployment",
    "Ingress.networking.k8s.io",
    "Service",
    "StatefulSet",
    "workload",
];
const LOOKED_AT: [&str; 11] = [
    "ConfigMap",
    "CronJob",
    "CronJob.batch",
    "DaemonSet",
    "Deployment",
    "Ingress.networking.k8s.io",
    "Pod",
    "Rollout.argoproj.io",
    "Service",
    "StatefulSet",
    "workload",
];

/// As somebody writes it, and as it is in force with every default.
fn forms() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        (
            "scale",
            "{by: 2, max: 10, min: 1, maxStep: 4}",
            json!({"by": 2, "max": 10, "min": 1, "maxStep": 4, "allowDown": false}),
        ),
        ("scale", "{to: 3, allowDown: true}", json!({"to": 3, "allowDown": true})),
        ("scale", "{atLeast: 6}", json!({"atLeast": 6, "allowDown": false})),
        ("restart", "{}", json!({})),
        ("resetBreaker", "{breaker: db, port: 8080}", json!({"breaker": "db", "port": "8080"})),
        ("resetBreaker", "{breaker: db, port: http}", json!({"breaker": "db", "port": "http"})),
        (
            "resetBreaker",
            "{breaker: db, endpoints: ['http://a:1/']}",
            json!({"breaker": "db", "endpoints": ["http://a:1"]}),
        ),
        ("freezeDeploys", "{for: 2h}", json!({"for": "2h", "breakGlass": "paramedic:break-glass"})),
        (
            "freezeDeploys",
            "{for: 2h, namespaces: [prod, '{{ labels.ns }}'], reason: fire, breakGlass: leads, \
             argoCd: [{namespace: argocd, project: web}], \
             flux: [{kind: HelmRelease, namespace: flux, name: web}, {kind: Kustomization, namespace: flux, name: db}]}",
            json!({
                "for": "2h",
                "breakGlass": "leads",
                "namespaces": ["prod", "{{ labels.ns }}"],
                "reason": "fire",
                "argoCd": [{"namespace": "argocd", "project": "web"}],
                "flux": [
                    {"kind": "HelmRelease", "namespace": "flux", "name": "web"},
                    {"kind": "Kustomization", "namespace": "flux", "name": "db"},
                ],
            }),
        ),
        (
            "freezeDeploys",
            "{for: '{{ labels.for }}', namespaces: '{{ labels.all }}'}",
            json!({"for": "{{ labels.for }}", "breakGlass": "paramedic:break-glass", "namespaces": "{{ labels.all }}"}),
        ),
        (
            "blockIp",
            "{by: networkPolicy, clientAddress: peer, for: 1h, address: 203.0.113.7}",
            json!({
                "by": "networkPolicy", "clientAddress": "peer", "for": "1h", "address": "203.0.113.7", "private": false,
                "ipv4Bits": 32, "ipv6Bits": 64, "entries": 100, "enforced": false,
            }),
        ),
        (
            "blockIp",
            "{by: ingressNginx, clientAddress: forwarded, for: 1h, query: up, label: ip, allow: [10.0.0.0/8], \
             growth: {factor: 4, upTo: 7d}}",
            json!({
                "by": "ingressNginx", "clientAddress": "forwarded", "for": "1h", "query": "up", "label": "ip", "max": 10,
                "private": false, "ipv4Bits": 32, "ipv6Bits": 64, "entries": 100, "allow": ["10.0.0.0/8"],
                "controller": "ingress-nginx/ingress-nginx-controller",
                "growth": {"factor": 4, "upTo": "7d", "within": "7d"},
            }),
        ),
        (
            "patch",
            "{resources: {container: web, limits: {cpu: {times: 1.5, max: '2'}, memory: {atLeast: 8Gi}}, \
             requests: {cpu: {atLeast: 500m}, memory: {times: 3, max: 1Gi}}}}",
            json!({"resources": {
                "container": "web",
                "limits": {"cpu": {"times": 1.5, "max": "2"}, "memory": {"atLeast": "8Gi"}},
                "requests": {"cpu": {"atLeast": "500m"}, "memory": {"times": 3.0, "max": "1Gi"}},
            }}),
        ),
        (
            "patch",
            "{rateLimit: {atMost: 5, paths: [/login]}, for: 30m}",
            json!({
                "rateLimit": {
                    "annotation": "limit-rps", "atMost": 5, "paths": ["/login"],
                    "controller": "ingress-nginx/ingress-nginx-controller",
                },
                "for": "30m",
            }),
        ),
        (
            "patch",
            "{selector: {label: color, to: green}}",
            json!({"selector": {"label": "color", "to": "green", "ready": 1}}),
        ),
        ("patch", "{switch: {key: m, to: \"on\"}}", json!({"switch": {"key": "m", "to": "on"}})),
        (
            "patch",
            "{switch: {annotation: example.com/m, to: \"on\"}, for: 1m}",
            json!({"switch": {"annotation": "example.com/m", "to": "on"}, "for": "1m"}),
        ),
        (
            "rollback",
            "{healthy: {query: up, is: '< 0.01'}}",
            json!({"healthy": {"query": "up", "is": "< 0.01", "for": "10m"}, "helm": "refuse"}),
        ),
        (
            "rollback",
            "{healthy: {query: up, is: '< 0.01', for: 1s}, deployedWithin: 1s, helm: allow}",
            json!({"healthy": {"query": "up", "is": "< 0.01", "for": "1s"}, "helm": "allow", "deployedWithin": "1s"}),
        ),
        (
            "http",
            "{endpoint: dlq, path: /a}",
            json!({
                "endpoint": "dlq", "path": "/a", "method": "POST", "expect": [200, 201, 202, 204], "idempotent": false,
                "idempotencyKey": "Idempotency-Key", "timeout": "10s",
            }),
        ),
        (
            "http",
            "{endpoint: dlq, path: /a, method: PUT, query: {q: x}, idempotent: true, idempotencyKey: X-Id, timeout: 1s, \
             body: {a/b: {c~d: ['{{ labels.n }}', {e: '{{ labels.m }}'}, 1, x]}}, numbers: [/a~1b/c~0d/0, /a~1b/c~0d/1/e], \
             expect: [200], already: [409], look: {path: /l, query: {q: y}, status: 204, field: /s, is: true, absent: done}, \
             undo: {path: /u, method: DELETE, look: {path: /v, absent: notDone}}}",
            json!({
                "endpoint": "dlq", "path": "/a", "method": "PUT", "query": {"q": "x"}, "expect": [200], "already": [409],
                "idempotent": true, "idempotencyKey": "X-Id", "timeout": "1s",
                "body": {"a/b": {"c~d": ["{{ labels.n }}", {"e": "{{ labels.m }}"}, 1, "x"]}},
                "numbers": ["/a~1b/c~0d/0", "/a~1b/c~0d/1/e"],
                "look": {"path": "/l", "query": {"q": "y"}, "status": 204, "field": "/s", "is": true, "absent": "done"},
                "undo": {
                    "path": "/u", "method": "DELETE", "expect": [200, 201, 202, 204],
                    "look": {"path": "/v", "status": 200, "absent": "notDone"},
                },
            }),
        ),
        ("abortRollout", "{}", json!({})),
        ("runJob", "{}", json!({"within": "10m"})),
        (
            "runJob",
            "{template: {image: drill:1, command: [/drill], args: [$(ID)], serviceAccount: drill, secret: keys}, \
             parameters: {ID: '{{ labels.id }}'}, container: drill, within: 2h, namespaces: [prod]}",
            json!({
                "template": {
                    "image": "drill:1", "command": ["/drill"], "args": ["$(ID)"], "serviceAccount": "drill",
                    "secret": "keys",
                },
                "parameters": {"ID": "{{ labels.id }}"}, "container": "drill", "within": "2h", "namespaces": ["prod"],
            }),
        ),
        ("renewCertificate", "{}", json!({})),
        (
            "quarantine",
            "{for: 1d}",
            json!({"for": "1d", "detach": false, "rejoin": false, "dns": false, "max": 5, "enforced": false}),
        ),
        (
            "quarantine",
            "{for: 1d, detach: true, rejoin: true, dns: true, max: 2, enforced: true}",
            json!({"for": "1d", "detach": true, "rejoin": true, "dns": true, "max": 2, "enforced": true}),
        ),
        ("evictPod", "{}", json!({"localStorage": "refuse"})),
        ("deletePod", "{localStorage: allow}", json!({"localStorage": "allow"})),
        ("drainNode", "{}", json!({"maxNodes": 1, "localStorage": "refuse", "within": "10m"})),
        ("collectEvidence", "{}", json!({"over": "30m", "logLines": 100, "maxKib": 64, "required": false})),
        (
            "collectEvidence",
            "{queries: [up], over: 1m, logLines: 0, maxKib: 4, required: true}",
            json!({"queries": ["up"], "over": "1m", "logLines": 0, "maxKib": 4, "required": true}),
        ),
    ]
}

#[test]
fn what_it_is_in_force_as_has_every_default_and_reads_again_to_the_same() {
    let forms = forms();
    for key in KEYS {
        assert!(forms.iter().any(|(of, ..)| of == key), "{key} is not here");
    }
    for (key, text, document) in forms {
        let shown = good(key, text).document();
        assert_eq!(shown, document, "{key}: {text}");
        assert_eq!(good(key, &shown.to_string()).document(), document, "{key}: {text}, again");
    }
}

#[test]
fn every_template_and_every_query_of_it_is_known() {
    let of: &[(&str, &str, &[&str], &[&str])] = &[
        ("scale", "{to: 3}", &[], &[]),
        ("restart", "{}", &[], &[]),
        ("resetBreaker", "{breaker: '{{ labels.b }}', port: http}", &["{{ labels.b }}"], &[]),
        (
            "freezeDeploys",
            "{for: '{{ labels.for }}', namespaces: [prod, '{{ labels.ns }}'], reason: '{{ labels.why }}', \
             argoCd: [{namespace: '{{ labels.a }}', project: '{{ labels.b }}'}]}",
            &[
                "prod",
                "{{ labels.ns }}",
                "{{ labels.why }}",
                "{{ labels.for }}",
                "{{ labels.a }}",
                "{{ labels.b }}",
            ],
            &[],
        ),
        ("freezeDeploys", "{for: 1h, namespaces: '{{ labels.all }}'}", &["{{ labels.all }}"], &[]),
        (
            "blockIp",
            "{by: networkPolicy, clientAddress: peer, for: '{{ labels.for }}', address: '{{ labels.ip }}', \
             allow: ['{{ labels.ours }}']}",
            &["{{ labels.ip }}", "{{ labels.ours }}", "{{ labels.for }}"],
            &[],
        ),
        (
            "blockIp",
            "{by: networkPolicy, clientAddress: peer, for: 1h, query: up, label: ip}",
            &["up"],
            &["up"],
        ),
        (
            "patch",
            "{resources: {container: '{{ labels.c }}', limits: {cpu: {atLeast: '1'}}}}",
            &["{{ labels.c }}"],
            &[],
        ),
        ("patch", "{selector: {label: color, to: '{{ labels.to }}'}}", &["{{ labels.to }}"], &[]),
        ("patch", "{switch: {key: m, to: \"on\"}}", &[], &[]),
        ("rollback", "{healthy: {query: up, is: '< 1'}}", &["up"], &["up"]),
        (
            "http",
            "{endpoint: dlq, path: '/{{ labels.a }}', query: {q: '{{ labels.b }}'}, body: {c: ['{{ labels.c }}']}, \
             look: {path: '/{{ labels.d }}', field: /s, is: '{{ labels.e }}'}, \
             undo: {path: '/{{ labels.f }}', look: {path: '/{{ labels.g }}'}}}",
            &[
                "/{{ labels.a }}",
                "{{ labels.b }}",
                "{{ labels.c }}",
                "/{{ labels.d }}",
                "{{ labels.e }}",
                "/{{ labels.f }}",
                "/{{ labels.g }}",
            ],
            &[],
        ),
        ("abortRollout", "{}", &[], &[]),
        (
            "runJob",
            "{template: {image: '{{ vars.image }}'}, parameters: {A: '{{ labels.a }}'}}",
            &["{{ vars.image }}", "{{ labels.a }}"],
            &[],
        ),
        ("renewCertificate", "{}", &[], &[]),
        ("quarantine", "{for: 1h}", &[], &[]),
        ("evictPod", "{}", &[], &[]),
        ("deletePod", "{}", &[], &[]),
        ("drainNode", "{}", &[], &[]),
        ("collectEvidence", "{queries: [up, down]}", &["up", "down"], &[]),
    ];
    for (key, text, templates, queries) in of {
        let remediation = good(key, text);
        let used: Vec<&str> = remediation.templates().iter().map(|one| one.source.as_str()).collect();
        assert_eq!(used, *templates, "{key}: {text}");
        let asked: Vec<&str> =
            remediation.queries().iter().map(|query| query.template.source.as_str()).collect();
        assert_eq!(asked, *queries, "{key}: {text}");
    }
}

#[test]
fn it_fits_the_kinds_on_which_it_can_act_and_no_other() {
    let of: &[(&str, &str, &[&str])] = &[
        ("scale", "{to: 3}", &SCALED),
        ("restart", "{}", &ROLLED),
        ("resetBreaker", "{breaker: b, port: http}", &["Service"]),
        ("resetBreaker", "{breaker: b, endpoints: ['http://a']}", &ALL),
        ("freezeDeploys", "{for: 1h}", &FROZEN),
        ("blockIp", "{by: networkPolicy, clientAddress: peer, for: 1h, address: 203.0.113.7}", &WORKLOADS),
        (
            "blockIp",
            "{by: ingressNginx, clientAddress: forwarded, for: 1h, address: 203.0.113.7}",
            &["Ingress.networking.k8s.io"],
        ),
        (
            "patch",
            "{resources: {container: web, limits: {cpu: {atLeast: '1'}}}}",
            &["Deployment", "StatefulSet", "workload"],
        ),
        ("patch", "{rateLimit: {atMost: 5, paths: [/]}, for: 30m}", &["Ingress.networking.k8s.io"]),
        ("patch", "{selector: {label: color, to: green}}", &["Service"]),
        ("patch", "{switch: {key: m, to: \"on\"}}", &["ConfigMap"]),
        ("patch", "{switch: {annotation: m, to: \"on\"}}", &SWITCHED),
        ("rollback", "{healthy: {query: up, is: '< 1'}}", &["Deployment", "Rollout.argoproj.io", "workload"]),
        ("http", "{endpoint: dlq, path: /a}", &ALL),
        ("abortRollout", "{}", &["Rollout.argoproj.io", "workload"]),
        ("runJob", "{}", &["CronJob.batch"]),
        ("runJob", "{template: {image: drill}}", &BESIDE),
        ("renewCertificate", "{}", &["Certificate.cert-manager.io"]),
        ("quarantine", "{for: 1h}", &["DaemonSet", "Deployment", "Pod", "StatefulSet", "workload"]),
        ("evictPod", "{}", &["Pod"]),
        ("deletePod", "{}", &["Pod"]),
        ("drainNode", "{}", &["Node"]),
        ("collectEvidence", "{}", &LOOKED_AT),
    ];
    for key in KEYS {
        assert!(of.iter().any(|(of, ..)| of == key), "{key} is not here");
    }
    for (key, text, fits) in of {
        let remediation = good(key, text);
        let found: Vec<&str> = ALL.into_iter().filter(|kind| remediation.misfit(kind).is_none()).collect();
        assert_eq!(found, *fits, "{key}: {text}");
        for wanted in ALL.iter().filter_map(|kind| remediation.misfit(kind)) {
            assert!(wanted.len() > 3 && wanted.starts_with('a'), "{key} wants {wanted:?}");
        }
    }
}

/// What is true of it, one word each.
fn traits(key: &str, text: &str) -> String {
    let it = good(key, text);
    let all = [
        ("revertible", it.is_revertible()),
        ("looks", it.looks_only()),
        ("proves", it.proves_itself()),
        ("ends", it.lasts_by_itself()),
    ];
    let mut words: Vec<String> =
        all.iter().filter(|(_, is)| *is).map(|(word, _)| (*word).to_owned()).collect();
    words.extend(it.lasts().map(|lasts: Span| lasts.to_string()));
    words.join(" ")
}

#[test]
fn what_kind_of_thing_it_is() {
    let of: &[(&str, &str, &str)] = &[
        ("scale", "{to: 3}", "revertible"),
        ("restart", "{}", ""),
        ("resetBreaker", "{breaker: b, port: http}", ""),
        ("freezeDeploys", "{for: 1h}", "revertible proves ends 1h"),
        ("freezeDeploys", "{for: '{{ labels.for }}'}", "revertible proves ends"),
        (
            "blockIp",
            "{by: networkPolicy, clientAddress: peer, for: 1h, address: 203.0.113.7}",
            "revertible ends 1h",
        ),
        (
            "blockIp",
            "{by: networkPolicy, clientAddress: peer, for: '{{ labels.for }}', address: 203.0.113.7}",
            "revertible ends",
        ),
        ("patch", "{selector: {label: color, to: green}}", "revertible"),
        ("patch", "{selector: {label: color, to: green}, for: 2h}", "revertible ends 2h"),
        ("rollback", "{healthy: {query: up, is: '< 1'}}", ""),
        ("http", "{endpoint: dlq, path: /a}", ""),
        ("http", "{endpoint: dlq, path: /a, undo: {path: /b}}", "revertible"),
        ("abortRollout", "{}", ""),
        ("runJob", "{}", "proves"),
        ("renewCertificate", "{}", "proves"),
        ("quarantine", "{for: 1d}", "revertible ends 1d"),
        ("evictPod", "{}", ""),
        ("deletePod", "{}", ""),
        ("drainNode", "{}", "revertible"),
        ("collectEvidence", "{}", "looks proves"),
    ];
    for key in KEYS {
        assert!(of.iter().any(|(of, ..)| of == key), "{key} is not here");
    }
    for (key, text, is) in of {
        assert_eq!(traits(key, text), *is, "{key}: {text}");
    }
}

#[test]
fn a_key_that_is_no_remediation_is_none() {
    let mut walk = crate::load::fields::Walk::default();
    let parsed = crate::load::yaml::parse("{}");
    assert!(super::Remediation::read("explode", &mut walk, &parsed.documents[0]).is_none());
    assert!(read("restart", "{now: true}").is_err(), "and what it does not know is refused");
}
