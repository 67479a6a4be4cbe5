//! How a Job ended, and what its container said last. Never more of a log than its end.

use std::fmt;

use paramedic_policies::action::Change;
use serde_json::Value;

use crate::ports::cluster::Cluster;
use crate::ports::objects::{Address, Resource};

pub(super) const PODS: Resource = Resource::namespaced("", "v1", "pods", "Pod");

/// As much of a log as stands in a record.
const LOG_BYTES_MAX: usize = 4096;

pub(super) enum End {
    Complete,
    Failed { why: String },
}

/// How a Job ended; none while it runs.
pub(super) fn end(job: &Value) -> Option<End> {
    let conditions = job.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().find_map(|one| {
        let text = |key: &str| one.get(key).and_then(Value::as_str).unwrap_or_default();
        match (text("type"), text("status")) {
            ("Complete", "True") => Some(End::Complete),
            ("Failed", "True") => {
                Some(End::Failed { why: format!("{}: {}", text("reason"), text("message")) })
            }
            _ => None,
        }
    })
}

/// What the container of a Job's last pod left behind.
pub(super) struct LastWords {
    container: String,
    exit: String,
    log: String,
}

impl LastWords {
    /// Nothing is known of it.
    pub(super) fn unheard(why: String) -> Self {
        Self { container: "-".into(), exit: "not known".into(), log: format!("(no log: {why})") }
    }

    /// As fields of a difference.
    pub(super) fn fields(&self) -> [Change; 2] {
        let change = |path: String, after: &str| Change { path, before: "-".into(), after: after.to_owned() };
        [
            change(format!("exit code of container {}", self.container), &self.exit),
            change(format!("log of container {}", self.container), &self.log),
        ]
    }
}

impl fmt::Display for LastWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { container, exit, log } = self;
        write!(f, "exit code of container {container}: {exit}; the end of its log:\n{log}")
    }
}

/// Asks the Job's last pod. What cannot be heard is said to be so, and changes nothing about the end.
pub(super) async fn last_words(cluster: &dyn Cluster, job: &Address, container: Option<&str>) -> LastWords {
    let pods = match cluster.list(PODS, &job.namespace, &format!("job-name={}", job.name)).await {
        Ok(pods) => pods,
        Err(error) => return LastWords::unheard(error.to_string()),
    };
    let made = |pod: &&Value| {
        pod.pointer("/metadata/creationTimestamp").and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let Some(pod) = pods.iter().max_by_key(made) else {
        return LastWords::unheard("no pod of it is left".into());
    };
    let statuses = pod.pointer("/status/containerStatuses").and_then(Value::as_array);
    let first = pod.pointer("/spec/containers/0/name").and_then(Value::as_str).unwrap_or("main");
    let container = container.unwrap_or(first);
    let ended = statuses.into_iter().flatten().find(|one| one.get("name").is_some_and(|n| n == container));
    let ended = ended.and_then(|one| one.pointer("/state/terminated"));
    let exit = ended.and_then(|ended| ended.get("exitCode")).map_or("not known".into(), Value::to_string);
    let why = ended.and_then(|ended| ended.get("reason")).and_then(Value::as_str);
    let exit = why.map_or(exit.clone(), |why| format!("{exit} ({why})"));
    let name = pod.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let log = match cluster.log_tail(&PODS.named(&job.namespace, name), Some(container)).await {
        Ok(log) => cut(&log),
        Err(error) => format!("(no log: {error})"),
    };
    LastWords { container: container.to_owned(), exit, log }
}

/// The end of a log, as text that may stand on a screen.
fn cut(log: &str) -> String {
    let plain = |c: char| if c.is_control() && c != '\n' { '\u{fffd}' } else { c };
    let log = log.trim_end();
    if log.len() <= LOG_BYTES_MAX {
        return log.chars().map(plain).collect();
    }
    let from = log.ceil_char_boundary(log.len() - LOG_BYTES_MAX);
    format!("...{}", log[from..].chars().map(plain).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_a_log_is_kept() {
        assert_eq!(cut("done\r\n"), "done");
        assert_eq!(cut("a\n\u{1b}[31mb\tc\n"), "a\n\u{fffd}[31mb\u{fffd}c");
        let long = cut(&"ü".repeat(5000));
        assert!(long.starts_with("...ü") && long.len() <= LOG_BYTES_MAX + 3, "{}", long.len());
    }
}
