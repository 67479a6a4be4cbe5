//! One truth in three places: the keys that the loader walks, the JSON Schema, and the policy reference.

use std::collections::{BTreeMap, BTreeSet};

use paramedic_policies::load;
use serde_json::Value;

use super::support::{said, source};

/// A document that makes the loader come by every type there is.
const EVERYTHING: &str = r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: everything}
spec:
  match: ['alertname="X"']
  target: {from: {pod: "{{ labels.pod }}", namespace: "{{ labels.namespace }}"}}
  let: {zone: {query: up, label: zone}}
  when: [{query: up, is: "> 1"}]
  ladder:
    - scale: {by: 1, max: 3}
      limits: [{max: 1, per: 1h}]
      verify: {query: up, is: "> 0"}
      revert: {after: 1h}
    - sequence: [{restart: {}, verify: {rollout: complete}}]
    - resetBreaker: {breaker: db, endpoints: ["http://a"]}
      verify: {http: "http://a/healthz"}
    - abortRollout: {}
      target: {kind: Rollout.argoproj.io, namespace: a, name: b}
      verify: {rollout: complete}
    - rollback: {healthy: {query: up, is: "> 0", for: 5m}, deployedWithin: 2h, helm: allow}
      verify: {rollout: complete}
    - sequence:
        - freezeDeploys: {for: 2h, argoCd: [{namespace: a, project: b}], flux: [{kind: HelmRelease, namespace: a, name: b}]}
        - patch: {resources: {container: db, limits: {memory: {times: 1.5, max: 8Gi}}}, for: 1h}
        - blockIp: {by: networkPolicy, clientAddress: peer, address: 203.0.113.7, for: 1h, growth: {factor: 4, upTo: 1d}}
        - patch: {rateLimit: {atMost: 5, paths: [/login]}, for: 30m}
          target: {kind: Ingress.networking.k8s.io, namespace: a, name: b}
        - patch: {selector: {label: color, to: green}}
          target: {kind: Service, namespace: a, name: b}
        - patch: {switch: {key: maintenance, to: "on"}}
          target: {kind: ConfigMap, namespace: a, name: b}
          verify: {query: up, is: "> 0"}
        - runJob: {template: {image: a}, parameters: {A: b}}
        - collectEvidence: {queries: ['up'], over: 1h, logLines: 20, maxKib: 16, required: true}
        - renewCertificate: {}
          target: {kind: Certificate.cert-manager.io, namespace: a, name: b}
          verify: {query: up, is: "> 0"}
    - sequence:
        - quarantine: {for: 1d, detach: true, rejoin: true, dns: true, max: 2, enforced: true}
        - evictPod: {localStorage: allow}
          target: {kind: Pod, namespace: a, name: b}
        - deletePod: {localStorage: refuse}
          target: {kind: Pod, namespace: a, name: b}
        - drainNode: {maxNodes: 2, localStorage: allow, within: 20m}
          target: {from: {node: a}}
          verify: {query: up, is: "> 0"}
    - http:
        endpoint: dlq
        path: /a
        look: {path: /a}
        undo: {path: /b, look: {path: /b}}
      verify: {query: up, is: "> 0"}
  guards:
    limits: [{max: 1, per: 1h}]
    blastRadius: {targets: {max: 1, in: cluster, per: 1h}}
  onFailure: {}
"#;

/// The keys of every object in the schema, by the name of its type.
fn keys_of_schema() -> BTreeMap<String, BTreeSet<String>> {
    let schema = load::schema().to_value();
    let keys = |object: &Value| -> Option<BTreeSet<String>> {
        match (object.get("properties"), object.get("additionalProperties")) {
            (Some(properties), _) => Some(properties.as_object()?.keys().cloned().collect()),
            (None, Some(Value::Bool(false))) => Some(BTreeSet::new()),
            _ => None,
        }
    };
    let named = schema["$defs"].as_object().expect("definitions").iter();
    named
        .map(|(name, object)| (name.clone(), object))
        .chain([("RemediationPolicy".to_owned(), &schema)])
        .filter_map(|(name, object)| Some((name, keys(object)?)))
        .collect()
}

#[test]
fn the_loader_and_the_schema_know_the_same_keys() {
    let known: BTreeMap<String, BTreeSet<String>> =
        load::known_keys(&source(&[("everything.yaml", EVERYTHING)]))
            .into_iter()
            .map(|(name, keys)| (name.to_owned(), keys.into_iter().map(str::to_owned).collect()))
            .collect();
    assert_eq!(known, keys_of_schema());
}

#[test]
fn every_key_of_the_schema_is_described() {
    let schema = load::schema().to_value();
    let definitions = schema["$defs"].as_object().expect("definitions");
    for (name, object) in definitions.iter().chain([(&"RemediationPolicy".to_owned(), &schema)]) {
        for (key, property) in object["properties"].as_object().into_iter().flatten() {
            assert!(property["description"].is_string(), "{name}.{key} has no description");
        }
    }
}

#[test]
fn what_loads_conforms_to_the_schema_and_is_read_by_serde() {
    let schema = load::schema();
    for text in [EVERYTHING, include_str!("example.yaml")] {
        assert!(load::check(source(&[("a.yaml", text)])).book.is_some(), "{}", said(&[("a.yaml", text)]));
        for tree in load::yaml::parse(text).documents {
            assert_eq!(load::conform::conform(&tree, &schema), []);
            let read: load::document::PolicyDocument =
                serde_json::from_value(tree.to_json()).expect("serde reads it");
            assert_eq!(
                read.spec.r#match.as_ref().map_or(0, Vec::len),
                tree.get("spec")
                    .and_then(|spec| spec.get("match"))
                    .map_or(0, |matchers| { matchers.to_json().as_array().map_or(0, Vec::len) })
            );
        }
    }
}

const REFERENCE: &str = include_str!("../../../ops/docs/policy-reference.md");

#[test]
fn the_reference_names_every_key_and_word() {
    for (name, keys) in keys_of_schema() {
        for key in keys {
            assert!(
                REFERENCE.contains(&format!("`{key}`")),
                "the policy reference does not mention `{key}` of {name}"
            );
        }
    }
    for word in [
        "dry-run",
        "approve",
        "enforce",
        "act",
        "withhold",
        "target",
        "policy",
        "namespace",
        "global",
        "cluster",
        "unknown",
        "complete",
        "off",
    ] {
        assert!(REFERENCE.contains(&format!("`{word}`")), "the policy reference does not mention `{word}`");
    }
}

#[test]
fn every_example_of_the_reference_loads_without_a_word() {
    let mut found = 0;
    for (number, block) in REFERENCE.split("```yaml\n").skip(1).enumerate() {
        let text = block.split("```").next().expect("a block ends");
        assert!(text.starts_with("apiVersion: "), "example {number} is no whole document:\n{text}");
        assert_eq!(said(&[("reference.yaml", text)]), "", "example {number}:\n{text}");
        found += 1;
    }
    assert!(found >= 3, "the reference has {found} examples");
}

/// The defaults that the reference's table claims are the ones that a bare policy gets.
#[test]
fn the_reference_tells_the_defaults_as_they_are() {
    let bare = "apiVersion: paramedic.dev/v1alpha1\nkind: RemediationPolicy\nmetadata: {name: bare}\nspec:\n  match: ['alertname=\"X\"']\n  target: {kind: Deployment, namespace: a, name: b}\n  ladder: [{restart: {}, verify: {rollout: complete}}]\n";
    let book = super::support::book(bare);
    let shown = load::effective(book.policy("bare").expect("it is there"));
    insta::assert_json_snapshot!("defaults", shown);
    let spec = &shown["spec"];
    for (key, value) in [
        ("mode", &spec["mode"]),
        ("priority", &spec["priority"]),
        ("for", &spec["for"]),
        ("cooldown", &spec["guards"]["cooldown"]),
        ("relapse", &spec["guards"]["relapse"]),
        ("concurrency", &spec["guards"]["concurrency"]),
        ("inStorm", &spec["guards"]["inStorm"]),
        ("approval", &spec["guards"]["approval"]),
        ("unavailable", &spec["guards"]["blastRadius"]["unavailable"]),
        ("quarantineAfter", &spec["onFailure"]["quarantineAfter"]),
        ("settle", &spec["ladder"][0]["verify"]["settle"]),
        ("hold", &spec["ladder"][0]["verify"]["hold"]),
        ("within", &spec["ladder"][0]["verify"]["within"]),
        ("every", &spec["ladder"][0]["verify"]["every"]),
    ] {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let row = REFERENCE.lines().find(|line| line.starts_with(&format!("| `{key}` |")));
        let row = row.unwrap_or_else(|| panic!("the reference has no row for `{key}`"));
        assert!(
            row.contains(&format!("| `{value}` |")),
            "`{key}` is {value} by default; the reference says {row}"
        );
    }
}
