//! Calls for people: told once, told again, told to the next, and over. What is delivered never changes what is done.

use paramedic_policies::action::Outcome;
use paramedic_policies::event::{Event, Seq};
use paramedic_policies::input::Input;
use paramedic_policies::notifications::{
    Notice, NoticeKind, Notifications, PagerDuty, Rate, Receipt, Receiver, Route, Severity, Slack,
};
use paramedic_policies::order::Command;
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
