//! The report as Markdown, for tickets and wikis: tables and lists of GitHub's dialect, no HTML. Every word that is not
//! ours goes through `words`, so that no label can become markup.

use std::fmt::Write as _;

use paramedic_policies::action::{Change, Mode};
use paramedic_policies::evidence::{Evidence, Kept};

use super::document::{Report, TOLD_MAX, ending, leased, spread, standing, took, verdict};
use super::figures::MEASURES;
use super::incident::{ActionTold, CaseTold, Curve, Decision, Incident};
use super::words::{block, clock, code, copied, moment, prose, span};
use crate::cli::audit::ends::Ends;
use crate::cli::story;

/// Values of a curve that are written out.
const VALUES_MAX: usize = 12;

/// Lines of the timeline that are written out.
const LINES_MAX: usize = 400;

/// A sentence of ours, in which commands stand between backticks.
fn with_code(sentence: &str) -> String {
    let parts = sentence.split('`').enumerate();
    let shown = |(index, part): (usize, &str)| if index % 2 == 1 { format!("`{part}`") } else { prose(part) };
    parts.map(shown).collect()
}

/// The whole report.
pub(super) fn written(report: &Report) -> String {
    let mut text = format!("# {}\n\n", prose(&report.title));
    let range = match (report.first, report.last) {
        (Some(first), Some(last)) => format!("records {first} to {last}"),
        _ => "no records".to_owned(),
    };
    let _ = writeln!(text, "Made {} by paramedic {} from {range}.\n", moment(report.made_at), report.version);
    for cut in &report.left_out {
        let _ = writeln!(text, "> **Left out:** {}\n", with_code(cut));
    }
    if report.is_of_window() {
        policies(report, &mut text);
        episodes(report, &mut text);
    }
    for incident in report.incidents.iter().take(TOLD_MAX) {
        episode(report, incident, &mut text);
    }
    people(report, &mut text);
    open(report, &mut text);
    timeline(report, &mut text);
    text
}

fn policies(report: &Report, text: &mut String) {
    text.push_str("## Policies\n\n");
    if report.policies.is_empty() {
        text.push_str("No policy spoke on an alert that was received in this window.\n\n");
        return;
    }
    let columns = Ends::default().columns();
    row(std::iter::once("policy").chain(columns.map(|(name, _)| name)).map(str::to_owned), text);
    row(std::iter::once("---").chain(columns.map(|_| "--:")).map(str::to_owned), text);
    for sum in &report.policies {
        let counts = sum.ends.columns().map(|(_, count)| count.to_string());
        row(std::iter::once(code(&sum.policy)).chain(counts), text);
    }
    text.push_str("\nMedian / 90th percentile, and how many are known; only values that were observed.\n\n");
    let names = || MEASURES.iter().map(|(name, _)| (*name).to_owned());
    row(std::iter::once("policy".to_owned()).chain(names()), text);
    row(std::iter::once("---".to_owned()).chain(names().map(|_| "---".to_owned())), text);
    for sum in &report.policies {
        let times = MEASURES.iter().map(|(name, _)| sum.times.get(name).map_or("-".to_owned(), spread));
        row(std::iter::once(code(&sum.policy)).chain(times), text);
    }
    text.push('\n');
    measures(text);
}

/// One row of a table, its cells safe already.
fn row(cells: impl Iterator<Item = String>, text: &mut String) {
    let _ = writeln!(text, "| {} |", cells.collect::<Vec<_>>().join(" | "));
}

fn measures(text: &mut String) {
    for (name, what) in MEASURES {
        let _ = writeln!(text, "- *{name}*: {what}");
    }
    text.push('\n');
}

fn episodes(report: &Report, text: &mut String) {
    text.push_str("## Episodes\n\n");
    if report.incidents.is_empty() {
        text.push_str("Nothing happened, as far as the journal knows.\n\n");
        return;
    }
    text.push_str("| episode | alert | received | ended | what came of it |\n|--:|---|---|---|---|\n");
    for incident in &report.incidents {
        let came: Vec<String> = incident
            .cases
            .iter()
            .map(|case| format!("{}: {}", code(&case.policy), standing(case).0))
            .collect();
        let came = if came.is_empty() { "no policy spoke".to_owned() } else { came.join("; ") };
        let received = incident.opened_at.map_or("unknown".to_owned(), moment);
        let (episode, alert, end) = (incident.episode, code(&incident.name()), ending(incident));
        let _ = writeln!(text, "| {episode} | {alert} | {received} | {end} | {came} |");
    }
    text.push('\n');
    if report.incidents.len() > TOLD_MAX {
        let _ = writeln!(
            text,
            "The first {TOLD_MAX} are told below; `paramedic audit report --episode N` tells each of the others.\n"
        );
    }
}

fn episode(report: &Report, incident: &Incident, text: &mut String) {
    let _ = writeln!(text, "## Episode {}: {}\n", incident.episode, prose(&incident.name()));
    let unknown = || "unknown".to_owned();
    text.push_str("| | |\n|---|---|\n");
    let labels: Vec<String> =
        incident.labels.iter().map(|(name, value)| code(&format!("{name}={value}"))).collect();
    let _ = writeln!(text, "| labels | {} |", if labels.is_empty() { unknown() } else { labels.join(" ") });
    for (name, value) in &incident.annotations {
        let _ = writeln!(text, "| {} | {} |", prose(name), prose(value));
    }
    let received = incident.opened_at.map_or_else(unknown, moment);
    match &incident.by_hand {
        Some(order) => {
            let _ = writeln!(text, "| ordered | {received} by {} |", prose(&order.by));
            let _ = writeln!(text, "| reason | {} |", prose(&order.reason));
        }
        None => {
            let since = incident.starts_at.map_or_else(unknown, moment);
            let _ = writeln!(text, "| fires since (startsAt) | {since} |\n| received | {received} |");
        }
    }
    let _ = writeln!(text, "| ended | {} |", ending(incident));
    text.push('\n');
    if incident.cases.is_empty() {
        text.push_str("No policy spoke on it.\n\n");
    }
    for told in &incident.cases {
        case(report, told, text);
    }
}

fn case(report: &Report, case: &CaseTold, text: &mut String) {
    let _ = writeln!(text, "### {}: {}\n", copied(&case.policy), standing(case).0);
    row(MEASURES.iter().map(|(name, _)| (*name).to_owned()), text);
    row(MEASURES.iter().map(|_| "---".to_owned()), text);
    row(case.figures.each().into_iter().map(took), text);
    text.push('\n');
    if !case.actions.is_empty() {
        text.push_str("#### What was done\n\n");
        case.actions.iter().for_each(|done| action(report, done, text));
    }
    refused(case, text);
    if !case.curves.is_empty() {
        text.push_str("#### What Prometheus said\n\n");
        case.curves.iter().for_each(|asked| curve(asked, text));
        text.push('\n');
    }
}

fn action(report: &Report, action: &ActionTold, text: &mut String) {
    let asked_for =
        if report.intent == Some(action.intent) { " **(the intent of this report)**" } else { "" };
    let rehearsed = if action.mode == Mode::DryRun { "rehearsed: " } else { "" };
    let _ = writeln!(
        text,
        "- **{rehearsed}{}** on {}, intent {}, {}{asked_for}",
        prose(&action.action),
        copied(&action.target.to_string()),
        action.intent,
        moment(action.at)
    );
    match action.reverts {
        Some(of) => {
            let _ = writeln!(text, "  - takes back intent {of}");
        }
        None => {
            let _ = writeln!(
                text,
                "  - rung {}, step {}, mode {}",
                action.rung + 1,
                action.step + 1,
                action.mode
            );
        }
    }
    if let Some(by) = &action.approved_by {
        let _ = writeln!(text, "  - approved by {}", prose(by));
    }
    match &action.ended {
        None => text.push_str("  - it has not ended, as far as is known\n"),
        Some(ended) => {
            let said = if ended.changes.is_empty() { prose(&ended.text) } else { ended.outcome.to_owned() };
            let _ = writeln!(text, "  - after {}: {said}", span(ended.at.since(action.at)));
            changes(&ended.changes, ended.source.as_ref().map(story::source).unwrap_or_default(), text);
            ended.evidence.iter().for_each(|found| evidence(found, text));
        }
    }
    if let Some(verified) = &action.verified {
        let since = action.ended.as_ref().map_or(action.at, |ended| ended.at);
        let _ = writeln!(
            text,
            "  - after {} more: **{}** ({})",
            span(verified.at.since(since)),
            story::verified(verified.verdict),
            prose(&verified.seen)
        );
    }
    if let Some(lease) = &action.lease {
        let is = leased(&lease.is);
        let _ = writeln!(text, "  - to be taken back after {}: {}", span(lease.after), prose(&is));
    }
    text.push('\n');
}

/// What was collected before anything was touched.
fn evidence(evidence: &Evidence, text: &mut String) {
    for piece in &evidence.pieces {
        let cut = piece.cut.as_ref().map(|cut| format!(" (cut: {})", prose(cut))).unwrap_or_default();
        let _ = writeln!(text, "\n  {}{cut}:\n", copied(&piece.name));
        let lines = match &piece.found {
            Kept::Text(lines) => lines.clone(),
            Kept::Missing { why } => format!("could not be had: {why}"),
            Kept::Values(series) => story::values(series),
        };
        for line in block(&lines).lines() {
            let _ = writeln!(text, "  {line}");
        }
    }
    for name in &evidence.left_out {
        let _ = writeln!(text, "\n  {}: no room was left", copied(name));
    }
    text.push('\n');
}

fn changes(changes: &[Change], source: String, text: &mut String) {
    if changes.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n  | changed{source} | before | after |\n  |---|---|---|");
    let (long, short): (Vec<_>, Vec<_>) = changes.iter().partition(|change| change.after.lines().count() > 1);
    for change in &short {
        let (path, before, after) = (code(&change.path), code(&change.before), code(&change.after));
        let _ = writeln!(text, "  | {path} | {before} | {after} |");
    }
    for change in &long {
        let lines = change.after.lines().count();
        let _ =
            writeln!(text, "  | {} | {} | {lines} lines, below |", code(&change.path), code(&change.before));
    }
    for change in &long {
        let _ = writeln!(text, "\n  {}:\n", copied(&change.path));
        for line in block(&change.after).lines() {
            let _ = writeln!(text, "  {line}");
        }
    }
    text.push('\n');
}

fn refused(case: &CaseTold, text: &mut String) {
    let refused: Vec<&Decision> = case.rulings.iter().filter(|ruling| !ruling.refusals.is_empty()).collect();
    let Some(first) = refused.first() else { return };
    text.push_str(
        "#### What was refused, and why\n\n| record | time | ruling | guard | why |\n|--:|---|---|---|---|\n",
    );
    for ruling in &refused {
        for (index, refusal) in ruling.refusals.iter().enumerate() {
            let (seq, at, word) = match index {
                0 => (ruling.seq.to_string(), clock(ruling.at, first.at), verdict(ruling.verdict).0),
                _ => (String::new(), String::new(), ""),
            };
            let again = match (index, ruling.repeated) {
                (0, 1..) => format!(" (the same {} more times)", ruling.repeated),
                _ => String::new(),
            };
            let (guard, why) = (code(&refusal.name), prose(&refusal.reason));
            let _ = writeln!(text, "| {seq} | {at} | {word} | {guard} | {why}{again} |");
        }
    }
    text.push('\n');
}

fn curve(curve: &Curve, text: &mut String) {
    let wanted =
        curve.wanted.as_ref().map(|wanted| format!(", wanted {}", prose(wanted))).unwrap_or_default();
    let _ = writeln!(text, "- {} ({}{wanted})", copied(&curve.promql), prose(&curve.fact));
    let Some(first) = curve.recorded.first() else { return };
    let shown: Vec<String> = curve
        .recorded
        .iter()
        .take(VALUES_MAX)
        .map(|point| {
            let value = point.value.map_or("not known".to_owned(), |value| value.to_string());
            format!("{} {value}", clock(point.at, first.at))
        })
        .collect();
    let more = match curve.recorded.len().saturating_sub(VALUES_MAX) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let _ = writeln!(text, "  - {}{more}", shown.join("; "));
    if let Some(failed) = &curve.range_failed {
        let _ = writeln!(text, "  - Prometheus was asked for its curve: {}", prose(failed));
    }
}

fn people(report: &Report, text: &mut String) {
    text.push_str("## People\n\n");
    let Some(first) = report.people.first() else {
        text.push_str("Nobody was called, and nobody did anything.\n\n");
        return;
    };
    text.push_str("| record | time | who | what | why |\n|--:|---|---|---|---|\n");
    for deed in &report.people {
        let (at, who) = (clock(deed.at, first.at), prose(&deed.who));
        let _ = writeln!(
            text,
            "| {} | {at} | {who} | {} | {} |",
            deed.seq,
            prose(&deed.what),
            prose(&deed.comment)
        );
    }
    text.push('\n');
}

fn open(report: &Report, text: &mut String) {
    text.push_str("## Open questions\n\n");
    if report.open.is_empty() {
        text.push_str("None, as far as the records say.\n\n");
        return;
    }
    for open in &report.open {
        let _ = writeln!(text, "- {} (record {})", prose(&open.what), open.seq);
    }
    text.push('\n');
}

fn timeline(report: &Report, text: &mut String) {
    text.push_str("## Timeline\n\n");
    let Some(first) = report.timeline.first() else {
        text.push_str("No records.\n");
        return;
    };
    let _ = writeln!(text, "Times of {} on.\n", moment(first.at));
    text.push_str("| record | time | lane | what |\n|--:|---|---|---|\n");
    for line in report.timeline.iter().take(LINES_MAX) {
        let (at, lane) = (clock(line.at, first.at), line.lane.name());
        let _ = writeln!(text, "| {} | {at} | {lane} | {} |", line.seq, prose(&line.text));
    }
    if let Some(more @ 1..) = report.timeline.len().checked_sub(LINES_MAX) {
        let _ = writeln!(text, "\nAnd {more} more; `paramedic audit query` has all of them.");
    }
}
