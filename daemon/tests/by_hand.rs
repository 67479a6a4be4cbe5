//! Orders by hand beside a daemon that runs: what is ordered is done or the exit code says that it was not, one that is held
//! keeps no other back, and nothing waits without an end.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use paramedic::config::Configuration;
use paramedic::serve::{Daemon, Plan};
use paramedic_policies::action::{Action, Intent, Mode, Outcome, Wish};
use paramedic_policies::answer::{Found, Preflight, Surroundings};
use paramedic_policies::question::{Ask, Question};
use paramedic_policies::remediation::freeze_deploys::{self, Freeze};
use paramedic_remediations::Sealed;
use paramedic_remediations::ports::halt::Halt;
use paramedic_remediations::ports::world::World;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// How long a command may take here: what is held is answered at once, not after the ten minutes that an order may wait.
const PATIENCE: Duration = Duration::from_secs(60);

/// A world in which every freeze and every thaw is possible and done at once, but nothing is in the namespace `typo`.
struct Willing;

fn preflight(action: Action) -> Found {
    Found::Preflight(Box::new(Preflight {
        uid: String::new(),
        action: Some(action),
        already: false,
        refusals: Vec::new(),
        passed: Vec::new(),
        labels: std::collections::BTreeMap::new(),
        beside: Default::default(),
        surroundings: Some(Surroundings { desired: 20, unavailable: 0, added: 0, workloads: 5 }),
        diff: None,
    }))
}

#[async_trait::async_trait]
impl World for Willing {
    async fn answer(&self, question: &Question) -> Found {
        match &question.ask {
            Ask::Preflight { target, .. } if target.namespace == "typo" => {
                Found::Absent { what: "namespace typo".to_owned() }
            }
            Ask::Preflight { wish: Wish::FreezeDeploys(wish), .. } => {
                let freeze = Freeze::new(wish.clone(), "paramedic".to_owned());
                preflight(Action::FreezeDeploys(freeze_deploys::Action::Freeze(freeze)))
            }
            Ask::Preflight {
                wish: Wish::Revert(Action::FreezeDeploys(freeze_deploys::Action::Freeze(freeze))),
                ..
            } => preflight(Action::FreezeDeploys(freeze_deploys::Action::Thaw(freeze.clone()))),
            _ => Found::Failed { what: "nobody looks".to_owned() },
        }
    }
    async fn perform(&self, _: &Sealed<Intent>, _: &Halt) -> Outcome {
        Outcome::Done { diff: None, already: false }
    }
    async fn close(&self, _: &Sealed<Intent>) -> Outcome {
        Outcome::Unknown { what: "nobody acted".to_owned() }
    }
}

async fn daemon(dir: &std::path::Path, mode: Mode) -> Daemon {
    let policies = dir.join("policies.yaml");
    let text = "apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: roll}
spec:
  target: {kind: Deployment, namespace: shop, name: cart}
  ladder:
    - restart: {}
      verify: {rollout: complete}
";
    std::fs::write(&policies, text).expect("a file");
    let mut configuration = Configuration {
        listen: "127.0.0.1:0".to_owned(),
        admin_listen: "127.0.0.1:0".to_owned(),
        data_dir: dir.join("data"),
        policies: vec![policies],
        mode,
        ..Configuration::default()
    };
    configuration.guards.confirmation = false;
    configuration.guards.settle = "1s".parse().expect("a span");
    let mut plan = Plan::new(configuration);
    plan.world = Some(Arc::new(Willing));
    plan.start().await.expect("the daemon starts")
}

/// What a command wrote, and its exit code.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Runs a command against the daemon, and not for long.
async fn beside(server: &str, args: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_paramedic"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PARAMEDIC_")) {
        command.env_remove(name);
    }
    command.args(args).args(["--server", server]).stdin(Stdio::null());
    let begin = Instant::now();
    let output =
        tokio::task::spawn_blocking(move || command.output()).await.expect("no panic").expect("it runs");
    assert!(begin.elapsed() < PATIENCE, "{args:?} took {:?}", begin.elapsed());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("commands write UTF-8");
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// A daemon that enforces, with these namespaces frozen one by one.
async fn frozen(dir: &std::path::Path, namespaces: &[&str]) -> (Daemon, String) {
    let daemon = daemon(dir, Mode::Enforce).await;
    let server = format!("http://{}", daemon.public);
    for name in namespaces {
        let said = beside(&server, &["freeze", "-n", name, "--for", "2h", "--reason", "incident"]).await;
        assert_eq!(said.code, Some(0), "{said:?}");
    }
    (daemon, server)
}

fn json(said: &Said) -> Value {
    serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_thaw_that_is_held_keeps_no_other_back_and_asking_again_is_answered() {
    let dir = tempfile::tempdir().expect("a folder");
    let (daemon, server) = frozen(dir.path(), &["a", "b", "c"]).await;
    let listed = beside(&server, &["freeze", "-o", "json"]).await;
    let listed = json(&listed);
    assert_eq!(listed.as_array().map(Vec::len), Some(3), "{listed}");
    assert_eq!(listed[0]["why"], "incident", "{listed}");
    let held = listed[0]["id"].to_string();

    assert_eq!(beside(&server, &["pause", "-n", "a", "--reason", "hands off"]).await.code, Some(0));
    let thawed = beside(&server, &["thaw", "--all", "--reason", "over"]).await;
    assert_eq!(thawed.code, Some(1), "{thawed:?}");
    assert!(thawed.err.contains(&format!("intent {held}: held until ")), "{thawed:?}");
    assert!(thawed.err.contains(&format!("error: 2 of 3 taken back; not {held}\nhint: ")), "{thawed:?}");
    let left = json(&beside(&server, &["freeze", "--list", "-o", "json"]).await);
    assert_eq!(left.as_array().map(Vec::len), Some(1), "{left}");

    // The same again has no record of its own; what holds it is known all the same.
    for _ in 0..2 {
        let again = beside(&server, &["undo", &held]).await;
        assert_eq!(again.code, Some(1), "{again:?}");
        assert!(
            again.err.contains("error: held until ") && again.err.contains("namespace a is paused"),
            "{again:?}"
        );
    }
    let again = beside(&server, &["undo", &held, "-o", "json"]).await;
    assert_eq!(json(&again)["items"][0]["result"], "held", "{again:?}");

    // Nothing is repeated once nothing holds it.
    assert_eq!(beside(&server, &["resume", "-n", "a"]).await.code, Some(0));
    let begin = Instant::now();
    loop {
        let left = json(&beside(&server, &["freeze", "--list", "-o", "json"]).await);
        if left.as_array().is_some_and(Vec::is_empty) {
            break;
        }
        assert!(begin.elapsed() < PATIENCE, "never thawed: {left}");
    }
    let late = beside(&server, &["undo", &held]).await;
    assert!(late.code == Some(1) && late.err.contains("was taken back already"), "{late:?}");
    assert!(late.err.contains(&format!("hint: what became of it: paramedic audit show {held}")), "{late:?}");
    daemon.stop().await.expect("it stops");
}

/// What waits is listed with what it waits for, cancelled once, and never done.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_waits_is_listed_and_cancelled() {
    let dir = tempfile::tempdir().expect("a folder");
    let (daemon, server) = frozen(dir.path(), &["b"]).await;
    assert_eq!(
        beside(&server, &["pause", "-n", "a", "--for", "9m", "--reason", "hands off"]).await.code,
        Some(0)
    );
    let freeze = ["freeze", "-n", "a", "--for", "2h", "--no-wait", "-o", "json"];
    let order = json(&beside(&server, &freeze).await)["episode"].to_string();
    let begin = Instant::now();
    loop {
        let status = beside(&server, &["status"]).await;
        let listed = status.out.contains("ordered by hand, waiting: 1  (`paramedic cancel ID` ends it)");
        if listed && status.out.contains("namespace a is paused by anonymous") {
            assert!(status.out.contains(&format!("\n{order}  ")), "{status:?}");
            break;
        }
        assert!(begin.elapsed() < PATIENCE, "never listed: {status:?}");
    }
    let cancelled = beside(&server, &["cancel", &order, "--reason", "a slip"]).await;
    assert!(cancelled.code == Some(0) && cancelled.out.starts_with("record "), "{cancelled:?}");
    assert!(cancelled.err.contains("cancelled; what was not done of order"), "{cancelled:?}");
    let again = beside(&server, &["cancel", &order]).await;
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.err.contains("was cancelled before, by anonymous"), "{again:?}");
    let status = beside(&server, &["status"]).await;
    assert!(status.out.contains("ordered by hand, waiting: none"), "{status:?}");
    let story = beside(&server, &["audit", "query", "--kind", "cancelled"]).await;
    assert!(story.out.contains("anonymous does not want any more what was ordered by hand"), "{story:?}");

    // A thaw means what waits, too.
    let order = json(&beside(&server, &freeze).await)["episode"].to_string();
    let asked = beside(&server, &["thaw", "-n", "a", "--dry-run"]).await;
    assert!(
        asked.err.contains(&format!("order {order} of anonymous, which waits, would be cancelled")),
        "{asked:?}"
    );
    let thawed = beside(&server, &["thaw", "-n", "a"]).await;
    assert_eq!(thawed.code, Some(0), "{thawed:?}");
    assert!(
        thawed.err.contains(&format!("order {order} of anonymous, which waited, is cancelled")),
        "{thawed:?}"
    );

    // What is in force is not cancelled, and a rehearsal takes nothing back.
    let listed = json(&beside(&server, &["freeze", "--list", "-o", "json"]).await);
    let (done, intent) = (listed[0]["episode"].to_string(), listed[0]["id"].to_string());
    let late = beside(&server, &["cancel", &done]).await;
    assert!(late.code == Some(1) && late.err.contains(&format!("no order {done} waits")), "{late:?}");
    assert!(late.err.contains("hint: no order by hand waits now"), "{late:?}");
    let asked = beside(&server, &["undo", &intent, "--dry-run"]).await;
    assert_eq!(asked.code, Some(0), "{asked:?}");
    let says =
        format!("intent {intent} would be taken back: freeze deploys in b for 2h on b/namespace/b, due at ");
    assert!(asked.out.starts_with(&says) && asked.out.ends_with("Z anyway\n"), "{asked:?}");
    let refused = beside(&server, &["undo", &done, "--dry-run"]).await;
    assert!(refused.code == Some(1) && refused.err.contains("error: "), "{refused:?}");
    assert!(!refused.err.contains("NOTHING WAS ORDERED"), "nothing was rehearsed: {refused:?}");
    let left = json(&beside(&server, &["freeze", "--list", "-o", "json"]).await);
    assert_eq!(left.as_array().map(Vec::len), Some(1), "{left}");
    daemon.stop().await.expect("it stops");
}

/// What waits is judged as what is in force, and what became of it is data.
#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_order_for_more_than_is_named_is_not_cancelled_and_the_rest_is_data() {
    let dir = tempfile::tempdir().expect("a folder");
    let (daemon, server) = frozen(dir.path(), &[]).await;
    let pause = ["pause", "-n", "b", "--for", "9m", "--reason", "hands off"];
    assert_eq!(beside(&server, &pause).await.code, Some(0));
    let freeze = ["freeze", "-n", "a,b", "--for", "2h", "--no-wait", "-o", "json"];
    let order = json(&beside(&server, &freeze).await)["episode"].to_string();
    let part = beside(&server, &["thaw", "-n", "a"]).await;
    let says = format!(
        "error: the order {order} of anonymous, which waits, covers b too, and is only cancelled as a"
    );
    assert!(part.code == Some(1) && part.err.contains(&says), "{part:?}");
    assert!(part.err.contains(&format!("hint: name them too, or `paramedic cancel {order}`")), "{part:?}");

    let whole = ["thaw", "-n", "a,b", "-o", "json"];
    for (more, result) in [(&["--dry-run"][..], "wouldBeCancelled"), (&[], "cancelled")] {
        let thawed = beside(&server, &[&whole[..], more].concat()).await;
        assert_eq!(thawed.code, Some(0), "{thawed:?}");
        let said = json(&thawed);
        let expected = serde_json::json!({"items": [
            {"order": order.parse::<u64>().expect("a number"), "by": "anonymous", "result": result},
        ]});
        assert_eq!(said, expected);
    }
    let none = beside(&server, &whole).await;
    assert!(none.code == Some(1) && none.err.contains("nothing of that is frozen"), "{none:?}");

    let block =
        ["block", "203.0.113.0/24", "--target", "b/Deployment/web", "--for", "1h", "--no-wait", "-o", "json"];
    let order = json(&beside(&server, &block).await)["episode"].to_string();
    let asked = beside(&server, &["unblock", "203.0.113.7", "--dry-run"]).await;
    let part = format!(
        "203.0.113.7 would be kept out as part of 203.0.113.0/24, by order {order} of anonymous, which is cancelled as a whole\n"
    );
    assert!(asked.code == Some(0) && asked.err.contains(&part), "{asked:?}");
    daemon.stop().await.expect("it stops");
}

/// In a first try daemon and people share an account: then the freeze refuses nothing to exactly those people.
#[tokio::test(flavor = "multi_thread")]
async fn a_freeze_says_who_is_let_through() {
    let dir = tempfile::tempdir().expect("a folder");
    let (daemon, server) = frozen(dir.path(), &[]).await;
    for more in [&["--dry-run"][..], &[]] {
        let said = beside(&server, &[&["freeze", "-n", "a", "--for", "2h"][..], more].concat()).await;
        assert_eq!(said.code, Some(0), "{said:?}");
        let through = "let through all the same: EVERYBODY who comes as `paramedic`, the account of paramedic, and the group";
        assert!(said.err.contains(through), "{said:?}");
    }
    daemon.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_only_rehearsed_was_not_done_unless_that_was_asked() {
    let dir = tempfile::tempdir().expect("a folder");
    let daemon = daemon(dir.path(), Mode::DryRun).await;
    let server = format!("http://{}", daemon.public);
    let order = ["freeze", "-n", "shop", "--for", "2h"];
    let real = beside(&server, &order).await;
    assert_eq!(real.code, Some(1), "{real:?}");
    assert!(real.err.contains("error: NOTHING WAS CHANGED"), "{real:?}");
    assert!(real.err.contains("hint: the daemon's --mode is dry-run"), "{real:?}");
    let asked = beside(&server, &[&order[..], &["--dry-run"]].concat()).await;
    assert_eq!(asked.code, Some(0), "{asked:?}");
    assert!(asked.err.contains("NOTHING WAS CHANGED"), "{asked:?}");
    daemon.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_refused_at_once_and_what_is_refused_at_once_is_no_order() {
    let dir = tempfile::tempdir().expect("a folder");
    let (daemon, server) = frozen(dir.path(), &[]).await;
    let typo = beside(&server, &["freeze", "-n", "typo", "--for", "2h"]).await;
    assert_eq!(typo.code, Some(1), "{typo:?}");
    assert!(typo.err.contains("error: refused, nothing was done: there is no namespace typo"), "{typo:?}");
    assert!(
        typo.out.contains("WITHHOLD: ") && !typo.out.contains("HOLD until"),
        "it does not wait: {typo:?}"
    );

    assert_eq!(beside(&server, &["pause", "--for", "1h"]).await.code, Some(0));
    let order = ["run", "roll", "--reason", "drill", "--no-wait"];
    let refused = beside(&server, &order).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("error: refused, nothing was done: everything is paused"), "{refused:?}");
    let program = beside(&server, &[&order[..], &["-o", "json"]].concat()).await;
    assert_eq!((program.code, &json(&program)["conclusion"]), (Some(1), &"refused".into()), "{program:?}");
    daemon.stop().await.expect("it stops");
}

/// A daemon that takes the order and is killed: its stream breaks in the middle.
async fn dying() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let server = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        let mut stream: Option<TcpStream> = None;
        while let Ok((mut asked, _)) = listener.accept().await {
            let mut bytes = vec![0; 64 * 1024];
            let read = asked.read(&mut bytes).await.unwrap_or(0);
            let head = String::from_utf8_lossy(&bytes[..read]).into_owned();
            let answer = if head.contains("/api/v1/stream") {
                let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n:on\n\r\n";
                asked.write_all(head.as_bytes()).await.expect("it listens");
                stream = Some(asked);
                continue;
            } else if head.starts_with("POST /api/v1/runs") {
                r#"{"record": 7, "end": 8, "episode": 7, "repeated": false}"#
            } else if head.starts_with("POST") {
                r#"{"record": 41, "end": 42, "intent": 40, "repeated": false}"#
            } else {
                // From here on nothing is heard of it any more.
                stream = None;
                r#"{"items": [], "next": null}"#
            };
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
                 connection: close\r\n\r\n{answer}",
                answer.len()
            );
            asked.write_all(head.as_bytes()).await.expect("it listens");
        }
        drop(stream);
    });
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_leaves_the_number_of_the_order() {
    let server = dying().await;
    let run = ["run", "roll", "--key", "k-1"];
    let said = beside(&server, &run).await;
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.ends_with("the order stands; what comes of it: paramedic audit show 7\n"), "{said:?}");
    let program = beside(&server, &[&run[..], &["-o", "json"]].concat()).await;
    assert_eq!((program.code, &json(&program)["episode"]), (Some(2), &7.into()), "{program:?}");
    let undone = beside(&server, &["undo", "40"]).await;
    assert_eq!(undone.code, Some(2), "{undone:?}");
    assert!(undone.err.ends_with("what comes of it: paramedic audit show 40\n"), "{undone:?}");
}
