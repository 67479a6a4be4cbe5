//! Reads what is done: rungs, steps, remediations, verifications.

use crate::action::Mode;
use crate::load::fields::{Fields, Walk};
use crate::load::values::May;
use crate::load::yaml::{Node, Position, Tree};
use crate::policy::{Check, Condition, Empty, Rung, Step, TargetSpec, Verification};
use crate::remediation::{Amount, Endpoints, Remediation, Scale};
use crate::target::Origin;
use crate::time::Span;

/// Defaults of a verification.
pub(crate) const SETTLE: Span = Span::from_mins(1);
pub(crate) const HOLD: Span = Span::from_mins(1);
pub(crate) const WITHIN: Span = Span::from_mins(10);
pub(crate) const EVERY: Span = Span::from_secs(15);

/// No ladder or sequence may be longer; beyond this a person should have been called long ago.
const STEPS_MAX: usize = 32;

/// No workload is scaled beyond this by a machine.
const REPLICAS_MAX: u32 = 10_000;

/// The words for modes.
pub(crate) const MODES: [(&str, Mode); 3] =
    [("dry-run", Mode::DryRun), ("approve", Mode::Approve), ("enforce", Mode::Enforce)];

/// What the policy says, for the steps under it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Under<'a> {
    pub(crate) mode: Option<Mode>,
    pub(crate) target: Option<&'a TargetSpec>,
}

impl Walk {
    /// The rungs of a policy, from `ladder:` or `sequence:`.
    pub(crate) fn rungs(&mut self, fields: &mut Fields<'_>, under: Under<'_>) -> Option<Vec<Rung>> {
        match (fields.get("ladder"), fields.get("sequence")) {
            (Some(_), Some(_)) => {
                self.error(
                    fields.at_key("sequence"),
                    "`spec` has both `ladder` and `sequence`",
                    "keep one; a rung of a ladder may hold a `sequence`",
                );
                None
            }
            (Some(ladder), None) => self.ladder(ladder, under),
            (None, Some(sequence)) => Some(vec![Rung { steps: self.sequence(sequence, under)? }]),
            (None, None) => {
                self.error(
                    fields.at,
                    "`spec` says nothing to do",
                    "add `ladder:` (until one helps) or `sequence:` (all in order)",
                );
                None
            }
        }
    }

    fn ladder(&mut self, tree: &Tree, under: Under<'_>) -> Option<Vec<Rung>> {
        let items = self.bounded(tree, "ladder")?;
        let rungs: Vec<Option<Rung>> = items
            .iter()
            .enumerate()
            .map(|(index, item)| {
                let name = format!("ladder[{index}]");
                let rung = match item.get("sequence") {
                    Some(_) => {
                        let mut fields = Fields::open(self, item, &name, "StepDocument")?;
                        let steps = fields.get("sequence").and_then(|tree| self.sequence(tree, under));
                        for key in STEP_KEYS {
                            if let (Some(_), Some(at)) = (fields.get(key), fields.key_at(key)) {
                                self.error(
                                    at,
                                    format!("`{name}` has both `sequence` and `{key}`"),
                                    "what belongs to a step stands in the items of the sequence",
                                );
                            }
                        }
                        fields.close(self);
                        Rung { steps: steps? }
                    }
                    None => Rung { steps: vec![self.step(item, &name, under)?] },
                };
                if index + 1 < items.len() && rung.steps.last().is_some_and(|step| step.verify.is_none()) {
                    self.error(
                        item.at,
                        format!(
                            "`{name}` has no `verify`, so nobody would know whether to go on to the next rung"
                        ),
                        "add verify: {query: ..., is: ...}, or {rollout: complete}, or {http: ...}",
                    );
                }
                Some(rung)
            })
            .collect();
        rungs.into_iter().collect()
    }

    fn sequence(&mut self, tree: &Tree, under: Under<'_>) -> Option<Vec<Step>> {
        let items = self.bounded(tree, "sequence")?;
        let steps: Vec<Option<Step>> = items
            .iter()
            .enumerate()
            .map(|(index, item)| {
                if item.get("sequence").is_some() {
                    self.error(item.at, "a sequence cannot hold another one", "write its steps in one list");
                    return None;
                }
                self.step(item, &format!("sequence[{index}]"), under)
            })
            .collect();
        steps.into_iter().collect()
    }

    fn bounded<'t>(&mut self, tree: &'t Tree, what: &str) -> Option<&'t [Tree]> {
        let items = self.list(tree, what)?;
        if items.is_empty() || items.len() > STEPS_MAX {
            self.error(
                tree.at,
                format!("`{what}` has {} items", items.len()),
                format!("from 1 to {STEPS_MAX}"),
            );
            return None;
        }
        Some(items)
    }

    fn step(&mut self, tree: &Tree, name: &str, under: Under<'_>) -> Option<Step> {
        let mut fields = Fields::open(self, tree, name, "StepDocument")?;
        fields.get("sequence");
        let target = fields.maybe(self, "target", Self::target);
        let on = target.as_ref().and_then(Option::as_ref).or(under.target);
        let remediation = self.remediation(&mut fields, name, on);
        let mode = fields.maybe(self, "mode", |walk, tree, what| walk.choice(tree, what, &MODES));
        if let (Some(Some(mode)), Some(policy)) = (mode, under.mode) {
            if mode > policy {
                self.error(
                    fields.at_key("mode"),
                    format!("`{name}` has mode {mode}, the policy {policy}"),
                    "a step can only be stricter than its policy",
                );
            }
        }
        let limits = fields.or(self, "limits", Vec::new(), Self::limits);
        let verify = fields.maybe(self, "verify", Self::verify);
        let revert_after = fields.maybe(self, "revert", |walk, tree, _| {
            let mut fields = Fields::open(walk, tree, "revert", "RevertDocument")?;
            let after =
                fields.need(walk, "after", "such as after: 1h").and_then(|tree| walk.span(tree, "after"));
            fields.close(walk);
            if after == Some(Span::ZERO) {
                walk.error(tree.at, "`after` cannot be 0s", "such as after: 1h");
                return None;
            }
            after
        });
        if let (
            Some(remediation @ (Remediation::Restart | Remediation::ResetBreaker { .. })),
            Some(Some(_)),
        ) = (&remediation, revert_after)
        {
            self.error(
                fields.at_key("revert"),
                format!("`{}` cannot be taken back", remediation.name()),
                "only `scale` can have `revert`; remove it",
            );
        }
        fields.close(self);
        Some(Step {
            remediation: remediation?,
            target: target?,
            mode: mode?,
            limits: limits?,
            verify: verify?,
            revert_after: revert_after?,
        })
    }

    fn remediation(
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
        let most = i64::from(REPLICAS_MAX);
        let replicas = |walk: &mut Self, tree: &Tree, what: &str| walk.unsigned(tree, what, 0, REPLICAS_MAX);
        let by = fields.maybe(self, "by", |walk, tree, what| {
            walk.count(tree, what, -most, most).and_then(|by| i32::try_from(by).ok())
        });
        let to = fields.maybe(self, "to", replicas);
        let at_least = fields.maybe(self, "atLeast", replicas);
        let max = fields.maybe(self, "max", |walk, tree, what| walk.unsigned(tree, what, 1, REPLICAS_MAX));
        let min = fields.maybe(self, "min", replicas);
        let max_step =
            fields.maybe(self, "maxStep", |walk, tree, what| walk.unsigned(tree, what, 1, REPLICAS_MAX));
        let allow_down = fields.or(self, "allowDown", false, Self::flag);
        let given = ["by", "to", "atLeast"].into_iter().filter(|key| fields.key_at(key).is_some()).count();
        if given != 1 {
            self.error(
                fields.at,
                format!("`scale` needs exactly one of `by`, `to` and `atLeast`, found {given}"),
                "such as scale: {by: 2, max: 10}",
            );
        }
        let at = |key: &str| fields.at_key(key);
        let places = [at("by"), at("to"), at("atLeast"), at("max"), at("min")];
        fields.close(self);
        let (by, to, at_least, max, min) = (by?, to?, at_least?, max?, min?);
        let (max_step, allow_down) = (max_step?, allow_down?);
        if given != 1 {
            return None;
        }
        let before = self.problems.len();
        let [by_at, to_at, at_least_at, _, min_at] = places;
        let amount = match (by, to, at_least) {
            (Some(by), ..) => {
                if by == 0 {
                    self.error(by_at, "`by: 0` changes nothing", "give a number of replicas to add");
                } else if by > 0 && max.is_none() {
                    self.error(
                        by_at,
                        "`by` without `max` could grow without end",
                        "add max, such as scale: {by: 2, max: 10}",
                    );
                } else if by < 0 && !allow_down {
                    self.error(by_at, format!("`by: {by}` lowers"), "add allowDown: true, and min");
                } else if by < 0 && min.is_none() {
                    self.error(
                        by_at,
                        format!("`by: {by}` without `min` could shrink to nothing"),
                        "add min, such as scale: {by: -1, min: 2, allowDown: true}",
                    );
                }
                Amount::By(by)
            }
            (None, Some(to), _) => {
                self.bounds(to_at, "to", to, min, max);
                Amount::To(to)
            }
            (None, None, Some(least)) => {
                self.bounds(at_least_at, "atLeast", least, min, max);
                Amount::AtLeast(least)
            }
            (None, None, None) => return None,
        };
        if let (Some(min), Some(max)) = (min, max) {
            if min > max {
                self.error(min_at, format!("`min` {min} is above `max` {max}"), "swap them");
            }
        }
        (self.problems.len() == before).then_some(Scale { amount, max, min, max_step, allow_down })
    }

    fn bounds(&mut self, at: Position, what: &str, value: u32, min: Option<u32>, max: Option<u32>) {
        if max.is_some_and(|max| value > max) || min.is_some_and(|min| value < min) {
            self.error(
                at,
                format!("`{what}: {value}` is beyond its own `min` or `max`"),
                "choose a number within them",
            );
        }
    }

    fn reset_breaker(&mut self, tree: &Tree) -> Option<Remediation> {
        let mut fields = Fields::open(self, tree, "resetBreaker", "ResetBreakerDocument")?;
        let breaker = fields
            .need(self, "breaker", "the breaker's name, such as \"{{ labels.breaker }}\"")
            .and_then(|tree| {
                let template = self.template(tree, "breaker", May::NameAll)?;
                if template.is_literal() {
                    if let Err(problem) = crate::url::path_segment(&template.source) {
                        self.error(
                            tree.at,
                            format!("`breaker`: {problem}"),
                            "a breaker's name is one segment of a URL path",
                        );
                        return None;
                    }
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

    fn verify(&mut self, tree: &Tree, what: &str) -> Option<Verification> {
        let mut fields = Fields::open(self, tree, what, "VerifyDocument")?;
        let (query, http, rollout) = (fields.get("query"), fields.get("http"), fields.get("rollout"));
        let given = [query, http, rollout].into_iter().flatten().count();
        let is = fields.get("is");
        let empty = fields.or(self, "empty", Empty::Unknown, Self::empty);
        let status = fields.or(self, "status", 200, |walk, tree, what| {
            walk.count(tree, what, 100, 599).and_then(|status| u16::try_from(status).ok())
        });
        for (keys, owner, present) in
            [(&["is", "empty"][..], "query", query), (&["status"][..], "http", http)]
        {
            for key in
                keys.iter().filter(|key| fields.key_at(key).is_some() && present.is_none() && given > 0)
            {
                self.error(
                    fields.at_key(key),
                    format!("`{key}` belongs to `{owner}`, which is not there"),
                    format!("remove it, or verify by `{owner}`"),
                );
            }
        }
        let check = match (query, http, rollout) {
            (Some(query), None, None) => {
                if is.is_none() {
                    self.error(
                        fields.at_key("query"),
                        "`verify` has a `query` and no `is`",
                        "say what the value must satisfy, such as is: \"< 0.01\"",
                    );
                }
                let query = self.query(query, "query");
                let is = is.and_then(|tree| self.comparison(tree, "is"));
                match (query, is, empty) {
                    (Some(query), Some(is), Some(empty)) => {
                        Some(Check::Query(Condition { query, is, empty }))
                    }
                    _ => None,
                }
            }
            (None, Some(http), None) => {
                let url = self.template(http, "http", May::NameAll).and_then(|url| {
                    if let Err(problem) = crate::url::check_template(&url) {
                        self.error(http.at, format!("`http`: {problem}"), "such as http://api.prod.svc:8080/healthz; templates may stand in the host's name and in the path");
                        return None;
                    }
                    Some(url)
                });
                url.zip(status).map(|(url, status)| Check::Http { url, status })
            }
            (None, None, Some(rollout)) => {
                self.choice(rollout, "rollout", &[("complete", ())]).map(|()| Check::Rollout)
            }
            _ => {
                self.error(
                    fields.at,
                    format!("`verify` needs exactly one of `query`, `http` and `rollout`, found {given}"),
                    "two checks are two conditions of one query, or two steps",
                );
                None
            }
        };
        let settle = fields.or(self, "settle", SETTLE, Self::span);
        let hold = fields.or(self, "hold", HOLD, Self::span);
        let within = fields.or(self, "within", WITHIN, Self::span);
        let every = fields.or(self, "every", EVERY, Self::span);
        let (within_at, every_at, settle_at) =
            (fields.at_key("within"), fields.at_key("every"), fields.at_key("settle"));
        fields.close(self);
        let (settle, hold, within, every) = (settle?, hold?, within?, every?);
        if within.ms() < settle.ms() + hold.ms() {
            self.error(
                within_at,
                format!("`within` {within} ends before `settle` {settle} and `hold` {hold} have passed"),
                "make `within` longer than both together",
            );
        }
        if every < Span::from_secs(1) {
            self.error(
                every_at,
                format!("`every` {every} is too often"),
                "at least 1s; 15s suits most scrape intervals",
            );
        }
        if settle < Span::from_secs(15) {
            self.warn(
                settle_at,
                format!(
                    "`settle` {settle} is shorter than a usual scrape interval: old values would be judged"
                ),
                "at least 30s, or the look-back of the alert",
            );
        }
        if let Some(Check::Query(condition)) = &check {
            let look_back = condition.query.look_back();
            if look_back > within {
                self.warn(within_at, format!("the query looks back {look_back}, `within` is {within}: values from before the action still count at the end"), "make `within` longer, or the query's range shorter");
            }
        }
        Some(Verification { check: check?, settle, hold, within, every })
    }
}

/// The remediations by their keys.
const REMEDIATION_KEYS: [&str; 3] = ["scale", "restart", "resetBreaker"];

/// What belongs to a step and not to a rung with a sequence.
const STEP_KEYS: [&str; 8] =
    ["scale", "restart", "resetBreaker", "target", "mode", "limits", "verify", "revert"];
