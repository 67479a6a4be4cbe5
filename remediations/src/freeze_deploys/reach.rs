//! What a freeze reaches beyond the API server's own gate. A project of Argo CD gets one more window in which nothing is
//! synced, appended to its own; it begins with the freeze and is over by itself, though it would come again in a year. A
//! Kustomization or HelmRelease of Flux is suspended; nothing ends that but paramedic or a person. Each freeze leaves a
//! mark of its own, and whatever carries none is somebody else's: never changed, never taken back.

use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::freeze_deploys::Freeze;
use paramedic_policies::remediation::freeze_deploys::reach::{Gate, Reached};
use paramedic_policies::time::Moment;
use serde_json::{Value, json};

use crate::block_ip::{text, texts};
use crate::checks::{self, Checks};
use crate::cleanup::Known;
use crate::ownership::{self, Path};
use crate::ports::cluster::{Cluster, LookError};
use crate::ports::objects::{Address, Field, ObjectChange, Resource, add, escaped, remove, test};

pub(super) const APP_PROJECTS: Resource =
    Resource::namespaced("argoproj.io", "v1alpha1", "appprojects", "AppProject");
pub(super) const KUSTOMIZATIONS: Resource =
    Resource::namespaced("kustomize.toolkit.fluxcd.io", "v1", "kustomizations", "Kustomization");
const HELM_RELEASES: Resource =
    Resource::namespaced("helm.toolkit.fluxcd.io", "v2", "helmreleases", "HelmRelease");

/// Annotations with this prefix and a stamp: what that freeze did here, as JSON, so that it can be undone without a journal.
const MARKS: &str = "freeze.paramedic.dev/";

pub(super) fn resource(gate: Gate) -> Resource {
    match gate {
        Gate::ArgoCd => APP_PROJECTS,
        Gate::Kustomization => KUSTOMIZATIONS,
        Gate::HelmRelease => HELM_RELEASES,
    }
}

pub(super) fn address(reached: &Reached) -> Address {
    resource(reached.gate).named(&reached.namespace, &reached.name)
}

/// The marks on an object, by stamp.
fn marks(object: &Value) -> Vec<(String, Value)> {
    let read = |(key, value): (String, String)| {
        let stamp = key.strip_prefix(MARKS)?.to_owned();
        Some((stamp, serde_json::from_str(&value).unwrap_or_default()))
    };
    texts(object, "/metadata/annotations").into_iter().filter_map(read).collect()
}

/// Whether a freeze of ours has left its mark.
pub(super) fn is_marked(object: &Value, stamp: Option<&str>) -> bool {
    marks(object).iter().any(|(of, _)| stamp.is_none_or(|stamp| stamp == of))
}

fn is_suspended(object: &Value) -> bool {
    object.pointer("/spec/suspend") == Some(&Value::Bool(true))
}

/// Whether somebody else keeps it from deploying: then nothing is left to do, now and at the thaw.
pub(super) fn is_shut_by_others(reached: &Reached, object: &Value) -> bool {
    match reached.gate {
        Gate::ArgoCd => false,
        Gate::Kustomization | Gate::HelmRelease => is_suspended(object) && marks(object).is_empty(),
    }
}

/// Whether it is kept from deploying for that long already, by a freeze of ours.
pub(super) fn holds(reached: &Reached, object: &Value, wanted: Moment) -> bool {
    marks(object).iter().any(|(_, mark)| {
        let lasts = text(mark, "/until").parse::<Moment>().is_ok_and(|until| until >= wanted);
        lasts
            && match reached.gate {
                Gate::ArgoCd => mark.get("window").is_some_and(|window| windows(object).contains(window)),
                Gate::Kustomization | Gate::HelmRelease => is_suspended(object),
            }
    })
}

fn windows(object: &Value) -> Vec<Value> {
    object.pointer("/spec/syncWindows").and_then(Value::as_array).cloned().unwrap_or_default()
}

/// Notes whether somebody has paused it; that alone holds the way back.
pub(super) fn pause(reached: &Reached, object: Option<&Value>, now: Moment, checks: &mut Checks) {
    let annotations = object.map(|object| texts(object, "/metadata/annotations")).unwrap_or_default();
    checks.note(checks::pause(&reached.to_string(), &annotations, now));
}

/// Notes what stands against it.
pub(super) fn obstacles(reached: &Reached, object: Option<&Value>, now: Moment, checks: &mut Checks) {
    pause(reached, object, now, checks);
    let Some(object) = object else {
        checks.refuse(Reason::TargetAbsent { what: reached.to_string() });
        return;
    };
    let field = match reached.gate {
        Gate::ArgoCd => Path::of(&["spec", "syncWindows"]),
        Gate::Kustomization | Gate::HelmRelease => Path::of(&["spec", "suspend"]),
    };
    ownership::note(object, &field, checks);
    match reached.gate {
        Gate::ArgoCd => {}
        Gate::Kustomization | Gate::HelmRelease if is_shut_by_others(reached, object) => {
            checks.pass(format!("{reached} is suspended by somebody else, and is left as it is"));
        }
        Gate::Kustomization | Gate::HelmRelease => {
            checks.pass(format!("{reached} stays suspended until paramedic or a person resumes it"));
        }
    }
}

/// What keeps it from deploying.
pub(super) fn shut(
    reached: &Reached,
    object: &Value,
    freeze: &Freeze,
    stamp: &str,
    at: Moment,
) -> ObjectChange {
    let until = at + freeze.wish.lasts;
    let mut mark = json!({"until": until.to_string()});
    let mut operations = vec![test("/metadata/uid", json!(text(object, "/metadata/uid")))];
    let (path, before, after);
    match reached.gate {
        Gate::ArgoCd => {
            let window = window(freeze, at);
            // What is not there cannot be tested, nor can the end of a list: nobody may have written it since.
            operations.push(version(object));
            if object.pointer("/spec/syncWindows").is_none_or(Value::is_null) {
                operations.push(add("/spec/syncWindows", json!([])));
            }
            operations.push(add("/spec/syncWindows/-", window.clone()));
            let count = windows(object).len();
            (path, before, after) =
                ("spec.syncWindows", count.to_string(), format!("{} ({})", count + 1, shown(&window)));
            mark["window"] = window;
        }
        Gate::Kustomization | Gate::HelmRelease => {
            let has = object.pointer("/spec/suspend").cloned();
            match &has {
                Some(has) => operations.push(test("/spec/suspend", has.clone())),
                // What is absent cannot be tested: nobody may have written the object since.
                None => operations.push(version(object)),
            }
            // The first of several freezes knows what was before all of them.
            let first = marks(object).into_iter().find_map(|(_, mark)| mark.get("was").cloned());
            mark["was"] = first.unwrap_or_else(|| has.clone().unwrap_or_default());
            operations.push(add("/spec/suspend", json!(true)));
            let shown = has.map_or("-".to_owned(), |has| has.to_string());
            (path, before, after) = ("spec.suspend", shown, "true".to_owned());
        }
    }
    if object.pointer("/metadata/annotations").is_none_or(Value::is_null) {
        operations.push(add("/metadata/annotations", json!({})));
    }
    operations.push(add(&pointer(stamp), json!(mark.to_string())));
    patched(reached, operations, path, before, after)
}

/// What undoes freezes: exactly what their marks say, and only while that is still there.
pub(super) fn opened(reached: &Reached, object: &Value, stamps: &[&str]) -> ObjectChange {
    let mut operations = vec![test("/metadata/uid", json!(text(object, "/metadata/uid")))];
    let (undone, others): (Vec<_>, Vec<_>) =
        marks(object).into_iter().partition(|(of, _)| stamps.contains(&of.as_str()));
    let (path, before, mut after);
    match reached.gate {
        Gate::ArgoCd => {
            let has = windows(object);
            let mut places: Vec<usize> = Vec::new();
            for ours in undone.iter().filter_map(|(_, mark)| mark.get("window")) {
                let is_ours = |place: &usize| has[*place] == *ours && !places.contains(place);
                let place = (0..has.len()).rev().find(is_ours);
                places.extend(place);
            }
            // From the last: what is removed moves whatever stands behind it.
            places.sort_unstable_by(|a, b| b.cmp(a));
            if !places.is_empty() {
                operations.push(version(object));
            }
            for place in &places {
                let at = format!("/spec/syncWindows/{place}");
                operations.extend([test(&at, has[*place].clone()), remove(&at)]);
            }
            let stay = has.len() - places.len();
            if stay == 0 && !places.is_empty() {
                operations.push(remove("/spec/syncWindows"));
            }
            (path, before, after) = ("spec.syncWindows", has.len().to_string(), stay.to_string());
        }
        Gate::Kustomization | Gate::HelmRelease => {
            (path, before) = ("spec.suspend", is_suspended(object).to_string());
            after = before.clone();
            // Another freeze of ours still wants it; and what a person has resumed is theirs.
            if others.is_empty() && is_suspended(object) {
                operations.push(test("/spec/suspend", json!(true)));
                let was = undone.iter().find_map(|(_, mark)| mark.get("was")).filter(|was| !was.is_null());
                operations.push(match was {
                    Some(was) => add("/spec/suspend", was.clone()),
                    None => remove("/spec/suspend"),
                });
                after = was.map_or("-".to_owned(), Value::to_string);
            }
        }
    }
    operations.extend(stamps.iter().map(|stamp| remove(&pointer(stamp))));
    patched(reached, operations, path, before, after)
}

/// What ends every freeze of ours on an object without a journal, or why not.
pub(crate) fn left(at: &Address, object: &Value) -> Option<Known> {
    let gates = [Gate::ArgoCd, Gate::Kustomization, Gate::HelmRelease];
    let gate = gates.into_iter().find(|gate| resource(*gate) == at.resource)?;
    let marks = marks(object);
    let stamps: Vec<&str> = marks.iter().map(|(stamp, _)| stamp.as_str()).collect();
    let reached = Reached { gate, namespace: at.namespace.clone(), name: at.name.clone() };
    let unread = marks.iter().find(|(_, mark)| !mark.is_object());
    let known = match unread {
        _ if stamps.is_empty() => return None,
        Some((stamp, _)) => {
            Err(format!("nobody can read what its annotation {MARKS}{stamp} says was before"))
        }
        None => Ok(opened(&reached, object, &stamps)),
    };
    Some((stamps.join(", "), known))
}

fn pointer(stamp: &str) -> String {
    format!("/metadata/annotations/{}", escaped(&format!("{MARKS}{stamp}")))
}

fn version(object: &Value) -> Value {
    test("/metadata/resourceVersion", json!(text(object, "/metadata/resourceVersion")))
}

fn patched(
    reached: &Reached,
    operations: Vec<Value>,
    path: &str,
    before: String,
    after: String,
) -> ObjectChange {
    let field = Field { path: format!("{path} of {reached}"), pointer: String::new(), before, after };
    ObjectChange::Patch { at: address(reached), subresource: None, operations, fields: vec![field] }
}

/// Minutes are the finest that a window knows: it begins with the minute of the freeze, and ends with that of its end or
/// just after it.
fn window(freeze: &Freeze, at: Moment) -> Value {
    const MINUTE: i64 = 60_000;
    let begins = Moment::from_unix_ms(at.unix_ms() / MINUTE * MINUTE);
    let ends = at + freeze.wish.lasts;
    let minutes = (ends.unix_ms() - begins.unix_ms() + MINUTE - 1) / MINUTE;
    json!({
        "kind": "deny",
        "schedule": cron(begins),
        "duration": format!("{minutes}m"),
        "namespaces": freeze.wish.namespaces,
        "manualSync": false,
        "timeZone": "UTC",
    })
}

/// A moment as the one minute of the year at which a window begins; from `2026-11-21T09:05:00.000Z`.
fn cron(at: Moment) -> String {
    let text = at.to_string();
    let part = |from: usize| text.get(from..from + 2).map_or("0", |two| two.trim_start_matches('0'));
    let number = |from: usize| if part(from).is_empty() { "0" } else { part(from) };
    format!("{} {} {} {} *", number(14), number(11), number(8), number(5))
}

fn shown(window: &Value) -> String {
    format!("deny from {} UTC for {}", text(window, "/schedule"), text(window, "/duration"))
}

/// The objects that are reached, as they are.
///
/// # Errors
/// When nobody knows, or the server does not serve them.
pub(super) async fn look(
    cluster: &dyn Cluster,
    all: &[Reached],
) -> Result<Vec<(Reached, Option<Value>)>, LookError> {
    let mut found = Vec::new();
    for reached in all {
        found.push((reached.clone(), cluster.get(&address(reached)).await?));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use paramedic_policies::remediation::freeze_deploys::Wish;
    use paramedic_policies::time::Span;

    use super::*;

    #[test]
    fn a_window_begins_with_its_minute_and_covers_the_end() {
        let wish = Wish {
            namespaces: vec!["prod".into(), "stage".into()],
            lasts: Span::from_hours(2),
            reason: None,
            break_glass: "people".into(),
            reach: Vec::new(),
        };
        let freeze = Freeze::new(wish, "us".into());
        let at = |text: &str| text.parse::<Moment>().expect("a time");
        let first = window(&freeze, at("2026-11-21T09:05:00Z"));
        assert_eq!((text(&first, "/schedule"), text(&first, "/duration")), ("5 9 21 11 *", "120m"));
        let second = window(&freeze, at("2026-01-01T00:00:30.5Z"));
        assert_eq!((text(&second, "/schedule"), text(&second, "/duration")), ("0 0 1 1 *", "121m"));
        assert_eq!(second["namespaces"], json!(["prod", "stage"]));
    }
}
