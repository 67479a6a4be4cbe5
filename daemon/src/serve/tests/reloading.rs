//! A configuration that changes under a daemon: what a reload takes, and what it says that it does not.

use std::sync::Mutex;

use super::*;

/// A daemon of a configuration that can be changed.
struct Changing {
    home: Home,
    now: Arc<Mutex<Configuration>>,
    daemon: Daemon,
}

impl Changing {
    async fn start(change: impl FnOnce(&Home, &mut Configuration)) -> Self {
        let home = Home::new();
        let mut configuration = home.configuration();
        change(&home, &mut configuration);
        let now = Arc::new(Mutex::new(configuration.clone()));
        let read = Arc::clone(&now);
        let mut plan = Plan::new(configuration);
        plan.reread = Arc::new(move || Ok(read.lock().expect("no panics").clone()));
        let daemon = plan.start().await.expect("it starts");
        Self { home, now, daemon }
    }

    fn change(&self, change: impl FnOnce(&mut Configuration)) {
        change(&mut self.now.lock().expect("no panics"));
    }

    async fn reload(&self) -> (u16, Value) {
        let url = format!("http://{}/-/reload", self.daemon.public);
        let answer = reqwest::Client::new().post(url).send().await.expect("it answers");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    }

    async fn mode(&self) -> Mode {
        let look = self.daemon.inbox.look(|state| state.current_book().settings().mode);
        look.await.expect("it answers")
    }

    /// Waits until this mode is in force.
    async fn until(&self, mode: Mode) {
        let patience = std::time::Instant::now() + Duration::from_secs(30);
        while self.mode().await != mode {
            assert!(std::time::Instant::now() < patience, "{mode} does not come into force");
            tokio::task::yield_now().await;
        }
    }

    async fn not_in_force(&self) -> Vec<String> {
        let (_, ready) = get(self.daemon.admin, "/readyz").await;
        serde_json::from_value(ready["notInForce"].clone()).expect("a list of sentences")
    }
}

const LAXER: &str = "the configuration says mode enforce, dry-run is in force: a laxer mode takes a restart";

#[tokio::test]
async fn a_stricter_mode_holds_at_the_reload_and_a_laxer_one_waits() {
    let changing = Changing::start(|_, first| first.mode = Mode::Enforce).await;
    assert_eq!(changing.mode().await, Mode::Enforce);
    changing.change(|now| now.mode = Mode::DryRun);
    let (status, answer) = changing.reload().await;
    assert_eq!((status, &answer["mode"]), (200, &json!("dry-run")), "{answer}");
    assert_eq!((&answer["changed"], &answer["notInForce"]), (&json!(true), &json!([])), "{answer}");
    assert_eq!(changing.mode().await, Mode::DryRun, "when it is answered");
    let (_, page) = get(changing.daemon.public, "/api/v1/records?kind=adopted&newest=true").await;
    let event = &page["items"][0]["event"];
    assert_eq!(
        (&event["source"]["settings"]["mode"], &event["by"]),
        (&json!("dry-run"), &json!("anonymous"))
    );
    changing.change(|now| now.mode = Mode::Enforce);
    let (status, answer) = changing.reload().await;
    assert_eq!((status, &answer["mode"]), (200, &json!("dry-run")), "{answer}");
    assert_eq!((&answer["changed"], &answer["notInForce"]), (&json!(false), &json!([LAXER])), "{answer}");
    assert_eq!(
        (changing.mode().await, changing.not_in_force().await),
        (Mode::DryRun, vec![LAXER.to_owned()])
    );
    let (_, status) = get(changing.daemon.public, "/api/v1/status").await;
    assert_eq!((&status["mode"], &status["notInForce"]), (&json!("dry-run"), &json!([LAXER])), "{status}");
    changing.change(|now| now.mode = Mode::DryRun);
    changing.reload().await;
    assert!(changing.not_in_force().await.is_empty());
    changing.daemon.stop().await.expect("it stops");
}

#[tokio::test]
async fn a_broken_policy_does_not_hold_up_a_stricter_mode() {
    let changing = Changing::start(|_, first| first.mode = Mode::Enforce).await;
    changing.home.write("policies/web.yaml", "kind: [");
    changing.change(|now| now.mode = Mode::Approve);
    let (status, answer) = changing.reload().await;
    assert_eq!(status, 422, "{answer}");
    assert!(answer["problems"].to_string().contains("holds all the same: approve"), "{answer}");
    changing.until(Mode::Approve).await;
    let (_, detail) = get(changing.daemon.admin, "/readyz").await;
    assert_eq!(detail["book"]["policies"], json!(1), "{detail}");
    assert!(detail["book"]["broken"]["problems"][0].is_string(), "{detail}");
    // By a signal too.
    changing.change(|now| now.mode = Mode::DryRun);
    http::reload_by_signal(&changing.daemon.served).await;
    changing.until(Mode::DryRun).await;
    // Repaired files do not bring the old mode back.
    changing.home.write("policies/web.yaml", POLICY);
    changing.change(|now| now.mode = Mode::Enforce);
    assert_eq!(changing.reload().await.0, 200);
    assert_eq!(changing.mode().await, Mode::DryRun);
    changing.daemon.stop().await.expect("it stops");
}

#[tokio::test]
async fn a_token_that_is_gone_is_out_at_the_reload_and_named() {
    let changing = Changing::start(|home, first| {
        first.tokens = ["ada", "am", "joe"]
            .map(|name| {
                home.write(name, &token(name));
                TokenFile { name: name.to_owned(), role: Role::Operate, file: home.path(name) }
            })
            .to_vec();
    })
    .await;
    let client = reqwest::Client::new();
    let reload = async |name: &str| {
        let url = format!("http://{}/-/reload", changing.daemon.public);
        let answer = client.post(url).bearer_auth(token(name)).send().await.expect("it answers");
        (answer.status().as_u16(), answer.json::<Value>().await.expect("JSON"))
    };
    assert_eq!(reload("ada").await.1["tokensOut"], json!([]));
    changing.change(|now| now.tokens.retain(|one| one.name != "ada"));
    let (status, answer) = reload("joe").await;
    assert_eq!(status, 200, "{answer}");
    assert!(answer["tokensOut"][0].as_str().is_some_and(|one| one.contains("`ada`")), "{answer}");
    std::fs::remove_file(changing.home.path("am")).expect("it is there");
    let (_, answer) = reload("joe").await;
    assert!(answer["notInForce"][0].as_str().is_some_and(|one| one.contains("`am`")), "{answer}");
    assert!(changing.not_in_force().await[0].contains("`am`"));
    assert_eq!((reload("ada").await.0, reload("am").await.0), (401, 401));
    changing.home.write("am", &token("am"));
    assert_eq!(reload("joe").await.1["notInForce"], json!([]));
    assert_eq!(reload("am").await.0, 200, "the file is back");
    changing.daemon.stop().await.expect("it stops");
}

#[tokio::test]
async fn a_token_file_with_another_token_is_taken_without_a_word() {
    let changing = Changing::start(|home, first| {
        home.write("joe", &token("joe"));
        first.tokens = vec![TokenFile { name: "joe".to_owned(), role: Role::Read, file: home.path("joe") }];
    })
    .await;
    let client = reqwest::Client::new();
    let status = async |name: &str| {
        let url = format!("http://{}/api/v1/status", changing.daemon.public);
        client.get(url).bearer_auth(token(name)).send().await.expect("it answers").status().as_u16()
    };
    assert_eq!(status("joe").await, 200);
    changing.home.write("joe", &token("joes-new-one"));
    let patience = std::time::Instant::now() + Duration::from_secs(90);
    while status("joe").await != 401 {
        assert!(std::time::Instant::now() < patience, "the old token still opens");
        tokio::task::yield_now().await;
    }
    assert_eq!(status("joes-new-one").await, 200);
    changing.daemon.stop().await.expect("it stops");
}

#[tokio::test]
async fn what_takes_a_restart_is_said_for_as_long_as_it_is_so() {
    let changing = Changing::start(|_, _| {}).await;
    changing.change(|now| now.prometheus.url = "http://127.0.0.1:9".to_owned());
    let says = "`prometheus` was changed in the configuration: that takes a restart";
    assert_eq!(changing.reload().await.1["notInForce"], json!([says]));
    assert_eq!(changing.not_in_force().await, [says]);
    changing.change(|now| now.prometheus.url = String::new());
    assert_eq!(changing.reload().await.1["notInForce"], json!([]));
    changing.daemon.stop().await.expect("it stops");
}

fn token(name: &str) -> String {
    format!("a-token-of-some-length-for-{name}")
}
