//! Why a change adds actions, removes them, or moves them in time, in words: what the other side's guards said of the same
//! cases. It says no more than what was ruled.

use paramedic_policies::guard::Guard;
use paramedic_simulations::backtest::{Because, Plan, RefusedBy, Retimed, Why};

use crate::cli::backtest::guard;

/// Which side the words are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// What the new policies do and the old ones did not.
    Added,
    /// What the old ones did and the new ones do not.
    Removed,
    /// What the new ones do sooner.
    Earlier,
    /// What the new ones do not do so soon.
    Later,
}

impl Side {
    /// Where an action that both take has moved to.
    pub(super) fn of(retimed: &Retimed) -> Self {
        if retimed.is_earlier() { Self::Earlier } else { Self::Later }
    }

    /// All of them with their reasons, as `why added`.
    pub(super) fn all(plan: &Plan) -> [(Self, &'static str, &[Because]); 4] {
        [
            (Self::Added, "added", &plan.why_added),
            (Self::Removed, "removed", &plan.why_removed),
            (Self::Earlier, "earlier", &plan.why_earlier),
            (Self::Later, "later", &plan.why_later),
        ]
    }
}

/// A line for each reason, each with its number, the most frequent first.
pub(super) fn lines(side: Side, all: &[Because]) -> impl Iterator<Item = (u64, String)> + '_ {
    all.iter().map(move |one| (one.actions, words(side, &one.why)))
}

/// `refused before by limits (limitReached), which has room now`.
pub(super) fn words(side: Side, why: &Why) -> String {
    match (side, why) {
        (Side::Added | Side::Earlier, Why::NoPolicy) => {
            "the old policies have no policy of this name".to_owned()
        }
        (Side::Removed | Side::Later, Why::NoPolicy) => {
            "the new policies have no policy of this name".to_owned()
        }
        (Side::Added | Side::Earlier, Why::NotMatched) => "the old policy was not for this alert".to_owned(),
        (Side::Removed | Side::Later, Why::NotMatched) => {
            "the policy is not for this alert any more".to_owned()
        }
        (Side::Added, Why::Refused { by }) => {
            let room = if by.iter().all(|one| is_of_others(one.guard)) { ", which has room now" } else { "" };
            format!("refused before by {}{room}", guards(by))
        }
        (Side::Removed, Why::Refused { by }) => {
            let full =
                if by.iter().all(|one| is_of_others(one.guard)) { ", which has no room now" } else { "" };
            format!("refused now by {}{full}", guards(by))
        }
        (Side::Earlier, Why::Refused { by }) => {
            format!("the old policies refused it at the new time: {}", guards(by))
        }
        (Side::Later, Why::Refused { by }) => {
            format!("the new policies refuse it at the old time: {}", guards(by))
        }
        (Side::Earlier, Why::ActsOtherwise) => "another action on the same case came first before".to_owned(),
        (Side::Later, Why::ActsOtherwise) => "another action on the same case comes first now".to_owned(),
        (Side::Earlier, Why::Undecided) => "the old policies had not decided at the new time".to_owned(),
        (Side::Later, Why::Undecided) => "the new policies have not decided at the old time".to_owned(),
        (Side::Added, Why::ActsOtherwise) => "in place of another action on the same case".to_owned(),
        (Side::Removed, Why::ActsOtherwise) => "another action on the same case is in its place".to_owned(),
        (Side::Added, Why::Undecided) => "the old policies had not decided when the alert ended".to_owned(),
        (Side::Removed, Why::Undecided) => "the new policies have not decided when the alert ends".to_owned(),
    }
}

fn guards(by: &[RefusedBy]) -> String {
    let each: Vec<String> = by.iter().map(|one| format!("{} ({})", guard(one.guard), one.reason)).collect();
    each.join(" and ")
}

/// Whether a guard refuses because of what else was done, and so has room where less is.
fn is_of_others(guard: Guard) -> bool {
    match guard {
        Guard::InFlight
        | Guard::Precedence
        | Guard::Concurrency
        | Guard::Cooldown
        | Guard::Settle
        | Guard::Limits
        | Guard::Pace
        | Guard::BlastTargets
        | Guard::BlastUnavailable => true,
        Guard::Leadership
        | Guard::Clock
        | Guard::Pause
        | Guard::Quarantine
        | Guard::Storm
        | Guard::Cluster
        | Guard::Unless
        | Guard::For
        | Guard::Schedule
        | Guard::Target
        | Guard::Protection
        | Guard::Relapse
        | Guard::Confirmation
        | Guard::Lets
        | Guard::Conditions
        | Guard::Preflight
        | Guard::Approval => false,
    }
}

/// `+3`, `-38`, `0`.
pub(super) fn net(net: i64) -> String {
    if net > 0 { format!("+{net}") } else { net.to_string() }
}

/// What comparing actions cannot answer: how many cases, and why. Each may become an action.
pub(super) fn doubts(plan: &Plan) -> Vec<(u64, &'static str)> {
    let unjudged = "cannot be judged: a fact is not known any more, or was not answered";
    let crowded = "had to make room for others that only rehearse or propose, which takes no room in life";
    let all = [(plan.doubts.unjudged, unjudged), (plan.doubts.crowded, crowded)];
    all.into_iter().filter(|(cases, _)| *cases > 0).collect()
}
