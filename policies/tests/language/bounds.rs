//! What is just within a bound is taken without a word, and what is just beyond it is refused or doubted.

use super::support::said;

/// What is said of a policy with this name, these matchers, this rest of its target, this ladder and these guards.
fn of(name: &str, matchers: &str, target: &str, rest: &str) -> String {
    said(&[("a.yaml", &policy(name, matchers, target, rest))])
}

fn policy(name: &str, matchers: &str, target: &str, rest: &str) -> String {
    format!(
        "apiVersion: paramedic.dev/v1alpha1\nkind: RemediationPolicy\nmetadata: {{name: {name}}}\nspec:\n  mode: approve\n  match: ['alertname=\"Errors\"'{matchers}]\n  target: {{{target}}}\n{rest}"
    )
}

const TARGET: &str = "kind: Deployment, namespace: shop, name: cart.v2";
const LADDER: &str = "  ladder: [{restart: {}, verify: {rollout: complete}}]\n";

fn guards(guards: &str) -> String {
    of("errors", "", TARGET, &format!("{LADDER}  guards: {{{guards}}}\n"))
}

fn verified(verify: &str) -> String {
    of("errors", "", TARGET, &format!("  ladder: [{{restart: {{}}, verify: {{{verify}}}}}]\n"))
}

fn matched(matchers: &str) -> String {
    of("errors", matchers, TARGET, LADDER)
}

fn assert_says(said: &str, what: &str) {
    assert!(said.contains(what), "wanted: {what}\nsaid: {said}");
}

#[test]
fn windows_and_ladders_have_a_length() {
    assert_eq!(guards("limits: [{max: 1, per: 31d, by: target}]"), "");
    assert_says(&guards("limits: [{max: 1, per: 31d 1ms, by: target}]"), "longer than a window can be");
    let rungs = |count: usize| {
        let rung = "    - restart: {}\n      verify: {rollout: complete}\n".repeat(count);
        of("errors", "", TARGET, &format!("  ladder:\n{rung}"))
    };
    assert_eq!(rungs(32), "");
    assert_says(&rungs(33), "`ladder` has 33 items");
    assert_says(&of("errors", "", TARGET, "  ladder: []\n"), "`ladder` has 0 items");
}

#[test]
fn a_step_is_as_strict_as_its_policy_or_stricter() {
    let mode = |mode: &str| {
        let ladder = format!("  ladder: [{{restart: {{}}, mode: {mode}, verify: {{rollout: complete}}}}]\n");
        of("errors", "", TARGET, &ladder)
    };
    assert_eq!((mode("dry-run"), mode("approve")), (String::new(), String::new()));
    assert_says(&mode("enforce"), "has mode enforce, the policy approve");
}

#[test]
fn a_namespace_is_a_label_and_a_name_may_have_dots() {
    assert_eq!(of("errors", "", TARGET, LADDER), "");
    let dotted = of("errors", "", "kind: Deployment, namespace: shop.web, name: cart", LADDER);
    assert_says(&dotted, "`namespace`: `shop.web` is not a Kubernetes name");
    let empty = of("errors", "", "kind: Deployment, namespace: \"\", name: cart", LADDER);
    assert_says(&empty, "`namespace` is empty");
}

#[test]
fn a_verification_has_time_for_what_it_waits_for() {
    assert_eq!(verified("rollout: complete, settle: 30s, hold: 30s, within: 1m"), "");
    assert_says(
        &verified("rollout: complete, settle: 30s, hold: 31s, within: 1m"),
        "`within` 1m ends before",
    );
    assert_eq!(verified("rollout: complete, every: 1s"), "");
    assert_says(&verified("rollout: complete, every: 999ms"), "too often");
    assert_eq!(verified("rollout: complete, settle: 15s"), "");
    assert_says(&verified("rollout: complete, settle: 14s"), "shorter than a usual scrape interval");
    let looking_back =
        |range: &str| verified(&format!("query: 'rate(errors[{range}])', is: '< 1', within: 10m"));
    assert_eq!(looking_back("10m"), "");
    assert_says(&looking_back("11m"), "the query looks back 11m");
}

#[test]
fn a_verification_of_nothing_is_told_once() {
    let nothing = verified("is: '< 1', status: 200");
    assert_says(&nothing, "`verify` needs exactly one of");
    assert!(!nothing.contains("belongs to"), "{nothing}");
    assert_says(&verified("rollout: complete, status: 200"), "`status` belongs to `http`");
}

#[test]
fn nobody_takes_the_name_of_a_policy_of_our_own() {
    for name in ["paramedic-freeze", "paramedic-block-deployment", "paramedic-block-ingress"] {
        assert!(!of(name, "", TARGET, LADDER).is_empty(), "{name}");
    }
    assert_eq!(of("paramedic-other", "", TARGET, LADDER), "");
}

#[test]
fn a_receiver_that_is_none_is_doubted() {
    let told = |name: &str| of("errors", "", TARGET, &format!("{LADDER}  onFailure: {{notify: [{name}]}}\n"));
    assert_eq!(told("sre-pager"), "");
    let slip = told("sre-pagr");
    assert_says(&slip, "there is no receiver `sre-pagr`");
    assert_says(&slip, "did you mean `sre-pager`?");
    assert_says(&told("nobody-at-all"), "declare `nobody-at-all` under `notifications.receivers`");
}

#[test]
fn matchers_contradict_each_other_in_either_order_or_not_at_all() {
    for contradiction in [
        r#", 'pod="a"', 'pod="b"'"#,
        r#", 'pod=~"a.*"', 'pod="b"'"#,
        r#", 'pod="b"', 'pod=~"a.*"'"#,
        r#", 'pod!="b"', 'pod="b"'"#,
        r#", 'pod!~"a.*"', 'pod=~"a.*"'"#,
    ] {
        assert_says(&matched(contradiction), "contradict each other");
    }
    for harmony in [
        r#", 'pod=~"a.*"', 'pod="ab"'"#,
        r#", 'pod="ab"', 'pod=~"a.*"'"#,
        r#", 'pod!="a"', 'pod!="b"'"#,
        r#", 'pod=~"a.*"', 'pod=~".*b"'"#,
        r#", 'pod!~"a.*"', 'pod=~".*b"'"#,
        r#", 'pod="a"', 'node="b"'"#,
    ] {
        assert_eq!(matched(harmony), "", "{harmony}");
    }
}

#[test]
fn a_policy_shadows_another_only_on_the_same_target_and_never_a_freer_one() {
    let owner = |origin: &str| format!("from: {{{origin}}}");
    let both = |before: (&str, &str), after: (&str, &str)| {
        let (before, after) = (
            policy("a", "", before.0, &format!("{LADDER}{}", before.1)),
            policy("b", "", after.0, &format!("{LADDER}{}", after.1)),
        );
        said(&[("a.yaml", &before), ("b.yaml", &after)])
    };
    let pod = owner("namespace: shop, pod: \"{{ labels.pod }}\"");
    let service = owner("namespace: shop, service: \"{{ labels.pod }}\"");
    let set = "kind: StatefulSet, namespace: shop, name: cart.v2";
    let other = "kind: Deployment, namespace: shop, name: other";
    for (before, after) in [
        ((TARGET, ""), (TARGET, "")),
        ((TARGET, ""), (TARGET, "  for: 1m\n")),
        ((pod.as_str(), ""), (pod.as_str(), "")),
    ] {
        assert_says(&both(before, after), "`b` may never get its turn");
    }
    for (before, after) in [
        ((TARGET, ""), (set, "")),
        ((TARGET, ""), (other, "")),
        ((TARGET, "  for: 1m\n"), (TARGET, "")),
        ((pod.as_str(), ""), (service.as_str(), "")),
        ((pod.as_str(), ""), (TARGET, "")),
        ((TARGET, ""), (pod.as_str(), "")),
    ] {
        assert_eq!(both(before, after), "");
    }
}

/// What holds at the end of `within` may finish its `hold`: all of that must fit into the time that it lasts.
#[test]
fn a_step_that_is_taken_back_before_its_verification_may_be_over_is_warned_of() {
    let steps = [
        ("scale: {to: 3, allowDown: true}", "revert: {after: AFTER}"),
        ("freezeDeploys: {for: AFTER}", "mode: approve"),
    ];
    let told = |step: (&str, &str), after: &str| {
        let verify = "verify: {rollout: complete, settle: 1m, hold: 2m, within: 10m}";
        let (does, more) = (step.0.replace("AFTER", after), step.1.replace("AFTER", after));
        of("errors", "", TARGET, &format!("  ladder:\n    - {does}\n      {more}\n      {verify}\n"))
    };
    for step in steps {
        for (after, when) in [("2m 59s", "before"), ("3m", "perhaps before"), ("12m", "perhaps before")] {
            let wanted = format!(
                "warning: `ladder[0]` is taken back after {after}, {when} `verify` has told whether it helped: `settle` 1m, \
                 `hold` 2m, `within` 10m"
            );
            let said = told(step, after);
            assert_says(&said, &wanted);
            assert_says(&said, "hint: let it last longer than `within` and `hold` together");
            assert_eq!(said.lines().count(), 2, "nothing else: {said}");
        }
        assert_eq!(told(step, "12m 1s"), "", "it is told before that");
    }
}
