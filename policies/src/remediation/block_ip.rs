//! Keep clients out by their addresses for a while: what a policy says, and the absolute change. Every entry has its own
//! end, and an address that comes back stays out longer. Which addresses may never be blocked is found out by the
//! preflight, in the world.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Acts, Asks};
use crate::address::AddressRange;
use crate::alert::Labels;
use crate::lasting::{Lasting, LastingDocument};
use crate::load::fields::Walk;
use crate::load::yaml::Tree;
use crate::policy::rendered;
use crate::promql::Query;
use crate::reason::Reason;
use crate::template::{Scope, Template};
use crate::time::{Moment, Span};

mod read;

/// The ConfigMap of ingress-nginx as its chart names it.
const CONTROLLER: (&str, &str) = ("ingress-nginx", "ingress-nginx-controller");

/// The kind of target whose proxy is told.
pub const INGRESS: &str = "Ingress.networking.k8s.io";

/// Keep clients out by their addresses: by a NetworkPolicy of the target's pods, or by the proxy of the target Ingress.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BlockIpDocument {
    /// `networkPolicy` (the target is a workload) or `ingressNginx` (the target is an Ingress.networking.k8s.io).
    pub by: Means,
    /// Where the address was seen: `peer`, the other end of the connection to the pods, or `forwarded`, the client
    /// whom a proxy names. A NetworkPolicy needs `peer`, ingress-nginx `forwarded`.
    pub client_address: ClientAddress,
    /// Template of the address, or of a range such as 203.0.113.0/24. Either this or `query`.
    pub address: Option<String>,
    /// PromQL that gives one series for each address. Needs `label`.
    pub query: Option<String>,
    /// The label of those series that holds the address.
    pub label: Option<String>,
    /// The most addresses that `query` may give, from 1 to 50; more refuse. Default 10.
    pub max: Option<u32>,
    /// How long an address is kept out the first time, from 1m to 7d, or a template of it.
    pub r#for: LastingDocument,
    /// How much longer it is kept out when it comes back. Without it always as long as the first time.
    pub growth: Option<GrowthDocument>,
    /// Templates of addresses and ranges that are never blocked. Adding one here lifts what it covers.
    pub allow: Option<Vec<String>>,
    /// Whether private addresses may be blocked. Default false.
    pub private: Option<bool>,
    /// An IPv4 address counts as its network of so many bits, and no wider range is blocked; from 16. Default 32.
    pub ipv4_bits: Option<u8>,
    /// An IPv6 address counts as its network of so many bits, and no wider range is blocked; from 32. Default 64.
    pub ipv6_bits: Option<u8>,
    /// The most ranges that one target may have blocked at a time, from 1 to 500. Default 100.
    pub entries: Option<u32>,
    /// For `networkPolicy`: somebody has seen that this cluster's network enforces NetworkPolicies. Needed where none of
    /// the networks that do is recognised. Default false.
    pub enforced: Option<bool>,
    /// For `ingressNginx`: the ConfigMap of the controller, as NAMESPACE/NAME. Default
    /// `ingress-nginx/ingress-nginx-controller`.
    pub controller: Option<String>,
}

/// How durations grow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "GrowthDocument")]
pub struct GrowthDocument {
    /// Each time so many times as long as the time before, from 2 to 100.
    pub factor: u32,
    /// Never longer than this, at most 30d.
    pub up_to: Span,
    /// An address that stays away for this long after its block is a stranger again. Default 7d.
    pub within: Option<Span>,
}

/// What keeps the client out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Means {
    /// A NetworkPolicy of our own, on the pods of the target.
    NetworkPolicy,
    /// The list of refused sources of an Ingress that ingress-nginx serves.
    IngressNginx,
}

/// Where the address of a client was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ClientAddress {
    /// At the other end of the pods' connections.
    Peer,
    /// In what a proxy says of its client.
    Forwarded,
}

/// Whom to keep out, how, and for how long.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    source: Source,
    allow: Vec<Template>,
    /// How long the first time; what stands in the terms is filled in from it.
    lasts: Lasting,
    terms: Terms,
}

#[derive(Debug, Clone, PartialEq)]
enum Source {
    Address(Template),
    Query { query: Query, label: String, max: u32 },
}

impl Eq for Written {}

impl Written {
    /// What does not depend on the alert.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }
}

/// What does not depend on the alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Terms {
    /// What keeps the client out.
    pub by: Means,
    /// Where its address was seen.
    pub client_address: ClientAddress,
    /// How long the first time.
    #[serde(rename = "for")]
    pub lasts: Span,
    /// How much longer when it comes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub growth: Option<Growth>,
    /// Whether private addresses may be blocked.
    pub private: bool,
    /// No wider range of IPv4.
    pub ipv4_bits: u8,
    /// No wider range of IPv6.
    pub ipv6_bits: u8,
    /// The most ranges of one target.
    pub entries: u32,
    /// Whether somebody has seen NetworkPolicies enforced.
    pub enforced: bool,
    /// Namespace and name of the controller's ConfigMap.
    pub controller: (String, String),
}

/// How durations grow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Growth {
    /// Each time so many times as long.
    pub factor: u32,
    /// Never longer.
    pub up_to: Span,
    /// How long after its block an address is still known.
    pub within: Span,
}

/// Whom to keep out, how, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wish {
    /// Whom.
    pub whom: Whom,
    /// Who is never kept out.
    pub allow: Vec<AddressRange>,
    /// The rest.
    pub terms: Terms,
}

/// Whom to keep out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Whom {
    /// This one.
    Address(AddressRange),
    /// Those that a query names.
    Query {
        /// Rendered PromQL.
        promql: String,
        /// The label that holds the address.
        label: String,
        /// The most it may give.
        max: u32,
    },
}

/// A block, or its end. An entry begins with its intent, so that one of 09:00 for 1h ends at 10:00, whenever it is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Keep these out.
    Block(Block),
    /// Let these in again.
    Unblock(Unblock),
}

/// Ranges to keep out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Block {
    /// Each range once, sorted.
    pub ranges: Vec<Entry>,
    /// How.
    pub terms: Terms,
}

/// One range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Which.
    pub range: AddressRange,
    /// How long.
    #[serde(rename = "for")]
    pub lasts: Span,
    /// The how manieth time this is, from 1.
    pub times: u32,
}

/// Ranges whose time is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unblock {
    /// These are let in.
    pub ranges: Vec<Entry>,
    /// These stay out, as their own time is not over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rest: Vec<Entry>,
    /// When the first of the rest is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<Moment>,
    /// How they are kept out.
    pub terms: Terms,
}

impl Asks for Written {
    type Wish = Wish;

    fn read(walk: &mut Walk, tree: &Tree) -> Option<Self> {
        read::written(walk, tree)
    }

    fn document(&self) -> Value {
        let terms = &self.terms;
        let mut body = json!({
            "by": terms.by,
            "clientAddress": terms.client_address,
            "for": self.lasts.document(),
            "private": terms.private,
            "ipv4Bits": terms.ipv4_bits,
            "ipv6Bits": terms.ipv6_bits,
            "entries": terms.entries,
        });
        match terms.by {
            Means::NetworkPolicy => body["enforced"] = json!(terms.enforced),
            Means::IngressNginx => {
                let (namespace, name) = &terms.controller;
                body["controller"] = json!(format!("{namespace}/{name}"));
            }
        }
        match &self.source {
            Source::Address(address) => body["address"] = json!(address.source),
            Source::Query { query, label, max } => {
                body["query"] = json!(query.template.source);
                body["label"] = json!(label);
                body["max"] = json!(max);
            }
        }
        if let Some(growth) = &terms.growth {
            body["growth"] = json!(growth);
        }
        if !self.allow.is_empty() {
            body["allow"] = self.allow.iter().map(|range| json!(range.source)).collect();
        }
        body
    }

    fn templates(&self) -> Vec<&Template> {
        let source = match &self.source {
            Source::Address(address) => address,
            Source::Query { query, .. } => &query.template,
        };
        std::iter::once(source).chain(&self.allow).chain(self.lasts.template()).collect()
    }

    fn queries(&self) -> Vec<&Query> {
        match &self.source {
            Source::Query { query, .. } => vec![query],
            Source::Address(_) => Vec::new(),
        }
    }

    fn misfit(&self, kind: &str) -> Option<&'static str> {
        match self.terms.by {
            Means::NetworkPolicy => {
                let fits = ["Deployment", "StatefulSet", "DaemonSet", "workload"].contains(&kind);
                (!fits)
                    .then_some("a Deployment, StatefulSet or DaemonSet, whose pods are closed to the address")
            }
            Means::IngressNginx => (kind != INGRESS).then_some("an Ingress.networking.k8s.io"),
        }
    }

    fn is_revertible(&self) -> bool {
        true
    }

    fn lasts(&self) -> Option<Span> {
        self.lasts.fixed()
    }

    fn lasts_by_itself(&self) -> bool {
        true
    }

    /// Whoever is allowed now is let in now. What the alert's own labels allow counted when it was decided.
    fn lifts(&self, action: &super::Action, vars: &BTreeMap<String, String>) -> Vec<AddressRange> {
        let super::Action::BlockIp(Action::Block(block)) = action else { return Vec::new() };
        let (labels, lets) = (Labels::default(), BTreeMap::new());
        let scope = Scope { labels: &labels, vars, lets: &lets, target: None };
        let allow: Vec<AddressRange> =
            self.allow.iter().filter_map(|range| allowed(range, &scope).ok()).collect();
        let lifted = |entry: &&Entry| allow.iter().any(|range| range.overlaps(entry.range));
        block.ranges.iter().filter(lifted).map(|entry| entry.range).collect()
    }

    fn wish(&self, scope: &Scope<'_>) -> Result<Wish, Reason> {
        let lasts = self.lasts.rendered(scope, "for", &read::BOUNDS)?;
        let terms = Terms { lasts, ..self.terms.clone() };
        let whom = match &self.source {
            Source::Address(address) => {
                let read = |text: &str| AddressRange::read(text, terms.ipv4_bits, terms.ipv6_bits);
                let text = rendered(address, scope, "address", |text| read(text).map(|_| ()))?;
                let bad = |problem| Reason::BadValue { what: "address".into(), problem };
                Whom::Address(read(&text).map_err(bad)?)
            }
            Source::Query { query, label, max } => {
                let bad = |error: crate::template::TemplateError| Reason::BadValue {
                    what: "query".into(),
                    problem: error.to_string(),
                };
                Whom::Query { promql: query.render(scope).map_err(bad)?, label: label.clone(), max: *max }
            }
        };
        let allow = self.allow.iter().map(|range| allowed(range, scope));
        Ok(Wish { whom, allow: allow.collect::<Result<Vec<_>, Reason>>()?, terms })
    }
}

fn allowed(range: &Template, scope: &Scope<'_>) -> Result<AddressRange, Reason> {
    let read = |text: &str| text.parse::<AddressRange>();
    let text = rendered(range, scope, "allow", |text| read(text).map(|_| ()))?;
    read(&text).map_err(|problem| Reason::BadValue { what: "allow".into(), problem })
}

impl Action {
    /// The addresses that it keeps out, or lets in.
    pub fn ranges(&self) -> impl Iterator<Item = AddressRange> {
        let entries = match self {
            Self::Block(block) => &block.ranges,
            Self::Unblock(unblock) => &unblock.ranges,
        };
        entries.iter().map(|entry| entry.range)
    }
}

impl Acts for Action {
    fn inverse(&self) -> Option<Self> {
        match self {
            Self::Block(block) => Some(Self::Unblock(Unblock {
                ranges: block.ranges.clone(),
                rest: Vec::new(),
                again: None,
                terms: block.terms.clone(),
            })),
            Self::Unblock(_) => None,
        }
    }

    /// Every intent has entries of its own: each is taken back by itself.
    fn after(&self, _: &Self) -> Option<Self> {
        None
    }

    fn spares_replicas(&self) -> Option<&'static str> {
        Some("a block takes no replica away")
    }

    /// Every entry expires.
    fn ends_by_itself(&self) -> bool {
        true
    }

    fn lasts(&self) -> Option<Span> {
        match self {
            Self::Block(block) => block.ranges.iter().map(|entry| entry.lasts).min(),
            Self::Unblock(_) => None,
        }
    }

    fn rest(&self) -> Option<(Self, Moment)> {
        match self {
            Self::Unblock(Unblock { rest, again: Some(again), terms, .. }) if !rest.is_empty() => {
                Some((Self::Block(Block { ranges: rest.clone(), terms: terms.clone() }), *again))
            }
            Self::Block(_) | Self::Unblock(_) => None,
        }
    }

    fn part(&self, only: &[AddressRange]) -> Option<Self> {
        let Self::Block(block) = self else { return None };
        let (some, rest): (Vec<Entry>, Vec<Entry>) =
            block.ranges.iter().cloned().partition(|entry| only.contains(&entry.range));
        let terms = block.terms.clone();
        (!some.is_empty() && !rest.is_empty()).then_some(Self::Block(Block { ranges: some, terms }))
    }

    fn leaving(&self, whole: &Self, rest_due: Moment) -> Option<Self> {
        let (Self::Unblock(unblock), Self::Block(block)) = (self, whole) else { return None };
        let gone = |entry: &&Entry| unblock.ranges.iter().any(|out| out.range == entry.range);
        let rest: Vec<Entry> = block.ranges.iter().filter(|entry| !gone(entry)).cloned().collect();
        let again = (!rest.is_empty()).then_some(rest_due);
        Some(Self::Unblock(Unblock { rest, again, ..unblock.clone() }))
    }
}

/// A sentence names no more ranges than this.
const NAMED_MAX: usize = 3;

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (verb, ranges) = match self {
            Self::Block(block) => ("block", &block.ranges),
            Self::Unblock(unblock) => ("unblock", &unblock.ranges),
        };
        let one = |entry: &Entry| match (self, entry.times) {
            (Self::Unblock(_), _) => entry.range.to_string(),
            (Self::Block(_), 0 | 1) => format!("{} for {}", entry.range, entry.lasts),
            (Self::Block(_), times) => format!("{} for {} (time {times})", entry.range, entry.lasts),
        };
        let named: Vec<String> = ranges.iter().take(NAMED_MAX).map(one).collect();
        write!(f, "{verb} {}", named.join(", "))?;
        match ranges.len().saturating_sub(NAMED_MAX) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
