//! Delivers messages to receivers: Slack, PagerDuty, any webhook. A delivery says what came of it and never fails
//! anything else. The secrets (a Slack URL, a routing key) are read from their files for each message, and stand in no
//! error, no log line and no `Debug`.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use paramedic_policies::notifications::{Notice, Notifications, Receipt, Receiver};
use reqwest::header::CONTENT_TYPE;
use serde_json::Value;

use crate::addresses::{self, Resolver};
use crate::endpoints::{Endpoint, EndpointError, secret};
use crate::plain_http::{answered, builder};
use crate::ports::http::{CallError, Reply, Request};
use crate::ports::world::Deliveries;
use crate::retry;
use crate::seal::Sealed;

mod formats;

/// How long one delivery may take, tries included; the engine gives it up after 30 s and tries again later.
const WITHIN: Duration = Duration::from_secs(20);

/// How long one try may take.
const CALL_WITHIN: Duration = Duration::from_secs(10);

/// All receivers.
#[derive(Debug, Default)]
pub struct Courier {
    receivers: BTreeMap<String, Way>,
}

/// How a receiver is reached.
#[derive(Debug)]
enum Way {
    Slack { client: reqwest::Client, url_file: String },
    PagerDuty { client: reqwest::Client, routing_key_file: String, url: String },
    Webhook(Box<Endpoint>),
}

impl Courier {
    /// A way to each receiver; nothing is sent yet.
    ///
    /// # Errors
    /// Where one cannot be used.
    pub fn new(settings: &Notifications) -> Result<Self, EndpointError> {
        let mut receivers = BTreeMap::new();
        for (name, receiver) in &settings.receivers {
            if let Some(way) = Way::of(name, receiver)? {
                receivers.insert(name.clone(), way);
            }
        }
        Ok(Self { receivers })
    }
}

impl Way {
    fn of(name: &str, receiver: &Receiver) -> Result<Option<Self>, EndpointError> {
        // The URL of a Slack webhook is known only once its file is read, so that it may name this machine.
        let client = || -> Result<reqwest::Client, EndpointError> {
            builder(Resolver { loopback: true })
                .and_then(|builder| builder.build().map_err(crate::plain_http::PlainHttpError::Build))
                .map_err(|source| EndpointError::Client { name: name.to_owned(), source })
        };
        Ok(match receiver {
            Receiver { slack: Some(slack), .. } => {
                Some(Self::Slack { client: client()?, url_file: slack.url_file.clone() })
            }
            Receiver { pager_duty: Some(pager), .. } => Some(Self::PagerDuty {
                client: client()?,
                routing_key_file: pager.routing_key_file.clone(),
                url: format!("{}/v2/enqueue", pager.url.trim_end_matches('/')),
            }),
            Receiver { webhook: Some(webhook), .. } => {
                Some(Self::Webhook(Box::new(Endpoint::new(name, webhook)?)))
            }
            _ => None,
        })
    }

    async fn send(&self, notice: &Sealed<Notice>) -> Result<Reply, CallError> {
        let key = formats::dedup_key(notice.stamp(), notice);
        match self {
            Self::Slack { client, url_file } => {
                let shown = format!("the Slack webhook of {}", notice.receiver);
                let url = secret(url_file).await.map_err(|problem| not_sent(&shown, problem))?;
                post(client, &url, &shown, &formats::slack(notice)).await
            }
            Self::PagerDuty { client, routing_key_file, url } => {
                let routing_key = secret(routing_key_file).await.map_err(|problem| not_sent(url, problem))?;
                post(client, url, url, &formats::pager_duty(notice, &key, &routing_key)).await
            }
            Self::Webhook(endpoint) => {
                let request = Request {
                    endpoint: notice.receiver.clone(),
                    path: String::new(),
                    body: Some(formats::webhook(notice, &key)),
                    headers: vec![("Idempotency-Key".to_owned(), notice.stamp().to_owned())],
                    timeout: CALL_WITHIN,
                };
                endpoint.call(reqwest::Method::POST, &request).await
            }
        }
    }

    /// What an answer says: only what each receiver's own documents call success is one.
    fn receipt(&self, reply: &Reply) -> Receipt {
        let said = formats::said(reply);
        let fine = match self {
            Self::Slack { .. } => reply.status == 200,
            Self::PagerDuty { .. } => reply.status == 202,
            Self::Webhook(_) => (200..300).contains(&reply.status),
        };
        if fine {
            return Receipt::Taken { said };
        }
        let passing = matches!(reply.status, 408 | 425 | 429 | 500..=599);
        Receipt::Failed { what: format!("answered {said}"), passing }
    }
}

#[async_trait]
impl Deliveries for Courier {
    async fn deliver(&self, notice: &Sealed<Notice>) -> Receipt {
        let Some(way) = self.receivers.get(&notice.receiver) else {
            let what = format!(
                "there is no receiver `{}` (one that was declared since is there after a restart)",
                notice.receiver
            );
            return Receipt::Failed { what, passing: false };
        };
        let late = || Failed { receipt: Receipt::Failed { what: "no answer in time".into(), passing: true } };
        // What may have arrived is tried again too: told twice is better than never.
        let again = |failed: &Failed| matches!(failed.receipt, Receipt::Failed { passing: true, .. });
        let tried = retry::question(WITHIN, again, late, || async {
            let receipt = match way.send(notice).await {
                Ok(reply) => way.receipt(&reply),
                Err(error) => Receipt::Failed { what: error.to_string(), passing: true },
            };
            match receipt {
                Receipt::Taken { .. } => Ok(receipt),
                Receipt::Failed { .. } => Err(Failed { receipt }),
            }
        });
        let receipt = tried.await.unwrap_or_else(|failed| failed.receipt);
        tracing::info!(notice = %notice.id, receiver = notice.receiver, receipt = receipt.name(), "a message was delivered or not");
        receipt
    }
}

struct Failed {
    receipt: Receipt,
}

fn not_sent(url: &str, problem: String) -> CallError {
    CallError::NotSent { url: url.to_owned(), problem }
}

/// Posts JSON; errors name `shown`, since a URL may be a secret.
async fn post(client: &reqwest::Client, url: &str, shown: &str, body: &Value) -> Result<Reply, CallError> {
    let read = reqwest::Url::parse(url).map_err(|_| not_sent(shown, "its file holds no URL".into()))?;
    if !matches!(read.scheme(), "http" | "https") {
        return Err(not_sent(shown, "its URL is neither http nor https".into()));
    }
    if let Some(why) = addresses::literal(&read) {
        return Err(not_sent(shown, why));
    }
    let request = client.post(read).timeout(CALL_WITHIN).header(CONTENT_TYPE, "application/json");
    answered(request.body(body.to_string()), shown).await
}
