//! A page that is due: one message, one that was never answered, or the next receiver. Decides what is told and never
//! whether something is done.

use crate::event::{Event, Seq};
use crate::notifications::{Notice, NoticeKind, Receipt};
use crate::state::{Calling, Page, State};
use crate::time::{Moment, Span};

/// How long one delivery may take, tries included.
const DELIVERED_WITHIN: Span = Span::from_secs(30);

/// No more pages stand in one digest; what is left comes with the next.
const DIGEST_MAX: usize = 50;

/// Titles that a digest shows.
const TITLES_SHOWN_MAX: usize = 10;

/// The one thing that is due of this page.
pub(super) fn due(state: &State, now: Moment, id: Seq) -> Vec<Event> {
    let Some(page) = state.paging.pages.get(&id) else { return Vec::new() };
    for (receiver, call) in &page.calls {
        match call.is {
            Calling::Out { notice, deadline, .. } if deadline <= now => {
                let what = format!("no receipt of {receiver} in time");
                return vec![Event::Delivered { notice, receipt: Receipt::Failed { what, passing: true } }];
            }
            Calling::Waiting { due, attempt } if due <= now => {
                return vec![Event::Notified {
                    notice: Box::new(notice(state, now, page, receiver, attempt)),
                }];
            }
            Calling::Out { .. } | Calling::Waiting { .. } | Calling::Rest | Calling::GivenUp => {}
        }
    }
    let settings = state.current_book();
    match page.raises(&settings.settings().notifications, now) {
        Some((to, why)) => vec![Event::Raised { page: id, to, why }],
        None => Vec::new(),
    }
}

/// The message about this page, or about all that wait for the same receiver where they are more than it takes.
fn notice(state: &State, now: Moment, page: &Page, receiver: &str, attempt: u32) -> Notice {
    let book = state.current_book();
    let known = book.settings().notifications.receivers.get(receiver);
    let follows = known.is_some_and(crate::notifications::Receiver::follows);
    let call = &page.calls[receiver];
    let kind = page.wanted(call, follows).unwrap_or(NoticeKind::Trigger);
    let key = if kind == NoticeKind::Trigger { page.key() } else { call.key.clone() };
    let alone = Notice {
        id: state.next,
        receiver: receiver.to_owned(),
        kind,
        pages: vec![page.id],
        key,
        severity: page.severity,
        title: page.title.clone(),
        text: page.text.clone(),
        labels: page.labels.clone(),
        case: page.case.clone(),
        attempt,
        at: now,
        deadline: now + DELIVERED_WITHIN,
    };
    let (Some(known), NoticeKind::Trigger) = (known, kind) else { return alone };
    let waits = |page: &&Page| {
        page.calls.get(receiver).is_some_and(|call| {
            (call.reached.is_none() || call.more)
                && matches!(call.is, Calling::Waiting { due, .. } if due <= now)
        })
    };
    let told = state.paging.told.get(receiver);
    let told = told.map_or(0, |told| told.iter().filter(|at| now < **at + known.rate.per).count());
    let room = (known.rate.max as usize).saturating_sub(told);
    let waiting: Vec<&Page> = state.paging.pages.values().filter(waits).take(DIGEST_MAX).collect();
    if waiting.len() <= room.max(1) {
        return alone;
    }
    digest(alone, &waiting)
}

/// One message instead of many.
fn digest(first: Notice, pages: &[&Page]) -> Notice {
    let worst = pages.iter().map(|page| page.severity).min().unwrap_or_default();
    let mut lines: Vec<String> =
        pages.iter().take(TITLES_SHOWN_MAX).map(|page| format!("{} (ack {})", page.title, page.id)).collect();
    let more = pages.len().saturating_sub(TITLES_SHOWN_MAX);
    if more > 0 {
        lines.push(format!("and {more} more: paramedic audit query --kind escalated"));
    }
    let bound = |line: String| line.chars().take(250).collect::<String>();
    Notice {
        pages: pages.iter().map(|page| page.id).collect(),
        key: format!("digest-{}", first.id),
        severity: worst,
        title: format!("[{}] {} calls for a person, told as one", worst.name(), pages.len()),
        text: lines.into_iter().map(bound).collect::<Vec<_>>().join("\n"),
        labels: std::collections::BTreeMap::new(),
        case: None,
        ..first
    }
}
