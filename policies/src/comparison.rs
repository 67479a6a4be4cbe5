//! A comparison with a number, as written in `is:`, such as `< 0.01`.

use std::fmt;

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
