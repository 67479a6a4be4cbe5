//! Freezes that reach Argo CD and Flux on a real API server. Neither controller runs here: AppProject, Kustomization and
//! HelmRelease are minimal definitions of our own, with the published schema of the fields that are touched.

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use paramedic_policies::action::{DiffSource, Intent, Mode, Wish};
use paramedic_policies::event::Seq;
use paramedic_policies::remediation::freeze_deploys;
use paramedic_policies::remediation::freeze_deploys::reach::{Gate, Reached};
use paramedic_policies::time::Span;
use paramedic_remediations::ports::halt::Halt;
use paramedic_remediations::ports::world::World;
use paramedic_tests::control_plane::{ControlPlane, Namespace, User};
use paramedic_tests::paramedic::command;
use paramedic_tests::waiting::eventually;
use serde_json::{Value, json};

use super::least::{Asks, WEB};
use super::stand::{intent, kubernetes, preflight, sealed, stamp, target, world};

const POLICIES: [Asks; 1] = [(
    WEB,
    "[{freezeDeploys: {for: 1h, argoCd: [{namespace: NS, project: shop}], \
     flux: [{kind: Kustomization, namespace: NS, name: shop}, {kind: HelmRelease, namespace: NS, name: shop}]}}]",
)];

const SOON: Duration = Duration::from_secs(30);

fn definition(group: &str, version: &str, plural: &str, kind: &str, spec: Value) -> Value {
    let text = json!({"type": "string"});
    let schema = json!({"type": "object", "properties": {
        "apiVersion": text, "kind": text, "metadata": {"type": "object"}, "spec": spec,
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {"group": group, "scope": "Namespaced",
            "names": {"kind": kind, "listKind": format!("{kind}List"), "plural": plural,
                "singular": kind.to_lowercase()},
            "versions": [{"name": version, "served": true, "storage": true,
                "schema": {"openAPIV3Schema": schema}}]},
    })
}

/// As Argo CD 3 publishes these fields.
fn app_projects() -> Value {
    let (text, flag) = (json!({"type": "string"}), json!({"type": "boolean"}));
    let texts = json!({"type": "array", "items": text});
    let window = json!({"type": "object", "properties": {
        "kind": text, "schedule": text, "duration": text, "applications": texts, "namespaces": texts,
        "clusters": texts, "manualSync": flag, "timeZone": text, "andOperator": flag, "description": text}});
    let spec = json!({"type": "object", "properties": {
        "sourceRepos": texts, "syncWindows": {"type": "array", "items": window}}});
    definition("argoproj.io", "v1alpha1", "appprojects", "AppProject", spec)
}

/// As Flux 2 publishes these fields.
fn kustomizations() -> Value {
    let text = json!({"type": "string"});
    let spec = json!({"type": "object", "properties": {
        "interval": text, "path": text, "prune": {"type": "boolean"}, "suspend": {"type": "boolean"}}});
    definition("kustomize.toolkit.fluxcd.io", "v1", "kustomizations", "Kustomization", spec)
}

/// The same of a HelmRelease.
fn helm_releases() -> Value {
    let text = json!({"type": "string"});
    let spec = json!({"type": "object", "properties": {
        "interval": text, "releaseName": text, "suspend": {"type": "boolean"}}});
    definition("helm.toolkit.fluxcd.io", "v2", "helmreleases", "HelmRelease", spec)
}

/// What a freeze reaches, in one namespace: a project, a Kustomization and a HelmRelease called `shop`.
pub(crate) struct Delivery {
    pub(crate) projects: Api<DynamicObject>,
    pub(crate) reconciled: Api<DynamicObject>,
    pub(crate) released: Api<DynamicObject>,
}

/// A window that somebody else has written.
pub(crate) fn own_window() -> Value {
    json!({"kind": "allow", "schedule": "0 8 * * *", "duration": "8h", "applications": ["*"]})
}

/// Makes them.
pub(crate) async fn delivery(cluster: &ControlPlane, shop: &Namespace) -> Delivery {
    let admin = cluster.client(User::Admin).await;
    let by = PatchParams::apply("tests").force();
    let definitions = Api::<CustomResourceDefinition>::all(admin.clone());
    for definition in [app_projects(), kustomizations(), helm_releases()] {
        let name = definition["metadata"]["name"].as_str().expect("it has one").to_owned();
        definitions.patch(&name, &by, &Patch::Apply(&definition)).await.expect("a definition can be made");
    }
    let api = |group: &str, version: &str, kind: &str| -> Api<DynamicObject> {
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        Api::namespaced_with(admin.clone(), &shop.name, &kind)
    };
    let object = |version: &str, kind: &str, spec: Value| json!({"apiVersion": version, "kind": kind, "metadata": {"name": "shop"}, "spec": spec});
    let all = Delivery {
        projects: api("argoproj.io", "v1alpha1", "AppProject"),
        reconciled: api("kustomize.toolkit.fluxcd.io", "v1", "Kustomization"),
        released: api("helm.toolkit.fluxcd.io", "v2", "HelmRelease"),
    };
    let made = [
        (
            &all.projects,
            object(
                "argoproj.io/v1alpha1",
                "AppProject",
                json!({"sourceRepos": ["*"], "syncWindows": [own_window()]}),
            ),
        ),
        (
            &all.reconciled,
            object(
                "kustomize.toolkit.fluxcd.io/v1",
                "Kustomization",
                json!({"interval": "5m", "path": "./shop", "prune": true}),
            ),
        ),
        // Somebody has written that it is not suspended: that is what it gets back.
        (
            &all.released,
            object("helm.toolkit.fluxcd.io/v2", "HelmRelease", json!({"interval": "5m", "suspend": false})),
        ),
    ];
    for (api, object) in made {
        eventually(SOON, "it is served", async || {
            let made = api.patch("shop", &by, &Patch::Apply(&object)).await;
            made.map(drop).map_err(|error| error.to_string())
        })
        .await;
    }
    all
}

/// What such an object wants.
pub(crate) async fn spec(api: &Api<DynamicObject>) -> Value {
    api.get("shop").await.expect("it is there").data["spec"].clone()
}

#[tokio::test]
async fn a_freeze_reaches_argo_cd_and_flux_and_is_taken_back_exactly() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("reach").await;
    shop.deployment("web", 1).await;
    let Delivery { projects, reconciled, released } = delivery(cluster, &shop).await;
    let own = own_window();
    let was = [spec(&projects).await, spec(&reconciled).await, spec(&released).await];

    let world = world(&kubernetes(cluster, &shop, &POLICIES).await);
    let web = target(&shop, "Deployment", "web");
    let reached = |gate| Reached { gate, namespace: shop.name.clone(), name: "shop".into() };
    let wish = |hours: u64| {
        Wish::FreezeDeploys(freeze_deploys::Wish {
            namespaces: vec![shop.name.clone()],
            lasts: Span::from_hours(hours),
            reason: Some("a test".into()),
            break_glass: "break-glass".into(),
            reach: vec![reached(Gate::ArgoCd), reached(Gate::Kustomization), reached(Gate::HelmRelease)],
        })
    };
    let found = preflight(&world, &web, wish(2), true).await;
    assert_eq!(found.diff.as_ref().map(|diff| &diff.source), Some(&DiffSource::ServerDryRun), "{found:?}");
    let planned = intent(171, &web, &found);
    let rehearsed =
        world.perform(&sealed(Intent { mode: Mode::DryRun, ..planned.clone() }), &Halt::never()).await;
    assert_eq!(rehearsed.name(), "done", "{rehearsed:?}");
    assert_eq!(spec(&projects).await, was[0], "a rehearsal changes nothing");
    let seal = sealed(planned);
    let outcome = world.perform(&seal, &Halt::never()).await;
    assert_eq!(outcome.name(), "done", "{outcome:?}");
    let windows = spec(&projects).await["syncWindows"].clone();
    assert_eq!((windows.as_array().map(Vec::len), &windows[0]), (Some(2), &own), "appended: {windows}");
    assert_eq!((&windows[1]["kind"], &windows[1]["namespaces"]), (&json!("deny"), &json!([shop.name])));
    assert_eq!(spec(&reconciled).await["suspend"], true);
    assert_eq!(spec(&released).await["suspend"], true);
    let marks = projects.get("shop").await.expect("it is there").metadata.annotations.unwrap_or_default();
    assert!(marks.contains_key(&format!("freeze.paramedic.dev/{}", stamp(171))), "{marks:?}");
    assert_eq!(world.perform(&seal, &Halt::never()).await.name(), "done");
    assert_eq!(world.close(&seal).await.name(), "done");
    assert_eq!(spec(&projects).await["syncWindows"], windows, "the same intent again appends nothing");
    assert!(preflight(&world, &web, wish(1), false).await.already);

    let found = preflight(&world, &web, Wish::Revert(seal.action.clone()), false).await;
    let back = sealed(Intent { id: Seq(172), reverts: Some(Seq(171)), ..intent(172, &web, &found) });
    let outcome = world.perform(&back, &Halt::never()).await;
    assert_eq!(outcome.name(), "done", "{outcome:?}");
    let is = [spec(&projects).await, spec(&reconciled).await, spec(&released).await];
    assert_eq!(is, was, "taken back exactly");
    assert_eq!(world.perform(&back, &Halt::never()).await.name(), "done");

    // Two freezes, and whoever made them is gone: a clean-up ends both.
    for (id, hours) in [(173, 1), (174, 3)] {
        let found = preflight(&world, &web, wish(hours), false).await;
        let outcome = world.perform(&sealed(intent(id, &web, &found)), &Halt::never()).await;
        assert_eq!(outcome.name(), "done", "{outcome:?}");
    }
    assert_eq!(spec(&projects).await["syncWindows"].as_array().map(Vec::len), Some(3));
    let administrator = cluster.kubeconfig(User::Admin).display().to_string();
    let said =
        command(&["cleanup", "--kubeconfig", &administrator, "--namespace", &shop.name, "--yes"]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!([spec(&projects).await, spec(&reconciled).await, spec(&released).await], was);
}
