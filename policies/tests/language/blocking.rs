//! `blockIp` as people write it: what it becomes, what is refused, and what no label can do to it.

use std::collections::BTreeMap;

use paramedic_policies::action::{Action, Wish};
use paramedic_policies::alert::Labels;
use paramedic_policies::load;
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::block_ip::{self, Entry, Means, Whom};
use paramedic_policies::target::Target;
use paramedic_policies::template::Scope;
use paramedic_policies::time::Span;

use super::support::{book, said, source};

const BY_POLICY: &str = "by: networkPolicy, clientAddress: peer";

fn policy(block: &str) -> String {
    let kind = if block.contains("ingressNginx") { "Ingress.networking.k8s.io" } else { "Deployment" };
    format!(
        "apiVersion: paramedic.dev/v1alpha1\nkind: RemediationPolicy\nmetadata: {{name: block}}\nspec:\n  \
         mode: enforce\n  match: ['alertname=\"FailedLogins\"']\n  \
         target: {{kind: {kind}, namespace: \"{{{{ labels.namespace }}}}\", name: web}}\n  \
         ladder:\n    - blockIp: {{{block}}}\n      verify: {{query: up, is: \"> 0\"}}\n"
    )
}

/// What a block comes to for these labels, on `prod/web`.
fn wished(block: &str, labels: &[(&str, &str)]) -> Result<block_ip::Wish, Reason> {
    let labels: Labels =
        labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let none = BTreeMap::new();
    let target =
        Target { kind: "Deployment".to_owned(), namespace: "prod".to_owned(), name: "web".to_owned() };
    let scope = Scope { labels: &labels, vars: &none, lets: &none, target: Some(&target) };
    let book = book(&policy(block));
    let step = &book.policy("block").expect("it is there").ladder[0].steps[0];
    assert_eq!(step.revert_after, Some(Span::from_hours(1)), "a block is taken back when it ends");
    step.remediation.wish(&scope).map(|wish| match wish {
        Wish::BlockIp(wish) => wish,
        other => panic!("{other:?}"),
    })
}

fn address(wish: &block_ip::Wish) -> String {
    match &wish.whom {
        Whom::Address(range) => range.to_string(),
        Whom::Query { promql, .. } => promql.clone(),
    }
}

#[test]
fn a_block_is_of_an_address_or_of_what_a_query_names() {
    let short = format!("{BY_POLICY}, for: 1h, address: \"{{{{ labels.ip }}}}\"");
    for (label, becomes) in [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("203.0.113.0/24", "203.0.113.0/24"),
        ("2001:DB8::1", "2001:db8::/64"),
    ] {
        let wish = wished(&short, &[("ip", label)]).expect("an address");
        assert_eq!(address(&wish), becomes, "{label}");
        assert_eq!(
            (wish.terms.by, wish.terms.ipv4_bits, wish.terms.ipv6_bits),
            (Means::NetworkPolicy, 32, 64)
        );
    }
    let long = "by: ingressNginx, clientAddress: forwarded, for: 1h, growth: {factor: 4, upTo: 7d}, \
                query: 'topk(3, x{namespace=\"{{ labels.namespace }}\"})', label: ip, max: 3, \
                allow: [192.0.2.0/24, \"{{ labels.office }}\"], private: true, ipv4Bits: 24, ipv6Bits: 48, \
                entries: 7, controller: edge/nginx";
    let wish =
        wished(long, &[("namespace", "prod"), ("office", "2001:db8::/48")]).expect("nothing is missing");
    assert_eq!(address(&wish), "topk(3, x{namespace=\"prod\"})");
    let allow: Vec<String> = wish.allow.iter().map(ToString::to_string).collect();
    assert_eq!(allow, ["192.0.2.0/24", "2001:db8::/48"]);
    let growth = wish.terms.growth.as_ref().expect("it grows");
    assert_eq!(
        (growth.factor, growth.up_to, growth.within),
        (4, Span::from_hours(168), Span::from_hours(168))
    );
    assert_eq!(wish.terms.controller, ("edge".to_owned(), "nginx".to_owned()));
}

#[test]
fn no_label_can_name_what_is_no_address() {
    let block = format!(
        "{BY_POLICY}, for: 1h, address: \"{{{{ labels.ip }}}}\", allow: [\"{{{{ labels.office }}}}\"]"
    );
    let mut told = String::new();
    for (ip, office) in [
        ("203.0.113.7:443", "192.0.2.1"),
        ("203.0.113.7, 0.0.0.0/0", "192.0.2.1"),
        ("203.0.113.7/24", "192.0.2.1"),
        ("localhost", "192.0.2.1"),
        ("", "192.0.2.1"),
        ("203.0.113.7", "office"),
        ("203.0.113.7", ""),
    ] {
        let reason = wished(&block, &[("ip", ip), ("office", office)]).expect_err("refused");
        told.push_str(&format!("{reason}\n"));
    }
    insta::assert_snapshot!("bad_blocks", told);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let mut told = String::new();
    let of = |rest: &str| format!("{BY_POLICY}, for: 1h, {rest}");
    let address = "address: 203.0.113.7";
    for (claim, block) in [
        ("nothing", String::new()),
        ("nobody", format!("{BY_POLICY}, for: 1h")),
        ("two sources", of(&format!("{address}, query: up, label: ip"))),
        ("a query without a label", of("query: up")),
        ("a label without a query", of(&format!("{address}, label: ip"))),
        ("no address", of("address: example.com")),
        ("a range with stray bits", of("address: 203.0.113.7/24")),
        (
            "a forwarded address by a policy",
            format!("by: networkPolicy, clientAddress: forwarded, for: 1h, {address}"),
        ),
        ("a peer's address by a proxy", format!("by: ingressNginx, clientAddress: peer, for: 1h, {address}")),
        ("unknown means", format!("by: iptables, clientAddress: peer, for: 1h, {address}")),
        ("too short", format!("{BY_POLICY}, for: 5s, {address}")),
        ("too long", format!("{BY_POLICY}, for: 8d, {address}")),
        ("growth to less", of(&format!("{address}, growth: {{factor: 4, upTo: 10m}}"))),
        ("growth of one", of(&format!("{address}, growth: {{factor: 1, upTo: 1d}}"))),
        ("half the internet", of(&format!("{address}, ipv4Bits: 1"))),
        ("an allow-list of names", of(&format!("{address}, allow: [office]"))),
        ("another's key", of(&format!("{address}, controller: a/b"))),
        ("a crowd", of("query: up, label: ip, max: 1000")),
        ("a misspelt key", of(&format!("{address}, alow: []"))),
        ("a revert of its own", format!("{}}}\n      revert: {{after: 1h", of(address))),
    ] {
        let said = said(&[("block.yaml", &policy(&block))]);
        assert!(said.contains("hint: "), "{claim}: no hint in\n{said}");
        told.push_str(&format!("# {claim}\n{said}\n\n"));
    }
    insta::assert_snapshot!("broken_blocks", told);
}

#[test]
fn the_shipped_policies_load_without_a_word_and_are_shown_as_they_are() {
    let mut source = source(&[
        ("09-block-ips.yaml", include_str!("../../maestro/09-block-ips.yaml")),
        ("09-block-flood.yaml", include_str!("../../maestro/09-block-flood.yaml")),
    ]);
    for (name, value) in [("ingress", "maestro"), ("office", "192.0.2.0/24")] {
        source.settings.vars.insert(name.to_owned(), value.to_owned());
    }
    let checked = load::check(source);
    assert!(checked.problems.is_empty(), "{:?}", checked.problems);
    for policy in checked.book.expect("it loads").policies().values() {
        let shown = load::effective(policy);
        let again = book(&serde_json::to_string(&shown).expect("plain data"));
        let again: Vec<_> = again.policies().values().map(load::effective).collect();
        assert_eq!(again, [shown]);
    }
}

#[test]
fn an_action_names_its_first_ranges_and_counts_the_others() {
    let wish = wished(&format!("{BY_POLICY}, for: 1h, address: 203.0.113.7"), &[]).expect("an address");
    let entry = |last: u8, times: u32| Entry {
        range: format!("203.0.113.{last}").parse().expect("an address"),
        lasts: Span::from_hours(u64::from(times)),
        times,
    };
    let block = |count: u8| {
        let ranges = (1..=count).map(|last| entry(last, u32::from(last))).collect();
        Action::BlockIp(block_ip::Action::Block(block_ip::Block { ranges, terms: wish.terms.clone() }))
    };
    let long = block(5);
    assert_eq!(
        long.to_string(),
        "block 203.0.113.1 for 1h, 203.0.113.2 for 2h (time 2), 203.0.113.3 for 3h (time 3) and 2 more"
    );
    let back = long.inverse().expect("it can be taken back");
    assert_eq!(back.to_string(), "unblock 203.0.113.1, 203.0.113.2, 203.0.113.3 and 2 more");
}
