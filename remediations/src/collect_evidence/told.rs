//! Objects as lines that a person reads the next morning. Looks at nothing itself.

use serde_json::Value;

/// Lines of one part.
const LINES_MAX: usize = 100;

/// Revisions that are told, the newest first.
const REVISIONS_MAX: usize = 10;

/// Containers of one pod whose logs are read.
const CONTAINERS_MAX: usize = 4;

/// Lines as one text, or what stands for none of them.
pub(super) fn lines(lines: &[String], none: &str) -> String {
    let more = lines.len().saturating_sub(LINES_MAX);
    let mut shown: Vec<&str> = lines.iter().take(LINES_MAX).map(String::as_str).collect();
    let rest = format!("and {more} more");
    if more > 0 {
        shown.push(&rest);
    }
    if shown.is_empty() { none.to_owned() } else { shown.join("\n") }
}

/// What selects the pods of a workload or a Service, as a label selector in text.
pub(super) fn selector(object: &Value) -> Option<String> {
    let selector = object.pointer("/spec/selector")?.as_object()?;
    let equal = |labels: &serde_json::Map<String, Value>| -> Vec<String> {
        labels.iter().filter_map(|(name, value)| Some(format!("{name}={}", value.as_str()?))).collect()
    };
    let is_of_workload = selector.contains_key("matchLabels") || selector.contains_key("matchExpressions");
    if !is_of_workload {
        let terms = equal(selector);
        return (!terms.is_empty()).then(|| terms.join(","));
    }
    let mut terms = selector.get("matchLabels").and_then(Value::as_object).map(equal).unwrap_or_default();
    let expressions = selector.get("matchExpressions").and_then(Value::as_array);
    for one in expressions.into_iter().flatten() {
        let key = one.get("key")?.as_str()?;
        let values: Vec<&str> = one
            .get("values")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let values = values.join(",");
        terms.push(match one.get("operator")?.as_str()? {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "Exists" => key.to_owned(),
            "DoesNotExist" => format!("!{key}"),
            _ => return None,
        });
    }
    (!terms.is_empty()).then(|| terms.join(","))
}

/// Whether it has any, readable or not.
pub(super) fn has_selector(object: &Value) -> bool {
    object.pointer("/spec/selector").and_then(Value::as_object).is_some_and(|selector| !selector.is_empty())
}

/// What selects the pods of so many Jobs of what has this uid, the newest first.
pub(super) fn runs_of(jobs: &[Value], uid: &str, most: usize) -> Vec<String> {
    let mut own: Vec<&Value> = jobs.iter().filter(|job| is_owned(job, uid)).collect();
    own.sort_by_key(|job| std::cmp::Reverse(text(job, "/metadata/creationTimestamp")));
    own.iter().take(most).map(|job| format!("job-name={}", name(job))).collect()
}

/// Labels by which a ReplicaSet tells its own pods from those of its siblings.
const OF_ONE_SET: [&str; 2] = ["rollouts-pod-template-hash", "pod-template-hash"];

/// What selects the pods of all ReplicaSets of what has this uid, as its newest says.
pub(super) fn selector_of_sets(all: &[Value], uid: &str) -> Option<String> {
    let newest = all.iter().filter(|set| is_owned(set, uid)).max_by_key(|set| number(set))?;
    let mut newest = newest.clone();
    if let Some(labels) = newest.pointer_mut("/spec/selector/matchLabels").and_then(Value::as_object_mut) {
        labels.retain(|key, _| !OF_ONE_SET.contains(&key.as_str()));
    }
    selector(&newest)
}

/// Its name.
pub(super) fn name(object: &Value) -> String {
    text(object, "/metadata/name").to_owned()
}

/// How sick a pod looks: what is worst comes first.
pub(super) fn sickness(pod: &Value) -> (bool, u64) {
    let statuses = statuses(pod);
    let is_ready =
        !statuses.is_empty() && statuses.iter().all(|one| one.get("ready") == Some(&Value::Bool(true)));
    (!is_ready, restarts(&statuses))
}

/// One pod in one line.
pub(super) fn pod(pod: &Value) -> String {
    let statuses = statuses(pod);
    let ready = statuses.iter().filter(|one| one.get("ready") == Some(&Value::Bool(true))).count();
    let mut parts = vec![
        text(pod, "/metadata/name").to_owned(),
        text(pod, "/status/phase").to_owned(),
        format!("ready {ready}/{}", statuses.len()),
        format!("restarts {}", restarts(&statuses)),
    ];
    for (name, pointer) in
        [("node", "/spec/nodeName"), ("since", "/status/startTime"), ("reason", "/status/reason")]
    {
        let value = text(pod, pointer);
        if !value.is_empty() {
            parts.push(format!("{name} {value}"));
        }
    }
    parts.extend(statuses.iter().filter_map(|status| container(status)));
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
    for condition in conditions.into_iter().flatten().filter(|one| text(one, "/status") != "True") {
        let (kind, reason, message) =
            (text(condition, "/type"), text(condition, "/reason"), text(condition, "/message"));
        parts.push(format!("{kind} is not so: {reason} {message}").trim_end().to_owned());
    }
    parts.join("; ")
}

/// What is wrong with a container, where something is.
fn container(status: &Value) -> Option<String> {
    let name = text(status, "/name");
    let mut said = Vec::new();
    if let Some(waiting) = status.pointer("/state/waiting") {
        said.push(
            format!("waits: {} {}", text(waiting, "/reason"), text(waiting, "/message"))
                .trim_end()
                .to_owned(),
        );
    }
    for (which, pointer) in
        [("ended", "/state/terminated"), ("the run before ended", "/lastState/terminated")]
    {
        let Some(ended) = status.pointer(pointer) else { continue };
        let code = ended.get("exitCode").map_or("?".to_owned(), Value::to_string);
        said.push(format!(
            "{which} with {code} ({}) at {}",
            text(ended, "/reason"),
            text(ended, "/finishedAt")
        ));
    }
    (!said.is_empty()).then(|| format!("container {name} {}", said.join(", ")))
}

/// The runs of a pod's containers whose logs there may be: of each the present one, and the one before where it has
/// been restarted.
pub(super) fn runs(pod: &Value) -> Vec<(String, bool)> {
    let mut runs = Vec::new();
    for status in statuses(pod).iter().take(CONTAINERS_MAX) {
        let name = text(status, "/name").to_owned();
        let has_ended = status.get("restartCount").and_then(Value::as_u64).unwrap_or(0) > 0;
        runs.push((name.clone(), false));
        if has_ended {
            runs.push((name, true));
        }
    }
    runs
}

/// The revisions of what has this uid, the newest first: ReplicaSets or ControllerRevisions.
pub(super) fn revisions(all: &[Value], uid: &str) -> Vec<String> {
    let mut own: Vec<(i64, &Value)> =
        all.iter().filter(|one| is_owned(one, uid)).map(|one| (number(one), one)).collect();
    own.sort_by_key(|(number, one)| std::cmp::Reverse((*number, text(one, "/metadata/creationTimestamp"))));
    own.iter().take(REVISIONS_MAX).map(|(number, one)| revision(*number, one)).collect()
}

fn is_owned(object: &Value, uid: &str) -> bool {
    let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    owners.into_iter().flatten().any(|owner| text(owner, "/uid") == uid)
}

fn number(object: &Value) -> i64 {
    let annotations = object.pointer("/metadata/annotations");
    let names = ["deployment.kubernetes.io/revision", "rollout.argoproj.io/revision"];
    let noted = names.iter().find_map(|name| annotations?.get(name)?.as_str()?.parse().ok());
    noted.or_else(|| object.get("revision")?.as_i64()).unwrap_or(0)
}

fn revision(number: i64, object: &Value) -> String {
    let containers = ["/spec/template/spec/containers", "/data/spec/template/spec/containers"];
    let containers = containers.iter().find_map(|pointer| object.pointer(pointer)?.as_array());
    let images: Vec<&str> = containers.into_iter().flatten().map(|one| text(one, "/image")).collect();
    let replicas = object.pointer("/status/replicas").and_then(Value::as_u64);
    let replicas = replicas.map(|replicas| format!("; {replicas} pods")).unwrap_or_default();
    let (name, made) = (text(object, "/metadata/name"), text(object, "/metadata/creationTimestamp"));
    format!("revision {number} since {made}; {name}; {}{replicas}", images.join(", "))
}

/// Events, the newest last.
pub(super) fn events(all: &[Value]) -> Vec<String> {
    let mut told: Vec<(&str, &Value)> = all.iter().map(|event| (when(event), event)).collect();
    told.sort_by(|a, b| b.0.cmp(a.0));
    told.truncate(LINES_MAX);
    told.reverse();
    told.iter().map(|(at, event)| event_line(at, event)).collect()
}

fn when(event: &Value) -> &str {
    let times = ["/series/lastObservedTime", "/lastTimestamp", "/eventTime", "/metadata/creationTimestamp"];
    times.iter().map(|pointer| text(event, pointer)).find(|time| !time.is_empty()).unwrap_or("-")
}

fn event_line(at: &str, event: &Value) -> String {
    let count = event.get("count").and_then(Value::as_u64).filter(|count| *count > 1);
    let count = count.map(|count| format!(" x{count}")).unwrap_or_default();
    let (kind, name) =
        (text(event, "/involvedObject/kind").to_lowercase(), text(event, "/involvedObject/name"));
    let message = text(event, "/message").replace('\n', " ");
    format!("{at} {} {}{count} {kind}/{name}: {message}", text(event, "/type"), text(event, "/reason"))
}

fn statuses(pod: &Value) -> Vec<&Value> {
    let of = |pointer: &str| pod.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    of("/status/containerStatuses").chain(of("/status/initContainerStatuses").filter(has_trouble)).collect()
}

/// Init containers that are done and well tell nothing.
fn has_trouble(status: &&Value) -> bool {
    status.get("ready") != Some(&Value::Bool(true)) || status.pointer("/state/waiting").is_some()
}

fn restarts(statuses: &[&Value]) -> u64 {
    statuses.iter().filter_map(|one| one.get("restartCount")?.as_u64()).sum()
}

fn text<'v>(object: &'v Value, pointer: &str) -> &'v str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
