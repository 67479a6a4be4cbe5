//! What `freeze` and `block` have in common: an order that ends by itself, and the list of what is in force. A list is never
//! the answer to an order: whoever forgets the place would take it for done.

use paramedic_policies::time::Span;

use super::by_hand::{HowArgs, Wanted, start};
use super::console::Console;
use super::failure::Failure;

/// A shorter one is over before anybody has noticed it.
const MIN: Span = Span::from_mins(1);

/// Whoever needs longer has a process, not an incident.
const MAX: Span = Span::from_hours(7 * 24);

/// How something is ordered for a while, or what is in force listed.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ForAWhileArgs {
    /// For how long, from 1m to 7d.
    #[arg(long = "for", value_name = "DURATION", value_parser = lasting)]
    lasting: Option<Span>,
    /// Why; for the record, and for colleagues who are refused.
    #[arg(long, alias = "comment", value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
    /// Change nothing: show what would be done, and what every guard says.
    #[arg(long)]
    dry_run: bool,
    /// List what is in force.
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    pub(super) how: HowArgs,
}

fn lasting(text: &str) -> Result<Span, String> {
    let span: Span = text.parse().map_err(|error: paramedic_policies::time::SpanError| error.to_string())?;
    match (MIN..=MAX).contains(&span) {
        true => Ok(span),
        false => Err(format!("from {MIN} to {MAX}")),
    }
}

impl ForAWhileArgs {
    /// Whether the list is wanted: it is asked for, or nothing at all is said.
    pub(super) fn lists(&self, names_something: bool) -> bool {
        let Self { lasting, reason, dry_run, list, how } = self;
        let orders = lasting.is_some() || !reason.is_empty() || *dry_run || how.is_about_an_order();
        *list || !(names_something || orders)
    }

    /// Orders a policy of our own, for that while.
    pub(super) async fn order(
        self,
        policy: &str,
        labels: Vec<(&str, String)>,
        console: &mut Console<'_>,
    ) -> Result<(), Failure> {
        let Self { lasting, reason, dry_run, list: _, how } = self;
        let Some(lasting) = lasting else {
            return Err(Failure::users("it needs an end").hint("say for how long, such as --for 2h"));
        };
        let mut labels: Vec<(String, String)> =
            labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        labels.push(("for".to_owned(), lasting.to_string()));
        start(Wanted { policy: policy.to_owned(), labels, reason, dry_run }, how, console).await
    }
}
