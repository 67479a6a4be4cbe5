//! Reads a `blockIp` as people write it. Must never let through a means that cannot reach the address it is given, or a
//! bound beyond which a block would hit people whom nobody named.

use super::{CONTROLLER, ClientAddress, Growth, Means, Source, Terms, Written};
use crate::address::AddressRange;
use crate::lasting::Lasting;
use crate::load::fields::{Fields, Walk};
use crate::load::values::May;
use crate::load::yaml::{Tree, printable};
use crate::target::{is_dns_label, is_dns_subdomain};
use crate::template::Template;
use crate::time::Span;

/// No first block is longer: whoever must stay out for good belongs into a firewall.
const FOR_MAX: Span = Span::from_hours(24 * 7);

/// A shorter one is over before it was looked at.
const FOR_MIN: Span = Span::from_mins(1);

pub(super) const BOUNDS: std::ops::RangeInclusive<Span> = FOR_MIN..=FOR_MAX;

/// No block is longer, however often the address came back.
const GROWN_MAX: Span = Span::from_hours(24 * 30);

/// More addresses than this at once are no culprits but a crowd.
const ADDRESSES_MAX: u32 = 50;

/// More ranges than this are the work of a firewall; each is a rule that every connection is held against.
const ENTRIES_MAX: u32 = 500;

/// More templates than this are nobody's list to read.
const ALLOW_MAX: usize = 100;

const MEANS: [(&str, Means); 2] =
    [("networkPolicy", Means::NetworkPolicy), ("ingressNginx", Means::IngressNginx)];

const SEEN: [(&str, ClientAddress); 2] =
    [("peer", ClientAddress::Peer), ("forwarded", ClientAddress::Forwarded)];

pub(super) fn written(walk: &mut Walk, tree: &Tree) -> Option<Written> {
    let mut fields = Fields::open(walk, tree, "blockIp", "BlockIpDocument")?;
    let by = fields
        .need(walk, "by", "`networkPolicy`, or `ingressNginx` where an ingress-nginx proxies")
        .and_then(|tree| walk.choice(tree, "by", &MEANS));
    let client_address = fields
        .need(walk, "clientAddress", "`peer` (as pods see it) or `forwarded` (as a proxy names it)")
        .and_then(|tree| walk.choice(tree, "clientAddress", &SEEN));
    let source = source(walk, &mut fields);
    let lasts = fields
        .need(walk, "for", "how long, such as for: 1h")
        .and_then(|tree| walk.lasting(tree, "for"))
        .and_then(|(lasting, at)| match lasting.fixed() {
            Some(span) => within(walk, at, "for", span, FOR_MIN, FOR_MAX).then_some(lasting),
            None => Some(lasting),
        });
    let first = lasts.as_ref().and_then(Lasting::fixed);
    let growth = fields.maybe(walk, "growth", |walk, tree, _| growth(walk, tree, first));
    let allow = fields.or(walk, "allow", Vec::new(), allow);
    let private = fields.or(walk, "private", false, |walk, tree, what| walk.flag(tree, what));
    let ipv4_bits = fields.or(walk, "ipv4Bits", 32, |walk, tree, what| bits(walk, tree, what, 16, 32));
    let ipv6_bits = fields.or(walk, "ipv6Bits", 64, |walk, tree, what| bits(walk, tree, what, 32, 128));
    let entries =
        fields.or(walk, "entries", 100, |walk, tree, what| walk.unsigned(tree, what, 1, ENTRIES_MAX));
    let enforced = fields.or(walk, "enforced", false, |walk, tree, what| walk.flag(tree, what));
    let standard = (CONTROLLER.0.to_owned(), CONTROLLER.1.to_owned());
    let controller = fields.or(walk, "controller", standard, controller);
    let fits = match (by, client_address) {
        (Some(by), Some(client_address)) => fits(walk, &fields, by, client_address),
        (None, _) | (_, None) => false,
    };
    fields.close(walk);
    if !fits {
        return None;
    }
    let terms = Terms {
        by: by?,
        client_address: client_address?,
        lasts: first.unwrap_or(FOR_MIN),
        growth: growth?,
        private: private?,
        ipv4_bits: ipv4_bits?,
        ipv6_bits: ipv6_bits?,
        entries: entries?,
        enforced: enforced?,
        controller: controller?,
    };
    Some(Written { source: source?, allow: allow?, lasts: lasts?, terms })
}

/// Whether these means can reach such an address, and have the keys they are given.
fn fits(walk: &mut Walk, fields: &Fields<'_>, by: Means, client_address: ClientAddress) -> bool {
    let mut fits = true;
    match (by, client_address) {
        (Means::NetworkPolicy, ClientAddress::Forwarded) => {
            walk.error(
                fields.at_key("clientAddress"),
                "`networkPolicy` cannot block a `forwarded` address: pods see the proxy's, never the client's",
                "use by: ingressNginx with the Ingress as target",
            );
            fits = false;
        }
        (Means::IngressNginx, ClientAddress::Peer) => {
            walk.error(
                fields.at_key("clientAddress"),
                "`ingressNginx` cannot block a `peer` address: behind a proxy the pods' peer is the proxy itself",
                "use clientAddress: forwarded with the address that the proxy logs, or by: networkPolicy",
            );
            fits = false;
        }
        (Means::NetworkPolicy, ClientAddress::Peer) | (Means::IngressNginx, ClientAddress::Forwarded) => {}
    }
    let foreign = match by {
        Means::NetworkPolicy => ("controller", "ingressNginx"),
        Means::IngressNginx => ("enforced", "networkPolicy"),
    };
    if fields.key_at(foreign.0).is_some() {
        let message = format!("`{}` is for by: {}", foreign.0, foreign.1);
        walk.error(fields.at_key(foreign.0), message, "remove it");
        fits = false;
    }
    fits
}

fn source(walk: &mut Walk, fields: &mut Fields<'_>) -> Option<Source> {
    let (address, query) = (fields.get("address"), fields.get("query"));
    let (label, max) = (fields.get("label"), fields.get("max"));
    match (address, query) {
        (Some(address), None) => {
            for (key, given) in [("label", label), ("max", max)] {
                if given.is_some() {
                    walk.error(fields.at_key(key), format!("`{key}` is for `query`"), "remove it");
                }
            }
            let template = walk.template(address, "address", May::NameAll)?;
            if template.is_literal() && !is_range(walk, address, "address", &template) {
                return None;
            }
            (label.is_none() && max.is_none()).then_some(Source::Address(template))
        }
        (None, Some(tree)) => {
            let query = walk.query(tree, "query");
            let Some(label) = label else {
                let hint = "the label of its series that holds the address, such as label: source_ip";
                walk.error(fields.at, "`blockIp` has no `label`", hint);
                return None;
            };
            let label = walk.text(label, "label").map(str::to_owned);
            let max = match max {
                Some(tree) => walk.unsigned(tree, "max", 1, ADDRESSES_MAX),
                None => Some(10),
            };
            Some(Source::Query { query: query?, label: label?, max: max? })
        }
        (None, None) => {
            let hint = "address: \"{{ labels.source_ip }}\", or a `query` with one series for each address";
            walk.error(fields.at, "`blockIp` says nobody to block", hint);
            None
        }
        (Some(_), Some(_)) => {
            walk.error(fields.at_key("query"), "`blockIp` has both `address` and `query`", "keep one");
            None
        }
    }
}

fn growth(walk: &mut Walk, tree: &Tree, lasts: Option<Span>) -> Option<Growth> {
    let mut fields = Fields::open(walk, tree, "growth", "GrowthDocument")?;
    let factor = fields
        .need(walk, "factor", "such as factor: 4")
        .and_then(|tree| walk.unsigned(tree, "factor", 2, 100));
    let up_to = fields.need(walk, "upTo", "such as upTo: 7d").and_then(|tree| {
        let span = walk.span(tree, "upTo")?;
        within(walk, tree.at, "upTo", span, lasts.unwrap_or(FOR_MIN), GROWN_MAX).then_some(span)
    });
    let known = fields.or(walk, "within", FOR_MAX, |walk, tree, what| {
        let span = walk.span(tree, what)?;
        within(walk, tree.at, what, span, FOR_MIN, GROWN_MAX).then_some(span)
    });
    fields.close(walk);
    Some(Growth { factor: factor?, up_to: up_to?, within: known? })
}

fn allow(walk: &mut Walk, tree: &Tree, what: &str) -> Option<Vec<Template>> {
    let read = walk.each(tree, what, |walk, tree, what| {
        let template = walk.template(tree, what, May::NameAll)?;
        (!template.is_literal() || is_range(walk, tree, what, &template)).then_some(template)
    })?;
    if read.len() > ALLOW_MAX {
        let message = format!("`{what}` has {} items", read.len());
        walk.error(tree.at, message, format!("at most {ALLOW_MAX}; wider ranges say the same in fewer"));
        return None;
    }
    Some(read)
}

fn is_range(walk: &mut Walk, tree: &Tree, what: &str, template: &Template) -> bool {
    let read = template.source.parse::<AddressRange>();
    if let Err(problem) = &read {
        let message = format!("`{what}`: `{}` {problem}", printable(&template.source));
        walk.error(tree.at, message, "such as 203.0.113.7, 203.0.113.0/24 or 2001:db8::/48");
    }
    read.is_ok()
}

fn bits(walk: &mut Walk, tree: &Tree, what: &str, least: u32, most: u32) -> Option<u8> {
    walk.unsigned(tree, what, least, most).and_then(|bits| u8::try_from(bits).ok())
}

fn controller(walk: &mut Walk, tree: &Tree, what: &str) -> Option<(String, String)> {
    let text = walk.text(tree, what)?;
    let named =
        text.split_once('/').filter(|(namespace, name)| is_dns_label(namespace) && is_dns_subdomain(name));
    if named.is_none() {
        let message = format!("`{what}` does not name a ConfigMap as NAMESPACE/NAME");
        walk.error(tree.at, message, format!("such as {}/{}", CONTROLLER.0, CONTROLLER.1));
    }
    named.map(|(namespace, name)| (namespace.to_owned(), name.to_owned()))
}

fn within(
    walk: &mut Walk,
    at: crate::load::yaml::Position,
    what: &str,
    span: Span,
    least: Span,
    most: Span,
) -> bool {
    let fits = (least..=most).contains(&span);
    if !fits {
        walk.error(at, format!("`{what}` cannot be {span}"), format!("from {least} to {most}"));
    }
    fits
}
