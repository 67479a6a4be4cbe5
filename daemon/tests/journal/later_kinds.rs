//! Samples of what came after the first golden records, in the order in which it came: new ones stand at the end.

use paramedic_policies::action::{Action, Outcome, Wish};
use paramedic_policies::answer::Number;
use paramedic_policies::event::{Event, Seq};
use paramedic_policies::evidence::{Evidence, Kept, Piece, Series};
use paramedic_policies::notifications::{Notice, NoticeKind, Receipt, Severity};
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::{
    abort_rollout, block_ip, collect_evidence, renew_certificate, run_job,
};
use paramedic_policies::state::CaseId;
use paramedic_policies::time::Span;

use crate::every_kind::{asked, case, intended, moment, text};

pub(crate) fn samples() -> Vec<Event> {
    [jobs(), renewals(), blocks(), asked_since_then(), messages(), evidence()].concat()
}

fn jobs() -> Vec<Event> {
    let wish = |template| run_job::Wish {
        template,
        parameters: [(text("BACKUP_ID"), text("latest"))].into(),
        container: None,
        within: Span::from_hours(2),
    };
    let template = run_job::JobTemplate {
        image: text("registry.example/maestro/drill:1"),
        command: vec![text("./drill")],
        args: Vec::new(),
        service_account: Some(text("drill")),
        secret: Some(text("restore-drill")),
    };
    let actions = [
        Action::RunJob(run_job::Action { wish: wish(None), generation: Some(3) }),
        Action::RunJob(run_job::Action { wish: wish(Some(template)), generation: None }),
    ];
    let reasons = vec![Reason::Suspended, Reason::JobRunning { job: text("prod/job/retention-28123") }];
    let refused = Event::Ended { intent: Seq(30), outcome: Outcome::Refused { reasons } };
    actions.into_iter().enumerate().map(intended).chain([refused]).collect()
}

fn renewals() -> Vec<Event> {
    let renewed =
        |revision, not_after| Action::RenewCertificate(renew_certificate::Action { revision, not_after });
    let actions = [renewed(4, Some(text("2026-12-01T00:00:00Z"))), renewed(0, None)];
    actions.into_iter().enumerate().map(intended).collect()
}

fn terms(
    by: block_ip::Means,
    client_address: block_ip::ClientAddress,
    growth: Option<block_ip::Growth>,
) -> block_ip::Terms {
    block_ip::Terms {
        by,
        client_address,
        lasts: Span::from_hours(1),
        growth,
        private: false,
        ipv4_bits: 32,
        ipv6_bits: 64,
        entries: 100,
        enforced: false,
        controller: (text("ingress-nginx"), text("ingress-nginx-controller")),
    }
}

fn blocks() -> Vec<Event> {
    let growth = block_ip::Growth { factor: 4, up_to: Span::from_hours(24), within: Span::from_hours(168) };
    let by_ingress = terms(block_ip::Means::IngressNginx, block_ip::ClientAddress::Forwarded, Some(growth));
    let by_policy = terms(block_ip::Means::NetworkPolicy, block_ip::ClientAddress::Peer, None);
    let entry = |address: &str, hours: u64, times: u32| block_ip::Entry {
        range: address.parse().expect("an address"),
        lasts: Span::from_hours(hours),
        times,
    };
    let (first, second) = (entry("203.0.113.7", 1, 1), entry("2001:db8::/64", 4, 2));
    let actions = [
        block_ip::Action::Block(block_ip::Block {
            ranges: vec![second.clone(), first.clone()],
            terms: by_ingress.clone(),
        }),
        block_ip::Action::Block(block_ip::Block { ranges: vec![first.clone()], terms: by_policy }),
        block_ip::Action::Unblock(block_ip::Unblock {
            ranges: vec![first],
            rest: vec![second],
            again: Some(moment(240)),
            terms: by_ingress,
        }),
    ];
    let mut events: Vec<Event> = actions.into_iter().map(Action::BlockIp).enumerate().map(intended).collect();
    let reasons = vec![
        Reason::NeverBlocked { range: text("203.0.113.7"), why: text("the allow-list has 203.0.113.0/24") },
        Reason::WrongLever { why: text("Ingress shop leads to these pods") },
    ];
    events.push(Event::Ended { intent: Seq(9), outcome: Outcome::Refused { reasons } });
    events
}

fn asked_since_then() -> Vec<Event> {
    let range = |text: &str| text.parse().expect("an address");
    let block = |whom| {
        Wish::BlockIp(block_ip::Wish {
            whom,
            allow: vec![range("192.0.2.0/24")],
            terms: terms(block_ip::Means::NetworkPolicy, block_ip::ClientAddress::Peer, None),
        })
    };
    let query =
        block_ip::Whom::Query { promql: text("failed_logins > 100"), label: text("client_address"), max: 10 };
    let job = run_job::Wish {
        template: None,
        parameters: [(text("BACKUP_ID"), text("latest"))].into(),
        container: None,
        within: Span::from_hours(2),
    };
    let wishes = [
        block(block_ip::Whom::Address(range("203.0.113.7"))),
        block(query),
        Wish::AbortRollout(abort_rollout::Wish {}),
        Wish::RunJob(job),
        Wish::RenewCertificate(renew_certificate::Wish {}),
    ];
    wishes.map(asked).into()
}

fn messages() -> Vec<Event> {
    let notified = |kind: NoticeKind, pages: Vec<Seq>, case: Option<CaseId>| Event::Notified {
        notice: Box::new(Notice {
            id: Seq(90),
            receiver: text("sre-pager"),
            kind,
            key: if pages.len() == 1 { text("episode-2") } else { text("digest-90") },
            pages,
            severity: Severity::Critical,
            title: text("[critical] MaestroHighErrorRate on prod/web: no rung helped"),
            text: text("no rung helped\nacknowledge: paramedic ack 89"),
            labels: case.iter().map(|_| (text("namespace"), text("prod"))).collect(),
            case,
            attempt: 1,
            at: moment(20),
            deadline: moment(21),
        }),
    };
    let delivered = |receipt| Event::Delivered { notice: Seq(90), receipt };
    vec![
        notified(NoticeKind::Trigger, vec![Seq(89), Seq(88)], None),
        notified(NoticeKind::Acknowledge, vec![Seq(89)], Some(case())),
        notified(NoticeKind::Resolve, vec![Seq(89)], Some(case())),
        delivered(Receipt::Taken { said: text("202 Event processed") }),
        delivered(Receipt::Failed { what: text("answered 503"), passing: true }),
        Event::Raised { page: Seq(89), to: vec![text("lead")], why: text("nobody acknowledged for 15m") },
        Event::Acknowledged { page: Seq(89), by: text("ada"), comment: text("looking") },
    ]
}

fn evidence() -> Vec<Event> {
    let wish = collect_evidence::Wish {
        queries: vec![text("up")],
        over: Span::from_mins(30),
        log_lines: 100,
        max_kib: 64,
        required: true,
    };
    let action = Action::CollectEvidence(collect_evidence::Action { wish: wish.clone() });
    let points = vec![(moment(20), Number(0.25)), (moment(21), Number(f64::INFINITY))];
    let series = Series { labels: [(text("pod"), text("web-0"))].into(), points };
    let piece = |name: &str, found, cut: Option<&str>| Piece { name: text(name), found, cut: cut.map(text) };
    let evidence = Evidence {
        pieces: vec![
            piece(
                "pods",
                Kept::Text(text("web-0; Running\nweb-1; Pending")),
                Some("the first 9 of 40 bytes"),
            ),
            piece("up", Kept::Values(vec![series]), None),
            piece("events", Kept::Missing { why: text("may not list events of prod") }, None),
        ],
        left_out: vec![text("log of web-1, container app")],
    };
    let ended =
        Event::Ended { intent: Seq(30), outcome: Outcome::Collected { evidence: Box::new(evidence) } };
    vec![intended((0, action)), asked(Wish::CollectEvidence(wish)), ended]
}
