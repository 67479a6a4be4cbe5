//! The book of a seed, from a bounded grammar: what each alert may lead to, in which mode, by how many rungs, under which
//! guards.

use paramedic_policies::action::Mode;
use paramedic_policies::policy::{BlastScope, BlastTargets, InStorm, Limit, LimitScope};
use paramedic_policies::target::Target;
use serde_json::{Value, json};

use super::super::dice::Dice;
use super::world::{BREAKERS, DEPENDENCY, EDGE, ERRORS, LATENCY, LOGINS, NODES};
use super::{Drawn, PAGER};

pub(super) fn draw(dice: &mut Dice, services: &[Target], addresses: &[Target]) -> Vec<Drawn> {
    let mut all = Vec::new();
    let alerts =
        [("HighErrors", 1), ("SlowAnswers", 0), ("BreakersOpen", 0), ("FailedLogins", 0), ("NodeSick", 0)];
    for (alert, least) in alerts {
        let is_of_none = match alert {
            "BreakersOpen" => services.is_empty(),
            "FailedLogins" => addresses.is_empty(),
            _ => false,
        };
        if is_of_none {
            continue;
        }
        for _ in 0..dice.number(least..=2) {
            let name = format!("p{}", all.len());
            all.push(policy(dice, name, alert));
        }
    }
    all
}

const UNAVAILABLE: [&str; 4] = ["off", "100%", "60%", "25%"];

fn policy(dice: &mut Dice, name: String, alert: &'static str) -> Drawn {
    let modes = [Mode::Enforce, Mode::Enforce, Mode::Enforce, Mode::Approve, Mode::DryRun];
    // Of drains there are few, since few nodes are sick.
    let mode = *dice.among(if alert == "NodeSick" { &modes[..4] } else { &modes });
    let in_storm = *dice.among(&[InStorm::Withhold, InStorm::Withhold, InStorm::Approve, InStorm::Act]);
    let limits: Vec<Limit> = (0..dice.number(1..=2)).map(|_| limit(dice)).collect();
    let blast = dice.percent(70).then(|| BlastTargets {
        max: dice.count(1..=3),
        within: *dice.among(&[BlastScope::Namespace, BlastScope::Cluster]),
        per: dice.secs(600..=2400),
    });
    let (kind, name_of) = match alert {
        "BreakersOpen" => ("Service", "{{ labels.service }}"),
        "FailedLogins" => ("Ingress.networking.k8s.io", EDGE),
        "NodeSick" => ("Node", "{{ labels.node }}"),
        _ => ("Deployment", "{{ labels.workload }}"),
    };
    let target = match alert {
        "NodeSick" => json!({"from": {"node": name_of}}),
        _ => json!({"kind": kind, "namespace": "{{ labels.namespace }}", "name": name_of}),
    };
    let mut spec = json!({
        "mode": mode,
        "priority": dice.number(0..=3),
        "match": [format!("alertname=\"{alert}\"")],
        "target": target,
        "guards": {
            "cooldown": dice.secs(0..=600),
            "relapse": dice.secs(0..=3600),
            "limits": limits,
            "concurrency": dice.number(1..=3),
            "blastRadius": {
                "targets": blast.as_ref().map_or(json!("off"), |blast| json!(blast)),
                "unavailable": *dice.among(if alert == "NodeSick" { &UNAVAILABLE[..2] } else { &UNAVAILABLE }),
            },
            "inStorm": in_storm,
            "approval": dice.secs(180..=1200),
        },
        "onFailure": {"notify": [PAGER], "quarantineAfter": dice.number(0..=3)},
    });
    if dice.one_in(3) {
        spec["for"] = json!(dice.secs(5..=90));
    }
    if dice.one_in(4) {
        spec["when"] = json!([{"query": metric(alert), "is": "> 0.01"}]);
    }
    if dice.one_in(8) {
        let other = if alert == "SlowAnswers" { "HighErrors" } else { "SlowAnswers" };
        spec["unless"] = json!([format!("alertname=\"{other}\"")]);
    }
    let (key, steps) = if dice.one_in(4) { ("sequence", 2..=3) } else { ("ladder", 1..=3) };
    let count = dice.number(steps);
    let rungs: Vec<Value> = (0..count).map(|at| rung(dice, alert, at + 1 == count)).collect();
    spec[key] = json!(rungs);
    let document = json!({
        "apiVersion": "paramedic.dev/v1alpha1",
        "kind": "RemediationPolicy",
        "metadata": {"name": name},
        "spec": spec,
    });
    Drawn { name, alert, mode, limits, blast, in_storm, document }
}

fn limit(dice: &mut Dice) -> Limit {
    let by = *dice.among(&[LimitScope::Target, LimitScope::Policy, LimitScope::Namespace]);
    Limit { max: dice.count(1..=4), per: dice.secs(300..=3600), by }
}

fn metric(alert: &str) -> String {
    match alert {
        "BreakersOpen" => {
            format!(
                "{BREAKERS}{{namespace=\"{{{{ labels.namespace }}}}\", service=\"{{{{ labels.service }}}}\"}}"
            )
        }
        "FailedLogins" => format!(
            "{LOGINS}{{namespace=\"{{{{ labels.namespace }}}}\", client_address=\"{{{{ labels.client_address }}}}\"}}"
        ),
        "NodeSick" => format!("{NODES}{{node=\"{{{{ labels.node }}}}\"}}"),
        "SlowAnswers" => of_workload(LATENCY),
        _ => of_workload(ERRORS),
    }
}

fn of_workload(metric: &str) -> String {
    format!("{metric}{{namespace=\"{{{{ labels.namespace }}}}\", workload=\"{{{{ labels.workload }}}}\"}}")
}

fn rung(dice: &mut Dice, alert: &str, is_last: bool) -> Value {
    let mut step = if alert == "BreakersOpen" {
        json!({"resetBreaker": {"breaker": DEPENDENCY, "port": "http"}})
    } else if alert == "FailedLogins" {
        at_the_edge(dice)
    } else if alert == "NodeSick" {
        json!({"drainNode": {
            "within": dice.secs(60..=600),
            "maxNodes": dice.number(1..=2),
            "localStorage": *dice.among(&["refuse", "allow"]),
        }})
    } else {
        on_a_workload(dice)
    };
    let is_taken_back = step.get("scale").is_some() || step.get("drainNode").is_some();
    if is_taken_back && dice.one_in(2) {
        step["revert"] = json!({"after": dice.secs(120..=1200)});
    }
    if !is_last || dice.percent(80) {
        let settle = dice.number(10..=60);
        let mut verify = json!({
            "settle": format!("{settle}s"),
            "hold": dice.secs(15..=60),
            "within": format!("{}s", settle + dice.number(60..=300)),
            "every": dice.secs(15..=30),
        });
        if step.get("restart").is_some() && dice.one_in(5) {
            verify["rollout"] = json!("complete");
        } else {
            verify["query"] = json!(metric(alert));
            verify["is"] = json!(match alert {
                "SlowAnswers" => "< 0.9",
                "FailedLogins" => "< 100",
                _ => "< 0.05",
            });
        }
        step["verify"] = verify;
    }
    step
}

/// Blocks an address, or lets every address ask less often, for a while.
fn at_the_edge(dice: &mut Dice) -> Value {
    if dice.one_in(3) {
        return json!({"patch": {
            "rateLimit": {"atMost": dice.number(2..=20), "paths": ["/"]},
            "for": dice.secs(60..=900),
        }});
    }
    json!({"blockIp": {
        "by": "ingressNginx",
        "clientAddress": "forwarded",
        "address": "{{ labels.client_address }}",
        "for": dice.secs(60..=900),
    }})
}

/// Acts on a workload: by its replicas, its template, a switch on it, its network, or the deploys around it.
fn on_a_workload(dice: &mut Dice) -> Value {
    match dice.number(0..=7) {
        0 | 1 => json!({"restart": {}}),
        2 => json!({"scale": {"by": dice.number(1..=3), "max": 12}}),
        3 => json!({"scale": {"atLeast": dice.number(3..=8)}}),
        4 => json!({"scale": {"by": dice.number(1..=2), "max": 8, "maxStep": 1}}),
        5 => json!({"freezeDeploys": {"for": dice.secs(60..=900)}}),
        6 => json!({"patch": {
            "switch": {"annotation": "shop.example/maintenance", "to": "on"},
            "for": dice.secs(30..=900),
        }}),
        _ => {
            let detach = dice.one_in(2);
            json!({"quarantine": {
                "for": dice.secs(60..=900),
                "detach": detach,
                "rejoin": detach,
                "max": dice.number(2..=10),
                "enforced": true,
            }})
        }
    }
}
