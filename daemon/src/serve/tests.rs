//! Starts that are refused, starts that fall back, and stopping in order: a whole daemon in this process, without a
//! cluster.

use std::path::PathBuf;

use paramedic_policies::time::Moment;
use serde_json::{Value, json};

use super::*;
use crate::http::tokens::{Role, TokenFile};

mod peers;
mod reloading;

const POLICY: &str = r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: restart-web}
spec:
  match: ['alertname="WebDown"']
  target: {kind: Deployment, namespace: "{{ labels.namespace }}", name: web}
  ladder:
    - restart: {}
"#;

struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        std::fs::create_dir(folder.path().join("policies")).expect("a folder can be made");
        let home = Self { folder };
        home.write("policies/web.yaml", POLICY);
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("a file can be written");
    }

    fn configuration(&self) -> Configuration {
        let mut configuration = Configuration {
            listen: "127.0.0.1:0".to_owned(),
            admin_listen: "127.0.0.1:0".to_owned(),
            data_dir: self.path("data"),
            policies: vec![self.path("policies")],
            ..Configuration::default()
        };
        configuration.kubernetes.enabled = false;
        configuration
    }

    async fn start(&self) -> anyhow::Result<Daemon> {
        Plan::new(self.configuration()).start().await
    }
}

async fn get(address: SocketAddr, path: &str) -> (u16, Value) {
    let answer = reqwest::get(format!("http://{address}{path}")).await.expect("it answers");
    let status = answer.status().as_u16();
    (status, answer.json().await.expect("JSON"))
}

#[tokio::test]
async fn a_daemon_takes_alerts_stops_and_remembers() {
    let home = Home::new();
    let daemon = home.start().await.expect("it starts");
    let body =
        json!({"alerts": [{"status": "firing", "labels": {"alertname": "WebDown", "namespace": "prod"}}]});
    let url = format!("http://{}/webhook/alertmanager", daemon.public);
    let client = reqwest::Client::new();
    let answer =
        client.post(&url).header("X-Correlation-Id", "c-7").json(&body).send().await.expect("it answers");
    assert_eq!(answer.headers()["x-correlation-id"], "c-7");
    assert_eq!(answer.status(), 200);
    assert_eq!(get(daemon.admin, "/readyz").await.0, 200);
    daemon.stop().await.expect("it stops");
    assert!(client.post(&url).json(&body).send().await.is_err(), "nobody listens any more");
    let daemon = home.start().await.expect("it starts again");
    let (_, page) = get(daemon.public, "/api/v1/records?kind=opened").await;
    assert_eq!(page["items"][0]["event"]["correlation"], json!("c-7"), "{page}");
    let (_, policies) = get(daemon.public, "/api/v1/policies").await;
    let items = policies["items"].as_array().expect("a list");
    assert!(items.iter().any(|policy| policy["name"] == json!("restart-web")), "{policies}");
    daemon.stop().await.expect("it stops");
}

#[tokio::test]
async fn an_open_stream_does_not_hold_up_the_end() {
    let home = Home::new();
    let daemon = home.start().await.expect("it starts");
    let stream = reqwest::get(format!("http://{}/api/v1/stream", daemon.public)).await.expect("it answers");
    let stopped = tokio::time::timeout(Duration::from_secs(8), daemon.stop()).await;
    stopped.expect("in time").expect("it stops");
    stream.bytes().await.expect("the stream ended well");
}

#[tokio::test]
async fn broken_policies_end_the_first_start_and_fall_back_later() {
    let home = Home::new();
    home.write("policies/web.yaml", "kind: [");
    let error = home.start().await.err().expect("nothing to fall back on");
    let error = format!("{error:#}");
    assert!(error.contains("web.yaml:") && error.contains("hint: repair the files"), "{error}");
    home.write("policies/web.yaml", POLICY);
    home.start().await.expect("it starts").stop().await.expect("it stops");
    home.write("policies/web.yaml", "kind: [");
    let daemon = home.start().await.expect("it falls back");
    let (status, detail) = get(daemon.admin, "/readyz").await;
    assert_eq!((status, &detail["book"]["from"]), (200, &json!("journal")), "{detail}");
    assert!(detail["book"]["broken"]["problems"][0].is_string(), "{detail}");
    assert_eq!(detail["book"]["policies"], json!(1));
    daemon.stop().await.expect("it stops");
}

#[tokio::test]
async fn an_empty_folder_is_no_wish_to_have_no_policies() {
    let home = Home::new();
    let empty = || std::fs::remove_file(home.path("policies/web.yaml")).expect("it is there");
    empty();
    home.write("policies/web.YAML", POLICY);
    let error = format!("{:#}", home.start().await.err().expect("nothing to fall back on"));
    for wanted in ["there is no policy (hint: ", "web.YAML", "neither in `.yaml` nor in `.yml`"] {
        assert!(error.contains(wanted), "{wanted}: {error}");
    }
    // Without the flag it is one.
    let without = Configuration { policies: Vec::new(), ..home.configuration() };
    let daemon = Plan::new(without).start().await.expect("it starts");
    assert_eq!(get(daemon.admin, "/readyz").await.1["book"]["policies"], json!(0));
    daemon.stop().await.expect("it stops");
    // An empty book in the journal is nothing to fall back on.
    let error = format!("{:#}", home.start().await.err().expect("nothing to fall back on"));
    assert!(error.contains("there is no policy in them"), "{error}");
    home.write("policies/web.yaml", POLICY);
    let daemon = home.start().await.expect("it starts");
    empty();
    let problems = daemon.reloads.now("jane").await.expect_err("it is empty");
    assert!(problems[0].contains("there is no policy"), "{problems:?}");
    let (status, detail) = get(daemon.admin, "/readyz").await;
    assert_eq!((status, &detail["book"]["policies"]), (200, &json!(1)), "{detail}");
    assert!(
        detail["book"]["broken"]["problems"][0].as_str().is_some_and(|one| one.contains("hint: ")),
        "{detail}"
    );
    daemon.stop().await.expect("it stops");
    let daemon = home.start().await.expect("it falls back");
    let (_, detail) = get(daemon.admin, "/readyz").await;
    assert_eq!(
        (&detail["book"]["from"], &detail["book"]["policies"]),
        (&json!("journal"), &json!(1)),
        "{detail}"
    );
    daemon.stop().await.expect("it stops");
}

#[tokio::test]
async fn what_is_broken_in_the_journal_is_named_with_what_to_do() {
    let home = Home::new();
    home.start().await.expect("it starts").stop().await.expect("it stops");
    let meta = std::fs::read_to_string(home.path("data/journal.json")).expect("it is there");
    home.write("data/journal.json", &meta[..20]);
    let error = format!("{:#}", home.start().await.err().expect("it is cut off"));
    for wanted in [
        "journal.json: its 20 bytes are not what was written",
        "restore journal.json from a backup",
        "move the folder aside",
    ] {
        assert!(error.contains(wanted), "{wanted}: {error}");
    }
    home.write("data/journal.json", &meta);
    let partition = std::fs::read_dir(home.path("data/partitions")).expect("it is there").next();
    let db = partition.expect("one").expect("readable").path().join("db");
    let mut bytes = std::fs::read(&db).expect("readable");
    bytes.iter_mut().for_each(|byte| *byte = 0);
    std::fs::write(&db, bytes).expect("writable");
    let error = format!("{:#}", home.start().await.err().expect("nothing is left of it"));
    for wanted in ["corrupted", "(hint: copy the folder before", "audit verify", "restore a backup"] {
        assert!(error.contains(wanted), "{wanted}: {error}");
    }
}

#[tokio::test]
async fn the_present_and_the_last_record_are_told_apart() {
    let home = Home::new();
    let daemon = home.start().await.expect("it starts");
    let time = |detail: &Value, name: &str| -> Moment {
        detail[name].as_str().expect("a time").parse().expect("a time")
    };
    let (_, first) = get(daemon.admin, "/readyz").await;
    let patience = std::time::Instant::now() + Duration::from_secs(10);
    loop {
        let (_, later) = get(daemon.admin, "/readyz").await;
        assert_eq!(later["lastRecordAt"], first["lastRecordAt"], "nothing was recorded: {later}");
        if time(&later, "now") > time(&first, "now") {
            break;
        }
        assert!(std::time::Instant::now() < patience, "time stands still");
    }
    daemon.stop().await.expect("it stops");
}

/// A journal whose newest book does not load under this code, as one of an older program may be.
fn journal_of(home: &Home, text: &str) {
    use paramedic_policies::book::{Source, SourceFile};
    use paramedic_policies::event::{Event, Record, SCHEMA, Seq};
    use paramedic_remediations::ports::journal::{Block, Journal as _};
    let at = SystemClock::new().wall();
    let options = crate::journal::Options::default();
    let (mut journal, _) =
        crate::journal::SledJournal::open(&home.path("data"), options, at).expect("a new one");
    let files = vec![SourceFile { path: "old.yaml".to_owned(), text: text.to_owned() }];
    let source = Source { files, settings: Settings::default(), tzdb: "2020a".to_owned() };
    let event = Event::Adopted { digest: source.digest(), source: Box::new(source), by: None };
    journal
        .append(&Block { records: vec![Record { seq: Seq(1), at, schema: SCHEMA, event }] })
        .expect("durable");
}

#[tokio::test]
async fn a_stored_book_that_no_longer_loads_keeps_nobody_from_starting_with_good_files() {
    let home = Home::new();
    journal_of(&home, "kind: OfThePast");
    home.write("policies/web.yaml", "kind: [");
    let error = format!("{:#}", home.start().await.err().expect("neither loads"));
    assert!(error.contains("the journal holds no adopted ones to fall back on"), "{error}");
    home.write("policies/web.yaml", POLICY);
    let daemon = home.start().await.expect("it starts");
    let (status, detail) = get(daemon.admin, "/readyz").await;
    assert_eq!((status, &detail["book"]["policies"]), (200, &json!(1)), "{detail}");
    daemon.stop().await.expect("it stops");
}

#[tokio::test]
async fn policies_of_the_journal_that_do_not_load_under_todays_settings_are_no_fall_back() {
    let home = Home::new();
    home.start().await.expect("it starts").stop().await.expect("it stops");
    home.write("policies/web.yaml", "kind: [");
    let mut senseless = home.configuration();
    senseless.facts.retry = paramedic_policies::time::Span::ZERO;
    let error = format!("{:#}", Plan::new(senseless).start().await.err().expect("no settings to act under"));
    assert!(error.contains("do not load under today's configuration"), "{error}");
    assert!(error.contains("is too short") && error.contains("hint: repair the files"), "{error}");
}

#[tokio::test]
async fn the_fall_back_keeps_to_the_mode_of_today() {
    let home = Home::new();
    let under = |mode| Plan::new(Configuration { mode, ..home.configuration() }).start();
    under(Mode::Enforce).await.expect("it starts").stop().await.expect("it stops");
    home.write("policies/web.yaml", "kind: [");
    for mode in [Mode::Approve, Mode::DryRun] {
        let daemon = under(mode).await.expect("it falls back");
        let look = daemon.inbox.look(|state| {
            let book = state.current_book();
            (book.settings().mode, book.written())
        });
        assert_eq!(look.await, Ok((mode, 1)));
        let (_, detail) = get(daemon.admin, "/readyz").await;
        assert_eq!(detail["book"]["from"], json!("journal"), "{detail}");
        assert!(detail["book"]["broken"]["problems"][0].is_string(), "{detail}");
        daemon.stop().await.expect("it stops");
    }
}

#[tokio::test]
async fn strangers_are_not_served_without_tokens() {
    let home = Home::new();
    for open in ["0.0.0.0:0", "[::]:0"] {
        let configuration = Configuration { listen: open.to_owned(), ..home.configuration() };
        let error = Plan::new(configuration).start().await.err().expect("refused");
        assert!(error.to_string().contains("no tokens are configured"), "{error:#}");
    }
    home.write("token", "a-token-of-some-length");
    let tokens = vec![TokenFile { name: "am".to_owned(), role: Role::Ingest, file: home.path("token") }];
    let configuration = Configuration { listen: "0.0.0.0:0".to_owned(), tokens, ..home.configuration() };
    Plan::new(configuration).start().await.expect("with a token it starts").stop().await.expect("it stops");
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let home = Home::new();
    let taken = home.start().await.expect("it starts");
    let second = Configuration {
        data_dir: home.path("other"),
        listen: taken.public.to_string(),
        ..home.configuration()
    };
    let error = Plan::new(second).start().await.err().expect("the port is taken");
    assert!(format!("{error:#}").contains(&taken.public.to_string()), "{error:#}");
    let error = home.start().await.err().expect("the journal is taken");
    let error = format!("{error:#}");
    assert!(
        error.contains("in use by another process (hint: another paramedic serves this folder"),
        "{error}"
    );
    let tokens = vec![TokenFile { name: "am".to_owned(), role: Role::Ingest, file: home.path("nothing") }];
    let error =
        Plan::new(Configuration { tokens, ..home.configuration() }).start().await.err().expect("no file");
    assert!(format!("{error:#}").contains("`am`"), "{error:#}");
    home.write("short", "abc");
    let tokens = [("am", "nothing"), ("jane", "short")].map(|(name, file)| TokenFile {
        name: name.to_owned(),
        role: Role::Ingest,
        file: home.path(file),
    });
    let several = Configuration { tokens: tokens.to_vec(), ..home.configuration() };
    let error = format!("{:#}", Plan::new(several).start().await.err().expect("both are wrong"));
    assert!(error.contains("`am`") && error.contains("`jane`") && error.contains("hint: "), "{error}");
    let mut lost = home.configuration();
    lost.kubernetes.enabled = true;
    lost.kubernetes.kubeconfig = Some(home.path("kubeconfig"));
    let error = Plan::new(lost).start().await.err().expect("no kubeconfig");
    assert!(format!("{error:#}").contains("kubeconfig"), "{error:#}");
    taken.stop().await.expect("it stops");
}
