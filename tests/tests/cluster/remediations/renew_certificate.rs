//! Renewals on a real API server. cert-manager itself does not run here: its Certificate is a minimal definition of our
//! own, with the published schema of the fields that are touched, and the test plays what its controller writes.

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use paramedic_policies::action::{DiffSource, Intent, Mode, Outcome, Wish};
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::renew_certificate::{self, CERTIFICATE};
use paramedic_remediations::ports::halt::Halt;
use paramedic_remediations::ports::world::World;
use paramedic_tests::control_plane::{ControlPlane, User};
use paramedic_tests::waiting::eventually;
use serde_json::{Value, json};

use super::least::Asks;
use super::stand::{intent, kubernetes, preflight, sealed, stamp, target, words, world};

const POLICIES: [Asks; 1] =
    [("{kind: Certificate.cert-manager.io, namespace: NS, name: web-tls}", "[{renewCertificate: {}}]")];

/// The definition, as cert-manager 1.18 publishes these fields.
fn definition() -> Value {
    let text = json!({"type": "string"});
    let time = json!({"type": "string", "format": "date-time"});
    let condition = json!({"type": "object", "required": ["status", "type"], "properties": {
        "type": text, "status": {"type": "string", "enum": ["True", "False", "Unknown"]}, "reason": text,
        "message": text, "observedGeneration": {"type": "integer", "format": "int64"},
        "lastTransitionTime": time,
    }});
    let status = json!({"type": "object", "properties": {
        "conditions": {"type": "array", "items": condition,
            "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        "revision": {"type": "integer"}, "notBefore": time, "notAfter": time, "renewalTime": time,
        "lastFailureTime": time, "failedIssuanceAttempts": {"type": "integer"},
        "nextPrivateKeySecretName": text,
    }});
    let issuer = json!({"type": "object", "required": ["name"], "properties": {
        "name": text, "kind": text, "group": text}});
    let spec = json!({"type": "object", "required": ["issuerRef", "secretName"], "properties": {
        "issuerRef": issuer, "secretName": text, "dnsNames": {"type": "array", "items": text}}});
    let schema = json!({"type": "object", "properties": {
        "apiVersion": text, "kind": text, "metadata": {"type": "object"}, "spec": spec, "status": status}});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "certificates.cert-manager.io"},
        "spec": {"group": "cert-manager.io", "scope": "Namespaced",
            "names": {"kind": "Certificate", "listKind": "CertificateList", "plural": "certificates",
                "singular": "certificate"},
            "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": schema}}]},
    })
}

#[tokio::test]
async fn a_certificate_is_renewed_by_its_status_and_its_new_end_is_told() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let shop = cluster.namespace("renew").await;
    let admin = cluster.client(User::Admin).await;
    let by = PatchParams::apply("tests").force();
    Api::<CustomResourceDefinition>::all(admin.clone())
        .patch("certificates.cert-manager.io", &by, &Patch::Apply(definition()))
        .await
        .expect("a definition can be made");
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("cert-manager.io", "v1", "Certificate"));
    let certificates: Api<DynamicObject> = Api::namespaced_with(admin, &shop.name, &kind);
    let object = json!({"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": {"name": "web-tls"},
        "spec": {"secretName": "web-tls", "issuerRef": {"name": "ca"}, "dnsNames": ["web.example"]}});
    eventually(Duration::from_secs(20), "Certificates are served", async || {
        let made = certificates.patch("web-tls", &by, &Patch::Apply(&object)).await;
        made.map(drop).map_err(|error| error.to_string())
    })
    .await;
    let controller = PatchParams { field_manager: Some("cert-manager".into()), ..PatchParams::default() };
    let writes = async |status: Value| {
        let status = Patch::Merge(json!({"status": status}));
        certificates.patch_status("web-tls", &controller, &status).await.expect("a status can be written");
    };
    let ready = json!({"type": "Ready", "status": "True", "reason": "Ready", "observedGeneration": 1});
    writes(json!({"revision": 1, "notAfter": "2026-12-01T00:00:00Z", "conditions": [ready]})).await;

    let kubernetes = kubernetes(cluster, &shop, &POLICIES).await;
    let (world, target) = (world(&kubernetes), target(&shop, CERTIFICATE, "web-tls"));
    let wish = || Wish::RenewCertificate(renew_certificate::Wish {});
    let found = preflight(&world, &target, wish(), true).await;
    assert_eq!(words(found.action.as_ref()), "renew revision 1 that ends 2026-12-01T00:00:00Z", "{found:?}");
    assert_eq!(found.diff.as_ref().map(|diff| &diff.source), Some(&DiffSource::ServerDryRun));
    let renewing = intent(121, &target, &found);
    let rehearsed =
        world.perform(&sealed(Intent { mode: Mode::DryRun, ..renewing.clone() }), &Halt::never()).await;
    assert!(matches!(rehearsed, Outcome::Done { .. }), "{rehearsed:?}");

    let seal = sealed(renewing);
    let plays = async {
        let issuing = eventually(Duration::from_secs(20), "it is asked for", async || {
            let object = certificates.get("web-tls").await.map_err(|error| error.to_string())?;
            let status = object.data["status"].clone();
            let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
            let issuing = conditions.into_iter().find(|one| one["type"] == "Issuing");
            issuing.ok_or_else(|| status.to_string())
        })
        .await;
        assert_eq!((&issuing["status"], &issuing["reason"]), (&json!("True"), &json!("ManuallyTriggered")));
        assert!(
            issuing["message"].as_str().is_some_and(|message| message.ends_with(&stamp(121))),
            "{issuing}"
        );
        let busy = preflight(&world, &target, wish(), false).await;
        assert_eq!(busy.refusals.iter().map(Reason::name).collect::<Vec<_>>(), ["rollingOut"]);
        let issued =
            json!({"type": "Issuing", "status": "False", "reason": "Issued", "observedGeneration": 1});
        writes(json!({"revision": 2, "notAfter": "2027-03-01T00:00:00Z", "conditions": [ready, issued]}))
            .await;
    };
    let halt = Halt::never();
    let (outcome, ()) = tokio::join!(world.perform(&seal, &halt), plays);
    let Outcome::Done { diff: Some(diff), already: false } = &outcome else {
        panic!("not done: {outcome:?}")
    };
    let fields: Vec<_> = diff.fields.iter().map(|one| (one.before.as_str(), one.after.as_str())).collect();
    assert_eq!(fields, [("1", "2"), ("2026-12-01T00:00:00Z", "2027-03-01T00:00:00Z")]);
    assert_eq!(
        world.perform(&seal, &Halt::never()).await,
        outcome,
        "the same intent again asks for no second one"
    );
    assert_eq!(world.close(&seal).await, outcome);
    let object = certificates.get("web-tls").await.expect("it is there");
    assert_eq!(object.data["status"]["revision"], json!(2));
}
