//! What each broken configuration is told, and that the written defaults are the real ones.

use super::*;

mod reference;

const HEAD: &str = "apiVersion: paramedic.dev/v1alpha1\nkind: Configuration\n";

fn with(text: &str) -> Result<Configuration, Problems> {
    read(&format!("{HEAD}{text}"), "config.yaml")
}

#[test]
fn an_empty_configuration_is_the_default() {
    assert_eq!(with(""), Ok(Configuration::default()));
}

#[test]
fn the_printed_whole_is_read_back_as_the_same() {
    let whole =
        with("mode: enforce\nvars: {zone: a}\nretention: {size: 5GiB}\nprometheus: {url: 'http://p:9090'}");
    let whole = whole.expect("valid");
    let printed = serde_json::to_string(&whole.printed()).expect("plain data");
    assert_eq!(read(&printed, "printed"), Ok(whole));
}

#[test]
fn the_example_of_the_page_about_telling_people_is_valid() {
    let page = include_str!("../../../ops/docs/notifications.md");
    let example = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("one");
    let read = read(example, "notifications.md").expect("valid");
    assert_eq!((read.notifications.receivers.len(), read.notifications.routes.len()), (4, 3));
}

#[test]
fn what_is_protected_in_addition_takes_no_protection_away() {
    let more = "guards: {protected: {namespaces: [payments], labels: [tier=gold, k8s-app=cilium]}}";
    let printed = serde_json::to_value(with(more).expect("valid").printed()).expect("plain data");
    let protected = &printed["guards"]["protected"];
    let built_in =
        serde_json::to_value(paramedic_policies::settings::Protected::default()).expect("plain data");
    let and = |key: &str, one: &str| {
        let mut all = built_in[key].as_array().expect("a list").clone();
        all.push(one.into());
        serde_json::Value::Array(all)
    };
    assert_eq!(protected["namespaces"], and("namespaces", "payments"));
    assert_eq!(protected["labels"], and("labels", "tier=gold"), "k8s-app=cilium is there already");
}

#[test]
fn getting_started_leaves_nobody_out_whom_its_policy_names() {
    use paramedic_policies::book::{Source, SourceFile};
    let page = include_str!("../../../ops/docs/getting-started.md");
    let mut examples = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let (policy, configuration) =
        (examples.next().expect("a policy"), examples.next().expect("a configuration"));
    let told = |settings| {
        let files = vec![SourceFile { path: "web-errors.yaml".to_owned(), text: policy.to_owned() }];
        let problems =
            paramedic_policies::load::check(Source { files, settings, tzdb: String::new() }).problems;
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let configuration = read(configuration, "getting-started.md").expect("valid");
    assert_eq!(told(configuration.settings()), "");
    let without = told(Configuration::default().settings());
    assert!(without.contains("warning: there is no receiver `sre-pager`: it will not be told"), "{without}");
}

#[test]
fn a_fresh_install_touches_nothing_and_serves_this_machine() {
    let fresh = Configuration::default();
    assert_eq!(fresh.mode, Mode::DryRun);
    assert_eq!((fresh.listen.as_str(), fresh.admin_listen.as_str()), ("127.0.0.1:9911", "127.0.0.1:9912"));
    assert!(fresh.redaction.enabled);
    assert!(fresh.guards.confirmation);
}

#[test]
fn broken_configurations_say_what_is_wrong_and_where() {
    let cases = [
        ("unknown key", "polices: [a]"),
        ("unknown key inside", "prometheus: {urls: 'http://p'}"),
        ("unknown guard", "guards: {storm: {alertsPerHour: 3}}"),
        ("wrong type", "policies: a.yaml"),
        ("wrong mode", "mode: enforced"),
        ("wrong duration", "prometheus: {timeout: 10 moons}"),
        ("duration as a number", "retention: {age: 90}"),
        ("wrong size", "retention: {size: big}"),
        ("tiny partition", "retention: {partition: 1s}"),
        ("listen without a port", "listen: localhost"),
        ("listen on a name", "listen: localhost:9911"),
        ("admin port too large", "adminListen: 127.0.0.1:99111"),
        ("URL without a scheme", "prometheus: {url: prometheus}"),
        ("URL with a password", "prometheus: {url: 'http://a:b@p:9090'}"),
        ("ftp", "prometheus: {url: 'ftp://p'}"),
        ("a secret in a header", "prometheus: {headers: {Authorization: Bearer x}}"),
        ("a bad header", "prometheus: {headers: {'a b': x}}"),
        ("an endpoint without a URL", "endpoints: {dlq: {headers: {}}}"),
        ("an endpoint with a password", "endpoints: {dlq: {url: 'http://a:b@dlq'}}"),
        (
            "a secret in an endpoint's header",
            "endpoints: {dlq: {url: 'http://d', headers: {Authorization: x}}}",
        ),
        (
            "an endpoint's header without a file",
            "endpoints: {dlq: {url: 'http://d', headers: {X-Key: {path: f}}}}",
        ),
        ("an endpoint's name", "endpoints: {'d/q': {url: 'http://d'}}"),
        ("a receiver without a way", "notifications: {receivers: {sre: {}}}"),
        (
            "a Slack URL in clear",
            "notifications: {receivers: {sre: {slack: {url: 'https://hooks.slack.com/x'}}}}",
        ),
        ("a route to nobody", "notifications: {routes: [{notify: [ghost]}]}"),
        ("an hour that is none", "notifications: {routes: [{schedule: [9-17], notify: [ghost]}]}"),
        ("token without a role", "tokens: [{name: a, file: f}]"),
        ("token with a wrong role", "tokens: [{name: a, role: admin, file: f}]"),
        ("token named anonymous", "tokens: [{name: anonymous, role: read, file: f}]"),
        ("token twice", "tokens: [{name: a, role: read, file: f}, {name: a, role: read, file: g}]"),
        ("token in clear", "tokens: [{name: a, role: read, token: abc}]"),
        ("log format", "log: {format: xml}"),
        ("log level", "log: {level: 'info,=,'}"),
        ("vars that are no text", "vars: {zones: [a]}"),
        ("twice", "mode: enforce\nmode: approve"),
        ("anchors", "vars: &a {x: y}"),
        ("not YAML", "listen: [1"),
        ("several problems", "lisen: x\nmode: all\nretention: {age: 5}"),
    ];
    let table: Vec<String> = cases
        .iter()
        .map(|(name, text)| {
            let problems = with(text).err().unwrap_or_else(|| panic!("{name} was read"));
            format!("# {name}\n{problems}")
        })
        .collect();
    let whole = [
        ("empty", ""),
        ("another kind", "apiVersion: paramedic.dev/v1alpha1\nkind: RemediationPolicy\n"),
        ("another version", "apiVersion: paramedic.dev/v2\nkind: Configuration\n"),
        ("no version", "kind: Configuration\n"),
        ("two documents", "kind: Configuration\n---\nkind: Configuration\n"),
        ("a list", "- kind: Configuration\n"),
    ];
    let more = whole.iter().map(|(name, text)| {
        let problems = read(text, "config.yaml").err().unwrap_or_else(|| panic!("{name} was read"));
        format!("# {name}\n{problems}")
    });
    insta::assert_snapshot!(table.into_iter().chain(more).collect::<Vec<_>>().join("\n\n"));
}
