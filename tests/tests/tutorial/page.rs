//! The page as its parts: prose, files (a block of YAML after a line that ends with its name in backquotes), commands with
//! what they say, and remarks for the test that readers do not see. It must never drop a line.

/// A part of the page, in its order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    /// Anything else, with its line ends.
    Prose(&'a str),
    /// A file to write.
    File {
        /// Its path.
        name: &'a str,
        /// Its text.
        lines: &'a str,
    },
    /// What happens in the world now: `<!-- test: ... -->`.
    Happens(&'a str),
    /// Commands, each with what it says.
    Commands(Vec<(&'a str, &'a str)>),
}

/// The parts of a page.
pub(crate) fn parts(page: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut name = "";
    let mut rest = page;
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.find('\n').map_or(rest.len(), |end| end + 1));
        let text = line.trim_end();
        let block = || {
            let end = after.find("```\n").expect("a block has an end");
            (&after[..end], &after[end + 4..])
        };
        if let Some(what) = text.strip_prefix("<!-- test: ").and_then(|what| what.strip_suffix(" -->")) {
            parts.push(Part::Happens(what));
            rest = after;
        } else if text == "```yaml" {
            let (lines, after) = block();
            assert!(!name.is_empty(), "no line before this block names its file:\n{lines}");
            parts.push(Part::File { name, lines });
            rest = after;
        } else if text == "```console" {
            let (lines, after) = block();
            parts.push(Part::Commands(commands(lines)));
            rest = after;
        } else {
            if text.ends_with(':') {
                name = text.rsplit('`').nth(1).filter(|name| name.ends_with(".yaml")).unwrap_or_default();
            }
            parts.push(Part::Prose(line));
            rest = after;
        }
    }
    parts
}

fn commands(block: &str) -> Vec<(&str, &str)> {
    let mut commands = Vec::new();
    let mut rest = block;
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.find('\n').map_or(rest.len(), |end| end + 1));
        let command = line.trim_end().strip_prefix("$ ").expect("a block of commands begins with one");
        // What is said never begins with `$ ` here.
        let end = match after.starts_with("$ ") {
            true => 0,
            false => after.find("\n$ ").map_or(after.len(), |end| end + 1),
        };
        commands.push((command, &after[..end]));
        rest = &after[end..];
    }
    commands
}

#[test]
fn a_page_is_read_in_its_order() {
    let page = "Write `a.yaml`:\n\n```yaml\na: 1\n```\n\n<!-- test: fires -->\n```console\n$ one\nsaid\n$ two\n```\nend\n";
    let parts = parts(page);
    let commands = vec![("one", "said\n"), ("two", "")];
    assert!(parts.contains(&Part::File { name: "a.yaml", lines: "a: 1\n" }), "{parts:?}");
    assert!(parts.contains(&Part::Happens("fires")), "{parts:?}");
    assert!(parts.contains(&Part::Commands(commands)), "{parts:?}");
}
