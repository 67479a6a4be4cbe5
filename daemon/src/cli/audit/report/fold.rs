//! Records into incidents. Reads nothing but the records; what refers to a record that is not there is left out, never
//! guessed. Matches every kind of event, so that a new one has to say where it belongs.

use std::collections::BTreeMap;

use paramedic_policies::action::{Action, Intent, Outcome};
use paramedic_policies::alert::Labels;
use paramedic_policies::answer::Found;
use paramedic_policies::event::{Conclusion, Event, Record, Seq};
use paramedic_policies::question::{Ask, Fact};
use paramedic_policies::ruling::Ruling;
use paramedic_policies::state::CaseId;
use paramedic_policies::time::Moment;

use super::figures::{APPROVED, Figures, LAPSED};
use super::incident::{
    ActionTold, CaseTold, Closed, Concluded, Curve, Decision, Deed, Ended, Incident, Lease, Leased, Line,
    Look, Point, Refusal, Verified,
};
use super::lanes::lane;
use crate::cli::audit::ends::has_effect;
use crate::cli::story;

/// Answers that one curve keeps: a long hold asks the same for days.
const POINTS_MAX: usize = 2000;

/// What records tell together.
#[derive(Debug, Clone, Default)]
pub(super) struct Folded {
    pub(super) incidents: Vec<Incident>,
    pub(super) people: Vec<Deed>,
    pub(super) lines: Vec<Line>,
}

/// Folds records in the order of their sequence.
pub(super) fn fold(records: &[Record]) -> Folded {
    let mut fold = Fold::default();
    records.iter().for_each(|record| fold.take(record));
    fold.finished()
}

#[derive(Default)]
struct Fold {
    incidents: BTreeMap<Seq, Incident>,
    cases: BTreeMap<CaseId, CaseTold>,
    /// The case of each intent, and of each proposal.
    intents: BTreeMap<Seq, CaseId>,
    rulings: BTreeMap<Seq, CaseId>,
    questions: BTreeMap<Seq, (CaseId, String, String)>,
    people: Vec<Deed>,
    lines: Vec<Line>,
}

impl Fold {
    fn take(&mut self, record: &Record) {
        let Record { seq, at, event, .. } = record;
        let (seq, at) = (*seq, *at);
        if let Some(lane) = lane(event) {
            self.lines.push(Line { seq, at, lane, text: story::tell(event) });
        }
        match event {
            Event::Opened { labels, annotations, starts_at, by_hand, .. } => {
                if let Some(order) = by_hand {
                    let done = if order.dry_run { "rehearsed" } else { "ran" };
                    self.person(
                        seq,
                        at,
                        &order.by,
                        &format!("{done} {} by hand", order.policy),
                        &order.reason,
                    );
                }
                let incident = self.incident(seq);
                incident.alert = story::alert(labels).to_owned();
                (incident.labels, incident.annotations) = (labels.clone(), annotations.clone());
                incident.by_hand = by_hand.as_deref().cloned();
                incident.starts_at = by_hand.is_none().then_some(*starts_at);
                incident.opened_at = Some(at);
            }
            Event::Closed { episode, why, ended_at } => {
                self.incident(*episode).closed = Some(Closed { at, why: *why, ended_at: *ended_at });
            }
            Event::Asked { question } => {
                if let (Ask::Query { promql }, Fact::When(_) | Fact::Verification) =
                    (&question.ask, &question.fact)
                {
                    let what = (question.case.clone(), question.fact.to_string(), promql.clone());
                    self.questions.insert(seq, what);
                }
            }
            Event::Told { answer } => self.told(answer.question, answer.taken_at, &answer.found),
            Event::Ruled { ruling } => self.ruled(seq, at, ruling),
            Event::Held { case, .. } => {
                if let Some(last) = self.case(case).rulings.last_mut() {
                    last.repeated = last.repeated.saturating_add(1);
                }
            }
            Event::Intended { intent } => self.intended(at, intent),
            Event::Ended { intent, outcome } => self.ended(seq, at, *intent, outcome),
            Event::Looked { intent, holds, seen, .. } => {
                if let Some(action) = self.action(*intent) {
                    action.looks.push(Look { at, holds: *holds, seen: seen.clone() });
                }
            }
            Event::Verified { intent, verdict, seen } => {
                if let Some(action) = self.action(*intent) {
                    action.verified = Some(Verified { seq, at, verdict: *verdict, seen: seen.clone() });
                }
            }
            Event::Concluded { case, conclusion } => {
                self.case(case).conclusion = Some(Concluded { at, how: *conclusion });
            }
            Event::Advanced { case, .. } => {
                // A case that goes on is not over, whatever it was before.
                self.case(case).conclusion = None;
            }
            Event::RevertDropped { intent, into, why } => {
                self.lease(*intent, Leased::Dropped { why: why.clone(), into: *into });
            }
            Event::RevertHeld { intent, until, why, .. } => {
                self.lease(*intent, Leased::Held { until: *until, why: why.clone() });
            }
            Event::RevertOrdered { intent, by, reason, .. } => {
                self.person(seq, at, by, &format!("wants intent {intent} taken back"), reason);
            }
            Event::Cancelled { by, reason, .. } => self.person(seq, at, by, "cancelled the order", reason),
            Event::Approved { proposal, by, comment } => {
                self.answered(seq, at, *proposal, by, APPROVED, comment)
            }
            Event::Denied { proposal, by, comment } => {
                self.answered(seq, at, *proposal, by, "denied", comment)
            }
            Event::Lapsed { proposal } => self.answered(seq, at, *proposal, "nobody", LAPSED, ""),
            Event::Escalated { why, notify, .. } => {
                let whom = if notify.is_empty() { "nobody is named".to_owned() } else { notify.join(", ") };
                self.person(seq, at, &whom, "called", why);
            }
            Event::Raised { page, to, why } => {
                self.person(seq, at, &to.join(", "), &format!("told of call {page} too"), why);
            }
            Event::Acknowledged { page, by, comment } => {
                self.person(seq, at, by, &format!("acknowledged call {page}"), comment);
            }
            Event::OrderRefused { by, why } => {
                self.person(seq, at, by, "gave an order that was refused", why)
            }
            Event::Paused { scope, by, until, reason } => {
                let until = until.map_or("until resumed".to_owned(), |until| format!("until {until}"));
                self.person(seq, at, by, &format!("paused {scope} {until}"), reason);
            }
            Event::Resumed { scope, by } => self.person(seq, at, by, &format!("resumed {scope}"), ""),
            Event::Adopted { by: Some(by), .. } => self.person(seq, at, by, "loaded policies", ""),
            Event::ClockAccepted { by } => self.person(seq, at, by, "accepted the clock", ""),
            // Their line in the timeline says it all.
            Event::Received { .. }
            | Event::Notified { .. }
            | Event::Delivered { .. }
            | Event::Adopted { by: None, .. }
            | Event::StormBegan { .. }
            | Event::StormGoesOn { .. }
            | Event::StormEnded
            | Event::Quarantined { .. }
            | Event::Reigned { .. }
            | Event::Began { .. }
            | Event::ClockStepped { .. } => {}
        }
    }

    fn incident(&mut self, episode: Seq) -> &mut Incident {
        self.incidents.entry(episode).or_insert_with(|| Incident {
            episode,
            alert: String::new(),
            labels: Labels::new(),
            annotations: Labels::new(),
            by_hand: None,
            starts_at: None,
            opened_at: None,
            closed: None,
            cases: Vec::new(),
        })
    }

    fn case(&mut self, id: &CaseId) -> &mut CaseTold {
        self.incident(id.episode);
        self.cases.entry(id.clone()).or_insert_with(|| CaseTold {
            policy: id.policy.clone(),
            rulings: Vec::new(),
            actions: Vec::new(),
            curves: Vec::new(),
            conclusion: None,
            figures: Figures::default(),
        })
    }

    fn action(&mut self, intent: Seq) -> Option<&mut ActionTold> {
        let case = self.intents.get(&intent)?;
        self.cases.get_mut(case)?.actions.iter_mut().find(|action| action.intent == intent)
    }

    fn told(&mut self, question: Seq, at: Moment, found: &Found) {
        let Some((case, fact, promql)) = self.questions.remove(&question) else { return };
        let value = match found {
            Found::Series(series) => match series.as_slice() {
                [one] if one.value.0.is_finite() => Some(one.value.0),
                _ => None,
            },
            Found::Target(_)
            | Found::Preflight(_)
            | Found::Rollout { .. }
            | Found::Http { .. }
            | Found::Absent { .. }
            | Found::Failed { .. } => None,
        };
        let curves = &mut self.case(&case).curves;
        let known = curves.iter().position(|curve| curve.promql == promql && curve.fact == fact);
        let index = known.unwrap_or_else(|| {
            let (recorded, range) = (Vec::new(), Vec::new());
            curves.push(Curve { fact, promql, wanted: None, recorded, range, range_failed: None });
            curves.len() - 1
        });
        if curves[index].recorded.len() < POINTS_MAX {
            curves[index].recorded.push(Point { at, value });
        }
    }

    fn ruled(&mut self, seq: Seq, at: Moment, ruling: &Ruling) {
        let id = CaseId { episode: ruling.episode, policy: ruling.policy.clone() };
        self.rulings.insert(seq, id.clone());
        let incident = self.incident(ruling.episode);
        if incident.alert.is_empty() {
            incident.alert = ruling.alert.clone();
        }
        let refusals = ruling.findings.iter().filter_map(|finding| {
            let (guard, reason) = (finding.guard, finding.reason()?);
            let (name, may_pass) = (story::guard(guard), reason.may_pass());
            Some(Refusal { guard, name, reason: reason.to_string(), may_pass })
        });
        let decision = Decision {
            seq,
            at,
            verdict: ruling.verdict,
            mode: ruling.mode.to_string(),
            target: ruling.target.clone(),
            action: ruling.action.as_ref().map(ToString::to_string),
            looks_only: ruling.action.as_ref().is_some_and(Action::looks_only),
            place: ruling.place.to_string(),
            refusals: refusals.collect(),
            repeated: 0,
            answer: None,
            changes: ruling.diff.iter().flat_map(|diff| diff.fields.clone()).collect(),
        };
        let case = self.case(&id);
        case.rulings.push(decision);
        // A case of a policy that was changed before it had begun is decided anew: it is not over.
        case.conclusion = case.conclusion.take().filter(|ended| ended.how != Conclusion::Withdrawn);
    }

    fn intended(&mut self, at: Moment, intent: &Intent) {
        let id = CaseId::of(intent);
        self.intents.insert(intent.id, id.clone());
        let lease = intent.revert_after.map(|after| Lease { after, due: None, is: Leased::Open });
        self.case(&id).actions.push(ActionTold {
            intent: intent.id,
            at,
            action: intent.action.to_string(),
            looks_only: intent.action.looks_only(),
            target: intent.target.clone(),
            mode: intent.mode,
            rung: intent.rung,
            step: intent.step,
            approved_by: intent.approved_by.clone(),
            reverts: intent.reverts,
            ended: None,
            looks: Vec::new(),
            verified: None,
            lease,
        });
    }

    fn ended(&mut self, seq: Seq, at: Moment, intent: Seq, outcome: &Outcome) {
        let (already, diff) = match outcome {
            Outcome::Done { diff, already } => (*already, diff.as_ref()),
            Outcome::Failed { .. }
            | Outcome::Collected { .. }
            | Outcome::Refused { .. }
            | Outcome::Unknown { .. } => (false, None),
        };
        let applied = has_effect(outcome);
        let Some(action) = self.action(intent) else { return };
        action.ended = Some(Ended {
            seq,
            at,
            outcome: outcome.name(),
            already,
            applied,
            text: story::ended(outcome),
            changes: diff.map(|diff| diff.fields.clone()).unwrap_or_default(),
            source: diff.map(|diff| diff.source.clone()),
            evidence: match outcome {
                Outcome::Collected { evidence } => Some((**evidence).clone()),
                Outcome::Done { .. }
                | Outcome::Refused { .. }
                | Outcome::Failed { .. }
                | Outcome::Unknown { .. } => None,
            },
        });
        if let Some(lease) = &mut action.lease {
            let is_real = applied && action.mode != paramedic_policies::action::Mode::DryRun;
            (lease.due, lease.is) =
                if is_real { (Some(at + lease.after), Leased::Open) } else { (None, Leased::Nothing) };
        }
        let Some(of) = action.reverts else { return };
        let is = match outcome {
            Outcome::Done { .. } | Outcome::Collected { .. } => Leased::Ended { by: intent, at },
            Outcome::Refused { .. } | Outcome::Failed { .. } | Outcome::Unknown { .. } => {
                Leased::Failed { by: intent, what: story::ended(outcome) }
            }
        };
        self.lease(of, is);
    }

    fn lease(&mut self, intent: Seq, is: Leased) {
        if let Some(lease) = self.action(intent).and_then(|action| action.lease.as_mut()) {
            lease.is = is;
        }
    }

    fn answered(&mut self, seq: Seq, at: Moment, proposal: Seq, by: &str, what: &str, comment: &str) {
        let deed = Deed { seq, at, who: by.to_owned(), what: what.to_owned(), comment: comment.to_owned() };
        let case = self.rulings.get(&proposal).and_then(|case| self.cases.get_mut(case));
        let ruling = case.and_then(|case| case.rulings.iter_mut().find(|ruling| ruling.seq == proposal));
        if let Some(ruling) = ruling {
            ruling.answer = Some(deed);
        }
        self.person(seq, at, by, &format!("{what} proposal {proposal}"), comment);
    }

    fn person(&mut self, seq: Seq, at: Moment, who: &str, what: &str, comment: &str) {
        let (who, what, comment) = (who.to_owned(), what.to_owned(), comment.to_owned());
        self.people.push(Deed { seq, at, who, what, comment });
    }

    fn finished(mut self) -> Folded {
        for (id, mut case) in std::mem::take(&mut self.cases) {
            let Some(incident) = self.incidents.get_mut(&id.episode) else { continue };
            for action in &case.actions {
                let Some((wanted, from, to)) = watched(action) else { continue };
                let is_of_it = |curve: &Curve| {
                    curve.fact == VERIFICATION
                        && curve.recorded.iter().any(|point| (from..=to).contains(&point.at))
                };
                for curve in case.curves.iter_mut().filter(|curve| is_of_it(curve)) {
                    curve.wanted = Some(wanted.to_owned());
                }
            }
            case.figures = Figures::of(incident, &case);
            incident.cases.push(case);
        }
        Folded { incidents: self.incidents.into_values().collect(), people: self.people, lines: self.lines }
    }
}

/// What the verification of an action wanted, from its end until the last look.
fn watched(action: &ActionTold) -> Option<(&str, Moment, Moment)> {
    let verified = action.verified.iter().map(|verified| (&verified.seen, verified.at));
    let looks = action.looks.iter().map(|look| (&look.seen, look.at));
    let (seen, to) = looks.chain(verified).rfind(|(seen, _)| seen.contains(WANTED))?;
    let (_, wanted) = seen.split_once(WANTED)?;
    Some((wanted, action.ended.as_ref()?.at, to))
}

/// What stands between a value and what was wanted, in what a verification has seen.
const WANTED: &str = ", wanted ";

/// The name of the fact, as in records.
pub(super) const VERIFICATION: &str = "verification";
