//! Reading a configuration: every unknown key, wrong type and wrong value at once, each with line, column and a hint.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;

use paramedic_policies::endpoint::ENDPOINTS_MAX;
use paramedic_policies::load::conform::conform;
use paramedic_policies::load::yaml::{self, Fault, Node, Position, Tree};
use paramedic_policies::load::{Problem, Severity};

use super::{API_VERSION, Configuration, KIND, schema};

/// What is wrong with a configuration. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Problems {}

/// Reads a configuration file.
///
/// # Errors
/// When it cannot be read, or anything in it is wrong.
pub fn read_file(path: &Path) -> Result<Configuration, Problems> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        let fault =
            Fault::new(Position::START, format!("cannot be read: {error}"), "name it with --config FILE");
        Problems(vec![problem(&shown, fault)])
    })?;
    read(&text, &shown)
}

/// Reads the text of a configuration that stands in `file`.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read(text: &str, file: &str) -> Result<Configuration, Problems> {
    let parsed = yaml::parse(text);
    let mut faults = parsed.faults;
    let read = match parsed.documents.as_slice() {
        [tree] if faults.is_empty() => {
            faults.extend(conform(tree, &schema()));
            if faults.is_empty() { typed(tree, &mut faults) } else { None }
        }
        [_] => None,
        [] if !faults.is_empty() => None,
        documents => {
            let message = format!("{} documents, one is wanted", documents.len());
            let hint = format!("begin with `apiVersion: {API_VERSION}` and `kind: {KIND}`");
            faults.push(Fault::new(Position::START, message, hint));
            None
        }
    };
    match read {
        Some(configuration) if faults.is_empty() => Ok(configuration),
        Some(_) | None => {
            faults.sort_by_key(|fault| fault.at);
            Err(Problems(faults.into_iter().map(|fault| problem(file, fault)).collect()))
        }
    }
}

fn problem(file: &str, fault: Fault) -> Problem {
    Problem {
        severity: Severity::Error,
        file: file.to_owned(),
        line: fault.at.line,
        column: fault.at.column,
        message: fault.message,
        hint: fault.hint,
    }
}

fn typed(tree: &Tree, faults: &mut Vec<Fault>) -> Option<Configuration> {
    for (key, wanted) in [("apiVersion", API_VERSION), ("kind", KIND)] {
        match tree.get(key).map(|value| &value.node) {
            Some(Node::Text(text)) if text == wanted => {}
            Some(_) => {
                let at = tree.position(&format!("/{key}"));
                faults.push(Fault::new(
                    at,
                    format!("`{key}` is not `{wanted}`"),
                    format!("write `{key}: {wanted}`"),
                ));
            }
            None => {
                let message = format!("there is no `{key}`");
                faults.push(Fault::new(tree.at, message, format!("add `{key}: {wanted}`")));
            }
        }
    }
    let read = match serde_json::from_value::<Configuration>(tree.to_json()) {
        Ok(read) => read,
        Err(error) => {
            // serde names the value and not the place; the tree knows where that value stands.
            let message = error.to_string();
            let at = mentioned(tree, &message).unwrap_or(tree.at);
            faults.push(Fault { at, message, hint: None });
            return None;
        }
    };
    check(&read, tree, faults);
    Some(read)
}

/// Where the scalar stands that a message quotes.
fn mentioned(tree: &Tree, message: &str) -> Option<Position> {
    match &tree.node {
        Node::Text(text) if !text.is_empty() && message.contains(&format!("`{text}`")) => Some(tree.at),
        Node::Number(_, written) if message.contains(&format!("`{written}`")) => Some(tree.at),
        Node::List(items) => items.iter().find_map(|item| mentioned(item, message)),
        Node::Map(entries) => entries.iter().find_map(|entry| mentioned(&entry.value, message)),
        Node::Null | Node::Bool(_) | Node::Number(..) | Node::Text(_) => None,
    }
}

/// What no type can say.
fn check(read: &Configuration, tree: &Tree, faults: &mut Vec<Fault>) {
    let mut fault = |path: &str, message: String, hint: &str| {
        faults.push(Fault::new(tree.position(path), message, hint));
    };
    for (path, address) in [("/listen", &read.listen), ("/adminListen", &read.admin_listen)] {
        if let Err(problem) = address_of(address) {
            fault(path, problem, ADDRESS_HINT);
        }
    }
    if let Err(problem) = url_of(&read.prometheus.url) {
        fault("/prometheus/url", problem, URL_HINT);
    }
    for (name, value) in &read.prometheus.headers {
        let path = format!("/prometheus/headers/{}", name.replace('~', "~0").replace('/', "~1"));
        let parsed: Result<axum::http::HeaderName, _> = name.parse();
        match parsed {
            Err(_) => fault(&path, format!("`{name}` is not a header's name"), "such as X-Scope-OrgID"),
            Ok(parsed) if is_credential(parsed.as_str()) => {
                fault(
                    &path,
                    format!("`{name}` is a secret, and this file is printed"),
                    "use `prometheus.tokenFile`",
                );
            }
            Ok(_) if value.parse::<axum::http::HeaderValue>().is_err() => {
                fault(
                    &path,
                    format!("the value of `{name}` is not a header's"),
                    "use visible ASCII characters",
                );
            }
            Ok(_) => {}
        }
    }
    for (name, endpoint) in &read.endpoints {
        for found in endpoint.faults(name) {
            let path = format!("/endpoints/{}{}", name.replace('~', "~0").replace('/', "~1"), found.path);
            fault(&path, found.message, found.hint);
        }
    }
    if read.endpoints.len() > ENDPOINTS_MAX {
        let message = format!("{} endpoints, at most {ENDPOINTS_MAX} are taken", read.endpoints.len());
        fault("/endpoints", message, "declare fewer; one endpoint serves many paths");
    }
    for found in read.notifications.faults() {
        fault(&format!("/notifications{}", found.path), found.message, found.hint);
    }
    for (index, token) in read.tokens.iter().enumerate() {
        let path = format!("/tokens/{index}/name");
        let known = token.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte));
        if !known
            || token.name.is_empty()
            || token.name.len() > 64
            || token.name == crate::http::tokens::ANONYMOUS
        {
            let message = format!("`{}` cannot be the name of a token", token.name.escape_debug());
            fault(&path, message, "up to 64 letters, digits, `-`, `_`, `.` and `@`, other than `anonymous`");
        }
        if read.tokens[..index].iter().any(|earlier| earlier.name == token.name) {
            fault(
                &path,
                format!("the token `{}` is there twice", token.name),
                "names stand in records; give each its own",
            );
        }
    }
    if read.retention.partition.ms() < 60_000 {
        fault("/retention/partition", "a partition covers at least a minute".to_owned(), "such as 1d");
    }
    if let Err(problem) = crate::logs::directives(&read.log.level) {
        fault("/log/level", problem, "such as info, debug, or info,paramedic::driver=debug");
    }
}

fn is_credential(name: &str) -> bool {
    matches!(name, "authorization" | "proxy-authorization" | "cookie" | "x-api-key")
}

pub(crate) const ADDRESS_HINT: &str =
    "an IP address and a port, such as 127.0.0.1:9911, 0.0.0.0:9911 or [::1]:9911";
pub(crate) const URL_HINT: &str = "such as http://prometheus.monitoring:9090";

/// A listening address.
pub(crate) fn address_of(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("`{}` is not an address to listen on", text.escape_debug()))
}

/// A base URL, or nothing.
pub(crate) fn url_of(text: &str) -> Result<Option<reqwest::Url>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let url = reqwest::Url::parse(text)
        .map_err(|error| format!("`{}` is not a URL: {error}", text.escape_debug()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("`{}` is neither http nor https", text.escape_debug()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "the URL holds credentials, and this file is printed; use `prometheus.tokenFile`".to_owned()
        );
    }
    Ok(Some(url))
}
