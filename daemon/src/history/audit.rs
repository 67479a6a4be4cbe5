//! `audit`: our own journal as the past. Alerts come as they came, facts as they were recorded, and every live verdict is
//! held against what today's engine says. It reads a little ahead of what it gives, since answers follow their questions.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use paramedic_policies::alert::{Alert, AlertStatus, Labels};
use paramedic_policies::answer::{Answer, Found};
use paramedic_policies::counted::counted;
use paramedic_policies::event::{Closing, Event, Record, Seq};
use paramedic_policies::question::Ask;
use paramedic_policies::state::{Episode, State};
use paramedic_policies::time::{Moment, Span};
use paramedic_simulations::backtest::{Comparison, Facts, Heard, History, HistoryError, Learned, Verdicts};

use super::{LINE_BYTES_MAX, next_line, slip, wrong};

/// Answers come this long after their questions at most, however long a deadline somebody has set.
const AHEAD: Span = Span::from_mins(10);

/// Records, oldest first.
#[async_trait]
pub trait Stream: Send {
    /// The next one; `None` at the end.
    ///
    /// # Errors
    /// When they cannot be read.
    async fn next(&mut self) -> Result<Option<Record>, HistoryError>;
}

const HINT: &str = "each line is a record, as `paramedic audit export` writes them";

/// Records that `paramedic audit export` wrote.
pub struct Exported {
    path: PathBuf,
    lines: Box<dyn BufRead + Send>,
    line: u64,
    text: Vec<u8>,
    /// Whether a record was read.
    has_any: bool,
}

impl std::fmt::Debug for Exported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exported").field("path", &self.path).field("line", &self.line).finish_non_exhaustive()
    }
}

impl Exported {
    /// The records of this file.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, HistoryError> {
        Ok(Self {
            path: path.to_owned(),
            lines: super::lines(path)?,
            line: 0,
            text: Vec::new(),
            has_any: false,
        })
    }
}

#[async_trait]
impl Stream for Exported {
    async fn next(&mut self) -> Result<Option<Record>, HistoryError> {
        loop {
            self.line += 1;
            let place = format!("{}:{}", self.path.display(), self.line);
            if !next_line(&mut self.lines, LINE_BYTES_MAX, &mut self.text, &place)? {
                return match self.has_any {
                    true => Ok(None),
                    false => Err(super::hollow(&self.path, "record", HINT)),
                };
            }
            if !self.text.iter().all(u8::is_ascii_whitespace) {
                self.has_any = true;
                return serde_json::from_slice(&self.text)
                    .map(Some)
                    .map_err(|error| wrong(slip::in_line(&place, "this is no record: ", &error), HINT));
            }
        }
    }
}

/// What was recorded, for whoever asks about it.
#[derive(Debug, Default)]
struct Known {
    answers: HashMap<String, Vec<(Moment, Found)>>,
    comparison: Option<Comparison>,
}

/// The answers of the journal.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    known: Arc<Mutex<Known>>,
    max_age: Span,
}

impl Recorded {
    fn with<T>(&self, look: impl FnOnce(&mut Known) -> T) -> T {
        look(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How the live verdicts compare, once everything was read.
    pub fn verdicts(&self) -> Option<Verdicts> {
        self.with(|known| known.comparison.take()).map(Comparison::finish)
    }
}

#[async_trait]
impl Facts for Recorded {
    async fn learn(&self, ask: &Ask, at: Moment) -> Learned {
        let key = key(ask);
        let near = |then: Moment| at.since(then).max(then.since(at));
        self.with(|known| {
            let answers = known.answers.get(&key).into_iter().flatten();
            let nearest = answers.min_by_key(|(then, _)| near(*then));
            match nearest.filter(|(then, _)| near(*then) <= self.max_age) {
                Some((_, found)) => Learned::Found(found.clone()),
                None => Learned::NotKnown,
            }
        })
    }

    fn is_recorded(&self) -> bool {
        true
    }
}

/// The same question, whether its difference is wanted or not.
fn key(ask: &Ask) -> String {
    let plain = match ask {
        Ask::Preflight { target, wish, diff: _ } => {
            Ask::Preflight { target: target.clone(), wish: wish.clone(), diff: false }
        }
        other @ (Ask::Query { .. } | Ask::Seek { .. } | Ask::Rollout { .. } | Ask::Http { .. }) => {
            other.clone()
        }
    };
    serde_json::to_string(&plain).unwrap_or_default()
}

#[derive(Debug)]
struct Open {
    labels: Labels,
    annotations: Labels,
    starts_at: Moment,
}

impl Open {
    fn alert(&self, status: AlertStatus, ends_at: Option<Moment>) -> Alert {
        Alert {
            status,
            labels: self.labels.clone(),
            annotations: self.annotations.clone(),
            starts_at: self.starts_at,
            ends_at,
            fingerprint: None,
        }
    }
}

fn open((id, episode): (&Seq, &Episode)) -> Option<(Seq, Open)> {
    episode.fires().then(|| {
        let (labels, annotations) = (episode.labels.clone(), episode.annotations.clone());
        (*id, Open { labels, annotations, starts_at: episode.starts_at })
    })
}

/// The alerts of a journal.
pub struct Audit {
    records: Box<dyn Stream>,
    recorded: Recorded,
    episodes: BTreeMap<Seq, Open>,
    asked: BTreeMap<Seq, (Moment, String)>,
    ready: VecDeque<Heard>,
    /// How many alerts were open before the first record.
    open_before: usize,
    read_from: Option<Moment>,
    read_until: Moment,
    given_until: Moment,
    forgotten_at: Moment,
    is_over: bool,
}

impl std::fmt::Debug for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Audit").field("read_until", &self.read_until).finish_non_exhaustive()
    }
}

impl Audit {
    /// The alerts of these records, and what they know of the world; facts count as long as `max_age`. `before` is the state
    /// before the first record, where that is not the journal's first: what is open there counts as begun with that record.
    pub fn new(records: Box<dyn Stream>, before: Option<State>, max_age: Span) -> (Self, Recorded) {
        let episodes: BTreeMap<Seq, Open> =
            before.iter().flat_map(|state| &state.episodes).filter_map(open).collect();
        let comparison = before.map_or_else(Comparison::from_the_first, Comparison::of);
        let recorded = Recorded { max_age, ..Recorded::default() };
        recorded.with(|known| known.comparison = Some(comparison));
        let audit = Self {
            records,
            recorded: recorded.clone(),
            open_before: episodes.len(),
            episodes,
            asked: BTreeMap::new(),
            ready: VecDeque::new(),
            read_from: None,
            read_until: Moment::default(),
            given_until: Moment::default(),
            forgotten_at: Moment::default(),
            is_over: false,
        };
        (audit, recorded)
    }

    /// Only verdicts of this time are compared.
    #[must_use]
    pub fn comparing(self, from: Option<Moment>, until: Option<Moment>) -> Self {
        self.recorded.with(|known| {
            known.comparison = known.comparison.take().map(|comparison| comparison.within(from, until));
        });
        self
    }

    fn see(&mut self, record: &Record) {
        self.read_until = self.read_until.max(record.at);
        self.recorded.with(|known| {
            if let Some(comparison) = &mut known.comparison {
                comparison.see(record);
            }
        });
        let at = record.at;
        if self.read_from.is_none() {
            self.read_from = Some(at);
            let open: Vec<Alert> =
                self.episodes.values().map(|open| open.alert(AlertStatus::Firing, None)).collect();
            if !open.is_empty() {
                self.ready.push_back(Heard { at, alerts: open, truncated: 0 });
            }
        }
        match &record.event {
            Event::Opened { by_hand: None, labels, annotations, starts_at, .. } => {
                let open =
                    Open { labels: labels.clone(), annotations: annotations.clone(), starts_at: *starts_at };
                self.heard(at, open.alert(AlertStatus::Firing, None));
                self.episodes.insert(record.seq, open);
            }
            Event::Received { repeated, truncated, .. } => {
                let again = |id: &Seq| Some(self.episodes.get(id)?.alert(AlertStatus::Firing, None));
                let alerts: Vec<Alert> = repeated.iter().filter_map(again).collect();
                // What one delivery ended, the next one of the same moment may begin anew: they must not become one.
                self.ready.push_back(Heard { at, alerts, truncated: *truncated });
            }
            Event::Closed { episode, why, ended_at } => {
                let Some(open) = self.episodes.remove(episode) else { return };
                match why {
                    Closing::Resolved => self.heard(at, open.alert(AlertStatus::Resolved, *ended_at)),
                    // The backtest lets them expire by itself.
                    Closing::Expired | Closing::Over => {}
                }
            }
            Event::Asked { question } => {
                self.asked.insert(question.id, (question.deadline, key(&question.ask)));
            }
            Event::Told { answer } => self.told(answer),
            Event::Ruled { .. }
            | Event::Held { .. }
            | Event::Opened { by_hand: Some(_), .. }
            | Event::Intended { .. }
            | Event::Ended { .. }
            | Event::Looked { .. }
            | Event::Verified { .. }
            | Event::Advanced { .. }
            | Event::Concluded { .. }
            | Event::Escalated { .. }
            | Event::Notified { .. }
            | Event::Delivered { .. }
            | Event::Raised { .. }
            | Event::Acknowledged { .. }
            | Event::Approved { .. }
            | Event::Denied { .. }
            | Event::Lapsed { .. }
            | Event::OrderRefused { .. }
            | Event::Cancelled { .. }
            | Event::Paused { .. }
            | Event::Resumed { .. }
            | Event::Adopted { .. }
            | Event::StormBegan { .. }
            | Event::StormGoesOn { .. }
            | Event::StormEnded
            | Event::Quarantined { .. }
            | Event::RevertDropped { .. }
            | Event::RevertHeld { .. }
            | Event::RevertOrdered { .. }
            | Event::Reigned { .. }
            | Event::Began { .. }
            | Event::ClockStepped { .. }
            | Event::ClockAccepted { .. } => {}
        }
    }

    fn told(&mut self, answer: &Answer) {
        let Some((_, key)) = self.asked.remove(&answer.question) else { return };
        let (at, found) = (answer.taken_at, answer.found.clone());
        self.recorded.with(|known| known.answers.entry(key).or_default().push((at, found)));
    }

    /// What a delivery brought: its record stands before those of what it began and ended.
    fn heard(&mut self, at: Moment, alert: Alert) {
        match self.ready.back_mut() {
            Some(last) if last.at == at => last.alerts.push(alert),
            Some(_) | None => self.ready.push_back(Heard { at, alerts: vec![alert], truncated: 0 }),
        }
    }

    /// Forgets what nobody can ask about any more.
    fn forget(&mut self, before: Moment) {
        self.asked.retain(|_, (deadline, _)| *deadline + AHEAD > before);
        let oldest = before - AHEAD;
        self.recorded.with(|known| {
            known.answers.retain(|_, answers| {
                answers.retain(|(at, _)| *at >= oldest);
                !answers.is_empty()
            });
        });
    }
}

#[async_trait]
impl History for Audit {
    async fn next(&mut self) -> Result<Option<Heard>, HistoryError> {
        loop {
            let first = self.ready.front().map(|heard| heard.at);
            // The last one may still get more of its moment.
            let is_known = first.is_some_and(|at| at + AHEAD < self.read_until);
            if is_known || self.is_over {
                let next = self.ready.pop_front();
                let before = self.given_until;
                if let Some(heard) = &next {
                    if heard.at.since(self.forgotten_at) > AHEAD {
                        self.forget(before);
                        self.forgotten_at = heard.at;
                    }
                    self.given_until = heard.at;
                }
                return Ok(next);
            }
            match self.records.next().await? {
                Some(record) => self.see(&record),
                None => self.is_over = true,
            }
        }
    }

    fn tells(&self) -> Option<(Moment, Moment)> {
        self.read_from.map(|from| (from, self.read_until))
    }

    fn doubts(&self) -> Vec<String> {
        let before = counted(self.open_before, "alert");
        let doubt = format!(
            "what came of {before} that fired before the journal's oldest record: each counts as begun there"
        );
        Some(doubt).filter(|_| self.open_before > 0).into_iter().collect()
    }
}

#[cfg(test)]
mod tests;
