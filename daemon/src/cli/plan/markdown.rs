//! A plan as Markdown, for a comment on a pull request: the verdict first, the rest folded away. Names come from labels,
//! which are untrusted: each stands in a code span that it cannot leave.

use std::fmt::Write as _;

use paramedic_policies::counted::counted;
use paramedic_simulations::backtest::{Acted, OneSided, Plan};

use super::edits::{self, Whose};
use super::why::{self, Side};
use crate::cli::audit::report::words::{code, copied};
use crate::cli::words::minute;

/// Actions of one kind, and values written otherwise, that are told: comments have a bound.
const SHOWN: usize = 50;

/// Each of the eight parts has at most so many characters: a comment on GitHub has at most 65,536.
const PART_CHARS: usize = 7_500;

/// All of it.
pub(super) fn written(plan: &Plan) -> String {
    let mut text = format!(
        "### Plan: {} to {} (UTC), {}\n\n",
        minute(plan.from),
        minute(plan.until),
        counted(plan.began, "alert")
    );
    let mut line = |line: &str| {
        // A string takes all that is written to it.
        let _ = writeln!(text, "{line}");
    };
    let otherwise = edits::sum(plan);
    let doubts = why::doubts(plan);
    let doubts = doubts.iter().map(|(cases, what)| format!("{} {what}", counted(*cases, "case")));
    let doubts: Vec<String> = doubts.collect();
    if plan.added + plan.removed + plan.altered + plan.retimed + plan.lowered == 0 {
        let same = counted(plan.same, "action");
        match &otherwise {
            None => line(&format!("**No action changes**: {same} before, the same after.")),
            Some(otherwise) => {
                let but = if doubts.is_empty() { "" } else { ", and not all could be judged" };
                line(&format!(
                    "**No action of this past changes, but {otherwise}{but}**: {same} before, the same after."
                ));
            }
        }
    } else {
        line(&format!(
            "**{} added, {} removed, {} altered, {} at another time**; {} the same (of both, {} in a lower mode). {} before, {} after ({}).",
            plan.added,
            plan.removed,
            plan.altered,
            plan.retimed,
            plan.same,
            plan.lowered,
            counted(plan.before, "action"),
            plan.after,
            why::net(plan.net)
        ));
        let reasons = Side::all(plan).into_iter().flat_map(|(side, name, all)| {
            why::lines(side, all).map(move |(count, why)| format!("- {count} {name}: {why}"))
        });
        // One list: an empty line between its points would tear it apart.
        let reasons = fitting(reasons.collect());
        if !reasons.is_empty() {
            line(&format!("\n{}", reasons.join("\n")));
        }
        if !plan.policies.is_empty() {
            line("\n| policy | before | after | added | removed | altered | other time |");
            line("|---|--:|--:|--:|--:|--:|--:|");
        }
        let rows = plan.policies.iter().map(|one| {
            let numbers = [one.before, one.after, one.added, one.removed, one.altered, one.retimed];
            format!("| {} | {} |", code(&one.policy), numbers.map(|number| number.to_string()).join(" | "))
        });
        let rows: Vec<String> = rows.collect();
        let shown = shown(&rows);
        rows.iter().take(shown).for_each(|row| line(row));
        if let Some(more @ 1..) = rows.len().checked_sub(shown) {
            line(&format!("\nAnd {more} more policies; --output json has all."));
        }
    }
    if !doubts.is_empty() {
        line("");
        doubts.iter().for_each(|doubt| line(&format!("- {doubt}")));
    }
    if otherwise.is_some() {
        line("\n**Written otherwise:**\n");
        let all = edits::all(plan, copied).into_iter().flat_map(|(whose, lines)| {
            let whose = match whose {
                Whose::Policy(name) => code(name),
                Whose::Settings => "the settings".to_owned(),
            };
            lines.into_iter().map(move |one| format!("- {whose}: {one}"))
        });
        fitting(all.collect()).iter().for_each(|one| line(one));
    }
    let mut part = |name: &str, all: u64, told: &str, acted: Vec<String>| {
        if acted.is_empty() {
            return;
        }
        line(&format!("\n<details><summary>{name}: {all}</summary>\n"));
        line(&format!("| when | policy | what | on | for | {told} |\n|---|---|---|---|---|---|"));
        let shown = shown(&acted);
        acted.iter().take(shown).for_each(|row| line(row));
        if let Some(more @ 1..) = all.checked_sub(shown as u64) {
            line(&format!("\nAnd {more} more."));
        }
        line("\n</details>");
    };
    let rows = |side: Side, all: &[OneSided]| -> Vec<String> {
        let rows = all.iter().take(SHOWN);
        rows.map(|one| row(&minute(one.action.at), &one.action, &why::words(side, &one.why))).collect()
    };
    part("Added", plan.added, "why", rows(Side::Added, &plan.added_actions));
    part("Removed", plan.removed, "why", rows(Side::Removed, &plan.removed_actions));
    let altered = plan.altered_actions.iter().take(SHOWN);
    let altered = altered.map(|one| row(&minute(one.action.at), &one.action, &edits::line(&one.edits, code)));
    part("Altered", plan.altered, "how", altered.collect());
    let retimed = plan.retimed_actions.iter().take(SHOWN);
    let retimed = retimed.map(|one| {
        let when = format!("{} (was {})", minute(one.action.at), minute(one.before));
        row(&when, &one.action, &why::words(Side::of(one), &one.why))
    });
    part("At another time", plan.retimed, "why", retimed.collect());
    line("\n<details><summary>What history cannot tell</summary>\n");
    fitting(plan.unknown.iter().map(|what| format!("- {what}")).collect()).iter().for_each(|what| line(what));
    line("\n</details>");
    text
}

/// How many of these fit into their share.
fn shown(lines: &[String]) -> usize {
    let mut length = 0;
    let fit = lines.iter().take(SHOWN).take_while(|line| {
        length += line.chars().count() + 1;
        length <= PART_CHARS
    });
    fit.count()
}

/// Points of a list, as many as fit; the last says how many do not.
fn fitting(mut lines: Vec<String>) -> Vec<String> {
    let shown = shown(&lines);
    let more = lines.len() - shown;
    lines.truncate(shown);
    if more > 0 {
        lines.push(format!("- and {}; --output json has all", counted(more, "more line")));
    }
    lines
}

fn row(when: &str, one: &Acted, why: &str) -> String {
    let (policy, target, alert) = (code(&one.policy), code(&one.target.to_string()), code(&one.alert));
    format!("| {when} | {policy} | {} | {target} | {alert} | {why} |", one.remediation)
}
