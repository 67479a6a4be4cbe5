//! `check`: problems of a broken set, all of them; and the guards of a good one.

use std::path::Path;

use super::{Ran, paramedic};

const GOOD: &str = r#"apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: cart-errors}
spec:
  description: Roll the pods, then add some.
  mode: enforce
  match: ['alertname="CartErrors"', 'severity=~"critical|page"']
  target: {kind: Deployment, namespace: "{{ labels.namespace }}", name: "{{ labels.deployment }}"}
  ladder:
    - restart: {}
      verify: {rollout: complete}
    - scale: {by: 2, max: 10}
      verify: {rollout: complete}
  guards:
    cooldown: 20m
    blastRadius: {unavailable: 30%}
"#;

const BROKEN: &str = r#"apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: cart-errors}
spec:
  mode: enforced
  match: ['alertname=CartErrors"']
  target: {kind: Deployment, namespace: "{{ label.namespace }}", name: web}
  ladder:
    - scale: {by: 2, maximum: 10}
  guards:
    cooldwon: 20m
"#;

fn check(files: &[(&str, &str)], more: &[&str]) -> Ran {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).expect("a file");
    }
    let path = dir.path().to_str().expect("UTF-8");
    let mut args = vec!["check", path];
    args.extend(more);
    let ran = paramedic(&args);
    let plain =
        |text: String| text.replace(&format!("{}/", Path::new(path).display()), "").replace(path, "DIR");
    Ran { code: ran.code, out: plain(ran.out), err: plain(ran.err) }
}

#[test]
fn a_good_set_shows_its_guards() {
    insta::assert_snapshot!(check(&[("cart.yaml", GOOD)], &[]));
}

#[test]
fn a_broken_set_shows_every_problem_at_once() {
    let same_name = GOOD.replace("CartErrors", "CartSlow");
    let ran = check(&[("a.yaml", BROKEN), ("b.yaml", &same_name)], &[]);
    assert_eq!(ran.code, 1);
    insta::assert_snapshot!(ran);
}

#[test]
fn programs_get_the_problems_as_data() {
    let ran = check(&[("a.yaml", BROKEN)], &["-o", "json"]);
    let data: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert!(data["problems"].as_array().is_some_and(|problems| problems.len() > 3), "{data}");
    assert_eq!(data["policies"], serde_json::json!([]));
}

#[test]
fn yaml_output_of_a_policy_loads_again() {
    let ran = check(&[("cart.yaml", GOOD)], &["-o", "yaml"]);
    insta::assert_snapshot!(ran.out);
    let parsed = paramedic_policies::load::yaml::parse(&ran.out);
    assert!(parsed.faults.is_empty(), "{:?}", parsed.faults);
    let data = parsed.documents[0].to_json();
    let policy = serde_json::to_string(&data["policies"][0]).expect("JSON");
    let again = check(&[("again.yaml", &policy)], &[]);
    assert_eq!(again.code, 0, "{again}");
}

const CONFIGURATION: &str = "apiVersion: paramedic.dev/v1alpha1
kind: Configuration
mode: enforce
cluster: {name: eu-1}
prometheus: {url: 'http://prometheus:9090'}
";

#[test]
fn a_configuration_is_shown_whole() {
    let dir = tempfile::tempdir().expect("a folder");
    let config = dir.path().join("paramedic.yaml");
    std::fs::write(&config, CONFIGURATION).expect("a file");
    let ran = check(&[("cart.yaml", GOOD)], &["--config", config.to_str().expect("UTF-8")]);
    let plain = |text: String| text.replace(dir.path().to_str().expect("UTF-8"), "CONFIG");
    insta::assert_snapshot!(Ran { code: ran.code, out: plain(ran.out), err: plain(ran.err) });
}

/// A mistake of the policy's own is not mended by a configuration.
#[test]
fn a_policy_that_names_no_endpoint_is_not_said_to_need_a_configuration() {
    let policy = GOOD.replace("restart: {}", "http: {path: /x}");
    assert_ne!(policy, GOOD);
    let ran = check(&[("cart.yaml", &policy)], &[]);
    assert!(ran.code == 1 && ran.out.contains("in the configuration"), "{ran}");
    assert!(!ran.err.contains("--config"), "{ran}");
}

/// The ready-made policies name what is different everywhere.
#[test]
fn policies_that_need_a_configuration_say_so_and_name_one() {
    let repository = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = |name: &str| repository.join(name).display().to_string();
    let ran = paramedic(&["check", &path("policies/maestro")]);
    let hint = ran.err.lines().last().expect("a hint");
    assert!(
        ran.code == 1 && hint.starts_with("hint: these policies use what a configuration sets"),
        "{hint}"
    );
    let example = hint.split_whitespace().find(|word| word.ends_with(".yaml")).expect("an example");
    let ran = paramedic(&["check", "--config", &path(example), &path("policies/maestro")]);
    assert_eq!(ran.code, 0, "{}", ran.err);
}

#[test]
fn a_broken_configuration_shows_every_problem_at_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let config = dir.path().join("paramedic.yaml");
    std::fs::write(&config, CONFIGURATION.replace("mode", "moed").replace("http://", "ftp://"))
        .expect("a file");
    let ran = paramedic(&["check", "--config", config.to_str().expect("UTF-8")]);
    assert_eq!(ran.code, 1, "{ran}");
    insta::assert_snapshot!(ran.to_string().replace(dir.path().to_str().expect("UTF-8"), "CONFIG"));
}

#[test]
fn a_folder_without_policies_is_no_good_set() {
    let ran = check(&[("README.md", "policies come here"), ("cart.yml.bak", GOOD)], &[]);
    assert_eq!(ran.code, 1, "{ran}");
    insta::assert_snapshot!(ran);
    assert_eq!(check(&[("empty.yaml", "# soon\n")], &[]).code, 1);
}

#[test]
fn token_files_are_read_as_serve_reads_them() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().expect("a folder");
    let path = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    for (name, text, mode) in [("ada", "0123456789abcdef-ada", 0o644), ("joe", "short", 0o600)] {
        std::fs::write(path(name), text).expect("a file");
        std::fs::set_permissions(path(name), std::fs::Permissions::from_mode(mode)).expect("ours");
    }
    let tokens: String = ["ada", "joe", "am"]
        .map(|name| format!("  - {{name: {name}, role: operate, file: {}}}\n", path(name)))
        .concat();
    std::fs::write(path("paramedic.yaml"), format!("{CONFIGURATION}tokens:\n{tokens}")).expect("a file");
    let ran = check(&[("cart.yaml", GOOD)], &["--config", &path("paramedic.yaml")]);
    assert_eq!(ran.code, 1, "{ran}");
    let plain = |text: &str| text.replace(dir.path().to_str().expect("UTF-8"), "CONFIG");
    let told = ran.out.split("cart-errors (").next().expect("what comes first");
    insta::assert_snapshot!(format!("{}----- stderr\n{}", plain(told), plain(&ran.err)));
    let ran = check(&[("cart.yaml", GOOD)], &["-o", "json", "--config", &path("paramedic.yaml")]);
    let data: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(data["tokenProblems"].as_array().map(Vec::len), Some(2), "{data}");
    assert_eq!(data["tokenWarnings"].as_array().map(Vec::len), Some(1), "{data}");
}

#[test]
fn an_address_that_strangers_reach_is_refused_without_tokens_as_serve_refuses_it() {
    let ran = check(&[("cart.yaml", GOOD)], &["--listen", "0.0.0.0:9911"]);
    assert_eq!(ran.code, 1, "{ran}");
    let told = ran.out.split("cart-errors (").next().expect("what comes first");
    insta::assert_snapshot!(format!("{told}----- stderr\n{}", ran.err));
    assert_eq!(check(&[("cart.yaml", GOOD)], &["--listen", "127.0.0.9:9911"]).code, 0);
}
