//! Live verdicts held against today's engine: the records of a journal are folded, and where one is a ruling, the engine
//! decides once more from the state before it, with the recorded facts and the book of its day. It repeats nothing else.
//! What an older program did not record is no difference: it says nothing of how that program decided.

use paramedic_policies::event::{Event, Record, Seq};
use paramedic_policies::guard::{Finding, Stance};
use paramedic_policies::input::Input;
use paramedic_policies::reason::Reason;
use paramedic_policies::ruling::Ruling;
use paramedic_policies::state::State;
use paramedic_policies::time::Moment;
use paramedic_policies::{apply, decide};
use serde::Serialize;

/// Differences that are told one by one; the rest is counted.
const TOLD_MAX: usize = 1_000;

/// What came of comparing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdicts {
    /// Rulings in the records.
    pub live: u64,
    /// Those that today's engine gives, to the letter of what was recorded.
    pub reproduced: u64,
    /// Those that it does not, the first of them.
    pub differences: Vec<Difference>,
    /// Rulings that could not be decided once more, since the records before them are gone.
    pub without_state: u64,
}

impl Verdicts {
    /// How many of those that could be compared are reproduced, in words that `by this program` follows.
    pub fn compared(&self) -> String {
        match self.live - self.without_state {
            0 => "0 compared".to_owned(),
            compared => format!("{} of {compared} reproduced", self.reproduced),
        }
    }

    /// Differences that are counted, and not told one by one.
    pub fn not_told(&self) -> u64 {
        let all = self.live - self.without_state - self.reproduced;
        all - all.min(self.differences.len() as u64)
    }

    /// What could not be compared, in words that follow a sentence; empty where there is none.
    pub fn left_out(&self) -> String {
        match self.without_state {
            0 => String::new(),
            left => format!("; {left} could not be compared, since the records before them are gone"),
        }
    }
}

/// One verdict that today's engine does not give.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The record of the ruling.
    pub record: Seq,
    /// When.
    pub at: Moment,
    /// By which policy.
    pub policy: String,
    /// On which alert.
    pub alert: String,
    /// What was decided.
    pub live: String,
    /// What would be now.
    pub now: String,
}

/// The comparison under way.
#[derive(Debug)]
pub struct Comparison {
    state: State,
    verdicts: Verdicts,
    from: Option<Moment>,
    until: Option<Moment>,
}

impl Comparison {
    /// A comparison over records that begin at the first one of a journal.
    pub fn from_the_first() -> Self {
        Self::of(State::new())
    }

    /// A comparison that goes on from this state, the fold of all records before.
    pub fn of(state: State) -> Self {
        let verdicts = Verdicts { live: 0, reproduced: 0, differences: Vec::new(), without_state: 0 };
        Self { state, verdicts, from: None, until: None }
    }

    /// Only rulings of this time count; the records before it make the state all the same.
    #[must_use]
    pub fn within(self, from: Option<Moment>, until: Option<Moment>) -> Self {
        Self { from, until, ..self }
    }

    fn counts(&self, at: Moment) -> bool {
        self.from.is_none_or(|from| at >= from) && self.until.is_none_or(|until| at <= until)
    }

    /// The next record.
    pub fn see(&mut self, record: &Record) {
        if let Event::Ruled { ruling } = &record.event
            && self.counts(record.at)
        {
            self.verdicts.live += 1;
            if record.seq == self.state.next {
                self.ruled(record, ruling);
            } else {
                self.verdicts.without_state += 1;
            }
        }
        if record.seq == self.state.next {
            apply(&mut self.state, record.at, &record.event);
        }
    }

    fn ruled(&mut self, record: &Record, live: &Ruling) {
        let book = self.state.current_book();
        let events = decide(&self.state, &book, record.at, &Input::Wake);
        let now = events
            .into_iter()
            .find_map(|event| if let Event::Ruled { ruling } = event { Some(*ruling) } else { None })
            .map(|now| as_recorded(now, live));
        if now.as_ref() == Some(live) {
            self.verdicts.reproduced += 1;
            return;
        }
        if self.verdicts.differences.len() < TOLD_MAX {
            self.verdicts.differences.push(Difference {
                record: record.seq,
                at: record.at,
                policy: live.policy.clone(),
                alert: live.alert.clone(),
                live: told(live),
                now: now.as_ref().map_or_else(|| "no ruling at that moment".to_owned(), told),
            });
        }
    }

    /// What came of it.
    pub fn finish(self) -> Verdicts {
        self.verdicts
    }
}

/// Today's ruling, less what the program of that day did not record. Each such thing is named here: what is merely empty in
/// the record is compared like all else.
fn as_recorded(mut now: Ruling, live: &Ruling) -> Ruling {
    for (now, live) in now.findings.iter_mut().zip(&live.findings) {
        if let Stance::Refuses { reason: Reason::TooManyTargets { within, .. } } = &mut now.stance
            && let Some(Reason::TooManyTargets { within: recorded, .. }) = live.reason()
            && recorded.is_empty()
        {
            // It always says where, since it was recorded at all.
            within.clear();
        }
    }
    now
}

/// A ruling in a line.
fn told(ruling: &Ruling) -> String {
    let reasons: Vec<String> =
        ruling.findings.iter().filter_map(Finding::reason).map(Reason::to_string).collect();
    let why = if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join("; ")) };
    format!("{} {}{why}", ruling.verdict.name(), ruling.policy)
}

#[cfg(test)]
mod tests {
    use paramedic_policies::action::Mode;
    use paramedic_policies::book::Digest;
    use paramedic_policies::guard::Guard;
    use paramedic_policies::policy::Place;
    use paramedic_policies::ruling::{EffectiveMode, Verdict};
    use paramedic_policies::time::Span;

    use super::*;

    fn refused(have: u32, within: &str) -> Ruling {
        let reason = Reason::TooManyTargets {
            have,
            allow: 2,
            per: Span::from_mins(30),
            within: within.to_owned(),
            until: Moment::from_unix_ms(0),
        };
        Ruling {
            episode: Seq(1),
            alert: "Errors".to_owned(),
            policy: "restart".to_owned(),
            book: Digest::of(b"a book"),
            place: Place { file: "a.yaml".to_owned(), line: 1 },
            rung: 0,
            step: 0,
            mode: EffectiveMode { wanted: Mode::Enforce, is: Mode::Enforce, capped_by: None },
            target: None,
            verdict: Verdict::Withhold,
            findings: vec![Finding::allows(Guard::Pace, ""), Finding::refuses(Guard::BlastTargets, reason)],
            action: None,
            diff: None,
        }
    }

    #[test]
    fn what_an_older_program_did_not_record_is_no_difference() {
        let older = refused(3, "");
        assert_eq!(as_recorded(refused(3, "namespace shop"), &older), older);
    }

    #[test]
    fn what_was_recorded_otherwise_is_a_difference() {
        for live in [refused(3, "the cluster"), refused(4, "namespace shop"), refused(4, "")] {
            assert_ne!(as_recorded(refused(3, "namespace shop"), &live), live);
        }
        let today = refused(3, "");
        assert_ne!(as_recorded(today.clone(), &refused(3, "the cluster")), refused(3, "the cluster"));
        assert_eq!(as_recorded(today.clone(), &Ruling { findings: Vec::new(), ..today.clone() }), today);
    }
}
