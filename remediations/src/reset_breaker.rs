//! Closes one circuit breaker of Maestro on every endpoint of a service: the state before, a reset where it is not
//! closed, the state after. Breakers live per process, so one endpoint left out is a failure: the preflight asks all and
//! plans those that are not closed, so that what is approved is what is done. Never sends a reset before every endpoint of
//! the plan has shown its state, nor to a service that is another one by then, is paused, or has lost an endpoint of it.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use paramedic_policies::action::{self, Change, Diff, DiffSource, Intent, Outcome};
use paramedic_policies::answer::Preflight;
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::reset_breaker::{Action, Endpoints, Wish, Written};
use paramedic_policies::target::Target;

use crate::breaker_states::{LIST, reset, state_of};
use crate::checks::{self, Checks, Seen};
use crate::one_change::{LOOK_WITHIN, unseen};
use crate::ports::clock::left;
use crate::ports::cluster::LookError;
use crate::ports::http::{Call, CallError, Http};
use crate::remedy::{BothHands, Deed, Eyes, NotMade, Plans, irrevocable};
use crate::retry;
use crate::rights::{Aim, Needs, Rights};
use crate::seal::Sealed;

/// How long one endpoint may take to tell its states, tries included.
const STATE_WITHIN: Duration = Duration::from_secs(10);

/// How long one call may take.
const CALL_WITHIN: Duration = Duration::from_secs(5);

const CLOSED: &str = "CLOSED";

impl Needs for Written {
    fn needs(&self, aim: &Aim<'_>, rights: &mut Rights) {
        match &self.endpoints {
            Endpoints::OfService { .. } => rights.endpoints(aim),
            Endpoints::Listed(_) => {}
        }
    }
}

#[async_trait]
impl Plans for Wish {
    async fn preflight(&self, eyes: Eyes<'_>, target: &Target, diff: bool) -> Result<Preflight, LookError> {
        let Wish { breaker, endpoints } = self;
        let mut checks = Checks::default();
        let mut seen = Seen::default();
        let mut urls = match (endpoints, eyes.kubernetes) {
            (Endpoints::Listed(urls), _) => {
                urls.iter().map(|url| url.trim_end_matches('/').to_owned()).collect()
            }
            (Endpoints::OfService { .. }, None) => {
                checks.refuse(Reason::NoKubernetes);
                return Ok(checks.into_preflight(seen, None, false));
            }
            (Endpoints::OfService { .. }, Some(_)) if target.kind != "Service" => {
                checks.refuse(Reason::WrongKind { kind: target.kind.clone(), wanted: "Service".into() });
                return Ok(checks.into_preflight(seen, None, false));
            }
            (Endpoints::OfService { port }, Some(cluster)) => {
                let found = cluster.endpoints(target, port).await?;
                checks.note(checks::pause("service", &found.annotations, eyes.now()));
                checks.note(checks::pause("namespace", &found.namespace_annotations, eyes.now()));
                seen = Seen {
                    uid: found.uid,
                    labels: found.labels,
                    surroundings: Some(found.surroundings),
                    ..Seen::default()
                };
                found.urls
            }
        };
        urls.sort();
        urls.dedup();
        if urls.is_empty() {
            checks.refuse(Reason::TargetAbsent { what: format!("ready endpoint of {target}") });
            return Ok(checks.into_preflight(seen, None, false));
        }
        let states = states(eyes.http, breaker, &urls, None).await;
        for (url, state) in &states {
            checks.note(match state {
                Ok(state) => Ok(format!("breaker {breaker} on {url} is {state}")),
                Err(problem) => Err(Reason::FactUnknown {
                    fact: format!("state of breaker {breaker} on {url}"),
                    found: problem.clone(),
                }),
            });
        }
        let already = checks.is_clear() && all_closed(&states);
        let endpoints = not_closed(&states).map(|(url, _)| url.clone()).collect();
        let port = match &self.endpoints {
            Endpoints::OfService { port } => Some(port.clone()),
            Endpoints::Listed(_) => None,
        };
        let action = action::Action::ResetBreaker(Action { breaker: breaker.clone(), endpoints, port });
        if diff && checks.is_clear() && !already {
            seen.diff = Some(would_change(breaker, &states));
        }
        Ok(checks.into_preflight(seen, (!already).then_some(action), already))
    }
}

#[async_trait]
impl Deed for Action {
    async fn preflight_of_revert(&self, _: Eyes<'_>, _: &Target, _: bool) -> Result<Preflight, LookError> {
        Ok(irrevocable("breaker reset"))
    }

    /// There is no dry run by HTTP, so what would change is computed from the states.
    async fn rehearse(&self, eyes: Eyes<'_>, seal: &Sealed<Intent>) -> Outcome {
        if let Err(outcome) = stands(self, eyes, seal).await {
            return outcome;
        }
        let before = states(eyes.http, &self.breaker, &self.endpoints, seal.correlation.as_deref()).await;
        match unknown(&before) {
            Some(problem) => failed(problem, false),
            None if all_closed(&before) => Outcome::Done { diff: None, already: true },
            None => Outcome::Done { diff: Some(would_change(&self.breaker, &before)), already: false },
        }
    }

    /// Resets the breaker wherever it is not closed.
    async fn perform(&self, hands: BothHands<'_>, seal: &Sealed<Intent>) -> Outcome {
        if let Err(outcome) = stands(self, hands.eyes, seal).await {
            return outcome;
        }
        let correlation = seal.correlation.as_deref();
        let before = states(hands.eyes.http, &self.breaker, &self.endpoints, correlation).await;
        if let Some(problem) = unknown(&before) {
            return failed(problem, false);
        }
        if all_closed(&before) {
            return Outcome::Done { diff: None, already: true };
        }
        let mut tally = Tally::default();
        for (url, _) in not_closed(&before) {
            if left(hands.eyes.clock, seal.deadline).is_zero() {
                tally.left_out(url, "the deadline came first".to_owned());
                continue;
            }
            let call = Call {
                url: reset(url, &self.breaker),
                headers: headers(correlation, Some(seal.stamp())),
                timeout: CALL_WITHIN,
            };
            match hands.post(seal, &call).await {
                Ok(reply) if (200..300).contains(&reply.status) => tally.sent.push(url.clone()),
                // Answered and refused: this one did nothing.
                Ok(reply) if (400..500).contains(&reply.status) => {
                    tally.problems.push(format!("{url} answered {} to the reset", reply.status));
                }
                // Answered by Maestro itself, not by a gateway that lost it: over, whatever it did.
                Ok(reply) if reply.status == 500 => {
                    tally.sent.push(url.clone());
                    tally.problems.push(format!("{url} answered 500 to the reset"));
                }
                Ok(reply) => tally.doubt(url, format!("it answered {} to the reset", reply.status)),
                Err(NotMade::Halted(why)) => tally.left_out(url, why),
                Err(NotMade::Tried(CallError::NotSent { problem, .. })) => {
                    tally.problems.push(format!("{url} took no connection: {problem}"));
                }
                Err(NotMade::Tried(CallError::NoAnswer { problem, .. })) => {
                    tally.doubt(url, format!("no answer to the reset: {problem}"))
                }
            }
        }
        let after = states(hands.eyes.http, &self.breaker, &self.endpoints, correlation).await;
        tally.end(&self.breaker, &before, &after)
    }

    /// Only closed everywhere is an end that can be seen: a breaker that is open may have been reset and have tripped
    /// again.
    async fn close(&self, eyes: Eyes<'_>, seal: &Sealed<Intent>) -> Outcome {
        let now = states(eyes.http, &self.breaker, &self.endpoints, seal.correlation.as_deref()).await;
        if all_closed(&now) {
            // Whoever closed them, the resets may have been sent: what follows from an effect follows from this end.
            return Outcome::Done { diff: None, already: false };
        }
        let seen: Vec<String> = not_closed(&now)
            .map(|(url, state)| match state {
                Ok(state) => format!("{state} on {url}"),
                Err(problem) => problem.clone(),
            })
            .collect();
        Outcome::Unknown {
            what: format!(
                "the process ended during the reset of breaker {}: {}",
                self.breaker,
                seen.join("; ")
            ),
        }
    }
}

/// The service is still the one that was looked at, is not paused, and still has every endpoint of the plan.
///
/// # Errors
/// How it ends where it is not so.
async fn stands(action: &Action, eyes: Eyes<'_>, seal: &Sealed<Intent>) -> Result<(), Outcome> {
    let Some(port) = &action.port else { return Ok(()) };
    let cluster = eyes.cluster().map_err(unseen)?;
    let time = left(eyes.clock, seal.deadline).min(LOOK_WITHIN);
    let found = match tokio::time::timeout(time, cluster.endpoints(&seal.target, port)).await {
        Ok(found) => found.map_err(unseen)?,
        Err(_) => {
            return Err(failed(format!("no answer about the endpoints of {} in time", seal.target), false));
        }
    };
    let mut checks = Checks::default();
    if found.uid != seal.uid {
        let what = format!("{} is another object now (uid {})", seal.target, found.uid);
        checks.refuse(Reason::Changed { what });
    }
    checks.note(checks::pause("service", &found.annotations, eyes.now()));
    checks.note(checks::pause("namespace", &found.namespace_annotations, eyes.now()));
    let gone: Vec<&str> =
        action.endpoints.iter().filter(|url| !found.urls.contains(url)).map(String::as_str).collect();
    if !gone.is_empty() {
        let what = format!("{} of {} is no ready endpoint any more", gone.join(", "), seal.target);
        checks.refuse(Reason::Changed { what });
    }
    if checks.is_clear() { Ok(()) } else { Err(Outcome::Refused { reasons: checks.refusals }) }
}

type States = BTreeMap<String, Result<String, String>>;

/// The state on every endpoint, asked of all at once.
async fn states(http: &dyn Http, breaker: &str, urls: &[String], correlation: Option<&str>) -> States {
    let asked = urls.iter().map(|url| async move {
        let call =
            Call { url: format!("{url}{LIST}"), headers: headers(correlation, None), timeout: CALL_WITHIN };
        let late = || format!("{url} gave no answer in time");
        let state = retry::question(
            STATE_WITHIN,
            |_| true,
            late,
            || async {
                let reply = http.get(&call).await.map_err(|error| error.to_string())?;
                if reply.status == 200 {
                    Ok(reply.body)
                } else {
                    Err(format!("{url} answered {}", reply.status))
                }
            },
        );
        let state = state
            .await
            .and_then(|body| state_of(&body, breaker).map_err(|problem| format!("{url}: {problem}")));
        (url.clone(), state)
    });
    join_all(asked).await.into_iter().collect()
}

fn headers(correlation: Option<&str>, stamp: Option<&str>) -> Vec<(String, String)> {
    let key = stamp.map(|stamp| ("Idempotency-Key".to_owned(), stamp.to_owned()));
    let correlation = correlation.map(|id| ("X-Correlation-Id".to_owned(), id.to_owned()));
    key.into_iter().chain(correlation).collect()
}

fn not_closed(states: &States) -> impl Iterator<Item = (&String, &Result<String, String>)> {
    states.iter().filter(|(_, state)| state.as_deref() != Ok(CLOSED))
}

fn all_closed(states: &States) -> bool {
    not_closed(states).next().is_none()
}

fn unknown(states: &States) -> Option<String> {
    let problems: Vec<&str> =
        states.values().filter_map(|state| state.as_ref().err()).map(String::as_str).collect();
    (!problems.is_empty()).then(|| problems.join("; "))
}

fn path(breaker: &str, url: &str) -> String {
    format!("breaker {breaker} on {url}")
}

fn would_change(breaker: &str, states: &States) -> Diff {
    let fields = states
        .iter()
        .filter_map(|(url, state)| Some((url, state.as_ref().ok().filter(|state| *state != CLOSED)?)))
        .map(|(url, state)| Change { path: path(breaker, url), before: state.clone(), after: CLOSED.into() })
        .collect();
    Diff { fields, source: DiffSource::Computed { because: "there is no dry run by HTTP".into() } }
}

fn failed(what: String, applied: bool) -> Outcome {
    Outcome::Failed { what, applied, diff: None }
}

/// What came of the calls.
#[derive(Default)]
struct Tally {
    /// Where a reset was taken.
    sent: Vec<String>,
    problems: Vec<String>,
    doubts: BTreeMap<String, String>,
    /// Where none was sent, and why.
    left_out: BTreeMap<String, String>,
}

impl Tally {
    fn doubt(&mut self, url: &str, why: String) {
        self.doubts.insert(url.to_owned(), why);
    }

    fn left_out(&mut self, url: &str, why: String) {
        self.left_out.insert(url.to_owned(), why);
    }

    fn end(mut self, breaker: &str, before: &States, after: &States) -> Outcome {
        let mut fields = Vec::new();
        let mut unclear = Vec::new();
        for (url, was) in before {
            let (Ok(was), now) = (was, after.get(url)) else { continue };
            let doubt = self.doubts.get(url);
            match now {
                Some(Ok(now)) => {
                    if was != now {
                        fields.push(Change {
                            path: path(breaker, url),
                            before: was.clone(),
                            after: now.clone(),
                        });
                    }
                    match doubt {
                        _ if now == CLOSED => {}
                        None => self.problems.push(match self.left_out.get(url) {
                            Some(why) => format!("it is {now} on {url} and was not reset there: {why}"),
                            None => format!("it is {now} on {url} after the reset"),
                        }),
                        Some(why) => unclear.push(format!("it is {now} on {url}, and {why}")),
                    }
                }
                Some(Err(problem)) => unclear.push(problem.clone()),
                None => unclear.push(format!("{url} was not asked again")),
            }
        }
        let sent =
            if self.sent.is_empty() { String::new() } else { format!("; reset on {}", self.sent.join(", ")) };
        let say = |what: Vec<String>| {
            format!("could not close breaker {breaker} everywhere: {}{sent}", what.join("; "))
        };
        if !unclear.is_empty() {
            unclear.append(&mut self.problems);
            return Outcome::Unknown { what: say(unclear) };
        }
        if !self.problems.is_empty() {
            let applied = !self.sent.is_empty() || !fields.is_empty();
            return failed(say(self.problems), applied);
        }
        Outcome::Done { diff: Some(Diff { fields, source: DiffSource::Applied }), already: false }
    }
}

#[cfg(test)]
mod tests;
