//! Calls for people: opened by proposals and escalations, told to receivers, acknowledged, over. Delivery never holds
//! anything else back: nothing outside this file reads what stands here.
//!
//! What a receiver was told by a policy is not told to it again, however often it comes. An acknowledgement covers what was
//! said before it: what is new after it is a call of its own.

use std::collections::BTreeMap;

use crate::alert::Labels;
use crate::engine::apply::page_text::{self, Text};
use crate::event::{About, Closing, Seq};
use crate::notifications::{Notice, NoticeKind, Receipt, Severity};
use crate::ruling::{Ruling, Verdict};
use crate::state::{Call, Calling, CaseId, Duty, Page, Said, State, Subject, TRIES_MAX, again};
use crate::time::{Moment, Span};

/// No more calls are kept open; the oldest gives way.
const PAGES_MAX: usize = 1000;

/// A call that nobody acknowledged, about trouble that never ended, is forgotten after this.
const FORGOTTEN_AFTER: Span = Span::from_hours(7 * 24);

/// Bounds of what is kept of a call; the oldest gives way.
const WHYS_MAX: usize = 20;
const SAID_MAX: usize = 200;
const LABELS_MAX: usize = 40;

/// One escalation.
pub(super) struct Called<'a> {
    pub(super) case: Option<&'a CaseId>,
    pub(super) why: &'a str,
    pub(super) notify: &'a [String],
    pub(super) about: Option<&'a About>,
}

/// A person is called.
pub(super) fn escalated(state: &mut State, now: Moment, id: Seq, called: &Called<'_>) {
    let book = state.current_book();
    let settings = &book.settings().notifications;
    if settings.receivers.is_empty() {
        return;
    }
    forget_old(state, now);
    let labels = labels_of(state, called.case, called.about);
    let severity = severity_of(called.case, &labels);
    let policy = called.case.map_or("", |case| case.policy.as_str());
    let earlier: Vec<&Page> = match called.case {
        Some(case) => state.paging.pages.values().filter(|page| page.is_of(case.episode)).collect(),
        None => Vec::new(),
    };
    let open = earlier.iter().find(|page| !page.over && page.acknowledged.is_none());
    let mut to = settings.told(called.notify, severity, now);
    // Whoever was told of this policy because others did not answer goes on being told.
    to.extend(
        open.iter()
            .flat_map(|page| page.said.iter())
            .filter(|said| said.policy == policy)
            .map(|said| said.receiver.clone()),
    );
    to.sort();
    to.dedup();
    to.retain(|name| !earlier.iter().any(|page| !page.over && page.has_told(name, policy, called.why)));
    if to.is_empty() {
        return;
    }
    let open = open.map(|page| page.id);
    let subject = if earlier.is_empty() { Subject::Trouble } else { Subject::More };
    let id = open.unwrap_or_else(|| {
        let page = Page { severity, labels, ..blank(id, now, called.case, subject) };
        state.paging.pages.insert(id, page);
        id
    });
    let text = page_text::of_call(state, now, id, called);
    say(state, id, policy, called.why, &to);
    put(state, id, text);
    call(state, now, id, &to);
}

/// Something waits for approval: whoever would be called about its case is asked.
pub(super) fn proposed(state: &mut State, now: Moment, id: Seq, ruling: &Ruling) {
    let Verdict::Propose { until } = ruling.verdict else { return };
    let book = state.current_book();
    let settings = &book.settings().notifications;
    if settings.receivers.is_empty() || !state.proposals.contains_key(&id) {
        return;
    }
    forget_old(state, now);
    let case = CaseId { episode: ruling.episode, policy: ruling.policy.clone() };
    let labels = labels_of(state, Some(&case), None);
    let severity = severity_of(Some(&case), &labels);
    let policy = state.cases.get(&case).and_then(|case| state.policy_of(case));
    let to = settings.told(policy.map_or(&[], |policy| policy.on_failure.notify.as_slice()), severity, now);
    if to.is_empty() {
        return;
    }
    let page = Page { severity, labels, ..blank(id, now, Some(&case), Subject::Proposal) };
    state.paging.pages.insert(id, page);
    let why = page_text::asks(ruling, id, until);
    let text = page_text::of_proposal(state, now, id, &case, &why, ruling);
    say(state, id, &case.policy, &why, &to);
    put(state, id, text);
    call(state, now, id, &to);
}

/// A proposal is open no more: approved, denied, lapsed, or its case is over.
pub(super) fn answered(state: &mut State, proposal: Seq) {
    if let Some(page) = state.paging.pages.get_mut(&proposal).filter(|page| page.subject == Subject::Proposal)
    {
        page.over = true;
        let now = state.now;
        follow(state, now, proposal);
    }
}

/// The labels of the alert that it is about.
fn labels_of(state: &State, case: Option<&CaseId>, about: Option<&About>) -> Labels {
    let episode = case.and_then(|case| state.episodes.get(&case.episode));
    let labels = episode.map(|episode| &episode.labels).or(about.map(|about| &about.labels));
    labels.cloned().unwrap_or_default().into_iter().take(LABELS_MAX).collect()
}

fn severity_of(case: Option<&CaseId>, labels: &Labels) -> Severity {
    match case {
        Some(_) => Severity::of_label(labels.get("severity").map(String::as_str)),
        None => Severity::Critical,
    }
}

fn blank(id: Seq, now: Moment, case: Option<&CaseId>, subject: Subject) -> Page {
    Page {
        id,
        case: case.cloned(),
        severity: Severity::default(),
        title: String::new(),
        text: String::new(),
        labels: BTreeMap::new(),
        whys: Vec::new(),
        subject,
        said: Vec::new(),
        unended: false,
        since: now,
        calls: BTreeMap::new(),
        acknowledged: None,
        over: false,
        due: None,
    }
}

/// Notes what is said, to whom.
fn say(state: &mut State, id: Seq, policy: &str, why: &str, to: &[String]) {
    let Some(page) = state.paging.pages.get_mut(&id) else { return };
    page.whys.push(why.to_owned());
    let said =
        |name: &String| Said { receiver: name.clone(), policy: policy.to_owned(), why: why.to_owned() };
    page.said.extend(to.iter().map(said));
    page.whys.drain(..page.whys.len().saturating_sub(WHYS_MAX));
    page.said.drain(..page.said.len().saturating_sub(SAID_MAX));
    for name in to {
        if let Some(call) = page.calls.get_mut(name) {
            call.more = true;
        }
    }
}

fn put(state: &mut State, id: Seq, text: Text) {
    if let Some(page) = state.paging.pages.get_mut(&id) {
        (page.title, page.text) = (text.title, text.text);
    }
}

/// These receivers are to be told, each at once or when its window has room.
fn call(state: &mut State, now: Moment, id: Seq, receivers: &[String]) {
    for name in receivers {
        let due = room_at(state, now, name);
        let Some(page) = state.paging.pages.get_mut(&id) else { return };
        let key = page.key();
        let fresh = || Call { since: now, reached: None, key, is: Calling::Rest, more: false };
        let call = page.calls.entry(name.clone()).or_insert_with(fresh);
        if matches!(call.is, Calling::Rest | Calling::GivenUp) && (call.reached.is_none() || call.more) {
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
            // What was triggered by itself is resolved by itself, whatever digest told more of it.
            if call.reached.is_none() || notice.pages.len() == 1 {
                call.key.clone_from(&notice.key);
            }
            call.more &= notice.kind != NoticeKind::Trigger;
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
        // What it would have said once more is still to be said.
        let failed = matches!(receipt, Receipt::Failed { .. });
        call.more |= failed && notice.kind == NoticeKind::Trigger && call.reached.is_some();
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

/// Nobody has it: the next receivers are told, all that was said so far.
pub(super) fn raised(state: &mut State, now: Moment, id: Seq, to: &[String]) {
    if let Some(page) = state.paging.pages.get_mut(&id) {
        let reasons: Vec<(String, String)> =
            page.reasons().into_iter().map(|(policy, why)| (policy.to_owned(), why.to_owned())).collect();
        for name in to {
            page.said.extend(reasons.iter().map(|(policy, why)| Said {
                receiver: name.clone(),
                policy: policy.clone(),
                why: why.clone(),
            }));
        }
        page.said.drain(..page.said.len().saturating_sub(SAID_MAX));
    }
    call(state, now, id, to);
}

/// Somebody has it. What is about no alert, or about none that is still there to end it, is over with that.
pub(super) fn acknowledged(state: &mut State, now: Moment, id: Seq, by: &str) {
    let Some(page) = state.paging.pages.get_mut(&id) else { return };
    page.acknowledged = Some(by.to_owned());
    let is_there = page.case.as_ref().is_some_and(|case| state.episodes.contains_key(&case.episode));
    page.over |= page.subject != Subject::Proposal && (!is_there || page.unended);
    follow(state, now, id);
}

/// The alert ended, or was not heard of for too long: then nobody knows whether the trouble did, and the call stays until
/// somebody has it.
pub(super) fn closed(state: &mut State, now: Moment, episode: Seq, why: Closing) {
    let about = |page: &&Page| page.is_of(episode);
    let ids: Vec<Seq> = state.paging.pages.values().filter(about).map(|page| page.id).collect();
    for id in ids {
        if let Some(page) = state.paging.pages.get_mut(&id) {
            match why {
                Closing::Resolved => page.over = true,
                // What was run by hand and did not go well is no better because it is over.
                Closing::Over => {}
                Closing::Expired => {
                    page.unended = true;
                    page.over |= page.acknowledged.is_some();
                    page_text::add(&mut page.text, &page_text::not_heard_of(now));
                }
            }
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
                    call.more |= call.reached == Some(NoticeKind::Trigger);
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
