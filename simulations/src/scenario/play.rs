//! Plays one scenario: the production loop and remedies on its world, in time of its own. Nothing of the real time, the
//! real network or chance comes in, so the same scenario takes the same course every time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use paramedic_policies::action::{Intent, Mode, Outcome};
use paramedic_policies::alert::{Alert, AlertStatus, Labels};
use paramedic_policies::answer::Found;
use paramedic_policies::book::{Book, Source};
use paramedic_policies::event::{Event, Record, Seq};
use paramedic_policies::load::Problem;
use paramedic_policies::notifications::{Notice, Receipt};
use paramedic_policies::order::{Command, Past};
use paramedic_policies::question::{Ask, Question};
use paramedic_policies::ruling::Verdict;
use paramedic_policies::settings::Settings;
use paramedic_policies::time::{Moment, Span};
use paramedic_remediations::ports::halt::Halt;
use paramedic_remediations::ports::world::{Deliveries, World as Outside};
use paramedic_remediations::{Remedies, Sealed};

use super::document::{AlertDocument, ChangeDocument, FaultDocument, FaultWord, OrderDocument, RunDocument};
use super::fact_document::FactDocument;
use super::judge::{self, Miss};
use super::schedule::{self, Happening};
use super::story::Story;
use super::{Scenario, setting};
use crate::adapters::SimulatedCluster;
use crate::run::{Memory, Run};
use crate::world::facts::Said;
use crate::world::{Fault, World, kinds};

/// What became of a scenario.
#[derive(Debug)]
pub struct Played {
    /// What happened, as people read it, each with the time since the beginning.
    pub story: Vec<String>,
    /// All records.
    pub records: Vec<Record>,
    /// What was expected and is otherwise; empty where all is as expected.
    pub misses: Vec<Miss>,
    /// What Prometheus was asked and was not told.
    pub untold: Vec<String>,
    /// What it was told and was never asked.
    pub unasked: Vec<Unasked>,
}

/// A fact of a scenario that nothing asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unasked {
    /// Where it stands.
    pub line: usize,
    /// And in which column.
    pub column: usize,
    /// What it is about, as it is written.
    pub about: String,
}

/// Plays a scenario under the policies of a book.
///
/// # Errors
/// Where the policies do not load under its settings.
///
/// # Panics
/// Where the engine does not come to rest, which is a mistake of ours.
pub fn play(scenario: &Scenario, book: &Book) -> Result<Played, Vec<Problem>> {
    let own = scenario.book(book)?;
    let unmatched = judge::unmatched(scenario, own.as_ref().unwrap_or(book));
    let source = match own {
        // With other variables other policies may match.
        Some(own) => own.source().clone(),
        None => concerned(scenario, book),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without threads and sockets needs nothing that could be missing");
    // Inside, since time stands still only there.
    let mut played = runtime.block_on(async { Play::of(scenario, source).end().await });
    played.misses.splice(0..0, unmatched);
    Ok(played)
}

/// The source with those files alone whose policies match an alert of the scenario: the others would have no case, and a
/// book takes far longer to load than a scenario to play.
fn concerned(scenario: &Scenario, book: &Book) -> Source {
    let spec = &scenario.document.spec;
    let mut files: BTreeSet<String> = BTreeSet::new();
    for labels in spec.alerts.iter().flat_map(labels) {
        files.extend(book.matching(&labels).into_iter().map(|policy| policy.place.file.clone()));
    }
    for run in spec.orders.iter().filter_map(|order| order.run.as_ref()) {
        files.extend(book.policy(&run.policy).map(|policy| policy.place.file.clone()));
    }
    let source = book.source();
    Source {
        files: source.files.iter().filter(|file| files.contains(&file.path)).cloned().collect(),
        // A scenario shows what the policies say; who wants them capped writes so.
        settings: Settings { mode: Mode::Enforce, ..source.settings.clone() },
        tzdb: source.tzdb.clone(),
    }
}

impl Scenario {
    /// One of its facts that nobody asked.
    fn unasked(&self, index: usize) -> Option<Unasked> {
        let FactDocument { series, query, policy, place, .. } = self.document.spec.facts.get(index)?;
        let asked = || Some(format!("{} of {}", place.as_ref()?, policy.as_ref()?));
        let about = series.clone().or_else(|| query.clone()).or_else(asked)?;
        let (line, column) = self.place(&format!("/spec/facts/{index}"));
        Some(Unasked { line, column, about })
    }
}

struct Play<'s> {
    scenario: &'s Scenario,
    run: Run,
    misses: Vec<Miss>,
    /// When each alert last began, by its place.
    began: BTreeMap<usize, Moment>,
}

impl<'s> Play<'s> {
    fn of(scenario: &'s Scenario, source: Source) -> Self {
        let spec = &scenario.document.spec;
        let mut world = setting::world(&spec.world, &source.settings, scenario.begins);
        setting::tell(&spec.facts, scenario.begins, &mut world);
        let outside = |cluster: &SimulatedCluster| {
            let remedies = cluster.remedies().with_courier(Arc::new(EveryMessageArrives));
            Arc::new(Told { remedies, cluster: cluster.clone() }) as Arc<dyn Outside>
        };
        let run = Run::told(world, source, Memory::Lasting, None, outside);
        Self { scenario, run, misses: Vec::new(), began: BTreeMap::new() }
    }

    async fn end(mut self) -> Played {
        let (happenings, end) = schedule::of(self.scenario);
        for (at, happening) in happenings.into_iter().filter(|(at, _)| *at <= end) {
            self.run.pass_until(at).await;
            self.happen(happening);
        }
        self.run.pass_until(end).await;
        let (scenario, run) = (self.scenario, &self.run);
        let mut misses = self.misses;
        let story = Story::of(run.records(), scenario.begins);
        misses.extend(judge::judge(scenario, run, &story));
        misses.extend(judge::idle(scenario, &story));
        misses.sort_by_key(|miss| (miss.line, miss.column));
        let unasked = run.world(|world| world.facts.unasked());
        Played {
            story: story.lines,
            records: run.records().to_vec(),
            misses,
            untold: run.world(|world| world.facts.untold().map(str::to_owned).collect()),
            unasked: unasked.into_iter().filter_map(|index| scenario.unasked(index)).collect(),
        }
    }

    fn happen(&mut self, happening: Happening) {
        let spec = &self.scenario.document.spec;
        match happening {
            Happening::Breaks(index) => self.breaks(&spec.faults[index]),
            Happening::Mends(index) => self.mends(index),
            Happening::Changes(index) => self.changes(&spec.changes[index]),
            Happening::Fires(index) => {
                self.began.insert(index, self.run.now());
                self.fires(&spec.alerts[index]);
            }
            Happening::Ends(index) => self.ends(&spec.alerts[index]),
            Happening::Repeats(index) => self.repeats(index),
            Happening::Orders(index) => self.orders(index, &spec.orders[index]),
            Happening::Looks(index) => self.misses.extend(judge::state(self.scenario, &self.run, index)),
        }
    }

    /// One that ends while another of its kind goes on mends nothing.
    fn mends(&mut self, index: usize) {
        let faults = &self.scenario.document.spec.faults;
        let (what, now) = (faults[index].what, self.run.now().since(self.scenario.begins));
        let goes_on = faults.iter().any(|other| {
            other.what == what && other.from <= now && other.until.is_none_or(|until| until > now)
        });
        if !goes_on {
            self.set_outage(what, false);
        }
    }

    fn set_outage(&mut self, what: FaultWord, is: bool) {
        self.run.world(|world| match what {
            FaultWord::PrometheusDown => world.outages.prometheus = is,
            FaultWord::KubernetesDown => world.outages.kubernetes = is,
            FaultWord::HttpDown => world.outages.http = is,
            FaultWord::RequestLost
            | FaultWord::AnswerLost
            | FaultWord::Conflict
            | FaultWord::ServerError
            | FaultWord::TooManyRequests
            | FaultWord::Denied => {}
        });
    }

    fn breaks(&mut self, fault: &FaultDocument) {
        let kind = match fault.what {
            FaultWord::PrometheusDown | FaultWord::KubernetesDown | FaultWord::HttpDown => {
                return self.set_outage(fault.what, true);
            }
            FaultWord::RequestLost => Fault::LosesRequests,
            FaultWord::AnswerLost => Fault::LosesAnswers,
            FaultWord::Conflict => Fault::Conflicts,
            FaultWord::ServerError => Fault::Fails,
            FaultWord::TooManyRequests => Fault::TooManyRequests,
            FaultWord::Denied => Fault::Denies,
        };
        let until = fault.until.map(|until| self.scenario.begins + until);
        self.run.world(|world| world.faults.begin(kind, until, fault.changes));
    }

    fn changes(&mut self, change: &ChangeDocument) {
        if change.daemon_restarts {
            return self.run.restart();
        }
        self.run.world(|world| {
            let now = world.now();
            if let Some(named) = &change.deploy
                && let Some(workload) = world.workloads.get_mut(&setting::target(named))
            {
                let usual = workload.pod_ready.or(Some(Span::from_secs(20)));
                workload.deploy(now, change.image.as_deref(), if change.broken { None } else { usual });
            }
            if let (Some(named), Some(to)) = (&change.scale, change.to) {
                world.scale(&setting::target(named), to, &change.by, &change.by);
            }
            if let Some(object) = &change.put
                && let Ok(at) = setting::address_of(object)
            {
                world.put(at, object.clone());
            }
            if let Some(at) = change.delete.as_ref().and_then(|named| kinds::address(&setting::target(named)))
            {
                world.workloads.remove(&crate::world::api_server::target_of(&at));
                world.remove(&at);
            }
        });
    }

    fn fires(&mut self, alert: &AlertDocument) {
        let all = labels(alert);
        if alert.forged {
            let now = self.run.now();
            let alerts = all.into_iter().map(|labels| webhook(labels, AlertStatus::Firing, now));
            return self.run.deliver(alerts.collect(), 0);
        }
        self.run.world(|world| each(&all, |labels| world.fire(labels)));
        self.run.evaluate();
    }

    /// Alertmanager sends this alert again, and no other one.
    fn repeats(&mut self, index: usize) {
        let alert = &self.scenario.document.spec.alerts[index];
        let all = labels(alert);
        if alert.forged {
            let began = self.began.get(&index).copied().unwrap_or(self.scenario.begins);
            let alerts = all.into_iter().map(|labels| webhook(labels, AlertStatus::Firing, began));
            return self.run.deliver(alerts.collect(), 0);
        }
        self.run.repeat_some(&all);
    }

    fn ends(&mut self, alert: &AlertDocument) {
        let all = labels(alert);
        if alert.forged {
            let now = self.run.now();
            let alerts = all.into_iter().map(|labels| webhook(labels, AlertStatus::Resolved, now));
            return self.run.deliver(alerts.collect(), 0);
        }
        self.run.world(|world| each(&all, |labels| world.quench(labels)));
        self.run.evaluate();
    }

    fn orders(&mut self, index: usize, order: &OrderDocument) {
        let comment = order.reason.clone();
        let until = order.lasts.map(|lasts| self.run.now() + lasts);
        let pause = order.pause.as_ref().and_then(setting::scope);
        let resume = order.resume.as_ref().and_then(setting::scope);
        let reason = order.reason.clone();
        let command = if let Some(RunDocument { policy, labels, dry_run }) = order.run.clone() {
            let key = format!("scenario-{}", index + 1);
            Some(Command::Run { policy, labels, reason, dry_run, key })
        } else if let Some(policy) = &order.undo {
            self.action(policy).map(|past| {
                let (intent, past) = (past.intent.id, Some(Box::new(past)));
                Command::Undo { intent, only: Vec::new(), reason, past }
            })
        } else if let Some(policy) = &order.approve {
            self.proposal(policy).map(|proposal| Command::Approve { proposal, comment })
        } else if let Some(policy) = &order.deny {
            self.proposal(policy).map(|proposal| Command::Deny { proposal, comment })
        } else if let Some(scope) = pause {
            Some(Command::Pause { scope, until, reason })
        } else if let Some(scope) = resume {
            Some(Command::Resume { scope })
        } else {
            self.page().map(|page| Command::Acknowledge { page, comment })
        };
        let refusal = match command {
            Some(command) => self.run.order(&order.by, command),
            None => Some("there is nothing that this order could be about".to_owned()),
        };
        let miss = judge::order(self.scenario, index, order, refusal.as_deref(), self.run.records());
        self.misses.extend(miss);
    }

    /// The newest proposal of a policy.
    fn proposal(&self, policy: &str) -> Option<Seq> {
        self.run.records().iter().rev().find_map(|record| match &record.event {
            Event::Ruled { ruling } if ruling.policy == policy => {
                matches!(ruling.verdict, Verdict::Propose { .. }).then_some(record.seq)
            }
            _ => None,
        })
    }

    /// The newest action of a policy that took nothing back.
    fn action(&self, policy: &str) -> Option<Past> {
        let records = self.run.records();
        let intent = records.iter().rev().find_map(|record| match &record.event {
            Event::Intended { intent } if intent.policy == policy && intent.reverts.is_none() => Some(intent),
            _ => None,
        })?;
        Some(Past::of((**intent).clone(), records.iter().map(|record| record.event.clone())))
    }

    /// The newest call for a person.
    fn page(&self) -> Option<Seq> {
        let called = |record: &&Record| matches!(record.event, Event::Escalated { .. });
        self.run.records().iter().rev().find(called).map(|record| record.seq)
    }
}

/// The labels of all copies of an alert.
pub(super) fn labels(alert: &AlertDocument) -> Vec<Labels> {
    let Some(copies) = alert.copies else { return vec![alert.labels.clone()] };
    let copy = |number: u32| {
        let mut labels = alert.labels.clone();
        labels.insert("instance".to_owned(), number.to_string());
        labels
    };
    (1..=copies).map(copy).collect()
}

fn each(all: &[Labels], mut act: impl FnMut(&[(&str, &str)])) {
    for labels in all {
        let pairs: Vec<(&str, &str)> =
            labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        act(&pairs);
    }
}

fn webhook(labels: Labels, status: AlertStatus, now: Moment) -> Alert {
    let ends_at = (status == AlertStatus::Resolved).then_some(now);
    Alert { status, labels, annotations: Labels::new(), starts_at: now, ends_at, fingerprint: None }
}

/// The production remedies, but for what a scenario tells of single places of a policy.
struct Told {
    remedies: Remedies,
    cluster: SimulatedCluster,
}

#[async_trait]
impl Outside for Told {
    async fn answer(&self, question: &Question) -> Found {
        let told = self.cluster.with(|world: &mut World| {
            let is_query = matches!(question.ask, Ask::Query { .. });
            if !is_query || world.outages.prometheus {
                return None;
            }
            let (position, spell) = world.facts.place(&question.case.policy, &question.fact, world.now())?;
            let spell = spell.clone();
            world.facts.asked([position]);
            Some(spell)
        });
        let Some(spell) = told else { return self.remedies.answer(question).await };
        tokio::time::sleep(spell.takes.duration()).await;
        match spell.said {
            Said::Samples(samples) => Found::Series(samples),
            Said::Fails(what) => Found::Failed { what },
        }
    }

    async fn perform(&self, seal: &Sealed<Intent>, halt: &Halt) -> Outcome {
        self.remedies.perform(seal, halt).await
    }

    async fn close(&self, seal: &Sealed<Intent>) -> Outcome {
        self.remedies.close(seal).await
    }

    async fn deliver(&self, notice: &Sealed<Notice>) -> Receipt {
        self.remedies.deliver(notice).await
    }
}

/// A courier to receivers that take everything.
struct EveryMessageArrives;

#[async_trait]
impl Deliveries for EveryMessageArrives {
    async fn deliver(&self, _: &Sealed<Notice>) -> Receipt {
        Receipt::Taken { said: "taken".to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use paramedic_policies::book::{Source, SourceFile};
    use paramedic_policies::load;

    use super::super::{play, read};

    /// The state has forgotten what is over and lasts; the records have not.
    #[test]
    fn what_lasts_is_undone_long_after_it_was_done() {
        let policy = "apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: cart-slow}
spec:
  mode: enforce
  match: ['alertname=\"A\"']
  target: {kind: Deployment, namespace: shop, name: cart}
  ladder: [{scale: {by: 2, max: 9}}]
";
        let scenario = "apiVersion: paramedic.dev/v1alpha1
kind: Scenario
metadata: {name: a}
spec:
  world: {workloads: [{namespace: shop, name: cart, replicas: 4}]}
  alerts: [{labels: {alertname: A}, until: 5m}]
  orders: [{at: 20m, by: ana, undo: cart-slow}]
  expect: {state: [{kind: Deployment, namespace: shop, name: cart, field: spec.replicas, is: 4}], actions: [{do: 4 -> 6}, {do: 6 -> 4, takesBack: true}]}
";
        let files = vec![SourceFile { path: "cart.yaml".to_owned(), text: policy.to_owned() }];
        let source = Source { files, settings: Default::default(), tzdb: String::new() };
        let book = load::book(source).expect("it loads");
        let played = play(&read(scenario, "cart.yaml").expect("it can be read")[0], &book);
        let misses = played.expect("it can be played").misses;
        let misses: Vec<String> = misses.iter().map(|one| format!("{}: {}", one.what, one.found)).collect();
        assert_eq!(misses, [""; 0]);
    }
}
