//! `paramedic plan`: what a change of policies would have changed, over the same past as `backtest`. Exits with 1 where it
//! would have added or altered more actions than allowed; it must never act.

mod edits;
mod markdown;
mod table;
mod why;

use std::path::PathBuf;

use paramedic_policies::counted::counted;
use paramedic_simulations::backtest::{self, Plan};

use super::backtest::past::{self, PastArgs, Watched};
use super::backtest::{Format, told};
use super::console::{Console, Output};
use super::failure::Failure;
use super::words::minute;
use crate::config::Configuration;
use why::Side;

/// Compare two sets of policies over the past: which actions the change adds, removes, alters, or moves in time.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  paramedic plan main/policies/ policies/ --from prometheus --prometheus-url http://prometheus:9090
  paramedic plan old/ new/ --from file --input alerts.json --max-new-actions 0
  paramedic plan old/ new/ --from prometheus --since 7d --output markdown > comment.md

Both are replayed as `backtest` does, under one configuration, or under two with --new-config. An
action is altered where its parameters are others, or its mode is higher (dry-run, approve,
enforce). Policies that are written otherwise are named, whether the past shows it or not. With
--max-new-actions it exits with 1 when the change adds and alters more, counted together with what
this past cannot judge, or where it judges nothing, so that a pull request can be stopped. What
comes at another time is told and not bounded.")]
pub struct PlanArgs {
    /// The policies as they are: a file, or a folder of them
    #[arg(value_name = "OLD")]
    old: PathBuf,

    /// The policies as they would be
    #[arg(value_name = "NEW")]
    new: PathBuf,

    #[command(flatten)]
    past: PastArgs,

    /// The configuration of the new policies, where it changes too [default: that of --config].
    #[arg(long, value_name = "FILE")]
    new_config: Option<PathBuf>,

    /// Fail when the change adds and alters more actions than this, or this past cannot judge it.
    #[arg(long, value_name = "COUNT")]
    max_new_actions: Option<u64>,

    /// How to write it.
    #[arg(long, short = 'o', value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

/// Runs the command.
pub(super) async fn run(args: PlanArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    let configuration = args.past.configuration(console)?;
    let paths = [args.old, args.new];
    let old = past::policies(&paths[..1], &configuration, console)?;
    let changed = args.new_config.as_deref().map(|file| past::read(file, console)).transpose()?;
    let new = past::policies(&paths[1..], changed.as_ref().unwrap_or(&configuration), console)?;
    // The first policies of all are a change too, and so are the last ones.
    past::refuse_none(&[&old, &new], &paths)?;
    let opened = args.past.open(&configuration, console.now).await?;
    let mut terms = opened.terms;
    terms.unknown.extend(changed.as_ref().map(|new| read_alike(&configuration, new)).unwrap_or_default());
    let mut watched = Watched::new(opened.history, &terms, console.err);
    let plan = backtest::plan(&mut watched, &*opened.facts, (old, new), &terms).await;
    watched.done();
    let plan = plan.map_err(told)?;
    match args.output {
        Format::Table => write!(console.out, "{}", table::written(&plan))?,
        Format::Json => console.data(Output::Json, &plan)?,
        Format::Markdown => write!(console.out, "{}", markdown::written(&plan))?,
    }
    gate(&plan, args.max_new_actions)
}

/// The past is read once, under one configuration; where the other one would have read it otherwise, that is said. So are the
/// parts that no decision depends on, and which are not compared.
fn read_alike(old: &Configuration, new: &Configuration) -> Vec<String> {
    let values = |of: &Configuration| serde_json::to_value(of).unwrap_or_default();
    let (before, after) = (values(old), values(new));
    let names: std::collections::BTreeSet<&String> = [&before, &after]
        .into_iter()
        .filter_map(|one| one.as_object())
        .flat_map(|fields| fields.keys())
        .collect();
    let is_other = |name: &&str| before[*name] != after[*name];
    let changed: Vec<&str> = names.into_iter().map(String::as_str).filter(is_other).collect();
    let reads = ["cluster", "redaction", "prometheus", "facts"];
    let compared = ["mode", "vars", "guards", "episodes", "endpoints", "notifications"];
    let (read, rest): (Vec<&str>, Vec<&str>) = changed.into_iter().partition(|name| reads.contains(name));
    let rest: Vec<&str> = rest.into_iter().filter(|name| !compared.contains(name)).collect();
    let mut said = Vec::new();
    if !read.is_empty() {
        said.push(format!(
            "what --new-config changes of {}: labels and answers of the past are read once, under --config, for both",
            read.join(", ")
        ));
    }
    if !rest.is_empty() {
        said.push(format!(
            "what --new-config changes of {}: no decision depends on it, so nothing of it is compared, and it may matter \
             all the same",
            rest.join(", ")
        ));
    }
    said
}

fn gate(plan: &Plan, most: Option<u64>) -> Result<(), Failure> {
    let Some(most) = most else { return Ok(()) };
    if plan.began == 0 {
        let time = format!("{} to {}", minute(plan.from), minute(plan.until));
        return Err(Failure::users(format!(
            "no alert began from {time} (UTC): that shows nothing, and --max-new-actions lets nothing through by it"
        ))
        .hint("name a time with alerts (--since, --until), or a newer history"));
    }
    let is_changed = !plan.rewritten.is_empty() || !plan.settings.is_empty();
    if plan.doubts.judged == 0 && is_changed {
        return Err(Failure::users(format!(
            "no case of {} could be judged: that shows nothing, and --max-new-actions lets nothing through by it",
            counted(plan.began, "alert")
        ))
        .hint("do the policies match these alerts, do they name the cluster of --config, does this history tell what is asked?"));
    }
    let doubted = plan.doubts.unjudged + plan.doubts.crowded;
    if plan.added + plan.altered + doubted <= most {
        return Ok(());
    }
    let added = counted(plan.added, "action");
    let net = why::net(plan.net);
    let because = why::lines(Side::Added, &plan.why_added).next();
    let because = because.map(|(count, why)| format!("; {count} of these: {why}")).unwrap_or_default();
    let altered = match plan.altered_actions.first() {
        Some(first) => {
            let first = format!("{}, {}", first.action.policy, edits::line(&first.edits, str::to_owned));
            format!(", and alters {}, the first of {first}", plan.altered)
        }
        None => String::new(),
    };
    Err(Failure::users(format!(
        "the change adds {added} ({net} in all{because}){altered}{}; --max-new-actions allows {most}",
        why::doubts(plan)
            .iter()
            .map(|(cases, what)| format!(", and {} {what}", counted(*cases, "case")))
            .collect::<String>()
    ))
    .hint(if plan.added + plan.altered > most {
        "read what is added and altered; if it is meant, raise the bound for this change"
    } else {
        "a past that tells more judges more (--from prometheus, a longer --since); if it is meant, raise the bound for this change"
    }))
}
