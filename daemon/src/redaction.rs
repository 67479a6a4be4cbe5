//! Takes e-mail addresses, phone and SSN-like numbers and credentials out of text before anything is decided,
//! recorded or logged. It works by pattern, so it errs on the side of hiding; it must never touch what names a
//! target, which is why labels are redacted only where configuration names them.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use paramedic_policies::alert::Labels;
use regex::{Captures, Regex, RegexSet};

use crate::config::RedactionSettings;

mod ends;

/// One kind of secret: how it looks, and what stands in its place.
struct Pattern {
    looks: &'static str,
    becomes: &'static str,
    /// Whether only text with capitals, small letters and digits together is meant.
    must_be_mixed: bool,
}

const fn pattern(looks: &'static str, becomes: &'static str) -> Pattern {
    Pattern { looks, becomes, must_be_mixed: false }
}

/// In the order in which they are applied: the ones that name their secret come first.
const PATTERNS: [Pattern; 11] = [
    pattern(r"://[^/\s:@]+:[^/\s@]+@", "://[credentials]@"),
    pattern(r"(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{8,}", "$1 [token]"),
    pattern(
        r#"(?i)\b(password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key)(["']?\s*[=:]\s*["']?)[^\s"',;&\[]{4,}"#,
        "$1$2[secret]",
    ),
    pattern(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*", "[token]"),
    pattern(
        r"\b(?:(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}|(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{10,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}|xox[abeoprs]-[A-Za-z0-9-]{10,}|A[KS]IA[0-9A-Z]{16}|AIza[A-Za-z0-9_-]{30,})",
        "[token]",
    ),
    pattern(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}", "[email]"),
    pattern(r"\b\d{3}-\d{2}-\d{4}\b", "[number]"),
    pattern(r"\+\d[\d ().-]{7,17}\d", "[phone]"),
    pattern(r"(?:\(\d{3}\) ?|\b\d{3}[ .-])\d{3}[ .-]\d{4}\b", "[phone]"),
    pattern(r"\b[0-9a-fA-F]{40,}\b", "[secret]"),
    Pattern { looks: r"[A-Za-z0-9+_]{32,}={0,2}", becomes: "[secret]", must_be_mixed: true },
];

static SET: LazyLock<RegexSet> = LazyLock::new(|| {
    RegexSet::new(PATTERNS.iter().map(|pattern| pattern.looks)).expect("the patterns are tested")
});

static EACH: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    PATTERNS.iter().map(|pattern| Regex::new(pattern.looks).expect("the patterns are tested")).collect()
});

/// What to redact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redactor {
    /// Whether anything is redacted at all.
    pub enabled: bool,
    /// Names of labels whose values are redacted too.
    pub labels: BTreeSet<String>,
}

impl Default for Redactor {
    fn default() -> Self {
        Self { enabled: true, labels: BTreeSet::new() }
    }
}

impl Redactor {
    /// As configured.
    pub fn of(settings: &RedactionSettings) -> Self {
        Self { enabled: settings.enabled, labels: settings.labels.clone() }
    }

    /// The text without secrets; borrowed where there are none.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.enabled { redact(text) } else { Cow::Borrowed(text) }
    }

    /// Redacts every value.
    pub fn annotations(&self, annotations: &mut Labels) {
        annotations.values_mut().for_each(|value| self.replace(value));
    }

    /// Redacts the values of the labels that configuration names.
    pub fn labels(&self, labels: &mut Labels) {
        for name in &self.labels {
            if let Some(value) = labels.get_mut(name) {
                self.replace(value);
            }
        }
    }

    fn replace(&self, value: &mut String) {
        if let Cow::Owned(redacted) = self.text(value) {
            *value = redacted;
        }
    }
}

/// The text without secrets; borrowed where there are none.
pub fn redact(text: &str) -> Cow<'_, str> {
    if !may_hold_a_secret(text) {
        return Cow::Borrowed(text);
    }
    let found = SET.matches(text);
    if !found.matched_any() {
        return Cow::Borrowed(text);
    }
    let mut clean = text.to_owned();
    // All of them, not only those that matched first: one replacement never makes another pattern match, but
    // the set is asked once only, and asking a pattern that does not match is cheap.
    for (pattern, regex) in found.into_iter().map(|index| (&PATTERNS[index], &EACH[index])) {
        let replaced = if pattern.must_be_mixed {
            regex.replace_all(&clean, |hit: &Captures<'_>| {
                if is_mixed(&hit[0]) { pattern.becomes.to_owned() } else { hit[0].to_owned() }
            })
        } else {
            regex.replace_all(&clean, pattern.becomes)
        };
        if let Cow::Owned(replaced) = replaced {
            clean = replaced;
        }
    }
    if clean == text { Cow::Borrowed(text) } else { Cow::Owned(clean) }
}

/// Every pattern needs an `@`, nine digits, a long unbroken run, or a word that names a secret before `:`, `=` or
/// a space. Most annotations have none of the first three, and are passed on after one look at each byte.
fn may_hold_a_secret(text: &str) -> bool {
    let (mut digits, mut run, mut longest) = (0_usize, 0_usize, 0_usize);
    for byte in text.bytes() {
        match byte {
            b'@' => return true,
            b'0'..=b'9' => {
                digits += 1;
                run += 1;
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'-' | b'+' => run += 1,
            _ => {
                longest = longest.max(run);
                run = 0;
            }
        }
    }
    digits >= 9 || longest.max(run) >= 14 || names_a_secret(text)
}

fn names_a_secret(text: &str) -> bool {
    static NAMES: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)bearer|basic|passw|pwd|secret|token|key|authorization")
            .expect("the pattern is tested")
    });
    NAMES.is_match(text)
}

fn is_mixed(text: &str) -> bool {
    let has = |is: fn(&u8) -> bool| text.as_bytes().iter().any(is);
    has(u8::is_ascii_digit) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_and_the_rest_stays() {
        let cases = [
            ("page jane.doe+oncall@example.co.uk now", "page [email] now"),
            ("call +49 (171) 123-4567", "call [phone]"),
            ("call 555-867-5309 or (555) 867-5309", "call [phone] or [phone]"),
            ("ssn 078-05-1120", "ssn [number]"),
            ("Authorization: Bearer abc.def-123456", "Authorization: Bearer [token]"),
            ("password=hunter2 and user=bob", "password=[secret] and user=bob"),
            (r#"{"api_key": "abcd1234"}"#, r#"{"api_key": "[secret]"}"#),
            ("postgres://bob:s3cr3t@db/x", "postgres://[credentials]@db/x"),
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig-nature", "[token]"),
            ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "[token]"),
            ("sk-proj-abcdefghijklmnop1234", "[token]"),
            ("AKIAIOSFODNN7EXAMPLE", "[token]"),
            ("da39a3ee5e6b4b0d3255bfef95601890afd80709", "[secret]"),
            ("aGVsbG8gd29ybGQgaGVsbG8gd29ybGQ1Mg==", "[secret]"),
        ];
        for (text, clean) in cases {
            assert_eq!(redact(text), clean, "of {text:?}");
        }
    }

    #[test]
    fn what_is_no_secret_is_borrowed() {
        for text in [
            "5xx ratio of conductor is 0.23 since 2026-11-21T08:30:00.120Z",
            "https://runbooks.example.com/Conductor/High-Error-Rate-2026?panel=12",
            "maestro-conductor-deployment-7d9f8b6c5d-x2x4z",
            "10.244.10.12:8080 answered 503 at 1763713800",
            "9b2f1c34-5a6d-4e8f-9a0b-1c2d3e4f5a6b",
            "4bf92f3577b34da6a3ce929d0e0e4736",
        ] {
            assert!(matches!(redact(text), Cow::Borrowed(_)), "{text:?} became {:?}", redact(text));
        }
    }

    #[test]
    fn redacting_twice_is_redacting_once() {
        let text = "mail a@b.example, Bearer abcdefgh12, token: abcdef, +1 555 867 5309, secret=xyzzy42";
        let once = redact(text).into_owned();
        assert_eq!(redact(&once), once);
    }

    #[test]
    fn a_label_is_redacted_only_where_it_is_named() {
        let redactor = Redactor { enabled: true, labels: BTreeSet::from(["owner".to_owned()]) };
        let mut labels = Labels::from([
            ("owner".to_owned(), "a@b.example".to_owned()),
            ("instance".to_owned(), "c@d.example".to_owned()),
        ]);
        redactor.labels(&mut labels);
        assert_eq!(labels["owner"], "[email]");
        assert_eq!(labels["instance"], "c@d.example");
    }
}
