//! The endpoints that the operator declared: a client each, with its authorities, and its secrets read from their files
//! for every call. No secret may stand in an error, a log line or a `Debug`.

use std::collections::BTreeMap;
use std::sync::Arc;

use paramedic_policies::endpoint::{self, HeaderValue, SecretFile};
use paramedic_policies::remediation::http_call::Method;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue as Value};

use crate::addresses::{self, Resolver};
use crate::plain_http::{PlainHttpError, answered, builder};
use crate::ports::http::{CallError, Declared, Reply, Request};

/// No secret is longer; a file that is larger is not one.
const SECRET_BYTES_MAX: usize = 16 * 1024;

/// All of them, by name.
#[derive(Debug, Clone, Default)]
pub struct Endpoints(Arc<BTreeMap<String, Endpoint>>);

/// Why an endpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// Its authorities cannot be read.
    #[error("could not read the authorities of endpoint `{name}` from {file}")]
    Authorities {
        /// Its name.
        name: String,
        /// Which file.
        file: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Its authorities are none.
    #[error("{file} holds no certificates in PEM (endpoint `{name}`)")]
    NoCertificates {
        /// Its name.
        name: String,
        /// Which file.
        file: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// It leads where no call may go.
    #[error("endpoint `{name}` is never called: {why}")]
    Forbidden {
        /// Its name.
        name: String,
        /// Why.
        why: String,
    },
    /// There is no client.
    #[error("no client for endpoint `{name}`")]
    Client {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: PlainHttpError,
    },
}

impl Endpoints {
    /// A client for each; connects at the first call.
    ///
    /// # Errors
    /// Where one cannot be used.
    pub fn new(declared: &BTreeMap<String, endpoint::Endpoint>) -> Result<Self, EndpointError> {
        let made = declared.iter().map(|(name, one)| Ok((name.clone(), Endpoint::new(name, one)?)));
        Ok(Self(Arc::new(made.collect::<Result<_, EndpointError>>()?)))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Endpoint> {
        self.0.get(name)
    }
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Endpoint {
    client: reqwest::Client,
    declared: endpoint::Endpoint,
}

impl Endpoint {
    pub(crate) fn new(name: &str, declared: &endpoint::Endpoint) -> Result<Self, EndpointError> {
        let name = name.to_owned();
        let url = reqwest::Url::parse(&declared.url).map_err(|error| EndpointError::Forbidden {
            name: name.clone(),
            why: format!("its URL cannot be read: {error}"),
        })?;
        if let Some(why) = addresses::literal(&url) {
            return Err(EndpointError::Forbidden { name, why });
        }
        let client = |source| EndpointError::Client { name: name.clone(), source };
        let mut builder = builder(Resolver { loopback: addresses::names_loopback(&url) }).map_err(client)?;
        if let Some(file) = &declared.ca_file {
            let pem = std::fs::read(file).map_err(|source| EndpointError::Authorities {
                name: name.clone(),
                file: file.clone(),
                source,
            })?;
            let authorities = reqwest::Certificate::from_pem_bundle(&pem).map_err(|source| {
                EndpointError::NoCertificates { name: name.clone(), file: file.clone(), source }
            })?;
            builder = builder.tls_certs_merge(authorities);
        }
        let client = builder.build().map_err(|error| client(PlainHttpError::Build(error)))?;
        Ok(Self { client, declared: declared.clone() })
    }

    pub(crate) async fn declared(&self) -> Declared {
        let mut unready = None;
        for value in self.declared.headers.values() {
            if let HeaderValue::Secret(secret) = value
                && let Err(problem) = read(secret).await
            {
                unready.get_or_insert(problem);
            }
        }
        let headers = &self.declared.headers;
        Declared {
            base: self.declared.base().to_owned(),
            headers: headers.iter().map(|(name, value)| (name.clone(), value.to_string())).collect(),
            unready,
        }
    }

    pub(crate) async fn call(&self, method: reqwest::Method, request: &Request) -> Result<Reply, CallError> {
        let url = format!("{}{}", self.declared.base(), request.path);
        let not_sent = |problem: String| CallError::NotSent { url: url.clone(), problem };
        let mut call = self.client.request(method, &url).timeout(request.timeout);
        for (name, value) in &self.declared.headers {
            let name: HeaderName =
                name.parse().map_err(|_| not_sent(format!("`{name}` is not a header's name")))?;
            let value = match value {
                HeaderValue::Text(text) => text
                    .parse::<Value>()
                    .map_err(|_| not_sent(format!("the value of `{name}` is not a header's")))?,
                HeaderValue::Secret(secret) => read(secret).await.map_err(&not_sent)?,
            };
            call = call.header(name, value);
        }
        for (name, value) in &request.headers {
            call = call.header(name, value);
        }
        if let Some(body) = &request.body {
            call = call.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        answered(call, &url).await
    }
}

pub(crate) fn method(method: Method) -> reqwest::Method {
    match method {
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
        Method::Delete => reqwest::Method::DELETE,
    }
}

/// What a file holds, less the white space around it. The error tells the file and nothing of what is in it.
///
/// # Errors
/// When it cannot be read, is empty, or is too large to be a secret.
pub(crate) async fn secret(file: &str) -> Result<String, String> {
    let bytes = tokio::fs::read(file).await.map_err(|error| format!("could not read {file}: {error}"))?;
    if bytes.len() > SECRET_BYTES_MAX {
        return Err(format!("{file} has more than {SECRET_BYTES_MAX} bytes, so it holds no secret"));
    }
    match String::from_utf8(bytes) {
        Ok(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
        Ok(_) => Err(format!("{file} is empty")),
        Err(_) => Err(format!("{file} holds no text")),
    }
}

/// The value of a header from a file, marked so that no `Debug` shows it.
async fn read(from: &SecretFile) -> Result<Value, String> {
    let text = format!("{}{}", from.prefix, secret(&from.file).await?);
    let mut value: Value = text.parse().map_err(|_| format!("{} holds no value of a header", from.file))?;
    value.set_sensitive(true);
    Ok(value)
}
