//! An account on the real API server that may do what `paramedic rbac` prints for a set of policies, and nothing else.
//! Every remediation is tried under it: a right that is forgotten fails its test.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, PostParams};
use paramedic_policies::action::Mode;
use paramedic_policies::book::{Book, Digest, Source, SourceFile};
use paramedic_policies::load;
use paramedic_policies::settings::Settings;
use paramedic_remediations::KubernetesEyes;
use paramedic_remediations::rights::{self, Account, Needers, Plurals, Right};
use paramedic_tests::control_plane::{ControlPlane, Namespace, User};
use paramedic_tests::waiting::eventually;
use serde_json::Value;

use super::stand::config;

/// A policy: its target and its ladder, as they are written. `NS` is the namespace of the test.
pub(crate) type Asks = (&'static str, &'static str);

/// A Deployment `web`.
pub(crate) const WEB: &str = "{kind: Deployment, namespace: NS, name: web}";

/// A workload of a kind, whatever its name.
macro_rules! any {
    ($kind:literal) => {
        concat!("{kind: ", $kind, ", namespace: NS, name: '{{ labels.name }}'}")
    };
}
pub(crate) use any;

/// The book of such policies.
pub(crate) fn book(namespace: &Namespace, policies: &[Asks]) -> Book {
    let one = |(index, (target, ladder)): (usize, &Asks)| {
        format!(
            "apiVersion: paramedic.dev/v1alpha1\nkind: RemediationPolicy\nmetadata: {{name: p{index}}}\nspec:\n  \
             mode: enforce\n  match: ['alertname=\"A{index}\"']\n  target: {target}\n  ladder: {ladder}\n"
        )
    };
    let text = policies.iter().enumerate().map(one).collect::<Vec<_>>().join("---\n");
    let files = vec![SourceFile { path: "policies.yaml".into(), text: text.replace("NS", &namespace.name) }];
    let settings = Settings { mode: Mode::Enforce, ..Settings::default() };
    load::book(Source { files, settings, tzdb: String::new() }).unwrap_or_else(|problems| {
        panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    })
}

/// Its account, made with exactly the printed roles; a configuration of a client that is it.
pub(crate) async fn account(
    cluster: &ControlPlane,
    namespace: &Namespace,
    policies: &[Asks],
) -> kube::Config {
    let rights = rights::of_book(&book(namespace, policies), &Plurals::new());
    account_with(cluster, &rights).await
}

/// An account with the roles of these rights.
pub(crate) async fn account_with(cluster: &ControlPlane, rights: &BTreeMap<Right, Needers>) -> kube::Config {
    let words: Vec<String> = rights.keys().map(ToString::to_string).collect();
    let digest = Digest::of(words.join("\n").as_bytes()).to_string();
    let name = format!("least-{}", &digest[..12]);
    let account = Account { namespace: "paramedic".into(), name: name.clone() };
    let printed = rights::manifest(rights, Mode::Enforce, &account);
    let parsed = load::yaml::parse(&printed);
    assert!(parsed.faults.is_empty(), "{:?}\n{printed}", parsed.faults);
    let admin = cluster.client(User::Admin).await;
    for document in &parsed.documents {
        apply(&admin, document.to_json()).await;
    }
    let mut config = config(cluster, User::Admin).await;
    config.auth_info.impersonate = Some(format!("system:serviceaccount:paramedic:{name}"));
    let eyes = KubernetesEyes::new(config.clone()).expect("a client");
    for right in rights.keys() {
        // The API server learns of its own roles by a watch.
        eventually(Duration::from_secs(20), "the right is in force", async || match eyes.may(right).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(format!("{right} is not allowed by\n{printed}")),
            Err(error) => Err(error.to_string()),
        })
        .await;
    }
    config
}

async fn apply(admin: &kube::Client, object: Value) {
    let kind = object["kind"].as_str().expect("it has a kind").to_owned();
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("rbac.authorization.k8s.io", "v1", &kind));
    let api: Api<DynamicObject> = match object["metadata"]["namespace"].as_str() {
        Some(namespace) => Api::namespaced_with(admin.clone(), namespace, &resource),
        None => Api::all_with(admin.clone(), &resource),
    };
    let object: DynamicObject = serde_json::from_value(object).expect("what is printed is an object");
    match api.create(&PostParams::default(), &object).await {
        Ok(_) => {}
        // Another test of the same rights came first.
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        Err(error) => panic!("the printed {kind} was refused: {error}"),
    }
}
