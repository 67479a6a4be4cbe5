//! `patch` as people write it: what it becomes, what is refused, and what no label can do to it.

use std::collections::BTreeMap;

use paramedic_policies::action::Wish;
use paramedic_policies::alert::Labels;
use paramedic_policies::load;
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::patch::{Amount, Field, More, SwitchPlace};
use paramedic_policies::target::Target;
use paramedic_policies::template::Scope;
use paramedic_policies::time::Span;

use super::support::{book, said};

fn policy(kind: &str, step: &str) -> String {
    format!(
        "apiVersion: paramedic.dev/v1alpha1\nkind: RemediationPolicy\nmetadata: {{name: patch}}\nspec:\n  \
         mode: enforce\n  match: ['alertname=\"MemoryHigh\"']\n  \
         target: {{kind: {kind}, namespace: \"{{{{ labels.namespace }}}}\", name: web}}\n  \
         ladder:\n    - patch: {step}\n      verify: {{query: up, is: \"> 0\"}}\n"
    )
}

/// What a patch comes to for these labels, on `prod/web`, and when it goes back.
fn wished(kind: &str, patch: &str, labels: &[(&str, &str)]) -> Result<(Field<String>, Option<Span>), Reason> {
    let labels: Labels =
        labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let none = BTreeMap::new();
    let target = Target { kind: kind.to_owned(), namespace: "prod".to_owned(), name: "web".to_owned() };
    let scope = Scope { labels: &labels, vars: &none, lets: &none, target: Some(&target) };
    let book = book(&policy(kind, patch));
    let step = &book.policy("patch").expect("it is there").ladder[0].steps[0];
    step.remediation.wish(&scope).map(|wish| match wish {
        Wish::Patch(wish) => (wish, step.revert_after),
        other => panic!("{other:?}"),
    })
}

const INGRESS: &str = "Ingress.networking.k8s.io";

#[test]
fn each_field_of_the_list_is_read_with_its_bounds() {
    let resources = "{resources: {container: \"{{ labels.container }}\", limits: {memory: {times: 1.5, max: 16Gi}}, \
                     requests: {cpu: {atLeast: 500m}}}}";
    let (field, back) = wished("StatefulSet", resources, &[("container", "postgresql")]).expect("all is set");
    let Field::Resources { container, amounts } = field else { panic!("{field:?}") };
    assert_eq!((container.as_str(), back), ("postgresql", None), "more memory stays");
    let times = More::Times { thousandths: 1_500, max: "16Gi".parse().expect("a quantity") };
    assert_eq!(
        amounts.into_iter().collect::<Vec<_>>(),
        [
            (Amount::LimitMemory, times),
            (Amount::RequestCpu, More::AtLeast("0.5".parse().expect("a quantity")))
        ]
    );

    let limit = "{rateLimit: {atMost: 5, paths: [/login, /oauth]}, for: 30m}";
    let (field, back) = wished(INGRESS, limit, &[]).expect("nothing is missing");
    let Field::RateLimit { limited, at_most, controller_namespace, controller_name, .. } = field else {
        panic!("{field:?}")
    };
    assert_eq!((limited.name(), at_most, back), ("limit-rps", 5, Some(Span::from_mins(30))));
    assert_eq!(
        (controller_namespace.as_str(), controller_name.as_str()),
        ("ingress-nginx", "ingress-nginx-controller")
    );

    let selector = "{selector: {label: color, to: \"{{ labels.color }}\", ready: 2}, for: 1d}";
    let (field, back) = wished("Service", selector, &[("color", "green")]).expect("all is set");
    assert_eq!(field, Field::Selector { label: "color".into(), to: "green".into(), ready: 2 });
    assert_eq!(back, Some(Span::from_hours(24)));

    let switch = "{switch: {annotation: example.com/maintenance, to: \"on\"}}";
    let (field, _) = wished("ConfigMap", switch, &[]).expect("nothing is missing");
    let place = SwitchPlace::Annotation("example.com/maintenance".into());
    assert_eq!(field, Field::Switch { place, to: "on".into() });
}

#[test]
fn no_label_can_name_what_is_no_container_and_no_color() {
    let mut told = String::new();
    let resources = "{resources: {container: \"{{ labels.v }}\", limits: {memory: {atLeast: 8Gi}}}}";
    let selector = "{selector: {label: color, to: \"{{ labels.v }}\"}}";
    for hostile in ["", "a/b", "db\nproxy", "-", "a b", "x=y,z", &"x".repeat(64), "../../status"] {
        for (kind, patch) in [("StatefulSet", resources), ("Service", selector)] {
            let reason = wished(kind, patch, &[("v", hostile)]).expect_err("refused");
            told.push_str(&format!("{kind}: {reason}\n"));
        }
    }
    insta::assert_snapshot!("bad_patches", told);
}

#[test]
fn what_is_beyond_the_list_or_its_bounds_is_refused() {
    let mut told = String::new();
    for (claim, kind, patch) in [
        ("nothing", "Service", "{}"),
        ("two fields", "Service", "{selector: {label: a, to: b}, switch: {key: a, to: b}}"),
        ("another field", "StatefulSet", "{image: evil}"),
        (
            "a factor without an end",
            "StatefulSet",
            "{resources: {container: db, limits: {memory: {times: 2}}}}",
        ),
        (
            "a factor that lowers",
            "StatefulSet",
            "{resources: {container: db, limits: {memory: {times: 0.5, max: 8Gi}}}}",
        ),
        (
            "a factor that is too much",
            "StatefulSet",
            "{resources: {container: db, limits: {memory: {times: 10, max: 8Gi}}}}",
        ),
        ("no quantity", "StatefulSet", "{resources: {container: db, limits: {memory: {atLeast: lots}}}}"),
        ("no amount", "StatefulSet", "{resources: {container: db}}"),
        ("no container", "StatefulSet", "{resources: {container: Db_1, limits: {cpu: {atLeast: 500m}}}}"),
        (
            "resources of a Service",
            "Service",
            "{resources: {container: db, limits: {memory: {atLeast: 8Gi}}}}",
        ),
        ("a limit for ever", INGRESS, "{rateLimit: {atMost: 5, paths: [/login]}}"),
        ("a limit of nothing", INGRESS, "{rateLimit: {atMost: 0, paths: [/login]}, for: 30m}"),
        ("a limit of no path", INGRESS, "{rateLimit: {atMost: 5, paths: []}, for: 30m}"),
        ("a path that is none", INGRESS, "{rateLimit: {atMost: 5, paths: [login]}, for: 30m}"),
        (
            "another annotation",
            INGRESS,
            "{rateLimit: {annotation: configuration-snippet, atMost: 5, paths: [/login]}, for: 30m}",
        ),
        ("no ConfigMap", INGRESS, "{rateLimit: {atMost: 5, paths: [/login], controller: nginx}, for: 30m}"),
        ("a limit on a Service", "Service", "{rateLimit: {atMost: 5, paths: [/login]}, for: 30m}"),
        ("an odd label", "Service", "{selector: {label: \"a b\", to: green}}"),
        ("an odd color", "Service", "{selector: {label: color, to: \"a/b\"}}"),
        ("no ready pod", "Service", "{selector: {label: color, to: green, ready: 0}}"),
        (
            "a switch that tools act on",
            "ConfigMap",
            "{switch: {annotation: argocd.argoproj.io/hook, to: Sync}}",
        ),
        (
            "a switch that Kubernetes acts on",
            "Service",
            "{switch: {annotation: service.beta.kubernetes.io/x, to: \"1\"}}",
        ),
        ("a switch in two places", "ConfigMap", "{switch: {annotation: a.b/c, key: d, to: \"on\"}}"),
        ("a switch that is no text", "ConfigMap", "{switch: {key: maintenance, to: true}}"),
        ("an odd key", "ConfigMap", "{switch: {key: \"a/b\", to: \"on\"}}"),
        ("no time", "ConfigMap", "{switch: {key: a, to: b}, for: 0s}"),
        (
            "a revert of its own too",
            "ConfigMap",
            "{switch: {key: a, to: b}, for: 1h}\n      revert: {after: 1h}",
        ),
    ] {
        let said = said(&[("patch.yaml", &policy(kind, patch))]);
        assert!(said.contains("hint: "), "{claim}: no hint in\n{said}");
        told.push_str(&format!("# {claim}\n{said}\n\n"));
    }
    let long = format!("{{switch: {{key: a, to: {}}}}}", "x".repeat(257));
    let said = said(&[("patch.yaml", &policy("ConfigMap", &long))]);
    told.push_str(&format!("# an essay\n{said}\n"));
    insta::assert_snapshot!("broken_patches", told);
}

#[test]
fn the_shipped_policies_load_without_a_word_and_are_shown_as_they_are() {
    for (name, text) in [
        ("07-database-memory.yaml", include_str!("../../maestro/07-database-memory.yaml")),
        ("10-auth-rate-limit.yaml", include_str!("../../maestro/10-auth-rate-limit.yaml")),
        ("24-switch-traffic.yaml", include_str!("../../maestro/24-switch-traffic.yaml")),
    ] {
        // What the configuration would set.
        let text =
            text.replace("{{ vars.authIngress }}", "auth").replace("{{ vars.service }}", "maestro-server");
        assert_eq!(said(&[(name, &text)]), "", "{name}");
        let book = book(&text);
        for policy in book.policies().values() {
            let shown = load::effective(policy);
            let again = super::support::book(&serde_json::to_string(&shown).expect("plain data"));
            let again: Vec<_> = again.policies().values().map(load::effective).collect();
            assert_eq!(again, [shown], "{name}");
        }
    }
}
