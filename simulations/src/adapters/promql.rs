//! As much of PromQL as a told world can answer: selectors, comparisons with numbers, `sum`, `min`, `max`, `avg` and `count`
//! over everything, and `count_over_time` of a subquery. Whatever else is asked must be told by its text; it is never
//! guessed.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::UNIX_EPOCH;

use paramedic_policies::alert::Labels;
use paramedic_policies::answer::{Number, Sample};
use paramedic_policies::time::{Moment, Span};
use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::{AtModifier, Expr, SubqueryExpr, VectorSelector, parse};

use crate::world::World;
use crate::world::facts::{Said, Spell};

/// The result of an expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// A number.
    Scalar(f64),
    /// Series.
    Vector(Vec<Sample>),
}

/// Why there is no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoValue {
    /// Somebody told that it fails.
    Fails(String),
    /// Nobody told.
    Untold(String),
}

/// One question.
pub(super) struct Asked<'w> {
    world: &'w World,
    takes: Cell<Span>,
    /// Positions of what was told, of what was asked of it.
    told: RefCell<BTreeSet<usize>>,
}

/// No subquery looks more often.
const LOOKS_MAX: i64 = 10_000;

/// The expression as the parser writes it: two texts of one expression are one.
pub(crate) fn canonical(promql: &str) -> Result<String, String> {
    parse(promql).map(|expression| expression.to_string())
}

impl<'w> Asked<'w> {
    pub(super) fn of(world: &'w World) -> Self {
        Self { world, takes: Cell::new(Span::ZERO), told: RefCell::default() }
    }

    /// How long the answer takes.
    pub(super) fn takes(&self) -> Span {
        self.takes.get()
    }

    /// What it asked of what was told, by its positions.
    pub(super) fn told(self) -> BTreeSet<usize> {
        self.told.into_inner()
    }

    fn said(&self, position: usize, spell: &Spell) -> Result<Vec<Sample>, NoValue> {
        self.told.borrow_mut().insert(position);
        self.takes.set(self.takes.get().max(spell.takes));
        match &spell.said {
            Said::Samples(samples) => Ok(samples.clone()),
            Said::Fails(what) => Err(NoValue::Fails(what.clone())),
        }
    }

    pub(super) fn value(&self, expression: &Expr, at: Moment) -> Result<Value, NoValue> {
        if let Some((position, spell)) = self.world.facts.expression(&expression.to_string(), at) {
            return self.said(position, spell).map(Value::Vector);
        }
        match expression {
            Expr::Paren(paren) => self.value(&paren.expr, at),
            Expr::NumberLiteral(number) => Ok(Value::Scalar(number.val)),
            Expr::Unary(unary) => match self.value(&unary.expr, at)? {
                Value::Scalar(number) => Ok(Value::Scalar(-number)),
                Value::Vector(_) => Err(untold(expression)),
            },
            Expr::VectorSelector(selector) => self.select(selector, at).map(Value::Vector),
            Expr::Aggregate(aggregate) if aggregate.modifier.is_none() && aggregate.param.is_none() => {
                match self.value(&aggregate.expr, at)? {
                    Value::Vector(samples) => {
                        let folded = fold(&aggregate.op.to_string(), &samples);
                        folded.map(Value::Vector).ok_or_else(|| untold(expression))
                    }
                    Value::Scalar(_) => Err(untold(expression)),
                }
            }
            Expr::Binary(binary) if binary.op.is_comparison_operator() => {
                let as_bool = binary.modifier.as_ref().is_some_and(|modifier| modifier.return_bool);
                match (self.value(&binary.lhs, at)?, self.value(&binary.rhs, at)?) {
                    (Value::Vector(samples), Value::Scalar(bound)) => {
                        Ok(Value::Vector(compared(samples, &binary.op.to_string(), bound, as_bool)))
                    }
                    (Value::Scalar(_) | Value::Vector(_), _) => Err(untold(expression)),
                }
            }
            Expr::Call(call) if call.func.name == "count_over_time" => {
                match call.args.args.first().map(AsRef::as_ref) {
                    Some(Expr::Subquery(subquery)) => self.counted(subquery, at).map(Value::Vector),
                    Some(_) | None => Err(untold(expression)),
                }
            }
            Expr::Aggregate(_)
            | Expr::Binary(_)
            | Expr::Call(_)
            | Expr::Subquery(_)
            | Expr::StringLiteral(_)
            | Expr::MatrixSelector(_)
            | Expr::Extension(_) => Err(untold(expression)),
        }
    }

    /// How many values each series has at the looks of a subquery: multiples of its step, its left end left out.
    fn counted(&self, subquery: &SubqueryExpr, now: Moment) -> Result<Vec<Sample>, NoValue> {
        let end = match &subquery.at {
            None => now,
            Some(AtModifier::At(time)) => {
                let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
                Moment::from_unix_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            }
            Some(AtModifier::Start | AtModifier::End) => return Err(untold(&subquery.expr)),
        };
        let ms = |span: std::time::Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        let step = subquery.step.map_or(60_000, ms).max(1);
        if subquery.offset.is_some() || ms(subquery.range) / step > LOOKS_MAX {
            return Err(untold(&subquery.expr));
        }
        let mut look = (end.unix_ms() - ms(subquery.range)).div_euclid(step) * step + step;
        let mut counts: BTreeMap<Labels, f64> = BTreeMap::new();
        while look <= end.unix_ms() {
            match self.value(&subquery.expr, Moment::from_unix_ms(look))? {
                Value::Vector(samples) => {
                    samples.into_iter().for_each(|one| *counts.entry(one.labels).or_default() += 1.0);
                }
                Value::Scalar(_) => *counts.entry(Labels::new()).or_default() += 1.0,
            }
            look += step;
        }
        Ok(counts.into_iter().map(|(labels, count)| Sample { labels, value: Number(count) }).collect())
    }

    fn select(&self, selector: &VectorSelector, at: Moment) -> Result<Vec<Sample>, NoValue> {
        let all = || untold(&Expr::VectorSelector(selector.clone()));
        let is_plain =
            selector.offset.is_none() && selector.at.is_none() && selector.matchers.or_matchers.is_empty();
        let name = selector.name.as_ref().filter(|_| is_plain).ok_or_else(all)?;
        let told = self.world.facts.series(name, at);
        let modelled = self.world.samples(name);
        if told.is_none() && modelled.is_none() {
            return Err(all());
        }
        let mut samples = modelled.unwrap_or_default();
        samples.retain(|sample| meets(selector, &sample.labels));
        let told = told.into_iter().flatten();
        for (position, labels, spell) in told.filter(|(_, labels, _)| meets(selector, labels)) {
            let value = self.said(position, spell)?;
            samples.extend(value.into_iter().map(|one| Sample { labels: labels.clone(), ..one }));
        }
        Ok(samples)
    }
}

fn untold(expression: &Expr) -> NoValue {
    NoValue::Untold(expression.to_string())
}

fn meets(selector: &VectorSelector, labels: &Labels) -> bool {
    let matchers = selector.matchers.matchers.iter();
    matchers.filter(|matcher| matcher.name != "__name__").all(|matcher| is_met(matcher, labels))
}

fn is_met(matcher: &Matcher, labels: &Labels) -> bool {
    let value = labels.get(&matcher.name).map_or("", String::as_str);
    match &matcher.op {
        MatchOp::Equal => value == matcher.value,
        MatchOp::NotEqual => value != matcher.value,
        MatchOp::Re(regex) => regex.is_match(value),
        MatchOp::NotRe(regex) => !regex.is_match(value),
    }
}

/// Over nothing there is nothing, as in Prometheus.
fn fold(op: &str, samples: &[Sample]) -> Option<Vec<Sample>> {
    let values = || samples.iter().map(|sample| sample.value.0);
    // A number of series is far below what a float holds exactly.
    let count = samples.len() as f64;
    let folded = match op {
        "sum" => values().sum(),
        "min" => values().fold(f64::NAN, f64::min),
        "max" => values().fold(f64::NAN, f64::max),
        "avg" => values().sum::<f64>() / count,
        "count" => count,
        _ => return None,
    };
    let one = Sample { labels: Labels::new(), value: Number(folded) };
    Some(if samples.is_empty() { Vec::new() } else { vec![one] })
}

fn compared(samples: Vec<Sample>, op: &str, bound: f64, as_bool: bool) -> Vec<Sample> {
    #[expect(clippy::float_cmp, reason = "PromQL compares exactly")]
    let holds = |value: f64| match op {
        "==" => value == bound,
        "!=" => value != bound,
        "<" => value < bound,
        "<=" => value <= bound,
        ">" => value > bound,
        _ => value >= bound,
    };
    let truth = |value: f64| Number(if holds(value) { 1.0 } else { 0.0 });
    if as_bool {
        samples.into_iter().map(|one| Sample { value: truth(one.value.0), ..one }).collect()
    } else {
        samples.into_iter().filter(|one| holds(one.value.0)).collect()
    }
}
