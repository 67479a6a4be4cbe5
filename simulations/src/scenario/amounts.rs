//! How much a scenario may hold. A slip of a zero must be told at its place, and never take the memory of the machine. What
//! one number may be is in the schema, by these bounds; what many come to together is counted here.

use paramedic_policies::time::Span;

use super::document::Spec;
use super::schedule;

/// Pods of one workload: what a simulated cluster takes in its stride; ten times as many take seconds and gigabytes.
pub(super) const REPLICAS_MAX: u32 = 10_000;

/// Pods of all workloads at the beginning.
const PODS_MAX: u64 = 20_000;

/// Alerts that fire at once by one entry. The work grows faster than their number; a storm is some dozens.
pub(super) const COPIES_MAX: u32 = 2_000;

/// No alert comes back more often in one scenario.
pub(super) const ROUNDS_MAX: u32 = 1_000;

/// Alerts that fire in one scenario, those that come back counted each time.
const FIRINGS_MAX: u64 = 10_000;

/// What is wrong: the path below `spec`, and the problem.
pub(super) fn faults(spec: &Spec) -> Vec<(String, String)> {
    let mut faults = Vec::new();
    let mut hold = |path: String, amount: u64, max: u64, of: &str| {
        if amount > max {
            faults.push((path, format!("{amount} {of} are more than the {max} that can be simulated")));
        }
    };
    let pods = spec.world.workloads.iter().map(|one| u64::from(one.replicas)).sum();
    hold("world/workloads".to_owned(), pods, PODS_MAX, "replicas of all workloads");
    let mut firings = 0_u64;
    for (index, alert) in spec.alerts.iter().enumerate() {
        let times = alert.recurs.as_ref().map_or(1, |recurs| recurs.times);
        firings += u64::from(alert.copies.unwrap_or(1)) * u64::from(times);
        if let Some(every) = alert.repeated_every.filter(|every| *every > Span::ZERO) {
            let until = alert.until.unwrap_or(schedule::lasts(spec)).min(schedule::lasts(spec));
            let each = until.ms().saturating_sub(alert.from.ms()) / every.ms();
            let repeats = each.saturating_mul(u64::from(times));
            let path = format!("alerts/{index}/repeatedEvery");
            hold(path, repeats, schedule::REPEATS_MAX, "repeats of an alert");
        }
    }
    hold("alerts".to_owned(), firings, FIRINGS_MAX, "alerts in all");
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
    fn a_slip_of_a_zero_is_told_at_its_place_with_the_bound_that_holds() {
        let workload =
            |what: &str| format!("world: {{workloads: [{{namespace: shop, name: cart, {what}}}]}}");
        let comes_back = |times: u32| {
            format!(
                "alerts: [{{labels: {{alertname: A}}, until: 1ms, recurs: {{every: 2ms, times: {times}}}}}]"
            )
        };
        for (written, column, key, range) in [
            (workload("replicas: 3000000"), 63, "replicas", "0 to 10000"),
            (workload("replicas: 99999999999"), 63, "replicas", "0 to 10000"),
            (workload("ready: 10001"), 60, "ready", "0 to 10000"),
            (workload("hpa: {min: 1, max: 10001}"), 72, "max", "0 to 10000"),
            ("alerts: [{labels: {alertname: A}, copies: 200000}]".to_owned(), 45, "copies", "1 to 2000"),
            ("alerts: [{labels: {alertname: A}, copies: 0}]".to_owned(), 45, "copies", "1 to 2000"),
            (comes_back(5000), 77, "times", "1 to 1000"),
            (comes_back(0), 77, "times", "1 to 1000"),
        ] {
            let all = problems(&written);
            let wanted = format!("cart.yaml:5:{column}: error: `{key}` cannot be ");
            assert!(all.starts_with(&wanted), "{written}: {all}");
            assert!(all.ends_with(&format!("\n  hint: from {range}\n")), "{written}: {all}");
            assert_eq!(all.matches("error:").count(), 1, "{all}");
        }
        let all = problems("faults: [{what: denied, changes: 0}]");
        assert!(all.contains("`changes` cannot be 0\n  hint: from 1 to 4294967295"), "{all}");
    }

    #[test]
    fn what_is_repeated_too_often_is_told_at_its_place() {
        let all = problems("alerts: [{labels: {alertname: A}, repeatedEvery: 1s}]");
        let wanted = "cart.yaml:5:52: error: 3600 repeats of an alert are more than the 1000 that can be simulated\n  hint: ";
        assert!(all.starts_with(wanted), "{all}");
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
