//! One book, or two, over one past: where it begins and ends, and what is said of that. All deciding is the replay's.

use std::sync::Arc;

use paramedic_policies::book::Source;
use paramedic_policies::counted::counted;
use paramedic_policies::time::{Moment, Span};

use super::differences::{Differences, Plan};
use super::edits;
use super::facts::Facts;
use super::history::{Heard, History, HistoryError};
use super::replay::{Replay, Terms};
use super::report::{Asked, Report};
use super::window::Window;

/// What one book would have done.
///
/// # Errors
/// When the history cannot be read, or the engine breaks its own laws.
pub async fn backtest(
    history: &mut dyn History,
    facts: &dyn Facts,
    source: Source,
    terms: &Terms,
) -> Result<Report, HistoryError> {
    let expiry = source.settings.episodes.expiry;
    let mut window = Window::new(history, terms, expiry);
    let mut next = window.next().await?;
    let from = start(terms, &window, next.as_ref());
    let mut replay = Replay::new(source, from, terms);
    let mut last = from;
    while let Some(heard) = next {
        last = last.max(heard.at);
        replay.hear(heard, facts).await?;
        next = window.next().await?;
    }
    let end = End::of(terms, &window, last, expiry, replay.firing());
    replay.pass(end.until, facts).await?;
    let unknown = unknown(terms, &window, &end, replay.tally().looked_up);
    Ok(replay.finish(end.until, unknown))
}

/// What another book would have done otherwise.
///
/// # Errors
/// As [`backtest`].
pub async fn plan(
    history: &mut dyn History,
    facts: &dyn Facts,
    (old, new): (Source, Source),
    terms: &Terms,
) -> Result<Plan, HistoryError> {
    let expiry = old.settings.episodes.expiry.max(new.settings.episodes.expiry);
    let mut window = Window::new(history, terms, expiry);
    let mut next = window.next().await?;
    let from = start(terms, &window, next.as_ref());
    let settings = edits::settings(&old.settings, &new.settings);
    let caps = (old.settings.mode, new.settings.mode);
    let mut old = Replay::new(old, from, terms);
    let mut new = Replay::new(new, from, terms);
    let books = (old.book(), new.book());
    old.tally().compare_with(Arc::clone(&books.1), caps.0);
    new.tally().compare_with(Arc::clone(&books.0), caps.1);
    let (mut differences, mut last) = (Differences::default(), from);
    while let Some(heard) = next {
        last = last.max(heard.at);
        old.hear(heard.clone(), facts).await?;
        new.hear(heard, facts).await?;
        differences.see(last, old.tally(), new.tally());
        next = window.next().await?;
    }
    let end = End::of(terms, &window, last, expiry, old.firing().max(new.firing()));
    old.pass(end.until, facts).await?;
    new.pass(end.until, facts).await?;
    differences.end(end.until, old.tally(), new.tally());
    let unknown = unknown(terms, &window, &end, new.tally().looked_up);
    let (old, mut new) = (old.finish(end.until, Vec::new()), new.finish(end.until, unknown));
    new.unknown.extend(new.not_known.iter().map(|one| {
        let cases = counted(one.cases, "case");
        format!(
            "what {} would do in {cases}: its {} is not known any more, so they are withheld and not compared",
            one.policy, one.fact
        )
    }));
    if new.asked.failed + new.looked_up.failed > 0 {
        new.unknown.push(format!(
            "what {} would have been answered: they failed, and their cases cannot be judged",
            counted(new.asked.failed + new.looked_up.failed, "question")
        ));
    }
    let rewritten = edits::rewritten(&books.0, &books.1);
    Ok(differences.plan(&old, new, rewritten, settings))
}

fn start(terms: &Terms, window: &Window<'_>, first: Option<&Heard>) -> Moment {
    let tells = window.history().tells().map(|(since, _)| since);
    let first = first.map(|heard| heard.at);
    terms.from.or(tells.into_iter().chain(first).min()).or(terms.until).unwrap_or_default()
}

/// Where the past ends.
struct End {
    until: Moment,
    /// Alerts that fire on beyond the last delivery, because nobody said that they ended.
    fire_on: usize,
}

impl End {
    fn of(terms: &Terms, window: &Window<'_>, last: Moment, expiry: Span, firing: usize) -> Self {
        if let Some(until) = terms.until {
            return Self { until, fire_on: 0 };
        }
        let last = window.history().tells().map_or(last, |(_, until)| last.max(until));
        match terms.goes_on_until.filter(|until| firing > 0 && *until > last) {
            Some(until) => Self { until: until.min(last + expiry), fire_on: firing },
            None => Self { until: last, fire_on: 0 },
        }
    }
}

/// What history says of anybody's policies, whatever its source.
fn unknown(terms: &Terms, window: &Window<'_>, end: &End, looked_up: Asked) -> Vec<String> {
    let mut unknown = window.history().doubts();
    unknown.extend([
        "whether an action would have helped: each case stops at the first step that changes something, as in dry-run, and \
         what came after it (verification, next steps and rungs, reverts, relapses, the settle window) is not counted"
            .to_owned(),
        "what the cluster would have said (preflight, budgets, autoscalers, owners of fields, protection by labels): \
         assumed to allow every action"
            .to_owned(),
        "how long an action would have run: for the peak each one runs until its deadline".to_owned(),
        "pauses, approvals and silences of that time: assumed that there were none".to_owned(),
    ]);
    if looked_up.not_known > 0 {
        unknown.push(
            "which workload a target was that has to be looked up: not known, and its policy is withheld"
                .to_owned(),
        );
    }
    if window.carried > 0 {
        unknown.push(format!(
            "what came of {} that fired already at --since: each counts as begun then",
            counted(window.carried as u64, "alert")
        ));
    }
    if end.fire_on > 0 {
        unknown.push(format!(
            "what came of {} at the end: no end is told, so the past goes on until {}, for as long as the daemon waits \
             for news (episodes.expiry), and not beyond now; --until sets another end",
            match end.fire_on {
                1 => "1 alert that fires".to_owned(),
                many => format!("{many} alerts that fire"),
            },
            end.until
        ));
    }
    unknown.extend(terms.unknown.iter().cloned());
    unknown
}
