//! Effects: charged before they begin, watched to their end, verified, and taken back when a lease says so.

use std::collections::BTreeSet;

use crate::action::{Action, Intent, Mode, Outcome};
use crate::address::AddressRange;
use crate::book::Book;
use crate::engine::apply::this;
use crate::engine::lease::{self, Trace};
use crate::engine::{EFFECT_DEADLINE, follow};
use crate::event::Seq;
use crate::guard::{ledger, pace};
use crate::question::{Fact, Question};
use crate::state::{CaseId, Charge, Duty, InFlight, Known, LastAction, Lease, Ordered, Phase, State};
use crate::time::{Moment, Span};

/// Charges are kept at least this long, so that a new book with longer windows finds some history.
const LEDGER_KEPT: Span = Span::from_hours(7 * 24);

pub(super) fn intended(state: &mut State, intent: &Intent) {
    debug_assert_eq!(intent.id, this(state), "an intent is named by its record");
    state.in_flight.insert(intent.id, InFlight { intent: intent.clone(), in_doubt: false });
    state.indexes.begun(intent.id, &intent.target);
    if let Some(lease) = intent.reverts {
        state.lease_begun(lease, intent.deadline);
        return;
    }
    if intent.charged {
        charge(state, intent);
    }
    let id = CaseId::of(intent);
    let lets = state.lets_of(&id);
    if let Some(case) = state.cases.get_mut(&id) {
        let (looks, acts) = (intent.action.looks_only(), intent.mode != Mode::DryRun);
        if acts && !looks && !case.acted {
            (case.acted, case.acted_on) = (true, Some(intent.target.clone()));
        } else if acts && !looks && !case.rung_begun {
            case.also_on.insert(intent.target.clone());
        }
        case.looked |= looks;
        case.lets = lets;
        case.facts.clear();
        case.fact_failures = 0;
    }
    state.set_target(&id, intent.target.clone());
    state.set_phase(&id, Phase::Acting { intent: intent.id });
    state.stays_open(id.episode);
}

fn charge(state: &mut State, intent: &Intent) {
    let book = state.current_book();
    let pace = &book.settings().guards.pace;
    let kept = LEDGER_KEPT.max(ledger::horizon(&book));
    let spent = match intent.mode {
        _ if intent.action.looks_only() => &mut state.looks,
        Mode::DryRun => &mut state.rehearsals,
        Mode::Approve | Mode::Enforce => &mut state.ledger,
    };
    spent.pace_ns = pace::advance(pace, spent.pace_ns, intent.at);
    let beyond = intent.namespaces().into_iter().filter(|name| *name != intent.target.namespace);
    spent.charges.push_back(Charge {
        at: intent.at,
        intent: intent.id,
        policy: intent.policy.clone(),
        target: intent.target.clone(),
        beyond: beyond.map(str::to_owned).collect(),
        spares_workloads: intent.action.spares_workloads(&intent.target),
    });
    while spent.charges.front().is_some_and(|first| intent.at.since(first.at) > kept) {
        spent.charges.pop_front();
    }
}

pub(super) fn ended(state: &mut State, now: Moment, intent: Seq, outcome: &Outcome) {
    let Some(InFlight { intent, .. }) = state.in_flight.remove(&intent) else { return };
    state.indexes.ended(intent.id, &intent.target);
    state.reconsider_leases_behind(now, intent.id);
    let id = CaseId::of(&intent);
    if intent.mode == Mode::DryRun || intent.action.looks_only() {
        return;
    }
    // What has not touched its target raises no alerts there, and nothing has to settle.
    if lease::trace(outcome) != Trace::Nothing {
        let last = LastAction {
            intent: intent.id,
            policy: intent.policy.clone(),
            episode: intent.episode,
            ended_at: now,
        };
        state.last_actions.insert(intent.target.clone(), last);
        state.forget_last(now);
    }
    if let Some(lease) = intent.reverts {
        state.lease_ended(now, lease, &intent.action, outcome);
        return;
    }
    if let Some(after) = intent.revert_after
        && lease::trace(outcome) != Trace::Nothing
    {
        state.agenda.insert((now + after, Duty::Revert(intent.id)));
        let episode = state.episodes.get(&intent.episode);
        let policy = state.cases.get(&id).and_then(|case| state.policy_of(case));
        let lease = Lease {
            labels: episode.map(|episode| episode.labels.clone()).unwrap_or_default(),
            notify: policy.map(|policy| policy.on_failure.notify.clone()).unwrap_or_default(),
            ..Lease::of(intent.clone(), now + after)
        };
        state.leases.insert(intent.id, lease);
    }
    if let Some(case) = state.cases.get_mut(&id)
        && follow::begins(&intent, outcome)
    {
        (case.rung_begun, case.begun_by) = (true, Some(intent.id));
    }
    if !matches!(outcome, Outcome::Done { .. }) {
        return;
    }
    let settle = state.cases.get(&id).and_then(|case| {
        let rung = state.policy_of(case)?.ladder.get(case.rung)?;
        Some(rung.steps.get(case.step)?.verify.as_ref()?.settle)
    });
    if let Some(settle) = settle {
        let due = now + settle;
        let (held_since, last, open) = (None, None, None);
        state.set_phase(&id, Phase::Verifying { intent: intent.id, since: now, held_since, last, open, due });
    }
}

pub(super) fn looked(state: &mut State, now: Moment, intent: Seq, holds: Option<bool>, again: Moment) {
    let Some(id) = state.indexes.watching(intent).cloned() else { return };
    let Some(case) = state.cases.get_mut(&id) else { return };
    case.facts.remove(&Fact::Verification);
    let Phase::Verifying { since, held_since, .. } = case.phase.clone() else { return };
    let held_since = match holds {
        Some(true) => held_since.or(Some(now)),
        Some(false) | None => None,
    };
    let phase = Phase::Verifying { intent, since, held_since, last: holds, open: None, due: again };
    state.set_phase(&id, phase);
}

/// What follows is said by the events behind this one.
pub(super) fn verified(state: &mut State, intent: Seq) {
    if let Some(id) = state.indexes.watching(intent)
        && let Some(case) = state.cases.get_mut(id)
    {
        case.facts.remove(&Fact::Verification);
    }
}

pub(super) fn revert_dropped(state: &mut State, intent: Seq, into: Option<Seq>) {
    let before = state.leases.get(&intent).map(|lease| lease.intent.action.clone());
    state.drop_lease(intent);
    if let Some(lease) = into.and_then(|into| state.leases.get_mut(&into))
        && let Some(both) = before.and_then(|before| lease.intent.action.after(&before))
    {
        lease.intent.action = both;
    }
}

/// What holds a lease.
pub(super) struct Held<'a> {
    pub(super) until: Moment,
    pub(super) why: &'a str,
    pub(super) order_over: bool,
    pub(super) failures: u32,
    pub(super) since: Option<Moment>,
    pub(super) behind: Option<Seq>,
}

pub(super) fn revert_held(state: &mut State, intent: Seq, held: &Held<'_>) {
    let Some(lease) = state.leases.get_mut(&intent) else { return };
    (lease.looked, lease.held, lease.held_for) = (None, !held.order_over, Some(held.why.to_owned()));
    (lease.failures, lease.stuck_since, lease.behind) = (held.failures, held.since, held.behind);
    if held.order_over {
        lease.ordered = None;
    }
    state.move_lease(intent, held.until);
}

/// Somebody wants an action taken back: its lease is due now. One whose action had no end gets one.
pub(super) fn revert_ordered(
    state: &mut State,
    now: Moment,
    intent: Seq,
    by: &str,
    only: &[AddressRange],
    of: Option<&Intent>,
) {
    if let Some(of) = of {
        let labels =
            state.episodes.get(&of.episode).map(|episode| episode.labels.clone()).unwrap_or_default();
        state.leases.entry(intent).or_insert(Lease { labels, ..Lease::of(of.clone(), now) });
    }
    state.order_lease(now, intent, Some(by), only);
}

impl State {
    /// Forgets what nobody asks for any more: pods come and go under names of their own.
    pub(super) fn forget_last(&mut self, now: Moment) {
        let book = self.current_book();
        let (settle, relapse) = (book.settings().guards.settle, ledger::longest_relapse(&book));
        let is_kept = |ended_at: Moment, longest: Span| now.since(ended_at) <= LEDGER_KEPT.max(longest);
        self.last_actions.retain(|_, last| is_kept(last.ended_at, settle));
        self.last_ladders.retain(|_, last| is_kept(last.ended_at, relapse));
    }

    /// What the round found by which an intent was made.
    fn lets_of(&self, id: &CaseId) -> std::collections::BTreeMap<String, String> {
        let Some(case) = self.cases.get(id) else { return Default::default() };
        let (Some(policy), Some(episode)) = (self.policy_of(case), self.episodes.get(&id.episode)) else {
            return Default::default();
        };
        let book = self.current_book();
        let inquiry = crate::engine::rule::Inquiry {
            state: self,
            book: &book,
            policy,
            episode,
            case,
            now: self.now,
            ask_anyway: false,
        };
        inquiry.lets()
    }

    /// It is wanted back now, all of it or these entries, beside what was wanted before.
    fn order_lease(&mut self, now: Moment, intent: Seq, by: Option<&str>, only: &[AddressRange]) {
        let Some(lease) = self.leases.get_mut(&intent) else { return };
        let by = by.map(str::to_owned);
        lease.ordered = Some(match lease.ordered.take() {
            Some(before) => before.and(by, only),
            None => Ordered { by, only: only.to_vec(), rest_due: lease.due },
        });
        (lease.looked, lease.attempts, lease.held, lease.told) = (None, 0, false, false);
        (lease.failures, lease.stuck_since, lease.behind) = (0, None, None);
        // It is asked anew, for what is wanted now.
        if let Some(open) = lease.open.take() {
            self.questions.remove(&open);
        }
        self.move_lease(intent, now);
    }

    /// A person was told that it is not taken back.
    pub(super) fn lease_is_told(&mut self, intent: Seq) {
        if let Some(lease) = self.leases.get_mut(&intent) {
            lease.told = true;
        }
    }

    fn move_lease(&mut self, intent: Seq, due: Moment) {
        let Some(lease) = self.leases.get_mut(&intent) else { return };
        self.agenda.remove(&(lease.due, Duty::Revert(intent)));
        lease.due = due;
        self.agenda.insert((due, Duty::Revert(intent)));
    }

    fn drop_lease(&mut self, intent: Seq) {
        if let Some(lease) = self.leases.remove(&intent) {
            self.agenda.remove(&(lease.due, Duty::Revert(intent)));
        }
    }

    /// Taking it back has begun; should its end never be told, it is looked at after the deadline.
    fn lease_begun(&mut self, intent: Seq, deadline: Moment) {
        let Some(lease) = self.leases.get_mut(&intent) else { return };
        (lease.looked, lease.held) = (None, false);
        lease.attempts = lease.attempts.saturating_add(1);
        self.move_lease(intent, deadline + EFFECT_DEADLINE);
    }

    /// Taking it back has ended: what is known to be taken back is over. Whatever else came of it is looked at again;
    /// when, the next event says. A part that is to end later waits for its own time.
    fn lease_ended(&mut self, now: Moment, intent: Seq, revert: &Action, outcome: &Outcome) {
        let stays = lease::stays(self.leases.get(&intent).map(|lease| &lease.intent), outcome);
        match outcome {
            Outcome::Refused { reasons } if lease::are_passing(reasons) => {
                // Held at the last moment, so it was not tried.
                if let Some(lease) = self.leases.get_mut(&intent) {
                    lease.attempts = lease.attempts.saturating_sub(1);
                }
                return;
            }
            Outcome::Refused { .. } | Outcome::Failed { .. } | Outcome::Unknown { .. } if stays => return,
            Outcome::Done { .. } => {
                if let Some((rest, due)) = revert.rest()
                    && let Some(lease) = self.leases.get_mut(&intent)
                {
                    let part = lease.ordered.as_ref().is_some_and(|order| !order.only.is_empty());
                    (lease.intent.action, lease.attempts, lease.told) = (rest, 0, false);
                    (lease.failures, lease.stuck_since, lease.held_for) = (0, None, None);
                    // Whoever wants something back waits for no end of an entry.
                    if let Some(order) = lease.ordered.as_mut().filter(|order| !order.only.is_empty()) {
                        order.only.retain(|range| lease::has_entry(&lease.intent.action, range));
                    }
                    lease.ordered.take_if(|order| part && order.only.is_empty());
                    let due = if lease.ordered.is_some() { now } else { due };
                    self.move_lease(intent, due.max(now));
                    return;
                }
            }
            Outcome::Collected { .. }
            | Outcome::Refused { .. }
            | Outcome::Failed { .. }
            | Outcome::Unknown { .. } => {}
        }
        self.drop_lease(intent);
    }

    /// An effect has ended that reverts waited for: look again now.
    fn reconsider_leases_behind(&mut self, now: Moment, ended: Seq) {
        let waits = self.leases.iter().filter(|(_, lease)| lease.behind == Some(ended));
        let waiting: Vec<Seq> = waits.map(|(id, _)| *id).collect();
        for intent in waiting {
            if let Some(lease) = self.leases.get_mut(&intent) {
                lease.behind = None;
            }
            self.move_lease(intent, now);
        }
    }

    /// Something changed that may have held reverts: look again now.
    pub(super) fn reconsider_held_leases(&mut self, now: Moment) {
        let held: Vec<Seq> = self.leases.iter().filter(|(_, lease)| lease.held).map(|(id, _)| *id).collect();
        for intent in held {
            if let Some(lease) = self.leases.get_mut(&intent) {
                lease.held = false;
            }
            self.move_lease(intent, now);
        }
    }

    /// An episode ended that may have held what its policies did: look again now.
    pub(super) fn reconsider_leases_of(&mut self, now: Moment, episode: Seq) {
        let policies: BTreeSet<String> = self.cases_of(episode).map(|case| case.id.policy.clone()).collect();
        let is_of = |lease: &Lease| {
            lease.held && (lease.intent.episode == episode || policies.contains(&lease.intent.policy))
        };
        let held: Vec<Seq> =
            self.leases.iter().filter(|(_, lease)| is_of(lease)).map(|(id, _)| *id).collect();
        for intent in held {
            self.move_lease(intent, now);
        }
    }

    /// What the policy of an action does not want any more, as it is written now, is taken back now.
    pub(super) fn lift_leases(&mut self, now: Moment, book: &Book) {
        let lifted = |lease: &Lease| -> Vec<AddressRange> {
            let steps = book.policy(&lease.intent.policy).into_iter().flat_map(|policy| &policy.ladder);
            let steps = steps.flat_map(|rung| &rung.steps);
            let of_steps =
                steps.flat_map(|step| step.remediation.lifts(&lease.intent.action, &book.settings().vars));
            of_steps.collect::<BTreeSet<_>>().into_iter().collect()
        };
        let is_idle = |lease: &Lease| lease.open.is_none() && lease.due > now;
        let under_way: BTreeSet<Seq> =
            self.in_flight.values().filter_map(|flight| flight.intent.reverts).collect();
        let due: Vec<(Seq, Vec<AddressRange>)> = self
            .leases
            .iter()
            .filter(|(id, lease)| is_idle(lease) && !under_way.contains(id))
            .map(|(id, lease)| (*id, lifted(lease)))
            .filter(|(_, lifted)| !lifted.is_empty())
            .collect();
        for (intent, only) in due {
            self.order_lease(now, intent, None, &only);
        }
    }

    /// The wall clock stepped forward: what is to be taken back after a while is taken back that much later.
    pub(super) fn leases_end_later(&mut self, forward: Span) {
        let all: Vec<(Seq, Moment)> = self.leases.iter().map(|(id, lease)| (*id, lease.due)).collect();
        for (intent, due) in all {
            if let Some(lease) = self.leases.get_mut(&intent) {
                lease.stepped = Span::from_ms(lease.stepped.ms().saturating_add(forward.ms()));
                lease.stuck_since = lease.stuck_since.map(|since| since + forward);
                if let Some(order) = &mut lease.ordered {
                    order.rest_due = order.rest_due + forward;
                }
            }
            self.move_lease(intent, due + forward);
        }
    }

    /// A question of a lease is out; its deadline is when the lease is due again.
    pub(super) fn lease_asked(&mut self, intent: Seq, question: &Question) {
        if let Some(lease) = self.leases.get_mut(&intent) {
            (lease.open, lease.held) = (Some(question.id), false);
        }
        self.move_lease(intent, question.deadline);
    }

    /// The answer for a lease has come.
    pub(super) fn lease_told(&mut self, now: Moment, intent: Seq, known: Known) {
        if let Some(lease) = self.leases.get_mut(&intent) {
            lease.open = None;
            lease.looked = Some(known);
        }
        self.move_lease(intent, now);
    }

    /// The process that asked is gone.
    pub(super) fn lease_unasked(&mut self, now: Moment) {
        let open: Vec<Seq> =
            self.leases.iter().filter(|(_, lease)| lease.open.is_some()).map(|(id, _)| *id).collect();
        for intent in open {
            if let Some(lease) = self.leases.get_mut(&intent) {
                lease.open = None;
            }
            self.move_lease(intent, now);
        }
    }
}
