//! Facts as guards read them: one that is missing, failed, of another kind or too old shows nothing, and each of the
//! four is said in its own words. Asks nobody.

use crate::answer::{Found, Preflight, Sample};
use crate::guard::{Finding, Guard, View};
use crate::question::Fact;
use crate::reason::Reason;

/// What a look at a fact comes to.
pub(crate) type Look<T> = Result<T, Unseen>;

/// Why a fact shows nothing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Unseen {
    /// There is no answer in this round.
    NotAsked,
    /// There is one, and it shows nothing.
    Because(Reason),
}

impl Unseen {
    /// What this means for the guard.
    pub(crate) fn finding(self, guard: Guard) -> Finding {
        match self {
            Self::NotAsked => Finding::not_asked(guard),
            Self::Because(reason) => Finding::refuses(guard, reason),
        }
    }
}

/// The fact, answered and not older than allowed.
pub(crate) fn fresh<'a>(view: &View<'a>, fact: &Fact) -> Look<&'a Found> {
    let Some(known) = view.case.facts.get(fact) else {
        let unaskable = view.unaskable.get(fact).cloned();
        return Err(unaskable.map_or(Unseen::NotAsked, Unseen::Because));
    };
    match &known.found {
        Found::Failed { what } => return Err(unknown(fact, what)),
        Found::Absent { what } if *fact == Fact::Preflight => {
            return Err(Unseen::Because(Reason::TargetAbsent { what: what.clone() }));
        }
        Found::Absent { what } => return Err(unknown(fact, format!("there is no {what}"))),
        Found::Series(_)
        | Found::Target(_)
        | Found::Preflight(_)
        | Found::Rollout { .. }
        | Found::Http { .. } => {}
    }
    let allow = view.book.settings().facts.max_age;
    let age = view.now.since(known.taken_at);
    if age > allow {
        return Err(Unseen::Because(Reason::FactStale { fact: fact.to_string(), age, allow }));
    }
    Ok(&known.found)
}

/// The series of a query's fresh answer.
pub(crate) fn series<'a>(view: &View<'a>, fact: &Fact) -> Look<&'a [Sample]> {
    let Found::Series(samples) = fresh(view, fact)? else {
        return Err(unknown(fact, "an answer that is no series"));
    };
    Ok(samples)
}

/// The remediation's own fresh look at its target.
pub(crate) fn preflight<'a>(view: &View<'a>) -> Look<&'a Preflight> {
    let Found::Preflight(preflight) = fresh(view, &Fact::Preflight)? else {
        return Err(unknown(&Fact::Preflight, "an answer that is no preflight"));
    };
    Ok(preflight)
}

/// The fact shows nothing, because of this.
pub(crate) fn unknown(fact: &Fact, found: impl Into<String>) -> Unseen {
    Unseen::Because(Reason::FactUnknown { fact: fact.to_string(), found: found.into() })
}
