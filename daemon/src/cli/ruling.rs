//! A ruling on a screen: what was decided, on what, how far it may go, and what every guard said. Refusals come first,
//! for that is what people look for.

use std::fmt::Write as _;

use paramedic_policies::action::{Diff, Mode};
use paramedic_policies::event::Seq;
use paramedic_policies::guard::{Finding, Stance};
use paramedic_policies::reason::Reason;
use paramedic_policies::ruling::{Cap, Ruling, Verdict};

use super::eyes;
use super::story::{guard, source, stance};
use super::table::{Table, plain};

/// A recorded ruling in several lines, each moved to the right.
pub(super) fn shown(ruling: &Ruling, seq: Seq, indent: usize) -> String {
    let proposal = matches!(ruling.verdict, Verdict::Propose { .. }).then_some(seq);
    shown_after(ruling, Coming { verdict: ruling.verdict, first: None, proposal }, indent)
}

/// What is known around a ruling of how it comes to act.
pub(super) struct Coming {
    /// What the guards came to.
    pub(super) verdict: Verdict,
    /// What it comes only after, by a word and a sentence.
    pub(super) first: Option<[String; 2]>,
    /// The proposal that waits for a person.
    pub(super) proposal: Option<Seq>,
}

/// The same of what would be decided.
pub(super) fn shown_after(ruling: &Ruling, coming: Coming, indent: usize) -> String {
    let mut head = Table::headless(indent);
    let target = ruling.target.as_ref().map_or("not known".to_owned(), ToString::to_string);
    head.row(["target".to_owned(), target]);
    let position = format!("rung {}, step {}", ruling.rung + 1, ruling.step + 1);
    head.row([
        "action".to_owned(),
        ruling.action.as_ref().map_or("none".to_owned(), ToString::to_string) + &format!(" ({position})"),
    ]);
    head.row(["mode".to_owned(), ruling.mode.to_string()]);
    let mut text = head.to_string();
    if let Some(diff) = &ruling.diff {
        text.push_str(&difference(diff, indent));
    }
    text.push_str(&guards(&ruling.findings, indent));
    text.push_str(&to_act(ruling, coming, indent));
    text
}

/// What would have to change for this to act: one line for each reason, and for a mode that only looks. Guards that were
/// not asked may still refuse then.
fn to_act(ruling: &Ruling, coming: Coming, indent: usize) -> String {
    let Coming { verdict, first, proposal } = coming;
    let mut table = Table::headless(indent + 2);
    let mut is_needed = first.is_some();
    first.into_iter().for_each(|row| table.row(row));
    for finding in &ruling.findings {
        if let Some(reason) = finding.reason() {
            is_needed = true;
            table.row([guard(finding.guard), change(reason)]);
        }
    }
    let mode = match (ruling.mode.capped_by, ruling.mode.is) {
        (Some(Cap::Daemon), is) => Some(format!("a daemon with a wider `--mode` than {is}")),
        (Some(Cap::Storm), _) => Some("the end of the storm, or `guards.inStorm: act`".to_owned()),
        (Some(Cap::Order), _) => Some("the same order without --dry-run".to_owned()),
        (None, Mode::DryRun) => Some("`mode: enforce` or `approve` in the policy".to_owned()),
        // An approval is decided again when it is given.
        (None, Mode::Approve) if verdict == Verdict::Act => None,
        (None, Mode::Approve) => Some(match proposal {
            Some(proposal) => format!("a person's approval: `paramedic approve {proposal}`"),
            None => "a person's approval once it is proposed: `paramedic approve` with the number that `paramedic status` \
                     shows then"
                .to_owned(),
        }),
        (None, Mode::Enforce) => None,
    };
    if let Some(mode) = mode {
        is_needed = true;
        table.row(["mode".to_owned(), mode]);
    }
    if is_needed { format!("{}to act, it takes\n{table}", " ".repeat(indent)) } else { String::new() }
}

/// What would have to change; of a fact for which nobody could be asked, whom to name.
fn change(reason: &Reason) -> String {
    let unnamed = match reason {
        Reason::FactUnknown { fact, found } => eyes::names(found).map(|whom| (fact, whom)),
        _ => None,
    };
    unnamed.map_or_else(|| reason.change(), |(fact, whom)| format!("{fact} has to be known: name {whom}"))
}

/// The verdict in words.
pub(super) fn verdict(ruling: &Ruling) -> String {
    let refused = ruling.findings.iter().filter(|finding| finding.reason().is_some()).count();
    let by = match refused {
        0 if ruling.action.is_none() => "there is nothing to do".to_owned(),
        0 => "not every guard was asked".to_owned(),
        1 => "1 guard refuses".to_owned(),
        many => format!("{many} guards refuse"),
    };
    match ruling.verdict {
        Verdict::Act if ruling.mode.is == Mode::DryRun => {
            "ACT, as a rehearsal: nothing is changed".to_owned()
        }
        Verdict::Act => "ACT".to_owned(),
        Verdict::Hold { until } => format!("HOLD until {until}: {by}"),
        Verdict::Withhold => format!("WITHHOLD: {by}"),
        Verdict::Propose { until } => format!("PROPOSE: a person has until {until} to approve"),
    }
}

/// A difference, one changed field a line.
pub(super) fn difference(diff: &Diff, indent: usize) -> String {
    let pad = " ".repeat(indent);
    let mut text = format!("{pad}changes{}\n", source(&diff.source));
    for field in &diff.fields {
        let _ = writeln!(
            text,
            "{pad}  {}: {} -> {}",
            plain(&field.path),
            plain(&field.before),
            plain(&field.after)
        );
    }
    text
}

fn guards(findings: &[Finding], indent: usize) -> String {
    let mut table = Table::headless(indent + 2);
    for wanted in ["refuses", "not asked", "allows"] {
        for finding in findings.iter().filter(|finding| word(&finding.stance) == wanted) {
            let says = match &finding.stance {
                Stance::NotAsked => String::new(),
                Stance::Allows { .. } | Stance::Refuses { .. } => stance(&finding.stance),
            };
            table.row([wanted.to_owned(), guard(finding.guard), says]);
        }
    }
    format!("{}guards\n{table}", " ".repeat(indent))
}

fn word(stance: &Stance) -> &'static str {
    match stance {
        Stance::Allows { .. } => "allows",
        Stance::Refuses { .. } => "refuses",
        Stance::NotAsked => "not asked",
    }
}
