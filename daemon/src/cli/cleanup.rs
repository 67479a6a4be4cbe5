//! `paramedic cleanup`: takes away what paramedic ever left in a cluster, by its stamps alone: no daemon, no journal. It
//! changes nothing before it was shown and agreed to.

use std::collections::BTreeMap;
use std::io::{BufRead as _, IsTerminal as _};
use std::path::PathBuf;

use kube::config::Kubeconfig;
use paramedic_policies::counted::counted;
use paramedic_policies::target::is_dns_label;
use paramedic_remediations::KubernetesSweeper;
use paramedic_remediations::cleanup::{self, Came, Does, Sweep, Swept, Trace, Traces, wanted};
use paramedic_remediations::identity;
use serde::Serialize;
use serde_json::{Value, json};

use super::console::{Console, Output, OutputArg};
use super::failure::Failure;
use super::records::ServerArgs;
use super::table::plain;
use crate::config::KubernetesSettings;
use crate::kubernetes_config;

mod beside;

use beside::How;

/// Remove or put back everything that paramedic left in a cluster: freezes, blocks, patches, Jobs, stamps. Needs a
/// kubeconfig and nothing else.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  paramedic cleanup --dry-run
  paramedic cleanup --context prod
  paramedic cleanup --namespace shop --yes

Stop the daemon first: it would go on. Nothing is cleaned while one answers at --server, unless it
only watches (--mode dry-run) or shows that it acts on another cluster. A cluster is known by the
uid of its namespace kube-system, and not by its address: where either side may not read that, or
whoever answers does not say, --daemon-is-elsewhere goes on. What is found is shown object by
object, then you are asked.

What somebody else has changed since is left to them. What was there before and is written down
nowhere (a number of replicas) is named with the intent that changed it: `paramedic audit show` has
it where the journal is still there.

A freeze loses its binding before its policy, so nothing is refused by half of it. With --dry-run
the server is asked whether it would take each change.

Exits with 1 when something that has an effect is left, or part of the cluster could not be seen.")]
pub struct CleanupArgs {
    /// Show what would be done, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Only in this namespace (repeatable; in the variable: separated by `,`). A freeze of others too is left. Not looked at
    /// then: nodes, and what stands in other namespaces, such as the AppProject or the Kustomization of a freeze.
    #[arg(long, short = 'n', value_name = "NAME", value_delimiter = ',', value_parser = namespace)]
    namespace: Vec<String>,
    /// Do not ask before it begins.
    #[arg(long)]
    yes: bool,
    /// Go on where nobody can tell whether the daemon at --server acts on this cluster: it is stopped, or acts on another.
    #[arg(long)]
    daemon_is_elsewhere: bool,
    /// The cluster of this kubeconfig; without it kube's usual inference.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The cluster of this context.
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    #[command(flatten)]
    output: OutputArg,
    /// A daemon that may still run.
    #[command(flatten)]
    server: ServerArgs,
}

fn namespace(text: &str) -> Result<String, String> {
    if is_dns_label(text) { Ok(text.to_owned()) } else { Err("the name of a namespace is wanted".to_owned()) }
}

pub(super) async fn run(args: CleanupArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    let settings = KubernetesSettings {
        enabled: true,
        kubeconfig: args.kubeconfig.clone(),
        context: args.context.clone(),
    };
    let users = |error: anyhow::Error| Failure::users(format!("{error:#}"));
    let config = kubernetes_config::config(&settings).await.map_err(users)?;
    let config = config.ok_or_else(|| Failure::users("no cluster is named"))?;
    let cluster = Cluster {
        server: config.cluster_url.to_string().trim_end_matches('/').to_owned(),
        context: context(&args),
    };
    let sweeper = KubernetesSweeper::new(config).map_err(|error| users(error.into()))?;
    let how = How { dry_run: args.dry_run, is_elsewhere: args.daemon_is_elsewhere };
    // Whoever may not read it does not know; that is all that comes of it.
    let uid = async || identity::of(sweeper.eyes()).await.ok();
    beside::none(&args.server.client()?, &cluster, how, uid, console).await?;
    writeln!(console.err, "looking through {cluster}")?;
    let missing = cleanup::missing(sweeper.eyes(), &args.namespace).await;
    if !missing.is_empty() {
        let names = missing.join(", ");
        return Err(Failure::users(format!("there is no namespace {names} in {cluster}")).hint(
            "with a namespace goes what stood in it; `kubectl get namespaces` lists those that are there",
        ));
    }
    let traces = cleanup::traces(sweeper.eyes(), &args.namespace).await;
    let output = args.output.output;
    if output == Output::Table {
        for trace in &traces.found {
            writeln!(console.out, "{}", words(trace))?;
        }
    }
    let done = if args.dry_run {
        rehearsed(&sweeper, &traces, console).await?
    } else if wanted(&traces) == 0 {
        Done { last: traces.clone(), ..Done::default() }
    } else {
        if output != Output::Table && !args.yes {
            return Err(Failure::users("nothing can be asked in this output")
                .hint("add --yes, or look with --dry-run"));
        }
        agreed(&args, wanted(&traces), &cluster, console)?;
        swept(&sweeper, &traces, &args.namespace, console).await?
    };
    if output == Output::Table {
        // What was to be cleaned and is left now; what was cleaned is said already.
        for trace in done.anew.iter().filter(|trace| matches!(trace.does, Does::Leave(_))) {
            writeln!(console.out, "{}", words(trace))?;
        }
    } else {
        console.data(output, &told(&cluster, &traces, &done))?;
    }
    ended(&done, &args.namespace, args.dry_run, console)
}

/// What programs are told: what became of each trace, and not only that it was there; and what nobody could see at last.
fn told(cluster: &Cluster, traces: &Traces, done: &Done) -> Value {
    let found: Vec<Value> = traces.found.iter().chain(&done.anew).map(|trace| data(trace, done)).collect();
    json!({"cluster": cluster.to_string(), "found": found, "unseen": done.last.unseen})
}

/// Which cluster it is, as people tell theirs apart.
struct Cluster {
    server: String,
    context: Option<String>,
}

impl std::fmt::Display for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", plain(&self.server))?;
        match &self.context {
            Some(context) => write!(f, " (context {})", plain(context)),
            None => Ok(()),
        }
    }
}

/// The context that is used: the named one, or the kubeconfig's own. In a pod there is none.
fn context(args: &CleanupArgs) -> Option<String> {
    let current = || {
        let read = match &args.kubeconfig {
            Some(file) => Kubeconfig::read_from(file),
            None => Kubeconfig::read(),
        };
        read.ok()?.current_context
    };
    args.context.clone().or_else(current)
}

/// What happened.
#[derive(Debug, Default)]
struct Done {
    cleaned: usize,
    failed: Vec<String>,
    /// What later looks showed and the first did not.
    anew: Vec<Trace>,
    /// The last look, by which it is judged.
    last: Traces,
    /// By object and stamp.
    became: BTreeMap<(String, String), Became>,
}

/// What became of one trace; the data that programs get.
#[derive(Debug, Clone, Serialize)]
struct Became {
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

impl Done {
    fn note(&mut self, trace: &Trace, result: &'static str, why: Option<&str>) {
        let became = Became { result, why: why.map(str::to_owned) };
        self.became.insert((trace.at.to_string(), trace.stamp.clone()), became);
    }
}

/// A trace for people.
fn words(trace: &Trace) -> String {
    let Trace { at, stamp, does } = trace;
    let by = if stamp.is_empty() { String::new() } else { format!(" (intent {})", plain(stamp)) };
    match does {
        Does::Sweep(sweep) if sweep.removes() => format!("remove   {at}{by}"),
        Does::Sweep(sweep) => {
            let mut text = format!("restore  {at}{by}");
            for field in sweep.fields() {
                text += &format!(
                    "\n         {}: {} -> {}",
                    plain(&field.path),
                    plain(&field.before),
                    plain(&field.after)
                );
            }
            text
        }
        Does::Leave(left) => format!("leave    {at}{by}\n         {}", plain(&left.why)),
    }
}

fn data(trace: &Trace, done: &Done) -> Value {
    let Trace { at, stamp, does } = trace;
    let mut data = json!({"object": at.to_string(), "intent": stamp});
    match does {
        Does::Sweep(sweep) if sweep.removes() => data["does"] = json!("remove"),
        Does::Sweep(sweep) => {
            data["does"] = json!("restore");
            data["fields"] = json!(sweep.fields());
        }
        Does::Leave(left) => {
            data["does"] = json!("leave");
            data["why"] = json!(left.why);
            data["matters"] = json!(left.matters);
        }
    }
    if let Some(became) = done.became.get(&(at.to_string(), stamp.clone())) {
        data["became"] = json!(became);
    }
    data
}

/// Asks on a terminal; a script says so beforehand.
fn agreed(
    args: &CleanupArgs,
    count: usize,
    cluster: &Cluster,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    if args.yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::users(format!(
            "{} would be cleaned in {cluster}, and nobody can be asked",
            counted(count, "trace")
        ))
        .hint("add --yes, or look first with --dry-run"));
    }
    write!(console.err, "\nclean {} in {cluster}? [y/N] ", counted(count, "trace"))?;
    console.err.flush()?;
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|error| Failure::ours(format!("could not read an answer: {error}")))?;
    match line.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::users("nothing was cleaned").hint("answer y, or add --yes")),
    }
}

/// Asks the server whether it would take each change.
async fn rehearsed(
    sweeper: &KubernetesSweeper,
    traces: &Traces,
    console: &mut Console<'_>,
) -> Result<Done, Failure> {
    let mut done = Done { last: traces.clone(), ..Done::default() };
    for trace in &traces.found {
        let Does::Sweep(sweep) = &trace.does else { continue };
        match sweeper.sweep(sweep, true).await {
            Ok(()) => {
                done.cleaned += 1;
                done.note(trace, "wouldBeCleaned", None);
            }
            Err(error) => {
                done.note(trace, "wouldBeRefused", Some(&error.to_string()));
                writeln!(console.err, "{} would be refused: {}", trace.at, plain(&error.to_string()))?;
                done.failed.push(trace.at.to_string());
            }
        }
    }
    Ok(done)
}

async fn swept(
    sweeper: &KubernetesSweeper,
    traces: &Traces,
    namespaces: &[String],
    console: &mut Console<'_>,
) -> Result<Done, Failure> {
    let (mut done, mut written) = (Done::default(), Ok(()));
    let Swept { anew, last, cleaned, failed } = cleanup::sweep_in_rounds(
        traces,
        async || cleanup::traces(sweeper.eyes(), namespaces).await,
        async |sweep: &Sweep| sweeper.sweep(sweep, false).await,
        |number, all, trace, came| {
            let said = match came {
                Came::Done => {
                    done.note(trace, "cleaned", None);
                    "cleaned".to_owned()
                }
                Came::Refused(problem) => {
                    done.note(trace, "refused", Some(problem));
                    format!("not cleaned: {}", plain(problem))
                }
                Came::Unknown(problem) => {
                    done.note(trace, "unknown", Some(problem));
                    format!("nobody knows: {}", plain(problem))
                }
            };
            if written.is_ok() {
                written = writeln!(console.err, "{number}/{all} {}: {said}", trace.at);
            }
        },
    )
    .await;
    written?;
    Ok(Done { cleaned, failed, anew, last, ..done })
}

/// How it ends, by what the last look has shown.
fn ended(
    done: &Done,
    namespaces: &[String],
    dry_run: bool,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    for problem in &done.last.unseen {
        writeln!(console.err, "not looked through: {}", plain(problem))?;
    }
    let left: Vec<&Trace> = done
        .last
        .found
        .iter()
        .filter(|trace| matches!(&trace.does, Does::Leave(left) if left.matters))
        .collect();
    let would = if dry_run { "would be " } else { "" };
    let cleaned = format!("{} {would}cleaned", counted(done.cleaned, "trace"));
    if !done.last.unseen.is_empty() {
        return Err(Failure::users(format!("{cleaned}, and part of the cluster was not looked through"))
            .hint("use an account that may list and change these resources, such as an administrator's"));
    }
    if !done.failed.is_empty() {
        return Err(Failure::users(format!("{cleaned}, and {} not", counted(done.failed.len(), "trace")))
            .hint("run it again; what somebody changed meanwhile is looked at anew"));
    }
    if !left.is_empty() {
        return Err(Failure::users(format!(
            "{cleaned}, and {} left, as said above",
            counted(left.len(), "trace")
        ))
        .hint("put these right by hand"));
    }
    match namespaces {
        [] => writeln!(console.err, "{cleaned}, nothing that has an effect is left")?,
        names => writeln!(
            console.err,
            "{cleaned}, nothing that has an effect is left in {}; nodes and other namespaces were not looked through",
            names.join(", ")
        )?,
    }
    Ok(())
}

#[cfg(test)]
mod tests;
