//! Values from labels, checked as what they become before anybody uses them. Labels are untrusted text.

use crate::action::Wish;
use crate::policy::TargetSpec;
use crate::reason::Reason;
use crate::remediation::Remediation;
use crate::target::{Sought, Target, is_dns_label, is_dns_subdomain};
use crate::template::{Scope, Template};

/// How long a value may be that becomes a part of a URL; no breaker or path of Maestro comes near it.
const SEGMENT_BYTES_MAX: usize = 253;

/// What a target's templates name.
///
/// # Errors
/// `BadValue` when a template has no value, or one that cannot be a namespace or a name.
pub(super) fn sought(spec: &TargetSpec, scope: &Scope<'_>) -> Result<Sought, Reason> {
    match spec {
        TargetSpec::Named { kind, namespace, name } => Ok(Sought::Named(Target {
            kind: kind.clone(),
            namespace: checked("namespace", namespace, scope, is_dns_label)?,
            name: checked("name", name, scope, is_dns_subdomain)?,
        })),
        TargetSpec::OwnerOf { origin, namespace, name } => Ok(Sought::OwnerOf {
            origin: origin.clone(),
            namespace: match namespace {
                Some(namespace) => checked("namespace", namespace, scope, is_dns_label)?,
                None => String::new(),
            },
            name: checked("name", name, scope, is_dns_subdomain)?,
        }),
    }
}

/// A remediation with its templates filled in.
///
/// # Errors
/// `BadValue` when a template has no value, or one that cannot be what it becomes.
pub(super) fn wish(remediation: &Remediation, scope: &Scope<'_>) -> Result<Wish, Reason> {
    Ok(match remediation {
        Remediation::Scale(scale) => Wish::Scale(scale.clone()),
        Remediation::Restart => Wish::Restart,
        Remediation::ResetBreaker { breaker, endpoints } => Wish::ResetBreaker {
            breaker: checked("breaker", breaker, scope, is_url_segment)?,
            endpoints: endpoints.clone(),
        },
    })
}

/// Whether `text` may be one segment of a URL's path without being encoded.
fn is_url_segment(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=SEGMENT_BYTES_MAX).contains(&text.len())
        && text.bytes().all(plain)
        && text.bytes().any(|byte| byte != b'.')
}

fn checked(
    what: &str,
    template: &Template,
    scope: &Scope<'_>,
    is_one: impl Fn(&str) -> bool,
) -> Result<String, Reason> {
    let bad = |problem: String| Reason::BadValue { what: what.to_owned(), problem };
    let value = template.render(scope).map_err(|error| bad(error.to_string()))?;
    if is_one(&value) { Ok(value) } else { Err(bad(format!("{:?} cannot be one", shortened(&value)))) }
}

/// At most 80 characters, so that a hostile label does not fill records.
fn shortened(value: &str) -> String {
    const SHOWN_MAX: usize = 80;
    let mut shown: String = value.chars().take(SHOWN_MAX).collect();
    if shown.len() < value.len() {
        shown.push('…');
    }
    shown
}

/// An absolute http or https URL whose templates stand in plain segments.
///
/// # Errors
/// `BadValue` when a template has no value, or one that would change more than a segment.
pub(super) fn url(template: &Template, scope: &Scope<'_>) -> Result<String, Reason> {
    let is_url = |text: &str| {
        (text.starts_with("http://") || text.starts_with("https://"))
            && text.bytes().all(|byte| byte.is_ascii_graphic())
            && !text.contains("/../")
    };
    checked("url", template, scope, is_url)
}
