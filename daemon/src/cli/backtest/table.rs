//! A backtest for people at a terminal: what would have been done, why not more, and a picture of the days.

use std::fmt::Write as _;

use paramedic_policies::counted::counted;
use paramedic_simulations::backtest::{Asked, PolicySum, Report, Verdicts};

use super::bars::bar;
use crate::cli::table::Table;
use crate::cli::words::{day, minute};

/// Reasons that are shown of a policy.
const REASONS_SHOWN: usize = 3;

/// All of it.
pub(super) fn written(report: &Report) -> String {
    let mut text = format!(
        "what {} would have done from {} to {} (UTC)\n\n",
        match report.policies.len() {
            1 => "1 policy".to_owned(),
            many => format!("{many} policies"),
        },
        minute(report.from),
        minute(report.until)
    );
    text.push_str(&head(report).to_string());
    let mut part = |name: &str, table: Option<Table>| {
        if let Some(table) = table {
            // A string takes all that is written to it.
            let _ = write!(text, "\n{name}\n{table}");
        }
    };
    part("policies", policies(report));
    part(
        "why not (cases that were refused for it at least once, whether they acted later or not)",
        refusals(report),
    );
    part("not known any more, so withheld", not_known(report));
    part("targets", targets(report));
    part("alerts that would have caused most actions", alerts(report));
    part("actions a day", days(report));
    if let Some(live) = &report.live {
        let _ = write!(text, "\nlive verdicts\n{}", verdicts(live));
    }
    text.push_str("\nwhat history cannot tell\n");
    for what in &report.unknown {
        let _ = writeln!(text, "  - {what}");
    }
    text
}

fn head(report: &Report) -> Table {
    let mut head = Table::headless(2);
    let for_policies = format!("{} of them with a policy", report.matched);
    head.row(["alerts that began".to_owned(), report.began.to_string(), for_policies]);
    let on = different_targets(report);
    head.row(["actions".to_owned(), report.actions.to_string(), format!("on {on}")]);
    if report.looks > 0 {
        head.row([
            "looks".to_owned(),
            report.looks.to_string(),
            "evidence that would have been kept".to_owned(),
        ]);
    }
    if let Some(busiest) = report.busiest {
        let when = format!("within {}, first at {}", busiest.within, minute(busiest.at));
        head.row(["most actions".to_owned(), busiest.actions.to_string(), when]);
    }
    if let Some(peak) = report.concurrency {
        let when = format!("at once, if each ran until its deadline; first at {}", minute(peak.at));
        head.row(["at most".to_owned(), peak.actions.to_string(), when]);
    }
    if let Some(blast) = report.blast {
        let targets = format!(
            "different targets within {}, in {}; first at {}",
            blast.within,
            counted(blast.namespaces, "namespace"),
            minute(blast.at)
        );
        head.row(["largest blast radius".to_owned(), blast.targets.to_string(), targets]);
    }
    if report.storms.count > 0 {
        let lasted = format!("lasting {} in all", report.storms.lasted);
        head.row(["storms".to_owned(), report.storms.count.to_string(), lasted]);
    }
    for (what, asked) in questions(report) {
        head.row([what.to_owned(), asked.questions.to_string(), came_of(asked)]);
    }
    head
}

/// `3 different targets`, or that these are the least.
pub(super) fn different_targets(report: &Report) -> String {
    let on = counted(report.targets_count, "different target");
    if report.targets_left_out { format!("at least {on}") } else { on }
}

/// What was asked about the past, each kind that was.
pub(super) fn questions(report: &Report) -> impl Iterator<Item = (&'static str, Asked)> {
    let all = [("questions of let and when", report.asked), ("look-ups of targets", report.looked_up)];
    all.into_iter().filter(|(_, asked)| asked.questions > 0)
}

/// What came of questions, in words.
pub(super) fn came_of(asked: Asked) -> String {
    let failed = Some(format!("{} not answered", asked.failed)).filter(|_| asked.failed > 0);
    let not_known = Some(format!("{} that this history does not tell", asked.not_known));
    let came: Vec<String> = failed.into_iter().chain(not_known.filter(|_| asked.not_known > 0)).collect();
    match came.as_slice() {
        [] => "all answered".to_owned(),
        came => format!("{}, which withholds", came.join(" and ")),
    }
}

/// A policy's different targets, or that these are the least.
pub(super) fn targets_of(policy: &PolicySum) -> String {
    if policy.targets_left_out { format!("at least {}", policy.targets) } else { policy.targets.to_string() }
}

/// What a policy did, in words.
pub(super) fn done(policy: &PolicySum) -> String {
    let each: Vec<String> = policy.actions.iter().map(|(name, count)| format!("{count} {name}")).collect();
    if each.is_empty() { "-".to_owned() } else { each.join(", ") }
}

/// What kept it from acting, the most frequent first.
pub(super) fn kept_by(policy: &PolicySum) -> String {
    let shown = policy.refusals.iter().take(REASONS_SHOWN);
    let mut shown: Vec<String> =
        shown.map(|refusal| format!("{} {}", refusal.cases, refusal.reason)).collect();
    if let Some(more @ 1..) = policy.refusals.len().checked_sub(REASONS_SHOWN) {
        shown.push(format!("{more} more"));
    }
    shown.join(", ")
}

/// The mode, and what a storm would have made of it.
pub(super) fn mode(policy: &PolicySum) -> String {
    match policy.in_storm {
        0 => policy.mode.to_string(),
        many => format!("{}; {many} in a storm, as proposals", policy.mode),
    }
}

fn policies(report: &Report) -> Option<Table> {
    let mut table = Table::new(["POLICY", "MODE", "EPISODES", "ACTED", "ACTIONS", "TARGETS", "REFUSED"]);
    for policy in &report.policies {
        table.row([
            policy.policy.clone(),
            mode(policy),
            policy.episodes.to_string(),
            policy.acted.to_string(),
            done(policy),
            targets_of(policy),
            kept_by(policy),
        ]);
    }
    Some(table)
}

fn refusals(report: &Report) -> Option<Table> {
    let mut table = Table::new(["GUARD", "REASON", "CASES"]);
    for refusal in &report.refusals {
        table.row([guard(refusal.guard), refusal.reason.to_owned(), refusal.cases.to_string()]);
    }
    (!report.refusals.is_empty()).then_some(table)
}

/// A guard's name as records have it.
pub(in crate::cli) fn guard(guard: paramedic_policies::guard::Guard) -> String {
    match serde_json::to_value(guard) {
        Ok(serde_json::Value::String(name)) => name,
        Ok(_) | Err(_) => format!("{guard:?}"),
    }
}

fn not_known(report: &Report) -> Option<Table> {
    let mut table = Table::new(["POLICY", "FACT", "CASES"]);
    for one in &report.not_known {
        table.row([one.policy.clone(), one.fact.clone(), one.cases.to_string()]);
    }
    (!report.not_known.is_empty()).then_some(table)
}

fn targets(report: &Report) -> Option<Table> {
    let mut table = Table::new(["TARGET", "ACTIONS", "BY"]);
    for one in &report.targets {
        let by: Vec<String> = one.policies.iter().map(|(name, count)| format!("{count} {name}")).collect();
        table.row([one.target.to_string(), one.actions.to_string(), by.join(", ")]);
    }
    if let Some(more @ 1..) = report.targets_count.checked_sub(report.targets.len() as u64) {
        let least = if report.targets_left_out { "at least " } else { "" };
        table.row([format!("and {least}{more} more"), String::new(), String::new()]);
    }
    (!report.targets.is_empty()).then_some(table)
}

fn alerts(report: &Report) -> Option<Table> {
    let mut table = Table::new(["ALERT", "BEGAN", "ACTIONS"]);
    for one in &report.alerts {
        table.row([one.alert.clone(), one.episodes.to_string(), one.actions.to_string()]);
    }
    if report.alerts_left_out {
        table.row([ALERTS_LEFT_OUT.to_owned(), String::new(), String::new()]);
    }
    (!report.alerts.is_empty()).then_some(table)
}

/// What is said where there were more names of alerts than can be told apart.
pub(super) const ALERTS_LEFT_OUT: &str = "(of the names that came first: there were too many to count each)";

/// Differences that are shown one by one.
const DIFFERENCES_SHOWN: usize = 20;

fn verdicts(live: &Verdicts) -> Table {
    let mut table = Table::headless(2);
    table.row([
        live.compared(),
        "by this program, with the recorded facts and the books of their days".to_owned(),
    ]);
    if live.without_state > 0 {
        let what = "without the records before them; --data-dir has the state there".to_owned();
        table.row([format!("{} not comparable", live.without_state), what]);
    }
    for one in live.differences.iter().take(DIFFERENCES_SHOWN) {
        let what = format!("{} on {}: {}; now {}", one.policy, one.alert, one.live, one.now);
        table.row([format!("record {}, {}", one.record, minute(one.at)), what]);
    }
    let hidden = live.differences.len().saturating_sub(DIFFERENCES_SHOWN) as u64;
    match (hidden, live.not_told()) {
        (0, 0) => {}
        (hidden, 0) => table.row([format!("and {hidden} more"), "--output json has them".to_owned()]),
        (hidden, more) => table
            .row([format!("and {} more", hidden + more), "--output json has the first thousand".to_owned()]),
    }
    table
}

fn days(report: &Report) -> Option<Table> {
    let greatest = report.days.iter().map(|day| day.actions).max().unwrap_or(0);
    let mut table = Table::headless(2);
    for one in &report.days {
        let count = if one.actions == 0 { "-".to_owned() } else { one.actions.to_string() };
        table.row([day(one.day), count, bar(one.actions, greatest)]);
    }
    (greatest > 0).then_some(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_beside_what_is_not_known() {
        let came = |failed, not_known| came_of(Asked { questions: 10, failed, not_known });
        assert_eq!(came(0, 0), "all answered");
        assert_eq!(came(3, 0), "3 not answered, which withholds");
        assert_eq!(came(3, 2), "3 not answered and 2 that this history does not tell, which withholds");
    }
}
