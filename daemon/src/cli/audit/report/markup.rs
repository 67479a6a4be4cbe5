//! HTML and SVG under construction. Names of elements and attributes are written in this program, and every text and
//! value is escaped on its way in, so that nothing a label holds can become markup.

use std::fmt::{Display, Write as _};

use super::words::is_hidden;

/// A value of an attribute.
pub(in crate::cli) type Attribute<'a> = (&'static str, &'a dyn Display);

/// Markup so far.
#[derive(Debug, Default)]
pub(in crate::cli) struct Markup(String);

impl Markup {
    /// Text that stands in this program, such as the style sheet.
    pub(in crate::cli) fn ours(&mut self, text: &'static str) {
        self.0.push_str(text);
    }

    /// Text of anybody.
    pub(in crate::cli) fn text(&mut self, text: impl Display) {
        escape(&text.to_string(), &mut self.0);
    }

    /// An element with what is inside.
    pub(in crate::cli) fn element(
        &mut self,
        name: &'static str,
        with: &[Attribute<'_>],
        inside: impl FnOnce(&mut Self),
    ) {
        self.begin(name, with);
        self.0.push('>');
        inside(self);
        let _ = write!(self.0, "</{name}>");
        if BLOCKS.contains(&name) {
            self.0.push('\n');
        }
    }

    /// An element with nothing but text.
    pub(in crate::cli) fn leaf(&mut self, name: &'static str, with: &[Attribute<'_>], text: impl Display) {
        self.element(name, with, |inside| inside.text(text));
    }

    /// An element of SVG without anything inside.
    pub(in crate::cli) fn shape(&mut self, name: &'static str, with: &[Attribute<'_>]) {
        self.begin(name, with);
        self.0.push_str("/>");
    }

    fn begin(&mut self, name: &'static str, with: &[Attribute<'_>]) {
        let _ = write!(self.0, "<{name}");
        for (attribute, value) in with {
            let _ = write!(self.0, " {attribute}=\"");
            escape(&value.to_string(), &mut self.0);
            self.0.push('"');
        }
    }

    /// All of it.
    pub(in crate::cli) fn finished(self) -> String {
        self.0
    }
}

/// Elements that end a line, so that the file can be read and compared.
const BLOCKS: [&str; 14] =
    ["p", "h1", "h2", "h3", "h4", "li", "ul", "tr", "table", "section", "header", "details", "svg", "figure"];

fn escape(text: &str, into: &mut String) {
    for c in text.chars() {
        match c {
            '&' => into.push_str("&amp;"),
            '<' => into.push_str("&lt;"),
            '>' => into.push_str("&gt;"),
            '"' => into.push_str("&quot;"),
            '\'' => into.push_str("&#39;"),
            '\n' => into.push('\n'),
            '\t' => into.push(' '),
            c if is_hidden(c) => into.push('\u{fffd}'),
            c => into.push(c),
        }
    }
}

/// A coordinate: one decimal at most, so that files stay small and equal.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct At(pub(in crate::cli) f64);

impl Display for At {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tenths = (self.0 * 10.0).round() / 10.0;
        // Negative zero is written as zero.
        write!(f, "{}", if tenths == 0.0 { 0.0 } else { tenths })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_its_place() {
        let mut markup = Markup::default();
        let hostile = "\"'><script>&\u{202e}\u{7}";
        markup.element("p", &[("title", &hostile)], |inside| inside.text(hostile));
        let escaped = "&quot;&#39;&gt;&lt;script&gt;&amp;\u{fffd}\u{fffd}";
        assert_eq!(markup.finished(), format!("<p title=\"{escaped}\">{escaped}</p>\n"));
    }

    #[test]
    fn coordinates_are_short() {
        assert_eq!([12.0, 0.05, -0.01, 3.149].map(|at| At(at).to_string()), ["12", "0.1", "0", "3.1"]);
    }
}
