//! What happens beside a drain: another one that began in the same moment, nodes that fall sick while it goes on. Looked at
//! once the node is ours and before each pod: whoever sees another drain after its own cordon has either been seen by it or
//! came first. It must never let two go on.

use std::time::Duration;

use paramedic_policies::action::{Diff, Intent, Outcome};
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::drain_node::Drain;
use serde_json::Value;

use super::cordon::{Cordon, Doing, NODES};
use super::survey;
use crate::checks::Checks;
use crate::one_change;
use crate::ports::cluster::LookError;
use crate::remedy::{BothHands, Eyes};
use crate::retry;
use crate::seal::Sealed;
use crate::stamp;

/// How long the older of two drains waits for the younger one to give way; then it gives way itself.
const YIELDS_WITHIN: Duration = Duration::from_secs(15);

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Goes on only where nobody else drains, no more nodes are out of service than allowed, and nothing has come to the node
/// that may not be moved. Else the cordon is given back, if it is ours alone: nobody has been evicted yet.
///
/// # Errors
/// How the drain ends otherwise.
pub(super) async fn alone(
    hands: BothHands<'_>,
    seal: &Sealed<Intent>,
    drain: &Drain,
    cordoned: &Diff,
) -> Result<(), Outcome> {
    let until = tokio::time::Instant::now() + YIELDS_WITHIN;
    let reasons = loop {
        let seen = retry::question(
            one_change::LOOK_WITHIN,
            one_change::is_transient,
            || one_change::late(&seal.target),
            || async { survey::look(hands.eyes.cluster()?, &seal.target).await },
        );
        let survey = match seen.await {
            Ok(survey) => survey,
            Err(error) => return Err(cordoned_only(&error.to_string())),
        };
        let mut checks = Checks::default();
        survey.out_of_service(drain.wish.max_nodes, hands.eyes.now(), &mut checks);
        survey.hosts(&mut checks);
        if checks.refusals.is_empty() {
            return Ok(());
        }
        let gives_way = survey.draining(hands.eyes.now()).any(|rival| is_younger(&rival, &stamp::of(seal)));
        if !gives_way || tokio::time::Instant::now() + LOOK_EVERY > until {
            break checks.refusals;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    let said = in_words(&reasons);
    let was_ours = cordoned.fields.iter().any(|field| field.before == "true");
    if was_ours {
        return Err(cordoned_only(&said));
    }
    let back = Cordon { seal, stamp: stamp::of(seal), doing: Doing::GiveBack };
    match one_change::carry_out(hands, seal, &back).await {
        Ok(_) => Err(Outcome::Refused { reasons }),
        Err(_) => Err(cordoned_only(&said)),
    }
}

/// What stands against the next pod, by the nodes as they are now.
///
/// # Errors
/// When nobody knows.
pub(super) async fn trouble(
    eyes: Eyes<'_>,
    node: &Value,
    drain: &Drain,
) -> Result<Option<String>, LookError> {
    let nodes = eyes.cluster()?.list(NODES, "", "").await?;
    let mut checks = Checks::default();
    survey::out_of_service(node, &nodes, drain.wish.max_nodes, eyes.now(), &mut checks);
    Ok((!checks.refusals.is_empty()).then(|| in_words(&checks.refusals)))
}

fn in_words(reasons: &[Reason]) -> String {
    reasons.iter().map(Reason::to_string).collect::<Vec<_>>().join("; ")
}

fn cordoned_only(why: &str) -> Outcome {
    let what = format!("{why}; nobody was evicted, and the node stays cordoned until that is taken back");
    Outcome::Failed { what, applied: true, diff: None }
}

/// Whether a drain of the same journal began after ours. Of another journal nobody knows; then it is ours that gives way.
fn is_younger(rival: &str, ours: &str) -> bool {
    let read = |stamp: &str| {
        let (journal, seq) = stamp.rsplit_once('-')?;
        Some((journal.to_owned(), seq.parse::<u64>().ok()?))
    };
    match (read(rival), read(ours)) {
        (Some((theirs, rival)), Some((journal, own))) => theirs == journal && rival > own,
        (None, _) | (_, None) => false,
    }
}
