//! What an operator runs by hand, through the daemon's API: the daemon decides, records and acts. A request that was not
//! answered is asked again under its own name, so that it is never done twice.

use std::time::Duration;

use paramedic_policies::event::Seq;
use serde::Deserialize;
use serde_json::{Value, json};

use super::console::{Console, Output, OutputArg};
use super::failure::Failure;
use super::following::{self, Followed};
use super::records::ServerArgs;
use crate::client::{Client, ClientError};
use crate::intake::correlation;

/// How often a request is sent that is not answered.
const TRIES_MAX: u32 = 3;

/// The pause before it is sent again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Start a policy by hand, without an alert: its ladder or sequence, under its own guards.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  paramedic run errors --label namespace=prod --label deployment=web --dry-run
  paramedic run maestro-restore-service --label namespace=prod --label deployment=maestro-server \\
    --reason 'the database is restored'

Every guard speaks but those about the alert: nobody's alert is confirmed, and `for` does not
wait. The order is the approval where the policy's mode is `approve`; a policy in `dry-run`, and
`--mode` of the daemon, still bind. Guards that may pass are waited for, up to 10m.
What is named and not there is refused at once. `paramedic check` shows the labels that a
policy takes.

Exit codes: 0 it helped, was done, or was rehearsed as --dry-run asks; 1 it was refused, failed,
did not help, or was only rehearsed; 2 our fault.")]
pub struct RunArgs {
    /// The policy's name.
    #[arg(value_name = "POLICY")]
    policy: String,
    /// A label that the policy's templates use; once for each.
    #[arg(long = "label", short = 'l', value_name = "NAME=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// For the record.
    #[arg(long, alias = "comment", value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
    /// Change nothing: show what would be done, the difference, and what every guard says.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    how: HowArgs,
}

/// How an order by hand is given and followed.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct HowArgs {
    /// Only give the order; do not wait for what comes of it.
    #[arg(long)]
    no_wait: bool,
    /// Names this request: the same again, by whoever, is not done twice. Made up where none is given.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    #[command(flatten)]
    output: OutputArg,
    #[command(flatten)]
    server: ServerArgs,
}

impl HowArgs {
    /// Whether anything here is about an order: where the daemon is and how data looks is about a list too.
    pub(super) fn is_about_an_order(&self) -> bool {
        self.no_wait || self.key.is_some()
    }

    pub(super) fn server(&self) -> &ServerArgs {
        &self.server
    }

    pub(super) fn output(&self) -> Output {
        self.output.output
    }
}

/// One policy to run.
pub(super) struct Wanted {
    pub(super) policy: String,
    pub(super) labels: Vec<(String, String)>,
    pub(super) reason: String,
    pub(super) dry_run: bool,
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        Some(_) | None => Err("write NAME=VALUE, such as namespace=prod".to_owned()),
    }
}

pub(super) async fn run(args: RunArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    let RunArgs { policy, labels, reason, dry_run, how } = args;
    start(Wanted { policy, labels, reason, dry_run }, how, console).await
}

#[derive(Deserialize)]
struct Started {
    episode: Option<Seq>,
    repeated: bool,
}

/// Gives the order, and follows it to its end.
pub(super) async fn start(wanted: Wanted, how: HowArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    let Wanted { policy, labels, reason, dry_run } = wanted;
    let mut named = serde_json::Map::new();
    for (name, value) in labels {
        if named.insert(name.clone(), Value::String(value)).is_some() {
            return Err(Failure::users(format!("the label `{name}` is given twice")).hint("keep one of them"));
        }
    }
    let client = how.server.client()?;
    let key = how.key.clone().unwrap_or_else(correlation::made_up);
    let body = json!({"policy": policy, "labels": named, "reason": reason, "dryRun": dry_run, "key": key});
    // Opened first: what is recorded between the two is in the first query.
    let stream = if how.no_wait { None } else { Some(client.stream().await?) };
    let Started { episode, repeated } = posted(&client, "/api/v1/runs", &body, console).await?;
    let Some(episode) = episode else {
        return Err(Failure::ours("the daemon took the order and names no episode")
            .hint("`paramedic audit tail` shows what it does"));
    };
    if repeated {
        writeln!(console.err, "this request was taken before; it is not done again")?;
    }
    let followed = Followed { episode, rehearsal: dry_run, output: how.output.output };
    if let Some(stream) = stream {
        return following::run(&client, stream, followed, console).await;
    }
    // What is refused at once is no order that anything comes of.
    if let Some(ended) = following::over_already(&client, followed, console).await? {
        return ended;
    }
    match how.output.output {
        Output::Table => writeln!(console.out, "episode {episode}")?,
        output @ (Output::Json | Output::Yaml) => {
            console.data(output, &json!({"episode": episode}))?;
        }
    }
    writeln!(console.err, "ordered; what comes of it: paramedic audit show {episode}")?;
    Ok(())
}

/// The answer to a request that may be sent again, since it carries its own name.
pub(super) async fn posted<T: serde::de::DeserializeOwned>(
    client: &Client,
    path: &str,
    body: &Value,
    console: &mut Console<'_>,
) -> Result<T, Failure> {
    let mut tries = 1;
    loop {
        match client.post(path, body).await {
            Err(error @ ClientError::Unreachable { .. }) if tries < TRIES_MAX => {
                writeln!(console.err, "{error}; asking again under the same name")?;
                tries += 1;
                tokio::time::sleep(AGAIN_AFTER).await;
            }
            answered => return Ok(answered?),
        }
    }
}
