//! A proposal waits for a person: nothing happens before, exactly the approved after.

use std::time::Duration;

use paramedic_tests::alertmanager::Release;
use paramedic_tests::scratch::Scratch;
use paramedic_tests::story::{event, only, tells};
use paramedic_tests::tls;
use paramedic_tests::waiting::{eventually, seen, stays};
use serde_json::{Value, json};

use super::{Patient, QUICK, SOON};

const POLICY: &str = r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: ask-first}
spec:
  mode: enforce
  match: ['alertname="HighErrorRate"']
  target: {kind: Deployment, namespace: "{{ labels.namespace }}", name: "{{ labels.deployment }}"}
  ladder:
    - restart: {}
      verify: {rollout: complete, settle: 1s, hold: 1s, within: 1m, every: 1s}
"#;

const SENDERS: &str = "token-of-the-alertmanager";
const READERS: &str = "token-of-the-dashboards";
const ADAS: &str = "token-of-ada-the-operator";

/// Alertmanager sends its token from a file, and only a person with the role may approve, by name.
#[tokio::test]
async fn a_proposal_waits_for_a_person_who_stands_in_the_record() {
    let Some(patient) = Patient::healthy("approving").await else { return };
    let folder = Scratch::new("tokens");
    let mut tokens = String::from("tokens:\n");
    let mut senders = folder.path().to_owned();
    for (name, role, token) in
        [("alertmanager", "ingest", SENDERS), ("dashboards", "read", READERS), ("ada", "operate", ADAS)]
    {
        let file = folder.write(name, token);
        tokens.push_str(&format!("  - {{name: {name}, role: {role}, file: {}}}\n", file.display()));
        if role == "ingest" {
            senders = file;
        }
    }
    let plan = patient
        .chain(Release::Newest, POLICY)
        .await
        .alertmanager(|plan| plan.token_file(&senders))
        .paramedic(|plan| plan.config(&format!("{QUICK}{tokens}")).mode("approve"));
    let Some(chain) = plan.start(&patient.service).await else { return };
    let url = chain.paramedic.url();
    let get = async |path: &str| -> Value {
        let asked = tls::http().get(format!("{url}{path}")).bearer_auth(READERS).send().await;
        asked.expect("an answer").json().await.expect("JSON")
    };
    let approve = async |proposal: &Value, token: &str| -> (u16, Value) {
        let path = format!("{url}/api/v1/proposals/{proposal}/approve");
        let body = json!({"comment": "the deploy is innocent"});
        let answer = tls::http().post(path).bearer_auth(token).json(&body).send().await.expect("an answer");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    };

    // Nobody without a token, and nobody with another role, reaches anything.
    let unsigned = tls::http().post(chain.paramedic.webhook_url()).json(&json!({"alerts": []})).send().await;
    assert_eq!(unsigned.expect("an answer").status(), 401);
    let reading = tls::http().post(chain.paramedic.webhook_url()).bearer_auth(READERS).send().await;
    assert_eq!(reading.expect("an answer").status(), 403);

    let before = patient.web().await;
    patient.errors(0.2);
    let proposal = eventually(SOON, "a proposal", async || {
        let listed = get("/api/v1/proposals").await;
        let first = listed["items"][0].clone();
        seen(first.is_object(), || listed.to_string()).map(|()| first)
    })
    .await;
    assert_eq!((&proposal["policy"], &proposal["alert"]), (&json!("ask-first"), &json!("HighErrorRate")));
    stays(Duration::from_secs(2), "nothing happens before it is approved", async || {
        let now = patient.web().await;
        seen(now == before, || now.to_string())
    })
    .await;

    let (status, refused) = approve(&proposal["id"], READERS).await;
    assert_eq!(status, 403, "{refused}");
    let (status, approved) = approve(&proposal["id"], ADAS).await;
    assert_eq!(status, 200, "{approved}");
    let episode = format!("/api/v1/records?episode={}", proposal["episode"]);
    let story = eventually(SOON, "the case rests", async || {
        let page = get(&episode).await;
        let records = page["items"].as_array().cloned().unwrap_or_default();
        let rests = records.iter().any(|record| record["event"]["kind"] == "concluded");
        seen(rests, || page.to_string()).map(|()| records)
    })
    .await;
    tells(
        &story,
        &[
            event("opened", json!({})),
            event(
                "ruled",
                json!({"ruling": {
                    "verdict": {"is": "propose"},
                    "mode": {"wanted": "enforce", "is": "approve", "cappedBy": "daemon"},
                }}),
            ),
            event("approved", json!({"by": "ada", "comment": "the deploy is innocent"})),
            event("ruled", json!({"ruling": {"verdict": {"is": "act"}}})),
            event("intended", json!({"intent": {"approvedBy": "ada", "mode": "approve"}})),
            event("ended", json!({"outcome": {"done": {"already": false}}})),
            event("verified", json!({"verdict": "helped"})),
            event("concluded", json!({"conclusion": "helped"})),
        ],
    );
    only(&story, "intended");
    let web = patient.shop.rolled_out("Deployment", "web").await;
    assert_eq!(web["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "2");
    let received = get("/api/v1/records?kind=received").await;
    assert_eq!(received["items"][0]["event"]["sender"], "alertmanager");

    // What is done cannot be approved again.
    let (status, again) = approve(&proposal["id"], ADAS).await;
    assert_eq!(status, 409, "{again}");
}
