//! What a new book means for the cases at hand. One that has begun goes on, and so does one whose policy and settings the
//! new book leaves as they were; the others end, by an event each, and their alerts are matched again. Never ends what
//! has acted.

use std::collections::BTreeSet;

use crate::book::{Book, Digest, Source};
use crate::event::{Conclusion, Event};
use crate::load;
use crate::state::{Case, Episode, Phase, State};

use super::follow;

/// The difference that matters between the book in force and the next.
pub(super) struct Adoption {
    /// Policies with cases that the next book holds unchanged, under unchanged settings.
    unchanged: BTreeSet<String>,
}

impl Adoption {
    pub(super) fn between(state: &State, before: &Book, next: &Book) -> Self {
        if before.settings() != next.settings() {
            return Self { unchanged: BTreeSet::new() };
        }
        let names: BTreeSet<&String> = state.cases.keys().map(|id| &id.policy).collect();
        let is_same = |name: &&String| match (before.policy(name), next.policy(name)) {
            (Some(before), Some(next)) => load::effective(before) == load::effective(next),
            (Some(_) | None, _) => false,
        };
        Self { unchanged: names.into_iter().filter(is_same).cloned().collect() }
    }

    /// Whether the case stays as it is: a ladder that has begun under its own book, any other under the next one. A
    /// denied proposal does not come back because somebody edited another file, and an open one does not vanish.
    pub(super) fn keeps(&self, case: &Case) -> bool {
        has_begun(case) || self.carries_over(case)
    }

    /// Whether the case has not begun and goes on under the next book.
    pub(super) fn carries_over(&self, case: &Case) -> bool {
        !has_begun(case) && self.unchanged.contains(&case.id.policy)
    }
}

fn has_begun(case: &Case) -> bool {
    case.acted || case.phase.is_under_way()
}

/// The ends of the cases that do not outlive the book in force. The caller has checked that the next one loads.
pub(super) fn ends(state: &State, digest: Digest, source: &Source) -> Vec<Event> {
    let Ok(next) = load::adopted(digest, source.clone()) else {
        return Vec::new();
    };
    let adoption = Adoption::between(state, &state.current_book(), &next);
    let is_open = |case: &&Case| state.episodes.get(&case.id.episode).is_some_and(Episode::is_open);
    let over = state.cases.values().filter(is_open).filter(|case| case.phase != Phase::Resting);
    let over = over.filter(|case| !adoption.keeps(case));
    over.map(|case| follow::concluded(case, Conclusion::Withdrawn)).collect()
}
