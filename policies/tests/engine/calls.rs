//! What a call for a person says, how often it is tried, and when it is over or forgotten.

use paramedic_policies::action::{Change, Diff, DiffSource};
use paramedic_policies::answer::{Answer, Found};
use paramedic_policies::event::Event;
use paramedic_policies::input::Input;
use paramedic_policies::notifications::{
    Notice, NoticeKind, Notifications, PagerDuty, Rate, Receipt, Receiver, Severity,
};
use paramedic_policies::order::Command;
use paramedic_policies::question::Ask;
use paramedic_policies::settings::Settings;
use paramedic_policies::state::{CaseId, Page};
use paramedic_policies::time::Span;

use super::story::{RESTART_THEN_SCALE, Story, alert, resolved, settings, value};

fn pager(max: u32, then: &[&str]) -> Receiver {
    let url = "https://events.pagerduty.com".to_owned();
    Receiver {
        pager_duty: Some(PagerDuty { routing_key_file: "key".to_owned(), url }),
        escalate_after: (!then.is_empty()).then(|| Span::from_mins(15)),
        then: then.iter().map(|name| (*name).to_owned()).collect(),
        rate: Rate { max, per: Span::from_mins(10) },
        ..Receiver::default()
    }
}

fn with(policy: &str, receivers: &[(&str, Receiver)]) -> Story {
    let receivers = receivers.iter().map(|(name, receiver)| ((*name).to_owned(), receiver.clone()));
    let notifications = Notifications { receivers: receivers.collect(), ..Notifications::default() };
    Story::with(&[policy], &Settings { notifications, ..settings() })
}

/// An alert waits, and nobody is called of it.
fn waiting(receivers: &[(&str, Receiver)]) -> Story {
    let mut story = with(&RESTART_THEN_SCALE.replace("  target:", "  for: 9h\n  target:"), receivers);
    story.deliver(vec![alert("Errors", "prod/web")]);
    story
}

fn case(story: &Story) -> CaseId {
    story.state.cases.keys().next().expect("one").clone()
}

fn call(story: &mut Story, case: Option<CaseId>, why: &str) {
    story.record(Event::Escalated { case, why: why.to_owned(), notify: vec!["sre".to_owned()], about: None });
}

fn end(story: &mut Story, receipt: &Receipt) {
    let under_way: Vec<_> = story.state.paging.notices.keys().copied().collect();
    for notice in under_way {
        story.feed(&Input::Delivered { notice, receipt: receipt.clone() });
    }
}

fn taken(story: &mut Story) {
    end(story, &Receipt::Taken { said: "202".to_owned() });
}

fn messages(story: &Story) -> Vec<&Notice> {
    let notices = story.records.iter().filter_map(|(_, event)| match event {
        Event::Notified { notice } => Some(&**notice),
        _ => None,
    });
    notices.collect()
}

fn kinds(story: &Story) -> Vec<NoticeKind> {
    messages(story).iter().map(|notice| notice.kind).collect()
}

fn the_page(story: &Story) -> &Page {
    story.state.paging.pages.values().next().expect("one")
}

fn over(story: &mut Story) {
    let ended = story.now;
    story.deliver(vec![resolved(alert("Errors", "prod/web"), ended)]);
}

#[test]
fn a_proposal_shows_ten_changed_fields_and_says_how_many_more_there_are() {
    for (fields, more) in [(10, false), (12, true)] {
        let approve = RESTART_THEN_SCALE.replace("mode: enforce", "mode: approve");
        let mut story = with(&approve, &[("sre", pager(9, &[]))]);
        story.answers = false;
        let mut one = alert("Errors", "prod/web");
        one.labels.insert("severity".to_owned(), "critical".to_owned());
        story.deliver(vec![one]);
        let open: Vec<_> = story.state.questions.values().cloned().collect();
        for question in open {
            let found = match &question.ask {
                Ask::Preflight { wish, .. } => {
                    let change = |number: usize| Change {
                        path: format!("spec.f{number}"),
                        before: "a".to_owned(),
                        after: "b".to_owned(),
                    };
                    let fields = (0..fields).map(change).collect();
                    let mut preflight = story.preflight(wish);
                    preflight.diff = Some(Diff { fields, source: DiffSource::Applied });
                    Found::Preflight(Box::new(preflight))
                }
                _ => value(1.0),
            };
            story.feed(&Input::Told(Answer { question: question.id, taken_at: story.now, found }));
        }
        let notice = messages(&story).pop().expect("it is told");
        let proposal = notice.pages[0];
        assert!(notice.text.contains("\nspec.f9: a -> b\n") && !notice.text.contains("spec.f10:"));
        let says = format!("\nand 2 more: paramedic explain {proposal}\n");
        assert_eq!(notice.text.contains(&says), more, "{}", notice.text);
        assert_eq!(notice.text.contains(" more: "), more, "{}", notice.text);
        assert_eq!(notice.severity, Severity::Critical);
        assert_eq!(notice.labels.get("deployment").map(String::as_str), Some("web"));
    }
}

#[test]
fn a_call_says_what_its_policy_is_for_where_that_is_written() {
    let silent = RESTART_THEN_SCALE.replace("  description: Restart, then scale.\n", "");
    for (policy, wanted) in [
        (RESTART_THEN_SCALE, "policy errors\nRestart, then scale.\ndecided at "),
        (&silent, "policy errors\ndecided at "),
    ] {
        let mut story = with(policy, &[("sre", pager(9, &[]))]);
        story.answers = false;
        story.deliver(vec![alert("Errors", "prod/web")]);
        let of = case(&story);
        call(&mut story, Some(of), "look at this");
        assert!(the_page(&story).text.contains(wanted), "{}", the_page(&story).text);
    }
}

#[test]
fn of_an_alert_that_is_heard_of_no_more_the_call_says_so() {
    let mut story = waiting(&[("sre", pager(9, &[]))]);
    let of = case(&story);
    call(&mut story, Some(of), "look at this");
    story.feed(&Input::Wake);
    taken(&mut story);
    let heard = story.now;
    story.pass("5h");
    let since = heard + Span::from_hours(5);
    let says = format!("\nthe alert is heard of no more since {since}; nobody said that it ended");
    assert!(the_page(&story).text.ends_with(&says), "{}", the_page(&story).text);
}

#[test]
fn what_somebody_has_is_over_when_its_alert_is_heard_of_no_more() {
    let mut story = waiting(&[("sre", pager(9, &[]))]);
    let of = case(&story);
    call(&mut story, Some(of), "look at this");
    story.feed(&Input::Wake);
    taken(&mut story);
    let page = the_page(&story).id;
    story.order(Command::Acknowledge { page, comment: String::new() });
    taken(&mut story);
    assert_eq!(story.state.paging.pages.len(), 1);
    story.pass("5h");
    assert!(story.state.paging.pages.is_empty());
}

#[test]
fn what_is_about_no_alert_is_over_when_somebody_has_it() {
    let mut story = waiting(&[("sre", pager(9, &[]))]);
    call(&mut story, None, "a storm began");
    story.feed(&Input::Wake);
    taken(&mut story);
    let page = the_page(&story).id;
    story.order(Command::Acknowledge { page, comment: String::new() });
    taken(&mut story);
    assert!(story.state.paging.pages.is_empty());
}

#[test]
fn who_was_told_because_nobody_answered_goes_on_being_told() {
    let mut story = waiting(&[("sre", pager(9, &["lead"])), ("lead", pager(9, &[]))]);
    let of = case(&story);
    call(&mut story, Some(of.clone()), "look at this");
    story.feed(&Input::Wake);
    taken(&mut story);
    story.pass("15m");
    taken(&mut story);
    call(&mut story, Some(of), "it is worse now");
    story.feed(&Input::Wake);
    let to: Vec<&str> = messages(&story).iter().map(|notice| notice.receiver.as_str()).collect();
    assert_eq!(to, ["sre", "lead", "lead", "sre"]);
}

#[test]
fn a_receiver_is_given_up_after_ten_tries() {
    let mut story = with(RESTART_THEN_SCALE, &[("sre", pager(99, &[]))]);
    call(&mut story, None, "look at this");
    story.feed(&Input::Wake);
    for _ in 0..400 {
        end(&mut story, &Receipt::Failed { what: "503".to_owned(), passing: true });
        story.pass("1m");
    }
    assert_eq!(messages(&story).len(), 10);
}

#[test]
fn what_was_triggered_by_itself_is_resolved_by_itself_and_what_only_a_digest_told_is_not() {
    for by_itself in [true, false] {
        let mut story = waiting(&[("sre", pager(1, &[]))]);
        let of = case(&story);
        call(&mut story, if by_itself { Some(of.clone()) } else { None }, "the first");
        story.feed(&Input::Wake);
        taken(&mut story);
        call(&mut story, Some(of.clone()), "the second");
        call(&mut story, None, "another");
        story.pass("10m");
        assert_eq!(messages(&story).last().map(|notice| notice.pages.len()), Some(2));
        taken(&mut story);
        over(&mut story);
        taken(&mut story);
        let resolves = kinds(&story).iter().filter(|kind| **kind == NoticeKind::Resolve).count();
        assert_eq!(resolves, usize::from(by_itself), "{:?}", messages(&story));
        if by_itself {
            let key = format!("episode-{}", of.episode);
            assert_eq!(messages(&story).last().map(|notice| notice.key.as_str()), Some(key.as_str()));
        }
    }
}

#[test]
fn a_call_that_nobody_has_is_forgotten_after_a_week() {
    for (short_ms, left) in [(1, 2), (0, 1)] {
        let mut story = with(RESTART_THEN_SCALE, &[("sre", pager(9, &[]))]);
        call(&mut story, None, "the first");
        story.feed(&Input::Wake);
        taken(&mut story);
        story.pass(&Span::from_ms(Span::from_hours(7 * 24).ms() - short_ms).to_string());
        call(&mut story, None, "the second");
        assert_eq!(story.state.paging.pages.len(), left);
    }
}

#[test]
fn of_more_than_a_thousand_calls_the_oldest_gives_way() {
    let mut story = with(RESTART_THEN_SCALE, &[("sre", pager(9, &[]))]);
    call(&mut story, None, "the first");
    let first = the_page(&story).id;
    for number in 1..1000 {
        call(&mut story, None, &format!("call {number}"));
    }
    assert_eq!((story.state.paging.pages.len(), the_page(&story).id), (1000, first));
    call(&mut story, None, "one more");
    assert_eq!(story.state.paging.pages.len(), 1000);
    assert!(the_page(&story).id > first);
}
