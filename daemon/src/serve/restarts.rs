//! What of the configuration is built when the daemon starts, and is not built anew by a reload: it waits for a restart,
//! and that is said. What is in force must never be mistaken for what is written.

use crate::config::Configuration;

/// Whether a key is another in the configuration of now.
type IsOther = fn(&Configuration, &Configuration) -> bool;

/// Every such key; the reload judges `mode`.
const ALL: [(&str, IsOther); 11] = [
    ("listen", |first, now| first.listen != now.listen),
    ("adminListen", |first, now| first.admin_listen != now.admin_listen),
    ("dataDir", |first, now| first.data_dir != now.data_dir),
    ("prometheus", |first, now| first.prometheus != now.prometheus),
    ("kubernetes", |first, now| first.kubernetes != now.kubernetes),
    // Whoever asks Prometheus keeps it too.
    ("facts.maxAge", |first, now| first.facts.max_age != now.facts.max_age),
    ("endpoints", |first, now| first.endpoints != now.endpoints),
    ("notifications.receivers", |first, now| first.notifications.receivers != now.notifications.receivers),
    ("retention", |first, now| first.retention != now.retention),
    ("redaction", |first, now| first.redaction != now.redaction),
    ("log", |first, now| first.log != now.log),
];

/// The names of all keys that take a restart.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|(name, _)| *name)
}

/// What of them is another now than when the daemon started, a sentence each.
pub(super) fn waits(first: &Configuration, now: &Configuration) -> Vec<String> {
    let changed = ALL.iter().filter(|(_, is_other)| is_other(first, now));
    changed
        .map(|(name, _)| format!("`{name}` was changed in the configuration: that takes a restart"))
        .collect()
}
