//! Guards only add refusals: at each single decision, from one and the same state, a book with one more guard never acts
//! where the book without it does not, nor asks where that one has refused before asking. Whichever of the two the life was
//! lived under.
//!
//! Stated at single decisions on purpose: over a whole life it is not true, nor should it be, since an action that was
//! refused leaves room for another one later.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use paramedic_policies::action::Mode;
use paramedic_policies::book::Book;
use paramedic_policies::decide;
use paramedic_policies::event::{Event, Seq};
use paramedic_policies::input::Input;
use paramedic_policies::policy::{Limit, LimitScope};
use paramedic_policies::question::Fact;
use paramedic_policies::ruling::Verdict;
use paramedic_policies::settings::Pace;
use paramedic_policies::state::State;
use paramedic_policies::time::Span;
use proptest::prelude::*;

use crate::draft::{Draft, PolicyDraft, draft, longer};
use crate::life::{Held, Life, breach, law};
use crate::turns::{History, history};
use crate::world::PROTECTING;

/// How often a comparison had something to compare: a law about what never happens must see what does.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Decisions at which the book with less acted.
    acted: Cell<u32>,
    /// Of these, those at which the book with more did not.
    refused: Cell<u32>,
}

impl Tally {
    /// Says so where too little was seen.
    pub(crate) fn check(&self) {
        let (acted, refused) = (self.acted.get(), self.refused.get());
        assert!(acted > 0 && refused > 0, "nothing was compared: {self:?}");
        assert!(refused < acted, "whatever was added refuses all: {self:?}");
    }
}

/// How far a decision goes with a case, or with taking an intent back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Goes {
    Asks,
    Rehearses,
    Proposes,
    Acts,
}

/// What a decision goes for: a policy's case of an episode, or a revert.
type What = (Seq, String, Option<Seq>);

fn goes(events: &[Event]) -> BTreeMap<What, Goes> {
    let each = events.iter().filter_map(|event| match event {
        Event::Asked { question } => {
            let reverts = match question.fact {
                Fact::Revert(intent) => Some(intent),
                _ => None,
            };
            Some(((question.case.episode, question.case.policy.clone(), reverts), Goes::Asks))
        }
        Event::Intended { intent } => {
            let how = if intent.mode == Mode::DryRun { Goes::Rehearses } else { Goes::Acts };
            Some(((intent.episode, intent.policy.clone(), intent.reverts), how))
        }
        Event::Ruled { ruling } if matches!(ruling.verdict, Verdict::Propose { .. }) => {
            Some(((ruling.episode, ruling.policy.clone(), None), Goes::Proposes))
        }
        _ => None,
    });
    each.collect()
}

/// The same state, had this book been adopted in the place of the one in force.
fn had(state: &State, other: &Arc<Book>) -> State {
    let mut twin = state.clone();
    twin.books.insert(other.digest(), Arc::clone(other));
    twin.reindex();
    twin
}

/// The book that another life had, under the name of this one's, and with what it is compared.
struct Other<'d> {
    draft: &'d Draft,
    book: Arc<Book>,
    /// Lowering a mode is a guard as well, and what it leaves is a rehearsal.
    rehearsals_count: bool,
    /// A guard that needs a fact asks for it where the book without it has decided; any other has nothing to ask for.
    asks_count: bool,
}

fn others<'d>(own: &Draft, drafts: &'d [Draft]) -> Result<Vec<Other<'d>>, TestCaseError> {
    let digest = own.source().digest();
    let each = drafts.iter().filter(|draft| *draft != own).map(|draft| {
        let book = paramedic_policies::load::adopted(digest, draft.source())
            .map_err(|problems| TestCaseError::fail(format!("the draft does not load: {}", problems[0])))?;
        let (rehearsals_count, asks_count) = (modes(own) == modes(draft), facts(own) == facts(draft));
        Ok(Other { draft, book: Arc::new(book), rehearsals_count, asks_count })
    });
    each.collect()
}

/// A life, and at each decision the question what other books would have decided: with `more` nothing may ever go where
/// it does not with `less`. It is lived under `less`, or under the first of `more`.
pub(crate) fn never_goes_further(
    less: &Draft,
    more: &[Draft],
    under_more: bool,
    turns: &History,
    tally: &Tally,
) -> Held {
    let own = if under_more { &more[0] } else { less };
    let others = others(own, if under_more { std::slice::from_ref(less) } else { more })?;
    let mut life = Life::new(&[own])?;
    life.live(&turns.0, &mut |decision| {
        let lived = goes(decision.events);
        if *decision.input != Input::Wake {
            prop_assert!(lived.is_empty(), "only a wake-up goes anywhere: {lived:?}");
            return Ok(());
        }
        for other in &others {
            let twin = had(decision.state, &other.book);
            let others = goes(&decide(&twin, &other.book, decision.now, decision.input));
            let (with_less, with_more) = if under_more { (&others, &lived) } else { (&lived, &others) };
            let counts = |far: &Goes| match far {
                Goes::Asks => other.asks_count,
                Goes::Rehearses => other.rehearsals_count,
                Goes::Proposes | Goes::Acts => true,
            };
            for (what, far) in with_more.iter().filter(|(_, far)| counts(far)) {
                let allowed = with_less.get(what);
                prop_assert!(
                    allowed >= Some(far),
                    "at {}, of policy {} on episode {}: with more it {far:?}, with less it {allowed:?}; the other book: {:?}",
                    decision.now,
                    what.1,
                    what.0,
                    other.draft
                );
            }
            if with_less.values().any(|far| *far == Goes::Acts) {
                tally.acted.set(tally.acted.get() + 1);
                let refused = with_more.values().all(|far| *far != Goes::Acts);
                tally.refused.set(tally.refused.get() + u32::from(refused));
            }
        }
        Ok(())
    })
}

/// Whatever is asked for.
fn facts(draft: &Draft) -> (bool, Vec<Vec<String>>) {
    let each = draft.policies.iter().map(|policy| [&policy.lets[..], &policy.when[..]].concat());
    (draft.settings.guards.confirmation, each.collect())
}

fn modes(draft: &Draft) -> (Mode, Vec<(Mode, Vec<bool>)>) {
    let policies = draft.policies.iter();
    let each = policies
        .map(|policy| (policy.mode, policy.ladder.iter().flatten().map(|step| step.approve).collect()));
    (draft.settings.mode, each.collect())
}

/// A guard that is not there yet.
#[derive(Debug, Clone, Copy)]
enum Guard {
    Unless,
    For,
    Let,
    When,
    Limit(LimitScope),
    StepLimit,
    GlobalLimit(LimitScope),
    Targets,
    Unavailable,
    Schedule,
    InStorm,
    Cooldown,
    Relapse,
    Approval,
    StepApproval,
    Cap,
    ProtectedNamespace,
    ProtectingLabel,
    OwnNamespace,
    Confirmation,
    Pace,
    Settle,
    Cluster,
}

/// Some guards that are not there yet.
fn some() -> impl Strategy<Value = Vec<Guard>> {
    use Guard::*;
    let mut all = vec![
        Unless,
        For,
        Let,
        When,
        StepLimit,
        Targets,
        Unavailable,
        Schedule,
        InStorm,
        Cooldown,
        Relapse,
        Approval,
        StepApproval,
        Cap,
        ProtectedNamespace,
        ProtectingLabel,
        OwnNamespace,
        Confirmation,
        Pace,
        Settle,
        Cluster,
    ];
    for by in [LimitScope::Target, LimitScope::Policy, LimitScope::Namespace, LimitScope::Global] {
        all.extend([Limit(by), GlobalLimit(by)]);
    }
    prop::sample::subsequence(all, 1..8)
}

/// The draft with one guard more.
fn with(mut draft: Draft, guard: Guard) -> Draft {
    let one = |by| Limit { max: 1, per: Span::from_hours(1), by };
    let settings = &mut draft.settings;
    let mut each: Box<dyn FnMut(&mut PolicyDraft)> = Box::new(|_| {});
    match guard {
        // All its matchers must meet one alert, so one more of them would be a guard less.
        Guard::Unless => {
            each = Box::new(|policy| {
                if policy.unless.is_empty() {
                    policy.unless.push("namespace=\"stage\"".to_owned());
                }
            });
        }
        Guard::For => each = Box::new(|policy| policy.wait = longer(policy.wait, Span::from_mins(5))),
        Guard::Let => each = Box::new(|policy| policy.lets.push("rack".to_owned())),
        Guard::When => each = Box::new(|policy| policy.when.push("more".to_owned())),
        Guard::Limit(by) => each = Box::new(move |policy| policy.limits.push(one(by))),
        Guard::StepLimit => {
            each = Box::new(move |policy| {
                policy.ladder.iter_mut().flatten().for_each(|step| step.limits.push(one(LimitScope::Target)));
            });
        }
        Guard::GlobalLimit(by) => settings.guards.limits.push(one(by)),
        Guard::Targets => {
            each = Box::new(|policy| {
                policy.targets = policy.targets.or(Some((1, true, Span::from_hours(1))));
            });
        }
        Guard::Unavailable => each = Box::new(|policy| policy.unavailable = policy.unavailable.or(Some(20))),
        Guard::Schedule => {
            each = Box::new(|policy| {
                if policy.schedule.is_empty() {
                    policy.schedule.push("Mon-Fri 09:00-17:00 Europe/Berlin");
                }
            });
        }
        Guard::InStorm => each = Box::new(|policy| policy.in_storm = "withhold"),
        Guard::Cooldown => {
            each = Box::new(|policy| policy.cooldown = longer(policy.cooldown, Span::from_mins(20)))
        }
        Guard::Relapse => {
            each = Box::new(|policy| policy.relapse = longer(policy.relapse, Span::from_mins(20)))
        }
        Guard::Approval => each = Box::new(|policy| policy.mode = policy.mode.min(Mode::Approve)),
        Guard::StepApproval => {
            each = Box::new(|policy| policy.ladder.iter_mut().flatten().for_each(|step| step.approve = true));
        }
        Guard::Cap => settings.mode = settings.mode.min(Mode::Approve),
        Guard::ProtectedNamespace => settings.guards.protected.namespaces.push("prod".to_owned()),
        Guard::ProtectingLabel => settings.guards.protected.labels.push(format!("{PROTECTING}=")),
        Guard::OwnNamespace => {
            if settings.guards.protected.own_namespace.is_empty() {
                settings.guards.protected.own_namespace = "stage".to_owned();
            }
        }
        Guard::Confirmation => settings.guards.confirmation = true,
        Guard::Pace => {
            if settings.guards.pace.every == Span::ZERO {
                settings.guards.pace = Pace { every: Span::from_mins(2), burst: 1 };
            }
        }
        Guard::Settle => settings.guards.settle = longer(settings.guards.settle, Span::from_mins(3)),
        Guard::Cluster => settings.cluster.name = "eu".to_owned(),
    }
    draft.policies.iter_mut().for_each(each);
    draft
}

#[test]
fn guards_only_add_refusals() {
    let tally = Tally::default();
    law(
        96,
        (draft(3), some(), prop::bool::weighted(0.3), history(30)),
        |(less, guards, under_more, turns)| {
            let more: Vec<Draft> = guards.iter().map(|guard| with(less.clone(), *guard)).collect();
            never_goes_further(&less, &more, under_more, &turns, &tally)
        },
    );
    tally.check();
}

#[test]
fn a_guard_that_adds_something_else_is_found() {
    // Planted: what was added is taken for what was there before, so that it lets through what nothing had let through.
    let (tally, some) = (Tally::default(), (draft(3), some(), history(30)));
    let why = breach(96, some, |(less, guards, turns)| {
        guards.iter().try_for_each(|guard| {
            let more = with(less.clone(), *guard);
            never_goes_further(&more, std::slice::from_ref(&less), false, &turns, &tally)
        })
    });
    assert!(why.contains("with more it"), "{why}");
}
