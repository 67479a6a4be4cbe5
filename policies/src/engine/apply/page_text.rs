//! What a call for a person says: one line, and what is needed to begin. Bounded, and never more than the state knows.

use std::collections::BTreeMap;

use crate::engine::apply::pages::Called;
use crate::event::Seq;
use crate::notifications::Severity;
use crate::policy::Policy;
use crate::ruling::Ruling;
use crate::state::{CaseId, State};
use crate::target::Target;
use crate::template::{Scope, Template};
use crate::time::Moment;

/// Bounds of what is told, in bytes; PagerDuty takes 1024 characters of a summary.
const TITLE_BYTES_MAX: usize = 1000;
const TEXT_BYTES_MAX: usize = 2800;

/// Earlier reasons that are told once more, and the bytes of each.
const EARLIER_MAX: usize = 5;
const EARLIER_BYTES_MAX: usize = 200;

/// Changed fields that are shown of a proposal, and the bytes of each value.
const FIELDS_MAX: usize = 10;
const VALUE_BYTES_MAX: usize = 80;

/// One message's words.
pub(super) struct Text {
    pub(super) title: String,
    pub(super) text: String,
}

/// What an escalation says.
pub(super) fn of_call(state: &State, now: Moment, page: Seq, called: &Called<'_>) -> Text {
    let kept = called.case.and_then(|case| state.cases.get(case));
    let target = kept.and_then(|case| case.target.as_ref()).or(called.about.map(|about| &about.target));
    let mut lines = vec![called.why.to_owned()];
    if let Some(open) = state.paging.pages.get(&page) {
        let before: Vec<_> = open.reasons().into_iter().filter(|(_, why)| *why != called.why).collect();
        for (policy, why) in before.iter().rev().take(EARLIER_MAX) {
            let by = if policy.is_empty() { String::new() } else { format!("{policy}: ") };
            lines.push(format!("earlier: {by}{}", cut((*why).to_owned(), EARLIER_BYTES_MAX)));
        }
    }
    text(state, now, &Words { page, case: called.case, why: called.why, target, called: Some(called) }, lines)
}

/// What a proposal asks, in one line.
pub(super) fn asks(ruling: &Ruling, id: Seq, until: Moment) -> String {
    let action = ruling.action.as_ref().map_or("nothing".to_owned(), ToString::to_string);
    let on = ruling.target.as_ref().map(|target| format!(" on {target}")).unwrap_or_default();
    format!("{action}{on}? `paramedic approve {id}` or `paramedic deny {id}`, until {until}")
}

/// What is said of a proposal: what, on what, the difference, until when, and how to answer.
pub(super) fn of_proposal(
    state: &State,
    now: Moment,
    page: Seq,
    case: &CaseId,
    why: &str,
    ruling: &Ruling,
) -> Text {
    let mut lines = vec![why.to_owned()];
    if let Some(diff) = &ruling.diff {
        let short = |value: &str| cut(value.to_owned(), VALUE_BYTES_MAX);
        lines.extend(
            diff.fields.iter().take(FIELDS_MAX).map(|change| {
                format!("{}: {} -> {}", change.path, short(&change.before), short(&change.after))
            }),
        );
        let more = diff.fields.len().saturating_sub(FIELDS_MAX);
        lines.extend((more > 0).then(|| format!("and {more} more: paramedic explain {page}")));
    }
    let words = Words { page, case: Some(case), why, target: ruling.target.as_ref(), called: None };
    text(state, now, &words, lines)
}

/// What is added where an alert is heard of no more.
pub(super) fn not_heard_of(now: Moment) -> String {
    format!("the alert is heard of no more since {now}; nobody said that it ended")
}

/// Adds a line, within the bound.
pub(super) fn add(text: &mut String, line: &str) {
    if text.len() + line.len() < TEXT_BYTES_MAX {
        text.push('\n');
        text.push_str(line);
    }
}

struct Words<'a> {
    page: Seq,
    case: Option<&'a CaseId>,
    why: &'a str,
    target: Option<&'a Target>,
    called: Option<&'a Called<'a>>,
}

fn text(state: &State, now: Moment, words: &Words<'_>, mut lines: Vec<String>) -> Text {
    let Words { page, case, why, target, called } = words;
    let book = state.current_book();
    let settings = book.settings();
    let severity = state.paging.pages.get(page).map_or(Severity::default(), |page| page.severity);
    let episode = case.and_then(|case| state.episodes.get(&case.episode));
    let kept = case.and_then(|case| state.cases.get(case));
    let of_now = case.and_then(|case| book.policy(&case.policy));
    let policy: Option<&Policy> = kept.and_then(|case| state.policy_of(case)).or(of_now);
    let none = BTreeMap::new();
    let about = called.and_then(|called| called.about);
    let labels = episode.map(|one| &one.labels).or(about.map(|about| &about.labels)).unwrap_or(&none);
    let mut lets = kept.map(|case| case.lets.clone()).unwrap_or_default();
    lets.insert("why".to_owned(), (*why).to_owned());
    lets.insert("severity".to_owned(), severity.name().to_owned());
    lets.extend(case.map(|case| ("policy".to_owned(), case.policy.clone())));
    let scope = Scope { labels, vars: &settings.vars, lets: &lets, target: *target };
    let written = settings.notifications.titles.get(&severity).and_then(|text| Template::parse(text).ok());
    let title = written.and_then(|template| template.render(&scope).ok()).unwrap_or_else(|| {
        let alert = labels.get("alertname").map_or("paramedic", String::as_str);
        // What is told of an action begins with its target.
        let on = target.filter(|target| !why.contains(&target.to_string()));
        let on = on.map(|target| format!(" on {target}")).unwrap_or_default();
        format!("[{}] {alert}{on}: {why}", severity.name())
    });
    if let Some(episode) = episode {
        lines.push(format!(
            "alert {} (episode {}), open since {}",
            episode.alert(),
            episode.id,
            episode.opened_at
        ));
        for key in ["summary", "description", "runbook_url"] {
            lines.extend(episode.annotations.get(key).map(|text| format!("{key}: {text}")));
        }
    } else if let (Some(case), Some(alert)) = (case, labels.get("alertname")) {
        lines.push(format!("alert {alert} (episode {}), which is over", case.episode));
    }
    lines.extend(target.map(|target| format!("target {target}")));
    lines.extend(case.map(|case| format!("policy {}", case.policy)));
    lines.extend(
        policy.filter(|policy| !policy.description.is_empty()).map(|policy| policy.description.clone()),
    );
    lines.push(format!("decided at {now}; acknowledge: paramedic ack {page}"));
    Text { title: cut(title, TITLE_BYTES_MAX), text: cut(lines.join("\n"), TEXT_BYTES_MAX) }
}

fn cut(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_only_beyond_its_bound_and_never_within_a_letter() {
        assert_eq!(cut("abc".to_owned(), 3), "abc");
        assert_eq!(cut("abcd".to_owned(), 3), "abc…");
        assert_eq!(cut("ab\u{e9}d".to_owned(), 3), "ab…");
    }

    #[test]
    fn a_line_is_added_where_there_is_room() {
        for (room, added) in [(5, true), (4, false)] {
            let mut text = "x".repeat(TEXT_BYTES_MAX - room);
            let before = text.clone();
            add(&mut text, "line");
            assert_eq!(text == format!("{before}\nline"), added, "{room}");
            assert!(added || text == before);
        }
    }
}
