//! HTTP by reqwest: no redirects, no retries, no proxy of the environment, a deadline for every call, and no more of a
//! body than a bound. Never says that a request did not leave unless the connection was never made.

use std::error::Error as _;
use std::time::Duration;

use async_trait::async_trait;
use paramedic_policies::action::Intent;
use paramedic_policies::remediation::http_call::Method;

use crate::addresses::{self, Resolver};
use crate::endpoints::{self, Endpoints};
use crate::ports::http::{
    BODY_BYTES_MAX, Call, CallError, Declared, Http, HttpHands, Reply, Request, not_declared,
};
use crate::seal::Sealed;

/// How long a connection may take to be made.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// Eyes and hands by HTTP.
#[derive(Debug, Clone)]
pub struct PlainHttp {
    client: reqwest::Client,
    endpoints: Endpoints,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum PlainHttpError {
    /// TLS needs a provider before the first client.
    #[error("no TLS provider is installed in this process (the program installs ring's at its start)")]
    NoProvider,
    /// The client could not be built.
    #[error("could not build an HTTP client")]
    Build(#[source] reqwest::Error),
}

impl PlainHttp {
    /// A client for calls to services; it knows no endpoint by name.
    ///
    /// # Errors
    /// When no TLS provider is installed, or the system's certificates cannot be read.
    pub fn new() -> Result<Self, PlainHttpError> {
        let client = builder(Resolver { loopback: true })?.build().map_err(PlainHttpError::Build)?;
        Ok(Self { client, endpoints: Endpoints::default() })
    }

    /// The same with these endpoints.
    pub fn with_endpoints(self, endpoints: Endpoints) -> Self {
        Self { endpoints, ..self }
    }

    async fn call(&self, method: reqwest::Method, call: &Call) -> Result<Reply, CallError> {
        // A host that is an address is never resolved, so nobody else would judge it.
        let forbidden = reqwest::Url::parse(&call.url).ok().and_then(|url| addresses::literal(&url));
        if let Some(problem) = forbidden {
            return Err(CallError::NotSent { url: call.url.clone(), problem });
        }
        let mut request = self.client.request(method, &call.url).timeout(call.timeout);
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        answered(request, &call.url).await
    }
}

/// What every client here has in common.
pub(crate) fn builder(resolver: Resolver) -> Result<reqwest::ClientBuilder, PlainHttpError> {
    // Without one, reqwest panics.
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        return Err(PlainHttpError::NoProvider);
    }
    Ok(reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .dns_resolver(resolver)
        .connect_timeout(CONNECT_WITHIN)
        .user_agent(concat!("paramedic/", env!("CARGO_PKG_VERSION"))))
}

/// Sends a request, and reads no more of the answer than a bound. Errors name `shown` and never what was sent.
pub(crate) async fn answered(request: reqwest::RequestBuilder, shown: &str) -> Result<Reply, CallError> {
    let no_answer = |error: reqwest::Error| {
        let never_left = error.is_connect() || error.is_builder();
        let (url, problem) = (shown.to_owned(), innermost(&error.without_url()));
        if never_left { CallError::NotSent { url, problem } } else { CallError::NoAnswer { url, problem } }
    };
    let mut response = request.send().await.map_err(no_answer)?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(no_answer)? {
        let room = BODY_BYTES_MAX - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() >= room {
            break;
        }
    }
    Ok(Reply { status, body: String::from_utf8_lossy(&body).into_owned() })
}

#[async_trait]
impl Http for PlainHttp {
    async fn get(&self, call: &Call) -> Result<Reply, CallError> {
        self.call(reqwest::Method::GET, call).await
    }

    async fn declared(&self, endpoint: &str) -> Option<Declared> {
        Some(self.endpoints.get(endpoint)?.declared().await)
    }

    async fn look(&self, request: &Request) -> Result<Reply, CallError> {
        let endpoint = self.endpoints.get(&request.endpoint).ok_or_else(|| not_declared(request))?;
        endpoint.call(reqwest::Method::GET, request).await
    }
}

#[async_trait]
impl HttpHands for PlainHttp {
    async fn post(&self, _seal: &Sealed<Intent>, call: &Call) -> Result<Reply, CallError> {
        self.call(reqwest::Method::POST, call).await
    }

    async fn send(
        &self,
        _seal: &Sealed<Intent>,
        method: Method,
        request: &Request,
    ) -> Result<Reply, CallError> {
        let endpoint = self.endpoints.get(&request.endpoint).ok_or_else(|| not_declared(request))?;
        endpoint.call(endpoints::method(method), request).await
    }
}

/// What went wrong at the bottom: the layers above it say the same less exactly.
fn innermost(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".into();
    }
    let mut problem = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        problem = inner.to_string();
        source = inner.source();
    }
    problem
}

#[cfg(test)]
mod tests {
    use std::sync::Once;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    fn client() -> PlainHttp {
        static INSTALLED: Once = Once::new();
        INSTALLED.call_once(|| {
            assert!(matches!(PlainHttp::new(), Err(PlainHttpError::NoProvider)), "an error, and no panic");
            rustls::crypto::ring::default_provider()
                .install_default()
                .expect("nobody else installs one here");
        });
        PlainHttp::new().expect("there is a provider now")
    }

    /// A server that answers one request with these bytes and hangs up.
    async fn answering(bytes: Vec<u8>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        tokio::spawn(async move {
            let Ok((mut stream, _)) = listener.accept().await else { return };
            let _ = stream.read(&mut [0; 4096]).await;
            // The client may have had enough.
            let _ = stream.write_all(&bytes).await;
        });
        url
    }

    async fn got(url: String) -> Result<Reply, CallError> {
        let call = Call { url, headers: Vec::new(), timeout: Duration::from_secs(5) };
        client().get(&call).await
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_like_any_other() {
        let redirect = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
        let reply = got(answering(redirect.into()).await).await.expect("an answer");
        assert_eq!(reply.status, 302);
    }

    #[tokio::test]
    async fn an_address_that_is_written_out_is_judged_like_one_that_a_name_leads_to() {
        for url in ["http://169.254.169.254/latest", "http://[fd00:ec2::23]/v1", "http://2852039166/"] {
            let refused = got(url.to_owned()).await.expect_err(url);
            assert!(
                matches!(&refused, CallError::NotSent { problem, .. } if problem.contains(" is ")),
                "{refused:?}"
            );
        }
    }

    #[tokio::test]
    async fn of_an_endless_body_only_so_much_is_read() {
        let mut endless = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n".to_vec();
        endless.resize(BODY_BYTES_MAX * 2, b'x');
        let reply = got(answering(endless).await).await.expect("an answer");
        assert_eq!(reply.body.len(), BODY_BYTES_MAX);
    }

    #[tokio::test]
    async fn what_never_connected_was_not_sent_and_what_hung_up_may_have_been() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let nobody = format!("http://{}", listener.local_addr().expect("it is bound"));
        drop(listener);
        let refused = got(nobody).await.expect_err("nobody listens");
        assert!(matches!(refused, CallError::NotSent { .. }), "{refused:?}");
        let hung_up = got(answering(Vec::new()).await).await.expect_err("it hung up");
        assert!(matches!(hung_up, CallError::NoAnswer { .. }), "{hung_up:?}");
    }
}
