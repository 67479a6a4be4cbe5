//! What would happen to an alert, or why nothing does: the same guards and the same questions as in a decision, on a
//! case of its own. It must never record, act, or change any state.
//!
//! Served by `POST /api/v1/explain` with the live state, and by `paramedic explain --policies` with an empty one.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use paramedic_policies::action::Mode;
use paramedic_policies::alert::{Alert, AlertStatus, EpisodeKey, Labels};
use paramedic_policies::answer::Found;
use paramedic_policies::book::{Book, Digest};
use paramedic_policies::engine;
use paramedic_policies::engine::rule::{Inquiry, Next};
use paramedic_policies::event::{Late, Seq};
use paramedic_policies::policy::{Place, Policy};
use paramedic_policies::question::{Ask, Fact, Question};
use paramedic_policies::ruling::{Ruling, Verdict};
use paramedic_policies::state::{Case, CaseId, Episode, Known, Phase, State};
use paramedic_policies::time::{Moment, Span};
use paramedic_remediations::ports::world::World;
use serde::{Deserialize, Serialize};

mod standing;

pub use standing::{Standing, Then, UnderWay};

/// Rounds of questions after which an inquiry is given up. A case needs three at most (values, target, preflight);
/// more than this would be a circle.
const ROUNDS_MAX: usize = 8;

/// What is to be explained: the body of `POST /api/v1/explain`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Subject {
    /// An alert, as if it fired now.
    Alert(Alert),
    /// An episode that the daemon knows.
    Episode(Seq),
    /// The open episode with this fingerprint: the sender's, or our own key.
    Fingerprint(String),
}

/// What would happen to one alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The alert's name.
    pub alert: String,
    /// Its labels.
    pub labels: Labels,
    /// Its open episode, where the daemon knows one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub episode: Option<Seq>,
    /// Since when it is taken to be open: what `for:` counts from.
    pub open_since: Moment,
    /// When this was looked at.
    pub at: Moment,
    /// Whether the alert says that it is over: then nothing would be done for it, and what policies say is what it would meet
    /// if it fired.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resolved: bool,
    /// When it ended, where it says that it is over, and is not open: then it is explained as if it had fired that long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Moment>,
    /// What is odd about its times, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// Why the daemon opens no episode for it now: it is taken for a late delivery of one that has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late: Option<Late>,
    /// The daemon's cap on modes.
    pub cap: Mode,
    /// Digest of the book in force.
    pub book: Digest,
    /// What every policy says whose matchers meet the alert, by priority, then by name.
    pub policies: Vec<Account>,
    /// The policies whose matchers do not, by name.
    pub others: Vec<Unmatched>,
}

/// What one policy says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// Its description.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// How far the daemon has come with it, where it has begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<Standing>,
    /// What would be decided now, with what every guard says.
    pub ruling: Ruling,
    /// What was asked, and what came back, by the fact's name.
    pub facts: BTreeMap<String, Shown>,
}

/// One fact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    /// What was asked.
    pub ask: Ask,
    /// What came back.
    pub found: Found,
}

/// A policy that does not match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unmatched {
    /// Its name.
    pub policy: String,
    /// Where it is written.
    pub place: Place,
    /// The first matcher that fails.
    pub matcher: String,
    /// What the alert has for that label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub has: Option<String>,
}

/// What would happen to this alert if it were decided now.
///
/// An alert that is open in `state` is explained as that episode, with its history; any other as if it had been
/// open since it began to fire.
pub async fn explain(
    state: &State,
    book: &Book,
    alert: &Alert,
    world: &dyn World,
    now: Moment,
) -> Explanation {
    let key = EpisodeKey::of(&alert.labels, &book.settings().episodes.dropped_labels);
    let known = state.open.get(&key).and_then(|id| state.episodes.get(id));
    let episode = known.cloned().unwrap_or_else(|| imagined(state, book, key, alert, now));
    let explained = of_episode(state, book, &episode, known.is_some(), world, now).await;
    let resolved = alert.status == AlertStatus::Resolved;
    let late = if resolved || known.is_some() { None } else { engine::late(state, now, key, alert) };
    let ended_at = alert.ends_at.filter(|_| resolved && known.is_none());
    let open_since = ended_at.map_or(explained.open_since, |_| alert.starts_at.min(now));
    Explanation { resolved, ended_at, open_since, late, remarks: remarks(alert, now), ..explained }
}

/// What is odd about the times of an alert, and what the daemon would make of it.
fn remarks(alert: &Alert, now: Moment) -> Vec<String> {
    let Alert { starts_at, ends_at, .. } = alert;
    let ahead = (*starts_at > now).then(|| {
        format!(
            "its `startsAt` {starts_at} is still to come: the webhook opens it all the same, and `for` counts from its delivery"
        )
    });
    let backward = ends_at.filter(|end| end < starts_at).map(|end| {
        format!(
            "its `endsAt` {end} is before its `startsAt` {starts_at}: the webhook takes that for the end of an earlier one, and \
             ends nothing"
        )
    });
    ahead.into_iter().chain(backward).collect()
}

/// What would happen to this subject; `None` where the state knows no such episode.
pub async fn of(
    state: &State,
    book: &Book,
    subject: &Subject,
    world: &dyn World,
    now: Moment,
) -> Option<Explanation> {
    let episode =
        match subject {
            Subject::Alert(alert) => return Some(explain(state, book, alert, world, now).await),
            Subject::Episode(id) => state.episodes.get(id)?,
            Subject::Fingerprint(text) => state.episodes.values().rev().find(|episode| {
                episode.fingerprint.as_ref() == Some(text) || episode.key.to_string() == *text
            })?,
        };
    Some(of_episode(state, book, episode, true, world, now).await)
}

async fn of_episode(
    state: &State,
    book: &Book,
    episode: &Episode,
    known: bool,
    world: &dyn World,
    now: Moment,
) -> Explanation {
    let (matching, others) = match &episode.by_hand {
        // No matcher was asked.
        Some(order) => (book.policy(&order.policy).into_iter().collect(), Vec::new()),
        None => {
            let others = book.policies().values().filter_map(|policy| unmatched(policy, &episode.labels));
            (book.matching(&episode.labels), others.collect())
        }
    };
    let accounts = matching.into_iter().map(|policy| account(state, book, policy, episode, world, now));
    Explanation {
        alert: episode.alert().to_owned(),
        labels: episode.labels.clone(),
        episode: known.then_some(episode.id),
        open_since: episode.opened_at,
        at: now,
        resolved: false,
        ended_at: None,
        remarks: Vec::new(),
        late: None,
        cap: book.settings().mode,
        book: book.digest(),
        policies: join_all(accounts).await,
        others,
    }
}

/// An episode that nobody has recorded. It has been open since the alert began to fire, for a person wants to know
/// what its policies do, not that `for:` has just begun.
fn imagined(state: &State, book: &Book, key: EpisodeKey, alert: &Alert, now: Moment) -> Episode {
    Episode {
        id: state.next,
        key,
        labels: alert.labels.clone(),
        annotations: alert.annotations.clone(),
        starts_at: alert.starts_at,
        opened_at: now - fired_for(alert, now),
        seen_at: now,
        expires_at: now + book.settings().episodes.expiry,
        // What is over is explained as if it fired, and said to be over.
        closed_at: None,
        fingerprint: alert.fingerprint.clone(),
        correlation: "explain".to_owned(),
        by_hand: None,
    }
}

/// How long the alert has been open: until now, or until it ended.
fn fired_for(alert: &Alert, now: Moment) -> Span {
    let end = alert.ends_at.filter(|_| alert.status == AlertStatus::Resolved);
    end.unwrap_or(now).min(now).since(alert.starts_at)
}

async fn account(
    state: &State,
    book: &Book,
    policy: &Policy,
    episode: &Episode,
    world: &dyn World,
    now: Moment,
) -> Account {
    let id = CaseId { episode: episode.id, policy: policy.name.clone() };
    let existing = state.cases.get(&id);
    let mut case = existing.cloned().unwrap_or_else(|| fresh(book, policy, id, now));
    // A ladder that has begun finishes under its own book.
    let policy = existing.and_then(|case| state.policy_of(case)).unwrap_or(policy);
    let next = standing::next(state, policy, &case);
    let mut anew = None;
    if let Some(next) = next {
        // What is done is done: it is what comes then that guards are asked about.
        case = standing::moved(&case, next, now);
    } else if matches!(case.phase, Phase::Acting { .. } | Phase::Verifying { .. } | Phase::Resting) {
        // Nothing of this episode follows: what another alert of this kind would meet.
        let other = Episode { id: state.next, closed_at: None, opened_at: now, ..episode.clone() };
        case = fresh(book, policy, CaseId { episode: other.id, policy: policy.name.clone() }, now);
        anew = Some(other);
    }
    // Facts of an earlier round show nothing; all are asked anew.
    case.facts.clear();
    let judged = anew.as_ref().unwrap_or(episode);
    let mut asked: BTreeMap<String, Shown> = BTreeMap::new();
    let mut rounds = 0;
    let mut ruling = loop {
        let inquiry = Inquiry {
            state,
            book,
            policy,
            episode: judged,
            case: &case,
            now,
            ask_anyway: rounds < ROUNDS_MAX,
        };
        if let Some(rung) = inquiry.relapsed_to() {
            case.rung = rung;
            case.facts.remove(&Fact::Preflight);
            continue;
        }
        let asks = match inquiry.next() {
            Next::Rule(ruling) => break *ruling,
            Next::Ask(asks) => asks,
        };
        rounds += 1;
        let deadline = now + book.settings().facts.deadline;
        let questions: Vec<Question> = asks
            .into_iter()
            .map(|(fact, ask)| Question { id: Seq(0), case: case.id.clone(), fact, ask, deadline })
            .collect();
        let answers = join_all(questions.iter().map(|question| answer(world, question, book))).await;
        for (question, found) in questions.into_iter().zip(answers) {
            let known = Known { taken_at: now, found: found.clone() };
            asked.insert(question.fact.to_string(), Shown { ask: question.ask, found });
            case.facts.insert(question.fact, known);
        }
    };
    ruling.episode = episode.id;
    let would_be = next.is_some().then_some(ruling.verdict);
    let standing = existing.map(|case| standing::standing(state, policy, case, would_be));
    if let Some(waits) = standing.as_ref().and_then(|standing| standing.under_way.as_ref())
        && matches!(ruling.verdict, Verdict::Act | Verdict::Propose { .. })
    {
        ruling.verdict = Verdict::Hold { until: waits.until };
    }
    Account { description: policy.description.clone(), standing, ruling, facts: asked }
}

/// One answer, within the deadline that a decision would give it.
async fn answer(world: &dyn World, question: &Question, book: &Book) -> Found {
    let within = book.settings().facts.deadline;
    match tokio::time::timeout(within.duration(), world.answer(question)).await {
        Ok(found) => found,
        Err(_) => Found::Failed { what: format!("no answer within {within}") },
    }
}

fn fresh(book: &Book, policy: &Policy, id: CaseId, now: Moment) -> Case {
    Case {
        id,
        book: book.digest(),
        priority: policy.priority,
        rung: 0,
        step: 0,
        attempts: 0,
        fact_failures: 0,
        acted: false,
        rung_begun: false,
        ended: None,
        acted_on: None,
        also_on: BTreeSet::new(),
        begun_by: None,
        looked: false,
        target: None,
        lets: BTreeMap::new(),
        facts: BTreeMap::new(),
        phase: Phase::Waiting { due: now },
        last_ruling: None,
        kept: None,
    }
}

/// The first matcher that these labels do not meet.
fn unmatched(policy: &Policy, labels: &Labels) -> Option<Unmatched> {
    if policy.is_only_by_hand() {
        return Some(Unmatched {
            policy: policy.name.clone(),
            place: policy.place.clone(),
            matcher: "none: it is only run by hand".to_owned(),
            has: None,
        });
    }
    let failed = policy.matchers.iter().find(|matcher| !matcher.meets(labels))?;
    Some(Unmatched {
        policy: policy.name.clone(),
        place: policy.place.clone(),
        matcher: failed.to_string(),
        has: labels.get(&failed.name).cloned(),
    })
}
