//! The printed roles, and that they are the same each time.

use super::paramedic;

const POLICIES: &str = r#"apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: cart-errors}
spec:
  mode: enforce
  match: ['alertname="CartErrors"']
  target: {kind: Deployment, namespace: shop, name: cart}
  ladder: [{restart: {}}]
---
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: any-backlog}
spec:
  mode: enforce
  match: ['alertname="Backlog"']
  target: {kind: Deployment, namespace: "{{ labels.namespace }}", name: "{{ labels.deployment }}"}
  ladder: [{scale: {by: 1, max: 4}}]
"#;

#[test]
fn the_roles_are_text_for_kubectl_and_the_same_each_time() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("policies.yaml");
    std::fs::write(&path, POLICIES).expect("a file");
    let path = path.to_str().expect("UTF-8");
    let ran = paramedic(&["rbac", path, "--mode", "enforce", "--service-account", "ops/medic"]);
    assert_eq!(ran.code, 0, "{ran}");
    insta::assert_snapshot!(ran);
    let again =
        paramedic(&["rbac", "--policies", path, "--mode", "enforce", "--service-account", "ops/medic"]);
    assert_eq!(ran.out, again.out);
}

#[test]
fn an_account_is_a_namespace_and_a_name() {
    for wrong in ["medic", "/medic", "ops/", "Ops/medic"] {
        let ran = paramedic(&["rbac", "x", "--service-account", wrong]);
        assert_eq!(ran.code, 1, "{ran}");
        assert!(ran.err.contains("a namespace and a name are wanted"), "{ran}");
    }
}

#[test]
fn what_orders_by_hand_need_is_left_out_aloud_or_printed() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("policies.yaml");
    std::fs::write(&path, POLICIES).expect("a file");
    let path = path.to_str().expect("UTF-8");
    let without = paramedic(&["rbac", path, "--mode", "enforce"]);
    assert!(without.out.ends_with("--by-hand adds it.\n"), "{without}");
    assert!(!without.out.contains("validatingadmissionpolicies"), "{without}");
    let with = paramedic(&["rbac", path, "--mode", "enforce", "--by-hand"]);
    assert!(with.out.contains("validatingadmissionpolicies"), "{with}");
    assert!(with.out.contains("networkpolicies") && with.out.contains("ingresses"), "{with}");
    assert!(!with.out.contains("--by-hand"), "{with}");
}
