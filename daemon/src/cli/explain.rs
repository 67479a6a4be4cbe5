//! `paramedic explain`: what would happen to an alert, or why something was or was not done. Read-only.

use std::path::PathBuf;

use paramedic_policies::action::Mode;
use paramedic_policies::alert::Alert;
use paramedic_policies::book::Book;
use paramedic_policies::counted::counted;
use paramedic_policies::event::{Event, Record, Seq};
use paramedic_policies::load::{self, built_in};
use paramedic_policies::ruling::Ruling;
use paramedic_policies::state::State;

use super::alerts;
use super::console::{Console, Output, OutputArg};
use super::eyes::Eyes;
use super::failure::Failure;
use super::records::{JournalArgs, Records};
use super::ruling::{self, Coming};
use super::story::{ask, concluded, found, list, short};
use super::table::{Table, plain};
use crate::client::{Client, ClientError};
use crate::config::Configuration;
use crate::explain::{Explanation, Subject, Then, UnderWay, Unmatched, explain};
use crate::intake;
use crate::journal::Filter;
use crate::redaction::Redactor;
use crate::reload;
use crate::serve::ServeArgs;

/// Show what would happen to an alert, and why not more: every policy, every guard with its numbers. Changes nothing.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  paramedic explain alert.json
      what the running daemon would do about this alert
  paramedic explain 1041
      why that decision was made: SEQ of a ruling, or of an alert
  paramedic explain 9d8f3c2ab1e07755
      the open alert with this fingerprint
  paramedic explain --alertmanager-url http://alertmanager:9093
      everything that fires right now
  paramedic explain alert.yaml --policies policies/ --prometheus-url http://prometheus:9090
      without a daemon: as if nothing had happened before

Under each policy that does not act, `to act, it takes` says what would have to change: what to
wait for, what to mend, which mode.

An alert file is one alert, a webhook payload, or an answer of /api/v2/alerts, as JSON or YAML, or
one of these a line, as JSON; `-` reads it from standard input.")]
pub struct ExplainArgs {
    /// A file with alerts, the sequence of a decision or an episode, or a fingerprint.
    #[arg(
        value_name = "WHAT",
        required_unless_present = "alertmanager_url",
        conflicts_with = "alertmanager_url"
    )]
    what: Option<String>,
    /// Explain everything that fires at this Alertmanager now.
    #[arg(long, value_name = "URL")]
    alertmanager_url: Option<String>,
    #[command(flatten)]
    alone: AloneArgs,
    /// Also list the policies that do not match, and what was asked.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    output: OutputArg,
    #[command(flatten)]
    journal: JournalArgs,
}

/// What takes the daemon's place.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Without a daemon")]
struct AloneArgs {
    /// Explain without a daemon, by these policy files and folders (repeatable; in the variable: separated by `:`).
    #[arg(long, value_name = "PATH", value_delimiter = ':')]
    policies: Vec<PathBuf>,
    /// Explain without a daemon, by this configuration file: its policies, guards, Prometheus and cluster.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The daemon's cap on modes: dry-run, approve or enforce.
    #[arg(long, value_name = "MODE", value_parser = crate::serve::args::mode)]
    mode: Option<Mode>,
    /// Ask this Prometheus for facts.
    #[arg(long, value_name = "URL")]
    prometheus_url: Option<String>,
    /// Look at the cluster of this kubeconfig.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Look at the cluster of this context.
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Look at no cluster, whatever the configuration says.
    #[arg(long, conflicts_with_all = ["kubeconfig", "context"])]
    no_kubernetes: bool,
}

impl AloneArgs {
    fn is_wanted(&self) -> bool {
        self.config.is_some() || !self.policies.is_empty()
    }

    fn configuration(&self) -> Result<Configuration, Failure> {
        // Without a word about a cluster, none is looked at: the usual kubeconfig may be of another one.
        let is_named = self.config.is_some() || self.kubeconfig.is_some() || self.context.is_some();
        let flags = ServeArgs {
            config: self.config.clone(),
            policies: self.policies.clone(),
            prometheus_url: self.prometheus_url.clone(),
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
            no_kubernetes: self.no_kubernetes || !is_named,
            mode: self.mode,
            ..ServeArgs::default()
        };
        flags.effective().map_err(|problems| super::serve::unusable(&problems))
    }
}

/// What `WHAT` means.
enum Meant {
    Alerts(Vec<Alert>),
    Sequence(Seq),
    Fingerprint(String),
}

pub(super) async fn run(args: ExplainArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    let output = args.output.output;
    let meant = match (&args.what, &args.alertmanager_url) {
        (_, Some(url)) => Meant::Alerts(taken(alerts::firing(url, console.now).await?, console)?),
        (Some(what), None) => meant(what, console)?,
        (None, None) => return Err(Failure::users("nothing is named").hint("see `paramedic explain --help`")),
    };
    if args.alone.is_wanted() && !matches!(meant, Meant::Alerts(_)) {
        return Err(Failure::users(
            "without a daemon, only alerts of a file or of Alertmanager can be explained",
        )
        .hint("leave out --policies and --config to ask the daemon"));
    }
    let subjects: Vec<Subject> = match meant {
        Meant::Alerts(alerts) => {
            if alerts.is_empty() {
                writeln!(console.err, "nothing fires")?;
            }
            alerts.into_iter().map(Subject::Alert).collect()
        }
        Meant::Sequence(seq) => {
            let records = args.journal.open()?;
            let record = records.one(seq).await?.ok_or_else(|| {
                Failure::users(format!("there is no record {seq}"))
                    .hint("`paramedic audit query --kind ruled` lists decisions with their SEQ")
            })?;
            match &record.event {
                Event::Ruled { .. } => return recorded(&*records, &record, output, console).await,
                Event::Opened { .. } => vec![Subject::Episode(seq)],
                other => {
                    let error =
                        format!("record {seq} is neither a decision nor an episode, but `{}`", other.kind());
                    return Err(
                        Failure::users(error).hint(format!("`paramedic audit show {seq}` tells its story"))
                    );
                }
            }
        }
        Meant::Fingerprint(text) => vec![Subject::Fingerprint(text)],
    };
    let explanations = if args.alone.is_wanted() {
        alone(&args.alone, subjects, console).await?
    } else {
        live(&args, &subjects).await?
    };
    match output {
        Output::Table => {
            for explanation in &explanations {
                write!(console.out, "{}", shown(explanation, args.all))?;
            }
        }
        Output::Json | Output::Yaml => console.data(output, &explanations)?,
    }
    Ok(())
}

/// A file may hold a storm of alerts that are refused: more of them than this are counted.
const LEFT_OUT_SHOWN: usize = 5;

/// The alerts that the webhook takes; of the others it is said why not.
fn taken(heard: alerts::Heard, console: &mut Console<'_>) -> Result<Vec<Alert>, Failure> {
    for problem in heard.refused.iter().take(LEFT_OUT_SHOWN) {
        writeln!(console.err, "left out, as the webhook refuses it: {problem}")?;
    }
    if let Some(more) = heard.refused.len().checked_sub(LEFT_OUT_SHOWN).filter(|more| *more > 0) {
        writeln!(console.err, "left out, as the webhook refuses them: {}", counted(more, "more alert"))?;
    }
    for remark in heard.remarks.iter().take(LEFT_OUT_SHOWN) {
        writeln!(console.err, "{remark}")?;
    }
    if let Some(more) = heard.remarks.len().checked_sub(LEFT_OUT_SHOWN).filter(|more| *more > 0) {
        writeln!(console.err, "the like of {}", counted(more, "more alert"))?;
    }
    Ok(heard.alerts)
}

fn meant(what: &str, console: &mut Console<'_>) -> Result<Meant, Failure> {
    if what == "-" || std::fs::exists(what).unwrap_or(false) {
        return Ok(Meant::Alerts(taken(alerts::read(what.as_ref(), console.now)?, console)?));
    }
    let is_hex = what.bytes().all(|byte| byte.is_ascii_hexdigit());
    // Fingerprints have 16 digits or 32; a journal of 10^15 records is not of this world.
    if is_hex && matches!(what.len(), 16 | 32) {
        return Ok(Meant::Fingerprint(what.to_owned()));
    }
    if let Ok(seq) = what.parse() {
        return Ok(Meant::Sequence(Seq(seq)));
    }
    Err(Failure::users(format!("there is no file {what}, and it is neither a sequence nor a fingerprint"))
        .hint("give a file with an alert, a SEQ as in `paramedic audit query`, or 16 hexadecimal digits"))
}

/// What the running daemon says, with its whole past.
async fn live(args: &ExplainArgs, subjects: &[Subject]) -> Result<Vec<Explanation>, Failure> {
    if args.journal.data_dir.is_some() {
        return Err(Failure::users("what would happen now needs a running daemon, or policies").hint(
            "leave out --data-dir, or add --policies PATH; with --data-dir, recorded decisions can be explained: \
             `paramedic audit query --kind ruled` lists them",
        ));
    }
    let client = args.journal.server.client()?;
    let mut explanations = Vec::with_capacity(subjects.len());
    for subject in subjects {
        explanations.push(ask_daemon(&client, subject).await?);
    }
    Ok(explanations)
}

async fn ask_daemon(client: &Client, subject: &Subject) -> Result<Explanation, Failure> {
    client.post("/api/v1/explain", subject).await.map_err(|error| match (&error, subject) {
        (ClientError::Unreachable { .. }, Subject::Alert(_)) => Failure::ours(error.to_string())
            .hint("name the daemon with --server URL, or explain without one: --policies PATH"),
        _ => error.into(),
    })
}

/// Without a daemon: nothing has happened before.
async fn alone(
    args: &AloneArgs,
    subjects: Vec<Subject>,
    console: &mut Console<'_>,
) -> Result<Vec<Explanation>, Failure> {
    let configuration = args.configuration()?;
    let book = loaded(&configuration, console)?;
    let eyes = Eyes::of(&configuration).await?;
    let redactor = Redactor::of(&configuration.redaction);
    // Nobody else leads a world without a past.
    let state = State { leader: true, ..State::new() };
    let mut explanations = Vec::new();
    for subject in subjects {
        let Subject::Alert(mut alert) = subject else { continue };
        intake::believed(&mut alert, &redactor).map_err(Failure::users)?;
        explanations.push(explain(&state, &book, &alert, &eyes, console.now).await);
    }
    if !explanations.is_empty() {
        writeln!(console.err, "explained without a daemon: no past actions, pauses or storms are known")?;
        eyes.blind_to().map_or(Ok(()), |left_out| writeln!(console.err, "{left_out}"))?;
    }
    Ok(explanations)
}

fn loaded(configuration: &Configuration, console: &mut Console<'_>) -> Result<Book, Failure> {
    let source = reload::source(&configuration.policies, &configuration.settings())
        .map_err(|problems| Failure::unread(&problems, "policy"))?;
    load::book(source).or_else(|problems| {
        for problem in &problems {
            writeln!(console.err, "{problem}")?;
        }
        Err(Failure::users(format!("the policies have {}", counted(problems.len(), "error")))
            .hint("`paramedic check` shows them all, warnings too"))
    })
}

/// A decision as it was recorded, with the book of its day.
async fn recorded(
    records: &dyn Records,
    record: &Record,
    output: Output,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    let Event::Ruled { ruling: made } = &record.event else { return Ok(()) };
    let filter = Filter {
        kind: Some("adopted".to_owned()),
        after: Some(record.seq),
        newest: true,
        ..Filter::default()
    };
    // Rarely more than one: a ladder that has begun finishes under its own book.
    let (adopted, _) = records.all(&filter, 50).await?;
    let adopted = adopted.iter().find_map(|other| match &other.event {
        Event::Adopted { digest, source, by: _ } if *digest == made.book => Some((other, source)),
        _ => None,
    });
    if output != Output::Table {
        return console.data(output, record);
    }
    let alert = records.one(made.episode).await?.and_then(|opened| match opened.event {
        Event::Opened { labels, .. } => Some(labels),
        _ => None,
    });
    writeln!(console.out, "decision {} at {}: {}", record.seq, record.at, ruling::verdict(made))?;
    let labels = alert.map(|labels| list(&labels)).unwrap_or_default();
    writeln!(console.out, "  alert {}, episode {}  {}", plain(&made.alert), made.episode, plain(&labels))?;
    writeln!(console.out, "  by {} at {}", made.policy, made.place)?;
    write!(console.out, "{}", ruling::shown(made, record.seq, 2))?;
    match adopted {
        None => {
            writeln!(console.out, "  book {}, whose text is no longer in the journal", short(&made.book))?
        }
        Some((when, source)) => {
            writeln!(
                console.out,
                "  book {}, in force since {} (record {})",
                short(&made.book),
                when.at,
                when.seq
            )?;
            if let Some(policy) = load::book((**source).clone())
                .ok()
                .and_then(|book| Some(load::effective(book.policy(&made.policy)?)))
            {
                writeln!(console.out, "  the policy as it was then\n")?;
                console.out.write_all(super::console::yaml(&policy)?.as_bytes())?;
            }
        }
    }
    Ok(())
}

/// An explanation as people read it.
fn shown(explanation: &Explanation, all: bool) -> String {
    let Explanation { alert, labels, episode, resolved, policies, others, .. } = explanation;
    let mut text = format!("{}  {}\n", plain(alert), plain(&list(labels)));
    text += &known(explanation);
    for remark in &explanation.remarks {
        text += &format!("  {remark}\n");
    }
    text += match (resolved, episode) {
        (false, _) => "",
        (true, None) => {
            "  it is resolved: nothing would be done for it; what follows is what it would meet if it fired\n"
        }
        (true, Some(_)) => {
            "  it is resolved: this would end its episode, and no ladder is begun for it; a sequence that has begun goes on. What \
             follows is what it meets while it fires\n"
        }
    };
    if policies.is_empty() {
        text += "  no policy matches: nothing would be done\n";
    }
    for account in policies {
        let made = &account.ruling;
        let waits = account.standing.as_ref().and_then(|standing| standing.under_way.as_ref());
        let verdict = waits.map_or_else(|| ruling::verdict(made), waiting);
        text += &format!("\n  {} ({}): {verdict}\n", plain(&made.policy), made.place);
        if let Some(standing) = &account.standing {
            let how = standing.ended.map(|ended| format!(" ({})", concluded(ended))).unwrap_or_default();
            text += &format!("    now     {}{how}\n", plain(&standing.phase));
        }
        let (mut verdict, mut first) = (made.verdict, None);
        if let Some(waits) = waits {
            for (index, Then { when, comes }) in waits.then.iter().enumerate() {
                let head = if index == 0 { "then" } else { "" };
                text += &format!("    {head:<8}{when}: {comes}\n");
            }
            if let Some(next) = waits.next {
                let place = format!("rung {}, step {}", made.rung + 1, made.step + 1);
                text += &format!("            what follows is what {place}, would meet now\n");
                (verdict, first) = (next, Some(comes_after(waits, made)));
            }
        }
        let is_last = waits.is_some_and(|waits| waits.next.is_none());
        if is_last || account.standing.as_ref().is_some_and(|standing| standing.over) {
            text += "            what follows is what a new alert of this kind would meet\n";
        }
        let proposal = account.standing.as_ref().and_then(|standing| standing.proposal);
        text += &ruling::shown_after(made, Coming { verdict, first, proposal }, 4);
        if all && !account.facts.is_empty() {
            let mut table = Table::headless(6);
            for (name, shown) in &account.facts {
                table.row([name.clone(), found(&shown.found), ask(&shown.ask)]);
            }
            text += &format!("    asked\n{table}");
        }
    }
    if all && !others.is_empty() {
        let mut table = Table::headless(4);
        for other in others {
            let has = other.has.as_ref().map_or("no such label".to_owned(), |has| format!("it is {has:?}"));
            table.row([other.policy.clone(), other.matcher.clone(), has]);
        }
        text += &format!("\n  do not match, by the first matcher that fails\n{table}");
    } else if !others.is_empty() {
        text += &format!("\n  {} (--all lists why)\n", unmatched(others));
    }
    text.push('\n');
    text
}

/// What the daemon has of it, and since when it is taken to be open.
fn known(explanation: &Explanation) -> String {
    let Explanation { episode, open_since, ended_at, late, at, .. } = explanation;
    let age = super::story::later(*open_since, ended_at.unwrap_or(*at));
    let age = age.trim_start_matches('+');
    match (episode, late, ended_at) {
        (Some(id), ..) => format!("  episode {id}, open since {open_since} ({age})\n"),
        (None, Some(late), _) => format!(
            "  the daemon ignores it: {}\n  explained as if open since {open_since} ({age})\n",
            super::story::late(late)
        ),
        (None, None, Some(end)) => format!(
            "  not known to the daemon; it fired from {open_since} to {end}, and is explained as if open for that long ({age})\n"
        ),
        (None, None, None) => {
            format!("  not known to the daemon; explained as if open since {open_since} ({age})\n")
        }
    }
}

/// The verdict on a case that has something under way: whatever the guards say, nothing is decided before that is known.
fn waiting(waits: &UnderWay) -> String {
    let UnderWay { intent, verifying, until, .. } = waits;
    let what = if *verifying { "the verification" } else { "the end" };
    format!("WAITS for {what} of intent {intent}, until {until} at the latest")
}

/// What must come first for a step to be done that another one stands before.
fn comes_after(waits: &UnderWay, next: &Ruling) -> [String; 2] {
    let UnderWay { intent, verifying, until, .. } = waits;
    let says = match (verifying, next.step > 0) {
        (true, true) => format!("intent {intent} to be seen to have helped, by {until}"),
        (true, false) => format!("intent {intent} to be seen not to have helped, by {until}"),
        (false, true) => format!("intent {intent} to end well, by {until}"),
        (false, false) => format!("intent {intent} to end, by {until}, and to be seen not to have helped"),
    };
    ["first".to_owned(), says]
}

/// How many policies do not match, those of a person apart from paramedic's own, which only orders run.
fn unmatched(others: &[Unmatched]) -> String {
    let own = others.iter().filter(|other| built_in::is_own(&other.place.file)).count();
    let theirs = match others.len() - own {
        0 => String::new(),
        1 => "1 other policy does not match".to_owned(),
        many => format!("{many} other policies do not match"),
    };
    match (theirs.is_empty(), own) {
        (_, 0) => theirs,
        (true, own) => format!("no other policy is there but {own} of paramedic's own, for orders by hand"),
        (false, own) => format!("{theirs}, nor do {own} of paramedic's own, for orders by hand"),
    }
}
