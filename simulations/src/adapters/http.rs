//! HTTP to the simulated pods (Maestro's breaker API and a health page, nothing else) and to declared services, as far as
//! the world knows their answers.

use async_trait::async_trait;
use paramedic_policies::action::Intent;
use paramedic_policies::remediation::http_call::Method;
use paramedic_policies::target::Target;
use paramedic_remediations::Sealed;
use paramedic_remediations::ports::http::{Call, CallError, Declared, Http, HttpHands, Reply, Request};

use super::SimulatedCluster;
use crate::world::endpoints::{Answer, Endpoint};
use crate::world::{Fault, World};

/// Where breakers are listed, as Maestro has it.
const BREAKERS: &str = "/api/resilience/circuit-breakers";

#[async_trait]
impl Http for SimulatedCluster {
    async fn get(&self, call: &Call) -> Result<Reply, CallError> {
        self.with(|world| {
            let pod = connect(world, &call.url)?;
            Ok(match pod.path.as_str() {
                BREAKERS => ok(world
                    .services
                    .get(&pod.service)
                    .map_or_else(String::new, |one| one.states(pod.number))),
                "/health" => ok("ok".to_owned()),
                _ => not_found(),
            })
        })
    }

    async fn declared(&self, endpoint: &str) -> Option<Declared> {
        self.with(|world| {
            let found = world.endpoints.get(endpoint)?;
            Some(Declared { base: found.base.clone(), headers: Vec::new(), unready: None })
        })
    }

    async fn look(&self, request: &Request) -> Result<Reply, CallError> {
        self.with(|world| Ok(reply(declared(world, request)?.show(&request.path))))
    }
}

/// The service behind a declared endpoint.
fn declared<'w>(world: &'w mut World, request: &Request) -> Result<&'w mut Endpoint, CallError> {
    let refused = |problem: &str| {
        let url = format!("endpoint {}", request.endpoint);
        CallError::NotSent { url, problem: problem.to_owned() }
    };
    if world.outages.http {
        return Err(refused("connection refused"));
    }
    world.endpoints.get_mut(&request.endpoint).ok_or_else(|| refused("it is not declared"))
}

fn reply(answer: Answer) -> Reply {
    let body = if answer.body.is_null() { String::new() } else { answer.body.to_string() };
    Reply { status: answer.status, body }
}

#[async_trait]
impl HttpHands for SimulatedCluster {
    async fn post(&self, seal: &Sealed<Intent>, call: &Call) -> Result<Reply, CallError> {
        self.with(|world| {
            let pod = connect(world, &call.url)?;
            let breaker = pod
                .path
                .strip_prefix(BREAKERS)
                .and_then(|rest| rest.strip_prefix('/'))
                .and_then(|rest| rest.strip_suffix("/reset"));
            let known =
                world.services.get(&pod.service).map(|service| service.breakers.clone()).unwrap_or_default();
            match breaker {
                Some(breaker) if known.iter().any(|name| name == breaker) => {
                    world.close_breaker(&pod.service, pod.number, breaker, seal.stamp());
                    Ok(ok(String::new()))
                }
                Some(_) | None => Ok(not_found()),
            }
        })
    }

    async fn send(
        &self,
        seal: &Sealed<Intent>,
        method: Method,
        request: &Request,
    ) -> Result<Reply, CallError> {
        self.with(|world| {
            let now = world.now();
            let fault = world.faults.next(now);
            let no_answer = || {
                let url = format!("endpoint {}", request.endpoint);
                Err(CallError::NoAnswer { url, problem: "no answer in time".to_owned() })
            };
            if fault == Some(Fault::LosesRequests) {
                return no_answer();
            }
            let answer = declared(world, request)?.call(&method.to_string(), &request.path);
            let what = format!("{method} {} answered {}", request.path, answer.status);
            let on = Target {
                kind: "Endpoint".to_owned(),
                namespace: "-".to_owned(),
                name: request.endpoint.clone(),
            };
            world.touched(seal.stamp(), &on, what);
            if fault == Some(Fault::LosesAnswers) { no_answer() } else { Ok(reply(answer)) }
        })
    }
}

struct Reached {
    service: Target,
    number: u32,
    path: String,
}

/// The pod behind a URL.
fn connect(world: &World, url: &str) -> Result<Reached, CallError> {
    let refused = |problem: &str| CallError::NotSent { url: url.to_owned(), problem: problem.to_owned() };
    if world.outages.http {
        return Err(refused("connection refused"));
    }
    for service in world.services.values() {
        let Some(workload) = world.workloads.get(&service.selects) else { continue };
        for (base, number) in service.endpoints(workload, world.now()) {
            if let Some(path) = url.strip_prefix(&base) {
                return Ok(Reached { service: service.target.clone(), number, path: path.to_owned() });
            }
        }
    }
    Err(refused("no such pod"))
}

fn ok(body: String) -> Reply {
    Reply { status: 200, body }
}

fn not_found() -> Reply {
    Reply { status: 404, body: r#"{"error":"not found"}"#.to_owned() }
}
