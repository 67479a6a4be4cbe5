//! Samples of what came after the first golden records, in the order in which it came: new ones stand at the end.

use paramedic_policies::action::{Action, Change, Diff, DiffSource, Outcome, Wish};
use paramedic_policies::alert::{EpisodeKey, Labels};
use paramedic_policies::answer::{Answer, Beside, Found, Number, Preflight};
use paramedic_policies::event::{About, Advance, Closing, Conclusion, Event, Ignored, Late, Seq, Unreadable};
use paramedic_policies::evidence::{Evidence, Kept, Piece, Series};
use paramedic_policies::notifications::{Notice, NoticeKind, Receipt, Severity};
use paramedic_policies::order::ByHand;
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::{
    abort_rollout, block_ip, collect_evidence, delete_pod, drain_node, evict_pod, quarantine,
    renew_certificate, run_job, scale,
};
use paramedic_policies::state::CaseId;
use paramedic_policies::target::Target;
use paramedic_policies::time::Span;

use crate::every_kind::{asked, case, intended, moment, text};

fn beside() -> Vec<Event> {
    let mut beside = Beside::default();
    beside.add("prod/pod/db-0", &[(text("app"), text("db")), (text("tier"), text("gold"))].into());
    beside.add("prod/pod/web-1", &[(text("app"), text("web")), (text("tier"), text("gold"))].into());
    let found = Found::Preflight(Box::new(Preflight {
        uid: text("9f1e6c1a-0000-4000-8000-000000000001"),
        action: None,
        already: false,
        refusals: Vec::new(),
        passed: Vec::new(),
        labels: [].into(),
        beside,
        surroundings: None,
        diff: None,
    }));
    vec![Event::Told { answer: Answer { question: Seq(4), taken_at: moment(3), found } }]
}

pub(crate) fn samples() -> Vec<Event> {
    [
        jobs(),
        renewals(),
        blocks(),
        asked_since_then(),
        messages(),
        left_behind(),
        pods(),
        by_hand(),
        undone(),
        mended(),
        evidence(),
        not_taken_back(),
        no_attempts(),
        cancelled(),
        set_by_somebody(),
        taken_back(),
        beside(),
        ignored(),
    ]
    .concat()
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

/// A failure that left something behind.
fn left_behind() -> Vec<Event> {
    let left = Change { path: text("log of container main"), before: text("-"), after: text("no backup\n") };
    let diff = Some(Diff { fields: vec![left], source: DiffSource::Applied });
    let outcome = Outcome::Failed { what: text("prod/job/paramedic-x-9 failed"), applied: true, diff };
    vec![Event::Ended { intent: Seq(10), outcome }]
}

fn pods() -> Vec<Event> {
    let isolating = quarantine::Wish {
        lasts: Span::from_hours(24),
        detach: true,
        rejoin: false,
        dns: false,
        max: 5,
        enforced: false,
    };
    let held = |name: &str, detached: &[(&str, &str)]| quarantine::Held {
        name: text(name),
        uid: text("d6f0a1f2"),
        detached: detached.iter().map(|(key, value)| (text(key), text(value))).collect(),
        was: None,
    };
    let all = quarantine::Quarantine {
        wish: isolating.clone(),
        pods: vec![held("web-5d8f-a", &[("app", "web")]), held("web-5d8f-b", &[])],
    };
    let local_storage = evict_pod::LocalStorage::Refuse;
    let (evicting, deleting) = (
        evict_pod::Wish { local_storage },
        delete_pod::Wish { local_storage: evict_pod::LocalStorage::Allow },
    );
    let draining = drain_node::Wish { max_nodes: 1, local_storage, within: Span::from_mins(10) };
    let leaving =
        drain_node::Leaving { namespace: text("prod"), name: text("web-5d8f-a"), uid: text("d6f0a1f2") };
    let drain =
        drain_node::Drain { wish: draining.clone(), pods: vec![leaving], namespaces: vec![text("prod")] };
    let controller = text("ReplicaSet web-5d8f");
    let actions = [
        Action::Quarantine(quarantine::Action::Isolate(all.clone())),
        Action::Quarantine(quarantine::Action::Release(all)),
        Action::EvictPod(evict_pod::Action { controller: controller.clone(), local_storage }),
        Action::DeletePod(delete_pod::Action { controller, local_storage }),
        Action::DrainNode(drain_node::Action::Drain(drain.clone())),
        Action::DrainNode(drain_node::Action::Uncordon(drain)),
    ];
    let wishes = [
        Wish::Quarantine(isolating),
        Wish::EvictPod(evicting),
        Wish::DeletePod(deleting),
        Wish::DrainNode(draining),
    ];
    actions.into_iter().enumerate().map(intended).chain(wishes.map(asked)).collect()
}

fn by_hand() -> Vec<Event> {
    let opened = |order: ByHand| Event::Opened {
        key: EpisodeKey::of(&Labels::new(), &[]),
        labels: [(text("alertname"), text("ByHand")), (text("namespace"), text("prod"))].into(),
        annotations: Labels::new(),
        starts_at: moment(30),
        fingerprint: None,
        correlation: order.key.clone(),
        by_hand: Some(Box::new(order)),
    };
    let order = ByHand {
        by: text("ada"),
        policy: text("maestro-restore-service"),
        reason: text("the database is back"),
        dry_run: false,
        key: text("p0a1b2c3d4e5f6071-0"),
    };
    let asked =
        ByHand { reason: String::new(), dry_run: true, key: text("p0a1b2c3d4e5f6071-1"), ..order.clone() };
    vec![
        opened(order),
        opened(asked),
        Event::Concluded { case: case(), conclusion: Conclusion::Refused },
        Event::Closed { episode: Seq(2), why: Closing::Over, ended_at: None },
    ]
}

fn undone() -> Vec<Event> {
    let Event::Intended { intent } = intended((
        0,
        Action::RunJob(run_job::Action {
            wish: run_job::Wish {
                template: None,
                parameters: [].into(),
                container: None,
                within: Span::from_hours(2),
            },
            generation: Some(3),
        }),
    )) else {
        unreachable!("it makes intents")
    };
    let ordered = |only: &[&str], of| Event::RevertOrdered {
        intent: Seq(9),
        by: text("ada"),
        reason: if only.is_empty() { text("calm again") } else { String::new() },
        only: only.iter().map(|range| range.parse().expect("an address")).collect(),
        of,
    };
    vec![
        ordered(&[], Some(intent)),
        ordered(&["203.0.113.7", "2001:db8::/64"], None),
        Event::RevertHeld {
            intent: Seq(9),
            until: moment(12),
            why: text("it is let in"),
            order_over: true,
            reason: String::new(),
            failures: 0,
            since: None,
            behind: None,
        },
    ]
}

fn mended() -> Vec<Event> {
    let target = Target { kind: text("Deployment"), namespace: text("prod"), name: text("web") };
    let labels = [(text("alertname"), text("Slow")), (text("severity"), text("critical"))].into();
    let lever = scale::Lever::Replicas;
    vec![
        Event::Escalated {
            case: Some(case()),
            why: text("scale 4 -> 6 on prod/deployment/web (intent 9) is not taken back: replicas are 9"),
            notify: vec![text("sre")],
            about: Some(Box::new(About { target, labels, not_taken_back: None })),
        },
        intended((0, Action::Scale(scale::Action { lever, from: 1, to: 5, wanted: Some(6), set_by: None }))),
        Event::Advanced { case: case(), rung: 0, step: 0, why: Advance::Again, due: None, target: None },
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

fn not_taken_back() -> Vec<Event> {
    let held = |reason: &str, failures, behind| Event::RevertHeld {
        intent: Seq(9),
        until: moment(40),
        why: text("nodes is forbidden"),
        order_over: false,
        reason: text(reason),
        failures,
        since: Some(moment(30)),
        behind,
    };
    let target = Target { kind: text("Deployment"), namespace: text("prod"), name: text("web") };
    let about = About { target, labels: [].into(), not_taken_back: Some(Seq(9)) };
    vec![
        held("notSeen", 3, None),
        held("alreadyRunning", 0, Some(Seq(30))),
        Event::Escalated {
            case: Some(case()),
            why: text("scale 4 -> 6 on prod/deployment/web (intent 9) is not taken back yet"),
            notify: vec![text("sre")],
            about: Some(Box::new(about)),
        },
    ]
}

fn no_attempts() -> Vec<Event> {
    let goes_on =
        |step, why, due| Event::Advanced { case: case(), rung: 0, step, why, due: Some(due), target: None };
    vec![goes_on(0, Advance::NotBegun, moment(21)), goes_on(1, Advance::Already, moment(22))]
}

fn cancelled() -> Vec<Event> {
    let unreadable =
        vec![Unreadable { index: None, problem: text("101 more could not be read"), count: Some(101) }];
    vec![
        Event::Cancelled { episode: Seq(2), by: text("jane"), reason: text("the fix is out") },
        Event::Received {
            sender: text("alertmanager"),
            receiver: text("paramedic"),
            group_key: text("{}"),
            correlation: text("4bf92f3577b34da6a3ce929d0e0e4736"),
            alerts: 101,
            repeated: Vec::new(),
            unreadable,
            truncated: 0,
            ignored: Ignored::default(),
        },
    ]
}

fn set_by_somebody() -> Vec<Event> {
    let lever = scale::Lever::Replicas;
    let set_by = Some(text("kubectl at 2026-11-21T07:33:05.000Z"));
    vec![intended((0, Action::Scale(scale::Action { lever, from: 3, to: 5, wanted: None, set_by })))]
}

fn taken_back() -> Vec<Event> {
    let ends = |conclusion| Event::Concluded { case: case(), conclusion };
    vec![ends(Conclusion::TakenBack), ends(Conclusion::Cancelled)]
}

fn ignored() -> Vec<Event> {
    let late = |episode, from, until| Late { episode, closed_at: moment(from), until: moment(until) };
    let listed = vec![late(Some(Seq(2)), 10, 15), late(None, 11, 16)];
    let reasons = vec![Reason::TooManyTargets {
        have: 3,
        allow: 2,
        per: Span::from_mins(30),
        within: text("namespace prod"),
        until: moment(40),
    }];
    let received = Event::Received {
        sender: text("alertmanager"),
        receiver: text("paramedic"),
        group_key: text("{}"),
        correlation: text("4bf92f3577b34da6a3ce929d0e0e4736"),
        alerts: 7,
        repeated: vec![Seq(2)],
        unreadable: Vec::new(),
        truncated: 0,
        ignored: Ignored { late: 2, listed, not_open: 3, duplicate: 1 },
    };
    vec![received, Event::Ended { intent: Seq(9), outcome: Outcome::Refused { reasons } }]
}
