//! A policy that guards keep from acting for long while its alert fires: a person is called, once, with the reasons. What
//! the policy itself says, what people have decided and what was told already is no news, and calls nobody.

use crate::action::Mode;
use crate::engine::sequence::{self, AtHand};
use crate::event::{Conclusion, Event};
use crate::ruling::{Ruling, Verdict};
use crate::settings::STUCK_AFTER;
use crate::state::{Case, CaseId, Duty, Episode, Kept, State};
use crate::time::{Moment, Span};

/// Reasons that are told; the rest stands in the ruling.
const REASONS_MAX: usize = 8;

/// It has been kept from acting for so long.
pub(super) fn due(state: &State, now: Moment, id: &CaseId) -> Vec<Event> {
    let Some((case, kept)) = state.cases.get(id).and_then(|case| Some((case, case.kept.as_ref()?))) else {
        return Vec::new();
    };
    let episode = state.episodes.get(&id.episode);
    let open = episode.is_some_and(Episode::is_open);
    let says = kept.says.join("; ");
    let why = match episode.is_some_and(Episode::fires) {
        true => format!("kept from acting for {} while the alert fires: {says}", now.since(kept.since)),
        false => format!("the next step was refused for {}: {says}", now.since(kept.since)),
    };
    if !open {
        // Nothing else would ever end a sequence whose alert is over.
        return sequence::ends(state, case, Conclusion::Failed, AtHand::NotDone, &why);
    }
    let policy = state.policy_of(case);
    let begun = policy.filter(|_| case.rung_begun);
    let why = begun.map_or(why.clone(), |policy| sequence::told(policy, case, AtHand::NotDone, why));
    let notify = policy.map(|policy| policy.on_failure.notify.clone()).unwrap_or_default();
    vec![Event::Escalated { case: Some(id.clone()), why, notify, about: None }]
}

/// The reasons of a ruling that people do not know of, where it refuses.
fn news(ruling: &Ruling, case: &Case) -> Option<Vec<String>> {
    match ruling.verdict {
        Verdict::Act | Verdict::Propose { .. } => return None,
        Verdict::Hold { .. } | Verdict::Withhold => {}
    }
    let mut reasons = ruling.findings.iter().filter_map(|finding| finding.reason()).peekable();
    reasons.peek()?;
    // A sequence that has begun never just waits, whatever for.
    let is_known =
        ruling.mode.is == Mode::DryRun || reasons.clone().any(|reason| reason.is_known_to_people());
    if is_known && !case.rung_begun {
        return None;
    }
    Some(reasons.take(REASONS_MAX).map(ToString::to_string).collect())
}

impl State {
    /// Notes what a ruling says about what keeps the case from acting.
    pub(in crate::engine) fn note_kept(&mut self, now: Moment, id: &CaseId, ruling: &Ruling) {
        let Some(case) = self.cases.get(id) else { return };
        let Some(says) = news(ruling, case) else { return self.unkeep(id) };
        let begun = case.rung_begun;
        let Some(patience) = self.patience(begun) else { return };
        let Some(case) = self.cases.get_mut(id) else { return };
        match &mut case.kept {
            Some(kept) => kept.says = says,
            None => {
                let due = now + patience;
                case.kept = Some(Kept { since: now, due: Some(due), says });
                self.agenda.insert((due, Duty::Kept(id.clone())));
            }
        }
    }

    /// How long a case may be kept from acting; for ever, where nobody wants to know. A sequence that has begun never just
    /// waits.
    fn patience(&self, begun: bool) -> Option<Span> {
        let patience = self.current_book().settings().guards.stuck_after;
        match (patience.is_zero(), begun) {
            (false, _) => Some(patience),
            (true, true) => Some(STUCK_AFTER),
            (true, false) => None,
        }
    }

    /// The alert of a case is over: a sequence that has begun waits so long for what keeps it, whatever was told before.
    pub(in crate::engine) fn keep_on(&mut self, now: Moment, id: &CaseId) {
        let Some(patience) = self.patience(true) else { return };
        let case = self.cases.get_mut(id).filter(|case| case.rung_begun);
        let Some(kept) = case.and_then(|case| case.kept.as_mut()).filter(|kept| kept.due.is_none()) else {
            return;
        };
        let due = now + patience;
        kept.due = Some(due);
        self.agenda.insert((due, Duty::Kept(id.clone())));
    }

    /// The clock is accepted: what could not go on before has its time now.
    pub(in crate::engine) fn kept_anew(&mut self, now: Moment) {
        let (begun, other) = (self.patience(true), self.patience(false));
        for (id, case) in &mut self.cases {
            let patience = if case.rung_begun { begun } else { other };
            let Some((kept, patience)) = case.kept.as_mut().zip(patience) else { continue };
            if let Some(due) = kept.due.as_mut().filter(|due| **due < now + patience) {
                self.agenda.remove(&(*due, Duty::Kept(id.clone())));
                *due = now + patience;
                self.agenda.insert((*due, Duty::Kept(id.clone())));
            }
        }
    }

    /// The wall clock stepped forward: nobody was kept for that long.
    pub(in crate::engine) fn kept_later(&mut self, forward: Span) {
        for (id, case) in &mut self.cases {
            let Some(kept) = &mut case.kept else { continue };
            kept.since = kept.since + forward;
            if let Some(due) = &mut kept.due {
                self.agenda.remove(&(*due, Duty::Kept(id.clone())));
                *due = *due + forward;
                self.agenda.insert((*due, Duty::Kept(id.clone())));
            }
        }
    }

    /// A person was called about this case: how long it waits is no more news. One whose alert is over goes on being
    /// looked at: nothing else would ever end it.
    pub(in crate::engine) fn kept_is_told(&mut self, id: &CaseId) {
        if !self.episodes.get(&id.episode).is_some_and(Episode::is_open) {
            return;
        }
        let kept = self.cases.get_mut(id).and_then(|case| case.kept.as_mut());
        if let Some(due) = kept.and_then(|kept| kept.due.take()) {
            self.agenda.remove(&(due, Duty::Kept(id.clone())));
        }
    }

    /// Nothing keeps the case from acting now.
    pub(in crate::engine) fn unkeep(&mut self, id: &CaseId) {
        let kept = self.cases.get_mut(id).and_then(|case| case.kept.take());
        if let Some(due) = kept.and_then(|kept| kept.due) {
            self.agenda.remove(&(due, Duty::Kept(id.clone())));
        }
    }
}
