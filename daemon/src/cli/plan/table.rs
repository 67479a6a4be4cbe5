//! A plan for people at a terminal.

use std::fmt::Write as _;

use paramedic_policies::counted::counted;
use paramedic_simulations::backtest::{Acted, Because, OneSided, Plan};

use super::edits::{self, Whose};
use super::why::{self, Side};
use crate::cli::table::Table;
use crate::cli::words::minute;

/// Actions of one kind that are shown.
const SHOWN: usize = 20;

/// All of it.
pub(super) fn written(plan: &Plan) -> String {
    let mut text = format!(
        "what the change would have changed from {} to {} (UTC)\n\n",
        minute(plan.from),
        minute(plan.until)
    );
    let mut head = Table::headless(2);
    head.row(["actions before".to_owned(), plan.before.to_string()]);
    head.row(["actions after".to_owned(), format!("{} ({})", plan.after, why::net(plan.net))]);
    head.row(["  the same".to_owned(), plan.same.to_string()]);
    head.row(["  added".to_owned(), plan.added.to_string()]);
    head.row(["  removed".to_owned(), plan.removed.to_string()]);
    head.row(["  altered".to_owned(), plan.altered.to_string()]);
    head.row(["  at another time".to_owned(), plan.retimed.to_string()]);
    head.row(["  (the same or at another time) in a lower mode".to_owned(), plan.lowered.to_string()]);
    text.push_str(&head.to_string());
    for (cases, what) in why::doubts(plan) {
        // A string takes all that is written to it.
        let _ = writeln!(text, "\n{} {what}", counted(cases, "case"));
    }
    for (side, name, all) in Side::all(plan) {
        because(&mut text, name, side, all);
    }
    if !plan.policies.is_empty() {
        let mut table =
            Table::new(["POLICY", "BEFORE", "AFTER", "ADDED", "REMOVED", "ALTERED", "OTHER TIME"]);
        for one in &plan.policies {
            let numbers = [one.before, one.after, one.added, one.removed, one.altered, one.retimed];
            let [before, after, added, removed, altered, retimed] = numbers.map(|number| number.to_string());
            table.row([one.policy.clone(), before, after, added, removed, altered, retimed]);
        }
        // A string takes all that is written to it.
        let _ = write!(text, "\npolicies that change\n{table}");
    }
    let mut otherwise = Table::headless(2);
    for (whose, lines) in edits::all(plan, str::to_owned) {
        let mut whose = match whose {
            Whose::Policy(name) => name.to_owned(),
            Whose::Settings => "(settings)".to_owned(),
        };
        for line in lines {
            otherwise.row([std::mem::take(&mut whose), line]);
        }
    }
    if edits::sum(plan).is_some() {
        // A string takes all that is written to it.
        let _ = write!(text, "\nwritten otherwise\n{otherwise}");
    }
    actions(
        &mut text,
        "added",
        "+",
        plan.added,
        plan.added_actions.iter().map(|one| noted(Side::Added, one)),
    );
    actions(
        &mut text,
        "removed",
        "-",
        plan.removed,
        plan.removed_actions.iter().map(|one| noted(Side::Removed, one)),
    );
    let altered =
        plan.altered_actions.iter().map(|one| (&one.action, edits::line(&one.edits, str::to_owned)));
    actions(&mut text, "altered", "!", plan.altered, altered);
    let retimed = plan.retimed_actions.iter().map(|one| {
        let why = why::words(Side::of(one), &one.why);
        (&one.action, format!("was {}; {why}", minute(one.before)))
    });
    actions(&mut text, "at another time", "~", plan.retimed, retimed);
    text.push_str("\nwhat history cannot tell\n");
    for what in &plan.unknown {
        let _ = writeln!(text, "  - {what}");
    }
    text
}

fn noted(side: Side, one: &OneSided) -> (&Acted, String) {
    (&one.action, why::words(side, &one.why))
}

fn because(text: &mut String, name: &str, side: Side, all: &[Because]) {
    if all.is_empty() {
        return;
    }
    let mut table = Table::headless(2);
    for (count, why) in why::lines(side, all) {
        table.row([count.to_string(), why]);
    }
    // A string takes all that is written to it.
    let _ = write!(text, "\nwhy {name}\n{table}");
}

fn actions<'a>(
    text: &mut String,
    name: &str,
    sign: &str,
    all: u64,
    acted: impl Iterator<Item = (&'a Acted, String)>,
) {
    let mut table = Table::headless(0);
    let mut shown = 0;
    for (one, note) in acted.take(SHOWN) {
        let what = format!("{} {}", one.remediation, one.target);
        table.row([format!("{sign} {}", minute(one.at)), one.policy.clone(), what, one.alert.clone(), note]);
        shown += 1;
    }
    if shown == 0 {
        return;
    }
    // A string takes all that is written to it.
    let _ = write!(text, "\n{name}\n{table}");
    if let Some(more @ 1..) = all.checked_sub(shown) {
        let _ = writeln!(text, "and {more} more; --output json has the first thousand");
    }
}
