//! Reads how a step is seen to have helped.

use crate::load::fields::{Fields, Walk};
use crate::load::values::May;
use crate::load::yaml::Tree;
use crate::policy::{Check, Condition, Empty, Verification};
use crate::time::Span;

const SETTLE: Span = Span::from_mins(1);
const HOLD: Span = Span::from_mins(1);
const WITHIN: Span = Span::from_mins(10);
const EVERY: Span = Span::from_secs(15);

impl Walk {
    pub(crate) fn verify(&mut self, tree: &Tree, what: &str) -> Option<Verification> {
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
                        self.error(http.at, format!("`http`: {problem}"), "such as http://{{ target.name }}.{{ target.namespace }}.svc:8080/healthz; labels may stand in the path");
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
                    "such as {query: ..., is: ...}, {http: ...} or {rollout: complete}",
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
