//! The words of a report: times as people read them, and text that was written by strangers. Labels, annotations and
//! log lines are hostile input: nothing here may let one become markup, a link, a mention or a second line.

use paramedic_policies::time::{Moment, Span};

/// Text for Markdown's running text: every character that could begin markup is defused.
pub(in crate::cli) fn prose(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut before = ' ';
    let text = visible(text);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let after = rest.peek().copied().unwrap_or(' ');
        // Blanks before it make a heading no less a heading, inside a list.
        let is_first = safe.trim_start().is_empty();
        match c {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            // A mention calls people, and a scheme makes a link, wherever the report is pasted.
            '@' => safe.push_str("&#64;"),
            ':' if after == '/' => safe.push_str("&#58;"),
            '.' if before.eq_ignore_ascii_case(&'w') => safe.push_str("&#46;"),
            '\\' | '`' | '*' | '[' | ']' | '|' | '~' | '!' | '$' => safe.extend(['\\', c]),
            '_' if !(before.is_alphanumeric() && after.is_alphanumeric()) => safe.push_str("\\_"),
            '#' | '-' | '+' | '=' if is_first => safe.extend(['\\', c]),
            '#' if after.is_ascii_digit() => safe.push_str("\\#"),
            '.' | ')'
                if after == ' ' && !is_first && safe.trim_start().chars().all(|c| c.is_ascii_digit()) =>
            {
                safe.extend(['\\', c]);
            }
            c => safe.push(c),
        }
        before = c;
    }
    safe
}

/// Text for a code span, fenced by more backticks than it holds; fit for a table's cell.
pub(in crate::cli) fn code(text: &str) -> String {
    let text = visible(text).replace('|', "\\|");
    if text.trim().is_empty() {
        return "(empty)".to_owned();
    }
    // What escapes a bar itself would end the cell for some readers of Markdown: that is told in running text.
    if text.contains("\\\\|") {
        return prose(&text.replace("\\|", "|"));
    }
    fenced(&text)
}

/// The same as it is, since somebody copies it: a query with a bar too many is another query. Not for a table's cell.
pub(in crate::cli) fn copied(text: &str) -> String {
    let text = visible(text);
    if text.trim().is_empty() { "(empty)".to_owned() } else { fenced(&text) }
}

fn fenced(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// Lines for a code block, and the fence that none of them can close.
pub(super) fn block(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(visible).collect();
    let longest = lines.iter().flat_map(|line| line.split(|c| c != '`').map(str::len)).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{}\n{fence}\n", lines.join("\n"))
}

/// Text on one line in which everything can be seen: no control character, and none that turns the direction of
/// writing, by which a name can be made to read as another.
pub(in crate::cli) fn visible(text: &str) -> String {
    text.chars().map(|c| if is_hidden(c) { '\u{fffd}' } else { c }).collect()
}

/// Whether a character shows nothing and changes what is read.
pub(super) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// `2026-11-21 09:02:00 UTC`.
pub(super) fn moment(at: Moment) -> String {
    let text = at.to_string();
    match (text.get(..10), text.get(11..19)) {
        (Some(day), Some(time)) => format!("{day} {time} UTC"),
        _ => text,
    }
}

/// `09:02:00`, or with the day where it is another than that of `beside`.
pub(super) fn clock(at: Moment, beside: Moment) -> String {
    let (text, other) = (at.to_string(), beside.to_string());
    let is_same_day = text.get(..10) == other.get(..10);
    match (text.get(5..10), text.get(11..19)) {
        (Some(_), Some(time)) if is_same_day => time.to_owned(),
        (Some(day), Some(time)) => format!("{day} {time}"),
        _ => text,
    }
}

/// A length of time at a glance: milliseconds below a second, tenths of seconds below ten, two units above.
pub(super) fn span(span: Span) -> String {
    if span < Span::from_secs(1) {
        return span.to_string();
    }
    if span < Span::from_secs(10) {
        let (whole, tenths) = (span.ms() / 1000, span.ms() / 100 % 10);
        return if tenths == 0 { format!("{whole}s") } else { format!("{whole}.{tenths}s") };
    }
    let text = Span::from_ms(span.ms() / 1000 * 1000).to_string();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// The first so many characters, and a sign where some were left out.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_stays_text_in_markdown() {
        for (text, safe) in [
            ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
            ("a | b\n# c", "a \\| b\u{fffd}# c"),
            ("[x](javascript:1)", "\\[x\\](javascript:1)"),
            ("![x](http://evil.test/a)", "\\!\\[x\\](http&#58;//evil.test/a)"),
            ("http_requests_total", "http_requests_total"),
            ("_x_ *y* `z`", "\\_x\\_ \\*y\\* \\`z\\`"),
            ("@everyone see #12", "&#64;everyone see \\#12"),
            ("# heading", "\\# heading"),
            ("  # heading", "  \\# heading"),
            (" - item", " \\- item"),
            (" 1. list", " 1\\. list"),
            ("1. list", "1\\. list"),
            ("0.01", "0.01"),
            ("www.evil.test", "www&#46;evil.test"),
            ("a\u{202e}b", "a\u{fffd}b"),
        ] {
            assert_eq!(prose(text), safe);
        }
    }

    #[test]
    fn a_code_span_cannot_be_left() {
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(code("``"), "``` `` ```");
        assert_eq!(copied("a|b\nc"), "`a|b\u{fffd}c`", "a query that is copied is the same query");
        assert_eq!(code("a|b\nc"), "`a\\|b\u{fffd}c`");
        assert_eq!(code(r"a\|b | `c`"), r"a\\\|b \| \`c\`", "no reader of Markdown may end the cell there");
        assert_eq!(block("a\n```\n<b>"), "````text\na\n```\n<b>\n````\n");
    }

    #[test]
    fn lengths_of_time_have_two_units() {
        for (ms, text) in
            [(0, "0s"), (1_250, "1.2s"), (3_017, "3s"), (62_900, "1m 2s"), (90_061_000, "1d 1h")]
        {
            assert_eq!(span(Span::from_ms(ms)), text);
        }
    }
}
