//! Which rights policies come to, as people read them.

use std::collections::BTreeSet;

use paramedic_policies::action::Mode;
use paramedic_policies::book::{Book, Source, SourceFile};
use paramedic_policies::load;
use paramedic_policies::settings::Settings;

use super::{Account, Plurals, Right, Verb, manifest, of_book};

/// A book of policies that differ in their targets and ladders.
fn book(mode: Mode, policies: &[(&str, &str, &str)]) -> Book {
    book_with(mode, policies, "severity=\"page\"")
}

/// The same with one more matcher.
fn book_with(mode: Mode, policies: &[(&str, &str, &str)], matcher: &str) -> Book {
    let one = |(name, target, ladder): &(&str, &str, &str)| {
        format!(
            "apiVersion: paramedic.dev/v1alpha1\nkind: RemediationPolicy\nmetadata: {{name: {name}}}\nspec:\n  \
             mode: enforce\n  match: ['alertname=\"A\"', '{matcher}']\n  target: {target}\n  ladder: {ladder}\n"
        )
    };
    let text = policies.iter().map(one).collect::<Vec<_>>().join("---\n");
    let files = vec![SourceFile { path: "policies.yaml".into(), text }];
    let vars = [("shop".to_owned(), "shop".to_owned())].into();
    let settings = Settings { mode, vars, ..Settings::default() };
    load::book(Source { files, settings, tzdb: String::new() }).unwrap_or_else(|problems| {
        panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    })
}

fn printed(mode: Mode, policies: &[(&str, &str, &str)]) -> String {
    let account = Account { namespace: "ops".into(), name: "paramedic".into() };
    manifest(&of_book(&book(mode, policies), &Plurals::new()), mode, &account)
}

const ANY: &str =
    r#"{kind: Deployment, namespace: "{{ labels.namespace }}", name: "{{ labels.deployment }}"}"#;
const CART: &str = r#"{kind: Deployment, namespace: "{{ vars.shop }}", name: cart}"#;

#[test]
fn a_target_that_any_alert_may_name_needs_a_cluster_role() {
    insta::assert_snapshot!(printed(
        Mode::Enforce,
        &[("any", ANY, "[{restart: {}, verify: {rollout: complete}}, {scale: {by: 1, max: 4}}]")]
    ));
}

#[test]
fn a_constant_target_needs_a_role_for_its_name() {
    insta::assert_snapshot!(printed(
        Mode::Enforce,
        &[("cart", CART, "[{restart: {}}]"), ("search", &CART.replace("cart", "search"), "[{restart: {}}]")],
    ));
}

#[test]
fn what_matchers_leave_of_a_label_narrows_it_as_a_name_does() {
    let text = |matcher: &str| {
        let book = book_with(Mode::Enforce, &[("any", ANY, "[{restart: {}}]")], matcher);
        let namespaces: BTreeSet<Option<String>> =
            of_book(&book, &Plurals::new()).into_keys().map(|right| right.namespace).collect();
        namespaces.into_iter().map(|name| name.unwrap_or("all".into())).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(text("namespace=\"shop\""), "all, shop");
    assert_eq!(text("namespace=~\"shop|search\""), "all, search, shop");
    for open in ["namespace=~\"shop-.*\"", "namespace!=\"shop\"", "team=~\"a|b\""] {
        assert_eq!(text(open), "all", "{open}");
    }
}

#[test]
fn what_another_right_holds_is_not_listed_again() {
    let text = printed(Mode::Enforce, &[("any", ANY, "[{restart: {}}]"), ("cart", CART, "[{restart: {}}]")]);
    assert!(!text.contains("kind: Role\n"), "{text}");
    assert!(text.contains("# any (restart), cart (restart)\n"), "{text}");
}

#[test]
fn dry_run_needs_the_rights_of_the_rehearsal_and_none_of_what_follows() {
    let freeze = "[{freezeDeploys: {for: 1h}}]";
    let verbs = |mode| {
        let rights = of_book(&book(mode, &[("any", ANY, freeze)]), &Plurals::new());
        let is_policy = |right: &Right| right.resource == "validatingadmissionpolicies";
        rights.into_keys().filter(is_policy).map(|right| right.verb).collect::<Vec<_>>()
    };
    assert_eq!(verbs(Mode::DryRun), [Verb::Get, Verb::List, Verb::Create]);
    assert_eq!(verbs(Mode::Enforce), [Verb::Get, Verb::List, Verb::Create, Verb::Delete]);
    insta::assert_snapshot!(printed(Mode::DryRun, &[("any", ANY, freeze)]));
}

#[test]
fn every_lever_says_what_it_needs() {
    let ingress = r#"{kind: Ingress.networking.k8s.io, namespace: shop, name: front}"#;
    let service = r#"{kind: Service, namespace: shop, name: cart}"#;
    let block = |by: &str| {
        format!("[{{blockIp: {{by: {by}, clientAddress: x, address: '{{{{ labels.ip }}}}', for: 1h}}}}]")
    };
    let policies = [
        (
            "abort",
            r#"{kind: Rollout.argoproj.io, namespace: shop, name: cart}"#,
            "[{abortRollout: {}}]".to_owned(),
        ),
        ("block", CART, block("networkPolicy").replace("clientAddress: x", "clientAddress: peer")),
        ("breaker", service, "[{resetBreaker: {breaker: db, port: 80}}]".to_owned()),
        (
            "certificate",
            r#"{kind: Certificate.cert-manager.io, namespace: shop, name: tls}"#,
            "[{renewCertificate: {}}]".to_owned(),
        ),
        ("deny", ingress, block("ingressNginx").replace("clientAddress: x", "clientAddress: forwarded")),
        ("job", r#"{kind: CronJob.batch, namespace: shop, name: clean}"#, "[{runJob: {}}]".to_owned()),
        ("limit", ingress, "[{patch: {rateLimit: {atMost: 5, paths: [/login]}, for: 1h}}]".to_owned()),
        (
            "owner",
            r#"{from: {pod: "{{ labels.pod }}", namespace: shop}}"#,
            "[{restart: {}, verify: {rollout: complete}}]".to_owned(),
        ),
        (
            "switch",
            r#"{kind: ConfigMap, namespace: shop, name: flags}"#,
            "[{patch: {switch: {key: maintenance, to: 'true'}}}]".to_owned(),
        ),
    ];
    let policies: Vec<(&str, &str, &str)> =
        policies.iter().map(|(name, target, ladder)| (*name, *target, ladder.as_str())).collect();
    insta::assert_snapshot!(printed(Mode::Enforce, &policies));
}

#[test]
fn a_right_is_named_with_the_rule_that_gives_it() {
    let right = Right {
        namespace: Some("shop".into()),
        group: "apps".into(),
        resource: "deployments/scale".into(),
        name: Some("cart".into()),
        verb: Verb::Patch,
    };
    assert_eq!(right.to_string(), "patch deployments/scale.apps cart in namespace shop");
    assert_eq!(
        right.rule(),
        "{apiGroups: [apps], resources: [deployments/scale], resourceNames: [cart], verbs: [patch]}"
    );
}

#[test]
fn what_is_printed_is_yaml_of_kubernetes() {
    let text = printed(
        Mode::Enforce,
        &[("any", ANY, "[{restart: {}}]"), ("cart", CART, "[{scale: {by: 1, max: 4}}]")],
    );
    let parsed = load::yaml::parse(&text);
    assert!(parsed.faults.is_empty(), "{:?}", parsed.faults);
    let kinds: Vec<_> = parsed.documents.iter().map(|document| document.to_json()["kind"].clone()).collect();
    assert_eq!(kinds, ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]);
}

#[test]
fn whoever_ends_or_cuts_off_pods_may_read_all_that_makes_them() {
    let pod = r#"{kind: Pod, namespace: shop, name: "{{ labels.pod }}"}"#;
    let node = r#"{from: {node: "{{ labels.node }}"}}"#;
    for (target, ladder, home) in [
        (pod, "[{evictPod: {}}]", Some("shop")),
        (pod, "[{deletePod: {}}]", Some("shop")),
        (pod, "[{quarantine: {for: 1h}}]", Some("shop")),
        (node, "[{drainNode: {}}]", None),
    ] {
        let rights = of_book(&book(Mode::DryRun, &[("p", target, ladder)]), &Plurals::new());
        for resource in crate::makers::READ {
            let wanted = Right {
                namespace: home.map(str::to_owned),
                group: resource.group.into(),
                resource: resource.plural.into(),
                name: None,
                verb: Verb::Get,
            };
            assert!(rights.contains_key(&wanted), "{ladder} needs to {wanted}");
        }
    }
}
