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
    let open = state.episodes.get(&id.episode).is_some_and(Episode::is_open);
    let says = kept.says.join("; ");
    let why = match open {
        true => format!("kept from acting for {} while the alert fires: {says}", now.since(kept.since)),
        false => format!("the next step was refused for {}: {says}", now.since(kept.since)),
    };
    if !open {
        // Nothing else would ever end a sequence whose alert is over.
        return sequence::ends(state, case, Conclusion::Failed, AtHand::NotDone, &why);
    }
    let policy = state.policy_of(case);
    let begun = policy.filter(|policy| sequence::is_begun(policy, case));
    let why = begun.map_or(why.clone(), |policy| sequence::told(policy, case, AtHand::NotDone, why));
    let notify = policy.map(|policy| policy.on_failure.notify.clone()).unwrap_or_default();
    vec![Event::Escalated { case: Some(id.clone()), why, notify, about: None }]
}

/// The reasons of a ruling that people do not know of, where it refuses.
fn news(state: &State, ruling: &Ruling, case: &Case) -> Option<Vec<String>> {
    match ruling.verdict {
        Verdict::Act | Verdict::Propose { .. } => return None,
        Verdict::Hold { .. } | Verdict::Withhold => {}
    }
    let mut reasons = ruling.findings.iter().filter_map(|finding| finding.reason()).peekable();
    reasons.peek()?;
    // A sequence that has begun never just waits, whatever for.
    let is_known =
        ruling.mode.is == Mode::DryRun || reasons.clone().any(|reason| reason.is_known_to_people());
    if is_known && !sequence::has_begun(state, case) {
        return None;
    }
    Some(reasons.take(REASONS_MAX).map(ToString::to_string).collect())
}

impl State {
    /// Notes what a ruling says about what keeps the case from acting.
    pub(in crate::engine) fn note_kept(&mut self, now: Moment, id: &CaseId, ruling: &Ruling) {
        let Some(case) = self.cases.get(id) else { return };
        let Some(says) = news(self, ruling, case) else { return self.unkeep(id) };
        let patience = self.current_book().settings().guards.stuck_after;
        let patience =
            if patience == Span::ZERO && sequence::has_begun(self, case) { STUCK_AFTER } else { patience };
        let Some(case) = self.cases.get_mut(id) else { return };
        match &mut case.kept {
            Some(kept) => kept.says = says,
            None if patience == Span::ZERO => {}
            None => {
                let due = now + patience;
                case.kept = Some(Kept { since: now, due: Some(due), says });
                self.agenda.insert((due, Duty::Kept(id.clone())));
            }
        }
    }

    /// A person was called about this case: how long it waits is no more news.
    pub(in crate::engine) fn kept_is_told(&mut self, id: &CaseId) {
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
