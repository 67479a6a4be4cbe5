//! The one id that ties a delivery to its log lines, records, Kubernetes stamps and outgoing calls: the sender's own
//! where it is harmless, else made up. It must never carry text that could break a header or a log line.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::HeaderMap;

/// Characters of a correlation id: it becomes part of annotations and headers.
pub const LENGTH_MAX: usize = 128;

/// The correlation id of a request with these headers.
pub fn of(headers: &HeaderMap) -> String {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let own = text("x-correlation-id").filter(|id| is_harmless(id));
    own.or_else(|| text("traceparent").and_then(trace_id)).map_or_else(made_up, str::to_owned)
}

/// Whether an id may be used as it was sent.
pub fn is_harmless(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    (1..=LENGTH_MAX).contains(&id.len()) && id.bytes().all(allowed)
}

/// The trace id of a W3C `traceparent`: `version-traceid-parentid-flags`.
fn trace_id(traceparent: &str) -> Option<&str> {
    let mut parts = traceparent.split('-');
    let (version, trace, parent) = (parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'))
            && text.bytes().any(|byte| byte != b'0')
    };
    let valid = version.len() == 2 && version != "ff" && trace.len() == 32 && parent.len() == 16;
    (valid && is_hex(trace) && is_hex(parent)).then_some(trace)
}

/// An id of our own: unlike any of another process, and unlike the one before.
pub fn made_up() -> String {
    static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().build_hasher().finish());
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("p{:016x}-{}", *PROCESS, COUNT.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn with(pairs: &[(&'static str, &str)]) -> String {
        let headers = pairs.iter().map(|(name, value)| {
            (
                axum::http::HeaderName::from_static(name),
                HeaderValue::from_bytes(value.as_bytes()).expect("valid"),
            )
        });
        of(&headers.collect())
    }

    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_senders_own_id_comes_first_then_the_trace() {
        assert_eq!(with(&[("x-correlation-id", "deploy-7"), ("traceparent", TRACE)]), "deploy-7");
        assert_eq!(with(&[("traceparent", TRACE)]), "4bf92f3577b34da6a3ce929d0e0e4736");
    }

    #[test]
    fn a_harmful_id_is_not_used() {
        let long = "x".repeat(LENGTH_MAX + 1);
        for bad in ["", "a b", "a\tb", "ü", "${jndi:x}", long.as_str()] {
            assert!(with(&[("x-correlation-id", bad)]).starts_with('p'), "{bad:?}");
        }
        for bad in
            ["00-00000000000000000000000000000000-00f067aa0ba902b7-01", "ff-x", "garbage", "00-4BF9-1-0"]
        {
            assert!(with(&[("traceparent", bad)]).starts_with('p'), "{bad:?}");
        }
    }

    #[test]
    fn made_up_ids_differ() {
        assert_ne!(with(&[]), with(&[]));
    }
}
