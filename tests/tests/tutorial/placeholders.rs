//! What differs each time a command is run, replaced by names: times, days, durations, hashes, and, where the real world has
//! its part in it, numbers of records and how wide columns are. It must never hide a word.

/// Commands whose answers depend on nothing but files and history: every number of theirs counts.
const EXACT: [&str; 4] = ["paramedic check", "paramedic backtest", "paramedic test", "paramedic plan"];

/// What `command` said, with names for what differs.
pub(crate) fn told(command: &str, said: &str) -> String {
    let is_exact = EXACT.iter().any(|exact| command.starts_with(exact)) || command.starts_with("echo");
    let mut lines = Vec::new();
    for line in said.lines() {
        let words: Vec<String> = line.split_whitespace().map(|word| named(word, is_exact)).collect();
        let indent = line.len() - line.trim_start().len();
        let line = words.join(" ");
        // A span such as `1m 3s` is one.
        let line = line.replace("<span> <span>", "<span>").replace("<span> <span>", "<span>");
        lines.push(format!("{}{line}", if is_exact { " ".repeat(indent) } else { String::new() }));
    }
    lines.join("\n")
}

fn named(word: &str, is_exact: bool) -> String {
    let core = word.trim_matches(|letter: char| !letter.is_ascii_alphanumeric());
    let Some(at) = word.find(core).filter(|_| !core.is_empty()) else { return word.to_owned() };
    let name = match core {
        core if is_time(core) => "<time>",
        core if is_hash(core) => "<hash>",
        core if !is_exact && is_span(core) => "<span>",
        core if !is_exact && core.chars().all(|letter| letter.is_ascii_digit()) => "<number>",
        _ => return word.to_owned(),
    };
    format!("{}{name}{}", &word[..at], &word[at + core.len()..])
}

/// `2026-10-01`, `2026-10-01T00:00:00Z`, `10-01`, `12:30`.
fn is_time(word: &str) -> bool {
    let digits = word.chars().filter(char::is_ascii_digit).count();
    let others = word.chars().filter(|letter| !letter.is_ascii_digit());
    digits >= 4
        && word.starts_with(|letter: char| letter.is_ascii_digit())
        && word.contains(['-', ':'])
        && others.into_iter().all(|letter| "-:.TZ".contains(letter))
}

/// Digests, correlations, and uuids with what follows them.
fn is_hash(word: &str) -> bool {
    let word = word.strip_prefix('p').unwrap_or(word);
    let is_hex = |letter: char| letter.is_ascii_digit() || ('a'..='f').contains(&letter);
    word.len() >= 12
        && word.chars().any(|letter| letter.is_ascii_digit())
        && word.chars().all(|letter| is_hex(letter) || letter == '-')
}

/// `12s`, `340ms`, `1.5s`, `3m`.
fn is_span(word: &str) -> bool {
    let unit = word.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
    unit.len() < word.len() && ["ms", "s", "m", "h"].contains(&unit)
}

#[test]
fn only_what_differs_is_named() {
    let said = "#31 2026-11-22T01:00:00.123Z  restart 4 -> 6 after 1m 3s (book 4132cba13f3b)\n";
    assert_eq!(
        told("paramedic status", said),
        "#<number> <time> restart <number> -> <number> after <span> (book <hash>)"
    );
    assert_eq!(told("paramedic plan", "  4 actions on 2026-10-01\n"), "  4 actions on <time>");
    assert_eq!(told("paramedic status", "paramedic-web is fine"), "paramedic-web is fine");
}
