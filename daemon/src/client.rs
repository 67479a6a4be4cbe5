//! A client of the daemon's own API, for the commands of the terminal. One attempt each, with a deadline; it must never
//! repeat an order by itself, and never give the token of a daemon on this machine to a proxy.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// How long an answer may take. Explaining asks Prometheus and Kubernetes first, for at most 90 s.
const ANSWER_WITHIN: Duration = Duration::from_secs(100);

/// How long connecting may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// How long a quiet stream may be quiet: the daemon sends a line each 15 s.
const QUIET_MAX: Duration = Duration::from_secs(60);

/// How much of an error's body is shown when it is not the daemon's own.
const FOREIGN_CHARS_MAX: usize = 200;

/// Talks to one daemon.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    server: Url,
    /// What stands between, by the environment.
    proxy: Option<String>,
    bearer: Option<HeaderValue>,
}

/// Why there is no answer, or not the wanted one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The client itself was set up wrongly.
    #[error("{problem}")]
    Setup {
        /// What is wrong.
        problem: String,
        /// What to do.
        hint: String,
    },
    /// Nobody answered.
    #[error("could not reach the daemon at {server}: {problem}")]
    Unreachable {
        /// Where it should be.
        server: String,
        /// What went wrong.
        problem: String,
        /// Whether nobody listens there at all, as far as that can be told from here.
        nobody: bool,
    },
    /// The daemon refused.
    #[error("{error}")]
    Refused {
        /// Its status code.
        status: u16,
        /// What it said.
        error: String,
        /// What it advises.
        hint: Option<String>,
    },
    /// The answer is not what the API promises.
    #[error("{server} did not answer as paramedic does: {problem}")]
    Foreign {
        /// Who answered.
        server: String,
        /// What is wrong with the answer.
        problem: String,
    },
}

impl ClientError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Setup { hint, .. } => Some(hint.clone()),
            Self::Unreachable { .. } => Some(
                "is the daemon running? name it with --server URL; `audit` and `explain` also read its data \
                 directory with --data-dir DIR while it is stopped"
                    .to_owned(),
            ),
            Self::Refused { status: 401, .. } => {
                Some("give a token that the daemon knows with --token-file FILE".to_owned())
            }
            Self::Refused { status: 403, hint, .. } => hint.clone().or_else(|| {
                Some("the token's role does not allow this; orders need the role `operate`".to_owned())
            }),
            Self::Refused { hint, .. } => hint.clone(),
            Self::Foreign { .. } => {
                Some("--server takes the address of `serve --listen`, without a path".to_owned())
            }
        }
    }

    /// Whether the daemon refused for what was asked, not for how it is.
    pub fn is_askers_fault(&self) -> bool {
        match self {
            Self::Setup { .. } => true,
            Self::Refused { status, .. } => (400..500).contains(status),
            Self::Unreachable { .. } | Self::Foreign { .. } => false,
        }
    }
}

type Answer<T> = Result<T, ClientError>;

impl Client {
    /// A client of the daemon at `server`, with the token in a file where one is needed.
    ///
    /// # Errors
    /// When the URL or the token file cannot be used.
    pub fn new(server: &str, token_file: Option<&Path>) -> Answer<Self> {
        let server = Url::parse(server).map_err(|error| ClientError::Setup {
            problem: format!("`{server}` is not a URL: {error}"),
            hint: "write it such as http://127.0.0.1:9911".to_owned(),
        })?;
        if !matches!(server.scheme(), "http" | "https") {
            return Err(ClientError::Setup {
                problem: format!("`{server}` is neither http nor https"),
                hint: "write it such as http://127.0.0.1:9911".to_owned(),
            });
        }
        let mut http = reqwest::Client::builder()
            .connect_timeout(CONNECT_WITHIN)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("paramedic/", env!("CARGO_PKG_VERSION")));
        let mut proxy = proxy_to(&server);
        if is_here(&server) {
            (http, proxy) = (http.no_proxy(), None);
        }
        let http = http.build().map_err(|error| ClientError::Setup {
            problem: format!("could not set up HTTP: {}", causes(&error)),
            hint: "look at the machine's certificates".to_owned(),
        })?;
        let bearer = token_file.map(bearer).transpose()?;
        Ok(Self { http, server, proxy, bearer })
    }

    /// Who is asked, and through whom: what fails may be the proxy.
    fn asked(&self) -> String {
        match &self.proxy {
            None => self.server().to_owned(),
            Some(proxy) => {
                let host = self.server.host_str().unwrap_or_default();
                format!(
                    "{} through the proxy {proxy} of the environment (NO_PROXY={host} leaves it out)",
                    self.server()
                )
            }
        }
    }

    /// Where the daemon is.
    pub fn server(&self) -> &str {
        self.server.as_str().trim_end_matches('/')
    }

    /// `GET` with query parameters.
    ///
    /// # Errors
    /// When there is no answer, or a refusal.
    pub async fn get<T: DeserializeOwned>(&self, path: &str, query: &impl Serialize) -> Answer<T> {
        let request = self.request(Method::GET, path).query(query).timeout(ANSWER_WITHIN);
        self.read(self.send(request).await?).await
    }

    /// `POST` of a JSON body. Never repeated.
    ///
    /// # Errors
    /// When there is no answer (it may have been taken all the same), or a refusal.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Answer<T> {
        let request = self.request(Method::POST, path).json(body).timeout(ANSWER_WITHIN);
        self.read(self.send(request).await?).await
    }

    /// Opens the live stream. It only says that there is something new: what was missed is read by a query.
    ///
    /// # Errors
    /// When there is no answer, or a refusal.
    pub async fn stream(&self) -> Answer<Stream> {
        let request = self.request(Method::GET, "/api/v1/stream").header(ACCEPT, "text/event-stream");
        Ok(Stream { response: self.send(request).await?, server: self.asked() })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut request = self.http.request(method, format!("{}{path}", self.server()));
        if let Some(bearer) = &self.bearer {
            request = request.header(AUTHORIZATION, bearer);
        }
        request
    }

    async fn send(&self, request: RequestBuilder) -> Answer<Response> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = response.text().await.unwrap_or_default();
        Err(self.refused(status, &text))
    }

    async fn read<T: DeserializeOwned>(&self, response: Response) -> Answer<T> {
        let bytes = response.bytes().await.map_err(|error| self.unreachable(&error))?;
        serde_json::from_slice(&bytes)
            .map_err(|error| ClientError::Foreign { server: self.asked(), problem: error.to_string() })
    }

    fn refused(&self, status: StatusCode, body: &str) -> ClientError {
        let said: Value = serde_json::from_str(body).unwrap_or(Value::Null);
        let text = |key: &str| said.get(key).and_then(Value::as_str).map(str::to_owned);
        match text("error") {
            Some(error) => ClientError::Refused { status: status.as_u16(), error, hint: text("hint") },
            None => {
                let body: String = body.chars().filter(|c| !c.is_control()).take(FOREIGN_CHARS_MAX).collect();
                ClientError::Foreign { server: self.asked(), problem: format!("{status} {body}") }
            }
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> ClientError {
        let problem = if error.is_timeout() { "no answer in time".to_owned() } else { root(error) };
        // What a proxy refuses says nothing of who is behind it.
        let nobody = self.proxy.is_none() && is_refused(error);
        ClientError::Unreachable { server: self.asked(), problem, nobody }
    }
}

/// The live stream.
#[derive(Debug)]
pub struct Stream {
    response: Response,
    server: String,
}

impl Stream {
    /// Waits until something new was recorded; `false` when the daemon ended the stream.
    ///
    /// # Errors
    /// When the connection is lost or has been quiet for too long.
    pub async fn news(&mut self) -> Answer<bool> {
        loop {
            let unreachable = |problem: String| ClientError::Unreachable {
                server: self.server.clone(),
                problem,
                nobody: false,
            };
            match tokio::time::timeout(QUIET_MAX, self.response.chunk()).await {
                Err(_) => {
                    return Err(unreachable(format!("the stream was quiet for {} s", QUIET_MAX.as_secs())));
                }
                Ok(Err(error)) => return Err(unreachable(format!("the stream broke: {}", causes(&error)))),
                Ok(Ok(None)) => return Ok(false),
                // Lines that begin with a colon keep the connection alive.
                Ok(Ok(Some(chunk))) if chunk.starts_with(b":") && !has_data(&chunk) => {}
                Ok(Ok(Some(_))) => return Ok(true),
            }
        }
    }
}

/// Whether this is the machine that we are on.
fn is_here(server: &Url) -> bool {
    let host = server.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    match address {
        Ok(address) => address.is_loopback() || address.is_unspecified(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

/// The proxy that the environment names for this server, without its password.
fn proxy_to(server: &Url) -> Option<String> {
    let proxy = Matcher::from_env().intercept(&server.as_str().parse().ok()?)?;
    Some(proxy.uri().to_string())
}

fn has_data(chunk: &[u8]) -> bool {
    chunk.windows(5).any(|window| window == b"data:")
}

fn bearer(file: &Path) -> Answer<HeaderValue> {
    let wrong = |problem: String| ClientError::Setup {
        problem,
        hint: "the file holds one token and nothing else; see `tokens` in the daemon's configuration"
            .to_owned(),
    };
    let shown: PathBuf = file.to_owned();
    let text = std::fs::read_to_string(file)
        .map_err(|error| wrong(format!("could not read the token file {}: {error}", shown.display())))?;
    let token = text.trim();
    if token.is_empty() {
        return Err(wrong(format!("the token file {} is empty", shown.display())));
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
        .map_err(|_| wrong(format!("the token file {} holds more than one token", shown.display())))?;
    value.set_sensitive(true);
    Ok(value)
}

/// An error with its causes, as one line.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

/// Whether the connection was refused: a port at which nobody listens.
fn is_refused(error: &reqwest::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        let of_io = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        if of_io == Some(std::io::ErrorKind::ConnectionRefused) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The innermost cause: the outer ones repeat the URL, which our own message has already.
pub(crate) fn root(error: &reqwest::Error) -> String {
    let mut deepest: &dyn std::error::Error = error;
    while let Some(inner) = deepest.source() {
        deepest = inner;
    }
    deepest.to_string()
}
