//! How much a scenario may hold. A slip of a zero must be told at its place, and never take the memory of the machine.

use paramedic_policies::time::Span;

use super::document::Spec;
use super::schedule;

/// Pods of one workload: what a simulated cluster takes in its stride; ten times as many take seconds and gigabytes.
const REPLICAS_MAX: u32 = 10_000;

/// Pods of all workloads at the beginning.
const PODS_MAX: u64 = 20_000;

/// Alerts that fire at once by one entry. The work grows faster than their number; a storm is some dozens.
const COPIES_MAX: u32 = 2_000;

/// Alerts that fire in one scenario, those that come back counted each time.
const FIRINGS_MAX: u64 = 10_000;

/// What is wrong: the path below `spec`, and the problem.
pub(super) fn faults(spec: &Spec) -> Vec<(String, String)> {
    let mut faults = Vec::new();
    let mut hold = |path: String, amount: u64, max: u64, of: &str| {
        let is_too_much = amount > max;
        if is_too_much {
            faults.push((path, format!("{amount} {of} are more than the {max} that can be simulated")));
        }
        !is_too_much
    };
    let mut fits = true;
    for (index, one) in spec.world.workloads.iter().enumerate() {
        let path = format!("world/workloads/{index}");
        fits &= hold(format!("{path}/replicas"), one.replicas.into(), REPLICAS_MAX.into(), "replicas");
        if let Some(hpa) = &one.hpa {
            fits &= hold(format!("{path}/hpa/min"), hpa.min.into(), REPLICAS_MAX.into(), "replicas");
        }
    }
    if fits {
        let pods = spec.world.workloads.iter().map(|one| u64::from(one.replicas)).sum();
        hold("world/workloads".to_owned(), pods, PODS_MAX, "replicas of all workloads");
    }
    for (index, change) in spec.changes.iter().enumerate() {
        let to = change.to.unwrap_or_default();
        hold(format!("changes/{index}/to"), to.into(), REPLICAS_MAX.into(), "replicas");
    }
    let (mut fits, mut firings) = (true, 0_u64);
    for (index, alert) in spec.alerts.iter().enumerate() {
        let path = format!("alerts/{index}");
        let copies = alert.copies.unwrap_or(1);
        fits &= hold(format!("{path}/copies"), copies.into(), COPIES_MAX.into(), "copies of an alert");
        let times = alert.recurs.as_ref().map_or(1, |recurs| recurs.times);
        fits &= hold(format!("{path}/recurs/times"), times.into(), schedule::ROUNDS_MAX, "times");
        firings += u64::from(copies) * u64::from(times);
        if let Some(every) = alert.repeated_every.filter(|every| *every > Span::ZERO) {
            let until = alert.until.unwrap_or(schedule::lasts(spec)).min(schedule::lasts(spec));
            let each = until.ms().saturating_sub(alert.from.ms()) / every.ms();
            let repeats = each.saturating_mul(u64::from(times));
            hold(format!("{path}/repeatedEvery"), repeats, schedule::REPEATS_MAX, "repeats of an alert");
        }
    }
    if fits {
        hold("alerts".to_owned(), firings, FIRINGS_MAX, "alerts in all");
    }
    faults
}

#[cfg(test)]
mod tests {
    use crate::scenario::read;

    const HEAD: &str = "apiVersion: paramedic.dev/v1alpha1\nkind: Scenario\nmetadata: {name: a}\nspec:\n";

    fn problems(lines: &str) -> String {
        let text = format!("{HEAD}  {lines}\n  expect: {{actions: []}}\n");
        match read(&text, "cart.yaml") {
            Ok(_) => String::new(),
            Err(problems) => problems.iter().map(|one| format!("{one}\n")).collect(),
        }
    }

    #[test]
    fn a_slip_of_a_zero_is_told_at_its_place() {
        for (written, column, problem) in [
            (
                "world: {workloads: [{namespace: shop, name: cart, replicas: 3000000}]}",
                63,
                "3000000 replicas",
            ),
            ("alerts: [{labels: {alertname: A}, copies: 200000}]", 45, "200000 copies of an alert"),
            (
                "alerts: [{labels: {alertname: A}, until: 1ms, recurs: {every: 2ms, times: 5000}}]",
                77,
                "5000 times",
            ),
            ("alerts: [{labels: {alertname: A}, repeatedEvery: 1s}]", 52, "3600 repeats of an alert"),
        ] {
            let all = problems(written);
            let wanted = format!("cart.yaml:5:{column}: error: {problem} are more than the ");
            assert!(all.starts_with(&wanted), "{written}: {all}");
            assert_eq!((all.matches("error:").count(), all.matches("hint:").count()), (1, 1), "{all}");
        }
    }

    #[test]
    fn many_small_ones_are_counted_together() {
        let alert = "{labels: {alertname: A}, copies: 2000, until: 1s, recurs: {every: 2s, times: 5}}";
        assert_eq!(problems(&format!("alerts: [{alert}]")), "");
        let all = problems(&format!("alerts: [{alert}, {alert}]"));
        assert!(all.contains("cart.yaml:5:3: error: 20000 alerts in all"), "{all}");
        let cart = "{namespace: shop, name: a, replicas: 9000}";
        let all = problems(&format!("world: {{workloads: [{cart}, {cart}, {cart}]}}"));
        assert!(all.contains("27000 replicas of all workloads"), "{all}");
    }
}
