//! Matchers, templates, queries, comparisons and URLs: what they read, and what hostile values cannot do.

use std::collections::BTreeMap;

use paramedic_policies::action::Wish;
use paramedic_policies::alert::Labels;
use paramedic_policies::comparison::Comparison;
use paramedic_policies::matcher::{Matcher, Operator};
use paramedic_policies::policy::{Check, TargetSpec};
use paramedic_policies::promql::Query;
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::Remediation;
use paramedic_policies::remediation::reset_breaker::{self, Endpoints};
use paramedic_policies::target::{Origin, Sought, Target};
use paramedic_policies::template::{Scope, Template};
use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Calls `f` with a scope of these labels, one var, one let and one target.
fn within<T>(labels: &Labels, f: impl FnOnce(&Scope<'_>) -> T) -> T {
    let vars = BTreeMap::from([("base".to_owned(), "http://maestro:8080/x".to_owned())]);
    let lets = BTreeMap::from([("zone".to_owned(), "eu-1".to_owned())]);
    let target =
        Target { kind: "Deployment".to_owned(), namespace: "prod".to_owned(), name: "web".to_owned() };
    f(&Scope { labels, vars: &vars, lets: &lets, target: Some(&target) })
}

fn template(text: &str) -> Template {
    Template::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn query(text: &str) -> Query {
    Query::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn a_matcher_takes_its_value_from_the_configuration_and_from_nothing_else() {
    let policy = |matcher: &str| {
        format!(
            "apiVersion: paramedic.dev/v1alpha1\nkind: RemediationPolicy\nmetadata: {{name: a}}\nspec:\n  \
             match: ['alertname=\"X\"', '{matcher}']\n  \
             target: {{kind: Deployment, namespace: prod, name: web}}\n  ladder: [{{restart: {{}}}}]\n"
        )
    };
    let meets = |matcher: &str, value: &str| {
        let book = super::support::book(&policy(matcher));
        let policy = book.policies().values().next().expect("there is one");
        policy.matchers.iter().filter(|one| one.name != "alertname").all(|one| one.meets_value(value))
    };
    for (matcher, value, met) in [
        (r#"namespace=~"{{ vars.namespaces }}""#, "maestro", true),
        (r#"namespace=~"{{ vars.namespaces }}""#, "maestro-staging", true),
        (r#"namespace=~"{{ vars.namespaces }}""#, "maestro-other", false),
        (r#"namespace=~"{{ vars.namespaces }}""#, "", false),
        (r#"namespace="{{ vars.namespaces }}""#, "maestro", false),
        (r#"tier!="{{ vars.tier }}""#, "gold", false),
        (r#"name="{{ vars.tier }}-web""#, "gold-web", true),
    ] {
        assert_eq!(meets(matcher, value), met, "{matcher} {value}");
    }
    for (matcher, problem) in [
        (r#"namespace="{{ vars.nowhere }}""#, "vars.nowhere"),
        (r#"namespace!="{{ vars.nowhere }}""#, "set it under `vars`"),
        (r#"namespace="{{ labels.namespace }}""#, "a matcher cannot use `labels.namespace`"),
        (r#"namespace="{{ vars.tier""#, "without `}}`"),
    ] {
        let said = super::support::said(&[("a.yaml", &policy(matcher))]);
        assert!(said.contains(problem), "{matcher}: {said}");
    }
}

#[test]
fn matchers_are_read_as_alertmanager_reads_them() {
    let cases: &[(&str, &str, Operator, &str)] = &[
        (r#"alertname="X""#, "alertname", Operator::Equal, "X"),
        (r#"alertname = "X""#, "alertname", Operator::Equal, "X"),
        ("alertname=X", "alertname", Operator::Equal, "X"),
        (r#"  a!="b"  "#, "a", Operator::NotEqual, "b"),
        (r#"a=~"b|c""#, "a", Operator::Matches, "b|c"),
        ("a=~b|c.*", "a", Operator::Matches, "b|c.*"),
        (r#"a!~"b""#, "a", Operator::NotMatches, "b"),
        (r#""größe der Schlange"="Ω""#, "größe der Schlange", Operator::Equal, "Ω"),
        (r#"größe="Ω""#, "größe", Operator::Equal, "Ω"),
        (r#"a.b/c="d""#, "a.b/c", Operator::Equal, "d"),
        (r#"a="""#, "a", Operator::Equal, ""),
        (r#"a="b","#, "a", Operator::Equal, "b"),
        (r#"a="b\"c\\d\ne\tf""#, "a", Operator::Equal, "b\"c\\d\ne\tf"),
        (r#"a="\u00e9\x41\101\U0001F600""#, "a", Operator::Equal, "éAA😀"),
        (r#"a="{}!=~,'`""#, "a", Operator::Equal, "{}!=~,'`"),
        (r#"a=~"web\\.prod""#, "a", Operator::Matches, r"web\.prod"),
    ];
    for (text, name, operator, value) in cases {
        let read: Matcher = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(
            (read.name.as_str(), read.operator, read.value.as_str()),
            (*name, *operator, *value),
            "{text}"
        );
        let again: Matcher = read.to_string().parse().unwrap_or_else(|error| panic!("{read}: {error}"));
        assert_eq!(
            (again.name, again.operator, again.value),
            (read.name, read.operator, read.value),
            "{text}"
        );
    }
}

#[test]
fn what_is_no_matcher_is_refused() {
    for text in [
        "",
        "=",
        "a",
        r#"="b""#,
        r#"""="b""#,
        "a=",
        "a==b",
        r#"a="b"#,
        r#"a="b"c"#,
        "a=b c",
        "a=b,c=d",
        "{a=b}",
        "a=~\"(\"",
        "a=~\"b)|(c\"",
        r#"a="\q""#,
        r#"a="\xff""#,
        r#"a="\ud800""#,
        "a=\"b\nc\"",
        "a='b'",
        "a=`b`",
        r#"a!"b""#,
        r#"a~"b""#,
        r#"a="\x+1""#,
    ] {
        assert!(text.parse::<Matcher>().is_err(), "{text:?} should be refused");
    }
}

#[test]
fn matchers_compare_as_alertmanager_compares() {
    let labels = labels(&[("a", "bcd"), ("lines", "x\ny")]);
    for (text, meets) in [
        ("a=bcd", true),
        ("a=bc", false),
        ("a!=bcd", false),
        ("a!=x", true),
        ("a=~bcd", true),
        ("a=~b", false),
        ("a=~b.*", true),
        ("a=~b|bcd", true),
        ("a=~x|b.*", true),
        ("a!~b.*", false),
        ("a!~b", true),
        // A missing label is the empty string.
        ("none=\"\"", true),
        ("none=~\".*\"", true),
        ("none=~\".+\"", false),
        ("none!=x", true),
        ("none!~\".+\"", true),
        // As in Go, a dot is no line break, and $ is the end of the text.
        ("lines=~\"x.y\"", false),
        ("lines=~\"x\"", false),
    ] {
        let matcher: Matcher = text.parse().expect("a matcher");
        assert_eq!(matcher.meets(&labels), meets, "{text}");
    }
}

#[test]
fn comparisons_are_read_and_judge() {
    for (text, value, holds) in [
        ("> 1", 1.5, Some(true)),
        (">1", 1.0, Some(false)),
        ("< 0.01", 0.0, Some(true)),
        ("<= 5", 5.0, Some(true)),
        (">= 5", 4.9, Some(false)),
        ("== 0", 0.0, Some(true)),
        ("!= 0", 0.0, Some(false)),
        ("> -1e3", 0.0, Some(true)),
        ("> 1", f64::NAN, None),
        ("!= 1", f64::NAN, None),
        ("> 1", f64::INFINITY, Some(true)),
    ] {
        let comparison: Comparison = text.parse().expect("a comparison");
        assert_eq!(comparison.holds(value), holds, "{value} {text}");
        assert_eq!(comparison.to_string().parse::<Comparison>().expect("reads back"), comparison);
    }
    for text in ["", "1", "= 1", "> ", "> NaN", "> inf", "> 1e999", "> 5%", "> 1 and < 2", "=> 1", "<> 1"] {
        assert!(text.parse::<Comparison>().is_err(), "{text:?} should be refused");
    }
}

#[test]
fn templates_give_values_or_say_why_not() {
    let labels = labels(&[
        ("namespace", "prod"),
        ("instance", "10.0.0.1:9090"),
        ("a-b", "odd"),
        ("empty", ""),
        ("Case", "WEB"),
        ("evil", "{{ labels.namespace }}"),
    ]);
    let cases: &[(&str, Result<&str, &str>)] = &[
        ("plain", Ok("plain")),
        ("{{ labels.namespace }}", Ok("prod")),
        ("{{labels.namespace}}-{{ let.zone }}", Ok("prod-eu-1")),
        ("{{ labels[\"a-b\"] }}/{{ labels['a-b'] }}", Ok("odd/odd")),
        ("{{ target.kind }} {{ target.namespace }} {{ target.name }}", Ok("Deployment prod web")),
        ("{{ vars.base }}", Ok("http://maestro:8080/x")),
        ("{{ labels.instance | split(':') | first }}", Ok("10.0.0.1")),
        ("{{ labels.Case | lower | replace('w', 'v') }}", Ok("veb")),
        ("} }} {", Ok("} }} {")),
        // A value is never a template itself.
        ("{{ labels.evil }}", Ok("{{ labels.namespace }}")),
        ("{{ labels.missing }}", Err("`labels.missing` is not set")),
        ("{{ labels.empty }}", Err("`labels.empty` is not set")),
        ("{{ let.missing }}", Err("`let.missing` is not set")),
        (
            "{{ labels.namespace | replace('prod', '') }}",
            Err("`labels.namespace | replace('prod', '')`: the filters leave nothing"),
        ),
        (
            "{{ labels.namespace | split('o') }}",
            Err("`labels.namespace | split('o')`: the filters give a sequence, not text"),
        ),
    ];
    for (text, wanted) in cases {
        let got = within(&labels, |scope| template(text).render(scope)).map_err(|error| error.to_string());
        assert_eq!(got.as_deref().map_err(String::as_str), *wanted, "{text}");
    }
    let uses = template("{{ labels[\"a-b\"] }}{{ let.x | lower }}{{ target.name }}").uses;
    assert_eq!(uses.into_iter().collect::<Vec<_>>(), ["labels.a-b", "let.x", "target.name"]);
}

#[test]
fn values_in_queries_are_quoted() {
    let labels = labels(&[("ns", "prod"), ("evil", "a\"} or vector(1) # \\ \n"), ("dots", "a.b|c")]);
    let cases: &[(&str, &str)] = &[
        (r#"up{ns="{{ labels.ns }}"}"#, r#"up{ns="prod"}"#),
        (r#"up{ns='{{ labels.evil }}'}"#, r#"up{ns='a"} or vector(1) # \\ \n'}"#),
        (r#"up{ns="{{ labels.evil }}"}"#, r#"up{ns="a\"} or vector(1) # \\ \n"}"#),
        (r#"up{ns=~"{{ labels.dots }}-.*"}"#, r#"up{ns=~"(?:a\\.b\\|c)-.*"}"#),
        (r#"up{ns!~"x|{{ labels.dots }}"}"#, r#"up{ns!~"x|(?:a\\.b\\|c)"}"#),
        (r#"up{a="{{ labels.ns }}",b="x{{ labels.ns }}{{ let.zone }}y"}"#, r#"up{a="prod",b="xprodeu-1y"}"#),
        (r#"up{a="{{ labels.ns }}" or b="{{ let.zone }}"}"#, r#"up{a="prod" or b="eu-1"}"#),
        ("up # a \" in a comment\n{ns=\"{{ labels.ns }}\"}", "up # a \" in a comment\n{ns=\"prod\"}"),
        (r#"vector(NaN) + on() up{ns="{{ labels.ns }}"}"#, r#"vector(NaN) + on() up{ns="prod"}"#),
        ("sum(rate(http_requests_total[5m]))", "sum(rate(http_requests_total[5m]))"),
    ];
    for (text, wanted) in cases {
        let got = within(&labels, |scope| query(text).render(scope))
            .unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(got, *wanted);
    }
    assert_eq!(query("max_over_time(rate(up[5m])[1h:1m])").look_back().to_string(), "1h");
}

/// What Prometheus takes and the parser here takes too, from its oldest functions to its newest.
#[test]
fn queries_of_prometheus_are_read() {
    for text in [
        "1",
        "-up",
        "up > bool 1",
        "time() - process_start_time_seconds > 60",
        "up offset 5m",
        "up offset -5m",
        "up @ 1609746000",
        "rate(up[5m] @ end())",
        "sum by (job) (rate(x_total[5m])) / on (job) group_left (team) info_metric",
        "sum without (pod) (x)",
        "count(up == 0) or vector(0)",
        "topk(3, x)",
        "quantile(0.9, x)",
        "count_values(\"v\", x)",
        "limitk(3, x)",
        "limit_ratio(0.1, x)",
        "group(x)",
        "stddev(x)",
        "histogram_quantile(0.99, sum by (le) (rate(x_bucket[5m])))",
        "histogram_avg(x)",
        "histogram_fraction(0, 0.2, x)",
        "label_replace(x, \"a\", \"$1\", \"b\", \"(.*)\")",
        "label_join(x, \"a\", \",\", \"b\", \"c\")",
        "predict_linear(x[1h], 4 * 3600)",
        "quantile_over_time(0.9, x[5m])",
        "max_over_time(rate(x[5m])[30m:1m])",
        "absent(up{job=\"a\"})",
        "absent_over_time(up[5m])",
        "mad_over_time(x[5m])",
        "double_exponential_smoothing(x[5m], 0.5, 0.5)",
        "sort_by_label(x, \"a\")",
        "ts_of_max_over_time(x[5m])",
        "clamp(x, 0, 1)",
        "day_of_week()",
        "pi()",
        "scalar(x)",
        "x unless y",
        "x and on () y",
        "x ^ 2 % 3",
        "x atan2 y",
        "0x1f",
        "1e3",
        "Inf",
        "{__name__=~\"job:.*\"}",
        "{\"my.metric\", \"odd label\"=\"x\"}",
        "x{a=\"b\",}",
        "x{a!~\"b|c\"}",
        "sum(x) by (a)",
        "1h30m * 2",
        "rate(x[1h30m])",
        "info(x)",
    ] {
        if let Err(error) = Query::parse(text) {
            panic!("{text}: {error}");
        }
    }
}

const HOSTILE: [&str; 24] = [
    "\"",
    "'",
    "`",
    "\\",
    "\\\"",
    "\n",
    "\r\n",
    "\t",
    "\0",
    "\u{1b}[31m",
    "\"} or vector(1) #",
    "\"}) or up{x=\"",
    "\\\" or up{a=\"",
    "{{ labels.ns }}",
    "${HOME}",
    "$(id)",
    ".*",
    "a|b",
    "(",
    ")",
    "[",
    "](?:",
    "\u{202e}x",
    "pmdk0q0x",
];

#[test]
fn hostile_values_never_change_a_query() {
    let queries = [
        r#"sum(rate(x{ns="{{ labels.v }}"}[5m])) > 1"#,
        r#"sum(rate(x{ns='{{ labels.v }}'}[5m])) > 1"#,
        r#"x{ns=~"a{{ labels.v }}b"}"#,
        r#"x{ns!~'{{ labels.v }}'} / on (pod) y{a="{{ labels.v }}",b=~"{{ labels.v }}|z"}"#,
    ];
    for text in queries {
        let query = query(text);
        for value in HOSTILE {
            judge(&query, value);
        }
    }
}

/// What comes out is the query with this value in its matchers and nothing else, or nothing at all.
fn judge(query: &Query, value: &str) {
    use promql_parser::label::MatchOp;
    use promql_parser::util::{ExprVisitor, walk_expr};
    #[derive(Default)]
    struct Seen(Vec<(String, bool, String)>, usize);
    impl ExprVisitor for Seen {
        type Error = ();
        fn pre_visit(&mut self, expr: &promql_parser::parser::Expr) -> Result<bool, ()> {
            self.1 += 1;
            let selector = match expr {
                promql_parser::parser::Expr::VectorSelector(selector) => selector,
                promql_parser::parser::Expr::MatrixSelector(matrix) => &matrix.vs,
                _ => return Ok(true),
            };
            for matcher in &selector.matchers.matchers {
                let regex = matches!(matcher.op, MatchOp::Re(_) | MatchOp::NotRe(_));
                self.0.push((matcher.name.clone(), regex, matcher.value.clone()));
            }
            Ok(true)
        }
    }
    let seen = |text: &str| {
        let mut seen = Seen::default();
        let expr = promql_parser::parser::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        walk_expr(&mut seen, &expr).expect("cannot fail");
        seen
    };
    let labels = labels(&[("v", value)]);
    let Ok(rendered) = within(&labels, |scope| query.render(scope)) else { return };
    let harmless = seen(&query.template.source.replace("{{ labels.v }}", "harmless"));
    let got = seen(&rendered);
    assert_eq!(got.1, harmless.1, "{rendered}");
    for ((name, regex, found), (wanted_name, wanted_regex, wanted)) in got.0.iter().zip(&harmless.0) {
        assert_eq!((name, regex), (wanted_name, wanted_regex), "{rendered}");
        let inside = if *regex { format!("(?:{})", regex::escape(value)) } else { value.to_owned() };
        assert_eq!(*found, wanted.replace("harmless", &inside), "{rendered}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_value_changes_a_query(value in any::<String>()) {
        judge(&query(r#"x{a="{{ labels.v }}",b=~"y{{ labels.v }}"} > 1"#), &value);
    }

    #[test]
    fn every_matcher_is_read_back(name in "\\PC{1,12}", value in any::<String>()) {
        let matcher = Matcher { name, operator: Operator::NotEqual, value, regex: None };
        let again: Matcher = matcher.to_string().parse().expect("reads back");
        prop_assert_eq!((again.name, again.value), (matcher.name, matcher.value));
    }

    #[test]
    fn no_label_leaves_its_url_segment(value in any::<String>()) {
        let check = Check::Http { url: template("{{ vars.base }}/b/{{ labels.v }}/state"), status: 200 };
        let labels = labels(&[("v", &value)]);
        if let Some(Ok(url)) = within(&labels, |scope| check.url(scope)) {
            let inside = url.strip_prefix("http://maestro:8080/x/b/").and_then(|rest| rest.strip_suffix("/state"));
            prop_assert!(inside.is_some_and(|inside| !inside.contains(['/', '?', '#', ' ', '\\']) && inside != ".."), "{}", url);
        }
    }

    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = Template::parse(&text);
        let _ = Query::parse(&text);
        let _ = text.parse::<Matcher>();
        let _ = paramedic_policies::load::yaml::parse(&text);
    }
}

fn named() -> TargetSpec {
    TargetSpec::Named {
        kind: "Deployment".to_owned(),
        namespace: template("{{ labels.namespace }}"),
        name: template("{{ labels.deployment }}"),
    }
}

#[test]
fn a_target_is_named_by_kubernetes_names_only() {
    let good = labels(&[("namespace", "prod"), ("deployment", "web-1.api")]);
    let wanted =
        Target { kind: "Deployment".to_owned(), namespace: "prod".to_owned(), name: "web-1.api".to_owned() };
    assert_eq!(within(&good, |scope| named().sought(scope)), Ok(Sought::Named(wanted)));
    let spec = TargetSpec::OwnerOf {
        origin: Origin::Node,
        namespace: None,
        name: template("{{ labels.namespace }}"),
    };
    let wanted = Sought::OwnerOf { origin: Origin::Node, namespace: String::new(), name: "prod".to_owned() };
    assert_eq!(within(&good, |scope| spec.sought(scope)), Ok(wanted));

    let mut told = String::new();
    let long = "x".repeat(300);
    for bad in [
        "",
        "../kube-system",
        "Prod",
        "prod ",
        "prod\n",
        "a/b",
        "a.b",
        "-a",
        "prod\0",
        "prod\u{202e}",
        "*",
        "default;rm -rf",
        &long,
    ] {
        let labels = labels(&[("namespace", bad), ("deployment", "web")]);
        let reason = within(&labels, |scope| named().sought(scope)).expect_err("refused");
        assert!(matches!(&reason, Reason::BadValue { what, .. } if what == "namespace"), "{reason:?}");
        told.push_str(&format!("{reason}\n"));
    }
    let reason =
        within(&labels(&[("namespace", "prod"), ("deployment", "a_b")]), |scope| named().sought(scope));
    told.push_str(&format!("{}\n", reason.expect_err("refused")));
    insta::assert_snapshot!("bad_targets", told);
}

#[test]
fn a_breaker_is_one_segment() {
    let endpoints = Endpoints::Listed(vec!["http://a".to_owned()]);
    let reset = Remediation::ResetBreaker(reset_breaker::Written {
        breaker: template("{{ labels.breaker }}"),
        endpoints: endpoints.clone(),
    });
    let wish = |value: &str| within(&labels(&[("breaker", value)]), |scope| reset.wish(scope));
    for good in ["db", "payments-v2", "a.b_c", "PaymentService:charge"] {
        assert_eq!(
            wish(good),
            Ok(Wish::ResetBreaker(reset_breaker::Wish {
                breaker: good.to_owned(),
                endpoints: endpoints.clone()
            }))
        );
    }
    for bad in
        ["", ".", "..", "a/b", "../x", "a%2fb", "a b", "a?b", "a#b", "a\\b", "a\nb", "ä", &"x".repeat(254)]
    {
        assert!(wish(bad).is_err(), "{bad:?} should be refused");
    }
}

#[test]
fn a_url_keeps_its_host() {
    let url = |text: &str, value: &str| {
        let check = Check::Http { url: template(text), status: 200 };
        within(&labels(&[("v", value)]), |scope| check.url(scope)).expect("an http check")
    };
    assert_eq!(
        url("{{ vars.base }}/{{ labels.v }}", "a/../b?c=d#e f"),
        Ok("http://maestro:8080/x/a%2F..%2Fb%3Fc%3Dd%23e%20f".to_owned())
    );
    assert_eq!(
        url("http://{{ target.name }}.{{ target.namespace }}.svc:8080/healthz", "x"),
        Ok("http://web.prod.svc:8080/healthz".to_owned())
    );
    assert!(url("{{ vars.base }}/{{ labels.v }}/x", "..").is_err());
    assert!(url("http://{{ labels.v }}/x", "a@b").is_err());
    assert!(url("http://a/{{ labels.v }}", "").is_err());
}
