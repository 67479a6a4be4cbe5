//! What stands in the picture: bars and points on lanes, from the incidents. It draws nothing.

use paramedic_policies::action::Mode;
use paramedic_policies::event::Verdict;
use paramedic_policies::time::Moment;

use super::document::{Report, Tone, verdict};
use super::incident::{ActionTold, CaseTold, Incident, Lane, Leased, Line};
use super::words::{moment, span};
use crate::cli::story;

/// One thing in the picture.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mark {
    pub(super) lane: Lane,
    pub(super) from: Moment,
    pub(super) to: Option<Moment>,
    /// Whether it goes on beyond its end, as far as is known.
    pub(super) is_open: bool,
    pub(super) tone: Tone,
    /// A few words beside it.
    pub(super) label: String,
    /// A sentence that a pointer shows.
    pub(super) title: String,
    /// The record that it stands for.
    pub(super) seq: paramedic_policies::event::Seq,
    /// What it looks like.
    pub(super) shape: Shape,
    /// Looks of a verification: when, and what they showed.
    pub(super) dots: Vec<(Moment, Option<bool>)>,
}

/// What a mark looks like; tones alone would tell nothing to those who do not see them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A stretch of time.
    Bar,
    /// A stretch in which an action stays in force until it is taken back.
    Lease,
    /// Acted.
    Play,
    /// Waits.
    Ring,
    /// Withheld.
    Cross,
    /// Proposed, or a call.
    Diamond,
    /// A person.
    Dot,
}

/// Lanes of the picture, from top to bottom.
pub(super) const LANES: [Lane; 5] =
    [Lane::Alerts, Lane::Rulings, Lane::Actions, Lane::Verifications, Lane::People];

/// All marks of a report.
pub(super) fn marks(report: &Report, end: Moment) -> Vec<Mark> {
    let mut marks = Vec::new();
    for incident in &report.incidents {
        marks.extend(alert(incident, end));
        for case in &incident.cases {
            rulings(case, &mut marks);
            case.actions.iter().for_each(|done| action(done, end, &mut marks));
        }
    }
    marks.extend(report.people.iter().map(|deed| {
        let called = deed.what == "called";
        let label =
            if called { format!("{} called", deed.who) } else { format!("{} {}", deed.who, deed.what) };
        let why = if deed.comment.is_empty() { String::new() } else { format!(": {}", deed.comment) };
        let title = format!("{}, {label}{why}", moment(deed.at));
        let (tone, shape) = if called { (Tone::Doubt, Shape::Diamond) } else { (Tone::Info, Shape::Dot) };
        point(Lane::People, deed.at, tone, shape, (label, title), deed.seq)
    }));
    marks.sort_by_key(|mark| (mark.lane, mark.from, mark.seq));
    marks
}

/// Marks are points unless they are made into bars.
fn point(
    lane: Lane,
    from: Moment,
    tone: Tone,
    shape: Shape,
    (label, title): (String, String),
    seq: paramedic_policies::event::Seq,
) -> Mark {
    Mark { lane, from, to: None, is_open: false, tone, label, title, seq, shape, dots: Vec::new() }
}

fn alert(incident: &Incident, end: Moment) -> Option<Mark> {
    let from = incident.starts_at.into_iter().chain(incident.opened_at).min()?;
    let to = incident.closed.as_ref().map(|closed| closed.at);
    let until = to.map_or("still open".to_owned(), |to| format!("until {}", moment(to)));
    let title = format!("{} from {} {until}", incident.name(), moment(from));
    let labels = (incident.name(), title);
    let mark = point(Lane::Alerts, from, Tone::Bad, Shape::Bar, labels, incident.episode);
    Some(Mark { to: Some(to.unwrap_or(end).max(from)), is_open: to.is_none(), ..mark })
}

fn rulings(case: &CaseTold, marks: &mut Vec<Mark>) {
    for ruling in &case.rulings {
        let (word, tone) = verdict(ruling.verdict);
        let why: Vec<String> =
            ruling.refusals.iter().map(|refusal| format!("{}: {}", refusal.name, refusal.reason)).collect();
        let title = format!("{}, {} rules {word}. {}", moment(ruling.at), case.policy, why.join("; "));
        let shape = match word {
            "act" => Shape::Play,
            "hold" => Shape::Ring,
            "withhold" => Shape::Cross,
            _ => Shape::Diamond,
        };
        // Of several, one that does not pass by itself is what decided.
        let lasting = ruling.refusals.iter().find(|refusal| !refusal.may_pass);
        let first = lasting.or(ruling.refusals.first());
        let first = first.map(|refusal| format!(" ({})", refusal.name)).unwrap_or_default();
        let labels = (format!("{word}{first}"), title);
        marks.push(point(Lane::Rulings, ruling.at, tone, shape, labels, ruling.seq));
    }
}

fn action(action: &ActionTold, end: Moment, marks: &mut Vec<Mark>) {
    let tone = match &action.ended {
        None => Tone::Doubt,
        Some(_) if action.mode == Mode::DryRun => Tone::Idle,
        Some(ended) => match ended.outcome {
            "done" => Tone::Good,
            "refused" => Tone::Idle,
            "failed" => Tone::Bad,
            _ => Tone::Doubt,
        },
    };
    let ended = action.ended.as_ref();
    let to = ended.map_or(end, |ended| ended.at).max(action.at);
    let rehearsed = if action.mode == Mode::DryRun { "rehearsed: " } else { "" };
    let back = if action.is_own() { "" } else { "back: " };
    let label = format!("{rehearsed}{back}{}", action.action);
    let said = ended.map_or("has not ended".to_owned(), |ended| ended.text.clone());
    let title =
        format!("{}, intent {}: {label} on {}; {said}", moment(action.at), action.intent, action.target);
    let mark = point(Lane::Actions, action.at, tone, Shape::Bar, (label, title), action.intent);
    marks.push(Mark { to: Some(to), is_open: ended.is_none(), ..mark });
    lease(action, end, marks);
    verification(action, end, marks);
}

/// How long the action stays in force before it is taken back.
fn lease(action: &ActionTold, end: Moment, marks: &mut Vec<Mark>) {
    let (Some(lease), Some(ended)) = (&action.lease, &action.ended) else { return };
    let (to, is_open) = match &lease.is {
        Leased::Nothing => return,
        Leased::Ended { at, .. } => (*at, false),
        Leased::Open | Leased::Held { .. } | Leased::Failed { .. } | Leased::Dropped { .. } => (end, true),
    };
    let title = format!("intent {} in force; to be taken back after {}", action.intent, span(lease.after));
    let labels = (String::new(), title);
    let mark = point(Lane::Actions, ended.at, Tone::Info, Shape::Lease, labels, ended.seq);
    marks.push(Mark { to: Some(to.max(ended.at)), is_open, ..mark });
}

fn verification(action: &ActionTold, end: Moment, marks: &mut Vec<Mark>) {
    let Some(ended) = &action.ended else { return };
    let dots: Vec<_> = action.looks.iter().map(|look| (look.at, look.holds)).collect();
    let (to, tone, label, seen, seq) = match &action.verified {
        Some(verified) => {
            let (tone, label) = match verified.verdict {
                Verdict::Helped => (Tone::Good, story::verified(Verdict::Helped)),
                Verdict::DidNotHelp => (Tone::Bad, story::verified(Verdict::DidNotHelp)),
                Verdict::Unknown => (Tone::Doubt, "unknown"),
            };
            (verified.at, tone, label, verified.seen.clone(), verified.seq)
        }
        None if dots.is_empty() => return,
        None => (end, Tone::Doubt, "not over", String::new(), ended.seq),
    };
    let title = format!("intent {}: {label}. {seen}", action.intent);
    let mark = point(Lane::Verifications, ended.at, tone, Shape::Bar, (label.to_owned(), title), seq);
    marks.push(Mark { to: Some(to.max(ended.at)), is_open: action.verified.is_none(), dots, ..mark });
}

/// The moments that the axis must show well.
pub(super) fn moments(marks: &[Mark], lines: &[Line]) -> Vec<Moment> {
    let ends = marks.iter().flat_map(|mark| std::iter::once(mark.from).chain(mark.to));
    let dots = marks.iter().flat_map(|mark| mark.dots.iter().map(|(at, _)| *at));
    let lines = lines.iter().filter(|line| line.lane != Lane::Daemon).map(|line| line.at);
    ends.chain(dots).chain(lines).collect()
}
