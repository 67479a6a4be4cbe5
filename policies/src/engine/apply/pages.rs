//! Calls for people: opened by escalations, told to receivers, acknowledged, over. Delivery never holds anything else
//! back: nothing outside this file reads what stands here.

use std::collections::BTreeMap;

use crate::event::Seq;
use crate::notifications::{Notice, NoticeKind, Receipt, Severity};
use crate::policy::Policy;
use crate::state::{Call, Calling, CaseId, Duty, Page, State, TRIES_MAX, again};
use crate::template::{Scope, Template};
use crate::time::{Moment, Span};

/// No more calls are kept open; the oldest gives way.
const PAGES_MAX: usize = 1000;

/// A call that nobody acknowledged, about trouble that never ended, is forgotten after this.
const FORGOTTEN_AFTER: Span = Span::from_hours(7 * 24);

/// Bounds of what is told, in bytes; PagerDuty takes 1024 characters of a summary.
const TITLE_BYTES_MAX: usize = 1000;
const TEXT_BYTES_MAX: usize = 2800;
const WHYS_MAX: usize = 20;
const LABELS_MAX: usize = 40;

/// A person is called.
pub(super) fn escalated(
    state: &mut State,
    now: Moment,
    id: Seq,
    case: Option<&CaseId>,
    why: &str,
    notify: &[String],
) {
    let book = state.current_book();
    let settings = &book.settings().notifications;
    if settings.receivers.is_empty() {
        return;
    }
    forget_old(state, now);
    let episode = case.and_then(|case| state.episodes.get(&case.episode));
    let labels: BTreeMap<String, String> =
        episode.map(|one| one.labels.clone()).unwrap_or_default().into_iter().take(LABELS_MAX).collect();
    let severity = match case {
        Some(_) => Severity::of_label(labels.get("severity").map(String::as_str)),
        None => Severity::Critical,
    };
    let to = settings.told(notify, severity, now);
    let same = state.paging.pages.values().find(|page| {
        let about = |case: &Option<CaseId>| case.as_ref().map(|case| case.episode);
        case.is_some() && !page.over && about(&page.case) == case.map(|case| case.episode)
    });
    let id = match same.map(|page| page.id) {
        Some(open) => open,
        None if to.is_empty() => return,
        None => {
            let page = Page {
                id,
                case: case.cloned(),
                severity,
                title: String::new(),
                text: String::new(),
                labels,
                whys: Vec::new(),
                since: now,
                calls: BTreeMap::new(),
                acknowledged: None,
                over: false,
                due: None,
            };
            state.paging.pages.insert(id, page);
            id
        }
    };
    let (title, text) = told(state, now, id, case, why, severity);
    let Some(page) = state.paging.pages.get_mut(&id) else { return };
    if page.whys.iter().any(|said| said == why) || page.whys.len() >= WHYS_MAX {
        return;
    }
    page.whys.push(why.to_owned());
    (page.title, page.text) = (title, text);
    if page.acknowledged.is_some() {
        return;
    }
    for call in page.calls.values_mut().filter(|call| call.reached.is_some()) {
        // Told once more, under the same key.
        call.reached = None;
    }
    let receivers: Vec<String> = page.calls.keys().cloned().chain(to).collect();
    call(state, now, id, &receivers);
}

/// What is told: one line, and what a person needs to begin.
fn told(
    state: &State,
    now: Moment,
    page: Seq,
    case: Option<&CaseId>,
    why: &str,
    severity: Severity,
) -> (String, String) {
    let book = state.current_book();
    let settings = book.settings();
    let episode = case.and_then(|case| state.episodes.get(&case.episode));
    let kept = case.and_then(|case| state.cases.get(case));
    let target = kept.and_then(|case| case.target.as_ref());
    let policy: Option<&Policy> = kept.and_then(|case| state.policy_of(case));
    let none = BTreeMap::new();
    let labels = episode.map_or(&none, |episode| &episode.labels);
    let mut lets = kept.map(|case| case.lets.clone()).unwrap_or_default();
    lets.insert("why".to_owned(), why.to_owned());
    lets.insert("severity".to_owned(), severity.name().to_owned());
    lets.extend(case.map(|case| ("policy".to_owned(), case.policy.clone())));
    let scope = Scope { labels, vars: &settings.vars, lets: &lets, target };
    let written = settings.notifications.titles.get(&severity).and_then(|text| Template::parse(text).ok());
    let title = written.and_then(|template| template.render(&scope).ok()).unwrap_or_else(|| {
        let about = episode.map_or("paramedic", |episode| episode.alert());
        let on = target.map(|target| format!(" on {target}")).unwrap_or_default();
        format!("[{}] {about}{on}: {why}", severity.name())
    });
    let mut lines = vec![why.to_owned()];
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
    }
    lines.extend(target.map(|target| format!("target {target}")));
    lines.extend(case.map(|case| format!("policy {}", case.policy)));
    lines.extend(
        policy.filter(|policy| !policy.description.is_empty()).map(|policy| policy.description.clone()),
    );
    lines.push(format!("decided at {now}; acknowledge: paramedic ack {page}"));
    (cut(title, TITLE_BYTES_MAX), cut(lines.join("\n"), TEXT_BYTES_MAX))
}

fn cut(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max));
        text.push('…');
    }
    text
}

/// These receivers are to be told, each at once or when its window has room.
fn call(state: &mut State, now: Moment, id: Seq, receivers: &[String]) {
    for name in receivers {
        let due = room_at(state, now, name);
        let Some(page) = state.paging.pages.get_mut(&id) else { return };
        let key = page.key();
        let fresh = || Call { since: now, reached: None, key, is: Calling::Rest };
        let call = page.calls.entry(name.clone()).or_insert_with(fresh);
        if matches!(call.is, Calling::Rest | Calling::GivenUp) && call.reached.is_none() {
            call.is = Calling::Waiting { due, attempt: 0 };
        }
    }
    reschedule(state, id);
}

/// When a receiver may be called next: now, or with all others that wait, once its window has room.
fn room_at(state: &State, now: Moment, name: &str) -> Moment {
    let book = state.current_book();
    let Some(receiver) = book.settings().notifications.receivers.get(name) else { return now };
    let none = std::collections::VecDeque::new();
    let told = state.paging.told.get(name).unwrap_or(&none);
    let within: Vec<Moment> = told.iter().copied().filter(|at| now < *at + receiver.rate.per).collect();
    match within.len().checked_sub(receiver.rate.max as usize) {
        Some(index) => within.get(index).map_or(now, |at| *at + receiver.rate.per),
        None => now,
    }
}

/// A message leaves.
pub(super) fn notified(state: &mut State, now: Moment, notice: &Notice) {
    state.paging.notices.insert(notice.id, notice.clone());
    if notice.kind == NoticeKind::Trigger {
        let book = state.current_book();
        let receiver = book.settings().notifications.receivers.get(&notice.receiver);
        let per = receiver.map_or(Span::ZERO, |receiver| receiver.rate.per);
        let told = state.paging.told.entry(notice.receiver.clone()).or_default();
        while told.front().is_some_and(|at| *at + per <= now) {
            told.pop_front();
        }
        told.push_back(now);
    }
    for id in &notice.pages {
        if let Some(call) = called(state, *id, &notice.receiver) {
            call.key.clone_from(&notice.key);
            call.is = Calling::Out { notice: notice.id, attempt: notice.attempt, deadline: notice.deadline };
        }
        reschedule(state, *id);
    }
}

/// What came of a message.
pub(super) fn delivered(state: &mut State, now: Moment, id: Seq, receipt: &Receipt) {
    let Some(notice) = state.paging.notices.remove(&id) else { return };
    for page in &notice.pages {
        let Some(call) = called(state, *page, &notice.receiver) else { continue };
        let Calling::Out { notice: out, attempt, .. } = call.is else { continue };
        if out != id {
            continue;
        }
        call.is = match receipt {
            Receipt::Taken { .. } => {
                call.reached = Some(notice.kind);
                Calling::Rest
            }
            Receipt::Failed { passing: true, .. } if attempt + 1 < TRIES_MAX => {
                Calling::Waiting { due: again(now, attempt + 1), attempt: attempt + 1 }
            }
            Receipt::Failed { .. } => Calling::GivenUp,
        };
        follow(state, now, *page);
    }
}

/// Nobody has it: the next receivers are told.
pub(super) fn raised(state: &mut State, now: Moment, id: Seq, to: &[String]) {
    call(state, now, id, to);
}

/// Somebody has it. What is about no alert, or about none that is still there, is over with that.
pub(super) fn acknowledged(state: &mut State, now: Moment, id: Seq, by: &str) {
    let Some(page) = state.paging.pages.get_mut(&id) else { return };
    page.acknowledged = Some(by.to_owned());
    page.over |= page.case.as_ref().is_none_or(|case| !state.episodes.contains_key(&case.episode));
    follow(state, now, id);
}

/// The alert ended.
pub(super) fn closed(state: &mut State, now: Moment, episode: Seq) {
    let about = |page: &&Page| page.case.as_ref().is_some_and(|case| case.episode == episode);
    let over: Vec<Seq> = state.paging.pages.values().filter(about).map(|page| page.id).collect();
    for id in over {
        if let Some(page) = state.paging.pages.get_mut(&id) {
            page.over = true;
        }
        follow(state, now, id);
    }
}

/// A process began: what was under way may have been lost, and is told again.
pub(super) fn began(state: &mut State, now: Moment) {
    state.paging.notices.clear();
    let ids: Vec<Seq> = state.paging.pages.keys().copied().collect();
    for id in ids {
        if let Some(page) = state.paging.pages.get_mut(&id) {
            for call in page.calls.values_mut() {
                if let Calling::Out { attempt, .. } = call.is {
                    call.is = Calling::Waiting { due: now, attempt };
                }
            }
        }
        reschedule(state, id);
    }
}

/// Whoever was told is told what followed; what nobody needs to be told any more is dropped.
fn follow(state: &mut State, now: Moment, id: Seq) {
    let book = state.current_book();
    let receivers = &book.settings().notifications.receivers;
    if let Some(page) = state.paging.pages.get_mut(&id) {
        let mut calls = std::mem::take(&mut page.calls);
        for (name, call) in &mut calls {
            let follows = receivers.get(name).is_some_and(crate::notifications::Receiver::follows);
            let wanted = page.wanted(call, follows);
            match (&call.is, wanted) {
                (Calling::Rest, Some(_)) => call.is = Calling::Waiting { due: now, attempt: 0 },
                (Calling::Waiting { .. }, None) => call.is = Calling::Rest,
                (Calling::Rest | Calling::Waiting { .. } | Calling::Out { .. } | Calling::GivenUp, _) => {}
            }
        }
        page.calls = calls;
    }
    reschedule(state, id);
}

fn called<'s>(state: &'s mut State, page: Seq, receiver: &str) -> Option<&'s mut Call> {
    state.paging.pages.get_mut(&page)?.calls.get_mut(receiver)
}

/// Puts the page where it is due, or forgets it once all is said.
fn reschedule(state: &mut State, id: Seq) {
    let book = state.current_book();
    let Some(page) = state.paging.pages.get_mut(&id) else { return };
    if let Some(due) = page.due.take() {
        state.agenda.remove(&(due, Duty::Page(id)));
    }
    if page.is_done() {
        state.paging.pages.remove(&id);
        return;
    }
    page.due = page.next_look(&book.settings().notifications);
    if let Some(due) = page.due {
        state.agenda.insert((due, Duty::Page(id)));
    }
}

/// Another book has other receivers and times.
pub(super) fn adopted(state: &mut State) {
    let ids: Vec<Seq> = state.paging.pages.keys().copied().collect();
    ids.into_iter().for_each(|id| reschedule(state, id));
}

fn forget_old(state: &mut State, now: Moment) {
    let old = |page: &&Page| now.since(page.since) >= FORGOTTEN_AFTER;
    let mut gone: Vec<Seq> = state.paging.pages.values().filter(old).map(|page| page.id).collect();
    if state.paging.pages.len() >= PAGES_MAX + gone.len() {
        gone.extend(state.paging.pages.keys().next().copied());
    }
    for id in gone {
        if let Some(Page { due: Some(due), .. }) = state.paging.pages.remove(&id) {
            state.agenda.remove(&(due, Duty::Page(id)));
        }
    }
}
