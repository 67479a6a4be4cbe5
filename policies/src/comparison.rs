//! A comparison with a number, as written in `is:`, such as `< 0.01`.

use std::fmt;

use crate::load::Malformed;

/// How the value stands to the bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
}

/// `value RELATION bound`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// How to compare.
    pub relation: Relation,
    /// With what; finite.
    pub bound: f64,
}

impl Comparison {
    /// Whether the value satisfies the comparison; `None` when it is NaN, which shows nothing.
    pub fn holds(&self, value: f64) -> Option<bool> {
        if value.is_nan() {
            return None;
        }
        Some(match self.relation {
            Relation::Less => value < self.bound,
            Relation::AtMost => value <= self.bound,
            Relation::Greater => value > self.bound,
            Relation::AtLeast => value >= self.bound,
            Relation::Equal => value == self.bound,
            Relation::NotEqual => value != self.bound,
        })
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let relation = match self.relation {
            Relation::Less => "<",
            Relation::AtMost => "<=",
            Relation::Greater => ">",
            Relation::AtLeast => ">=",
            Relation::Equal => "==",
            Relation::NotEqual => "!=",
        };
        write!(f, "{relation} {}", self.bound)
    }
}

impl std::str::FromStr for Comparison {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let usage = "write a relation and a number, such as \"> 1\", \"<= 0.05\" or \"== 0\"";
        let trimmed = text.trim();
        let relations = [
            ("<=", Relation::AtMost),
            (">=", Relation::AtLeast),
            ("==", Relation::Equal),
            ("!=", Relation::NotEqual),
            ("<", Relation::Less),
            (">", Relation::Greater),
        ];
        let Some((sign, relation)) = relations.into_iter().find(|(sign, _)| trimmed.starts_with(sign)) else {
            let hint = if trimmed.starts_with('=') { "equality is written `==`" } else { usage };
            return Err(Malformed::new(format!("`{text}` does not begin with <, <=, >, >=, == or !="), hint));
        };
        let number = trimmed[sign.len()..].trim();
        match number.parse::<f64>() {
            Ok(bound) if bound.is_finite() => Ok(Self { relation, bound }),
            Ok(_) => Err(Malformed::new(format!("`{number}` is not a finite number"), usage)),
            Err(_) if number.ends_with('%') => {
                Err(Malformed::new(format!("`{number}` is not a number"), "write a share of one: 5% is 0.05"))
            }
            Err(_) => Err(Malformed::new(format!("`{number}` is not a number"), usage)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_relation_holds_below_at_and_above_its_bound() {
        for (written, holds) in [
            ("< 5", [true, false, false]),
            ("<= 5", [true, true, false]),
            ("> 5", [false, false, true]),
            (">= 5", [false, true, true]),
            ("== 5", [false, true, false]),
            ("!= 5", [true, false, true]),
        ] {
            let comparison: Comparison = written.parse().unwrap_or_else(|bad| panic!("{written}: {bad:?}"));
            assert_eq!([4.0, 5.0, 6.0].map(|value| comparison.holds(value)), holds.map(Some), "{written}");
            assert_eq!(comparison.holds(f64::NAN), None, "{written}: NaN shows nothing");
            assert_eq!(comparison.to_string(), written);
        }
    }

    #[test]
    fn a_hint_fits_what_was_written() {
        let hint = |text: &str| format!("{:?}", text.parse::<Comparison>().expect_err(text));
        assert!(hint("> 5%").contains("5% is 0.05"), "{}", hint("> 5%"));
        for other in ["> five", "> inf", "5"] {
            assert!(hint(other).contains("write a relation and a number"), "{}", hint(other));
        }
        assert!(hint("= 5").contains("equality is written `==`"), "{}", hint("= 5"));
    }
}
