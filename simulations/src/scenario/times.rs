//! The times of a scenario: nothing is written for after its end, and nothing ends before it begins. What comes too late
//! would never happen and an expectation of it would never be looked at, so it must never be taken.

use paramedic_policies::time::Span;

use super::document::Spec;
use super::schedule;

/// What is wrong: the path below `spec`, the problem, a hint.
pub(super) fn faults(spec: &Spec) -> Vec<(String, String, String)> {
    let mut faults = too_late(spec);
    faults.extend(backwards(spec));
    faults
}

/// All that comes after the end.
fn too_late(spec: &Spec) -> Vec<(String, String, String)> {
    let end = schedule::lasts(spec);
    let late = written(spec).into_iter().filter(|(_, at)| *at > end);
    late.map(|(path, at)| {
        let problem = format!("it is at {at}, and the scenario ends at {end}");
        let hint = format!("an earlier time, or `lasts: {at}` or longer under `spec`");
        (path, problem, hint)
    })
    .collect()
}

/// Every time at which something begins or is looked at, with its path.
fn written(spec: &Spec) -> Vec<(String, Span)> {
    let mut all: Vec<(String, Span)> = Vec::new();
    for (index, alert) in spec.alerts.iter().enumerate() {
        all.push((format!("alerts/{index}/from"), alert.from));
        if let Some(recurs) = &alert.recurs {
            let rounds = u64::from(recurs.times).saturating_sub(1);
            let last = alert.from.ms().saturating_add(recurs.every.ms().saturating_mul(rounds));
            all.push((format!("alerts/{index}/recurs/times"), Span::from_ms(last)));
        }
    }
    for (index, fact) in spec.facts.iter().enumerate() {
        for (place, spell) in fact.over.iter().enumerate() {
            all.extend(spell.at.map(|at| (format!("facts/{index}/over/{place}/at"), at)));
        }
    }
    let orders = spec.orders.iter().enumerate();
    all.extend(orders.map(|(index, order)| (format!("orders/{index}/at"), order.at)));
    let changes = spec.changes.iter().enumerate();
    all.extend(changes.map(|(index, change)| (format!("changes/{index}/at"), change.at)));
    let faults = spec.faults.iter().enumerate();
    all.extend(faults.map(|(index, fault)| (format!("faults/{index}/from"), fault.from)));
    let actions = spec.expect.actions.iter().flatten().enumerate();
    all.extend(actions.filter_map(|(index, one)| Some((format!("expect/actions/{index}/at"), one.at?))));
    let states = spec.expect.state.iter().enumerate();
    all.extend(states.filter_map(|(index, one)| Some((format!("expect/state/{index}/at"), one.at?))));
    all
}

/// What ends before it begins.
fn backwards(spec: &Spec) -> Vec<(String, String, String)> {
    let alerts = spec.alerts.iter().map(|one| (one.from, one.until)).enumerate();
    let faults = spec.faults.iter().map(|one| (one.from, one.until)).enumerate();
    let all = alerts.map(|one| ("alerts", one)).chain(faults.map(|one| ("faults", one)));
    all.filter_map(|(list, (index, (from, until)))| {
        let until = until.filter(|until| *until <= from)?;
        let problem = format!("it ends at {until}, and does not begin before {from}");
        let hint =
            "`until` is counted from the beginning of the scenario, not from `from`; write a later one";
        Some((format!("{list}/{index}/until"), problem, hint.to_owned()))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use crate::scenario::read;

    const HEAD: &str = "apiVersion: paramedic.dev/v1alpha1\nkind: Scenario\nmetadata: {name: a}\nspec:\n";

    /// What is wrong with one line below `spec`, which is line 5.
    fn problems(line: &str) -> Vec<String> {
        let expect = if line.starts_with("expect") { "" } else { "  expect: {actions: []}\n" };
        let text = format!("{HEAD}  {line}\n{expect}");
        match read(&text, "cart.yaml") {
            Ok(_) => Vec::new(),
            Err(problems) => problems.iter().map(ToString::to_string).collect(),
        }
    }

    /// At the value of what stands there.
    fn is_refused(line: &str, there: &str, problem: &str) {
        let all = problems(line);
        let before = line.find(there).expect("it stands there") + there.find(' ').expect("a value") + 1;
        let column = 3 + before;
        let place = format!("cart.yaml:5:{column}: error: ");
        assert!(all.len() == 1 && all[0].starts_with(&place) && all[0].contains(problem), "{line}: {all:#?}");
        assert!(all[0].contains("\n  hint: "), "{line}: {all:#?}");
    }

    #[test]
    fn nothing_is_written_for_after_the_end() {
        let late = "it is at 2h, and the scenario ends at 1h";
        is_refused("expect: {state: [{at: 2h, kind: Deployment, name: cart, there: true}]}", "at: 2h", late);
        is_refused("expect: {actions: [{do: restart, at: 2h}]}", "at: 2h", late);
        is_refused("orders: [{at: 2h, acknowledge: true}]", "at: 2h", late);
        is_refused("changes: [{at: 2h, daemonRestarts: true}]", "at: 2h", late);
        is_refused("faults: [{what: denied, from: 2h}]", "from: 2h", late);
        is_refused("alerts: [{labels: {alertname: A}, from: 2h}]", "from: 2h", late);
        is_refused("facts: [{query: up, over: [{is: 1}, {at: 2h, is: 2}]}]", "at: 2h", late);
        is_refused(
            "alerts: [{labels: {alertname: A}, until: 5m, recurs: {every: 1h, times: 3}}]",
            "times: 3",
            late,
        );
        let hint = problems("orders: [{at: 2h, acknowledge: true}]").join("\n");
        assert!(hint.contains("hint: an earlier time, or `lasts: 2h` or longer"), "{hint}");
    }

    #[test]
    fn the_end_itself_is_looked_at_and_what_lasts_longer_may() {
        for good in [
            "expect: {state: [{at: 1h, kind: Deployment, name: cart, there: false}]}",
            "alerts: [{labels: {alertname: A}, until: 2h}]",
            "faults: [{what: denied, until: 2h}]",
            "orders: [{at: 1m, pause: {everything: true}, for: 2h}]",
        ] {
            assert_eq!(problems(good), [""; 0], "{good}");
        }
    }

    #[test]
    fn nothing_ends_before_it_begins() {
        let problem = "it ends at 5m, and does not begin before 10m";
        is_refused("alerts: [{labels: {alertname: A}, from: 10m, until: 5m}]", "until: 5m", problem);
        is_refused("faults: [{what: prometheusDown, from: 10m, until: 5m}]", "until: 5m", problem);
        is_refused("faults: [{what: prometheusDown, from: 5m, until: 5m}]", "until: 5m", "it ends at 5m");
    }
}
