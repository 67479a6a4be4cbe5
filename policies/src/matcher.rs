//! Alertmanager's matcher syntax: `name="value"`, with `=`, `!=`, `=~`, `!~`, anchored regular expressions,
//! and quoted UTF-8 names. Source of the rules: Alertmanager's `matcher/parse` package.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use regex::{Regex, RegexBuilder};

use crate::alert::Labels;
use crate::load::Malformed;

/// How a matcher compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operator {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`, anchored at both ends
    Matches,
    /// `!~`, anchored at both ends
    NotMatches,
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Matches => "=~",
            Self::NotMatches => "!~",
        })
    }
}

/// One condition on one label. A missing label is the empty string, as in Alertmanager.
#[derive(Debug, Clone)]
pub struct Matcher {
    /// The label's name.
    pub name: String,
    /// How to compare.
    pub operator: Operator,
    /// The value, or the regular expression as written.
    pub value: String,
    /// The compiled expression, shared between equal ones; present for `=~` and `!~`.
    pub regex: Option<Arc<Regex>>,
}

/// Compiled expressions by their text, so that ten thousand policies with one expression hold it once.
#[derive(Debug, Default)]
pub struct Regexes {
    compiled: BTreeMap<String, Arc<Regex>>,
}

/// The greatest memory of one compiled expression; an expression over it is not meant to be matched against labels.
const REGEX_BYTES_MAX: usize = 1024 * 1024;

impl Regexes {
    fn get(&mut self, text: &str) -> Result<Arc<Regex>, Malformed> {
        if let Some(regex) = self.compiled.get(text) {
            return Ok(Arc::clone(regex));
        }
        let compile = |text: &str| RegexBuilder::new(text).size_limit(REGEX_BYTES_MAX).build();
        // By itself first: `a)|(b` would slip out of the anchors' group.
        let regex = compile(text).and_then(|_| compile(&format!("^(?:{text})$"))).map_err(|error| {
            let why = match error {
                regex::Error::CompiledTooBig(_) => "too large when compiled".to_owned(),
                other => other
                    .to_string()
                    .lines()
                    .last()
                    .unwrap_or_default()
                    .trim_start_matches("error: ")
                    .to_owned(),
            };
            Malformed::new(
                format!("`{text}` is not a regular expression: {why}"),
                "RE2 syntax, anchored at both ends; plain text is compared with `=`",
            )
        })?;
        let regex = Arc::new(regex);
        self.compiled.insert(text.to_owned(), Arc::clone(&regex));
        Ok(regex)
    }
}

impl Matcher {
    /// Whether these labels meet the matcher.
    pub fn meets(&self, labels: &Labels) -> bool {
        self.meets_value(labels.get(&self.name).map_or("", String::as_str))
    }

    /// Whether a label with this value meets the matcher.
    pub fn meets_value(&self, value: &str) -> bool {
        let matches = || self.regex.as_ref().is_some_and(|regex| regex.is_match(value));
        match self.operator {
            Operator::Equal => value == self.value,
            Operator::NotEqual => value != self.value,
            Operator::Matches => matches(),
            Operator::NotMatches => !matches(),
        }
    }

    /// Reads one matcher; equal expressions come from `regexes`.
    ///
    /// # Errors
    /// When it is not one matcher.
    pub fn parse(text: &str, regexes: &mut Regexes) -> Result<Self, Malformed> {
        Self::parse_filled(text, regexes, Ok)
    }

    /// As [`Matcher::parse`], with a value that is filled in first; what is put in stays one value, whatever it holds.
    pub(crate) fn parse_filled(
        text: &str,
        regexes: &mut Regexes,
        fill: impl FnOnce(String) -> Result<String, Malformed>,
    ) -> Result<Self, Malformed> {
        let usage = "write it such as alertname=\"HighErrorRate\" or severity=~\"critical|page\"";
        let bad = |problem: &str| Malformed::new(format!("`{text}` is not a matcher: {problem}"), usage);
        let mut rest = text.trim();
        if rest.starts_with('{') {
            return Err(Malformed::new(
                format!("`{text}` is not a matcher: braces belong to a list of them"),
                "write every matcher as its own list item, without braces",
            ));
        }
        let name = word(&mut rest)
            .map_err(|problem| bad(&problem))?
            .ok_or_else(|| bad("a label name is missing"))?;
        if name.is_empty() {
            return Err(bad("the label name is empty"));
        }
        rest = rest.trim_start();
        let operators = [
            ("=~", Operator::Matches),
            ("!~", Operator::NotMatches),
            ("!=", Operator::NotEqual),
            ("=", Operator::Equal),
        ];
        let Some((sign, operator)) = operators.into_iter().find(|(sign, _)| rest.starts_with(sign)) else {
            return Err(bad("after the label name must come =, !=, =~ or !~"));
        };
        rest = rest[sign.len()..].trim_start();
        if rest.starts_with('=') {
            return Err(bad("equality is written with one `=`"));
        }
        let value = word(&mut rest)
            .map_err(|problem| bad(&problem))?
            .ok_or_else(|| bad("the value is missing; an empty one is \"\""))?;
        match rest.trim() {
            "" | "," => {}
            more if more.starts_with(',') => {
                return Err(Malformed::new(
                    format!("`{text}` has more than one matcher"),
                    "write every matcher as its own list item",
                ));
            }
            more => {
                return Err(bad(&format!(
                    "`{more}` follows the value; quote the value where it has spaces or any of {{}}!=~,\\\"'`"
                )));
            }
        }
        let value = fill(value)?;
        let regex = match operator {
            Operator::Matches | Operator::NotMatches => Some(regexes.get(&value)?),
            Operator::Equal | Operator::NotEqual => None,
        };
        Ok(Self { name, operator, value, regex })
    }
}

impl FromStr for Matcher {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        Self::parse(text, &mut Regexes::default())
    }
}

/// Takes a quoted or plain word from the front of `rest`; `None` when there is none.
fn word(rest: &mut &str) -> Result<Option<String>, String> {
    if let Some(inside) = rest.strip_prefix('"') {
        let mut escaped = false;
        for (index, c) in inside.char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => {
                    *rest = &inside[index + 1..];
                    return unquote(&inside[..index]).map(Some);
                }
                _ => {}
            }
        }
        return Err("a quote is not closed".to_owned());
    }
    let reserved = |c: char| c.is_whitespace() || "{}!=~,\\\"'`".contains(c);
    let end = rest.find(reserved).unwrap_or(rest.len());
    let (found, after) = rest.split_at(end);
    *rest = after;
    Ok((!found.is_empty()).then(|| found.to_owned()))
}

/// What is between double quotes, with Go's escapes, as `strconv.Unquote` reads them.
fn unquote(inside: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(inside.len());
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        if c == '\n' {
            return Err("a quoted text cannot hold a line break; write \\n".to_owned());
        }
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let kind = chars.next().unwrap_or('\\');
        let mut digits = |count: usize, radix: u32, first: Option<char>| {
            let text: String =
                first.into_iter().chain(chars.by_ref().take(count - usize::from(first.is_some()))).collect();
            u32::from_str_radix(&text, radix).ok().filter(|_| text.len() == count && !text.starts_with('+'))
        };
        let code = |value: Option<u32>| value.and_then(char::from_u32);
        let simple = match kind {
            'a' => Some('\x07'),
            'b' => Some('\x08'),
            'f' => Some('\x0c'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\x0b'),
            '\\' | '"' => Some(kind),
            'u' => code(digits(4, 16, None)),
            'U' => code(digits(8, 16, None)),
            'x' | '0'..='7' => {
                let byte = if kind == 'x' { digits(2, 16, None) } else { digits(3, 8, Some(kind)) };
                match byte.and_then(|byte| u8::try_from(byte).ok()) {
                    Some(byte) => {
                        bytes.push(byte);
                        continue;
                    }
                    None => None,
                }
            }
            _ => None,
        };
        let c = simple
            .ok_or_else(|| format!("`\\{kind}` is not an escape; a backslash itself is written \\\\"))?;
        bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
    String::from_utf8(bytes).map_err(|_| "its escapes give bytes that are not UTF-8".to_owned())
}

/// As it is read back: the name plain where that is possible, the value always quoted.
impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain =
            !self.name.is_empty() && self.name.chars().all(|c| c.is_alphanumeric() || "_-.:/".contains(c));
        if plain {
            f.write_str(&self.name)?
        } else {
            quote(&self.name, f)?
        }
        write!(f, "{}", self.operator)?;
        quote(&self.value, f)
    }
}

fn quote(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("\"")?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
            c => write!(f, "{c}")?,
        }
    }
    f.write_str("\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Matcher {
        Matcher::parse(text, &mut Regexes::default()).unwrap_or_else(|bad| panic!("{text}: {bad:?}"))
    }

    #[test]
    fn every_escape_of_go_is_read() {
        let value = r#"\a\b\f\n\r\t\v\\\"\x41\101\u0042\U0001F600"#;
        let meant = "\u{7}\u{8}\u{c}\n\r\t\u{b}\\\"AAB\u{1F600}";
        assert_eq!(read(&format!("name=\"{value}\"")).value, meant);
    }

    #[test]
    fn a_matcher_reads_back_from_its_own_text() {
        for value in
            ["plain", "a \"quoted\" word", "back\\slash", "\n\r\t", "\u{7}\u{7f}\u{85}", "\u{e9}\u{1F600}"]
        {
            for name in ["alertname", "a name", "k8s.io/app"] {
                let matcher = Matcher { name: name.into(), value: value.into(), ..read("a=\"b\"") };
                let text = matcher.to_string();
                assert!(!text.chars().any(char::is_control), "{text:?} is for one line of a terminal");
                let again = read(&text);
                assert_eq!((again.name.as_str(), again.value.as_str()), (name, value), "{text}");
            }
        }
    }
}
