//! Which past, for every command that replays one: where it is read, from when to when, and under which configuration.

use std::collections::VecDeque;
use std::io::{IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use clap::ValueEnum;
use paramedic_policies::book::Source;
use paramedic_policies::counted::counted;
use paramedic_policies::event::Record;
use paramedic_policies::load::{self, Problem};
use paramedic_policies::time::{Moment, Span};
use paramedic_simulations::backtest::{Facts, Heard, History, HistoryError, NoFacts, Terms};

use crate::cli::audit::{When, window};
use crate::cli::beside::Input;
use crate::cli::console::Console;
use crate::cli::failure::{Failure, Whose};
use crate::cli::records::{JournalArgs, PAGE, Records};
use crate::clock::SystemClock;
use crate::config::{self, Configuration, Problems};
use crate::history::alerts_file::AlertsFile;
use crate::history::audit::{Audit, Exported, Recorded, Stream};
use crate::history::covered::{self, Hole};
use crate::history::dressed::{Added, Dress};
use crate::history::evaluated::Evaluated;
use crate::history::prometheus::{AlertsSeries, Reading};
use crate::history::stretches::Reader;
use crate::history::webhooks::Webhooks;
use crate::journal::Filter;
use crate::metrics::Metrics;
use crate::prometheus::Prometheus;
use crate::redaction::Redactor;
use crate::reload;

/// A chunk of `ALERTS` may take longer than a fact.
const READ_TIMEOUT: Span = Span::from_mins(2);

/// What is asked of Prometheus where nobody says since when.
const USUAL_PAST: Span = Span::from_hours(30 * 24);

/// Which past.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Which past")]
pub(crate) struct PastArgs {
    /// Where the past is read.
    #[arg(long, value_enum, value_name = "SOURCE")]
    from: From,
    /// For `alertmanager-jsonl`, `file` and an exported `audit`: the file; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// For `prometheus`: its URL [default: that of --config].
    #[arg(long, value_name = "URL")]
    prometheus_url: Option<String>,
    /// For `prometheus`: file with a bearer token [default: that of --config].
    #[arg(long, value_name = "FILE")]
    prometheus_token_file: Option<PathBuf>,
    /// For `prometheus`: how often rules are evaluated [default: as their samples show].
    #[arg(long, value_name = "DURATION")]
    evaluation_interval: Option<Span>,
    /// Since when: a time, or how long ago [default: 30d for `prometheus`, else all].
    #[arg(long, value_name = "TIME")]
    since: Option<When>,
    /// Until when: a time, or how long ago [default: now for `prometheus`, else all].
    #[arg(long, value_name = "TIME")]
    until: Option<When>,
    /// For `prometheus` and `file`: how often Alertmanager repeats what still fires.
    #[arg(long, value_name = "DURATION", default_value = "4h")]
    repeat_interval: Span,
    /// For `prometheus`: how many preconditions are asked at once.
    #[arg(long, value_name = "COUNT", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    at_once: u16,
    /// The configuration whose `vars`, guards, cluster and Prometheus hold.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    journal: JournalArgs,
}

/// Where the past is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum From {
    /// `ALERTS` of a Prometheus, and its answers at the time in question.
    Prometheus,
    /// Webhooks of Alertmanager, one a line with `receivedAt`.
    AlertmanagerJsonl,
    /// Alerts with `startsAt` and `endsAt`, as a JSON list or one a line.
    File,
    /// Our own journal: of a daemon, of a data directory, or exported.
    Audit,
}

/// A past, opened.
pub(crate) struct Past {
    pub(crate) history: Box<dyn History>,
    pub(crate) facts: Box<dyn Facts>,
    pub(crate) terms: Terms,
    /// Where our own journal is the past: what it recorded.
    pub(crate) recorded: Option<Recorded>,
}

impl Past {
    fn of(history: impl History + 'static, facts: impl Facts + 'static, terms: Terms) -> Self {
        Self { history: Box::new(history), facts: Box::new(facts), terms, recorded: None }
    }
}

impl PastArgs {
    /// The configuration that is named, or the defaults.
    pub(crate) fn configuration(&self, console: &mut Console<'_>) -> Result<Configuration, Failure> {
        self.config.as_deref().map_or_else(|| Ok(Configuration::default()), |file| read(file, console))
    }

    /// The files that are read, but for those that the configuration names.
    pub(crate) fn reads(&self) -> impl Iterator<Item = Input<'_>> {
        let files = [&self.input, &self.prometheus_token_file, &self.config];
        files.into_iter().flatten().map(|path| Input::Read(path)).chain(self.journal.reads())
    }

    fn input(&self) -> Result<&Path, Failure> {
        self.input.as_deref().ok_or_else(|| {
            Failure::users("no file is named").hint("name it with --input FILE; `-` is standard input")
        })
    }

    /// Opens it.
    pub(crate) async fn open(&self, configuration: &Configuration, now: Moment) -> Result<Past, Failure> {
        let (since, until) = window(self.since, self.until, now)?;
        self.refuse_what_is_for_another_source()?;
        let redactor = Redactor::of(&configuration.redaction);
        let mut terms = Terms {
            from: since,
            until,
            goes_on_until: None,
            repeat_every: Some(self.repeat_interval).filter(|every| *every > Span::ZERO),
            questions_at_once: usize::from(self.at_once),
            unknown: Vec::new(),
        };
        match self.from {
            From::Prometheus => self.prometheus(configuration, now, terms).await,
            From::AlertmanagerJsonl => {
                (terms.repeat_every, terms.goes_on_until) = (None, Some(now));
                terms.unknown.push(NO_PROMQL.to_owned());
                let history = Webhooks::open(self.input()?, redactor, now).map_err(super::told)?;
                Ok(Past::of(history, NoFacts, terms))
            }
            From::Audit => {
                terms.repeat_every = None;
                terms.unknown.push(ONLY_RECORDED.to_owned());
                self.audit(configuration, terms).await
            }
            From::File => {
                terms.goes_on_until = Some(now);
                terms.unknown.push(NO_PROMQL.to_owned());
                let history = AlertsFile::open(self.input()?, &redactor, now).map_err(super::told)?;
                Ok(Past::of(history, NoFacts, terms))
            }
        }
    }

    fn refuse_what_is_for_another_source(&self) -> Result<(), Failure> {
        let is_prometheus = self.from == From::Prometheus;
        let given = [
            ("--input", self.input.is_some(), is_prometheus),
            ("--prometheus-url", self.prometheus_url.is_some(), !is_prometheus),
            ("--prometheus-token-file", self.prometheus_token_file.is_some(), !is_prometheus),
            ("--evaluation-interval", self.evaluation_interval.is_some(), !is_prometheus),
        ];
        match given.iter().find(|(_, is_given, is_wrong)| *is_given && *is_wrong) {
            None => Ok(()),
            Some((flag, ..)) => {
                let from = self.from.to_possible_value();
                let from = from.as_ref().map_or("", |value| value.get_name());
                Err(Failure::users(format!("{flag} has no meaning with --from {from}"))
                    .hint(format!("leave {flag} out, or name another source with --from")))
            }
        }
    }

    async fn audit(&self, configuration: &Configuration, terms: Terms) -> Result<Past, Failure> {
        let max_age = configuration.facts.max_age;
        let (stream, before): (Box<dyn Stream>, _) = match &self.input {
            Some(file) => (Box::new(Exported::open(file).map_err(super::told)?), None),
            None => {
                let records = self.journal.open()?;
                let before = records.oldest_state().await?;
                (
                    Box::new(Paged {
                        records,
                        filter: Filter::default(),
                        page: VecDeque::new(),
                        is_over: false,
                    }),
                    before,
                )
            }
        };
        let (history, recorded) = Audit::new(stream, before, max_age);
        let history = history.comparing(terms.from, terms.until);
        let past = Past::of(history, recorded.clone(), terms);
        Ok(Past { recorded: Some(recorded), ..past })
    }

    async fn prometheus(
        &self,
        configuration: &Configuration,
        now: Moment,
        mut terms: Terms,
    ) -> Result<Past, Failure> {
        let mut settings = configuration.prometheus.clone();
        if let Some(url) = &self.prometheus_url {
            settings.url.clone_from(url);
        }
        if let Some(file) = &self.prometheus_token_file {
            settings.token_file = Some(file.clone());
        }
        let redactor = Redactor::of(&configuration.redaction);
        let client = |settings| -> Result<Arc<Prometheus>, Failure> {
            let (clock, metrics) =
                (Arc::new(SystemClock::new()), Arc::new(Metrics::new(env!("CARGO_PKG_VERSION"))));
            let made = Prometheus::new(&settings, clock, metrics, redactor.clone()).map_err(|error| {
                Failure::users(format!("{error:#}")).hint("such as http://prometheus:9090")
            })?;
            let (prometheus, _) = made.ok_or_else(|| {
                Failure::users("no Prometheus is named")
                    .hint("name it with --prometheus-url, or with --config FILE that has `prometheus.url`")
            })?;
            Ok(Arc::new(prometheus.fresh_within(configuration.facts.max_age)))
        };
        let facts = client(settings.clone())?;
        settings.timeout = settings.timeout.max(READ_TIMEOUT);
        let reader = client(settings)?;
        let until = terms.until.unwrap_or(now);
        let from = terms.from.unwrap_or(until - USUAL_PAST);
        if from >= now || until > now {
            let error = format!("{from} to {until} is not over yet, it is {now}");
            return Err(
                Failure::users(error).hint("--since and --until name the past; 2h means two hours ago")
            );
        }
        (terms.from, terms.until) = (Some(from), Some(until));
        terms.unknown.extend(self::holes(&Reader::new(Arc::clone(&reader)), (from, until, now)).await?);
        terms.unknown.push(
            "what fired already at the beginning: it counts as begun then, and what Alertmanager silenced, inhibited or \
             grouped counts as sent"
                .to_owned(),
        );
        let cluster = &configuration.cluster;
        let added = (!cluster.name.is_empty())
            .then(|| Added { name: cluster.label.clone(), value: cluster.name.clone() });
        let interval = self.evaluation_interval;
        let dress = Dress { added, redactor };
        let history = AlertsSeries::new(reader, Reading { from, until, interval, dress });
        Ok(Past::of(history, Evaluated::new(facts, configuration.facts.retry), terms))
    }
}

/// A sentence for each stretch of the time that Prometheus has nothing of.
async fn holes(
    reader: &Reader,
    (from, until, now): (Moment, Moment, Moment),
) -> Result<Vec<String>, Failure> {
    let holes = covered::holes(reader, from, until).await.map_err(|problem| {
        Failure::ours(format!("could not ask Prometheus what it has of {from} to {until}: {problem}"))
            .hint(problem.hint())
    })?;
    if holes.first().is_some_and(|hole| hole.from == from && hole.until == until) {
        let hint = if now.since(until) >= USUAL_RETENTION {
            "a time within its retention (15 days, where nobody set it) is wanted: a later --until, or none"
        } else {
            "is it the right one, does it scrape anything, and for how long does it keep that? it has neither `up` nor `ALERTS`"
        };
        return Err(Failure::ours(format!("Prometheus has no sample of {from} to {until}")).hint(hint));
    }
    Ok(told(&holes))
}

/// Holes that were looked at closely, each in a sentence, and the others, of which only the first look is known, in one.
fn told(holes: &[Hole]) -> Vec<String> {
    let (close, far) = holes.split_at(holes.len().min(covered::HOLES_MAX));
    let close = close.iter().map(|hole| {
        format!("what fired from {} to {}: Prometheus has no sample of that time", hole.from, hole.until)
    });
    let far = (!far.is_empty()).then(|| {
        let parts = counted(far.len(), "more part");
        format!("what fired in {parts} of that time: looks an hour apart found no sample, and nobody looked between them")
    });
    close.chain(far).collect()
}

/// How long a Prometheus remembers, where nobody has set it.
const USUAL_RETENTION: Span = Span::from_hours(15 * 24);

const ONLY_RECORDED: &str = "what nobody asked at that time: the answer that was recorded nearest to the moment is used, before or \
                             after it, within facts.maxAge; a precondition that was not asked then is withheld, and a look at \
                             the cluster that was not made then is assumed to allow";

const NO_PROMQL: &str = "what Prometheus would have answered: a policy with `when` or `let` is withheld, and its cases \
                         are counted as not known";

/// The records of a journal, page by page.
struct Paged {
    records: Box<dyn Records>,
    filter: Filter,
    page: VecDeque<Record>,
    is_over: bool,
}

#[async_trait]
impl Stream for Paged {
    async fn next(&mut self) -> Result<Option<Record>, HistoryError> {
        if self.page.is_empty() && !self.is_over {
            self.filter.limit = Some(PAGE);
            let page = self.records.page(&self.filter).await.map_err(|failure| HistoryError {
                problem: failure.error,
                hint: failure.hint,
                is_content: failure.whose == Whose::Users,
            })?;
            self.page = page.items.into();
            self.filter.after = page.next;
            self.is_over = page.next.is_none();
        }
        Ok(self.page.pop_front())
    }
}

/// A configuration, all problems told where there are any.
pub(crate) fn read(file: &Path, console: &mut Console<'_>) -> Result<Configuration, Failure> {
    config::read_file(file).or_else(|Problems(problems)| Err(say(&problems, "the configuration", console)?))
}

/// The policies with these settings, all problems told where there are any.
pub(crate) fn policies(
    paths: &[PathBuf],
    configuration: &Configuration,
    console: &mut Console<'_>,
) -> Result<Source, Failure> {
    let source = reload::source(paths, &configuration.settings()).map_err(|problems| {
        Failure::users(problems.join("\n       ")).hint("name policy files, or folders of them")
    })?;
    match load::book(source.clone()) {
        Ok(_) => Ok(source),
        Err(problems) => Err(say(&problems, "the policies", console)?),
    }
}

/// Refuses policies of which none is for any alert.
pub(crate) fn refuse_none(sources: &[&Source], paths: &[PathBuf]) -> Result<(), Failure> {
    let is_for_alerts = |source: &&Source| {
        load::book((*source).clone())
            .is_ok_and(|book| !book.policies().values().all(|policy| policy.is_only_by_hand()))
    };
    if sources.iter().any(is_for_alerts) {
        return Ok(());
    }
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    Err(Failure::users(format!("no policy in {} is for any alert", paths.join(" and ")))
        .hint("name policy files, or folders of them"))
}

fn say(problems: &[Problem], place: &str, console: &mut Console<'_>) -> Result<Failure, Failure> {
    for problem in problems {
        writeln!(console.out, "{problem}\n")?;
    }
    let errors = counted(problems.len(), "error");
    Ok(Failure::users(format!("{errors} in {place}")).hint("nothing was replayed"))
}

/// Shows how far the past was replayed, where somebody watches.
pub(crate) struct Watched<'a> {
    history: Box<dyn History>,
    bar: Option<(Moment, Moment)>,
    err: &'a mut (dyn Write + Send),
    shown: u64,
    is_shown: bool,
}

impl<'a> Watched<'a> {
    pub(crate) fn new(history: Box<dyn History>, terms: &Terms, err: &'a mut (dyn Write + Send)) -> Self {
        let is_watched = std::io::stderr().is_terminal() && !cfg!(test);
        let bar = terms.from.zip(terms.until).filter(|_| is_watched);
        Self { history, bar, err, shown: u64::MAX, is_shown: false }
    }

    fn show(&mut self, at: Moment) {
        const WIDTH: u64 = 40;
        let Some((from, until)) = self.bar else { return };
        let percent = at.since(from).ms().min(until.since(from).ms()) * 100 / until.since(from).ms().max(1);
        if percent == self.shown {
            return;
        }
        (self.shown, self.is_shown) = (percent, true);
        let full = usize::try_from(percent * WIDTH / 100).unwrap_or_default();
        let bar = format!("{}{}", "#".repeat(full), ".".repeat(WIDTH as usize - full));
        // A progress bar that cannot be written is no reason to stop.
        let _ = write!(self.err, "\r[{bar}] {percent:3} %  {}", at.to_string().get(..10).unwrap_or_default());
        let _ = self.err.flush();
    }

    /// Takes the bar away.
    pub(crate) fn done(self) {
        if self.is_shown {
            let _ = write!(self.err, "\r{}\r", " ".repeat(70));
            let _ = self.err.flush();
        }
    }
}

#[async_trait]
impl History for Watched<'_> {
    async fn next(&mut self) -> Result<Option<Heard>, HistoryError> {
        let heard = self.history.next().await;
        if let Ok(Some(heard)) = &heard {
            self.show(heard.at);
        }
        heard
    }

    fn tells(&self) -> Option<(Moment, Moment)> {
        self.history.tells()
    }

    fn doubts(&self) -> Vec<String> {
        self.history.doubts()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_hole_that_was_not_looked_at_closely_no_more_is_said_than_was_seen() {
        let at = |hours: u64| Moment::from_unix_ms(0) + Span::from_hours(hours);
        let holes: Vec<Hole> = (0..22).map(|n| Hole { from: at(5 * n), until: at(5 * n + 2) }).collect();
        let all = told(&holes);
        assert_eq!(all.len(), covered::HOLES_MAX + 1);
        assert_eq!(
            (all[1].as_str(), all[20].as_str()),
            (
                "what fired from 1970-01-01T05:00:00.000Z to 1970-01-01T07:00:00.000Z: Prometheus has no sample of that time",
                "what fired in 2 more parts of that time: looks an hour apart found no sample, and nobody looked between them"
            )
        );
        assert_eq!(told(&holes[..20]), all[..20]);
    }
}
