//! Above a receiver's rate, what waits is told as one; within it, each by itself. Nothing is told before its time.

use paramedic_policies::event::Event;
use paramedic_policies::input::Input;
use paramedic_policies::notifications::{
    Notice, NoticeKind, Notifications, PagerDuty, Rate, Receipt, Receiver, Severity,
};
use paramedic_policies::settings::Settings;
use paramedic_policies::state::CaseId;
use paramedic_policies::time::Span;

use super::story::{RESTART_THEN_SCALE, Story, alert, settings};

fn pager(max: u32) -> Receiver {
    let url = "https://events.pagerduty.com".to_owned();
    Receiver {
        pager_duty: Some(PagerDuty { routing_key_file: "key".to_owned(), url }),
        rate: Rate { max, per: Span::from_mins(10) },
        ..Receiver::default()
    }
}

/// With these receivers; an alert waits, and nobody is called of it.
fn with(receivers: &[(&str, u32)]) -> Story {
    let receivers = receivers.iter().map(|(name, max)| ((*name).to_owned(), pager(*max)));
    let notifications = Notifications { receivers: receivers.collect(), ..Notifications::default() };
    let waits = RESTART_THEN_SCALE.replace("  target:", "  for: 4h\n  target:");
    let mut story = Story::with(&[&waits], &Settings { notifications, ..settings() });
    story.deliver(vec![alert("Errors", "prod/web")]);
    story
}

fn call_about(story: &mut Story, case: Option<CaseId>, why: &str, to: &[&str]) {
    let notify = to.iter().map(|name| (*name).to_owned()).collect();
    story.record(Event::Escalated { case, why: why.to_owned(), notify, about: None });
}

fn call(story: &mut Story, why: &str) {
    call_about(story, None, why, &["sre"]);
}

fn case(story: &Story) -> CaseId {
    story.state.cases.keys().next().expect("one").clone()
}

/// Every message to this receiver, its first try alone.
fn messages<'a>(story: &'a Story, to: &str) -> Vec<&'a Notice> {
    let notices = story.records.iter().filter_map(|(_, event)| match event {
        Event::Notified { notice } if notice.receiver == to && notice.attempt == 0 => Some(&**notice),
        _ => None,
    });
    notices.collect()
}

/// How many calls each message tells.
fn sizes(story: &Story) -> Vec<usize> {
    messages(story, "sre").iter().map(|notice| notice.pages.len()).collect()
}

/// All that is under way is taken.
fn taken(story: &mut Story) {
    let under_way: Vec<_> = story.state.paging.notices.keys().copied().collect();
    for notice in under_way {
        let receipt = Receipt::Taken { said: "202".to_owned() };
        story.feed(&Input::Delivered { notice, receipt });
    }
}

fn pass_quietly(story: &mut Story, span: &str) {
    story.pass(span);
    taken(story);
}

#[test]
fn as_many_as_there_is_room_for_are_told_each_by_itself() {
    let mut story = with(&[("sre", 2)]);
    call(&mut story, "one");
    call(&mut story, "two");
    story.feed(&Input::Wake);
    assert_eq!(sizes(&story), [1, 1]);
}

#[test]
fn what_was_told_in_the_window_takes_room() {
    let mut story = with(&[("sre", 2)]);
    call(&mut story, "one");
    story.feed(&Input::Wake);
    taken(&mut story);
    pass_quietly(&mut story, "9m 59s");
    call(&mut story, "two");
    call(&mut story, "three");
    story.feed(&Input::Wake);
    assert_eq!(sizes(&story), [1, 2]);
}

#[test]
fn exactly_a_window_later_there_is_room_again() {
    let mut story = with(&[("sre", 2)]);
    call(&mut story, "one");
    call(&mut story, "two");
    story.feed(&Input::Wake);
    taken(&mut story);
    pass_quietly(&mut story, "9m");
    call(&mut story, "three");
    call(&mut story, "four");
    story.feed(&Input::Wake);
    pass_quietly(&mut story, "59s 999ms");
    assert_eq!(sizes(&story), [1, 1], "it waits for the window");
    pass_quietly(&mut story, "1ms");
    assert_eq!(sizes(&story), [1, 1, 1, 1]);
}

#[test]
fn a_digest_tells_what_waits_and_not_what_is_under_way() {
    let mut story = with(&[("sre", 2)]);
    call(&mut story, "one");
    story.feed(&Input::Wake);
    taken(&mut story);
    pass_quietly(&mut story, "9m 50s");
    call(&mut story, "two");
    story.feed(&Input::Wake);
    call(&mut story, "three");
    call(&mut story, "four");
    story.feed(&Input::Wake);
    assert_eq!(sizes(&story), [1, 1], "the second has no receipt yet");
    story.pass("10s");
    assert_eq!(sizes(&story), [1, 1, 2]);
}

#[test]
fn a_digest_is_as_bad_as_the_worst_of_it_and_names_ten() {
    for (calls, more) in [(10, None), (12, Some("and 2 more: paramedic audit query --kind escalated"))] {
        let mut story = with(&[("sre", 1)]);
        call(&mut story, "the first");
        story.feed(&Input::Wake);
        taken(&mut story);
        let case = case(&story);
        call_about(&mut story, Some(case), "of an alert", &["sre"]);
        for number in 1..calls {
            call(&mut story, &format!("reason {number}"));
        }
        pass_quietly(&mut story, "10m");
        let all = messages(&story, "sre");
        let digest = all.last().expect("a digest");
        assert_eq!((digest.pages.len(), digest.severity), (calls, Severity::Critical));
        assert_eq!(digest.title, format!("[critical] {calls} calls for a person, told as one"));
        assert!(digest.labels.is_empty() && digest.case.is_none(), "it is of several: {digest:?}");
        let lines: Vec<&str> = digest.text.lines().collect();
        assert!(lines[0].starts_with("[error] Errors") && lines[0].contains("(ack "), "{lines:?}");
        assert!(lines[1].contains("reason 1 (ack "), "{lines:?}");
        assert_eq!((lines.len(), lines.get(10).copied()), (10 + usize::from(more.is_some()), more));
    }
}

#[test]
fn what_is_new_behind_a_digest_is_told_under_the_calls_own_key() {
    let mut story = with(&[("sre", 1)]);
    call(&mut story, "the first");
    story.feed(&Input::Wake);
    taken(&mut story);
    let case = case(&story);
    call_about(&mut story, Some(case.clone()), "of an alert", &["sre"]);
    call(&mut story, "another");
    pass_quietly(&mut story, "10m");
    assert_eq!(sizes(&story), [1, 2]);
    call_about(&mut story, Some(case.clone()), "it is worse now", &["sre"]);
    pass_quietly(&mut story, "10m");
    let last = messages(&story, "sre").pop().expect("one");
    assert_eq!((last.kind, last.pages.len()), (NoticeKind::Trigger, 1));
    assert_eq!(last.key, format!("episode-{}", case.episode));
}

#[test]
fn who_waits_for_room_is_not_told_earlier_because_another_gave_no_receipt() {
    let mut story = with(&[("lead", 1), ("sre", 9)]);
    call_about(&mut story, None, "the first", &["lead"]);
    story.feed(&Input::Wake);
    taken(&mut story);
    story.pass("1m");
    call_about(&mut story, None, "the second", &["lead", "sre"]);
    story.feed(&Input::Wake);
    story.pass("8m");
    assert_eq!(messages(&story, "lead").len(), 1);
    assert!(story.count("delivered") > 1, "the other's message has failed");
    pass_quietly(&mut story, "1m");
    assert_eq!(messages(&story, "lead").len(), 2);
}
