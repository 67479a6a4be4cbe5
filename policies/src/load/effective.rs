//! A policy written out with every default filled in, as `paramedic check` shows it. It loads again to the same.

use serde_json::{Map, Value, json};

use crate::load::document::{API_VERSION, KIND};
use crate::policy::{Check, Condition, Empty, Guards, Policy, Step, TargetSpec, Window};
use crate::target::Origin;

/// The document of a policy with every default filled in.
pub fn effective(policy: &Policy) -> Value {
    let strings = |matchers: &[crate::matcher::Matcher]| -> Vec<String> {
        matchers.iter().map(ToString::to_string).collect()
    };
    let mut spec = json!({
        "mode": policy.mode,
        "priority": policy.priority,
        "unless": strings(&policy.unless),
        "for": policy.wait,
        "target": target(&policy.target),
        "let": policy.lets.iter().map(|found| (found.name.clone(), json!({"query": found.query.template.source, "label": found.label}))).collect::<Map<_, _>>(),
        "when": policy.when.iter().map(condition).collect::<Vec<_>>(),
        "ladder": policy.ladder.iter().map(|rung| match rung.steps.as_slice() {
            [one] => step(one),
            several => json!({"sequence": several.iter().map(step).collect::<Vec<_>>()}),
        }).collect::<Vec<_>>(),
        "guards": guards(&policy.guards),
        "onFailure": {"notify": policy.on_failure.notify, "quarantineAfter": policy.on_failure.quarantine_after},
    });
    if !policy.is_only_by_hand() {
        spec["match"] = json!(strings(&policy.matchers));
    }
    if !policy.description.is_empty() {
        spec["description"] = json!(policy.description);
    }
    json!({"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": policy.name}, "spec": spec})
}

fn target(spec: &TargetSpec) -> Value {
    match spec {
        TargetSpec::Named { kind, namespace, name } => {
            json!({"kind": kind, "namespace": namespace.source, "name": name.source})
        }
        TargetSpec::OwnerOf { origin, namespace, name } => {
            let key = match origin {
                Origin::Pod => "pod",
                Origin::Service => "service",
                Origin::Node => "node",
            };
            let mut from = json!({key: name.source});
            if let Some(namespace) = namespace {
                from["namespace"] = json!(namespace.source);
            }
            json!({"from": from})
        }
    }
}

fn condition(condition: &Condition) -> Value {
    let empty = match condition.empty {
        Empty::Unknown => json!("unknown"),
        Empty::Is(number) => json!(number),
    };
    json!({"query": condition.query.template.source, "is": condition.is.to_string(), "empty": empty})
}

fn step(step: &Step) -> Value {
    let mut out = Map::new();
    out.insert(step.remediation.name().to_owned(), step.remediation.document());
    if let Some(spec) = &step.target {
        out.insert("target".to_owned(), target(spec));
    }
    if let Some(mode) = step.mode {
        out.insert("mode".to_owned(), json!(mode));
    }
    if !step.limits.is_empty() {
        out.insert("limits".to_owned(), json!(step.limits));
    }
    if let Some(verify) = &step.verify {
        let mut body = match &verify.check {
            Check::Query(query) => condition(query),
            Check::Http { url, status } => json!({"http": url.source, "status": status}),
            Check::Rollout => json!({"rollout": "complete"}),
        };
        for (key, span) in [
            ("settle", verify.settle),
            ("hold", verify.hold),
            ("within", verify.within),
            ("every", verify.every),
        ] {
            body[key] = json!(span);
        }
        out.insert("verify".to_owned(), body);
    }
    if let Some(after) = step.revert_after.filter(|_| step.remediation.lasts().is_none()) {
        out.insert("revert".to_owned(), json!({"after": after}));
    }
    Value::Object(out)
}

fn guards(guards: &Guards) -> Value {
    json!({
        "cooldown": guards.cooldown,
        "relapse": guards.relapse,
        "limits": guards.limits,
        "concurrency": guards.concurrency,
        "blastRadius": {
            "targets": guards.blast_targets.as_ref().map_or(json!("off"), |targets| json!(targets)),
            "unavailable": guards.blast_unavailable.map_or("off".to_owned(), |percent| format!("{percent}%")),
        },
        "inStorm": guards.in_storm,
        "schedule": guards.schedule.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "approval": guards.approval,
    })
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        let days: Vec<&str> =
            self.days.iter().filter_map(|day| names.get(usize::from(*day)).copied()).collect();
        let time = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        write!(f, "{} {}-{} {}", days.join(","), time(self.from_minute), time(self.to_minute), self.zone)
    }
}
