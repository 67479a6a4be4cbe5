//! Services that an operator declared by name, for policies to call: where they are and what every call to them
//! carries. Journaled with the settings, so it must never hold a secret itself, only the file that does.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::url;

/// No more endpoints can be declared.
pub const ENDPOINTS_MAX: usize = 100;

/// A declared service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Endpoint {
    /// Base URL, such as `https://queues.prod.svc:8443/api`. Paths of policies follow it. Never a link-local or metadata
    /// address; loopback only where it is written here.
    pub url: String,
    /// A PEM file with further trusted authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// Further headers of every call: text, or `{file: PATH, prefix: "Bearer "}` for what is secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, HeaderValue>,
}

/// The value of a header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum HeaderValue {
    /// As it is; it is printed and journaled.
    Text(String),
    /// What a file holds, read anew for each call.
    Secret(SecretFile),
}

/// A secret, by reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretFile {
    /// The file that holds it; read anew for each call, less the white space around it.
    pub file: String,
    /// What stands before it, such as `"Bearer "`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
}

impl std::fmt::Display for HeaderValue {
    /// For people: a secret is the name of its file.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Secret(secret) => secret.fmt(f),
        }
    }
}

impl std::fmt::Display for SecretFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}<from {}>", self.prefix, self.file)
    }
}

/// What cannot be meant in an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// JSON pointer within the endpoint; empty for all of it.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: &'static str,
}

/// Headers that the client sets itself, or that would change where a request goes or how it is framed.
const OURS: [&str; 5] = ["host", "content-length", "transfer-encoding", "connection", "content-type"];

/// Whether nobody but the client itself may set this header, whatever its case.
pub(crate) fn is_reserved(header: &str) -> bool {
    OURS.contains(&header.to_ascii_lowercase().as_str())
}

impl Endpoint {
    /// Everything in it that cannot be meant.
    pub fn faults(&self, name: &str) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut fault = |path: &str, message: String, hint: &'static str| {
            faults.push(Fault { path: path.to_owned(), message, hint });
        };
        if !is_name(name) {
            let message = format!("`{}` cannot be the name of an endpoint", name.escape_debug());
            fault("", message, "up to 63 letters, digits, `-` and `_`");
        }
        if let Err(problem) = url::check(&self.url) {
            fault("/url", problem, "such as https://queues.prod.svc:8443/api");
        } else if self.url.contains(['?', '#']) {
            let message = "a base URL has no query and no fragment".to_owned();
            fault("/url", message, "policies add a `query` to their calls");
        }
        for (name, value) in &self.headers {
            let path = format!("/headers/{}", name.replace('~', "~0").replace('/', "~1"));
            let lower = name.to_ascii_lowercase();
            if !is_header_name(name) {
                fault(&path, format!("`{}` is not a header's name", name.escape_debug()), "such as X-Team");
                continue;
            }
            if is_reserved(&lower) {
                fault(&path, format!("`{name}` cannot be set"), "remove it; it follows from the request");
                continue;
            }
            match value {
                HeaderValue::Text(_) if is_credential(&lower) => {
                    let message = format!("`{name}` is a secret, and this file is printed");
                    fault(
                        &path,
                        message,
                        "write it as {file: PATH}, with prefix: \"Bearer \" where it needs one",
                    );
                }
                HeaderValue::Text(text) if !is_visible(text) => {
                    let message = format!("the value of `{name}` is not a header's");
                    fault(&path, message, "use visible ASCII characters");
                }
                HeaderValue::Secret(secret) if secret.file.is_empty() => {
                    fault(&path, format!("`{name}` names no file"), "such as {file: /etc/paramedic/token}");
                }
                HeaderValue::Secret(secret) if !is_visible(&secret.prefix) => {
                    let message = format!("the prefix of `{name}` is not a header's");
                    fault(&path, message, "use visible ASCII characters");
                }
                HeaderValue::Text(_) | HeaderValue::Secret(_) => {}
            }
        }
        faults
    }

    /// Its URL without a slash at the end.
    pub fn base(&self) -> &str {
        self.url.trim_end_matches('/')
    }
}

/// Whether an endpoint or receiver can have this name.
pub fn is_name(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// Whether this is a header's name.
pub fn is_header_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn is_visible(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// Whether a header of this name (in small letters) carries what nobody should read.
pub fn is_credential(name: &str) -> bool {
    matches!(name, "authorization" | "proxy-authorization" | "cookie")
        || ["token", "secret", "password", "api-key", "apikey"].iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str, headers: &[(&str, HeaderValue)]) -> Endpoint {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        Endpoint { url: url.to_owned(), ca_file: None, headers }
    }

    fn text(value: &str) -> HeaderValue {
        HeaderValue::Text(value.to_owned())
    }

    fn file(file: &str, prefix: &str) -> HeaderValue {
        HeaderValue::Secret(SecretFile { file: file.to_owned(), prefix: prefix.to_owned() })
    }

    #[test]
    fn what_is_good_has_no_faults() {
        let headers = [("X-Team", text("sre")), ("Authorization", file("/run/token", "Bearer "))];
        assert_eq!(endpoint("http://maestro.prod.svc:8080/api/", &headers).faults("dlq"), []);
        assert_eq!(endpoint("http://a/", &[]).base(), "http://a");
    }

    #[test]
    fn each_fault_says_where_it_is() {
        let cases = [
            ("a b", endpoint("http://a", &[]), ""),
            ("a", endpoint("ftp://a", &[]), "/url"),
            ("a", endpoint("http://u:p@a", &[]), "/url"),
            ("a", endpoint("http://a/?x=1", &[]), "/url"),
            ("a", endpoint("http://a", &[("Authorization", text("Bearer x"))]), "/headers/Authorization"),
            ("a", endpoint("http://a", &[("X-Auth-Token", text("x"))]), "/headers/X-Auth-Token"),
            ("a", endpoint("http://a", &[("X/Y", text("x"))]), "/headers/X~1Y"),
            ("a", endpoint("http://a", &[("Host", text("x"))]), "/headers/Host"),
            ("a", endpoint("http://a", &[("X-A", text("a\nb"))]), "/headers/X-A"),
            ("a", endpoint("http://a", &[("X-A", file("", ""))]), "/headers/X-A"),
            ("a", endpoint("http://a", &[("X-A", file("f", "ä"))]), "/headers/X-A"),
        ];
        for (name, endpoint, path) in cases {
            let faults = endpoint.faults(name);
            assert_eq!(faults.len(), 1, "{endpoint:?}: {faults:?}");
            assert_eq!(faults[0].path, path, "{faults:?}");
        }
    }

    #[test]
    fn a_secret_is_shown_as_its_file() {
        assert_eq!(file("/run/token", "Bearer ").to_string(), "Bearer <from /run/token>");
    }
}
