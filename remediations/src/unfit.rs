//! What would refuse a lever in this cluster whatever its target is, so that it can be told before the night. It looks, and
//! changes nothing.

use paramedic_policies::book::Book;
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::Remediation;
use paramedic_policies::remediation::block_ip::Means;

use crate::block_ip::{enforced, enforcer, keeps_nodes};
use crate::ports::cluster::{Cluster, LookError};

/// A lever that can do nothing here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// The policy that has it.
    pub policy: String,
    /// Its rung and its step, from 0.
    pub at: (usize, usize),
    /// Its name in documents.
    pub lever: &'static str,
    /// Why.
    pub reason: Reason,
}

/// Whether a network is good enough for a lever.
type Judge = fn(Option<&str>, bool) -> Result<String, Reason>;

fn judge(remediation: &Remediation) -> Option<Judge> {
    if let Remediation::Quarantine(written) = remediation {
        return (!written.enforced).then_some(enforced as Judge);
    }
    if let Remediation::BlockIp(written) = remediation {
        let terms = written.terms();
        let asks = terms.by == Means::NetworkPolicy && !terms.enforced;
        return asks.then_some(keeps_nodes as Judge);
    }
    None
}

/// The levers of a book that this cluster's network would make nothing of.
///
/// # Errors
/// When nobody knows.
pub async fn unfit(cluster: &dyn Cluster, book: &Book) -> Result<Vec<Unfit>, LookError> {
    let mut found = Vec::new();
    let mut known: Option<Option<String>> = None;
    for policy in book.policies().values() {
        for (rung, steps) in policy.ladder.iter().enumerate() {
            for (step, one) in steps.steps.iter().enumerate() {
                let Some(judge) = judge(&one.remediation) else { continue };
                let enforcer = match &known {
                    Some(enforcer) => enforcer.clone(),
                    None => known.insert(enforcer(cluster, false).await?).clone(),
                };
                if let Err(reason) = judge(enforcer.as_deref(), false) {
                    let (policy, lever) = (policy.name.clone(), one.remediation.name());
                    found.push(Unfit { policy, at: (rung, step), lever, reason });
                }
            }
        }
    }
    Ok(found)
}
