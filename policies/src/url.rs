//! URLs with values from labels in them: a value can never change the host, leave its path segment, or add a query.

use crate::reason::Reason;
use crate::template::{Scope, Template, TemplateError};

/// Whether `text` is an http or https URL with a plain host, without credentials and without dot segments.
///
/// # Errors
/// What is wrong with it.
pub fn check(text: &str) -> Result<(), String> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    if !["http", "https"].contains(&scheme) {
        return Err(format!("`{}` does not begin with http:// or https://", text.escape_debug()));
    }
    if let Some(odd) =
        text.chars().find(|c| c.is_whitespace() || c.is_control() || "\\\"<>^`{|}".contains(*c))
    {
        return Err(format!("a URL cannot hold {odd:?}"));
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.contains('@') {
        return Err("a URL here cannot hold credentials".to_owned());
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !authority.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let good = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-')
        }
    };
    if !good {
        return Err(format!("`{}` is not a host", host.escape_debug()));
    }
    if port.is_some_and(|port| port.parse::<u16>().is_err() || port.starts_with('+')) {
        return Err("its port is not a number up to 65535".to_owned());
    }
    let path = path.split(['?', '#']).next().unwrap_or_default();
    if path.split('/').any(is_dots) {
        return Err("its path has a `.` or `..` segment".to_owned());
    }
    Ok(())
}

/// Whether `text` can be one segment of a URL path as it is.
///
/// # Errors
/// What is wrong with it.
pub fn path_segment(text: &str) -> Result<(), String> {
    if text.is_empty() || text.len() > 253 {
        return Err(format!("has {} bytes, 1 to 253 are allowed", text.len()));
    }
    if is_dots(text) {
        return Err("is a dot segment".to_owned());
    }
    // Only what needs no encoding anywhere: what one server decodes twice, another reads as a path.
    match text.chars().find(|c| !(c.is_ascii_alphanumeric() || "-._~:".contains(*c))) {
        Some(odd) => Err(format!("holds {odd:?}, which cannot stand in one segment of a URL path")),
        None => Ok(()),
    }
}

fn is_dots(segment: &str) -> bool {
    matches!(segment, "." | "..")
}

/// Whether a template can become a URL: labels and found values stand behind the host only, since an alert must not
/// choose to whom we speak.
///
/// # Errors
/// What is wrong with it.
pub fn check_template(template: &Template) -> Result<(), String> {
    let mut before = String::new();
    let mut stray = None;
    for (text, name) in template.parts() {
        before.push_str(text);
        let Some(name) = name else { continue };
        let in_host = before.split_once("://").is_none_or(|(_, rest)| !rest.contains('/'));
        if in_host && (name.starts_with("labels.") || name.starts_with("let.")) {
            stray.get_or_insert_with(|| {
                format!("`{name}` stands in the host, which only `vars` and `target` can name")
            });
        }
        before.push_str(if before.is_empty() && name.starts_with("vars.") { "http://1" } else { "1" });
    }
    stray.map_or_else(|| check(&before), Err)
}

/// The URL for this scope: `vars` as they are, every other value percent-encoded.
pub(crate) fn rendered(template: &Template, scope: &Scope<'_>) -> Result<String, Reason> {
    let bad = |problem: String| Reason::BadValue { what: "URL".to_owned(), problem };
    let names: Vec<String> = template.parts().filter_map(|(_, name)| name).collect();
    let mut dots = None;
    let url = template.render_with(scope, |number, value| match names.get(number) {
        Some(name) if name.starts_with("vars.") => value,
        name => {
            if is_dots(&value) {
                dots = name.cloned();
            }
            encode(&value)
        }
    });
    let url = url.map_err(|error: TemplateError| bad(error.to_string()))?;
    match dots {
        Some(name) => Err(bad(format!("`{name}` is a dot segment"))),
        None => check(&url).map(|()| url).map_err(bad),
    }
}

/// Whether a template can become a path behind a declared host: `/` and segments, no query, no dot segments.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check_path(template: &Template) -> Result<(), String> {
    let mut path = String::new();
    for (text, name) in template.parts() {
        if text.contains(['?', '#']) {
            return Err("a path has no query and no fragment; write `query`".to_owned());
        }
        path.push_str(text);
        if name.is_some() {
            path.push('1');
        }
    }
    if !path.starts_with('/') || path.starts_with("//") {
        return Err("does not begin with one `/`".to_owned());
    }
    check(&format!("http://h{path}"))
}

/// The path for this scope. A value must be one segment wherever it is read, encoded or not: servers and proxies decode
/// before they route, some twice. `vars` are the operator's, and are only kept from climbing.
pub(crate) fn rendered_path(template: &Template, scope: &Scope<'_>) -> Result<String, Reason> {
    let bad = |problem: String| Reason::BadValue { what: "path".to_owned(), problem };
    let names: Vec<String> = template.parts().filter_map(|(_, name)| name).collect();
    let mut problem = None;
    let path = template
        .render_with(scope, |number, value| {
            let is_ours = names.get(number).is_some_and(|name| name.starts_with("vars."));
            let climbs = value.split(['/', '\\']).any(is_dots) || value.chars().any(char::is_control);
            let judged = match is_ours {
                true if climbs => Err("climbs out of its place".to_owned()),
                true => Ok(()),
                false => path_segment(&value),
            };
            if let Err(why) = judged {
                problem.get_or_insert_with(|| format!("`{}` {why}", value.escape_debug()));
            }
            encode(&value)
        })
        .map_err(|error: TemplateError| bad(error.to_string()))?;
    match problem {
        Some(problem) => Err(bad(problem)),
        None => check(&format!("http://h{path}")).map(|()| path).map_err(bad),
    }
}

/// Percent-encodes everything but unreserved characters.
pub(crate) fn encode(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Labels;

    fn template(text: &str) -> Template {
        Template::parse(text).unwrap_or_else(|bad| panic!("{text}: {bad}"))
    }

    #[test]
    fn a_url_has_a_plain_host_and_a_port() {
        for good in [
            "http://h",
            "https://a-b.example:65535/x?y#z",
            "http://[2001:db8::1]/x",
            "http://[::1]:8080",
            "http://10.0.0.1/a.b",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "h",
            "ftp://h",
            "http://",
            "http://a_b",
            "http://u@h",
            "http://h:port",
            "http://h:65536",
            "http://h:+80",
            "http://h:",
            "http://[::1",
            "http://[::1]x",
            "http://2001:db8::1",
            "http://h/../x",
            "http://h/a/.",
            "http://h/a b",
            "http://h/a\u{7}",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_segment_is_at_most_as_long_as_a_name() {
        assert_eq!(path_segment(&"a".repeat(253)), Ok(()));
        assert_eq!(path_segment(&"a".repeat(254)), Err("has 254 bytes, 1 to 253 are allowed".to_owned()));
        for bad in ["", ".", "..", "a/b", "a%2fb", "a b"] {
            assert!(path_segment(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_the_operator_names_a_host() {
        for good in [
            "http://{{ vars.host }}/x",
            "{{ vars.base }}/x",
            "http://{{ target.name }}/x",
            "http://h/{{ labels.a }}",
        ] {
            assert_eq!(check_template(&template(good)), Ok(()), "{good}");
        }
        for bad in ["http://{{ labels.a }}/x", "{{ labels.a }}", "http://h{{ let.a }}", "{{ target.name }}/x"]
        {
            assert!(check_template(&template(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_path_of_the_operators_does_not_climb() {
        let path = |written: &str, value: &str| {
            let values = Labels::from([("a".to_owned(), value.to_owned())]);
            rendered_path(
                &template(written),
                &Scope { labels: &values, vars: &values, lets: &values, target: None },
            )
        };
        assert_eq!(path("/x/{{ vars.a }}", "a b/c").as_deref(), Ok("/x/a%20b%2Fc"));
        for bad in ["../c", "a\\..", "a/./b", "a\nb"] {
            assert!(path("/x/{{ vars.a }}", bad).is_err(), "{bad:?}");
        }
        assert_eq!(path("/x/{{ labels.a }}", "a-b").as_deref(), Ok("/x/a-b"));
        assert!(path("/x/{{ labels.a }}", "a b").is_err());
    }
}
