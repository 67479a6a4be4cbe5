//! Change the number of replicas of anything with a scale subresource; `minReplicas` where an HPA owns the workload.
//! Relative amounts live only in what is written: an [`Action`] goes from one number to another.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Acts, Asks};
use crate::load::fields::{Fields, Walk};
use crate::load::yaml::Tree;
use crate::reason::Reason;
use crate::template::{Scope, Template};

/// No workload is scaled beyond this by a machine.
const REPLICAS_MAX: u32 = 10_000;

/// Change the number of replicas: exactly one of `by`, `to` and `atLeast`. Where an HPA owns the workload, its
/// `minReplicas` is raised instead.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScaleDocument {
    /// That many more than now; negative is fewer and needs `allowDown`. Needs `max` (or `min` when negative).
    pub by: Option<i32>,
    /// Exactly that many; fewer than now needs `allowDown`.
    pub to: Option<u32>,
    /// At least that many; never lowers.
    pub at_least: Option<u32>,
    /// Never above this.
    pub max: Option<u32>,
    /// Never below this.
    pub min: Option<u32>,
    /// Never by more than this at once: `by` and `atLeast` go as far, `to` is refused.
    pub max_step: Option<u32>,
    /// Whether fewer replicas than now are allowed. Default false.
    pub allow_down: Option<bool>,
}

/// How many replicas, within which bounds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Written {
    /// How many.
    pub amount: Amount,
    /// Never above this many replicas.
    pub max: Option<u32>,
    /// Never below this many replicas.
    pub min: Option<u32>,
    /// Never by more than this at once.
    pub max_step: Option<u32>,
    /// Whether fewer replicas than now are allowed.
    pub allow_down: bool,
}

/// There is nothing to render.
pub type Wish = Written;

/// How many replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Amount {
    /// That many more (or fewer) than now.
    By(i32),
    /// Exactly that many.
    To(u32),
    /// At least that many; never lowers.
    AtLeast(u32),
}

/// Set replicas (or the HPA's minimum) from one number to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Action {
    /// Which field.
    pub lever: Lever,
    /// The value it must still have.
    pub from: u32,
    /// The value it gets.
    pub to: u32,
    /// What was wanted, where `maxStep` cut it short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<u32>,
    /// Who wrote the field last before that, and when, in the API server's words; none where it does not know of anybody.
    /// Whoever finds the same later knows that nobody has written it since, whatever the clocks say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_by: Option<String>,
}

/// Which field holds the number of replicas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Lever {
    /// `spec.replicas`, by the scale subresource.
    Replicas,
    /// `spec.minReplicas` of the HPA that owns the workload.
    MinReplicas {
        /// The HPA's name, in the target's namespace.
        hpa: String,
        /// The HPA's uid.
        uid: String,
    },
}

impl Asks for Written {
    type Wish = Wish;

    fn read(walk: &mut Walk, tree: &Tree) -> Option<Self> {
        let mut fields = Fields::open(walk, tree, "scale", "ScaleDocument")?;
        let replicas = |walk: &mut Walk, tree: &Tree, what: &str| walk.unsigned(tree, what, 0, REPLICAS_MAX);
        let positive = |walk: &mut Walk, tree: &Tree, what: &str| walk.unsigned(tree, what, 1, REPLICAS_MAX);
        let given: Vec<(&str, &Tree)> =
            ["by", "to", "atLeast"].into_iter().filter_map(|key| Some((key, fields.get(key)?))).collect();
        let max = fields.maybe(walk, "max", positive);
        let min = fields.maybe(walk, "min", replicas);
        let max_step = fields.maybe(walk, "maxStep", positive);
        let allow_down = fields.or(walk, "allowDown", false, Walk::flag);
        let (at, min_at) = (fields.at, fields.at_key("min"));
        fields.close(walk);
        let [(key, amount)] = given[..] else {
            walk.error(
                at,
                format!("`scale` needs exactly one of `by`, `to` and `atLeast`, found {}", given.len()),
                "such as scale: {by: 2, max: 10}",
            );
            return None;
        };
        let (max, min, max_step, allow_down) = (max?, min?, max_step?, allow_down?);
        if let (Some(min), Some(max)) = (min, max)
            && min > max
        {
            walk.error(min_at, format!("`min` {min} is above `max` {max}"), "swap them");
            return None;
        }
        let amount = if key == "by" {
            Amount::By(by(walk, amount, min, max, allow_down)?)
        } else {
            let value = replicas(walk, amount, key)?;
            if max.is_some_and(|max| value > max) || min.is_some_and(|min| value < min) {
                let message = format!("`{key}: {value}` is beyond its own `min` or `max`");
                walk.error(amount.at, message, "choose a number within them");
                return None;
            }
            if key == "to" { Amount::To(value) } else { Amount::AtLeast(value) }
        };
        Some(Self { amount, max, min, max_step, allow_down })
    }

    fn document(&self) -> Value {
        let mut body = match self.amount {
            Amount::By(by) => json!({"by": by}),
            Amount::To(to) => json!({"to": to}),
            Amount::AtLeast(least) => json!({"atLeast": least}),
        };
        for (key, bound) in [("max", self.max), ("min", self.min), ("maxStep", self.max_step)] {
            if let Some(bound) = bound {
                body[key] = json!(bound);
            }
        }
        body["allowDown"] = json!(self.allow_down);
        body
    }

    fn templates(&self) -> Vec<&Template> {
        Vec::new()
    }

    fn misfit(&self, kind: &str) -> Option<&'static str> {
        let fits = !["DaemonSet", "Service", "Node"].contains(&kind);
        (!fits).then_some("a Deployment, a StatefulSet or anything else with replicas")
    }

    fn is_revertible(&self) -> bool {
        true
    }

    fn wish(&self, _: &Scope<'_>) -> Result<Wish, Reason> {
        Ok(self.clone())
    }
}

/// A relative amount: it needs a bound in its direction, because it may be repeated.
fn by(walk: &mut Walk, tree: &Tree, min: Option<u32>, max: Option<u32>, allow_down: bool) -> Option<i32> {
    let most = i64::from(REPLICAS_MAX);
    let by = walk.count(tree, "by", -most, most).and_then(|by| i32::try_from(by).ok())?;
    let (message, hint) = match by {
        0 => ("`by: 0` changes nothing", "give a number of replicas to add"),
        1.. if max.is_none() => {
            ("`by` without `max` could grow without end", "add max, such as scale: {by: 2, max: 10}")
        }
        ..0 if !allow_down => ("a negative `by` lowers", "add allowDown: true, and min"),
        ..0 if min.is_none() => (
            "a negative `by` without `min` could shrink to nothing",
            "add min, such as scale: {by: -1, min: 2, allowDown: true}",
        ),
        _ => return Some(by),
    };
    walk.error(tree.at, message, hint);
    None
}

impl Acts for Action {
    fn inverse(&self) -> Option<Self> {
        Some(Self { lever: self.lever.clone(), from: self.to, to: self.from, wanted: None, set_by: None })
    }

    fn after(&self, earlier: &Self) -> Option<Self> {
        (self.lever == earlier.lever).then(|| Self { from: earlier.from, ..self.clone() })
    }

    /// The server notes who wrote the field last with the time of all that they wrote: a deploy that leaves the number as it
    /// is changes that, and a person approves a number.
    fn does_the_same(&self, other: &Self) -> bool {
        let Self { lever, from, to, wanted, set_by: _ } = self;
        (lever, from, to, wanted) == (&other.lever, &other.from, &other.to, &other.wanted)
    }
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { lever, from, to, wanted, set_by: _ } = self;
        match lever {
            Lever::Replicas => write!(f, "scale {from} -> {to}")?,
            Lever::MinReplicas { hpa, .. } => write!(f, "scale minReplicas of HPA {hpa} {from} -> {to}")?,
        }
        wanted.map_or(Ok(()), |wanted| write!(f, ", short of {wanted}"))
    }
}
