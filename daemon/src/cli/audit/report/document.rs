//! The report as data: what `--output json` gives, and what both writers read. It adds nothing to the records but sums.

use paramedic_policies::event::{Closing, Conclusion, Record, Seq, Worth};
use paramedic_policies::ruling;
use paramedic_policies::time::Moment;
use serde::Serialize;

use super::figures::{PolicyFigures, Spread, Took, by_policy};
use super::fold::fold;
use super::gather::{About, Gathered};
use super::incident::{CaseTold, Deed, Incident, Lane, Leased, Line};
use super::open::{Open, questions};
use super::words::{moment, span};
use crate::cli::story;

/// Episodes that are told in full; of the others one line each.
pub(super) const TOLD_MAX: usize = 25;

/// An incident, or a window.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    pub title: String,
    /// When it was made: what is open is open as of then, as far as what followed was read.
    pub made_at: Moment,
    /// Of the daemon that was asked, or of this program.
    pub version: String,
    /// The intent by which it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intent: Option<Seq>,
    /// The window that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Moment>,
    pub first: Option<Seq>,
    pub last: Option<Seq>,
    pub incidents: Vec<Incident>,
    pub people: Vec<Deed>,
    pub policies: Vec<PolicyFigures>,
    pub open: Vec<Open>,
    /// What is not in it although it belongs here.
    pub left_out: Vec<String>,
    pub timeline: Vec<Line>,
}

impl Report {
    /// Of these records.
    pub(super) fn of(about: About, gathered: Gathered, now: Moment) -> Self {
        let Gathered { records, later, cut } = gathered;
        let folded = fold(&records);
        let until_now = [&records[..], &later[..]].concat();
        let open = questions(&until_now, &fold(&until_now).incidents, now);
        let (intent, since, until) = match about {
            About::Episode { intent, .. } => (intent, None, None),
            About::Window { since, until } => (None, Some(since), Some(until)),
        };
        let is_told = |at: Moment| since.is_none_or(|since| at >= since);
        let mut timeline = folded.lines;
        timeline.retain(|line| is_told(line.at));
        let mut people = folded.people;
        people.retain(|deed| is_told(deed.at));
        let seq = |record: Option<&Record>| record.map(|record| record.seq);
        Self {
            title: title(about, &folded.incidents),
            made_at: now,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            intent,
            since,
            until,
            first: seq(records.first()),
            last: seq(records.last()),
            policies: by_policy(&folded.incidents, since),
            incidents: folded.incidents,
            people,
            open,
            left_out: cut,
            timeline,
        }
    }

    /// Whether it is about a window, and not about one episode.
    pub(super) fn is_of_window(&self) -> bool {
        self.since.is_some()
    }

    /// From the first thing that it tells until the last.
    pub(super) fn extent(&self) -> Option<(Moment, Moment)> {
        let starts = self.incidents.iter().filter_map(|incident| {
            let is_inside = |at: &Moment| self.since.is_none_or(|since| *at >= since);
            incident.starts_at.filter(is_inside).min(incident.opened_at.filter(is_inside))
        });
        let in_picture = |line: &&Line| line.lane != Lane::Daemon;
        let lines = || self.timeline.iter().filter(in_picture).map(|line| line.at);
        let from = starts.chain(lines()).min()?;
        Some((from, lines().max()?.max(from)))
    }
}

fn title(about: About, incidents: &[Incident]) -> String {
    match (about, incidents) {
        (About::Window { since, until }, _) => format!("{} to {}", moment(since), moment(until)),
        (About::Episode { episode, intent }, incidents) => {
            let alert = incidents.iter().find(|incident| incident.episode == episode);
            let alert = alert.map_or("an alert".to_owned(), Incident::name);
            match intent {
                Some(intent) => format!("{alert} (episode {episode}, intent {intent})"),
                None => format!("{alert} (episode {episode})"),
            }
        }
    }
}

/// How good or bad something is, for colours and marks. Never the only sign of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tone {
    Good,
    Info,
    Idle,
    Doubt,
    Bad,
}

impl Tone {
    /// Its name in the style sheet.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Info => "info",
            Self::Idle => "idle",
            Self::Doubt => "doubt",
            Self::Bad => "bad",
        }
    }
}

/// How a case ended or where it stands, in a few words.
pub(super) fn standing(case: &CaseTold) -> (String, Tone) {
    if let Some(ended) = case.conclusion {
        let tone = match ended.how.worth() {
            Worth::Helped => Tone::Good,
            Worth::Unchecked | Worth::Rehearsed => Tone::Info,
            // Nobody knows either whether it helped.
            Worth::EndedEarly if ended.how == Conclusion::TakenBack => Tone::Doubt,
            Worth::EndedEarly => Tone::Idle,
            Worth::NotKnown => Tone::Doubt,
            Worth::DidNotHelp => Tone::Bad,
        };
        return (story::concluded(ended.how).to_owned(), tone);
    }
    match case.rulings.last().map(|ruling| (ruling.verdict, &ruling.answer)) {
        Some((ruling::Verdict::Act, _)) => ("under way".to_owned(), Tone::Info),
        Some((ruling::Verdict::Hold { until }, _)) => (format!("waits until {}", moment(until)), Tone::Idle),
        Some((ruling::Verdict::Withhold, _)) => ("withheld: nothing was done".to_owned(), Tone::Idle),
        Some((ruling::Verdict::Propose { .. }, None)) => ("waits for approval".to_owned(), Tone::Doubt),
        Some((ruling::Verdict::Propose { .. }, Some(answer))) => {
            (format!("proposed, {} by {}", answer.what, answer.who), Tone::Info)
        }
        None => ("no ruling is recorded".to_owned(), Tone::Idle),
    }
}

/// How an episode ended.
pub(super) fn ending(incident: &Incident) -> String {
    match &incident.closed {
        None => "still open, as far as is known".to_owned(),
        Some(closed) => {
            let why = match closed.why {
                Closing::Resolved => "resolved",
                Closing::Expired => "nobody repeated it for too long",
                Closing::Over => "what was run by hand is over",
            };
            format!("{} ({why})", moment(closed.at))
        }
    }
}

/// The word of a ruling.
pub(super) fn verdict(verdict: ruling::Verdict) -> (&'static str, Tone) {
    match verdict {
        ruling::Verdict::Act => ("act", Tone::Good),
        ruling::Verdict::Hold { .. } => ("hold", Tone::Idle),
        ruling::Verdict::Withhold => ("withhold", Tone::Bad),
        ruling::Verdict::Propose { .. } => ("propose", Tone::Doubt),
    }
}

/// A length of time in a table.
pub(super) fn took(took: Took) -> String {
    match took {
        Took::Known(length) => span(length),
        Took::NotReached => "-".to_owned(),
        Took::Unknown => "unknown".to_owned(),
    }
}

/// Such as `2m / 4m (7)`.
pub(super) fn spread(spread: &Spread) -> String {
    let unknown = match spread.unknown {
        0 => String::new(),
        unknown => format!(", {unknown} unknown"),
    };
    match spread.count {
        0 if spread.unknown == 0 => "-".to_owned(),
        0 => format!("unknown ({})", spread.unknown),
        count => format!("{} / {} ({count}{unknown})", took(spread.median), took(spread.p90)),
    }
}

/// Where a lease stands, in words.
pub(super) fn leased(is: &Leased) -> String {
    match is {
        Leased::Nothing => "nothing was changed, so there is nothing to take back".to_owned(),
        Leased::Open => "still to come".to_owned(),
        Leased::Held { until, why } => format!("waits until {}: {why}", moment(*until)),
        Leased::Ended { by, at } => format!("taken back by intent {by} at {}", moment(*at)),
        Leased::Failed { by, what } => format!("intent {by} tried: {what}"),
        Leased::Dropped { why, into: None } => format!("it will not be: {why}"),
        Leased::Dropped { why, into: Some(into) } => format!("intent {into} takes it back: {why}"),
    }
}
