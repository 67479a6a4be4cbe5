//! How far each value may go: the last that is read, and the first that is not.

use super::read;

/// Of these words so many, with commas between them.
fn times(count: usize, word: &str) -> String {
    vec![word; count].join(", ")
}

/// Each of these texts is read, and none of those.
fn check(key: &str, inside: &[String], outside: &[String]) {
    for text in inside {
        assert!(read(key, text).is_ok(), "{key}: {text}: {:?}", read(key, text).err());
    }
    for text in outside {
        let problems = read(key, text).err().unwrap_or_else(|| panic!("{key}: {text} is read"));
        assert_eq!(problems.len(), 1, "{key}: {text}: {problems:?}");
    }
}

/// Each value in this text, in place of `_`.
fn each(text: &str, values: &[&str]) -> Vec<String> {
    values.iter().map(|value| text.replace('_', value)).collect()
}

fn bound(key: &str, text: &str, inside: &[&str], outside: &[&str]) {
    check(key, &each(text, inside), &each(text, outside));
}

#[test]
fn of_a_scale() {
    bound("scale", "{to: _}", &["0", "10000"], &["-1", "10001", "\"3\""]);
    bound("scale", "{atLeast: _}", &["0", "10000"], &["10001"]);
    bound("scale", "{by: _, max: 10}", &["1", "10000"], &["0", "10001", "-1"]);
    bound("scale", "{by: _, min: 2, allowDown: true}", &["-1", "-10000"], &["0", "-10001", "1"]);
    bound("scale", "{by: _}", &[], &["1", "-1", "0"]);
    bound(
        "scale",
        "{by: -1, _}",
        &["min: 1, allowDown: true"],
        &["min: 1", "allowDown: true", "min: 1, max: 9"],
    );
    bound("scale", "{by: 1, max: _}", &["1", "10000"], &["0", "10001"]);
    bound("scale", "{by: 1, max: 10, min: _}", &["0", "10"], &["11", "-1"]);
    bound("scale", "{by: 1, max: 10, maxStep: _}", &["1", "10000"], &["0", "10001"]);
    bound("scale", "{to: _, min: 2, max: 4}", &["2", "4"], &["1", "5"]);
    bound("scale", "{to: _, min: 2}", &["2", "5"], &["1"]);
    bound("scale", "{atLeast: _, max: 4}", &["1", "4"], &["5"]);
    bound("scale", "{_}", &["to: 1"], &["", "to: 1, by: 1", "by: 1, max: 3, atLeast: 1"]);
}

#[test]
fn of_a_breaker() {
    bound("resetBreaker", "{breaker: b, port: _}", &["1", "65535", "http"], &["0", "65536", "true"]);
    bound("resetBreaker", "{breaker: b, endpoints: _}", &["['http://a']"], &["[]", "[a]"]);
    bound("resetBreaker", "{breaker: b, _}", &["port: http"], &["", "port: http, endpoints: ['http://a']"]);
    bound("resetBreaker", "{breaker: _, port: http}", &["b", "'{{ labels.b }}'"], &["a/b", "'..'"]);
}

#[test]
fn of_a_freeze() {
    bound("freezeDeploys", "{for: _}", &["1m", "7d", "'{{ labels.for }}'"], &["59s", "7d 1s", "0s"]);
    bound("freezeDeploys", "{for: 1h, namespaces: _}", &["[a]", "'{{ labels.a }}'"], &["[]", "[A]", "a"]);
    let named = |count| format!("{{for: 1h, namespaces: [{}]}}", times(count, "a"));
    check("freezeDeploys", &[named(16)], &[named(17)]);
    let reason = |text: &str| format!("{{for: 1h, reason: \"{text}\"}}");
    check(
        "freezeDeploys",
        &[reason(&"é".repeat(200)), reason(&format!("{{{{ labels.a }}}}{}", "x".repeat(201)))],
        &[reason(&"é".repeat(201)), reason("two\\nlines")],
    );
    let argo = |count| format!("{{for: 1h, argoCd: [{}]}}", times(count, "{namespace: a, project: b}"));
    check("freezeDeploys", &[argo(1), argo(16)], &[argo(0), argo(17)]);
    let flux = |count| {
        format!("{{for: 1h, flux: [{}]}}", times(count, "{kind: HelmRelease, namespace: a, name: b}"))
    };
    check("freezeDeploys", &[flux(1), flux(16)], &[flux(0), flux(17)]);
    let argo = "{for: 1h, argoCd: [{_}]}";
    bound(
        "freezeDeploys",
        argo,
        &["namespace: a, project: b.c", "namespace: '{{ labels.a }}', project: '{{ labels.b }}'"],
        &["namespace: a.b, project: b", "namespace: a, project: B", "namespace: a", "project: b"],
    );
}

#[test]
fn of_a_block() {
    let block = |rest: &str| format!("{{by: networkPolicy, clientAddress: peer, {rest}}}");
    let of = |rest: &str, inside: &[&str], outside: &[&str]| bound("blockIp", &block(rest), inside, outside);
    of("address: 203.0.113.7, for: _", &["1m", "7d", "'{{ labels.for }}'"], &["59s", "7d 1s", "0s"]);
    let on = |rest: &str| format!("address: 203.0.113.7, for: 1h, {rest}");
    of(&on("ipv4Bits: _"), &["16", "32"], &["15", "33"]);
    of(&on("ipv6Bits: _"), &["32", "128"], &["31", "129"]);
    of(&on("entries: _"), &["1", "500"], &["0", "501"]);
    of(&on("growth: {factor: _, upTo: 1d}"), &["2", "100"], &["1", "101"]);
    of(&on("growth: {factor: 2, upTo: _}"), &["1h", "30d"], &["59m 59s", "30d 1s"]);
    of(&on("growth: {factor: 2, upTo: 1d, within: _}"), &["1m", "30d"], &["59s", "30d 1s"]);
    of(
        "address: 203.0.113.7, for: '{{ labels.for }}', growth: {factor: 2, upTo: _}",
        &["1m", "30d"],
        &["59s", "30d 1s"],
    );
    of("for: 1h, query: up, label: ip, max: _", &["1", "50"], &["0", "51"]);
    of(
        "for: 1h, _",
        &["query: up, label: ip", "address: 10.0.0.0/8", "address: '{{ labels.ip }}'"],
        &[
            "address: nobody",
            "address: 203.0.113.7, query: up",
            "address: 203.0.113.7, max: 3",
            "address: 203.0.113.7, label: ip",
            "query: up",
            "private: true",
        ],
    );
    of(&on("allow: [_]"), &["", "10.0.0.0/8", "'{{ labels.ours }}'"], &["ours"]);
    let allow = |count| block(&on(&format!("allow: [{}]", times(count, "10.0.0.0/8"))));
    check("blockIp", &[allow(100)], &[allow(101)]);
    of(&on("_"), &["enforced: true"], &["controller: a/b"]);
    let proxied = "{by: ingressNginx, clientAddress: forwarded, address: 203.0.113.7, for: 1h, _}";
    bound(
        "blockIp",
        proxied,
        &["", "controller: a/b.c"],
        &["enforced: true", "controller: ab", "controller: A/b", "controller: a.b/c", "controller: a/B"],
    );
    bound(
        "blockIp",
        "{_, address: 203.0.113.7, for: 1h}",
        &[],
        &["by: networkPolicy, clientAddress: forwarded", "by: ingressNginx, clientAddress: peer"],
    );
}

#[test]
fn of_a_patch() {
    let factor = "{resources: {container: web, limits: {cpu: {times: _, max: '2'}}}}";
    bound("patch", factor, &["1.001", "3"], &["1", "1.0", "3.001", "0", "'2'", "true"]);
    bound(
        "patch",
        "{resources: {container: web, limits: {memory: {_}}}}",
        &["times: 2, max: 1m", "atLeast: 1m"],
        &[
            "",
            "times: 2",
            "max: 1Gi",
            "times: 2, max: 1Gi, atLeast: 1Gi",
            "max: 1Gi, atLeast: 1Gi",
            "atLeast: '0'",
            "atLeast: many",
        ],
    );
    bound(
        "patch",
        "{resources: {_}}",
        &["container: '{{ labels.c }}', requests: {memory: {atLeast: 1Gi}}"],
        &["container: web", "container: Web, limits: {cpu: {atLeast: '1'}}", "limits: {cpu: {atLeast: '1'}}"],
    );
    let rate = "{rateLimit: {atMost: _, paths: [/]}, for: 1h}";
    bound("patch", rate, &["1", "1000000"], &["0", "1000001"]);
    let paths = |count| format!("{{rateLimit: {{atMost: 1, paths: [{}]}}, for: 1h}}", times(count, "/a"));
    check("patch", &[paths(1), paths(32)], &[paths(0), paths(33)]);
    bound(
        "patch",
        "{rateLimit: {atMost: 1, paths: [/], controller: _}, for: 1h}",
        &["a/b.c"],
        &["ab", "A/b", "a.b/c", "a/B"],
    );
    bound("patch", "{rateLimit: {atMost: 1, paths: [_]}, for: 1h}", &["/a"], &["a"]);
    bound("patch", "{rateLimit: {atMost: 1, paths: [/]}_}", &[", for: 1s"], &["", ", for: 0s"]);
    bound("patch", "{selector: {label: a, to: b, ready: _}}", &["1", "10000"], &["0", "10001"]);
    let to = |text: &str| format!("{{selector: {{label: a, to: '{text}'}}}}");
    check(
        "patch",
        &[to("b"), to("1.b-_2"), to(&"b".repeat(63)), to("{{ labels.to }}")],
        &[to(&"b".repeat(64)), to("-b"), to("b-"), to("b c"), to("")],
    );
    bound("patch", "{selector: {label: _, to: b}}", &["a", "x.io/a"], &["-a", "X_/a", "x.io/", "/a"]);
    let value = |text: &str| format!("{{switch: {{key: a, to: \"{text}\"}}}}");
    check("patch", &[value(&"é".repeat(256))], &[value(&"é".repeat(257))]);
    let key = |text: &str| format!("{{switch: {{key: {text}, to: b}}}}");
    check("patch", &[key(&"k".repeat(253)), key("a-b.c"), key("A_1")], &[key(&"k".repeat(254)), key("a/b")]);
    bound(
        "patch",
        "{switch: {annotation: _, to: b}}",
        &["a", "example.com/a", "mykubernetes.io/a"],
        &["kubernetes.io/a", "nginx.ingress.kubernetes.io/a", "paramedic.dev/pause-until", "a b"],
    );
    bound("patch", "{switch: {_ to: b}}", &["key: a,", "annotation: a,"], &["key: a, annotation: a,", ""]);
    bound("patch", "{_}", &[], &["", "switch: {key: a, to: b}, selector: {label: a, to: b}"]);
}

#[test]
fn of_a_rollback() {
    bound("rollback", "{healthy: {query: up, is: '< 1', for: _}}", &["1s", "30d"], &["0s"]);
    bound("rollback", "{healthy: {query: up, is: '< 1'}, deployedWithin: _}", &["1s", "30d"], &["0s"]);
}

#[test]
fn of_a_call() {
    let on = |rest: &str| format!("{{endpoint: dlq, path: /a, {rest}}}");
    let of = |rest: &str, inside: &[&str], outside: &[&str]| bound("http", &on(rest), inside, outside);
    of("timeout: _", &["1s", "1m"], &["999ms", "1m 1ms"]);
    of("expect: [_]", &["200", "599", "200, 204"], &["", "199", "600"]);
    of("already: [_]", &["", "200", "599"], &["199", "600"]);
    of("idempotencyKey: _", &["X-Id"], &["X-Team", "x-team", "Content-Length", "'a b'"]);
    of("query: {_}", &["", "q: a"], &["'{{ labels.q }}': a"]);
    of("look: {path: /b, _}", &["", "field: /a, is: 1"], &["field: /a", "is: 1", "field: a, is: 1"]);
    of("look: {path: /b, field: /a, is: _}", &["1", "true", "x", "'{{ labels.x }}'"], &["[1]", "{a: 1}"]);
    of("look: {path: /b, status: _}", &["200", "599"], &["199", "600"]);
    of(
        "body: _",
        &["1", "x", "{a: [1, '{{ labels.x }}']}"],
        &["{'{{ labels.x }}': 1}", "'{{ labels. }}'", "['{% if a %}']"],
    );
    let body = "body: {a: ['{{ labels.x }}', x], b/c: {d: '{{ labels.y }}'}, e: 3}, numbers: [_]";
    let wrong = ["/a", "/a/1", "/a/2", "/a/x", "a", "/b~1c", "/b/c/d", "/e", "/a/0, /a/0", "/a/0/z", "x/a/0"];
    of(body, &["/a/0", "/b~1c/d", "/a/0, /b~1c/d"], &wrong);
    of("numbers: [_]", &[""], &["/a"]);
}

#[test]
fn of_a_job() {
    bound("runJob", "{within: _}", &["1m", "2h"], &["59s", "2h 1s"]);
    let namespaces = |count| format!("{{namespaces: [{}]}}", times(count, "prod"));
    check("runJob", &[namespaces(1), namespaces(64)], &[namespaces(0), namespaces(65)]);
    let parameters = |count: usize| {
        let all: Vec<String> = (0..count).map(|number| format!("A{number}: x")).collect();
        format!("{{parameters: {{{}}}}}", all.join(", "))
    };
    check("runJob", &[parameters(32)], &[parameters(33)]);
    let name = |text: &str| format!("{{parameters: {{{text}: x}}}}");
    check(
        "runJob",
        &[name("a"), name("_B9"), name(&"A".repeat(128))],
        &[name(&"A".repeat(129)), name("9a"), name("a-b"), name("'{{ labels.a }}'")],
    );
    let value = |text: &str| format!("{{parameters: {{A: \"{text}\"}}}}");
    check(
        "runJob",
        &[value(&"é".repeat(256)), value("-x and $HOME"), value("{{ labels.a }}")],
        &[value(&"é".repeat(257)), value("$(B)"), value("a\\nb")],
    );
    for key in ["command", "args"] {
        let words =
            |count, word: &str| format!("{{template: {{image: a, {key}: [{}]}}}}", times(count, word));
        let long = "é".repeat(4096);
        check(
            "runJob",
            &[words(64, "x"), words(1, &long), words(1, "$(ID)")],
            &[words(65, "x"), words(1, &format!("{long}é")), words(1, "'{{ labels.id }}'")],
        );
    }
    let image = |text: &str| format!("{{template: {{image: '{text}'}}}}");
    check(
        "runJob",
        &[image("a"), image("9.example/a_b-c:1@sha256"), image(&"a".repeat(512)), image("{{ vars.image }}")],
        &[image(&"a".repeat(513)), image("-a"), image("a b"), image("{{ labels.image }}"), image("/a")],
    );
    bound("runJob", "{container: _}", &["a"], &["A", "a.b"]);
    for key in ["serviceAccount", "secret"] {
        bound("runJob", &format!("{{template: {{image: a, {key}: _}}}}"), &["a.b"], &["A"]);
    }
}

#[test]
fn of_a_quarantine_an_eviction_and_a_drain() {
    bound("quarantine", "{for: _}", &["1m", "30d"], &["59s", "30d 1s"]);
    bound("quarantine", "{for: 1h, max: _}", &["1", "50"], &["0", "51"]);
    bound("quarantine", "{for: 1h, _}", &["detach: true, rejoin: true", "detach: true"], &["rejoin: true"]);
    for key in ["evictPod", "deletePod", "drainNode"] {
        bound(key, "{localStorage: _}", &["refuse", "allow"], &["keep"]);
    }
    bound("drainNode", "{within: _}", &["1m", "2h"], &["59s", "2h 1s"]);
    bound("drainNode", "{maxNodes: _}", &["1", "10"], &["0", "11"]);
}

#[test]
fn of_evidence() {
    bound("collectEvidence", "{over: _}", &["1m", "1d"], &["59s", "1d 1s"]);
    bound("collectEvidence", "{logLines: _}", &["0", "1000"], &["-1", "1001"]);
    bound("collectEvidence", "{maxKib: _}", &["4", "256"], &["3", "257"]);
    let queries = |count| format!("{{queries: [{}]}}", times(count, "up"));
    check("collectEvidence", &[queries(0), queries(16)], &[queries(17)]);
}
