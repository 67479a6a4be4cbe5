//! How much of an alert is believed: every list and text from outside is bounded, and every bound has a reason.
//! An alert beyond a bound on what identifies it is refused; what only describes it is cut.

use paramedic_policies::alert::Labels;

/// Labels of one alert. Alerts over kube-state-metrics carry about 30; far more is a mistake or an attack on the index.
pub const LABELS_MAX: usize = 128;

/// Bytes of a label's or annotation's name. Names are identifiers, in UTF-8 since Prometheus 3.
pub const NAME_BYTES_MAX: usize = 256;

/// Bytes of a label's value. Labels become names, which end at 253; a query text in a label may be longer.
pub const VALUE_BYTES_MAX: usize = 4096;

/// Annotations of one alert; the rest is left out.
pub const ANNOTATIONS_MAX: usize = 64;

/// Bytes of an annotation's value; the rest is cut. Enough for a page of text, and records stay small.
pub const ANNOTATION_BYTES_MAX: usize = 8192;

/// Bytes of receiver, group key and fingerprint that are kept. Group keys hold all matchers of a route.
pub const ENVELOPE_BYTES_MAX: usize = 2048;

/// Alerts that Alertmanager may say it left out: one is a storm already, and no group holds more than that; a larger
/// number is a mistake that must not fill counters for good.
pub const TRUNCATED_MAX: u64 = 1_000_000;

/// Problems that are listed of one delivery; more are counted, since a hostile batch must not fill the journal.
pub const PROBLEMS_MAX: usize = 20;

/// Bytes of untrusted text that a problem quotes.
pub const QUOTED_BYTES_MAX: usize = 60;

/// Whether a label may hold this character: tab and line breaks occur in real labels, other control characters
/// and those that turn the direction of writing do not, and lie to the person who reads a terminal.
pub fn is_plain(character: char) -> bool {
    match character {
        '\t' | '\n' | '\r' => true,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => false,
        other => !other.is_control(),
    }
}

/// Whether these may be the labels of an alert.
///
/// # Errors
/// What is beyond a bound.
pub fn labels(labels: &Labels) -> Result<(), String> {
    if labels.is_empty() {
        return Err("there are none, so nothing says what this alert is".to_owned());
    }
    if labels.len() > LABELS_MAX {
        return Err(format!("{} of them, at most {LABELS_MAX} may be", labels.len()));
    }
    for (name, value) in labels {
        let shown = || quoted(name);
        if name.is_empty() {
            return Err("one has no name".to_owned());
        }
        if name.len() > NAME_BYTES_MAX {
            let have = name.len();
            return Err(format!("the name {} has {have} bytes, at most {NAME_BYTES_MAX} may be", shown()));
        }
        if value.len() > VALUE_BYTES_MAX {
            let have = value.len();
            return Err(format!("{} has {have} bytes, at most {VALUE_BYTES_MAX} may be", shown()));
        }
        let odd = |text: &str| text.chars().find(|character| !is_plain(*character));
        if let Some(odd) = odd(name).or_else(|| odd(value)) {
            return Err(format!("{} has the control character U+{:04X}", shown(), u32::from(odd)));
        }
    }
    Ok(())
}

/// Annotations as they are kept: cut, and cleaned.
pub fn annotations(mut annotations: Labels) -> Labels {
    annotations.retain(|name, _| name.len() <= NAME_BYTES_MAX && name.chars().all(is_plain));
    while annotations.len() > ANNOTATIONS_MAX {
        annotations.pop_last();
    }
    for value in annotations.values_mut() {
        if value.len() > ANNOTATION_BYTES_MAX {
            *value = cut(value, ANNOTATION_BYTES_MAX);
        }
        if !value.chars().all(is_plain) {
            *value = value.chars().map(|c| if is_plain(c) { c } else { '\u{fffd}' }).collect();
        }
    }
    annotations
}

/// Alertmanager's are 16 hexadecimal digits; look-alikes vary.
pub fn is_fingerprint(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// At most that many bytes of `text`, cut between characters, with a mark where it was cut.
pub fn cut(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(bytes_max)])
}

/// Untrusted text as a problem may show it: cut, escaped, in backticks.
pub fn quoted(text: &str) -> String {
    format!("`{}`", cut(text, QUOTED_BYTES_MAX).escape_debug())
}
