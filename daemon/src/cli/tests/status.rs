//! `status`, word for word, from the API's answers as they are written down here.

use serde_json::json;

use super::super::tests::at;
use super::*;

fn told(status: &Value, lists: Option<Lists>) -> String {
    let standing = read("http://paramedic:9911", status.clone()).expect("an answer");
    shown("http://paramedic:9911", &standing, lists, at("09:30:00")).expect("lists")
}

fn status() -> Value {
    json!({
        "ready": true, "version": "0.1.0", "mode": "enforce", "journal": {"is": "open"},
        "book": {"digest": "821ef235ca74172a", "policies": 3, "from": "files", "broken": null},
        "leader": true, "clockSteppedMs": null, "storm": null,
        "prometheus": {"is": "answered", "at": "2026-11-21T09:29:58Z"}, "kubernetes": "https://10.0.0.1:6443",
        "kubernetesAnswers": {"is": "answered", "at": "2026-11-21T09:29:40Z"},
        "inbox": 0, "next": 1200, "now": "2026-11-21T09:29:59Z", "open": {"episodes": 2},
    })
}

fn nothing() -> Lists {
    Lists {
        proposals: Vec::new(),
        held: Vec::new(),
        held_more: false,
        orders: Vec::new(),
        intents: Vec::new(),
        leases: Vec::new(),
        pauses: Vec::new(),
        policies: vec![json!({"name": "web-errors", "quarantinedSince": null})],
    }
}

#[test]
fn a_quiet_daemon_says_that_nothing_waits() {
    insta::assert_snapshot!(told(&status(), Some(nothing())));
}

#[test]
fn everything_that_is_in_force_has_its_place() {
    let cart = json!({"kind": "Deployment", "namespace": "shop", "name": "cart"});
    let lists = Lists {
        proposals: vec![json!({
            "id": 1041, "episode": 1030, "policy": "cart-errors", "alert": "CartErrors", "target": cart,
            "action": {"restart": {"generation": 7}}, "says": "restart", "until": "2026-11-21T09:58:12.250Z",
        })],
        held: vec![
            json!({"episode": 1030, "policy": "cart-errors", "alert": "CartErrors", "target": cart, "is": "waiting",
                "again": "2026-11-21T09:47:00Z", "ruling": 1040, "decidedAt": "2026-11-21T09:17:00Z",
                "waitsFor": ["would be target 3 of 2 allowed in 30m in namespace shop, 2 used, until 2026-11-21T09:47:00.000Z"]}),
            json!({"episode": 1031, "policy": "search-slow", "alert": "SearchSlow", "target": null, "is": "withheld", "again": null,
                "ruling": 1042, "decidedAt": "2026-11-21T09:28:00Z",
                "waitsFor": ["namespace is empty", "the policy is quarantined"]}),
            json!({"episode": 1032, "policy": "search-slow", "alert": "SearchSlow", "target": cart, "is": "asking", "again": null,
                "ruling": 12, "decidedAt": null, "waitsFor": ["conditionFalse"]}),
        ],
        held_more: true,
        orders: vec![
            json!({"id": 1060, "policy": "paramedic-freeze", "by": "ada", "reason": "incident", "dryRun": false,
                "labels": {}, "target": {"kind": "Namespace", "namespace": "shop", "name": "shop"}, "is": "waiting",
                "since": "2026-11-21T09:28:00Z", "intent": null, "again": "2026-11-21T09:32:00Z",
                "until": "2026-11-21T09:38:00Z", "waitsFor": ["intent 1044 settles on this target until 2026-11-21T09:32:00.000Z",
                    "everything is paused by ada"]}),
            json!({"id": 1062, "policy": "cart-errors", "by": "joe", "reason": "", "dryRun": false, "labels": {},
                "target": null, "is": "asking", "since": "2026-11-21T09:29:50Z", "intent": null, "again": null,
                "until": "2026-11-21T09:39:50Z", "waitsFor": []}),
            json!({"id": 1063, "policy": "cart-errors", "by": "joe", "reason": "", "dryRun": false, "labels": {},
                "target": cart, "is": "acting", "since": "2026-11-21T09:29:50Z", "intent": 1102, "again": null,
                "until": "2026-11-21T09:39:50Z", "waitsFor": []}),
        ],
        intents: vec![
            json!({"id": 1100, "policy": "search-slow", "target": null, "is": "acting", "says": "scale 2 -> 4",
                "mode": "enforce", "takesBack": null, "since": "2026-11-21T09:29:30Z"}),
            json!({"id": 1101, "policy": "search-slow", "target": cart, "is": "inDoubt", "says": "restart",
                "mode": "enforce", "takesBack": null, "since": "2026-11-20T07:29:30Z"}),
            json!({"id": 1102, "policy": "search-slow", "target": cart, "is": "acting", "says": "scale 4 -> 2",
                "mode": "enforce", "takesBack": 900, "since": "2026-11-21T09:29:30Z"}),
            json!({"id": 1103, "policy": "search-slow", "target": cart, "is": "verifying",
                "since": "2026-11-21T09:29:30Z"}),
        ],
        leases: vec![
            json!({"id": 950, "policy": "cart-errors", "target": cart, "says": "scale 3 -> 5", "held": true,
                "until": "2026-11-21T11:00:00Z"}),
            json!({"id": 951, "policy": "cart-errors", "target": cart, "says": "scale 5 -> 6", "held": false,
                "until": "2026-11-21T15:30:00Z", "atTheLatest": true}),
        ],
        pauses: vec![
            json!({"says": "everything", "by": "ada", "until": null, "reason": "database migration"}),
            json!({"says": "namespace shop", "by": "joe", "until": "2026-12-21T09:30:00Z", "reason": ""}),
        ],
        policies: vec![json!({"name": "web-errors", "quarantinedSince": "2026-11-19T09:30:00Z"})],
    };
    let mut status = status();
    status["mode"] = json!("dry-run");
    status["leader"] = json!(false);
    status["clockSteppedMs"] = json!(-125_000);
    status["timeStandsStill"] = json!({"until": "2026-11-22T11:30:00Z", "why": "records were made ahead", "hint": "it goes on by itself"});
    status["storm"] =
        json!({"since": "2026-11-21T09:20:00Z", "why": "61 new alerts in a minute, allowed 50"});
    status["prometheus"] =
        json!({"is": "failed", "at": "2026-11-21T09:29:58Z", "problem": "connection refused"});
    status["kubernetes"] = json!(null);
    status["book"]["broken"] =
        json!({"at": "2026-11-21T08:00:00Z", "problems": ["web.yaml:3:1: error: `moed` is not known"]});
    status["notInForce"] =
        json!(["the configuration says mode enforce, dry-run is in force: a laxer mode takes a restart"]);
    insta::assert_snapshot!(told(&status, Some(lists)));
}

#[test]
fn an_api_server_that_does_not_answer_is_said() {
    let mut status = status();
    status["kubernetesAnswers"] =
        json!({"is": "failed", "at": "2026-11-21T09:29:58Z", "problem": "could not ask: connection refused"});
    let told = told(&status, Some(nothing()));
    let line = told.lines().find(|line| line.starts_with("kubernetes"));
    let line = line.unwrap_or_else(|| panic!("no line in:\n{told}"));
    assert!(line.contains("https://10.0.0.1:6443 FAILED") && line.contains("connection refused"), "{line}");
}

#[test]
fn a_broken_journal_is_said_first() {
    let mut status = status();
    status["ready"] = json!(false);
    status["mode"] = json!(null);
    status["journal"] = json!({"is": "broken", "problem": "could not append: the disk is full"});
    insta::assert_snapshot!(told(&status, None));
}

#[test]
fn a_stuck_engine_says_what_to_do() {
    let mut status = status();
    status["ready"] = json!(false);
    status["journal"] = json!({
        "is": "stuck", "duty": "the end of the storm", "problem": "the engine is stuck on the end of the storm",
        "hint": "please report it",
    });
    insta::assert_snapshot!(told(&status, None));
}

/// Whoever sees it act would think that it acts on what it does not know.
#[test]
fn a_simulated_world_is_said_to_be_one() {
    let mut status = status();
    for (key, value) in [("prometheus", json!(null)), ("kubernetes", json!(null)), ("simulated", json!(true))]
    {
        status[key] = value;
    }
    let told = told(&status, Some(nothing()));
    assert!(told.contains("prometheus  simulated\n") && told.contains("kubernetes  simulated\n"), "{told}");
}
