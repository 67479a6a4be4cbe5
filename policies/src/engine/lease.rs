//! Actions that are taken back after a while: an intent of their own, uncharged, only while the field still
//! holds our value.

use crate::action::{Action, Intent, Mode, Outcome, Wish};
use crate::address::AddressRange;
use crate::answer::{Found, Preflight};
use crate::book::Book;
use crate::engine::agenda::unanswered;
use crate::engine::follow;
use crate::engine::sequence::{self, AtHand};
use crate::engine::undo::Anyway;
use crate::engine::{ATTEMPTS_MAX, EFFECT_DEADLINE, growing};
use crate::event::{About, Advance, Conclusion, Event, Seq};
use crate::guard::{pause, protection};
use crate::question::{Ask, Fact, Question};
use crate::reason::Reason;
use crate::remediation::quarantine;
use crate::settings::STUCK_AFTER;
use crate::state::{Case, CaseId, Lease, Phase, State};
use crate::time::{Moment, Span};

/// Why nothing is taken back where the value from before is there already: what was wanted is so.
pub const ALREADY_BACK: &str = "the value from before already holds";

/// How long a held revert waits when nothing says how long it is held; it is looked at earlier when something is
/// resumed, adopted or won.
const HELD: Span = Span::from_mins(5);

/// What is told of a lease that stays.
const AT_IT: &str = "it is looked at again until it is";

/// What is to be taken back after a while stays while its trouble is there, up to so many times that while.
const STAYS_TIMES: u64 = 4;

/// What holds a lease whose time is over.
struct Hold {
    /// In one word.
    reason: &'static str,
    why: String,
    until: Moment,
    /// How often in a row it could not be taken back, or nobody could look.
    failures: u32,
    /// The intent under way that it waits for.
    behind: Option<Seq>,
    /// Whether people may not know of it: it is told when it lasts.
    is_news: bool,
}

impl Hold {
    /// Held by what people have decided, or wrote into the policy.
    fn known(reason: &'static str, why: String, until: Moment) -> Self {
        Self { reason, why, until, failures: 0, behind: None, is_news: false }
    }

    fn by(reason: &Reason, now: Moment) -> Self {
        let until = reason.until().unwrap_or(now + HELD);
        let is_news = !reason.is_known_to_people();
        Self { is_news, ..Self::known(reason.name(), reason.to_string(), until) }
    }

    /// Held by several things that may all pass.
    fn by_all(reasons: &[Reason], now: Moment) -> Self {
        let until = reasons.iter().filter_map(Reason::until).max().unwrap_or(now + HELD);
        let is_news = !reasons.iter().any(Reason::is_known_to_people);
        let name = reasons.first().map_or("", Reason::name);
        Self { is_news, ..Self::known(name, said(reasons), until) }
    }

    /// It came to nothing, once more: looked at again after a pause that grows.
    fn failed(state: &State, now: Moment, lease: &Lease, reason: &'static str, why: String) -> Self {
        let failures = lease.failures.saturating_add(1);
        let pause = growing(state.current_book().settings().facts.retry, failures - 1);
        Self { failures, is_news: true, ..Self::known(reason, why, now + pause) }
    }

    /// The lease waits, and whoever should know of it is told when that lasts.
    fn of(self, state: &State, now: Moment, lease: &Lease) -> Vec<Event> {
        let since = self.is_news.then(|| lease.stuck_since.unwrap_or(now));
        let patience = state.current_book().settings().guards.stuck_after;
        // What is left behind is never just left, whatever a policy may be kept from.
        let patience = if patience.is_zero() { STUCK_AFTER } else { patience };
        let lasts = since.map(|since| now.since(since)).filter(|lasts| *lasts >= patience && !lease.told);
        let told = lasts.map(|lasts| {
            let what = format!("is not taken back yet, {lasts} after that was due: {}; {AT_IT}", self.why);
            called_late(state, lease, &what)
        });
        let Self { reason, why, until, failures, behind, is_news: _ } = self;
        let reason = reason.to_owned();
        let intent = lease.intent.id;
        let held =
            Event::RevertHeld { intent, until, why, order_over: false, reason, failures, since, behind };
        std::iter::once(held).chain(told).collect()
    }
}

/// A lease that is due: hold, ask, or take back.
pub(super) fn due(state: &State, book: &Book, now: Moment, intent: Seq) -> Vec<Event> {
    let Some(lease) = state.leases.get(&intent) else {
        return Vec::new();
    };
    if let Some(open) = lease.open {
        return vec![unanswered(now, open)];
    }
    if let Some(hold) = held_by(state, book, now, &lease.intent) {
        return hold.of(state, now, lease);
    }
    let by_order = by_order_alone(lease);
    let found = lease.looked.as_ref().map(|known| &known.found);
    let hold = match (&by_order, found) {
        (None, _) => not_yet(state, book, now, lease),
        // It is about to take down what holds nobody any more.
        (Some(_), Some(Found::Preflight(preflight))) if !holds_somebody(preflight) => {
            capped(book, now, lease.approved_by().is_some())
        }
        (Some(_), _) => None,
    };
    if let Some(hold) = hold {
        return hold.of(state, now, lease);
    }
    match found {
        None => vec![Event::Asked { question: question(state, book, now, lease) }],
        Some(Found::Preflight(preflight)) => match by_order.filter(|_| holds_somebody(preflight)) {
            Some(why) => dropped(state, lease, why, true),
            None => looked(state, book, now, lease, preflight),
        },
        Some(Found::Absent { what }) => dropped(state, lease, format!("there is no {what}"), true),
        Some(Found::Failed { what }) => {
            Hold::failed(state, now, lease, "notSeen", what.clone()).of(state, now, lease)
        }
        Some(Found::Series(_) | Found::Target(_) | Found::Rollout { .. } | Found::Http { .. }) => {
            dropped(state, lease, "an answer to another question".to_owned(), true)
        }
    }
}

/// Where the policy left the end of its action to a person ([`Action::ends_by_order_alone`]): while it holds anybody the
/// lease is handed over, and nothing but an undo, which makes a lease anew from the journal, takes the action back.
fn by_order_alone(lease: &Lease) -> Option<String> {
    let why = lease.intent.action.ends_by_order_alone().filter(|_| lease.ordered.is_none())?;
    Some(format!("{why} `paramedic undo {}`", lease.intent.id))
}

/// Whether a look shows anybody whom taking it back would let go. What is left around nobody is taken down by the clock.
fn holds_somebody(preflight: &Preflight) -> bool {
    match &preflight.action {
        Some(Action::Quarantine(quarantine::Action::Release(release))) => !release.pods.is_empty(),
        Some(_) => true,
        None => false,
    }
}

/// Why an action is not taken back yet: what it was done against is still there.
struct Needed<'a> {
    alert: &'a str,
    episode: Seq,
    /// When it would be taken back otherwise. Whoever wants it earlier wants it whatever fires.
    from: Moment,
    /// When it is taken back all the same.
    until: Moment,
}

/// The open episode that an action was done for, or another one of its policy on its target. What ends by itself is
/// needed by nobody any more, nor is what somebody wants taken back.
fn needed<'a>(state: &'a State, lease: &Lease) -> Option<Needed<'a>> {
    let intent = &lease.intent;
    let ends_with_it = lease.ordered.is_none() && !intent.action.ends_by_itself();
    let after = intent.revert_after.filter(|_| ends_with_it)?;
    let own = state.episodes.get(&intent.episode).filter(|episode| episode.is_open());
    let others = state.indexes.on(&intent.target).into_iter().flat_map(|crowd| crowd.open_of(&intent.policy));
    let episode = own.or_else(|| others.filter_map(|id| state.episodes.get(&id.episode)).next())?;
    let done = intent.at + lease.stepped;
    Some(Needed {
        alert: episode.alert(),
        episode: episode.id,
        from: done + after,
        until: done + Span::from_ms(after.ms().saturating_mul(STAYS_TIMES)),
    })
}

/// What takes it back where nobody orders it.
pub(super) fn anyway(state: &State, now: Moment, lease: &Lease) -> Anyway {
    if by_order_alone(lease).is_some() {
        return Anyway::Never;
    }
    match needed(state, lease).filter(|needed| now < needed.until) {
        Some(needed) => Anyway::DueAtTheLatest(needed.until),
        None if lease.held => Anyway::LookedAt(lease.due),
        None => Anyway::Due(lease.due),
    }
}

/// What follows from the look at the target: take back only what is still ours.
fn looked(state: &State, book: &Book, now: Moment, lease: &Lease, preflight: &Preflight) -> Vec<Event> {
    let protected = &book.settings().guards.protected;
    if let Some(rule) = protection::protecting_label(protected, preflight) {
        let reason = Reason::Protected { rule };
        return Hold::by(&reason, now).of(state, now, lease);
    }
    if are_passing(&preflight.refusals) {
        return Hold::by_all(&preflight.refusals, now).of(state, now, lease);
    }
    // A remediation whose objects are its own, known by their stamp, pins nothing.
    if !preflight.uid.is_empty() && preflight.uid != lease.intent.uid {
        let why = format!("{} is another object now (uid {})", lease.intent.target, preflight.uid);
        return dropped(state, lease, why, true);
    }
    match &preflight.action {
        Some(action) if preflight.refusals.is_empty() => {
            vec![Event::Intended { intent: Box::new(revert(state, now, lease, &part(lease, action))) }]
        }
        Some(_) | None if preflight.already && is_partial(lease) => {
            let until = lease.ordered.as_ref().map_or(now + HELD, |order| order.rest_due).max(now);
            let why = "what was to be let in is let in; the rest waits for its own end".to_owned();
            vec![Event::RevertHeld {
                intent: lease.intent.id,
                until,
                why,
                order_over: true,
                reason: String::new(),
                failures: 0,
                since: None,
                behind: None,
            }]
        }
        Some(_) | None if preflight.already => {
            let watching = watching(state, &lease.intent, lease.intent.id);
            let dropped = dropped(state, lease, ALREADY_BACK.to_owned(), false);
            unseen(state, watching, "had already been", dropped)
        }
        Some(_) | None => dropped(state, lease, said(&preflight.refusals), true),
    }
}

/// Whether the daemon's cap on modes keeps this from being taken back. Who approved the action approved its end; in
/// dry-run there are no hands at all.
fn is_capped(cap: Mode, approved: bool) -> bool {
    match cap {
        Mode::DryRun => true,
        Mode::Approve => !approved,
        Mode::Enforce => false,
    }
}

/// Whether these reasons only hold a revert: not one of them says that the field is ours no more, or that it will never
/// be done.
pub(super) fn are_passing(reasons: &[Reason]) -> bool {
    let passes = |reason: &Reason| match reason {
        // A person, or a controller, has taken over.
        Reason::Changed { .. } | Reason::TargetAbsent { .. } => false,
        // The next process may be one with Kubernetes; what protects may be lifted.
        Reason::NoKubernetes | Reason::Protected { .. } => true,
        other => other.may_pass(),
    };
    !reasons.is_empty() && reasons.iter().all(passes)
}

fn said(reasons: &[Reason]) -> String {
    reasons.iter().map(Reason::to_string).collect::<Vec<_>>().join("; ")
}

/// What would hold the revert of this intent if a person ordered it now, as far as that is known without a look.
pub(super) fn held_once_ordered(state: &State, book: &Book, now: Moment, intent: &Intent) -> Option<String> {
    // The order is the approval.
    held_by(state, book, now, intent).or_else(|| capped(book, now, true)).map(|hold| hold.why)
}

/// What holds a lease whatever the target looks like: leadership, the clock, protection, a pause, and another effect on
/// the target.
fn held_by(state: &State, book: &Book, now: Moment, intent: &Intent) -> Option<Hold> {
    let by = |reason: Reason| Some(Hold::by(&reason, now));
    if !state.leader {
        return by(Reason::NotLeading);
    }
    if let Some(reason) = state.clock_trouble(now) {
        return by(reason);
    }
    let (protected, reached) = (&book.settings().guards.protected, intent.namespaces());
    if let Some(rule) = reached.iter().find_map(|name| protection::protecting_namespace(protected, name)) {
        return by(Reason::Protected { rule });
    }
    if let Some(reason) = pause::covering(state, &intent.policy, Some(&intent.target), &reached, now) {
        return by(reason);
    }
    // Its own revert is one of them.
    let running = state.indexes.on(&intent.target).and_then(|crowd| crowd.in_flight().next())?;
    let reason = Reason::AlreadyRunning { intent: running };
    Some(Hold { behind: Some(running), ..Hold::by(&reason, now) })
}

/// What an action is held for until its time: the trouble it was done against, and the daemon's mode.
fn not_yet(state: &State, book: &Book, now: Moment, lease: &Lease) -> Option<Hold> {
    if let Some(needed) = needed(state, lease).filter(|needed| needed.from <= now && now < needed.until) {
        let Needed { alert, episode, until, .. } = needed;
        let why = format!("{alert} is still open (episode {episode}); taken back at {until} at the latest");
        return Some(Hold::known("stillOpen", why, until));
    }
    capped(book, now, lease.approved_by().is_some())
}

/// The daemon's mode, where it keeps this from being taken back.
fn capped(book: &Book, now: Moment, approved: bool) -> Option<Hold> {
    let mode = book.settings().mode;
    is_capped(mode, approved)
        .then(|| Hold::known("mode", format!("the daemon runs with --mode {mode}"), now + HELD))
}

fn question(state: &State, book: &Book, now: Moment, lease: &Lease) -> Question {
    Question {
        id: state.next,
        case: CaseId::of(&lease.intent),
        fact: Fact::Revert(lease.intent.id),
        ask: Ask::Preflight {
            target: lease.intent.target.clone(),
            wish: Wish::Revert(wanted(lease)),
            diff: false,
        },
        deadline: now + book.settings().facts.deadline,
    }
}

/// What is to be taken back: all of it, or the entries that somebody named.
fn wanted(lease: &Lease) -> Action {
    let only = lease.ordered.as_ref().map_or(&[][..], |order| &order.only);
    lease.intent.action.part(only).unwrap_or_else(|| lease.intent.action.clone())
}

/// Whether an action has this entry.
pub(super) fn has_entry(action: &Action, range: &AddressRange) -> bool {
    matches!(action, Action::BlockIp(block) if block.ranges().any(|one| one == *range))
}

fn is_partial(lease: &Lease) -> bool {
    lease.ordered.as_ref().is_some_and(|order| lease.intent.action.part(&order.only).is_some())
}

/// The revert of a part, with what it leaves.
fn part(lease: &Lease, revert: &Action) -> Action {
    match &lease.ordered {
        Some(order) if is_partial(lease) => revert.leaving(&lease.intent.action, order.rest_due),
        Some(_) | None => revert.clone(),
    }
}

fn revert(state: &State, now: Moment, lease: &Lease, action: &Action) -> Intent {
    Intent {
        id: state.next,
        action: action.clone(),
        at: now,
        deadline: now + EFFECT_DEADLINE,
        charged: false,
        reverts: Some(lease.intent.id),
        revert_after: None,
        epoch: state.epoch,
        approved_by: lease.approved_by().cloned(),
        ..lease.intent.clone()
    }
}

fn dropped(state: &State, lease: &Lease, why: String, call: bool) -> Vec<Event> {
    let what = format!("is not taken back: {why}");
    let told = call.then(|| called(state, &lease.intent, Some(lease), &what));
    let dropped = Event::RevertDropped { intent: lease.intent.id, into: None, why };
    std::iter::once(dropped).chain(told).collect()
}

/// A person is called about what was done: with all that is needed to find it, since its alert may be long forgotten.
fn called(state: &State, intent: &Intent, lease: Option<&Lease>, what: &str) -> Event {
    let of_now =
        || state.current_book().policy(&intent.policy).map(|policy| policy.on_failure.notify.clone());
    let known = lease.map(|lease| lease.notify.clone()).filter(|notify| !notify.is_empty());
    let labels = lease.map(|lease| lease.labels.clone()).unwrap_or_default();
    Event::Escalated {
        case: Some(CaseId::of(intent)),
        why: format!("{} on {} (intent {}) {what}", intent.action, intent.target, intent.id),
        notify: known.or_else(of_now).unwrap_or_default(),
        about: Some(Box::new(About { target: intent.target.clone(), labels, not_taken_back: None })),
    }
}

/// The same of a lease that stays: it is told once.
fn called_late(state: &State, lease: &Lease, what: &str) -> Event {
    let mut call = called(state, &lease.intent, Some(lease), what);
    if let Event::Escalated { about: Some(about), .. } = &mut call {
        about.not_taken_back = Some(lease.intent.id);
    }
    call
}

/// What a person is told of an action that did not end well: whether anything will be taken back.
pub(super) fn told_of(intent: &Intent, outcome: &Outcome, what: &str) -> String {
    if trace(outcome) != Trace::Nothing && intent.action.ends_by_order_alone().is_some() {
        return format!("{what}; what was changed stays until `paramedic undo {}`", intent.id);
    }
    match (trace(outcome), intent.revert_after) {
        (Trace::Made, Some(after)) => format!("{what}; what was changed is taken back in {after}"),
        (Trace::Perhaps, Some(after)) => {
            format!("{what}; if it was done all the same, it is taken back in {after}")
        }
        (Trace::Nothing, _) | (_, None) => what.to_owned(),
    }
}

/// After the effect of a revert. Only what is known to be taken back is over: whatever else came of it, the next look
/// tells what is left. A person is called where something was left half done, or it was tried often.
pub(super) fn ended(state: &State, now: Moment, revert: &Intent, outcome: &Outcome) -> Vec<Event> {
    let followed = followed(state, now, revert, outcome);
    let what = match outcome {
        // Somebody was quicker.
        Outcome::Done { already: true, .. } if revert.action.rest().is_none() => "had already been",
        _ if trace(outcome) == Trace::Nothing => return followed,
        Outcome::Done { .. } | Outcome::Collected { .. } if revert.action.rest().is_none() => "has been",
        Outcome::Done { .. } | Outcome::Collected { .. } => "has in part been",
        Outcome::Refused { .. } | Outcome::Failed { .. } | Outcome::Unknown { .. } => "may have been",
    };
    let watching = revert.reverts.and_then(|intent| watching(state, revert, intent));
    unseen(state, watching, what, followed)
}

/// The case that still watches what has been taken back, as a whole or in part: it would take for the action's doing what
/// comes without it. It ends, and a person is told where its alert is open, or steps are left.
fn unseen(state: &State, case: Option<&Case>, what: &str, mut followed: Vec<Event>) -> Vec<Event> {
    let Some(case) = case else { return followed };
    let is_open = state.episodes.get(&case.id.episode).is_some_and(|episode| episode.is_open());
    let called = state.policy_of(case).filter(|policy| is_open || sequence::is_early(policy, case));
    let call = called.and_then(|policy| {
        let told = |why: String| sequence::told(policy, case, AtHand::Done, why);
        // One event is one call: what has become of the revert is told with it.
        let already = followed.iter_mut().find_map(|event| match event {
            Event::Escalated { why, .. } => Some(why),
            _ => None,
        });
        if let Some(why) = already {
            *why = told(format!("{why}; nobody knows whether it helped"));
            return None;
        }
        let open = if is_open { ", and the alert is still open" } else { "" };
        let why = format!("what was done {what} taken back before anybody knew whether it helped{open}");
        Some(follow::escalated(case, policy, told(why)))
    });
    let over = follow::concluded(case, Conclusion::TakenBack);
    call.into_iter().chain([over]).chain(followed).collect()
}

/// The case that verifies this intent; `of` is the intent, or its revert.
fn watching<'a>(state: &'a State, of: &Intent, watched: Seq) -> Option<&'a Case> {
    let watches = |case: &&Case| matches!(case.phase, Phase::Verifying { intent, .. } if intent == watched);
    state.cases.get(&CaseId::of(of)).filter(watches)
}

fn followed(state: &State, now: Moment, revert: &Intent, outcome: &Outcome) -> Vec<Event> {
    let lease = revert.reverts.and_then(|intent| state.leases.get(&intent));
    let what = match (outcome, lease) {
        (Outcome::Done { .. } | Outcome::Collected { .. }, lease) => {
            let late = lease.and_then(|lease| too_late(state, now, lease, revert));
            let again = lease.map(|lease| again(state, lease, revert)).unwrap_or_default();
            return late.into_iter().chain(again).collect();
        }
        (Outcome::Refused { reasons }, Some(lease)) if are_passing(reasons) => {
            return Hold::by_all(reasons, now).of(state, now, lease);
        }
        (Outcome::Refused { reasons }, _) => said(reasons),
        (Outcome::Failed { what, .. } | Outcome::Unknown { what }, _) => what.clone(),
    };
    let stays = stays(lease.map(|lease| &lease.intent), outcome);
    let more = if stays { format!("; {AT_IT}") } else { String::new() };
    let text = format!("is not known to be taken back: that ended {}: {what}{more}", outcome.name());
    let Some(lease) = lease.filter(|_| stays) else {
        return vec![called(state, lease.map_or(revert, |lease| &lease.intent), lease, &text)];
    };
    let is_half_done = trace(outcome) != Trace::Nothing;
    let hold = Hold::failed(state, now, lease, outcome.name(), what);
    let calls = !lease.told && (is_half_done || hold.failures >= ATTEMPTS_MAX);
    let mut events = hold.of(state, now, lease);
    if calls && events.len() == 1 {
        events.push(called_late(state, lease, &text));
    }
    events
}

/// What was done did not bring calm in the longest time that it may stay, and is gone now. Told when it is: what was only
/// begun may be refused at the last moment, and tried again.
fn too_late(state: &State, now: Moment, lease: &Lease, revert: &Intent) -> Option<Event> {
    let Needed { alert, episode, .. } = needed(state, lease).filter(|needed| needed.until <= revert.at)?;
    let lasted = now.since(lease.intent.at);
    let what = format!("was taken back after {lasted}, and {alert} is still open (episode {episode})");
    Some(called(state, &lease.intent, Some(lease), &what))
}

/// Whether a lease whose revert ended like this is looked at again. What no look can tell is not repeated blindly.
pub(super) fn stays(leased: Option<&Intent>, outcome: &Outcome) -> bool {
    let left = trace(outcome);
    leased.is_some_and(|intent| left == Trace::Nothing || intent.action.can_be_seen())
}

/// What ends by itself has ended, and its alert is open. Where it was all that its rung did, and seemed right, it is
/// decided anew, under every guard. A step of a sequence is not done again by itself, nor is all that comes after it: a
/// person is told. Nothing follows where a part of it still lasts, and where somebody wanted its end earlier.
fn again(state: &State, lease: &Lease, revert: &Intent) -> Vec<Event> {
    let intent = &lease.intent;
    let Some(case) = state.cases.get(&CaseId::of(intent)) else { return Vec::new() };
    let open = state.episodes.get(&intent.episode).is_some_and(|episode| episode.is_open());
    let has_lasted = intent.revert_after.is_some_and(|after| intent.at + lease.stepped + after <= revert.at);
    let over = has_lasted && intent.action.ends_by_itself() && revert.action.rest().is_none();
    let in_force = state.current_book().policy(&intent.policy).is_some() && lease.ordered.is_none();
    if !(open && over && in_force) {
        return Vec::new();
    }
    let steps = state.policy_of(case).and_then(|policy| policy.ladder.get(intent.rung));
    if steps.is_some_and(|rung| rung.steps.len() > 1) {
        let what =
            "has ended after its time, and its alert is still open: a step of a sequence is not done again";
        return vec![called(state, intent, Some(lease), what)];
    }
    let seemed_right = match case.ended {
        Some(Conclusion::Helped | Conclusion::Done | Conclusion::Already) => true,
        Some(
            Conclusion::Rehearsed
            | Conclusion::Exhausted
            | Conclusion::Unknown
            | Conclusion::Failed
            | Conclusion::Resolved
            | Conclusion::Withdrawn
            | Conclusion::Denied
            | Conclusion::Refused
            | Conclusion::TakenBack
            | Conclusion::Cancelled,
        )
        | None => false,
    };
    let is_at_rest = case.rung == intent.rung && case.phase == Phase::Resting;
    let at = (intent.rung, intent.step);
    if is_at_rest && seemed_right {
        vec![Event::advanced(&case.id, at, Advance::Again, None)]
    } else {
        Vec::new()
    }
}

/// What an effect has left behind that a lease must take back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trace {
    /// The change was made.
    Made,
    /// It may have been; the look before the revert tells, which acts only on our own value.
    Perhaps,
    /// Nothing was changed.
    Nothing,
}

/// What an effect with this outcome has left behind.
pub(super) fn trace(outcome: &Outcome) -> Trace {
    match outcome {
        Outcome::Done { already: false, .. } | Outcome::Failed { applied: true, .. } => Trace::Made,
        Outcome::Unknown { .. } => Trace::Perhaps,
        Outcome::Done { already: true, .. }
        | Outcome::Collected { .. }
        | Outcome::Refused { .. }
        | Outcome::Failed { applied: false, .. } => Trace::Nothing,
    }
}

/// A later lease on the same field takes the earlier one over, so that in the end the value from before the
/// first is restored. Where nobody knows whether the later change was made, each restores what it can be sure of.
pub(super) fn taken_over(state: &State, intent: &Intent, outcome: &Outcome) -> Vec<Event> {
    if trace(outcome) != Trace::Made || intent.mode == Mode::DryRun || intent.revert_after.is_none() {
        return Vec::new();
    }
    let earlier = state.leases.values().filter(|lease| {
        lease.intent.target == intent.target && intent.action.after(&lease.intent.action).is_some()
    });
    earlier
        .map(|lease| Event::RevertDropped {
            intent: lease.intent.id,
            into: Some(intent.id),
            why: format!("intent {} takes over what it restores", intent.id),
        })
        .collect()
}

#[cfg(test)]
mod tests;
