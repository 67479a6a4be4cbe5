//! Services whose pods answer HTTP, each with circuit breakers of its own, as Maestro's processes have them.

use std::collections::BTreeMap;

use paramedic_policies::target::Target;
use paramedic_policies::time::Moment;

use super::pods::Workload;

/// A Service.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// Its name.
    pub target: Target,
    /// Its uid.
    pub uid: String,
    /// The workload whose pods it selects.
    pub selects: Target,
    /// Its port: name and number.
    pub port: (String, u16),
    /// The first two bytes after `10.` of its pods' addresses.
    pub subnet: u8,
    /// The dependencies that each process has a breaker for.
    pub breakers: Vec<String>,
    /// The breakers that are not closed, by pod number and name.
    pub tripped: BTreeMap<(u32, String), BreakerState>,
}

/// Where a breaker stands when it is not closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// It lets nothing through.
    Open,
    /// It lets a few through, to see.
    HalfOpen,
}

impl BreakerState {
    fn name(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::HalfOpen => "HALF_OPEN",
        }
    }
}

impl Service {
    /// Whether a port of this name or number is served.
    pub fn has_port(&self, port: &str) -> bool {
        self.port.0 == port || self.port.1.to_string() == port
    }

    /// The base URL of one pod.
    pub fn url(&self, pod: u32) -> String {
        format!("http://10.244.{}.{pod}:{}", self.subnet, self.port.1)
    }

    /// Base URLs of the ready pods, sorted, with their pods' numbers.
    pub fn endpoints(&self, workload: &Workload, now: Moment) -> BTreeMap<String, u32> {
        let ready = workload.pods.iter().filter(|pod| pod.ready_at.is_some_and(|at| at <= now));
        ready.map(|pod| (self.url(pod.number), pod.number)).collect()
    }

    /// Opens a breaker on every pod.
    pub fn trip(&mut self, workload: &Workload, breaker: &str) {
        for pod in &workload.pods {
            self.tripped.insert((pod.number, breaker.to_owned()), BreakerState::Open);
        }
    }

    /// Whether a breaker is closed on every pod. A pod that is gone took its breakers with it.
    pub fn is_closed(&self, workload: &Workload, breaker: &str) -> bool {
        let lives = |number: u32| workload.pods.iter().any(|pod| pod.number == number);
        !self.tripped.keys().any(|(number, name)| name == breaker && lives(*number))
    }

    /// The body of `GET /api/resilience/circuit-breakers` on one pod.
    pub fn states(&self, pod: u32) -> String {
        let states: BTreeMap<&str, serde_json::Value> = self
            .breakers
            .iter()
            .map(|name| {
                let state = self.tripped.get(&(pod, name.clone()));
                let failures = if state.is_some() { 7 } else { 0 };
                let state = state.map_or("CLOSED", |state| state.name());
                (name.as_str(), serde_json::json!({"state": state, "failures": failures}))
            })
            .collect();
        serde_json::json!(states).to_string()
    }
}
