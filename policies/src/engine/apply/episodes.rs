//! Episodes: opened with a case for every matching policy, closed, forgotten once nothing refers to them.

use crate::alert::{EpisodeKey, Labels};
use crate::engine::LATE_PEER;
use crate::engine::by_hand::PATIENCE;
use crate::engine::storm::MINUTE;
use crate::event::{Closing, Seq};
use crate::order::ByHand;
use crate::state::{Case, CaseId, Duty, Episode, Phase, Requested, Resolved, State};
use crate::time::{Moment, Span};

/// How long a request to run a policy is remembered: far longer than anybody repeats one that was not answered.
const REQUESTS_KEPT: Span = Span::from_hours(24);

/// No more requests are remembered; the oldest gives way.
const REQUESTS_MAX: usize = 1000;

/// The openings of one minute are kept up to here; far above any storm's threshold, so none is missed.
const OPENINGS_MAX: usize = 100_000;

pub(super) struct Opened<'a> {
    pub(super) key: EpisodeKey,
    pub(super) labels: &'a Labels,
    pub(super) annotations: &'a Labels,
    pub(super) starts_at: Moment,
    pub(super) fingerprint: &'a Option<String>,
    pub(super) correlation: &'a str,
    pub(super) by_hand: Option<&'a ByHand>,
}

pub(super) fn received(state: &mut State, now: Moment, repeated: &[Seq], truncated: u64) {
    if truncated > 0 {
        state.storm.quiet_from = state.storm.quiet_from.max(now + MINUTE);
    }
    let expiry = state.current_book().settings().episodes.expiry;
    for id in repeated {
        let Some(episode) = state.episodes.get_mut(id) else { continue };
        state.agenda.remove(&(episode.expires_at, Duty::Expire(*id)));
        (episode.seen_at, episode.expires_at) = (now, now + expiry);
        state.agenda.insert((episode.expires_at, Duty::Expire(*id)));
        state.reconsider(now, |case| case.phase == Phase::Withheld, Some(*id));
    }
}

pub(super) fn opened(state: &mut State, now: Moment, seq: Seq, opened: &Opened<'_>) {
    let book = state.current_book();
    let lasts = if opened.by_hand.is_some() { PATIENCE } else { book.settings().episodes.expiry };
    let episode = Episode {
        id: seq,
        key: opened.key,
        labels: opened.labels.clone(),
        annotations: opened.annotations.clone(),
        starts_at: opened.starts_at,
        opened_at: now,
        seen_at: now,
        expires_at: now + lasts,
        closed_at: None,
        fingerprint: opened.fingerprint.clone(),
        correlation: opened.correlation.to_owned(),
        by_hand: opened.by_hand.cloned(),
    };
    state.agenda.insert((episode.expires_at, Duty::Expire(seq)));
    if let Some(by_hand) = opened.by_hand {
        // No alert: nothing repeats or resolves it, no other policy sees it, and it makes no storm.
        state.requested(now, seq, by_hand, opened.key);
        state.episodes.insert(seq, episode);
        if let Some(policy) = book.policy(&by_hand.policy) {
            state.begin_case(now, seq, policy, book.digest());
        }
        return;
    }
    state.open.insert(opened.key, seq);
    state.recently_resolved.remove(&opened.key);
    for policy in book.matching(&episode.labels) {
        state.begin_case(now, seq, policy, book.digest());
    }
    state.indexes.episode_opened(&episode);
    state.episodes.insert(seq, episode);
    note_opening(state, now);
}

/// Counts an opening, and when the count of a minute will have fallen below half if nothing more opens.
fn note_opening(state: &mut State, now: Moment) {
    let half = (state.current_book().settings().guards.storm.alerts_per_minute / 2).max(1) as usize;
    let storm = &mut state.storm;
    while storm.openings.front().is_some_and(|first| now.since(*first) >= MINUTE) {
        storm.openings.pop_front();
    }
    if storm.openings.len() < OPENINGS_MAX {
        storm.openings.push_back(now);
    }
    if let Some(index) = storm.openings.len().checked_sub(half)
        && let Some(opening) = storm.openings.get(index)
    {
        storm.quiet_from = storm.quiet_from.max(*opening + MINUTE);
    }
}

pub(super) fn closed(state: &mut State, now: Moment, id: Seq, why: Closing, ended_at: Option<Moment>) {
    let Some(episode) = state.episodes.get_mut(&id) else { return };
    episode.closed_at = Some(now);
    let (key, expires_at) = (episode.key, episode.expires_at);
    let is_alert = episode.by_hand.is_none();
    if is_alert {
        state.indexes.episode_closed(episode);
        state.open.remove(&key);
    }
    state.agenda.remove(&(expires_at, Duty::Expire(id)));
    state.close_cases(now, id);
    state.reconsider_leases_of(now, id);
    match why {
        Closing::Resolved => {
            forget_resolved(state, now);
            let (ended_at, episode) = (ended_at.unwrap_or(now), Some(id));
            let resolved = Resolved { closed_at: now, ended_at, episode, stepped: Span::ZERO };
            state.recently_resolved.insert(key, resolved);
            state.resolved_order.push_back((now, key));
        }
        // Whoever repeats an expired one has an alert that fires.
        Closing::Expired | Closing::Over => {}
    }
    state.forget_if_over(id);
}

/// Forgets ends that no peer can still be late for. An alert that opened again, or ended again, has left an older
/// place in the order behind, which says nothing.
fn forget_resolved(state: &mut State, now: Moment) {
    while let Some((closed_at, key)) = state.resolved_order.front().copied()
        && now.since(closed_at) >= LATE_PEER
    {
        state.resolved_order.pop_front();
        if state.recently_resolved.get(&key).is_some_and(|resolved| resolved.closed_at == closed_at) {
            state.recently_resolved.remove(&key);
        }
    }
}

pub(super) fn storm_began(state: &mut State, now: Moment, why: &str) {
    state.storm.since = Some((now, why.to_owned()));
    let calm = state.current_book().settings().guards.storm.calm;
    let look = state.storm.quiet_from.max(now) + calm;
    state.agenda.insert((look, Duty::Calm));
}

pub(super) fn storm_goes_on(state: &mut State, again: Moment) {
    state.agenda.retain(|(_, duty)| *duty != Duty::Calm);
    state.agenda.insert((again, Duty::Calm));
}

pub(super) fn storm_ended(state: &mut State, now: Moment) {
    state.agenda.retain(|(_, duty)| *duty != Duty::Calm);
    state.storm.since = None;
    state.reconsider_refused_for(now, &["storm"]);
}

/// The wall clock stepped forward: a storm is over that much later, and so is the memory of what was resolved.
pub(super) fn storm_ends_later(state: &mut State, forward: Span) {
    state.storm.quiet_from = state.storm.quiet_from + forward;
    for opened in &mut state.storm.openings {
        *opened = *opened + forward;
    }
    let calm: Vec<Moment> =
        state.agenda.iter().filter(|(_, duty)| *duty == Duty::Calm).map(|(at, _)| *at).collect();
    for at in calm {
        state.agenda.remove(&(at, Duty::Calm));
        state.agenda.insert((at + forward, Duty::Calm));
    }
    for resolved in state.recently_resolved.values_mut() {
        resolved.closed_at = resolved.closed_at + forward;
        resolved.stepped = Span::from_ms(resolved.stepped.ms().saturating_add(forward.ms()));
    }
    for (closed_at, _) in &mut state.resolved_order {
        *closed_at = *closed_at + forward;
    }
}

impl State {
    /// Remembers a request to run a policy, and forgets old ones.
    fn requested(&mut self, now: Moment, episode: Seq, by_hand: &ByHand, labels: EpisodeKey) {
        self.requested.retain(|_, known| now.since(known.at) < REQUESTS_KEPT);
        if self.requested.len() >= REQUESTS_MAX {
            let oldest = self.requested.iter().min_by_key(|(_, known)| known.episode);
            if let Some(key) = oldest.map(|(key, _)| key.clone()) {
                self.requested.remove(&key);
            }
        }
        let (policy, dry_run) = (by_hand.policy.clone(), by_hand.dry_run);
        let known = Requested { episode, at: now, policy, labels, dry_run };
        self.requested.insert(by_hand.key.clone(), known);
    }

    /// An order by hand is under way: it is given up no more while it acts.
    pub(super) fn stays_open(&mut self, id: Seq) {
        if let Some(episode) = self.episodes.get(&id).filter(|episode| episode.by_hand.is_some()) {
            self.agenda.remove(&(episode.expires_at, Duty::Expire(id)));
        }
    }

    /// An order by hand goes on then: it waits for its guards as long as at its beginning.
    pub(super) fn waits_again(&mut self, id: Seq, from: Moment) {
        let Some(episode) = self.episodes.get_mut(&id).filter(|episode| episode.by_hand.is_some()) else {
            return;
        };
        self.agenda.remove(&(episode.expires_at, Duty::Expire(id)));
        episode.expires_at = from + PATIENCE;
        self.agenda.insert((episode.expires_at, Duty::Expire(id)));
    }

    /// A new case, to be looked at now.
    pub(super) fn begin_case(
        &mut self,
        now: Moment,
        episode: Seq,
        policy: &crate::policy::Policy,
        book: crate::book::Digest,
    ) {
        let id = CaseId { episode, policy: policy.name.clone() };
        let case = Case {
            id: id.clone(),
            book,
            priority: policy.priority,
            rung: 0,
            step: 0,
            attempts: 0,
            fact_failures: 0,
            acted: false,
            rung_begun: false,
            ended: None,
            begun_by: None,
            acted_on: None,
            also_on: std::collections::BTreeSet::new(),
            looked: false,
            target: None,
            lets: std::collections::BTreeMap::new(),
            facts: std::collections::BTreeMap::new(),
            phase: Phase::Withheld,
            last_ruling: None,
            kept: None,
        };
        self.cases.insert(id.clone(), case);
        self.set_phase(&id, Phase::Waiting { due: now });
    }

    /// The cases of a closed episode come first no more, and their targets may not fire.
    fn close_cases(&mut self, now: Moment, episode: Seq) {
        let from = CaseId { episode, policy: String::new() };
        for (_, case) in self.cases.range(from..).take_while(|(id, _)| id.episode == episode) {
            self.indexes.closed(case);
        }
        let ids: Vec<CaseId> = self.cases_of(episode).map(|case| case.id.clone()).collect();
        for id in ids {
            self.keep_on(now, &id);
        }
    }

    /// Forgets a closed episode once all its cases rest; what outlives it (ledgers, leases, the last ladder) is
    /// kept elsewhere.
    pub(super) fn forget_if_over(&mut self, id: Seq) {
        let closed = self.episodes.get(&id).is_some_and(|episode| !episode.is_open());
        if !closed || self.cases_of(id).any(|case| case.phase != Phase::Resting) {
            return;
        }
        let cases: Vec<CaseId> = self.cases_of(id).map(|case| case.id.clone()).collect();
        for case in cases {
            self.remove_case(&case);
        }
        self.episodes.remove(&id);
    }
}
