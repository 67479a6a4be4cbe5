//! HTTP to the simulated pods: Maestro's breaker API and a health page, nothing else.

use async_trait::async_trait;
use paramedic_policies::action::Intent;
use paramedic_policies::target::Target;
use paramedic_remediations::Sealed;
use paramedic_remediations::ports::http::{Call, CallError, Http, HttpHands, Reply};

use super::SimulatedCluster;
use crate::world::World;

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
