//! The way to pods by HTTP: calls that are lost, and calls that are answered to nobody. Pods are the cluster's own.

use std::time::Duration;

use async_trait::async_trait;
use paramedic_policies::action::Intent;
use paramedic_policies::target::Target;
use paramedic_remediations::Sealed;
use paramedic_remediations::ports::http::{Call, CallError, Http, HttpHands, Reply};
use tokio::time::sleep;

use super::disk::Disk;
use super::faults::Fault;
use super::sky::Sky;
use super::tape::{Fate, Request};
use crate::SimulatedCluster;

/// How long somebody waits for an answer that does not come.
const NO_ANSWER_FOR: Duration = Duration::from_secs(5);

/// Pods behind their way.
#[derive(Debug, Clone)]
pub(crate) struct Pods {
    /// Whose pods.
    pub(crate) cluster: SimulatedCluster,
    /// The weather.
    pub(crate) sky: Sky,
    /// Asked for nothing but what was durable when a call left.
    pub(crate) disk: Disk,
}

#[async_trait]
impl Http for Pods {
    async fn get(&self, call: &Call) -> Result<Reply, CallError> {
        if self.sky.strikes(self.sky.chances().look_failed, Fault::LookFailed, &call.url) {
            let problem = "connection reset".to_owned();
            return Err(CallError::NoAnswer { url: call.url.clone(), problem });
        }
        self.cluster.get(call).await
    }
}

#[async_trait]
impl HttpHands for Pods {
    async fn post(&self, seal: &Sealed<Intent>, call: &Call) -> Result<Reply, CallError> {
        let now = self.sky.now();
        let mut request = Request {
            sent_at: now,
            at: now,
            durable: self.disk.durable(),
            stamp: seal.stamp().to_owned(),
            on: Target { ..seal.target.clone() },
            what: format!("POST {}", call.url),
            fate: Fate::Lost,
        };
        let chances = self.sky.chances();
        let is_lost = self.sky.strikes(chances.request_lost, Fault::CallLost, &call.url);
        let is_silent = !is_lost && self.sky.strikes(chances.answer_lost, Fault::CallAnswerLost, &call.url);
        let reply = if is_lost { None } else { Some(self.cluster.post(seal, call).await) };
        request.fate = match &reply {
            None => Fate::Lost,
            Some(Ok(reply)) if reply.status < 300 => Fate::Made,
            Some(Ok(_) | Err(_)) => Fate::Refused,
        };
        let line = format!("> {} on {}: {} ({:?})", request.stamp, request.on, request.what, request.fate);
        self.sky.recorder.line(now, || line);
        self.sky.recorder.tape().requests.push(request);
        match reply {
            Some(reply) if !is_silent => reply,
            Some(_) | None => {
                sleep(NO_ANSWER_FOR).await;
                Err(CallError::NoAnswer { url: call.url.clone(), problem: "no answer in time".to_owned() })
            }
        }
    }
}
