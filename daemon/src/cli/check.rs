//! `paramedic check`: everything that is wrong with policies, configuration and token files at once, and what they mean
//! with every default filled in; with `--live` also what is wrong with the world that they need.

use std::collections::BTreeMap;
use std::path::PathBuf;

use paramedic_policies::action::Mode;
use paramedic_policies::book::{Book, Source};
use paramedic_policies::counted::counted;
use paramedic_policies::load::{self, Checked, Problem, built_in, yaml};
use paramedic_policies::policy::{Policy, Rung};
use serde::Serialize;
use serde_json::Value;

use super::console::{Console, Output, OutputArg, yaml as yaml_of};
use super::failure::Failure;
use super::live::{self, LiveArgs, Report};
use super::table::{Table, plain};
use crate::config::{Configuration, Problems, TokenProblem, open_to_strangers, read_tokens};
use crate::reload;
use crate::serve::ServeArgs;

/// Check policies and the configuration: every problem at once, with file, line, column and a hint; then the guards
/// that hold.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  paramedic check policies/
  paramedic check --config paramedic.yaml
  paramedic check policies/cart.yaml policies/search.yaml -o json
  paramedic check --live --config paramedic.yaml --alertmanager-url http://alertmanager:9093

Takes the flags and variables of `serve`, and shows what it would make of them. With --config it
also prints the whole configuration, every default filled in, and reads the token files.

With --live it asks on, and changes nothing: whether the account of the cluster has every right
that the policies need (`paramedic rbac` prints them), with --by-hand also those of `freeze` and
`block`; whether Prometheus takes each query and has series for it (with the values of alerts that
fire now, else with any); whether constant targets are there; whether Alertmanager sends us what
has a policy; which alerts that fire now no policy can target; and with --server which policies no
alert ever matched.

Exits with 1 when a file has an error, or when there is no policy at all. Warnings alone do not
fail: such a set loads, but may not do what was meant.")]
pub struct CheckArgs {
    /// Policy files, and folders of them; without any, those of --policies or of the configuration.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    output: OutputArg,
    /// Also ask the cluster, Prometheus, Alertmanager and the daemon whether they are as the policies need them.
    #[arg(long)]
    live: bool,
    #[command(flatten)]
    world: LiveArgs,
    #[command(flatten, next_help_heading = "As serve takes them")]
    serve: ServeArgs,
}

/// The data that programs get.
#[derive(Serialize)]
struct Findings {
    problems: Vec<Problem>,
    #[serde(flatten)]
    tokens: Tokens,
    policies: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    configuration: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<Report>,
}

/// What `serve` would say of the tokens and their files.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct Tokens {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    token_problems: Vec<TokenProblem>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    token_warnings: Vec<TokenProblem>,
}

impl Tokens {
    fn of(configuration: &Configuration) -> Self {
        let read = read_tokens(&configuration.tokens);
        let token_problems = open_to_strangers(configuration).into_iter().chain(read.problems).collect();
        Self { token_problems, token_warnings: read.warnings }
    }

    fn write(&self, console: &mut Console<'_>) -> Result<(), Failure> {
        let all = [("error", &self.token_problems), ("warning", &self.token_warnings)];
        for (severity, problems) in all {
            for TokenProblem { problem, hint } in problems {
                writeln!(console.out, "{severity}: {}\n  hint: {}\n", plain(problem), plain(hint))?;
            }
        }
        Ok(())
    }
}

pub(super) async fn run(args: CheckArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    let CheckArgs { paths, output: OutputArg { output }, live, world, mut serve } = args;
    if !paths.is_empty() {
        serve.policies = paths;
    }
    let configuration = match serve.effective() {
        Ok(configuration) => configuration,
        Err(Problems(problems)) => return broken(problems, output, console),
    };
    if configuration.policies.is_empty() {
        return Err(Failure::users("no policies are named").hint(
            "name files or folders: `paramedic check policies/`, or `policies:` in the configuration",
        ));
    }
    let found = reload::found(&configuration.policies, &configuration.settings())
        .map_err(|problems| Failure::unread(&problems, "policy"))?;
    let by_default = serve.mode.is_none() && serve.config.is_none();
    let is_configured = serve.config.is_some();
    let printed = serve.config.is_some().then(|| configuration.printed());
    let (files, written) = (found.source.files.len(), Written::of(&found.source));
    let by_hand = world.asks_by_hand().then(|| built_in::with(found.source.clone()));
    let Checked { book, mut problems } = load::check(found.source);
    problems.splice(0..0, found.left_out);
    let live = match &book {
        Some(book) if live && !book.policies().is_empty() => {
            // They load with ours wherever they load alone: nobody's policy may have the names of these.
            let with_ours = by_hand.and_then(|source| load::book(source).ok());
            let account = with_ours.as_ref().unwrap_or(book);
            Some(live::run(&world, &configuration, book, account, console.now).await?)
        }
        Some(_) if live => {
            writeln!(console.err, "live: not asked, for there is no policy")?;
            None
        }
        None if live => {
            writeln!(console.err, "live: not asked, for the policies do not load")?;
            None
        }
        Some(_) | None => None,
    };
    let told = Told {
        files,
        written,
        by_default,
        is_configured,
        book,
        problems,
        tokens: Tokens::of(&configuration),
        configuration: printed,
        live,
    };
    told.write(output, console)
}

/// Everything there is to say.
struct Told {
    files: usize,
    written: Written,
    /// Whether nobody said how far the daemon may go.
    by_default: bool,
    /// Whether a configuration was given, which may set what policies name.
    is_configured: bool,
    book: Option<Book>,
    problems: Vec<Problem>,
    tokens: Tokens,
    configuration: Option<Value>,
    live: Option<Report>,
}

/// A configuration that cannot be used; its policies are checked once it can.
fn broken(problems: Vec<Problem>, output: Output, console: &mut Console<'_>) -> Result<(), Failure> {
    let errors = counted(problems.len(), "error");
    match output {
        Output::Table => problems.iter().try_for_each(|problem| writeln!(console.out, "{problem}\n"))?,
        Output::Json | Output::Yaml => {
            let (policies, tokens) = (Vec::new(), Tokens::default());
            console
                .data(output, &Findings { problems, tokens, policies, configuration: None, live: None })?;
        }
    }
    Err(Failure::users(format!("{errors} in the configuration"))
        .hint("the policies are checked once it is right, for they use its `vars`"))
}

impl Told {
    fn write(self, output: Output, console: &mut Console<'_>) -> Result<(), Failure> {
        let Self { files, written, by_default, is_configured, book, problems, tokens, configuration, live } =
            self;
        let in_world = live.iter().flat_map(|live| &live.problems);
        let all = || problems.iter().chain(in_world.clone());
        let errors = all().filter(|problem| problem.is_error()).count();
        let warnings = all().count() - errors + tokens.token_warnings.len();
        let errors = errors + tokens.token_problems.len();
        let loads = problems.iter().all(|problem| !problem.is_error());
        // Errors that no change of the policies mends: a variable is not set.
        let wants = |problem: &&Problem| {
            problem.is_error()
                && problem
                    .hint
                    .as_ref()
                    .is_some_and(|hint| hint.contains("under `vars` in the configuration"))
        };
        let wants_configuration = !is_configured && problems.iter().any(|problem| wants(&problem));
        let hint = if !tokens.token_problems.is_empty() {
            "`serve` does not start with this; a running daemon keeps what it has"
        } else if wants_configuration {
            "these policies use what a configuration sets, and none is given: add `--config FILE`. For policies/maestro \
             simulations/maestro.yaml is an example, and ops/docs/runbooks.md says what each name means"
        } else if loads {
            "the policies load; what they need of the world is not all there"
        } else {
            "nothing of this set would be loaded; a running daemon keeps the policies it has"
        };
        let empty = book.as_ref().is_some_and(|book| book.policies().is_empty());
        let policies = book.as_ref().map_or(0, |book| book.policies().len());
        match output {
            Output::Table => {
                for problem in all() {
                    writeln!(console.out, "{}\n", said(problem))?;
                }
                tokens.write(console)?;
                if let Some(book) = &book {
                    for policy in book.policies().values() {
                        writeln!(console.out, "{}", shown(policy, book, &written, by_default))?;
                    }
                }
                if let Some(configuration) = &configuration {
                    writeln!(console.out, "configuration\n{}", yaml_of(configuration)?)?;
                }
                if let Some(live) = &live {
                    write!(console.out, "{}", live.table())?;
                }
            }
            Output::Json | Output::Yaml => {
                let policies =
                    book.iter().flat_map(|book| book.policies().values().map(load::effective)).collect();
                console.data(output, &Findings { problems, tokens, policies, configuration, live })?;
            }
        }
        let files = counted(files, "file");
        if errors == 0 && empty {
            return Err(Failure::users(format!("no policy in {files}")).hint(
                "`serve` takes an empty folder for a mistake: it does not start, and keeps the policies it has",
            ));
        }
        if errors > 0 {
            let warnings = counted(warnings, "warning");
            let error = format!("{} and {warnings} in {files}", counted(errors, "error"));
            return Err(Failure::users(error).hint(hint));
        }
        let policies = match policies {
            1 => "1 policy".to_owned(),
            many => format!("{many} policies"),
        };
        writeln!(console.err, "ok: {policies} in {files}, {}", counted(warnings, "warning"))?;
        Ok(())
    }
}

/// A problem with its place; one of the world has no lines.
fn said(problem: &Problem) -> String {
    let text = problem.to_string();
    let place = format!("{}:{}:{}: ", problem.file, problem.line, problem.column);
    let text = match live::PARTS.contains(&problem.file.as_str()) {
        true => text.replacen(&place, &format!("{}: ", problem.file), 1),
        false => text,
    };
    text.lines().map(plain).collect::<Vec<_>>().join("\n")
}

/// One policy as it holds.
fn shown(policy: &Policy, book: &Book, written: &Written, by_default: bool) -> String {
    let effective = load::effective(policy);
    let spec = effective.get("spec").unwrap_or(&Value::Null);
    let mut head = Table::headless(2);
    head.row(["mode".to_owned(), mode(policy.mode, book.settings().mode, by_default)]);
    let matchers: Vec<String> = policy.matchers.iter().map(ToString::to_string).collect();
    let labels: Vec<String> = policy.labels_in_templates().into_iter().collect();
    if policy.is_only_by_hand() {
        let given: Vec<String> = labels.iter().map(|label| format!(" --label {label}=...")).collect();
        let usage = format!("no alert; by hand: paramedic run {}{}", policy.name, given.concat());
        head.row(["match".to_owned(), usage]);
    } else {
        head.row(["match".to_owned(), matchers.join(", ")]);
    }
    // Of the alert, or of whoever runs it by hand.
    let labels = if labels.is_empty() { "none".to_owned() } else { labels.join(", ") };
    head.row(["labels".to_owned(), labels]);
    head.row(["does".to_owned(), does(policy)]);
    let mut table = Table::headless(4);
    for (key, value) in leaves(spec.get("guards").unwrap_or(&Value::Null), "") {
        let note = if written.has(&policy.name, &key) { "" } else { "(default)" };
        table.row([key, value, note.to_owned()]);
    }
    format!("{} ({})\n{head}  guards\n{table}", plain(&policy.name), policy.place)
}

/// The ladder in words.
fn does(policy: &Policy) -> String {
    let rung = |rung: &Rung| {
        let steps: Vec<&str> = rung.steps.iter().map(|step| step.remediation.name()).collect();
        steps.join(" and then ")
    };
    policy.ladder.iter().map(rung).collect::<Vec<_>>().join("; if that does not help: ")
}

fn mode(wanted: Mode, cap: Mode, by_default: bool) -> String {
    match (wanted > cap, by_default) {
        (false, _) => wanted.to_string(),
        (true, false) => format!("{wanted}, capped to {cap} by --mode"),
        (true, true) => format!("{wanted}, capped to {cap} as `serve` is without --mode"),
    }
}

/// The leaves of a document with their paths; lists of objects are leaves too.
fn leaves(value: &Value, path: &str) -> Vec<(String, String)> {
    match value {
        Value::Object(fields) if path.matches('.').count() < 1 && !fields.is_empty() => fields
            .iter()
            .flat_map(|(key, value)| {
                leaves(value, &if path.is_empty() { key.clone() } else { format!("{path}.{key}") })
            })
            .collect(),
        other => vec![(path.to_owned(), flow(other))],
    }
}

/// A value as people write it in YAML, on one line.
fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().map(flow).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(key, value)| format!("{key}: {}", flow(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
        other => other.to_string(),
    }
}

/// Which guards were written, so that the others can be shown as defaults.
struct Written {
    guards: BTreeMap<String, Value>,
}

impl Written {
    fn of(source: &Source) -> Self {
        let documents = source.files.iter().flat_map(|file| yaml::parse(&file.text).documents);
        let guards = documents.filter_map(|document| {
            let document = document.to_json();
            let name = document.pointer("/metadata/name")?.as_str()?.to_owned();
            Some((name, document.pointer("/spec/guards")?.clone()))
        });
        Self { guards: guards.collect() }
    }

    fn has(&self, policy: &str, path: &str) -> bool {
        let pointer = format!("/{}", path.replace('.', "/"));
        self.guards.get(policy).is_some_and(|guards| guards.pointer(&pointer).is_some())
    }
}
