//! `paramedic check`: everything that is wrong with policies, configuration and token files at once, and what they mean
//! with every default filled in.

use std::collections::BTreeMap;
use std::path::PathBuf;

use paramedic_policies::action::Mode;
use paramedic_policies::book::{Book, Source};
use paramedic_policies::counted::counted;
use paramedic_policies::load::{self, Checked, Problem, yaml};
use paramedic_policies::policy::{Policy, Rung};
use serde::Serialize;
use serde_json::Value;

use super::console::{Console, Output, OutputArg, yaml as yaml_of};
use super::failure::Failure;
use super::table::{Table, plain};
use crate::config::{Configuration, Problems, TokenProblem, open_to_strangers, read_tokens};
use crate::reload::{self, Found};
use crate::serve::ServeArgs;

/// Check policies and the configuration: every problem at once, with file, line, column and a hint; then the guards
/// that hold.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  paramedic check policies/
  paramedic check --config paramedic.yaml
  paramedic check policies/cart.yaml policies/search.yaml -o json

Takes the flags and variables of `serve`, and shows what it would make of them. With --config it also prints the
whole configuration, every default filled in, and reads the token files.

Exits with 1 when a file has an error, or when there is no policy at all. Warnings alone do not fail: such a set loads, but may not do what was meant.")]
pub struct CheckArgs {
    /// Policy files, and folders of them; without any, those of --policies or of the configuration.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    output: OutputArg,
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

pub(super) fn run(args: CheckArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    let CheckArgs { paths, output: OutputArg { output }, mut serve } = args;
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
    let found = reload::found(&configuration.policies, &configuration.settings()).map_err(|problems| {
        Failure::users(problems.join("\n       ")).hint("name policy files, or folders of them")
    })?;
    let printed = serve.config.is_some().then(|| configuration.printed());
    check(found, Tokens::of(&configuration), printed, output, console)
}

/// A configuration that cannot be used; its policies are checked once it can.
fn broken(problems: Vec<Problem>, output: Output, console: &mut Console<'_>) -> Result<(), Failure> {
    let errors = counted(problems.len(), "error");
    match output {
        Output::Table => problems.iter().try_for_each(|problem| writeln!(console.out, "{problem}\n"))?,
        Output::Json | Output::Yaml => {
            let (policies, tokens) = (Vec::new(), Tokens::default());
            console.data(output, &Findings { problems, tokens, policies, configuration: None })?;
        }
    }
    Err(Failure::users(format!("{errors} in the configuration"))
        .hint("the policies are checked once it is right, for they use its `vars`"))
}

fn check(
    Found { source, left_out }: Found,
    tokens: Tokens,
    configuration: Option<Value>,
    output: Output,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    let (files, written) = (source.files.len(), Written::of(&source));
    let Checked { book, mut problems } = load::check(source);
    problems.splice(0..0, left_out);
    let errors = problems.iter().filter(|problem| problem.is_error()).count();
    let warnings = problems.len() - errors + tokens.token_warnings.len();
    let errors = errors + tokens.token_problems.len();
    let unusable_tokens = !tokens.token_problems.is_empty();
    match output {
        Output::Table => {
            for problem in &problems {
                writeln!(console.out, "{problem}\n")?;
            }
            tokens.write(console)?;
            for policy in
                book.iter().flat_map(|book| book.policies().values().map(move |policy| (policy, book)))
            {
                writeln!(console.out, "{}", shown(policy.0, policy.1, &written))?;
            }
            if let Some(configuration) = &configuration {
                writeln!(console.out, "configuration\n{}", yaml_of(configuration)?)?;
            }
        }
        Output::Json | Output::Yaml => {
            let policies =
                book.iter().flat_map(|book| book.policies().values().map(load::effective)).collect();
            console.data(output, &Findings { problems, tokens, policies, configuration })?;
        }
    }
    let files = counted(files, "file");
    let hint = if unusable_tokens {
        "`serve` does not start with this; a running daemon keeps what it has"
    } else {
        "nothing of this set would be loaded; a running daemon keeps the policies it has"
    };
    match (errors, &book) {
        (0, Some(book)) if book.policies().is_empty() => Err(Failure::users(format!("no policy in {files}"))
            .hint("`serve` takes an empty folder for a mistake: it does not start, and keeps the policies it has")),
        (0, Some(book)) => {
            let policies = match book.policies().len() {
                1 => "1 policy".to_owned(),
                many => format!("{many} policies"),
            };
            writeln!(console.err, "ok: {policies} in {files}, {}", counted(warnings, "warning"))?;
            Ok(())
        }
        _ => Err(Failure::users(format!(
            "{} and {} in {files}",
            counted(errors, "error"),
            counted(warnings, "warning")
        ))
        .hint(hint)),
    }
}

/// One policy as it holds.
fn shown(policy: &Policy, book: &Book, written: &Written) -> String {
    let effective = load::effective(policy);
    let spec = effective.get("spec").unwrap_or(&Value::Null);
    let mut head = Table::headless(2);
    head.row(["mode".to_owned(), mode(policy.mode, book.settings().mode)]);
    let matchers: Vec<String> = policy.matchers.iter().map(ToString::to_string).collect();
    let labels: Vec<String> =
        policy.labels_in_templates().iter().map(|label| format!(" --label {label}=...")).collect();
    if policy.is_only_by_hand() {
        let usage = format!("no alert; by hand: paramedic run {}{}", policy.name, labels.concat());
        head.row(["match".to_owned(), usage]);
    } else {
        head.row(["match".to_owned(), matchers.join(", ")]);
    }
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

fn mode(wanted: Mode, cap: Mode) -> String {
    if wanted > cap { format!("{wanted}, capped to {cap} by --mode") } else { wanted.to_string() }
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
