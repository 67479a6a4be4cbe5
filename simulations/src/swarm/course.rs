//! One run: the world, its weather, its people, and processes that come and go in it, in virtual time and in one thread.
//! What happens is written on the tape; nothing is judged here.

use std::collections::BTreeMap;
use std::sync::Arc;

use paramedic_policies::alert::{Alert, AlertStatus};
use paramedic_policies::event::Record;
use paramedic_policies::input::Input;
use paramedic_policies::order::{Command, Order};
use paramedic_policies::target::Target;
use paramedic_policies::time::{Moment, Span};
use paramedic_remediations::Remedies;
use paramedic_remediations::ports::world::World as Outside;
use tokio::time::sleep_until;

use super::api_server::ApiServer;
use super::clocks::Clocks;
use super::dice::Dice;
use super::disk::Disk;
use super::faults::Fault;
use super::parts::Parts;
use super::people::People;
use super::plan::{Happening, Plan};
use super::pods::Pods;
use super::process::{Process, Said};
use super::prometheus::Prometheus;
use super::receiver::Pager;
use super::sky::Sky;
use super::tape::{Acknowledged, Ordered, Recorder, Reign};
use super::traffic::{Letter, Traffic};
use crate::SimulatedCluster;

/// How often rules are evaluated.
const EVALUATE_EVERY: Span = Span::from_secs(15);

/// How often GitOps controllers compare.
const GITOPS_EVERY: Span = Span::from_secs(20);

/// Something that is to be done at its time.
#[derive(Debug, Clone)]
enum Task {
    Happens(Happening),
    Evaluate,
    Repeat,
    Deliver(Letter),
    OperatorsLook,
    GitOps,
}

/// Who waits for an answer.
enum Waiter {
    Delivery(Letter, String),
    Order(Command),
}

/// One run.
pub(crate) struct Course {
    plan: Plan,
    parts: Parts,
    sky: Sky,
    disk: Disk,
    cluster: SimulatedCluster,
    agenda: BTreeMap<(Moment, u64), Task>,
    tasks: u64,
    process: Option<Process<Waiter>>,
    traffic: Traffic,
    people: People,
    dice: Dice,
    declared: BTreeMap<Target, u32>,
    /// Whether the lease is with our process, or would be.
    leads: bool,
    is_calm: bool,
}

/// What a run leaves behind.
pub(crate) struct Left {
    /// What the world saw.
    pub(crate) recorder: Recorder,
    /// What is on the disk.
    pub(crate) records: Vec<Record>,
    /// When it ended.
    pub(crate) ended: Moment,
}

impl Course {
    /// A run of this plan. Must be made where tokio's time is paused.
    pub(crate) fn new(plan: Plan, parts: Parts, tells: bool) -> Self {
        let mut dice = plan.dice.clone();
        let recorder = Recorder::new(tells);
        let sky = Sky::new(Clocks::new(plan.begins), recorder, dice.fork());
        let disk = Disk::new(sky.clone(), dice.fork());
        let cluster = SimulatedCluster::new(plan.world.clone(), sky.clocks.right());
        let declared =
            plan.world.workloads.iter().map(|(target, one)| (target.clone(), one.replicas)).collect();
        let mut course = Self {
            parts,
            sky,
            disk,
            cluster,
            agenda: BTreeMap::new(),
            tasks: 0,
            process: None,
            traffic: Traffic::new(plan.manners),
            people: People::new(plan.operators, dice.fork()),
            dice,
            declared,
            leads: true,
            is_calm: false,
            plan,
        };
        for (at, happening) in std::mem::take(&mut course.plan.happenings) {
            course.then(at, Task::Happens(happening));
        }
        let begins = course.plan.begins;
        course.then(begins + Span::from_secs(1), Task::Evaluate);
        course.then(begins + GITOPS_EVERY, Task::GitOps);
        course.then(begins + course.plan.operators.every, Task::OperatorsLook);
        course.then(begins + course.traffic.repeat_every(), Task::Repeat);
        course
    }

    fn then(&mut self, at: Moment, task: Task) {
        self.tasks += 1;
        self.agenda.insert((at, self.tasks), task);
    }

    /// Runs until everything rests, or its time is over.
    pub(crate) async fn run(mut self) -> Left {
        while self.sky.now() < self.plan.bound && !self.is_over() {
            self.answer();
            let Some(first) = self.agenda.first_entry() else { break };
            let due = first.key().0;
            if due <= self.sky.now() {
                let task = first.remove();
                self.perform(task);
                continue;
            }
            match &mut self.process {
                Some(process) => process.live_until(due).await,
                None => sleep_until(self.sky.clocks.instant(due)).await,
            }
        }
        if let Some(process) = &self.process {
            process.compare();
        }
        Left { recorder: self.sky.recorder.clone(), records: self.disk.records(), ended: self.sky.now() }
    }

    /// Whether nothing is left to happen. The engine is asked only when to stop looking; whether that is right is judged by
    /// what it left behind.
    fn is_over(&self) -> bool {
        if self.sky.recorder.tape().stuck.is_some() {
            return true;
        }
        let Some(engine) = self.process.as_ref().and_then(Process::engine) else { return false };
        let state = engine.state();
        self.sky.now() > self.plan.mended + Span::from_mins(2)
            && state.open.is_empty()
            && state.episodes.is_empty()
            && state.leases.is_empty()
            && state.in_flight.is_empty()
            && engine.ahead().is_settled()
    }

    /// Those who waited get their answers.
    fn answer(&mut self) {
        let answers = self.process.as_mut().map(Process::answers).unwrap_or_default();
        self.said(answers);
    }

    fn said(&mut self, answers: Vec<(Waiter, Said)>) {
        let at = self.sky.now();
        for (waiter, said) in answers {
            match (waiter, said) {
                (Waiter::Delivery(letter, correlation), Some((_, end, _))) => {
                    let durable = self.disk.durable();
                    let alerts = letter.alerts;
                    let one = Acknowledged { at, durable, end, correlation, alerts };
                    self.sky.recorder.tape().acknowledged.push(one);
                }
                (Waiter::Delivery(letter, _), None) => self.send_again(letter),
                (Waiter::Order(command), Some((_, end, refusal))) => {
                    let line = match &refusal {
                        None => format!("! an operator orders {command:?}"),
                        Some(why) => format!("! an operator orders {command:?}, which is refused: {why}"),
                    };
                    self.sky.recorder.line(at, || line);
                    if refusal.is_none() && matches!(command, Command::Deny { .. }) {
                        self.sky.fault(Fault::Denied, &"");
                    }
                    self.sky.recorder.tape().orders.push(Ordered { at, end, command, refusal });
                }
                (Waiter::Order(command), None) => self.people.unanswered(&command),
            }
        }
    }

    fn send_again(&mut self, letter: Letter) {
        if let Some((at, letter)) = self.traffic.again(letter, self.sky.now()) {
            self.then(at, Task::Deliver(letter));
        }
    }

    fn order(&mut self, command: Command) {
        let input = Input::Order(Order { by: "ann".to_owned(), command: command.clone() });
        let taken = match &mut self.process {
            Some(process) => process.take(&input, Waiter::Order(command)),
            None => Err(Waiter::Order(command)),
        };
        if let Err(waiter) = taken {
            self.said(vec![(waiter, None)]);
        }
    }

    fn perform(&mut self, task: Task) {
        let now = self.sky.now();
        match task {
            Task::Happens(happening) => self.happen(happening),
            Task::Evaluate => {
                self.evaluate();
                self.then(now + EVALUATE_EVERY, Task::Evaluate);
            }
            Task::Repeat => {
                for (at, letter) in self.traffic.repeat(&self.sky) {
                    self.then(at, Task::Deliver(letter));
                }
                self.then(now + self.traffic.repeat_every(), Task::Repeat);
            }
            Task::Deliver(letter) => {
                let delivery = self.traffic.delivery(&letter);
                let waiter = Waiter::Delivery(letter, delivery.correlation.clone());
                let taken = match &mut self.process {
                    Some(process) => process.take(&Input::Alerts(delivery), waiter),
                    None => Err(waiter),
                };
                if let Err(waiter) = taken {
                    self.said(vec![(waiter, None)]);
                }
            }
            Task::OperatorsLook => {
                let shown = self.process.as_ref().and_then(Process::engine).map(|engine| engine.state());
                let orders = shown.map(|state| self.people.look(state)).unwrap_or_default();
                orders.into_iter().for_each(|command| self.order(command));
                self.then(now + self.plan.operators.every, Task::OperatorsLook);
            }
            Task::GitOps => {
                self.gitops();
                self.then(now + GITOPS_EVERY, Task::GitOps);
            }
        }
    }

    fn evaluate(&mut self) {
        let now = self.sky.now();
        let firing = self.cluster.with(|world| world.firing());
        {
            let mut tape = self.sky.recorder.tape();
            for (labels, spells) in &mut tape.fired {
                if let Some((_, end @ None)) = spells.last_mut()
                    && !firing.iter().any(|alert| alert.labels == *labels)
                {
                    *end = Some(now);
                }
            }
            for alert in &firing {
                let spells = tape.fired.entry(alert.labels.clone()).or_default();
                if spells.last().is_none_or(|(_, end)| end.is_some()) {
                    spells.push((alert.starts_at, None));
                }
            }
        }
        for (at, letter) in self.traffic.notify(&self.sky, &firing) {
            self.then(at, Task::Deliver(letter));
        }
    }

    /// Controllers put back what they own.
    fn gitops(&mut self) {
        let declared = &self.declared;
        let put_back: Vec<Target> = self.cluster.with(|world| {
            let tracks = |one: &crate::world::Workload| {
                one.gitops.as_ref().is_some_and(|gitops| gitops.tracks_replicas) && one.hpa.is_none()
            };
            let owned: Vec<(Target, u32)> = world
                .workloads
                .values()
                .filter(|one| tracks(one))
                .filter_map(|one| Some((one.target.clone(), *declared.get(&one.target)?)))
                .filter(|(target, wanted)| world.workloads[target].replicas != *wanted)
                .collect();
            for (target, wanted) in &owned {
                world.scale(target, *wanted, "argocd", "argocd-controller");
            }
            owned.into_iter().map(|(target, _)| target).collect()
        });
        for target in put_back {
            self.wrote(&target, Fault::GitOpsPutBack);
        }
    }

    fn wrote(&mut self, target: &Target, fault: Fault) {
        self.sky.fault(fault, target);
        let now = self.sky.now();
        self.sky.recorder.tape().wrote.push((now, target.clone()));
    }

    fn boot(&mut self) {
        if self.process.is_some() {
            return;
        }
        let server = Arc::new(ApiServer::new(self.cluster.clone(), self.sky.clone(), self.disk.clone()));
        let pods = Pods { cluster: self.cluster.clone(), sky: self.sky.clone(), disk: self.disk.clone() };
        let prometheus = Prometheus::new(self.cluster.clone(), self.sky.clone());
        let max_age = self.plan.source.settings.facts.max_age;
        let remedies = Remedies::with_hands(
            Some((self.parts.hands)(server)),
            Arc::new(pods),
            (self.parts.metrics)(prometheus, max_age),
            self.sky.clocks.of_process(),
        )
        .with_courier(Arc::new(Pager { sky: self.sky.clone() }));
        let outside = (self.parts.outside)(Arc::new(remedies) as Arc<dyn Outside>);
        let now = self.sky.now();
        self.sky.recorder.line(now, || "# a process begins".to_owned());
        let wanted = self.plan.source.clone();
        self.process = Some(Process::begin(self.parts, &self.sky, &self.disk, outside, (wanted, self.leads)));
    }

    fn happen(&mut self, happening: Happening) {
        let (now, sky) = (self.sky.now(), self.sky.clone());
        match happening {
            Happening::Trouble { series, on, sick, cure } => {
                let place = match on.kind.as_str() {
                    "Service" => "service",
                    "Address" => "client_address",
                    "Node" => "node",
                    _ => "workload",
                };
                let labels = [(place, &*on.name), ("namespace", &*on.namespace)];
                let labels = if on.namespace.is_empty() { &labels[..1] } else { &labels };
                let recovery = self.dice.secs(5..=60);
                self.sky.recorder.line(now, || format!("# {series} of {on} becomes {sick}"));
                self.cluster.with(|world| world.begin(series, labels, sick, cure, recovery));
            }
            Happening::Heal => self.cluster.with(|world| world.heal()),
            Happening::PodsFail(target) => {
                sky.fault(Fault::PodsFailed, &target);
                self.cluster.with(|world| {
                    if let Some(workload) = world.workloads.get_mut(&target) {
                        workload.pods.iter_mut().for_each(|pod| pod.ready_at = None);
                    }
                });
            }
            Happening::PodsRecover(target) => self.recover(&target),
            Happening::Scale(target, to) => {
                self.cluster.with(|world| world.scale(&target, to, "ben", "kubectl"));
                self.wrote(&target, Fault::PersonScaled);
            }
            Happening::Deploy(target) => {
                self.cluster.with(|world| world.deploy(&target, "ben"));
                self.wrote(&target, Fault::PersonDeployed);
            }
            Happening::Burst(alerts) => self.burst(alerts),
            Happening::Forged(target) => {
                sky.fault(Fault::AlertForged, &target);
                let labels = [
                    ("alertname", "HighErrors"),
                    ("namespace", &target.namespace),
                    ("severity", "critical"),
                    ("workload", &target.name),
                ];
                let alert = alert(&labels, now);
                self.then(now, Task::Deliver(letter(vec![alert], now)));
            }
            Happening::Weather(chances) => sky.set(chances),
            Happening::CutOff(cut_off) => {
                if cut_off {
                    sky.fault(Fault::CutOff, &"");
                }
                sky.cut_off(cut_off);
            }
            Happening::Stale(true) => sky.freeze(Some(self.cluster.with(|world| world.clone()))),
            Happening::Stale(false) => sky.freeze(None),
            Happening::Crash(down) => {
                if let Some(process) = self.process.take() {
                    sky.fault(Fault::Crash, &"");
                    sky.recorder.tape().crashes.push(now);
                    let answers = process.crash();
                    self.said(answers);
                    self.then(now + down, Task::Happens(Happening::Boot));
                }
            }
            Happening::Boot => self.boot(),
            Happening::Step(by_ms) => {
                sky.fault(Fault::ClockStepped, &Span::from_ms(by_ms.unsigned_abs()));
                sky.clocks.step(by_ms);
                sky.recorder.tape().bends.push((now, by_ms));
            }
            Happening::Drift(ppm) => {
                sky.fault(Fault::ClockDrifted, &ppm);
                sky.clocks.drift(ppm);
            }
            Happening::Pause(scope, span) => {
                sky.fault(Fault::Paused, &scope);
                let until = span.map(|span| sky.clocks.wall() + span);
                self.order(Command::Pause { scope, until, reason: "drawn".to_owned() });
            }
            Happening::Adopt => {
                sky.fault(Fault::BookAdopted, &"");
                self.plan.source = self.plan.other.clone();
                let wanted = self.plan.source.clone();
                if let Some(process) = &mut self.process {
                    process.adopt(wanted);
                }
            }
            Happening::Reign(leads) => self.reign(leads),
            Happening::Calm => self.calm(),
        }
    }

    /// The lease moves: to another process, which does nothing here, and back.
    fn reign(&mut self, leads: bool) {
        if self.leads == leads {
            return;
        }
        if !leads {
            self.sky.fault(Fault::LeaseLost, &"");
        }
        self.leads = leads;
        match &mut self.process {
            Some(process) => process.reign(leads),
            None => {
                let at = self.sky.now();
                self.sky.recorder.tape().reigns.push(Reign { at, leads });
            }
        }
    }

    fn recover(&mut self, target: &Target) {
        let now = self.sky.now();
        self.cluster.with(|world| {
            if let Some(workload) = world.workloads.get_mut(target) {
                let failed = workload.pods.iter_mut().filter(|pod| pod.ready_at.is_none());
                failed.for_each(|pod| pod.ready_at = Some(now));
            }
        });
    }

    fn burst(&mut self, alerts: u32) {
        let now = self.sky.now();
        self.sky.fault(Fault::Burst, &alerts);
        for number in 0..alerts {
            let number = number.to_string();
            let labels = [("alertname", "Stranger"), ("number", number.as_str())];
            let (firing, at) = (alert(&labels, now), now + self.dice.ms(0..=8000));
            self.then(at, Task::Deliver(letter(vec![firing.clone()], at)));
            let over = at + self.dice.secs(60..=300);
            let ended = Alert { status: AlertStatus::Resolved, ends_at: Some(over), ..firing };
            self.then(over, Task::Deliver(letter(vec![ended], over)));
        }
    }

    /// Faults stop: everything works again, people set right what they left.
    fn calm(&mut self) {
        let now = self.sky.now();
        self.is_calm = true;
        self.sky.recorder.line(now, || "# the faults stop".to_owned());
        self.sky.set(super::faults::Chances::default());
        self.sky.cut_off(false);
        self.sky.freeze(None);
        self.sky.clocks.drift(0);
        self.traffic.calm();
        self.people.calm();
        let targets: Vec<Target> = self.declared.keys().cloned().collect();
        targets.iter().for_each(|target| self.recover(target));
        self.reign(true);
        self.boot();
    }
}

fn alert(labels: &[(&str, &str)], now: Moment) -> Alert {
    Alert {
        status: AlertStatus::Firing,
        labels: labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        annotations: Default::default(),
        starts_at: now,
        ends_at: None,
        fingerprint: None,
    }
}

fn letter(alerts: Vec<Alert>, at: Moment) -> Letter {
    Letter { alerts, attempt: 0, until: at + Span::from_mins(5) }
}
