//! What one action looks like on the page: what it was, what it changed, whether it helped, what becomes of it, and what was
//! kept before. It only writes; what is told stands in `incident.rs`.

use paramedic_policies::action::{Change, Mode};
use paramedic_policies::counted::counted;
use paramedic_policies::event::Verdict;
use paramedic_policies::evidence::{Evidence, Kept};

use super::chart;
use super::document::{Report, Tone, leased};
use super::html::{table, word};
use super::incident::ActionTold;
use super::markup::Markup;
use super::words::{moment, span};
use crate::cli::story;

pub(super) fn action(report: &Report, action: &ActionTold, section: &mut Markup) {
    let tone = match (&action.ended, &action.verified) {
        (_, Some(verified)) => match verified.verdict {
            Verdict::Helped => Tone::Good,
            Verdict::DidNotHelp => Tone::Bad,
            Verdict::Unknown => Tone::Doubt,
        },
        (None, None) => Tone::Doubt,
        (Some(ended), None) => match ended.outcome {
            "done" => Tone::Info,
            "failed" => Tone::Bad,
            "refused" => Tone::Idle,
            _ => Tone::Doubt,
        },
    };
    let class = format!("card {}", tone.name());
    section.element("div", &[("class", &class)], |card| {
        card.element("h4", &[], |head| {
            let rehearsed = if action.mode == Mode::DryRun { "rehearsed: " } else { "" };
            head.text(format_args!("{rehearsed}{} on ", action.action));
            head.leaf("code", &[], &action.target);
            if report.intent == Some(action.intent) {
                head.text(" (the intent of this report)");
            }
        });
        card.element("p", &[("class", &"quiet")], |line| {
            line.text(format_args!("intent {}, {}, ", action.intent, moment(action.at)));
            match action.reverts {
                Some(of) => line.text(format_args!("takes back intent {of}")),
                None => line.text(format_args!(
                    "rung {}, step {}, mode {}",
                    action.rung + 1,
                    action.step + 1,
                    action.mode
                )),
            }
        });
        if let Some(by) = &action.approved_by {
            card.element("p", &[], |line| {
                line.text("approved by ");
                line.leaf("b", &[], by);
            });
        }
        match &action.ended {
            None => card.leaf("p", &[], "It has not ended, as far as is known."),
            Some(ended) => {
                let said = if ended.changes.is_empty() { ended.text.as_str() } else { ended.outcome };
                let after = span(ended.at.since(action.at));
                card.leaf("p", &[], format_args!("after {after}: {said}"));
                let source = ended.source.as_ref().map(story::source).unwrap_or_default();
                changes(&ended.changes, &source, card);
                ended.evidence.iter().for_each(|found| evidence(found, card));
            }
        }
        if let Some(verified) = &action.verified {
            let since = action.ended.as_ref().map_or(action.at, |ended| ended.at);
            card.element("p", &[], |line| {
                line.text(format_args!("after {} more: ", span(verified.at.since(since))));
                word(story::verified(verified.verdict), tone, line);
                line.text(format_args!(" {}", verified.seen));
            });
        }
        if let Some(lease) = &action.lease {
            let is = leased(&lease.is);
            card.leaf("p", &[], format_args!("to be taken back after {}: {is}", span(lease.after)));
        }
    });
}

/// What was collected before anything was touched: folded away, and unfolded on paper.
fn evidence(evidence: &Evidence, card: &mut Markup) {
    for piece in &evidence.pieces {
        if let Kept::Values(series) = &piece.found {
            card.element("figure", &[], |figure| {
                chart::kept(series, figure);
                figure.element("figcaption", &[], |caption| caption.leaf("code", &[], &piece.name));
            });
            continue;
        }
        card.element("details", &[], |details| {
            let cut = piece.cut.as_ref().map(|cut| format!(" (cut: {cut})")).unwrap_or_default();
            details.leaf("summary", &[], format_args!("{}{cut}", piece.name));
            match &piece.found {
                Kept::Text(lines) => details.leaf("pre", &[], lines),
                Kept::Missing { why } => details.leaf("p", &[], format_args!("It could not be had: {why}")),
                Kept::Values(_) => {}
            }
        });
    }
    for name in &evidence.left_out {
        card.leaf("p", &[("class", &"quiet")], format_args!("{name}: no room was left"));
    }
}

fn changes(changes: &[Change], source: &str, card: &mut Markup) {
    if changes.is_empty() {
        return;
    }
    let (long, short): (Vec<_>, Vec<_>) = changes.iter().partition(|change| change.after.lines().count() > 1);
    if !short.is_empty() {
        table(&["changed", "before", "after"], card, |rows| {
            for change in &short {
                rows.element("tr", &[], |row| {
                    row.element("td", &[("class", &"wide")], |cell| cell.leaf("code", &[], &change.path));
                    row.element("td", &[("data-name", &"before")], |cell| {
                        cell.element("code", &[], |code| code.leaf("del", &[], &change.before));
                    });
                    row.element("td", &[("data-name", &"after")], |cell| {
                        cell.element("code", &[], |code| code.leaf("ins", &[], &change.after));
                    });
                });
            }
        });
    }
    for change in &long {
        card.element("details", &[], |details| {
            let lines = counted(change.after.lines().count(), "line");
            details.leaf("summary", &[], format_args!("{}, {lines}", change.path));
            details.leaf("pre", &[], &change.after);
        });
    }
    if !source.is_empty() {
        card.leaf("p", &[("class", &"quiet")], source.trim());
    }
}
