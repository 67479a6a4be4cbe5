//! Who may do what: bearer tokens from files, each with a name and a role. Comparison takes the same time for every
//! token that is not one. It must never log or show a token.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{ApiError, Shared};
use crate::config::tokens::{TokenRead, TokensRead, read_tokens};

/// A shorter token could be guessed.
pub const TOKEN_BYTES_MIN: usize = 16;

/// What the bearer of a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Post webhooks; nothing else.
    Ingest,
    /// Read the API.
    Read,
    /// Read the API and give orders.
    Operate,
}

impl Role {
    fn may(self, wanted: Self) -> bool {
        self == wanted || (self == Self::Operate && wanted == Self::Read)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Read => "read",
            Self::Operate => "operate",
        }
    }
}

/// A token as the configuration names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenFile {
    /// Of the person or sender; it stands in the record.
    pub name: String,
    /// What its bearer may do.
    pub role: Role,
    /// The file that holds the token and nothing else.
    pub file: PathBuf,
}

/// Whose request it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller(pub String);

/// What is told once a request's sender is known, so that nobody else takes the place of its connection.
#[derive(Clone)]
pub struct OnceKnown(pub Arc<dyn Fn() + Send + Sync>);

/// Without tokens everybody on loopback is this one.
pub const ANONYMOUS: &str = "anonymous";

/// The tokens in force.
pub struct Tokens {
    held: RwLock<Arc<Held>>,
}

/// What is in force between two readings.
struct Held {
    files: Vec<TokenFile>,
    tokens: Vec<TokenRead>,
    /// Whether anybody needs one. Once that is so it stays so: taking the last one out opens no door.
    needed: bool,
}

/// What came of reading the tokens again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokensOut {
    /// Those that the configuration does not have any more, a sentence each.
    pub taken_out: Vec<String>,
    /// Those that it has and that cannot be used, a sentence each; they are out until a reload can read them.
    pub unusable: Vec<String>,
}

impl Tokens {
    /// Reads all token files, and warns of those that others can read.
    ///
    /// # Errors
    /// Everything that is wrong with any of them, at once.
    pub fn read(files: Vec<TokenFile>) -> anyhow::Result<Self> {
        let read = read_all(&files)?;
        for doubtful in &read.warnings {
            tracing::warn!(problem = doubtful.problem, hint = doubtful.hint, "a token can be read by others");
        }
        let needed = !files.is_empty();
        let held = RwLock::new(Arc::new(Held { files, tokens: read.tokens, needed }));
        Ok(Self { held })
    }

    /// Reads the tokens of these files in the place of those before; without any, where the configuration cannot be
    /// read, the same files again. Whatever is not named or cannot be used any more is out, the others stay.
    pub fn reread(&self, files: Option<Vec<TokenFile>>) -> TokensOut {
        let before = self.held();
        let files = files.unwrap_or_else(|| before.files.clone());
        let TokensRead { tokens, problems, warnings: _ } = read_tokens(&files);
        // Of two that are the same now, the one that was so before is told from the other; else neither is.
        let is_twin = |one: &TokenRead| tokens.iter().filter(|other| other.digest == one.digest).count() > 1;
        let usable = tokens.iter().filter(|one| !is_twin(one) || before.tokens.contains(one));
        let usable: Vec<TokenRead> = usable.cloned().collect();
        let is_named = |name: &String| files.iter().any(|file| file.name == *name);
        let gone = before.files.iter().map(|file| &file.name).filter(|name| !is_named(name));
        let taken_out: Vec<String> = gone
            .map(|name| format!("the token `{name}` is not in the configuration any more: it is out"))
            .collect();
        let mut unusable: Vec<String> = problems
            .iter()
            .map(|problem| format!("{problem}; what cannot be used is out until a reload can read it"))
            .collect();
        let needed = before.needed || !files.is_empty();
        if needed && files.is_empty() {
            unusable.push(
                "the configuration has no tokens any more, so every request is refused; to serve this machine \
                 without tokens takes a restart"
                    .to_owned(),
            );
        }
        *self.held.write().unwrap_or_else(PoisonError::into_inner) =
            Arc::new(Held { files, tokens: usable, needed });
        TokensOut { taken_out, unusable }
    }

    fn held(&self) -> Arc<Held> {
        Arc::clone(&self.held.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn caller(&self, headers: &HeaderMap, wanted: Role) -> Result<Caller, ApiError> {
        let held = self.held();
        if !held.needed {
            return from_this_machine(headers).map(|()| Caller(ANONYMOUS.to_owned()));
        }
        let hint = "send `Authorization: Bearer TOKEN` with a token of the configuration";
        let refused = |error: &str| ApiError::new(StatusCode::UNAUTHORIZED, error, hint);
        let header = headers.get(header::AUTHORIZATION).ok_or_else(|| refused("there is no bearer token"))?;
        let presented =
            header.to_str().ok().and_then(bearer).ok_or_else(|| refused("that is no bearer token"))?;
        let digest: [u8; 32] = Sha256::digest(presented.as_bytes()).into();
        // Every token is compared, so that time tells nothing about which one was nearly met.
        let mut found = None;
        for token in &held.tokens {
            if bool::from(token.digest.ct_eq(&digest)) {
                found = Some(token);
            }
        }
        let token = found.ok_or_else(|| refused("the bearer token is not known"))?;
        if token.role.may(wanted) {
            return Ok(Caller(token.name.clone()));
        }
        Err(ApiError::new(
            StatusCode::FORBIDDEN,
            format!(
                "the token `{}` has the role {}, this needs {}",
                token.name,
                token.role.name(),
                wanted.name()
            ),
            "use a token with that role",
        ))
    }
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

fn read_all(files: &[TokenFile]) -> anyhow::Result<TokensRead> {
    let read = read_tokens(files);
    if read.problems.is_empty() {
        return Ok(read);
    }
    let problems: Vec<String> = read.problems.iter().map(ToString::to_string).collect();
    anyhow::bail!("tokens cannot be used:\n{}", problems.join("\n"))
}

/// Without tokens, loopback is the wall, and a browser on this machine is a hole in it: a page from elsewhere must not
/// give orders, neither directly (`Origin`) nor under a name of its own that leads here (`Host`).
fn from_this_machine(headers: &HeaderMap) -> Result<(), ApiError> {
    let text = |name| headers.get(name).map(|value: &header::HeaderValue| value.to_str().unwrap_or("?"));
    let host = text(header::HOST).map(host_only);
    let foreign_host = host.is_some_and(|host| !is_loopback(host));
    let origin =
        text(header::ORIGIN).map(|origin| host_only(origin.split_once("://").map_or("?", |(_, rest)| rest)));
    let foreign_origin = origin.is_some_and(|origin| !is_loopback(origin));
    if foreign_host || foreign_origin {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "without tokens only this machine is served, under its own name",
            "use http://127.0.0.1:PORT, or configure `tokens`",
        ));
    }
    Ok(())
}

fn host_only(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(host, _)| host),
        None => authority.split_once(':').map_or(authority, |(host, _)| host),
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Lets a request through when its bearer has the role, with the caller's name.
pub(super) async fn allow(
    State((served, role)): State<(Shared, Role)>,
    mut request: Request,
    next: Next,
) -> Response {
    match served.tokens.caller(request.headers(), role) {
        Ok(caller) => {
            if let Some(OnceKnown(tell)) = request.extensions().get() {
                tell();
            }
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(error) => {
            tracing::warn!(
                path = request.uri().path(),
                status = error.status.as_u16(),
                error = error.error,
                "request refused"
            );
            error.into_response()
        }
    }
}
