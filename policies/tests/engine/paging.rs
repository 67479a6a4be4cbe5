//! Calls for people: told once, told again, told to the next, and over. What is delivered never changes what is done.

use paramedic_policies::action::Outcome;
use paramedic_policies::event::{Event, Seq};
use paramedic_policies::input::Input;
use paramedic_policies::notifications::{
    Notice, NoticeKind, Notifications, PagerDuty, Rate, Receipt, Receiver, Route, Severity, Slack,
};
use paramedic_policies::order::{Command, PauseScope};
use paramedic_policies::settings::Settings;
use paramedic_policies::time::Span;

use super::story::{RESTART_THEN_SCALE, Story, alert, resolved, settings};

fn pager(then: &[&str]) -> Receiver {
    let pager_duty = PagerDuty { routing_key_file: "key".into(), url: "https://events.pagerduty.com".into() };
    Receiver {
        pager_duty: Some(pager_duty),
        escalate_after: (!then.is_empty()).then(|| Span::from_mins(15)),
        then: then.iter().map(|name| (*name).to_owned()).collect(),
        rate: Rate { max: 2, per: Span::from_mins(10) },
        ..Receiver::default()
    }
}

fn slack() -> Receiver {
    Receiver { slack: Some(Slack { url_file: "url".into() }), ..Receiver::default() }
}

fn with(notifications: Notifications) -> Story {
    assert_eq!(notifications.faults(), []);
    let mut story = Story::with(&[RESTART_THEN_SCALE], &Settings { notifications, ..settings() });
    // Every action calls a person at once.
    story.outcome = Some(Outcome::Unknown { what: "the answer was lost".to_owned() });
    story
}

/// `sre` is a pager with `lead` behind it.
fn paged() -> Story {
    let receivers = [("sre".to_owned(), pager(&["lead"])), ("lead".to_owned(), pager(&[]))];
    with(Notifications { receivers: receivers.into(), ..Notifications::default() })
}

fn out(story: &Story) -> Vec<Notice> {
    story.state.paging.notices.values().cloned().collect()
}

/// Every message under way ends so.
fn end(story: &mut Story, receipt: &Receipt) {
    for notice in out(story) {
        story.feed(&Input::Delivered { notice: notice.id, receipt: receipt.clone() });
    }
}

fn taken() -> Receipt {
    Receipt::Taken { said: "202".to_owned() }
}

fn down() -> Receipt {
    Receipt::Failed { what: "503".to_owned(), passing: true }
}

fn told(story: &Story) -> Vec<(String, NoticeKind)> {
    let notices = story.records.iter().filter_map(|(_, event)| match event {
        Event::Notified { notice } => Some((notice.receiver.clone(), notice.kind)),
        _ => None,
    });
    notices.collect()
}

fn to(name: &str, kind: NoticeKind) -> (String, NoticeKind) {
    (name.to_owned(), kind)
}

#[test]
fn an_escalation_reaches_the_receiver_that_its_policy_names() {
    let mut story = paged();
    story.deliver(vec![alert("Errors", "prod/web")]);
    let notice = out(&story).pop().expect("one is under way");
    assert_eq!((notice.receiver.as_str(), notice.kind), ("sre", NoticeKind::Trigger));
    assert!(
        notice.title.contains("Errors on ") && notice.title.contains("the answer was lost"),
        "{}",
        notice.title
    );
    assert!(notice.text.contains("paramedic ack ") && notice.key.starts_with("episode-"), "{notice:?}");
    end(&mut story, &taken());
    let ended = story.now;
    story.deliver(vec![resolved(alert("Errors", "prod/web"), ended)]);
    end(&mut story, &taken());
    assert_eq!(told(&story), [to("sre", NoticeKind::Trigger), to("sre", NoticeKind::Resolve)]);
    assert!(story.state.paging.pages.is_empty(), "what is over is forgotten");
}

#[test]
fn nobody_is_told_where_nobody_is_declared() {
    let mut story = with(Notifications::default());
    story.deliver(vec![alert("Errors", "prod/web")]);
    assert_eq!((story.count("escalated"), story.count("notified")), (1, 0));
    assert!(story.state.paging.is_empty());
}

#[test]
fn what_is_not_acknowledged_in_time_is_told_to_the_next() {
    let mut story = paged();
    story.deliver(vec![alert("Errors", "prod/web")]);
    end(&mut story, &taken());
    story.pass("14m");
    assert_eq!(story.count("raised"), 0);
    story.pass("1m");
    assert_eq!(told(&story).last(), Some(&to("lead", NoticeKind::Trigger)));
    end(&mut story, &taken());
    let page = story.last("escalated");
    story.order(Command::Acknowledge { page, comment: String::new() });
    end(&mut story, &taken());
    let told = told(&story);
    assert_eq!(told[2..], [to("lead", NoticeKind::Acknowledge), to("sre", NoticeKind::Acknowledge)]);
}

#[test]
fn what_is_acknowledged_is_nobody_elses() {
    let mut story = paged();
    story.deliver(vec![alert("Errors", "prod/web")]);
    end(&mut story, &taken());
    let page = story.last("escalated");
    story.order(Command::Acknowledge { page, comment: "on it".to_owned() });
    end(&mut story, &taken());
    story.pass("2h");
    assert_eq!(told(&story), [to("sre", NoticeKind::Trigger), to("sre", NoticeKind::Acknowledge)]);
    story.order(Command::Acknowledge { page, comment: String::new() });
    story.order(Command::Acknowledge { page: Seq(1), comment: String::new() });
    assert_eq!(story.count("orderRefused"), 2);
}

#[test]
fn a_receiver_that_is_down_is_tried_again_and_then_another_is_told() {
    let mut story = paged();
    story.deliver(vec![alert("Errors", "prod/web")]);
    let began = story.now;
    let mut tries = Vec::new();
    while story.count("raised") == 0 {
        tries.push(story.now.since(began));
        end(&mut story, &down());
        let next = paramedic_policies::wake(&story.state).expect("it is not given up");
        let wait = next.since(story.now);
        story.pass(&wait.to_string());
        assert!(tries.len() < 30, "it comes to an end");
    }
    let pauses: Vec<u64> = tries.windows(2).map(|pair| (pair[1].ms() - pair[0].ms()) / 1000).collect();
    assert_eq!(pauses[..4], [30, 60, 120, 240], "{pauses:?}");
    assert_eq!(
        told(&story).last(),
        Some(&to("lead", NoticeKind::Trigger)),
        "after a quarter of an hour at the latest"
    );
}

#[test]
fn a_refusal_is_not_tried_again_and_the_next_is_told_at_once() {
    let mut story = paged();
    story.deliver(vec![alert("Errors", "prod/web")]);
    end(&mut story, &Receipt::Failed { what: "400 bad key".to_owned(), passing: false });
    assert_eq!(told(&story), [to("sre", NoticeKind::Trigger), to("lead", NoticeKind::Trigger)]);
}

#[test]
fn a_message_that_a_crash_swallowed_is_told_again_under_the_same_key() {
    let mut story = paged();
    story.deliver(vec![alert("Errors", "prod/web")]);
    let lost = out(&story).pop().expect("one");
    story.restart();
    let again = out(&story).pop().expect("again");
    assert_eq!((again.key.as_str(), again.receiver.as_str()), (lost.key.as_str(), "sre"));
    assert!(again.id > lost.id);
    story.feed(&Input::Delivered { notice: lost.id, receipt: taken() });
    assert_eq!(story.count("delivered"), 0, "the end of a lost one says nothing");
}

#[test]
fn no_receipt_by_the_deadline_is_a_failure() {
    let mut story = paged();
    story.deliver(vec![alert("Errors", "prod/web")]);
    story.pass("30s");
    assert_eq!((story.count("delivered"), story.count("notified")), (1, 1));
    story.pass("30s");
    assert_eq!(story.count("notified"), 2);
}

#[test]
fn above_the_rate_many_calls_are_one_message() {
    let mut story = paged();
    let alerts = (0..5).map(|number| alert("Errors", &format!("prod-{number}/web")));
    for alert in alerts {
        story.deliver(vec![alert]);
        end(&mut story, &taken());
        // The policy's concurrency and the pace of all effects.
        story.pass("30s");
    }
    let calls = story.count("escalated");
    assert!(calls >= 4, "{calls}");
    story.pass("10m");
    end(&mut story, &taken());
    let messages: Vec<&Notice> = story
        .records
        .iter()
        .filter_map(|(_, event)| match event {
            Event::Notified { notice } if notice.receiver == "sre" && notice.attempt == 0 => Some(&**notice),
            _ => None,
        })
        .collect();
    assert_eq!(messages.len(), 3, "{messages:?}");
    let digest = messages[2];
    assert_eq!(digest.pages.len(), calls - 2);
    assert!(digest.key.starts_with("digest-") && digest.title.contains("told as one"), "{digest:?}");
}

#[test]
fn routes_tell_by_severity_and_hour_where_a_policy_names_nobody() {
    let receivers = [("day".to_owned(), slack()), ("night".to_owned(), slack()), ("bad".to_owned(), slack())];
    let route = |severities: &[Severity], schedule: &[&str], to: &str| Route {
        severities: severities.to_vec(),
        schedule: schedule.iter().map(|text| (*text).to_owned()).collect(),
        notify: vec![to.to_owned()],
    };
    let routes = vec![
        route(&[Severity::Critical], &[], "bad"),
        route(&[], &["Mon-Fri 09:00-17:00 Europe/Berlin"], "day"),
        route(&[], &[], "night"),
    ];
    let notifications = Notifications { receivers: receivers.into(), routes, ..Notifications::default() };
    let told = |severity, at: &str| notifications.told(&[], severity, at.parse().expect("a time"));
    assert_eq!(told(Severity::Critical, "2026-11-20T09:00:00Z"), ["bad"]);
    assert_eq!(told(Severity::Warning, "2026-11-20T09:00:00Z"), ["day"], "a Friday in Berlin");
    assert_eq!(told(Severity::Warning, "2026-11-20T16:30:00Z"), ["night"]);
    assert_eq!(told(Severity::Warning, "2026-11-21T09:00:00Z"), ["night"], "a Saturday");
    let named = notifications.told(
        &["day".to_owned(), "unknown".to_owned()],
        Severity::Info,
        "2026-11-21T09:00:00Z".parse().expect("a time"),
    );
    assert_eq!(named, ["day"], "who is named is told at any hour");
    let by_label = |label| Severity::of_label(Some(label));
    assert_eq!(
        (by_label("page"), by_label("P3"), by_label("odd")),
        (Severity::Critical, Severity::Warning, Severity::Error)
    );
}

#[test]
fn slack_is_told_of_the_trouble_and_not_of_its_end() {
    let receivers = [("sre".to_owned(), slack())];
    let mut story = with(Notifications { receivers: receivers.into(), ..Notifications::default() });
    story.deliver(vec![alert("Errors", "prod/web")]);
    end(&mut story, &taken());
    let ended = story.now;
    story.deliver(vec![resolved(alert("Errors", "prod/web"), ended)]);
    assert_eq!(told(&story), [to("sre", NoticeKind::Trigger)]);
    assert!(story.state.paging.pages.is_empty());
}

#[test]
fn a_title_may_be_written_by_severity() {
    let receivers = [("sre".to_owned(), slack())];
    let titles = [(Severity::Error, "{{ labels.deployment }}: {{ let.why }} ({{ let.policy }})".to_owned())];
    let mut story = with(Notifications {
        receivers: receivers.into(),
        titles: titles.into(),
        ..Notifications::default()
    });
    story.deliver(vec![alert("Errors", "prod/web")]);
    let notice = out(&story).pop().expect("one");
    assert!(notice.title.starts_with("web: ") && notice.title.ends_with("(errors)"), "{}", notice.title);
}

#[test]
fn what_cannot_be_meant_is_said_with_its_place() {
    let mut both = slack();
    both.pager_duty = pager(&[]).pager_duty;
    let receivers = [
        ("both".to_owned(), both),
        ("none".to_owned(), Receiver::default()),
        ("itself".to_owned(), pager(&["itself"])),
        ("nobody".to_owned(), pager(&["ghost"])),
        ("a b".to_owned(), slack()),
        ("mute".to_owned(), Receiver { rate: Rate { max: 0, per: Span::from_secs(1) }, ..slack() }),
    ];
    let routes = vec![Route { severities: vec![], schedule: vec!["Mon 9-17".to_owned()], notify: vec![] }];
    let titles = [(Severity::Info, "{{ nothing }}".to_owned())];
    let notifications = Notifications { receivers: receivers.into(), routes, titles: titles.into() };
    let paths: Vec<String> = notifications.faults().into_iter().map(|fault| fault.path).collect();
    for path in [
        "/receivers/both",
        "/receivers/none",
        "/receivers/itself/then",
        "/receivers/nobody/then/0",
        "/receivers/a b",
        "/receivers/mute/rate",
        "/routes/0/notify",
        "/routes/0/schedule/0",
        "/titles/info",
    ] {
        assert!(paths.iter().any(|found| found == path), "{path} in {paths:?}");
    }
}

/// Two policies about one alert, with receivers of their own.
fn two_teams() -> Story {
    let receivers = ["sre", "database"].map(|name| (name.to_owned(), pager(&[])));
    let notifications = Notifications { receivers: receivers.into(), ..Notifications::default() };
    let other = RESTART_THEN_SCALE
        .replace("name: errors}", "name: z-database}")
        .replace(r#"name: "{{ labels.deployment }}""#, "name: db")
        .replace("notify: [sre]", "notify: [sre, database]");
    let policies = [RESTART_THEN_SCALE, &other];
    let mut story = Story::with(&policies, &Settings { notifications, ..settings() });
    story.outcome = Some(Outcome::Unknown { what: "the answer was lost".to_owned() });
    story.order(Command::Pause {
        scope: PauseScope::Policy("z-database".to_owned()),
        until: None,
        reason: String::new(),
    });
    story
}

fn resume_database(story: &mut Story) {
    story.order(Command::Resume { scope: PauseScope::Policy("z-database".to_owned()) });
    story.pass("1m");
}

#[test]
fn who_is_new_is_told_after_an_acknowledgement_too_and_so_is_what_is_new() {
    let mut story = two_teams();
    story.deliver(vec![alert("Errors", "prod/web")]);
    end(&mut story, &taken());
    let page = story.last("escalated");
    story.order(Command::Acknowledge { page, comment: String::new() });
    end(&mut story, &taken());
    assert_eq!(told(&story), [to("sre", NoticeKind::Trigger), to("sre", NoticeKind::Acknowledge)]);
    // The same words, by another policy, are another trouble, and for another team.
    resume_database(&mut story);
    let calls: Vec<Notice> = out(&story);
    assert_eq!(calls.iter().map(|one| one.receiver.as_str()).collect::<Vec<_>>(), ["database", "sre"]);
    assert!(calls.iter().all(|one| one.kind == NoticeKind::Trigger && one.pages != [page]), "{calls:?}");
    assert_ne!(calls[0].key, format!("episode-{}", calls[0].case.as_ref().expect("a case").episode));
    end(&mut story, &taken());
    // Both calls end with the alert.
    let ended = story.now;
    story.deliver(vec![resolved(alert("Errors", "prod/web"), ended)]);
    let over = out(&story);
    assert_eq!(over.iter().filter(|one| one.kind == NoticeKind::Resolve).count(), 3, "{over:?}");
    end(&mut story, &taken());
    assert!(story.state.paging.pages.is_empty());
}

#[test]
fn before_an_acknowledgement_a_new_reason_joins_the_call_and_keeps_the_earlier_one() {
    let mut story = two_teams();
    story.deliver(vec![alert("Errors", "prod/web")]);
    end(&mut story, &taken());
    resume_database(&mut story);
    let calls = out(&story);
    assert_eq!(calls.len(), 2, "{calls:?}");
    assert_eq!(calls[0].key, calls[1].key);
    end(&mut story, &taken());
    story.feed(&Input::Wake);
    assert_eq!(story.state.paging.pages.len(), 1);
    let page = story.state.paging.pages.values().next().expect("one");
    assert_eq!(page.whys.len(), 2);
    assert!(page.text.contains("\nearlier: errors: the answer was lost") || page.said.len() == 3, "{page:?}");
}

#[test]
fn what_was_said_by_a_policy_is_said_once_to_each() {
    let mut story = paged();
    story.deliver(vec![alert("Errors", "prod/web")]);
    end(&mut story, &taken());
    let case = story.state.cases.keys().next().expect("a case").clone();
    let again = |why: &str| Event::Escalated {
        case: Some(case.clone()),
        why: why.to_owned(),
        notify: vec!["sre".to_owned()],
        about: None,
    };
    story.record(again("the answer was lost"));
    story.feed(&Input::Wake);
    assert_eq!(story.count("notified"), 1);
    story.record(again("it is worse now"));
    story.feed(&Input::Wake);
    let notice = out(&story).pop().expect("what is new is told");
    assert!(
        notice.text.starts_with("it is worse now\nearlier: errors: the answer was lost\n"),
        "{}",
        notice.text
    );
    // Said while a message was under way: it is told behind it.
    story.record(again("and worse"));
    end(&mut story, &taken());
    let notice = out(&story).pop().expect("what came meanwhile is told");
    assert!(notice.text.starts_with("and worse\n"), "{}", notice.text);
    end(&mut story, &taken());
    // However many there were.
    for number in 0..30 {
        story.record(again(&format!("reason {number}")));
    }
    while out(&story).is_empty() {
        story.pass("30s");
    }
    let last = out(&story).pop().expect("told");
    assert!(last.text.starts_with("reason 29\n"), "{}", last.text);
    // What is to be told more of is resolved all the same.
    end(&mut story, &taken());
    story.record(again("and another"));
    let ended = story.now;
    story.deliver(vec![resolved(alert("Errors", "prod/web"), ended)]);
    end(&mut story, &taken());
    assert_eq!(told(&story).last(), Some(&to("sre", NoticeKind::Resolve)));
    assert!(story.state.paging.pages.is_empty());
}

#[test]
fn an_alert_that_only_is_heard_of_no_more_ends_no_call() {
    let mut story = paged();
    story.deliver(vec![alert("Errors", "prod/web")]);
    end(&mut story, &taken());
    let page = story.last("escalated");
    for _ in 0..40 {
        story.pass("10m");
        end(&mut story, &taken());
    }
    assert_eq!(story.count("closed"), 1);
    assert!(told(&story).iter().all(|(_, kind)| *kind == NoticeKind::Trigger), "{:?}", told(&story));
    story.order(Command::Acknowledge { page, comment: String::new() });
    end(&mut story, &taken());
    assert!(told(&story).iter().all(|(_, kind)| *kind != NoticeKind::Resolve), "{:?}", told(&story));
    assert!(story.state.paging.pages.is_empty(), "somebody has it, and nothing else would end it");
}

/// The same policy, and a person decides.
fn asking() -> Story {
    let receivers = [("sre".to_owned(), pager(&["lead"])), ("lead".to_owned(), pager(&[]))];
    let notifications = Notifications { receivers: receivers.into(), ..Notifications::default() };
    let policy = RESTART_THEN_SCALE.replace("mode: enforce", "mode: approve");
    Story::with(&[&policy], &Settings { notifications, ..settings() })
}

#[test]
fn a_proposal_is_told_with_how_to_answer_it_and_is_over_when_it_is_approved() {
    let mut story = asking();
    story.deliver(vec![alert("Errors", "prod/web")]);
    let proposal = *story.state.proposals.keys().next().expect("one");
    let notice = out(&story).pop().expect("it is told");
    assert_eq!(
        (notice.receiver.as_str(), notice.kind, &notice.pages),
        ("sre", NoticeKind::Trigger, &vec![proposal])
    );
    let asks = format!(
        "restart on prod/deployment/web? `paramedic approve {proposal}` or `paramedic deny {proposal}`, until "
    );
    assert!(notice.title.contains(&asks), "{}", notice.title);
    assert!(
        notice.key == format!("proposal-{proposal}") && notice.text.contains("policy errors"),
        "{notice:?}"
    );
    end(&mut story, &taken());
    story.order(Command::Approve { proposal, comment: String::new() });
    assert_eq!(told(&story), [to("sre", NoticeKind::Trigger), to("sre", NoticeKind::Resolve)]);
    end(&mut story, &taken());
    assert!(story.state.paging.pages.is_empty());
    assert_eq!(story.intents().len(), 1);
}

#[test]
fn a_proposal_is_over_when_it_is_denied_or_its_alert_ends() {
    for deny in [true, false] {
        let mut story = asking();
        story.deliver(vec![alert("Errors", "prod/web")]);
        end(&mut story, &taken());
        let proposal = *story.state.proposals.keys().next().expect("one");
        if deny {
            story.order(Command::Deny { proposal, comment: String::new() });
        } else {
            let ended = story.now;
            story.deliver(vec![resolved(alert("Errors", "prod/web"), ended)]);
        }
        end(&mut story, &taken());
        assert_eq!(told(&story), [to("sre", NoticeKind::Trigger), to("sre", NoticeKind::Resolve)], "{deny}");
        assert!(story.state.paging.pages.is_empty());
    }
}

#[test]
fn a_proposal_that_lapses_is_told_to_the_next_too() {
    let mut story = asking();
    story.deliver(vec![alert("Errors", "prod/web")]);
    end(&mut story, &taken());
    let proposal = *story.state.proposals.keys().next().expect("one");
    story.order(Command::Acknowledge { page: proposal, comment: String::new() });
    end(&mut story, &taken());
    story.pass("30m");
    assert_eq!(
        story.calls(),
        [format!("nobody approved restart on prod/deployment/web in time (proposal {proposal})")]
    );
    let told = told(&story);
    assert!(told.contains(&to("lead", NoticeKind::Trigger)), "{told:?}");
    assert_eq!(told.iter().filter(|one| **one == to("sre", NoticeKind::Trigger)).count(), 2, "{told:?}");
    assert!(told.contains(&to("sre", NoticeKind::Resolve)), "the question itself is over: {told:?}");
}

#[test]
fn proposals_in_a_storm_are_one_digest() {
    let policy = RESTART_THEN_SCALE.replace("  onFailure:", "  guards: {inStorm: approve, concurrency: 100, blastRadius: {targets: off, unavailable: off}}\n  onFailure:");
    let receivers = [("sre".to_owned(), pager(&[]))];
    let notifications = Notifications { receivers: receivers.into(), ..Notifications::default() };
    let mut story = Story::with(&[&policy], &Settings { notifications, ..settings() });
    story.outcome = None;
    story.deliver_truncated(vec![], 5);
    let storm: Vec<_> = (0..40).map(|number| alert("Errors", &format!("prod/web-{number}"))).collect();
    story.deliver(storm);
    for _ in 0..30 {
        end(&mut story, &taken());
        story.pass("1m");
    }
    let proposals = story.rulings().iter().filter(|ruling| ruling.verdict.name() == "propose").count();
    assert!(proposals >= 40, "{proposals}");
    let messages = told(&story).iter().filter(|(_, kind)| *kind == NoticeKind::Trigger).count();
    assert!(messages <= 8, "{messages} messages for {proposals} proposals");
}
