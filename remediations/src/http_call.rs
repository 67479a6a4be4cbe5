//! Makes a declared call to a declared endpoint. A request whose answer is lost is repeated only where the endpoint
//! honours the key, and is otherwise in doubt until a declared look shows what became of it: never says that a call was
//! not made because nothing came back. Bodies of answers and secrets are never kept.

use std::time::Duration;

use async_trait::async_trait;
use paramedic_policies::action::{self, Change, Diff, DiffSource, Intent, Outcome};
use paramedic_policies::answer::Preflight;
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::http_call::{Action, Call, Look, Wish, Written};
use paramedic_policies::target::Target;

use crate::checks::{self, Checks, Seen};
use crate::one_change::failed;
use crate::ports::clock::left;
use crate::ports::cluster::LookError;
use crate::ports::http::{CallError, Declared, Http, Request};
use crate::ports::objects::Resource;
use crate::remedy::{BothHands, Deed, Eyes, Plans, irrevocable};
use crate::rights::{Aim, Needs, Rights, Verb};
use crate::seal::Sealed;
use answer::{Judged, Shown, judged, shown};

mod answer;

const SPACES: Resource = Resource::of_cluster("", "v1", "namespaces", "Namespace");
const SERVICES: Resource = Resource::namespaced("", "v1", "services", "Service");

/// How long a look may take altogether, tries included.
const LOOK_WITHIN: Duration = Duration::from_secs(20);

/// How long a service may work on a request whose answer was lost. Only a look after that shows that it was not done.
const REQUEST_LIFE: Duration = Duration::from_secs(65);

/// How often a call is sent where the endpoint honours the key.
const SENDS_MAX: u32 = 3;

/// The pause before the second time, doubled before the third.
const PAUSE: Duration = Duration::from_secs(1);

impl Needs for Written {
    fn needs(&self, aim: &Aim<'_>, rights: &mut Rights) {
        // Whether somebody paused it; the call itself goes elsewhere.
        let workloads = aim.but(&["Service"]);
        if workloads.kinds().next().is_some() {
            rights.workload(&workloads);
        }
        for service in aim.only(&["Service"]).targets() {
            rights.look(&[Verb::Get], &service);
            rights.look(&[Verb::Get], &aim.home());
        }
    }
}

#[async_trait]
impl Plans for Wish {
    async fn preflight(&self, eyes: Eyes<'_>, target: &Target, diff: bool) -> Result<Preflight, LookError> {
        let mut checks = Checks::default();
        let mut seen = Seen { labels: around(eyes, target, &mut checks).await?, ..Seen::default() };
        let Some(declared) = usable(eyes.http, &self.endpoint, &mut checks).await else {
            return Ok(checks.into_preflight(seen, None, false));
        };
        let mut already = false;
        if let Some(look) = &self.look {
            match see(eyes.http, self, look, None).await {
                Shown::Done => already = true,
                Shown::NotDone(found) => checks.pass(format!("it is not done yet: {found}")),
                Shown::Unclear(found) => {
                    checks.refuse(Reason::FactUnknown { fact: "whether it is done".into(), found });
                }
            }
        }
        already &= checks.is_clear();
        let action = Action { base: declared.base.clone(), wish: self.clone() };
        if diff && checks.is_clear() && !already {
            seen.diff = Some(would_send(&action, &declared, "<the stamp of the intent>"));
        }
        Ok(checks.into_preflight(seen, (!already).then_some(action::Action::Http(action)), already))
    }
}

#[async_trait]
impl Deed for Action {
    /// Where a look is declared, only while it shows what was done.
    async fn preflight_of_revert(
        &self,
        eyes: Eyes<'_>,
        target: &Target,
        diff: bool,
    ) -> Result<Preflight, LookError> {
        let Some(undo) = self.wish.undo.clone() else { return Ok(irrevocable("call without `undo`")) };
        let mut checks = Checks::default();
        let mut seen = Seen { labels: around(eyes, target, &mut checks).await?, ..Seen::default() };
        let back = Wish { call: undo.call, look: undo.look, undo: None, ..self.wish.clone() };
        let Some(declared) = usable(eyes.http, &self.wish.endpoint, &mut checks).await else {
            return Ok(checks.into_preflight(seen, None, false));
        };
        let mut already = false;
        if let Some(look) = &back.look {
            already = see(eyes.http, &back, look, None).await == Shown::Done;
        }
        if let (Some(look), false) = (&self.wish.look, already) {
            match see(eyes.http, &self.wish, look, None).await {
                Shown::Done => checks.pass("what was done still holds"),
                Shown::NotDone(what) => checks.refuse(Reason::Changed { what }),
                Shown::Unclear(found) => {
                    checks.refuse(Reason::FactUnknown { fact: "whether it still holds".into(), found });
                }
            }
        }
        let action = Self { base: declared.base.clone(), wish: back };
        if diff && checks.is_clear() && !already {
            seen.diff = Some(would_send(&action, &declared, "<the stamp of the intent>"));
        }
        Ok(checks.into_preflight(seen, (!already).then_some(action::Action::Http(action)), already))
    }

    /// There is no dry run by HTTP: what would be sent is shown to the last header, and a declared look is made.
    async fn rehearse(&self, eyes: Eyes<'_>, seal: &Sealed<Intent>) -> Outcome {
        let declared = match self.declared(eyes.http).await {
            Ok(declared) => declared,
            Err(reason) => return Outcome::Refused { reasons: vec![reason] },
        };
        match self.looked(eyes.http, seal).await {
            Some(Shown::Done) => Outcome::Done { diff: None, already: true },
            Some(Shown::Unclear(problem)) => failed(problem),
            Some(Shown::NotDone(_)) | None => {
                Outcome::Done { diff: Some(would_send(self, &declared, seal.stamp())), already: false }
            }
        }
    }

    async fn perform(&self, hands: BothHands<'_>, seal: &Sealed<Intent>) -> Outcome {
        let (http, clock) = (hands.eyes.http, hands.eyes.clock);
        let declared = match self.declared(http).await {
            Ok(declared) => declared,
            Err(reason) => return Outcome::Refused { reasons: vec![reason] },
        };
        if left(clock, seal.deadline).is_zero() {
            return failed("its deadline has passed before anything was sent".into());
        }
        let mut checks = Checks::default();
        if let Err(error) = around(hands.eyes, &seal.target, &mut checks).await {
            return failed(format!("nothing was sent: {error}"));
        }
        if !checks.is_clear() {
            return Outcome::Refused { reasons: checks.refusals };
        }
        match self.looked(http, seal).await {
            Some(Shown::Done) => return Outcome::Done { diff: None, already: true },
            Some(Shown::Unclear(problem)) => return failed(problem),
            Some(Shown::NotDone(_)) | None => {}
        }
        let call = &self.wish.call;
        let url = format!("{}{}", declared.base, call.path);
        let request = Request { timeout: self.timeout(left(clock, seal.deadline)), ..self.request(seal) };
        let mut sent = 1;
        let doubt = loop {
            let doubt = match hands.http.send(seal, call.method, &request).await {
                Ok(reply) => match judged(call, reply.status) {
                    Judged::Done => return self.done(&url, reply.status),
                    Judged::Already if sent == 1 => return Outcome::Done { diff: None, already: true },
                    // By the try before, whose answer was lost.
                    Judged::Already => return self.done(&url, reply.status),
                    Judged::Refused(why) if sent == 1 => return failed(format!("{url} {why}")),
                    Judged::Unexpected(why) => {
                        return Outcome::Failed { what: format!("{url} {why}"), applied: true, diff: None };
                    }
                    // What an earlier try did is not known by that.
                    Judged::Refused(why) | Judged::Doubt(why) => format!("{url} {why}"),
                },
                Err(error @ CallError::NotSent { .. }) if sent == 1 => return failed(error.to_string()),
                Err(error) => error.to_string(),
            };
            let pause = PAUSE * sent;
            let time = left(clock, seal.deadline) > pause + request.timeout;
            if !self.wish.idempotent || sent == SENDS_MAX || !time {
                break doubt;
            }
            tracing::warn!(intent = %seal.id, endpoint = self.wish.endpoint, "a call without an answer is repeated with its key");
            tokio::time::sleep(pause).await;
            sent += 1;
        };
        tracing::warn!(intent = %seal.id, endpoint = self.wish.endpoint, "nobody knows yet whether a call was done");
        match self.find_out(http, seal).await {
            None => Outcome::Unknown {
                what: format!("{doubt}; no `look` is declared, so nobody knows whether it was done"),
            },
            Some(Shown::Done) => self.done(&url, self.wish.call.expect.first().copied().unwrap_or(200)),
            Some(Shown::NotDone(found)) => {
                failed(format!("{doubt}; a look shows that it was not done: {found}"))
            }
            Some(Shown::Unclear(found)) => {
                Outcome::Unknown { what: format!("{doubt}; {found}, so nobody knows") }
            }
        }
    }

    /// By the declared look; without one nobody knows.
    async fn close(&self, eyes: Eyes<'_>, seal: &Sealed<Intent>) -> Outcome {
        let unknown =
            |why: String| Outcome::Unknown { what: format!("the process ended during {self}: {why}") };
        match self.find_out(eyes.http, seal).await {
            Some(Shown::Done) => Outcome::Done { diff: None, already: false },
            Some(Shown::NotDone(found)) => {
                failed(format!("the process ended before {self} was done: {found}"))
            }
            Some(Shown::Unclear(found)) => unknown(found),
            None => unknown("no `look` is declared".into()),
        }
    }
}

trait Sending {
    fn timeout(&self, left: Duration) -> Duration;
    fn request(&self, seal: &Sealed<Intent>) -> Request;
    fn done(&self, url: &str, status: u16) -> Outcome;
    async fn declared(&self, http: &dyn Http) -> Result<Declared, Reason>;
    async fn looked(&self, http: &dyn Http, seal: &Sealed<Intent>) -> Option<Shown>;
    async fn find_out(&self, http: &dyn Http, seal: &Sealed<Intent>) -> Option<Shown>;
}

impl Sending for Action {
    fn timeout(&self, left: Duration) -> Duration {
        self.wish.timeout.duration().min(left)
    }

    fn request(&self, seal: &Sealed<Intent>) -> Request {
        let mut headers = vec![(self.wish.idempotency_key.clone(), seal.stamp().to_owned())];
        headers.extend(seal.correlation.iter().map(|id| ("X-Correlation-Id".to_owned(), id.clone())));
        Request {
            endpoint: self.wish.endpoint.clone(),
            path: self.wish.call.path.clone(),
            body: self.wish.call.body.clone(),
            headers,
            timeout: self.wish.timeout.duration(),
        }
    }

    fn done(&self, url: &str, status: u16) -> Outcome {
        let path = format!("{} {url}", self.wish.call.method);
        let answered = Change { path, before: "-".into(), after: format!("answered {status}") };
        Outcome::Done {
            diff: Some(Diff { fields: vec![answered], source: DiffSource::Applied }),
            already: false,
        }
    }

    /// The endpoint, where it is still the one that was decided on.
    async fn declared(&self, http: &dyn Http) -> Result<Declared, Reason> {
        match http.declared(&self.wish.endpoint).await {
            None => Err(absent(&self.wish.endpoint)),
            Some(declared) if declared.base != self.base => Err(Reason::Changed {
                what: format!("endpoint {} is {}, was {}", self.wish.endpoint, declared.base, self.base),
            }),
            Some(declared) => Ok(declared),
        }
    }

    async fn looked(&self, http: &dyn Http, seal: &Sealed<Intent>) -> Option<Shown> {
        let look = self.wish.look.as_ref()?;
        Some(see(http, &self.wish, look, seal.correlation.as_deref()).await)
    }

    /// Looks, and once more when the request cannot be worked on any longer.
    async fn find_out(&self, http: &dyn Http, seal: &Sealed<Intent>) -> Option<Shown> {
        match self.looked(http, seal).await? {
            Shown::NotDone(_) => {
                tokio::time::sleep(REQUEST_LIFE).await;
                self.looked(http, seal).await
            }
            seen @ (Shown::Done | Shown::Unclear(_)) => Some(seen),
        }
    }
}

/// Asks the declared look.
async fn see(http: &dyn Http, wish: &Wish, look: &Look, correlation: Option<&str>) -> Shown {
    let request = Request {
        endpoint: wish.endpoint.clone(),
        path: look.path.clone(),
        body: None,
        headers: correlation.iter().map(|id| ("X-Correlation-Id".to_owned(), (*id).to_owned())).collect(),
        timeout: wish.timeout.duration(),
    };
    let late = || CallError::NoAnswer { url: look.path.clone(), problem: "none in time".into() };
    match crate::retry::question(LOOK_WITHIN, |_| true, late, || http.look(&request)).await {
        Ok(reply) => shown(look, &reply),
        Err(error) => Shown::Unclear(error.to_string()),
    }
}

fn absent(endpoint: &str) -> Reason {
    Reason::TargetAbsent { what: format!("endpoint `{endpoint}` in the configuration") }
}

/// The endpoint, where it can be called; its checks are noted.
async fn usable(http: &dyn Http, endpoint: &str, checks: &mut Checks) -> Option<Declared> {
    let Some(declared) = http.declared(endpoint).await else {
        checks.refuse(absent(endpoint));
        return None;
    };
    checks.note(match &declared.unready {
        None => Ok(format!("endpoint {endpoint} is {}", declared.base)),
        Some(found) => {
            Err(Reason::FactUnknown { fact: format!("secret of endpoint {endpoint}"), found: found.clone() })
        }
    });
    Some(declared)
}

/// The labels of what the alert is about; whether a person paused it is noted. Without Kubernetes there is neither.
async fn around(
    eyes: Eyes<'_>,
    target: &Target,
    checks: &mut Checks,
) -> Result<std::collections::BTreeMap<String, String>, LookError> {
    let Some(cluster) = eyes.kubernetes else {
        checks.pass("Kubernetes is switched off: nothing is paused there");
        return Ok(std::collections::BTreeMap::new());
    };
    if target.kind != "Service" {
        let workload = cluster.look(target).await?;
        checks::pauses(&workload, eyes.now(), checks);
        return Ok(workload.labels);
    }
    let service = cluster.get(&SERVICES.named(&target.namespace, &target.name)).await?;
    let service = service.ok_or_else(|| LookError::Absent { what: target.to_string() })?;
    let space = cluster.get(&SPACES.named("", &target.namespace)).await?.unwrap_or_default();
    let of = |object: &serde_json::Value, key: &str| {
        object
            .pointer(&format!("/metadata/{key}"))
            .and_then(|map| serde_json::from_value(map.clone()).ok())
            .unwrap_or_default()
    };
    checks.note(checks::pause("service", &of(&service, "annotations"), eyes.now()));
    checks.note(checks::pause("namespace", &of(&space, "annotations"), eyes.now()));
    Ok(of(&service, "labels"))
}

/// The request as it would be sent; a secret is the name of its file.
fn would_send(action: &Action, declared: &Declared, stamp: &str) -> Diff {
    let Wish { call: Call { method, path, body, .. }, idempotency_key, .. } = &action.wish;
    let new = |path: String, after: String| Change { path, before: "-".into(), after };
    let mut fields = vec![new("request".into(), format!("{method} {}{path}", declared.base))];
    fields.extend(declared.headers.iter().map(|(name, value)| new(format!("header {name}"), value.clone())));
    fields.push(new(format!("header {idempotency_key}"), stamp.to_owned()));
    fields.extend(body.as_ref().map(|body| new("body".into(), body.to_string())));
    Diff { fields, source: DiffSource::Computed { because: "there is no dry run by HTTP".into() } }
}

#[cfg(test)]
mod tests;
