//! YAML as a tree that knows where everything stands, so that every problem can name its line and column.
//!
//! Deliberately absent: anchors, aliases, merge keys and tags (a few lines of them can unfold to gigabytes, and
//! no policy needs them). Size and depth are bounded. Scalars are read by the YAML 1.2 core schema.

use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use serde_json::{Number, Value};

/// No file may be longer; a policy is a page, and a thousand of them fit.
pub const TEXT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// No value may be nested deeper; the deepest policy needs eight.
pub const DEPTH_MAX: usize = 32;

/// No mapping may have more keys; each is compared with those before it.
pub const KEYS_MAX: usize = 10_000;

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl Position {
    /// Where every text begins.
    pub const START: Self = Self { line: 1, column: 1 };

    fn of(span: Span) -> Self {
        Self { line: span.start.line().max(1), column: span.start.col() + 1 }
    }
}

/// One value and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    /// Where it begins.
    pub at: Position,
    /// What it is.
    pub node: Node,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, and how it is written.
    Number(Number, String),
    /// Any other scalar.
    Text(String),
    /// A sequence.
    List(Vec<Tree>),
    /// A mapping, in the order written; keys are unique.
    Map(Vec<Entry>),
}

/// One pair of a mapping.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key begins.
    pub key_at: Position,
    /// The value.
    pub value: Tree,
}

/// Something wrong at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub at: Position,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Fault {
    /// Something wrong at a place, and what to do.
    pub fn new(at: Position, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { at, message: message.into(), hint: Some(hint.into()) }
    }
}

/// What a text holds: its documents, empty ones left out, and everything that is wrong with it as YAML.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parsed {
    /// The documents that could be read.
    pub documents: Vec<Tree>,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

impl Tree {
    /// The same value for serde, without places.
    pub fn to_json(&self) -> Value {
        match &self.node {
            Node::Null => Value::Null,
            Node::Bool(flag) => Value::Bool(*flag),
            Node::Number(number, _) => Value::Number(number.clone()),
            Node::Text(text) => Value::String(text.clone()),
            Node::List(items) => items.iter().map(Self::to_json).collect(),
            Node::Map(entries) => Value::Object(
                entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect(),
            ),
        }
    }

    /// The value of this key, when this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.node {
            Node::Map(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value),
            _ => None,
        }
    }

    /// Where the value at this path begins, or the deepest part of the path that is there. The path is a JSON
    /// pointer (`/spec/guards/0/max`); dots are taken as well (`spec.guards[0].max`, as serde's path errors write it).
    pub fn position(&self, path: &str) -> Position {
        let pointer = path.starts_with('/');
        let steps: Vec<String> = if pointer {
            path[1..].split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect()
        } else {
            path.split(['.', '[', ']']).filter(|step| !step.is_empty()).map(str::to_owned).collect()
        };
        let (mut tree, mut at) = (self, self.at);
        for step in steps.iter().filter(|step| !step.is_empty()) {
            let next = match &tree.node {
                Node::Map(entries) => entries.iter().find(|entry| entry.key == *step).map(|entry| {
                    at = entry.key_at;
                    &entry.value
                }),
                Node::List(items) => {
                    step.parse().ok().and_then(|index: usize| items.get(index)).inspect(|item| {
                        at = item.at;
                    })
                }
                _ => None,
            };
            match next {
                Some(next) => tree = next,
                None => return at,
            }
        }
        if std::ptr::eq(tree, self) { self.at } else { scalar_or_key(tree, at) }
    }

    /// What it is, for people: "the number 15".
    pub fn describe(&self) -> String {
        match &self.node {
            Node::Null => "nothing".to_owned(),
            Node::Bool(flag) => format!("`{flag}`"),
            Node::Number(_, written) => format!("the number {written}"),
            Node::Text(text) if text.chars().count() <= 60 => format!("the text `{}`", printable(text)),
            Node::Text(_) => "a long text".to_owned(),
            Node::List(_) => "a list".to_owned(),
            Node::Map(_) => "a mapping".to_owned(),
        }
    }
}

/// Text for a message: control characters escaped.
pub(crate) fn printable(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if c.is_control() {
            out.extend(c.escape_debug())
        } else {
            out.push(c)
        }
        out
    })
}

/// Scalars are pointed at themselves, collections at the key that holds them.
fn scalar_or_key(tree: &Tree, key_at: Position) -> Position {
    match tree.node {
        Node::List(_) | Node::Map(_) | Node::Null => key_at,
        Node::Bool(_) | Node::Number(..) | Node::Text(_) => tree.at,
    }
}

/// Reads a text. What can be read is there even when something else is wrong.
pub fn parse(text: &str) -> Parsed {
    let mut parsed = Parsed::default();
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("the file has {} bytes, {TEXT_BYTES_MAX} are allowed", text.len());
        parsed.faults.push(Fault::new(Position::START, message, "split it into several files"));
        return parsed;
    }
    let mut growing = Growing::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        match event {
            Ok((event, span)) => {
                if growing.take(event, Position::of(span), &mut parsed).is_break() {
                    break;
                }
            }
            Err(error) => {
                let mark = error.marker();
                let at = Position { line: mark.line().max(1), column: mark.col() + 1 };
                let hint = if error.info().contains("tab") {
                    "indent with spaces"
                } else {
                    "check indentation, quotes and brackets just before this place; quote values that hold `: `, ` #`, `{` or `[`"
                };
                parsed.faults.push(Fault::new(at, format!("not YAML: {}", error.info()), hint));
                break;
            }
        }
    }
    parsed
}

/// A collection whose end has not come yet.
#[derive(Debug)]
enum Open {
    List(Position, Vec<Tree>),
    Map(Position, Vec<Entry>, Option<(String, Position)>),
}

#[derive(Debug, Default)]
struct Growing {
    open: Vec<Open>,
}

impl Growing {
    fn take(&mut self, event: Event<'_>, at: Position, parsed: &mut Parsed) -> std::ops::ControlFlow<()> {
        let tagged = |tag: bool, anchor: usize, parsed: &mut Parsed| {
            if anchor > 0 {
                parsed.faults.push(Fault::new(
                    at,
                    "anchors (`&name`) are not allowed",
                    "write the value out at each place",
                ));
            }
            if tag {
                parsed.faults.push(Fault::new(
                    at,
                    "tags (`!name`) are not allowed",
                    "remove the tag; quote the value where it must be text",
                ));
            }
        };
        match event {
            Event::Scalar(value, style, anchor, tag) => {
                tagged(tag.is_some(), anchor, parsed);
                self.scalar(&value, style, at, parsed);
            }
            Event::SequenceStart(anchor, tag) => {
                tagged(tag.is_some(), anchor, parsed);
                self.open.push(Open::List(at, Vec::new()));
            }
            Event::MappingStart(anchor, tag) => {
                tagged(tag.is_some(), anchor, parsed);
                self.open.push(Open::Map(at, Vec::new(), None));
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(done) = self.open.pop() {
                    let tree = match done {
                        Open::List(at, items) => Tree { at, node: Node::List(items) },
                        Open::Map(at, entries, _) => Tree { at, node: Node::Map(entries) },
                    };
                    self.place(tree, parsed);
                }
            }
            Event::Alias(_) => {
                parsed.faults.push(Fault::new(
                    at,
                    "aliases (`*name`) are not allowed",
                    "write the value out at each place",
                ));
                self.place(Tree { at, node: Node::Null }, parsed);
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
        }
        if matches!(self.open.last(), Some(Open::Map(_, entries, _)) if entries.len() > KEYS_MAX) {
            let message = format!("a mapping has more than {KEYS_MAX} keys");
            parsed.faults.push(Fault::new(at, message, "no document of paramedic needs that"));
            return std::ops::ControlFlow::Break(());
        }
        if self.open.len() > DEPTH_MAX {
            let message = format!("nested deeper than {DEPTH_MAX} levels");
            parsed.faults.push(Fault::new(
                at,
                message,
                "no document of paramedic needs that; look for stray brackets",
            ));
            return std::ops::ControlFlow::Break(());
        }
        std::ops::ControlFlow::Continue(())
    }

    fn scalar(&mut self, value: &str, style: ScalarStyle, at: Position, parsed: &mut Parsed) {
        match self.open.last_mut() {
            Some(Open::Map(_, _, key @ None)) => {
                if value.is_empty() {
                    parsed.faults.push(Fault::new(at, "a key is empty", "name it, or remove its line"));
                }
                *key = Some((value.to_owned(), at));
            }
            _ => {
                let node =
                    if style == ScalarStyle::Plain { plain(value) } else { Node::Text(value.to_owned()) };
                self.place(Tree { at, node }, parsed);
            }
        }
    }

    fn place(&mut self, tree: Tree, parsed: &mut Parsed) {
        match self.open.last_mut() {
            None => {
                if tree.node != Node::Null {
                    parsed.documents.push(tree);
                }
            }
            Some(Open::List(_, items)) => items.push(tree),
            Some(Open::Map(_, _, key @ None)) => {
                parsed.faults.push(Fault::new(
                    tree.at,
                    "a key must be plain text",
                    "templates in values need quotes: `name: \"{{ labels.name }}\"`",
                ));
                *key = Some((String::new(), tree.at));
            }
            Some(Open::Map(_, entries, key)) => {
                let Some((key, key_at)) = key.take() else { return };
                if let Some(first) = entries.iter().find(|entry| entry.key == key && !key.is_empty()) {
                    let message =
                        format!("the key `{key}` is there twice, first on line {}", first.key_at.line);
                    parsed.faults.push(Fault::new(key_at, message, "keep one of them"));
                } else if !key.is_empty() {
                    entries.push(Entry { key, key_at, value: tree });
                }
            }
        }
    }
}

/// An unquoted scalar by the YAML 1.2 core schema.
fn plain(text: &str) -> Node {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Node::Null,
        "true" | "True" | "TRUE" => return Node::Bool(true),
        "false" | "False" | "FALSE" => return Node::Bool(false),
        _ => {}
    }
    match number(text) {
        Some(number) => Node::Number(number, text.to_owned()),
        None => Node::Text(text.to_owned()),
    }
}

fn number(text: &str) -> Option<Number> {
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok().map(Number::from);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return u64::from_str_radix(digits, 8).ok().map(Number::from);
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = unsigned.bytes().filter(u8::is_ascii_digit).count();
    if digits == 0 || !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if digits == unsigned.len()
        && let Ok(whole) = text.parse::<i64>()
    {
        return Some(Number::from(whole));
    }
    unsigned
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte))
        .then(|| text.parse::<f64>().ok().and_then(Number::from_f64))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Tree {
        let parsed = parse(text);
        assert_eq!(parsed.faults, [], "{text}");
        parsed.documents.into_iter().next().expect("one document")
    }

    #[test]
    fn a_text_is_told_as_far_as_it_fits() {
        let short = "x".repeat(60);
        assert_eq!(one(&short).describe(), format!("the text `{short}`"));
        assert_eq!(one(&"x".repeat(61)).describe(), "a long text");
        assert_eq!(one("15").describe(), "the number 15");
        assert_eq!(one("[a]").describe(), "a list");
    }

    #[test]
    fn scalars_follow_the_core_schema() {
        let tree = one("[1, -2, 0x1f, 1.5, 1e3, .5, yes, on, 1.2.3, 25%, 09:00, '1', true, ~, 1_000]");
        assert_eq!(
            tree.to_json().to_string(),
            r#"[1,-2,31,1.5,1000.0,0.5,"yes","on","1.2.3","25%","09:00","1",true,null,"1_000"]"#
        );
    }

    #[test]
    fn places_are_found_by_path() {
        let tree = one("a:\n  b:\n    - x: 1\n    - {y: two, z: 3}\n");
        let at = |path: &str| (tree.position(path).line, tree.position(path).column);
        assert_eq!(at("/a/b"), (2, 3));
        assert_eq!(at("/a/b/1/z"), (4, 19));
        assert_eq!(at("a.b[0].x"), (3, 10));
        assert_eq!(at("/a/nothing/there"), (1, 1));
    }

    #[test]
    fn what_editors_of_windows_add_does_not_disturb() {
        let tree = one("\u{feff}a: 1\r\nb:\r\n  - c\r\n");
        assert_eq!(tree.to_json().to_string(), r#"{"a":1,"b":["c"]}"#);
        assert_eq!(tree.position("/b/0").line, 3);
    }

    #[test]
    fn several_documents_are_read_and_empty_ones_left_out() {
        let parsed = parse("---\na: 1\n---\n# nothing\n---\nb: 2\n...\n");
        assert_eq!((parsed.documents.len(), parsed.faults.len()), (2, 0));
    }

    #[test]
    fn an_empty_key_is_refused() {
        for text in ["'': 1\n", "a: {\"\": x, b: y}\n", ": 1\n"] {
            let faults = parse(text).faults;
            assert!(faults.len() == 1 && faults[0].message == "a key is empty", "{text}: {faults:?}");
        }
    }

    #[test]
    fn what_could_unfold_is_refused() {
        for text in ["a: &x [1]\nb: *x\n", "a: !!binary aGk=\n", "&a a: 1\n", "? [a]\n: b\n"] {
            assert_ne!(parse(text).faults, [], "{text}");
        }
        let deep = parse(&format!("{}{}", "[".repeat(40), "]".repeat(40))).faults;
        assert!(deep[0].message.contains("nested deeper"), "{deep:?}");
        assert_ne!(parse(&"[".repeat(100_000)).faults, []);
        assert_ne!(parse(&"{a: ".repeat(100_000)).faults, []);
        assert_ne!(parse(&"- ".repeat(100_000)).faults, []);
        let wide: String = (0..=KEYS_MAX).map(|key| format!("k{key}: 1\n")).collect();
        assert!(parse(&wide).faults[0].message.contains("keys"));
        assert!(parse(&"x".repeat(TEXT_BYTES_MAX + 1)).faults[0].message.contains("bytes"));
    }

    #[test]
    fn a_key_twice_is_named_with_its_first_line() {
        let faults = parse("a: 1\nb: 2\na: 3\n").faults;
        assert_eq!(faults[0].at, Position { line: 3, column: 1 });
        assert!(faults[0].message.contains("first on line 1"), "{faults:?}");
    }
}
