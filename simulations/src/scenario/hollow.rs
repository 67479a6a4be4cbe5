//! What is written and says nothing: a part of a text that any text has, a number that the rest of the world contradicts, a
//! word that belongs to something that is not there. Each is a slip; it must never be taken and then passed over.

use paramedic_policies::time::Span;

use super::document::{ChangeDocument, Spec};
use super::expect_document::ExpectDocument;
use super::world_document::WorldDocument;

/// What is wrong: the path below `spec`, the problem, a hint.
pub(super) fn faults(spec: &Spec) -> Vec<(String, String, &'static str)> {
    let mut faults = blank(spec);
    faults.extend(contradicted(&spec.world));
    faults.extend(alone(spec));
    faults
}

/// Texts that would be found in anything.
fn blank(spec: &Spec) -> Vec<(String, String, &'static str)> {
    let ExpectDocument { actions, refusals, calls, state, .. } = &spec.expect;
    let mut written: Vec<(String, &str, &'static str)> = Vec::new();
    for (index, one) in actions.iter().flatten().enumerate() {
        let hint = "a part of what the action says of itself, such as `restart` or `scale 3 -> 5`";
        written.push((format!("expect/actions/{index}/do"), &one.does, hint));
    }
    for (index, one) in refusals.iter().enumerate() {
        let hint = "a part of the reason's text; leave `says` out where its name is enough";
        written
            .extend(one.says.as_ref().map(|says| (format!("expect/refusals/{index}/says"), &**says, hint)));
    }
    for (index, one) in calls.iter().flatten().enumerate() {
        written.push((format!("expect/calls/{index}"), one, "a part of what the person is told"));
    }
    for (index, one) in state.iter().enumerate() {
        let hint = "the name of an annotation, or a field such as `spec.replicas`";
        for (key, text) in [("field", &one.field), ("annotation", &one.annotation)] {
            written.extend(text.as_ref().map(|text| (format!("expect/state/{index}/{key}"), &**text, hint)));
        }
    }
    for (index, one) in spec.orders.iter().enumerate() {
        let hint = "a part of the answer that refuses it";
        written.extend(one.refused.as_ref().map(|text| (format!("orders/{index}/refused"), &**text, hint)));
    }
    let blank = written.into_iter().filter(|(_, text, _)| text.trim().is_empty());
    blank.map(|(path, _, hint)| (path, "an empty text is a part of every text".to_owned(), hint)).collect()
}

/// Numbers and names that the same object contradicts.
fn contradicted(world: &WorldDocument) -> Vec<(String, String, &'static str)> {
    let mut faults = Vec::new();
    for (index, one) in world.workloads.iter().enumerate() {
        if let Some(ready) = one.ready.filter(|ready| *ready > one.replicas) {
            let problem = format!("{ready} replicas cannot be ready where there are {}", one.replicas);
            let hint = "write fewer, or more `replicas`; where `ready` is not written all are";
            faults.push((format!("world/workloads/{index}/ready"), problem, hint));
        }
        if let Some(hpa) = one.hpa.as_ref().filter(|hpa| hpa.min > hpa.max) {
            let problem = format!("the least is {}, and the most is {}", hpa.min, hpa.max);
            faults.push((
                format!("world/workloads/{index}/hpa/min"),
                problem,
                "write a `max` that is not less",
            ));
        }
    }
    for (index, one) in world.services.iter().enumerate() {
        for (place, name) in one.open.iter().enumerate().filter(|(_, name)| !one.breakers.contains(name)) {
            let problem = format!("there is no breaker `{name}` that could stand open");
            faults.push((
                format!("world/services/{index}/open/{place}"),
                problem,
                "name one of its `breakers`",
            ));
        }
    }
    faults
}

/// Words without what they belong to.
fn alone(spec: &Spec) -> Vec<(String, String, &'static str)> {
    let mut faults = Vec::new();
    let mut fault = |path: String, problem: &str, hint: &'static str| {
        faults.push((path, problem.to_owned(), hint));
    };
    for (index, one) in spec.alerts.iter().enumerate() {
        if one.repeated_every == Some(Span::ZERO) {
            let hint = "a time between two sendings, such as 5m; leave it out where it is sent once";
            fault(format!("alerts/{index}/repeatedEvery"), "it would never be sent again", hint);
        }
    }
    for (index, one) in spec.facts.iter().enumerate() {
        if !one.over.is_empty() && one.says.takes > Span::ZERO {
            let hint = "write `takes` beside each value of `over` that is slow";
            fault(format!("facts/{index}/takes"), "it says of no value of `over` how long it takes", hint);
        }
    }
    for (index, one) in spec.orders.iter().enumerate() {
        if one.lasts.is_some() && one.pause.is_none() {
            fault(format!("orders/{index}/for"), "nothing is paused", "`for` belongs to `pause`");
        }
    }
    for (index, ChangeDocument { deploy, image, broken, .. }) in spec.changes.iter().enumerate() {
        for (key, is_written) in [("image", image.is_some()), ("broken", *broken)] {
            if is_written && deploy.is_none() {
                let hint = "`image` and `broken` belong to `deploy`";
                fault(format!("changes/{index}/{key}"), "nothing is deployed", hint);
            }
        }
    }
    for (index, one) in spec.expect.state.iter().enumerate() {
        if one.is.is_some() && one.there.is_some() {
            let hint = "`is` belongs to a `field` or an `annotation`";
            fault(format!("expect/state/{index}/is"), "whether it is there has no value", hint);
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use crate::scenario::read;

    const HEAD: &str = "apiVersion: paramedic.dev/v1alpha1\nkind: Scenario\nmetadata: {name: a}\nspec:\n";

    /// What is wrong with one line below `spec`, which is line 5.
    fn problems(line: &str) -> Vec<String> {
        let expect = if line.starts_with("expect") { "" } else { "  expect: {actions: []}\n" };
        match read(&format!("{HEAD}  {line}\n{expect}"), "cart.yaml") {
            Ok(_) => Vec::new(),
            Err(problems) => problems.iter().map(ToString::to_string).collect(),
        }
    }

    /// At the value of what stands there, with a hint.
    fn is_refused(line: &str, there: &str, problem: &str) {
        let all = problems(line);
        let before = line.find(there).expect("it stands there") + there.find(' ').map_or(0, |at| at + 1);
        let place = format!("cart.yaml:5:{}: error: {problem}\n  hint: ", 3 + before);
        assert!(all.len() == 1 && all[0].starts_with(&place), "{line}: {place}: {all:#?}");
    }

    #[test]
    fn a_text_that_any_text_has_is_refused() {
        let any = "an empty text is a part of every text";
        is_refused("expect: {actions: [{do: ''}]}", "do: ''", any);
        is_refused("expect: {actions: [{do: ' '}]}", "do: ' '", any);
        is_refused("expect: {calls: ['']}", "''", any);
        is_refused("expect: {refusals: [{policy: a, reason: storm, says: ''}]}", "says: ''", any);
        is_refused("expect: {state: [{kind: Deployment, annotation: ''}]}", "annotation: ''", any);
        is_refused("expect: {state: [{kind: Deployment, field: '', is: 3}]}", "field: ''", any);
        is_refused("orders: [{at: 1m, acknowledge: true, refused: ''}]", "refused: ''", any);
    }

    #[test]
    fn a_world_that_contradicts_itself_is_refused() {
        let workload =
            |what: &str| format!("world: {{workloads: [{{namespace: shop, name: cart, {what}}}]}}");
        let nine = "9 replicas cannot be ready where there are 3";
        is_refused(&workload("replicas: 3, ready: 9"), "ready: 9", nine);
        is_refused(&workload("ready: 9"), "ready: 9", nine);
        is_refused(&workload("hpa: {min: 4, max: 3}"), "min: 4", "the least is 4, and the most is 3");
        for good in ["ready: 3", "ready: 0", "replicas: 9, ready: 9", "hpa: {min: 3, max: 3}"] {
            assert_eq!(problems(&workload(good)), [""; 0], "{good}");
        }
        let services = "workloads: [{namespace: shop, name: cart}], services: \
                        [{namespace: shop, name: cart, workload: cart, breakers: [db], open: [bd]}]";
        is_refused(&format!("world: {{{services}}}"), "bd", "there is no breaker `bd` that could stand open");
    }

    #[test]
    fn a_word_without_what_it_belongs_to_is_refused() {
        let never = "it would never be sent again";
        is_refused("alerts: [{labels: {alertname: A}, repeatedEvery: 0s}]", "repeatedEvery: 0s", never);
        is_refused("orders: [{at: 1m, acknowledge: true, for: 5m}]", "for: 5m", "nothing is paused");
        is_refused("changes: [{at: 1m, daemonRestarts: true, image: a}]", "image: a", "nothing is deployed");
        is_refused(
            "facts: [{query: up, takes: 5s, over: [{is: 1}]}]",
            "takes: 5s",
            "it says of no value of `over` how long it takes",
        );
        is_refused(
            "expect: {state: [{kind: Deployment, there: true, is: 3}]}",
            "is: 3",
            "whether it is there has no value",
        );
    }
}
