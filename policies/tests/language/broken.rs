//! Policies that do not load, and what their writers are told: every message has a line, a column and a hint.

use super::support::said;

const GOOD: &str = r#"apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata:
  name: web-errors
spec:
  mode: enforce
  match:
    - 'alertname="WebErrors"'
  target:
    kind: Deployment
    namespace: "{{ labels.namespace }}"
    name: "{{ labels.deployment }}"
  let:
    zone: {query: 'topk(1, up)', label: zone}
  when:
    - query: 'sum(up{namespace="{{ labels.namespace }}"})'
      is: "> 1"
  ladder:
    - restart: {}
      verify: {rollout: complete}
    - scale: {by: 2, max: 10}
      verify: {rollout: complete}
      revert: {after: 1h}
  guards:
    cooldown: 15m
"#;

const CIRCLE: &str =
    "    name: \"{{ labels.deployment }}\"\n  let:\n    zone: {query: 'topk(1, up)', label: zone}\n";
const CIRCLE_TO: &str = "    name: \"{{ let.zone }}\"\n  let:\n    zone: {query: 'up{namespace=\"{{ target.namespace }}\"}', label: zone}\n";

/// A claim, what is replaced in the good policy, and by what.
type Case = (&'static str, &'static str, &'static str);

const NAME: &str = "  name: web-errors\n";
const MATCH: &str = "    - 'alertname=\"WebErrors\"'\n";
const QUERY: &str = "'sum(up{namespace=\"{{ labels.namespace }}\"})'";
const SCALE: &str = "    - scale: {by: 2, max: 10}\n";
const RESTART: &str = "    - restart: {}\n      verify: {rollout: complete}\n";
const COOLDOWN: &str = "    cooldown: 15m\n";
const VERIFY: &str = "      verify: {rollout: complete}\n      revert";

fn check(name: &str, cases: &[Case]) {
    assert_eq!(said(&[("web.yaml", GOOD)]), "");
    let mut told = String::new();
    for (claim, from, to) in cases {
        assert!(GOOD.contains(from), "{claim}: the good policy has no {from:?}");
        let text = if from.is_empty() { (*to).to_owned() } else { GOOD.replacen(from, to, 1) };
        let said = said(&[("web.yaml", &text)]);
        assert!(!said.is_empty(), "{claim}: nothing was said about\n{text}");
        assert!(said.contains("hint: "), "{claim}: no hint in\n{said}");
        told.push_str(&format!("# {claim}\n{said}\n\n"));
    }
    insta::assert_snapshot!(name, told);
}

#[test]
fn the_frame_of_a_document() {
    check(
        "frame",
        &[
            ("not YAML at all", "", "a: b: c\n"),
            ("a tab", "  mode: enforce", "\tmode: enforce"),
            ("an open quote", "\"> 1\"", "\"> 1"),
            ("an open bracket", "{by: 2, max: 10}", "{by: 2, max: 10"),
            ("an unquoted template", "\"{{ labels.deployment }}\"", "{{ labels.deployment }}"),
            ("only text", "", "hello\n"),
            ("nothing", "", "# later\n"),
            ("another version", "v1alpha1", "v1"),
            ("no version", "apiVersion: paramedic.dev/v1alpha1\n", ""),
            ("another kind", "RemediationPolicy", "RemediationPolice"),
            ("a configuration", "RemediationPolicy", "Configuration"),
            ("a kind of something else", "RemediationPolicy", "Deployment"),
            ("no name", NAME, "  labels: {team: web}\n"),
            ("a name that Kubernetes refuses", "web-errors", "Web Errors"),
            ("a number as a name", "web-errors", "42"),
            ("a label that is no text", NAME, "  name: web-errors\n  labels: {tier: 1}\n"),
            ("a misspelt section", "  guards:", "  guard:"),
            ("a stranger's key", "  mode: enforce\n", "  mode: enforce\n  colour: red\n"),
            ("a key twice", "  mode: enforce\n", "  mode: enforce\n  mode: approve\n"),
            ("an anchor and its alias", "  mode: enforce\n", "  mode: &m enforce\n  description: *m\n"),
            ("a tag", "mode: enforce", "mode: !!str enforce"),
            ("a merge key", COOLDOWN, "    <<: {cooldown: 15m}\n"),
            ("spec is a list", "  mode: enforce\n", "  - mode: enforce\n"),
        ],
    );
}

#[test]
fn who_and_what() {
    check(
        "who_and_what",
        &[
            ("a misspelt mode", "mode: enforce", "mode: enforced"),
            ("a mode in the old spelling", "mode: enforce", "mode: dryRun"),
            ("enforce for any alert", MATCH, "    - 'severity=\"page\"'\n"),
            ("enforce for an alert by expression", MATCH, "    - 'alertname=~\"Web.*\"'\n"),
            ("a wait for no alert", "  match:\n    - 'alertname=\"WebErrors\"'\n", "  for: 2m\n"),
            ("an empty match", "  match:\n    - 'alertname=\"WebErrors\"'\n", "  match: []\n"),
            (
                "match as text",
                "  match:\n    - 'alertname=\"WebErrors\"'\n",
                "  match: 'alertname=\"WebErrors\"'\n",
            ),
            ("a matcher as a mapping", MATCH, "    - alertname: WebErrors\n"),
            ("a matcher without an operator", MATCH, "    - 'alertname'\n"),
            ("a matcher with two equals signs", MATCH, "    - 'alertname==\"WebErrors\"'\n"),
            ("a matcher whose quote is open", MATCH, "    - 'alertname=\"WebErrors'\n"),
            ("two matchers in one", MATCH, "    - 'alertname=\"WebErrors\", severity=\"page\"'\n"),
            ("matchers in braces", MATCH, "    - '{alertname=\"WebErrors\"}'\n"),
            ("a value with a space", MATCH, "    - 'alertname=Web Errors'\n"),
            ("a broken expression", MATCH, "    - 'alertname=\"WebErrors\"'\n    - 'pod=~\"web-(.*\"'\n"),
            (
                "an expression that explodes",
                MATCH,
                "    - 'alertname=\"WebErrors\"'\n    - 'pod=~\"(\\\\w{100}){100}\"'\n",
            ),
            (
                "an escape that is none",
                MATCH,
                "    - 'alertname=\"WebErrors\"'\n    - 'pod=~\"web\\.prod\"'\n",
            ),
            ("a priority in words", "  mode: enforce\n", "  mode: enforce\n  priority: high\n"),
            ("half a priority", "  mode: enforce\n", "  mode: enforce\n  priority: 1.5\n"),
            ("a time without a unit", "  mode: enforce\n", "  mode: enforce\n  for: 2\n"),
            ("a time in moons", "  mode: enforce\n", "  mode: enforce\n  for: 2 moons\n"),
            (
                "no target",
                "  target:\n    kind: Deployment\n    namespace: \"{{ labels.namespace }}\"\n    name: \"{{ labels.deployment }}\"\n",
                "",
            ),
            ("a target without a namespace", "    namespace: \"{{ labels.namespace }}\"\n", ""),
            ("a misspelt kind", "kind: Deployment", "kind: deployment"),
            ("an unknown kind", "kind: Deployment", "kind: Banana"),
            ("a kind from a label", "kind: Deployment", "kind: \"{{ labels.kind }}\""),
            ("a name that is none", "\"{{ labels.deployment }}\"", "../etc/passwd"),
            (
                "both from and name",
                "    kind: Deployment\n    namespace: \"{{ labels.namespace }}\"\n",
                "    from: {pod: \"{{ labels.pod }}\", namespace: \"{{ labels.namespace }}\"}\n",
            ),
            (
                "from without a namespace",
                "    kind: Deployment\n    namespace: \"{{ labels.namespace }}\"\n    name: \"{{ labels.deployment }}\"\n",
                "    from: {pod: \"{{ labels.pod }}\"}\n",
            ),
            (
                "from of two things",
                "    kind: Deployment\n    namespace: \"{{ labels.namespace }}\"\n    name: \"{{ labels.deployment }}\"\n",
                "    from: {pod: a, service: b, namespace: c}\n",
            ),
            (
                "a node in a namespace",
                "    kind: Deployment\n    namespace: \"{{ labels.namespace }}\"\n    name: \"{{ labels.deployment }}\"\n",
                "    from: {node: \"{{ labels.node }}\", namespace: prod}\n",
            ),
        ],
    );
}

#[test]
fn templates_and_queries() {
    check(
        "templates_and_queries",
        &[
            ("an open template", "\"{{ labels.deployment }}\"", "\"{{ labels.deployment\""),
            ("a stranger's root", "\"{{ labels.deployment }}\"", "\"{{ env.HOME }}\""),
            ("Go's template syntax", "\"{{ labels.deployment }}\"", "\"{{ .Labels.deployment }}\""),
            ("a root alone", "\"{{ labels.deployment }}\"", "\"{{ labels }}\""),
            ("a statement", "\"{{ labels.deployment }}\"", "\"{% if true %}web{% endif %}\""),
            ("a comment", "\"{{ labels.deployment }}\"", "\"web{# not #}\""),
            ("arithmetic", "\"{{ labels.deployment }}\"", "\"{{ labels.deployment ~ 'x' }}\""),
            ("an unknown filter", "\"{{ labels.deployment }}\"", "\"{{ labels.deployment | shell }}\""),
            (
                "a filter that names a label",
                "\"{{ labels.deployment }}\"",
                "\"{{ labels.deployment | replace('a', labels.b) }}\"",
            ),
            ("a default", "\"{{ labels.deployment }}\"", "\"{{ labels.deployment | default('web') }}\""),
            ("a target by itself", "\"{{ labels.deployment }}\"", "\"{{ target.name }}\""),
            ("a target by what is asked about it", CIRCLE, CIRCLE_TO),
            ("a value of let that is not declared", "\"{{ labels.deployment }}\"", "\"{{ let.zoen }}\""),
            ("a var that nobody sets", "\"{{ labels.deployment }}\"", "\"{{ vars.deployment }}\""),
            ("an unknown part of a target", QUERY, "'up{uid=\"{{ target.uid }}\"}'"),
            ("a name of let that cannot be used", "    zone: {query", "    the-zone: {query"),
            ("a let without a label", ", label: zone}", "}"),
            ("not PromQL", QUERY, "'sum(up'"),
            ("an unknown function", QUERY, "'summ(up)'"),
            ("a range", QUERY, "'up[5m]'"),
            ("a text", QUERY, "'\"up\"'"),
            ("a template as a metric", QUERY, "'{{ labels.metric }} > 1'"),
            ("a template as an operator", QUERY, "'up {{ labels.op }} 1'"),
            ("a template in backticks", QUERY, "'up{namespace=`{{ labels.namespace }}`}'"),
            ("a template in a comment", QUERY, "\"up # {{ labels.namespace }}\\n\""),
            (
                "a template in a function's text",
                QUERY,
                "'label_replace(up, \"a\", \"{{ labels.x }}\", \"b\", \"\")'",
            ),
            ("a template behind a backslash", QUERY, "'up{namespace=\"\\{{ labels.namespace }}\"}'"),
            ("a template in a class", QUERY, "'up{namespace=~\"[{{ labels.namespace }}]\"}'"),
            ("a template behind an escape", QUERY, "'up{namespace=~\"a\\\\{{ labels.namespace }}\"}'"),
            ("a template in a repetition", QUERY, "'up{namespace=~\"a{1,{{ labels.n }}}\"}'"),
            ("no comparison", "      is: \"> 1\"\n", ""),
            ("a number as a comparison", "is: \"> 1\"", "is: 1"),
            ("an assignment as a comparison", "is: \"> 1\"", "is: \"= 1\""),
            ("a percentage", "is: \"> 1\"", "is: \"> 5%\""),
            ("infinity", "is: \"> 1\"", "is: \"< inf\""),
            ("empty means something else", "      is: \"> 1\"\n", "      is: \"> 1\"\n      empty: zero\n"),
        ],
    );
}

#[test]
fn steps() {
    check(
        "steps",
        &[
            (
                "nothing to do",
                "  ladder:\n    - restart: {}\n      verify: {rollout: complete}\n    - scale: {by: 2, max: 10}\n      verify: {rollout: complete}\n      revert: {after: 1h}\n",
                "",
            ),
            ("ladder and sequence", "  guards:", "  sequence: [{restart: {}}]\n  guards:"),
            (
                "an empty ladder",
                "  ladder:\n    - restart: {}\n      verify: {rollout: complete}\n    - scale: {by: 2, max: 10}\n      verify: {rollout: complete}\n      revert: {after: 1h}\n",
                "  ladder: []\n",
            ),
            ("a rung before another does not verify", RESTART, "    - restart: {}\n"),
            ("a rung without a remediation", SCALE, "    - description: more pods\n"),
            ("a remediation without a value", "    - restart: {}\n", "    - restart:\n"),
            ("a misspelt remediation", "    - restart: {}\n", "    - reboot: {}\n"),
            ("two remediations in one rung", SCALE, "    - scale: {by: 2, max: 10}\n      restart: {}\n"),
            ("restart with a setting", "restart: {}", "restart: {force: true}"),
            (
                "a revert of a restart",
                RESTART,
                "    - restart: {}\n      verify: {rollout: complete}\n      revert: {after: 1h}\n",
            ),
            (
                "a sequence beside a remediation",
                "    - restart: {}\n",
                "    - sequence: [{restart: {}}]\n      restart: {}\n",
            ),
            (
                "a sequence in a sequence",
                "    - restart: {}\n      verify: {rollout: complete}\n",
                "    - sequence: [{sequence: [{restart: {}}]}]\n",
            ),
            (
                "a step that goes further than its policy",
                RESTART,
                "    - restart: {}\n      mode: enforcing\n      verify: {rollout: complete}\n",
            ),
            ("scale by and to", "{by: 2, max: 10}", "{by: 2, to: 4, max: 10}"),
            ("scale by nothing", "{by: 2, max: 10}", "{max: 10}"),
            ("scale without an end", "{by: 2, max: 10}", "{by: 2}"),
            ("scale down without leave", "{by: 2, max: 10}", "{by: -2, min: 1}"),
            ("scale down without an end", "{by: 2, max: 10}", "{by: -2, allowDown: true}"),
            ("scale beyond its own bound", "{by: 2, max: 10}", "{to: 20, max: 10}"),
            ("bounds the wrong way round", "{by: 2, max: 10}", "{by: 2, min: 12, max: 10}"),
            ("scale by zero", "{by: 2, max: 10}", "{by: 0, max: 10}"),
            ("a number in quotes", "{by: 2, max: 10}", "{by: \"2\", max: 10}"),
            ("a flag in words", "{by: 2, max: 10}", "{by: 2, max: 10, allowDown: yes}"),
            ("snake case", "{by: 2, max: 10}", "{by: 2, max: 10, max_step: 2}"),
            ("scale a Service", "kind: Deployment", "kind: Service"),
            ("a breaker without a name", "    - restart: {}\n", "    - resetBreaker: {port: http}\n"),
            (
                "a breaker without endpoints",
                "    - restart: {}\n",
                "    - resetBreaker: {breaker: \"{{ labels.breaker }}\"}\n",
            ),
            (
                "a breaker with both",
                "    - restart: {}\n",
                "    - resetBreaker: {breaker: db, port: http, endpoints: [\"http://a\"]}\n",
            ),
            (
                "a breaker on a Deployment",
                "    - restart: {}\n",
                "    - resetBreaker: {breaker: db, port: http}\n",
            ),
            (
                "a breaker's name with a slash",
                "    - restart: {}\n",
                "    - resetBreaker: {breaker: ../admin, endpoints: [\"http://a\"]}\n",
            ),
            (
                "endpoints that are no URLs",
                "    - restart: {}\n",
                "    - resetBreaker: {breaker: db, endpoints: [\"maestro:8080\", \"http://user@a\", \"http://a/../b\", \"ftp://a\", \"http://a?x\", \"http://a b\"]}\n",
            ),
            ("two checks", VERIFY, "      verify: {rollout: complete, http: \"http://a/\"}\n      revert"),
            ("no check", VERIFY, "      verify: {settle: 1m}\n      revert"),
            ("a query without a comparison", VERIFY, "      verify: {query: up}\n      revert"),
            (
                "a comparison without a query",
                VERIFY,
                "      verify: {rollout: complete, is: \"> 1\"}\n      revert",
            ),
            ("an incomplete rollout", VERIFY, "      verify: {rollout: completed}\n      revert"),
            (
                "a label as the host",
                VERIFY,
                "      verify: {http: \"http://{{ labels.instance }}/healthz\"}\n      revert",
            ),
            (
                "a status that is none",
                VERIFY,
                "      verify: {http: \"http://a/healthz\", status: 20}\n      revert",
            ),
            (
                "an end before the beginning",
                VERIFY,
                "      verify: {rollout: complete, settle: 5m, hold: 6m, within: 10m}\n      revert",
            ),
            ("too many looks", VERIFY, "      verify: {rollout: complete, every: 10ms}\n      revert"),
            ("no time to settle", VERIFY, "      verify: {rollout: complete, settle: 1s}\n      revert"),
            (
                "a longer look back than wait",
                VERIFY,
                "      verify: {query: 'rate(up[30m])', is: \"> 1\"}\n      revert",
            ),
            ("revert at once", "{after: 1h}", "{after: 0s}"),
            ("revert without a time", "{after: 1h}", "{}"),
        ],
    );
}

#[test]
fn guards() {
    check(
        "guards",
        &[
            ("a misspelt guard", COOLDOWN, "    coolDown: 15m\n"),
            ("a time without a unit", COOLDOWN, "    cooldown: 15\n"),
            ("a time longer than a year", COOLDOWN, "    cooldown: 20y\n"),
            ("a negative time", COOLDOWN, "    cooldown: -1m\n"),
            ("limits as a mapping", COOLDOWN, "    limits: {max: 3, per: 1h}\n"),
            ("a limit without a window", COOLDOWN, "    limits: [{max: 3}]\n"),
            ("a limit of none", COOLDOWN, "    limits: [{max: 0, per: 1h}]\n"),
            ("a limit over something else", COOLDOWN, "    limits: [{max: 3, per: 1h, by: pod}]\n"),
            ("a window longer than can be", COOLDOWN, "    limits: [{max: 3, per: 90d}]\n"),
            ("no concurrency", COOLDOWN, "    concurrency: 0\n"),
            ("a share without a percent sign", COOLDOWN, "    blastRadius: {unavailable: 25}\n"),
            ("a share of more than all", COOLDOWN, "    blastRadius: {unavailable: 125%}\n"),
            ("targets without a window", COOLDOWN, "    blastRadius: {targets: {max: 2, in: cluster}}\n"),
            ("targets in a zone", COOLDOWN, "    blastRadius: {targets: {max: 2, in: zone, per: 1h}}\n"),
            ("an unknown way through a storm", COOLDOWN, "    inStorm: panic\n"),
            ("a schedule without a zone", COOLDOWN, "    schedule: [\"Mon-Fri 09:00-17:00\"]\n"),
            ("a zone that is none", COOLDOWN, "    schedule: [\"Mon-Fri 09:00-17:00 Europe/Atlantis\"]\n"),
            ("a day that is none", COOLDOWN, "    schedule: [\"Mo-Fr 09:00-17:00 UTC\"]\n"),
            ("a time that is none", COOLDOWN, "    schedule: [\"Mon 9am-5pm UTC\"]\n"),
            ("a window without length", COOLDOWN, "    schedule: [\"Mon 09:00-09:00 UTC\"]\n"),
            ("an approval that never waits", COOLDOWN, "    approval: 0s\n"),
            ("a pager as text", COOLDOWN, "    cooldown: 15m\n  onFailure: {notify: sre-pager}\n"),
        ],
    );
}

#[test]
fn doubts() {
    check(
        "doubts",
        &[
            (
                "two names for one alert",
                MATCH,
                "    - 'alertname=\"WebErrors\"'\n    - 'alertname=\"WebDown\"'\n",
            ),
            (
                "an equality and its opposite",
                MATCH,
                "    - 'alertname=\"WebErrors\"'\n    - 'alertname!=\"WebErrors\"'\n",
            ),
            (
                "an equality outside its expression",
                MATCH,
                "    - 'alertname=\"WebErrors\"'\n    - 'alertname=~\"Db.*\"'\n",
            ),
            (
                "an expression and its opposite",
                MATCH,
                "    - 'alertname=\"WebErrors\"'\n    - 'pod=~\"web-.*\"'\n    - 'pod!~\"web-.*\"'\n",
            ),
            (
                "every alert without a label",
                "  mode: enforce\n  match:\n    - 'alertname=\"WebErrors\"'\n",
                "  match:\n    - 'ignore!=\"yes\"'\n",
            ),
            (
                "its own alert is the exception",
                "  mode: enforce\n",
                "  mode: enforce\n  unless: ['alertname=~\"Web.*\"']\n",
            ),
            (
                "an exception that never is",
                "  mode: enforce\n",
                "  mode: enforce\n  unless: ['a=\"1\"', 'a=\"2\"']\n",
            ),
            ("the last rung does not verify", VERIFY, "      revert"),
        ],
    );
}

#[test]
fn everything_wrong_is_said_at_once() {
    let told = said(&[
        (
            "a.yaml",
            "apiVersion: paramedic.dev/v1\nkind: RemediationPolicy\nmetadata: {nam: a}\nspec: {mode: on, match: [a], target: {}, ladder: [{restart: 1}], guards: {cooldown: 1}}\n---\nkind: ConfigMap\n",
        ),
        ("b.yaml", &GOOD.replace("enforce", "enforce!")),
        ("c.yaml", GOOD),
        ("d.yaml", "{"),
    ]);
    insta::assert_snapshot!("at_once", told);
}

#[test]
fn a_policy_behind_another_is_named() {
    let first = GOOD.replace(
        "  when:\n    - query: 'sum(up{namespace=\"{{ labels.namespace }}\"})'\n      is: \"> 1\"\n",
        "",
    );
    let second = GOOD
        .replace("web-errors", "web-errors-page")
        .replace(MATCH, "    - 'alertname=\"WebErrors\"'\n    - 'severity=\"page\"'\n");
    insta::assert_snapshot!("behind", said(&[("a.yaml", &first), ("b.yaml", &second)]));
    // One with a condition of its own leaves the others their turn.
    assert_eq!(said(&[("a.yaml", GOOD), ("b.yaml", &second)]), "");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]

    /// Whatever a slip of the hand makes of a policy, every problem points into the text and says what to do.
    #[test]
    fn no_slip_panics(cut in 0..GOOD.len(), length in 0..40_usize, put in "[ a-z{}\\[\\]:,\"'#&*!|>%@`\n\t-]{0,6}") {
        let mut text = GOOD.to_owned();
        text.replace_range(cut..(cut + length).min(GOOD.len()), &put);
        let lines = text.lines().count() + 1;
        for problem in paramedic_policies::load::check(super::support::source(&[("web.yaml", &text)])).problems {
            proptest::prop_assert!((1..=lines).contains(&problem.line) && problem.column >= 1, "{problem}\n{text}");
            proptest::prop_assert!(problem.hint.is_some(), "{problem}\n{text}");
        }
    }
}
