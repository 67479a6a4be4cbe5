//! Reads the remediations of a step. A new one has its arm here, its document type, and its variant of
//! [`Remediation`].

use crate::load::fields::{Fields, Walk};
use crate::load::values::May;
use crate::load::yaml::{Node, Position, Tree};
use crate::policy::TargetSpec;
use crate::remediation::{Amount, Endpoints, Remediation, Scale};
use crate::target::Origin;

/// The remediations by their keys.
pub(crate) const REMEDIATION_KEYS: [&str; 3] = ["scale", "restart", "resetBreaker"];

/// No workload is scaled beyond this by a machine.
const REPLICAS_MAX: u32 = 10_000;

impl Walk {
    /// The one remediation of a step.
    pub(crate) fn remediation(
        &mut self,
        fields: &mut Fields<'_>,
        name: &str,
        on: Option<&TargetSpec>,
    ) -> Option<Remediation> {
        let given: Vec<(&str, &Tree)> =
            REMEDIATION_KEYS.into_iter().filter_map(|key| Some((key, fields.get(key)?))).collect();
        let list = REMEDIATION_KEYS.join(", ");
        match given.as_slice() {
            [(key, tree)] => {
                let remediation = match *key {
                    "scale" => self.scale(tree).map(Remediation::Scale),
                    "restart" => {
                        Fields::open(self, tree, "restart", "RestartDocument")?.close(self);
                        Some(Remediation::Restart)
                    }
                    _ => self.reset_breaker(tree),
                }?;
                self.fits(tree.at, &remediation, on);
                Some(remediation)
            }
            [] => {
                let at = REMEDIATION_KEYS.into_iter().find_map(|key| fields.key_at(key)).unwrap_or(fields.at);
                let hint = match REMEDIATION_KEYS.into_iter().find(|key| fields.key_at(key).is_some()) {
                    Some(key) => {
                        format!("`{key}` has no value; write `{key}: {{}}` where there is nothing to set")
                    }
                    None => format!("give one of: {list}"),
                };
                self.error(at, format!("`{name}` says nothing to do"), hint);
                None
            }
            [_, (key, _), ..] => {
                self.error(
                    fields.at_key(key),
                    format!("`{name}` has more than one remediation"),
                    "make each its own rung, or steps of a `sequence`",
                );
                None
            }
        }
    }

    /// Warns where a remediation can never act on this kind of target.
    fn fits(&mut self, at: Position, remediation: &Remediation, on: Option<&TargetSpec>) {
        let kind = match on {
            Some(TargetSpec::Named { kind, .. }) => kind.as_str(),
            Some(TargetSpec::OwnerOf { origin: Origin::Node, .. }) => "Node",
            Some(TargetSpec::OwnerOf { .. }) => "workload",
            None => return,
        };
        let (fits, wanted) = match remediation {
            Remediation::Scale(_) => (
                !["DaemonSet", "Service", "Node"].contains(&kind),
                "a Deployment, a StatefulSet or anything else with replicas",
            ),
            Remediation::Restart => (
                ["Deployment", "StatefulSet", "DaemonSet", "workload"].contains(&kind),
                "a Deployment, StatefulSet or DaemonSet",
            ),
            Remediation::ResetBreaker { endpoints: Endpoints::OfService { .. }, .. } => {
                (kind == "Service", "a Service")
            }
            Remediation::ResetBreaker { endpoints: Endpoints::Listed(_), .. } => (true, ""),
        };
        if !fits {
            let name = remediation.name();
            self.warn(
                at,
                format!("`{name}` on a {kind} will always be refused"),
                format!("give the step a `target` that is {wanted}"),
            );
        }
    }

    fn scale(&mut self, tree: &Tree) -> Option<Scale> {
        let mut fields = Fields::open(self, tree, "scale", "ScaleDocument")?;
        let replicas = |walk: &mut Self, tree: &Tree, what: &str| walk.unsigned(tree, what, 0, REPLICAS_MAX);
        let positive = |walk: &mut Self, tree: &Tree, what: &str| walk.unsigned(tree, what, 1, REPLICAS_MAX);
        let given: Vec<(&str, &Tree)> =
            ["by", "to", "atLeast"].into_iter().filter_map(|key| Some((key, fields.get(key)?))).collect();
        let max = fields.maybe(self, "max", positive);
        let min = fields.maybe(self, "min", replicas);
        let max_step = fields.maybe(self, "maxStep", positive);
        let allow_down = fields.or(self, "allowDown", false, Self::flag);
        let (at, min_at) = (fields.at, fields.at_key("min"));
        fields.close(self);
        let [(key, amount)] = given[..] else {
            self.error(
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
            self.error(min_at, format!("`min` {min} is above `max` {max}"), "swap them");
            return None;
        }
        let amount = if key == "by" {
            Amount::By(self.by(amount, min, max, allow_down)?)
        } else {
            let value = replicas(self, amount, key)?;
            if max.is_some_and(|max| value > max) || min.is_some_and(|min| value < min) {
                let message = format!("`{key}: {value}` is beyond its own `min` or `max`");
                self.error(amount.at, message, "choose a number within them");
                return None;
            }
            if key == "to" { Amount::To(value) } else { Amount::AtLeast(value) }
        };
        Some(Scale { amount, max, min, max_step, allow_down })
    }

    /// A relative amount: it needs a bound in its direction, because it may be repeated.
    fn by(&mut self, tree: &Tree, min: Option<u32>, max: Option<u32>, allow_down: bool) -> Option<i32> {
        let most = i64::from(REPLICAS_MAX);
        let by = self.count(tree, "by", -most, most).and_then(|by| i32::try_from(by).ok())?;
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
        self.error(tree.at, message, hint);
        None
    }

    fn reset_breaker(&mut self, tree: &Tree) -> Option<Remediation> {
        let mut fields = Fields::open(self, tree, "resetBreaker", "ResetBreakerDocument")?;
        let breaker = fields
            .need(self, "breaker", "the breaker's name, such as \"{{ labels.breaker }}\"")
            .and_then(|tree| {
                let template = self.template(tree, "breaker", May::NameAll)?;
                if template.is_literal()
                    && let Err(problem) = crate::url::path_segment(&template.source)
                {
                    self.error(
                        tree.at,
                        format!("`breaker`: {problem}"),
                        "a breaker's name is one segment of a URL path",
                    );
                    return None;
                }
                Some(template)
            });
        let port = fields.maybe(self, "port", |walk, tree, what| match &tree.node {
            Node::Number(..) => walk.count(tree, what, 1, 65_535).map(|port| port.to_string()),
            _ => walk.text(tree, what).map(str::to_owned),
        });
        let listed = fields.maybe(self, "endpoints", |walk, tree, what| {
            let urls = walk.each(tree, what, Self::base_url)?;
            if urls.is_empty() {
                walk.error(tree.at, "`endpoints` is empty", "such as [\"http://maestro.prod.svc:8080\"]");
                return None;
            }
            Some(urls)
        });
        let (at, endpoints_at) = (fields.at, fields.at_key("endpoints"));
        fields.close(self);
        let endpoints = match (port?, listed?) {
            (Some(port), None) => Endpoints::OfService { port },
            (None, Some(urls)) => Endpoints::Listed(urls),
            (Some(_), Some(_)) => {
                self.error(
                    endpoints_at,
                    "`resetBreaker` has both `port` and `endpoints`",
                    "`port` asks the target Service for its endpoints; `endpoints` lists them",
                );
                return None;
            }
            (None, None) => {
                self.error(
                    at,
                    "`resetBreaker` does not say how its endpoints are reached",
                    "add port: http (of the target Service), or endpoints: [\"http://...\"]",
                );
                return None;
            }
        };
        Some(Remediation::ResetBreaker { breaker: breaker?, endpoints })
    }
}
