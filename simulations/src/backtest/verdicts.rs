//! Live verdicts held against today's engine: the records of a journal are folded, and where one is a ruling, the engine
//! decides once more from the state before it, with the recorded facts and the book of its day. It repeats nothing else.

use paramedic_policies::event::{Event, Record, Seq};
use paramedic_policies::guard::Finding;
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
    /// Those that today's engine gives, to the letter.
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
            .iter()
            .find_map(|event| if let Event::Ruled { ruling } = event { Some(&**ruling) } else { None });
        if now == Some(live) {
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
                now: now.map_or_else(|| "no ruling at that moment".to_owned(), told),
            });
        }
    }

    /// What came of it.
    pub fn finish(self) -> Verdicts {
        self.verdicts
    }
}

/// A ruling in a line.
fn told(ruling: &Ruling) -> String {
    let reasons: Vec<String> =
        ruling.findings.iter().filter_map(Finding::reason).map(Reason::to_string).collect();
    let why = if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join("; ")) };
    format!("{} {}{why}", ruling.verdict.name(), ruling.policy)
}
