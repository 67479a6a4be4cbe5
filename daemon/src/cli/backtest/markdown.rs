//! A backtest as Markdown, for tickets and pull requests. Names come from labels, which are untrusted: each stands in a
//! code span that it cannot leave.

use std::fmt::Write as _;

use paramedic_policies::counted::counted;
use paramedic_simulations::backtest::Report;

use super::table::{ALERTS_LEFT_OUT, came_of, different_targets, done, guard, kept_by, mode, questions};
use crate::cli::audit::report::words::code;
use crate::cli::words::{day, minute};

/// All of it.
pub(super) fn written(report: &Report) -> String {
    let mut text = format!(
        "### Backtest: {} to {} (UTC)\n\n**{}** on {}, for {} of {}.\n\n",
        minute(report.from),
        minute(report.until),
        counted(report.actions, "action"),
        different_targets(report),
        report.matched,
        counted(report.began, "alert")
    );
    let mut line = |line: String| {
        // A string takes all that is written to it.
        let _ = writeln!(text, "{line}");
    };
    if let Some(busiest) = report.busiest {
        line(format!(
            "- most actions within {}: {} ({})",
            busiest.within,
            busiest.actions,
            minute(busiest.at)
        ));
    }
    if let Some(peak) = report.concurrency {
        line(format!("- at most {} at once, if each ran until its deadline", peak.actions));
    }
    if let Some(blast) = report.blast {
        let (targets, namespaces) = (blast.targets, counted(blast.namespaces, "namespace"));
        line(format!(
            "- largest blast radius: {targets} different targets within {} in {namespaces}",
            blast.within
        ));
    }
    if report.storms.count > 0 {
        line(format!("- storms: {}, lasting {} in all", report.storms.count, report.storms.lasted));
    }
    for (what, asked) in questions(report) {
        line(format!("- {what}: {}, {}", asked.questions, came_of(asked)));
    }
    line("\n| policy | mode | episodes | acted | actions | refused |\n|---|---|--:|--:|---|---|".to_owned());
    for policy in &report.policies {
        line(format!(
            "| {} | {} | {} | {} | {} | {} |",
            code(&policy.policy),
            mode(policy),
            policy.episodes,
            policy.acted,
            done(policy),
            kept_by(policy)
        ));
    }
    if !report.refusals.is_empty() {
        line("\n| guard | reason | cases |\n|---|---|--:|".to_owned());
        for refusal in &report.refusals {
            line(format!("| {} | {} | {} |", guard(refusal.guard), refusal.reason, refusal.cases));
        }
    }
    if !report.not_known.is_empty() {
        line("\nNot known any more, so withheld:\n\n| policy | fact | cases |\n|---|---|--:|".to_owned());
        for one in &report.not_known {
            line(format!("| {} | {} | {} |", code(&one.policy), code(&one.fact), one.cases));
        }
    }
    if !report.alerts.is_empty() {
        line("\n| alerts that would have caused most | began | actions |\n|---|--:|--:|".to_owned());
        for one in &report.alerts {
            line(format!("| {} | {} | {} |", code(&one.alert), one.episodes, one.actions));
        }
        if report.alerts_left_out {
            line(format!("\n{ALERTS_LEFT_OUT}"));
        }
    }
    if report.actions > 0 {
        line(
            "\n<details><summary>Actions a day</summary>\n\n| day | alerts | actions |\n|---|--:|--:|"
                .to_owned(),
        );
        for one in &report.days {
            line(format!("| {} | {} | {} |", day(one.day), one.began, one.actions));
        }
        line("\n</details>".to_owned());
    }
    if let Some(live) = &report.live {
        line(format!("\nLive verdicts: {} by this program{}.", live.compared(), live.left_out()));
    }
    line("\n<details><summary>What history cannot tell</summary>\n".to_owned());
    report.unknown.iter().for_each(|what| line(format!("- {what}")));
    line("\n</details>".to_owned());
    text
}
