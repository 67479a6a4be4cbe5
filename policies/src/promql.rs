//! PromQL with templates: they stand only inside quoted matcher values, are escaped there (regex-quoted under
//! `=~` and `!~`), and what comes out is parsed again before anybody asks Prometheus.
//!
//! Proof in two steps. When it is read, every template is replaced by a marker, the text is parsed, and every
//! marker must turn up in a matcher value of the tree. When it is rendered, the result is parsed again and must be
//! the same tree with exactly the expected values. A label's value can therefore never become an expression.

use std::sync::{Arc, LazyLock};

use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::value::ValueType;
use promql_parser::parser::{AtModifier, Expr};

use crate::load::Malformed;
use crate::template::{Piece, Scope, Template, TemplateError};
use crate::time::Span;

/// No query may be longer, before or after its values are put in.
const QUERY_BYTES_MAX: usize = 16 * 1024;

/// No query may nest brackets deeper: the parser and this module walk the tree by recursion.
const BRACKETS_MAX: usize = 64;

/// A PromQL expression, possibly with templates in its matcher values; cheap to clone.
#[derive(Clone)]
pub struct Query {
    /// The expression as written.
    pub template: Template,
    proof: Arc<Proof>,
}

/// What a rendered expression must look like.
struct Proof {
    /// The tree with every matcher value blanked.
    shape: Expr,
    /// The matcher values in order, with markers where templates stand.
    values: Vec<String>,
    /// How each template's value is put in.
    slots: Vec<Slot>,
    /// The longest look-back of its range selectors.
    look_back: Span,
}

/// Where one template stands.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Slot {
    marker: String,
    quote: char,
    regex: bool,
}

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// When it is not PromQL, has no instant value, or a template stands elsewhere than in a quoted matcher value.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let template = Template::parse(text)?;
        if text.len() > QUERY_BYTES_MAX {
            return Err(Malformed::new(
                format!("the query has {} bytes, {QUERY_BYTES_MAX} are allowed", text.len()),
                "record it as a rule in Prometheus and query that",
            ));
        }
        let mut slots = quotes(&template)?;
        let prefix = (0..)
            .map(|n| format!("pmdk{n}q"))
            .find(|prefix| !text.contains(prefix.as_str()))
            .unwrap_or_default();
        for (number, slot) in slots.iter_mut().enumerate() {
            slot.marker = format!("{prefix}{number}x");
        }
        let mut shape = parse(&marked(&template, &slots))?;
        instant(&shape)?;
        let mut values = Vec::new();
        let mut look_back = std::time::Duration::ZERO;
        let mut fault = None;
        walk(
            &mut shape,
            &mut |matcher| {
                let regex = matches!(matcher.op, MatchOp::Re(_) | MatchOp::NotRe(_));
                for slot in &mut slots {
                    if let Some(at) = matcher.value.find(&slot.marker) {
                        slot.regex = regex;
                        if regex && !plain_regex(&matcher.value[..at]) {
                            fault.get_or_insert_with(|| {
                            Malformed::new(
                                "a template stands inside a construct of a regular expression (after a backslash, in [], {} or a group's head)",
                                "put it where plain text could stand, such as \"{{ labels.pod }}-.*\"",
                            )
                        });
                        }
                    }
                }
                values.push(blank(matcher));
            },
            &mut |range| look_back = look_back.max(range),
        );
        if let Some(fault) = fault {
            return Err(fault);
        }
        if let Some(stray) =
            slots.iter().position(|slot| !values.iter().any(|value| value.contains(&slot.marker)))
        {
            return Err(Malformed::new(
                format!("template {} of the query stands in a string that is no matcher value", stray + 1),
                "templates may only stand in matcher values, such as {namespace=\"{{ labels.namespace }}\"}",
            ));
        }
        let look_back = Span::from_ms(u64::try_from(look_back.as_millis()).unwrap_or(u64::MAX));
        Ok(Self { template, proof: Arc::new(Proof { shape, values, slots, look_back }) })
    }

    /// The expression for this scope, proven to be PromQL with only matcher values changed.
    ///
    /// # Errors
    /// When a template fails, or the result would not be the same expression with other values.
    pub fn render(&self, scope: &Scope<'_>) -> Result<String, TemplateError> {
        let Proof { shape, values, slots, .. } = &*self.proof;
        let mut wanted = values.clone();
        let text = self.template.render_with(scope, |number, value| {
            let Some(slot) = slots.get(number) else { return String::new() };
            let inner = if slot.regex { format!("(?:{})", regex::escape(&value)) } else { value };
            for wanted in &mut wanted {
                if wanted.contains(&slot.marker) {
                    *wanted = wanted.replace(&slot.marker, &inner);
                }
            }
            escape(&inner, slot.quote)
        })?;
        if slots.is_empty() {
            return Ok(text);
        }
        let failed = |problem: &str| TemplateError::Failed {
            expression: self.template.source.clone(),
            problem: problem.to_owned(),
        };
        let mut rendered = parse(&text).map_err(|_| failed("a value does not fit into PromQL"))?;
        let mut found = Vec::new();
        walk(&mut rendered, &mut |matcher| found.push(blank(matcher)), &mut |_| {});
        if rendered != *shape || found != wanted {
            return Err(failed("a value would change the expression"));
        }
        Ok(text)
    }

    /// A query for how many series it has at all, whatever its templates become; for a number, the number itself. None
    /// where that cannot be asked.
    pub fn counted_anywhere(&self) -> Option<String> {
        let mut expr = parse(&marked(&self.template, &self.proof.slots)).ok()?;
        walk(
            &mut expr,
            &mut |matcher| {
                if !self.proof.slots.iter().any(|slot| matcher.value.contains(&slot.marker)) {
                    return;
                }
                let any = match matcher.op {
                    MatchOp::Equal | MatchOp::Re(_) => ".+",
                    // Whoever is left out for an alert is left in.
                    MatchOp::NotEqual | MatchOp::NotRe(_) => ".*",
                };
                let regex = regex::Regex::new(any).expect("both are regular expressions");
                *matcher = Matcher::new(MatchOp::Re(regex), &matcher.name, any);
            },
            &mut |_| {},
        );
        let text = match expr.value_type() {
            ValueType::Scalar => expr.to_string(),
            ValueType::Vector | ValueType::Matrix | ValueType::String => format!("count({expr})"),
        };
        parse(&text).is_ok().then_some(text)
    }

    /// The longest range over which it looks back; zero for a plain instant selector.
    pub fn look_back(&self) -> Span {
        self.proof.look_back
    }
}

/// Whether an expression means the same at a moment of a longer time as at that moment alone: not where it names the
/// beginning or the end of that time (`@ start()`), nor where it cannot be read.
pub fn is_alike_along(text: &str) -> bool {
    parse(text).is_ok_and(|expr| !names_its_time(&expr))
}

fn names_its_time(expr: &Expr) -> bool {
    let named = |at: &Option<AtModifier>| matches!(at, Some(AtModifier::Start | AtModifier::End));
    match expr {
        Expr::Aggregate(aggregate) => {
            aggregate.param.iter().any(|param| names_its_time(param)) || names_its_time(&aggregate.expr)
        }
        Expr::Unary(unary) => names_its_time(&unary.expr),
        Expr::Binary(binary) => names_its_time(&binary.lhs) || names_its_time(&binary.rhs),
        Expr::Paren(paren) => names_its_time(&paren.expr),
        Expr::Subquery(subquery) => named(&subquery.at) || names_its_time(&subquery.expr),
        Expr::VectorSelector(selector) => named(&selector.at),
        Expr::MatrixSelector(matrix) => named(&matrix.vs.at),
        Expr::Call(call) => call.args.args.iter().any(|arg| names_its_time(arg)),
        // What the parser does not know is asked for each moment.
        Expr::Extension(_) => true,
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) => false,
    }
}

/// The quote around every template of a query.
fn quotes(template: &Template) -> Result<Vec<Slot>, Malformed> {
    let (mut quote, mut escaped, mut slots) = (None, false, Vec::new());
    for piece in template.pieces() {
        match piece {
            Piece::Text(text) => {
                for c in text.chars() {
                    match quote {
                        Some('#') => quote = Some('#').filter(|_| c != '\n'),
                        Some(_) if escaped => escaped = false,
                        Some(open) if c == '\\' && open != '`' => escaped = true,
                        Some(open) if c == open => quote = None,
                        Some(_) => {}
                        None if "\"'`#".contains(c) => quote = Some(c),
                        None => {}
                    }
                }
            }
            Piece::Value(_) => {
                let problem = match quote {
                    Some('"' | '\'') if escaped => "a backslash stands right before a template",
                    Some(quote @ ('"' | '\'')) => {
                        slots.push(Slot { marker: String::new(), quote, regex: false });
                        continue;
                    }
                    Some('`') => "a template stands in a `raw` string, where nothing can be escaped",
                    Some(_) => "a template stands in a comment",
                    None => "a template stands outside of quotes",
                };
                return Err(Malformed::new(
                    problem,
                    "templates may only stand in quoted matcher values, such as {namespace=\"{{ labels.namespace }}\"}",
                ));
            }
        }
    }
    Ok(slots)
}

/// The query with markers for templates.
fn marked(template: &Template, slots: &[Slot]) -> String {
    let mut markers = slots.iter();
    template.pieces().iter().fold(String::new(), |mut text, piece| {
        match piece {
            Piece::Text(literal) => text.push_str(literal),
            Piece::Value(_) => text.extend(markers.next().map(|slot| slot.marker.as_str())),
        }
        text
    })
}

fn parse(text: &str) -> Result<Expr, Malformed> {
    let refuse = |problem: String| {
        Malformed::new(
            format!("not PromQL: {problem}"),
            "try it in Prometheus; what it takes and this does not (`anchored`, `smoothed`, `holt_winters`, sums in durations) is recorded as a rule there",
        )
    };
    let depth = text.bytes().scan(0_usize, |depth, byte| {
        match byte {
            b'(' => *depth += 1,
            b')' => *depth = depth.saturating_sub(1),
            _ => {}
        }
        Some(*depth)
    });
    if depth.max().unwrap_or(0) > BRACKETS_MAX || text.len() > 2 * QUERY_BYTES_MAX {
        return Err(refuse("too long or nested too deeply".to_owned()));
    }
    promql_parser::parser::parse(text).map_err(|problem| {
        let problem: String =
            problem.chars().take(300).map(|c| if c.is_control() { ' ' } else { c }).collect();
        refuse(problem)
    })
}

/// Conditions need one number now: an instant vector or a scalar.
fn instant(expr: &Expr) -> Result<(), Malformed> {
    match expr.value_type() {
        ValueType::Vector | ValueType::Scalar => Ok(()),
        ValueType::Matrix => Err(Malformed::new(
            "the query gives a range of values, not one",
            "wrap it in rate(...), avg_over_time(...) or another function over ranges",
        )),
        ValueType::String => Err(Malformed::new("the query gives text, not a number", "query a metric")),
    }
}

/// Calls `f` with every matcher and `range` with every look-back, in the order of the text.
fn walk(expr: &mut Expr, f: &mut dyn FnMut(&mut Matcher), range: &mut dyn FnMut(std::time::Duration)) {
    let each = |selector: &mut promql_parser::parser::VectorSelector, f: &mut dyn FnMut(&mut Matcher)| {
        selector.matchers.matchers.iter_mut().for_each(&mut *f);
        selector.matchers.or_matchers.iter_mut().flatten().for_each(&mut *f);
    };
    match expr {
        Expr::Aggregate(aggregate) => {
            if let Some(param) = &mut aggregate.param {
                walk(param, f, range);
            }
            walk(&mut aggregate.expr, f, range);
        }
        Expr::Unary(unary) => walk(&mut unary.expr, f, range),
        Expr::Binary(binary) => {
            walk(&mut binary.lhs, f, range);
            walk(&mut binary.rhs, f, range);
        }
        Expr::Paren(paren) => walk(&mut paren.expr, f, range),
        Expr::Subquery(subquery) => {
            range(subquery.range);
            walk(&mut subquery.expr, f, range);
        }
        Expr::VectorSelector(selector) => each(selector, f),
        Expr::MatrixSelector(matrix) => {
            range(matrix.range);
            each(&mut matrix.vs, f);
        }
        Expr::Call(call) => call.args.args.iter_mut().for_each(|arg| walk(arg, f, range)),
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {}
    }
}

/// Takes the value out of a matcher, so that two trees can be compared in shape.
fn blank(matcher: &mut Matcher) -> String {
    static NOTHING: LazyLock<regex::Regex> =
        LazyLock::new(|| regex::Regex::new("").expect("the empty expression is valid"));
    match &mut matcher.op {
        MatchOp::Re(regex) | MatchOp::NotRe(regex) => *regex = NOTHING.clone(),
        MatchOp::Equal | MatchOp::NotEqual => {}
    }
    std::mem::take(&mut matcher.value)
}

/// Whether plain text could stand after this beginning of a regular expression.
fn plain_regex(before: &str) -> bool {
    let (mut escaped, mut class, mut repeat, mut head) = (false, false, false, false);
    let mut last = ' ';
    for c in before.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ']' => class = false,
            _ if class => {}
            '[' => class = true,
            '{' => repeat = true,
            '}' => repeat = false,
            '?' if last == '(' => head = true,
            ':' | '>' | ')' => head = false,
            _ => {}
        }
        last = c;
    }
    !escaped && !class && !repeat && !head
}

/// A text for between quotes of this kind, by the escapes of PromQL.
fn escape(text: &str, quote: char) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
        out
    })
}

impl std::fmt::Debug for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Query({:?})", self.template.source)
    }
}

impl PartialEq for Query {
    fn eq(&self, other: &Self) -> bool {
        self.template == other.template
    }
}

impl Eq for Query {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Labels;

    fn query(text: &str) -> Query {
        Query::parse(text).unwrap_or_else(|bad| panic!("{text}: {bad}"))
    }

    fn refused(text: &str) -> String {
        Query::parse(text).expect_err(text).to_string()
    }

    #[test]
    fn a_query_has_a_length_and_a_depth_that_it_may_not_exceed() {
        let long = |bytes: usize| format!("up{{a=\"{}\"}}", "x".repeat(bytes - r#"up{a=""}"#.len()));
        query(&long(QUERY_BYTES_MAX));
        assert!(refused(&long(QUERY_BYTES_MAX + 1)).contains("16385 bytes, 16384 are allowed"));
        let deep = |brackets: usize| format!("{}up{}", "(".repeat(brackets), ")".repeat(brackets));
        query(&deep(BRACKETS_MAX));
        assert!(refused(&deep(BRACKETS_MAX + 1)).contains("nested too deeply"));
        query(&format!("(up){}", " + (up)".repeat(BRACKETS_MAX)));
    }

    #[test]
    fn a_value_that_makes_a_query_too_long_is_refused() {
        let one = query(r#"up{a="{{ labels.a }}"}"#);
        let rendered = |bytes: usize| {
            let labels = Labels::from([("a".to_owned(), "x".repeat(bytes - r#"up{a=""}"#.len()))]);
            one.render(&Scope { labels: &labels, vars: &labels, lets: &labels, target: None })
                .map(|text| text.len())
        };
        assert_eq!(rendered(2 * QUERY_BYTES_MAX).ok(), Some(2 * QUERY_BYTES_MAX));
        assert!(rendered(2 * QUERY_BYTES_MAX + 1).is_err());
    }

    #[test]
    fn what_is_rendered_must_be_the_same_expression_with_the_same_values() {
        let labels = Labels::from([("a".to_owned(), "v".to_owned())]);
        let scope = Scope { labels: &labels, vars: &labels, lets: &labels, target: None };
        let one = query(r#"up{a="{{ labels.a }}"}"#);
        for other in [r#"down{a="{{ labels.a }}"}"#, r#"up{a="{{ labels.a }}-b"}"#] {
            let other = query(other);
            assert!(other.render(&scope).is_ok());
            let mixed = Query { template: one.template.clone(), proof: other.proof };
            let why = mixed.render(&scope).expect_err("it is another expression").to_string();
            assert!(why.contains("would change the expression"), "{why}");
        }
    }

    #[test]
    fn a_template_outside_of_quotes_is_told_as_that() {
        let why = refused(r#"up{a="b"} + {{ labels.x }}"#);
        assert!(why.contains("outside of quotes"), "{why}");
    }

    #[test]
    fn plain_text_cannot_stand_inside_a_construct_of_a_regular_expression() {
        for plain in
            ["", "a", r"a\\", "[a]", "[{]", r"[\]]", "a{2}", "a?", "(a?", "(?:", "(?P<n>", "(?i)", "a]"]
        {
            assert!(plain_regex(plain), "{plain}");
        }
        for inside in [r"a\", "[a", r"[\]", "a{2", "(?", "(?P<n", "[[a"] {
            assert!(!plain_regex(inside), "{inside}");
        }
    }

    #[test]
    fn a_value_is_escaped_for_its_quotes() {
        let odd = "\\\n\r\t\"'\u{1b}\u{e9}";
        assert_eq!(escape(odd, '"'), r#"\\\n\r\t\"'\u001b"#.to_owned() + "\u{e9}");
        assert_eq!(escape(odd, '\''), r#"\\\n\r\t"\'\u001b"#.to_owned() + "\u{e9}");
    }

    #[test]
    fn queries_are_the_same_by_their_text() {
        assert_eq!(query("up"), query("up"));
        assert_ne!(query("up"), query("down"));
        assert_eq!(format!("{:?}", query("up")), "Query(\"up\")");
    }

    #[test]
    fn a_query_can_be_counted_before_any_alert_gives_its_values() {
        for (query, counted) in [
            (r#"up{job="a"} == 0"#, r#"count(up{job="a"} == 0)"#),
            (
                r#"rate(x{a="{{ labels.a }}", b!~"{{ labels.b }}-.*", c="d\"e"}[5m])"#,
                r#"count(rate(x{a=~".+",b=~".*",c="d\"e"}[5m]))"#,
            ),
            ("time()", "time()"),
        ] {
            let query = Query::parse(query).expect("a query");
            assert_eq!(query.counted_anywhere().as_deref(), Some(counted));
        }
    }

    #[test]
    fn an_expression_that_names_the_ends_of_its_time_is_not_alike_along_it() {
        for text in ["x", "sum(rate(x[5m])) > 1", "x @ 1600000000", r#"x{why="@ start()"}"#, "time()"] {
            assert!(super::is_alike_along(text), "{text}");
        }
        for text in [
            "x @ start()",
            "x @ start( )",
            "1 + rate(x[5m] @ end ( ))",
            "max_over_time(x[1h:5m] @ end())",
            "x +",
        ] {
            assert!(!super::is_alike_along(text), "{text}");
        }
    }
}
