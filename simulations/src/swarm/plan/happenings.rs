//! What happens when, for a seed: troubles, weather, crashes, clocks, people. Nothing of it depends on what the process
//! does.

use paramedic_policies::order::PauseScope;
use paramedic_policies::settings::StormSettings;
use paramedic_policies::target::Target;
use paramedic_policies::time::{Moment, Span};

use super::super::dice::Dice;
use super::super::faults::Chances;
use super::world::{BREAKERS, DEPENDENCY, ERRORS, LATENCY, LOGINS, NODES};
use crate::world::Cure;

/// One thing that happens.
#[derive(Debug, Clone)]
pub(crate) enum Happening {
    /// Something goes wrong with one place.
    Trouble {
        /// Which series are sick.
        series: &'static str,
        /// Of which workload, service, address or node.
        on: Target,
        /// How sick.
        sick: f64,
        /// What makes it well.
        cure: Cure,
    },
    /// All troubles end.
    Heal,
    /// Pods of this workload fail.
    PodsFail(Target),
    /// They are well again.
    PodsRecover(Target),
    /// A person sets replicas.
    Scale(Target, u32),
    /// A person deploys.
    Deploy(Target),
    /// So many alerts that no policy knows come at once.
    Burst(u32),
    /// Alerts come that never fired.
    Forged(Target),
    /// The weather changes.
    Weather(Chances),
    /// The API server is cut off, or is no more.
    CutOff(bool),
    /// Prometheus stands still, or goes on.
    Stale(bool),
    /// The process is forgotten, and begins again after a while.
    Crash(Span),
    /// A process begins.
    Boot,
    /// Somebody sets the wall clock.
    Step(i64),
    /// The wall clock runs otherwise.
    Drift(i64),
    /// An operator pauses for so long, or until somebody resumes.
    Pause(PauseScope, Option<Span>),
    /// Another book is adopted.
    Adopt,
    /// The lease is ours, or another's.
    Reign(bool),
    /// Faults stop.
    Calm,
}

/// Where things happen.
pub(super) struct Places<'a> {
    pub(super) workloads: &'a [Target],
    pub(super) services: &'a [Target],
    pub(super) addresses: &'a [Target],
    /// Those that a policy may drain.
    pub(super) nodes: &'a [Target],
}

/// When things happen.
pub(super) struct Store<'a> {
    pub(super) begins: Moment,
    pub(super) calm: Moment,
    pub(super) mended: Moment,
    pub(super) storm: &'a StormSettings,
}

pub(super) fn draw(dice: &mut Dice, places: &Places<'_>, store: &Store<'_>) -> Vec<(Moment, Happening)> {
    let mut all = vec![(store.begins, Happening::Boot)];
    let stormy = store.calm.since(store.begins).ms() / 1000;
    let at = |dice: &mut Dice| store.begins + dice.secs(5..=stormy - 60);
    for _ in 0..dice.number(2..=8) {
        all.push((at(dice), trouble(dice, places)));
    }
    // Often the trouble is already there when the worst begins.
    if dice.one_in(2) {
        all.push((store.begins + Span::from_secs(2), trouble(dice, places)));
    }
    if !places.nodes.is_empty() {
        let from = at(dice);
        a_sick_node(dice, places, from, &mut all);
    }
    weather(dice, store, &mut all);
    if dice.one_in(4) {
        let from = at(dice);
        from_the_past(dice, places, from, &mut all);
    }
    for _ in 0..dice.number(0..=3) {
        all.push((at(dice), Happening::Crash(dice.secs(2..=90))));
    }
    if dice.one_in(4) {
        // A process that dies again and again.
        let from = at(dice);
        (0..4).for_each(|_| all.push((from + dice.secs(1..=40), Happening::Crash(dice.secs(1..=3)))));
    }
    clocks(dice, &at, &mut all);
    for _ in 0..dice.number(0..=2) {
        let target = dice.among(places.workloads).clone();
        let from = at(dice);
        all.push((from, Happening::PodsFail(target.clone())));
        all.push((from + dice.secs(30..=400), Happening::PodsRecover(target)));
    }
    for _ in 0..dice.number(0..=2) {
        let target = dice.among(places.workloads).clone();
        let what = if dice.one_in(2) {
            Happening::Scale(target, dice.count(1..=6))
        } else {
            Happening::Deploy(target)
        };
        all.push((at(dice), what));
    }
    if dice.one_in(3) {
        let above = store.storm.alerts_per_minute;
        let alerts = if dice.one_in(4) { above / 2 } else { above + dice.count(1..=10) };
        all.push((at(dice), Happening::Burst(alerts)));
    }
    if dice.one_in(5) {
        all.push((at(dice), Happening::Forged(dice.among(places.workloads).clone())));
    }
    for _ in 0..dice.number(0..=1) {
        let target = dice.among(places.workloads).clone();
        let scope = match dice.number(0..=3) {
            0 => PauseScope::Everything,
            1 => PauseScope::Namespace(target.namespace),
            2 => PauseScope::Policy("p0".to_owned()),
            _ => PauseScope::Target(target),
        };
        let until = dice.one_in(2).then(|| dice.secs(60..=900));
        all.push((at(dice), Happening::Pause(scope, until)));
    }
    if dice.one_in(6) {
        all.push((at(dice), Happening::Adopt));
    }
    for _ in 0..dice.number(0..=5).saturating_sub(3) {
        let from = at(dice);
        all.push((from, Happening::Reign(false)));
        all.push((from + dice.secs(5..=600), Happening::Reign(true)));
    }
    all.push((store.calm, Happening::Calm));
    all.push((store.mended, Happening::Heal));
    all
}

fn trouble(dice: &mut Dice, places: &Places<'_>) -> Happening {
    if !places.services.is_empty() && dice.one_in(4) {
        let on = dice.among(places.services).clone();
        let cure = Cure::BreakerClosed(on.clone(), DEPENDENCY.to_owned());
        return Happening::Trouble { series: BREAKERS, on, sick: 1.0, cure };
    }
    if !places.addresses.is_empty() && dice.one_in(5) {
        let on = dice.among(places.addresses).clone();
        return Happening::Trouble { series: LOGINS, on, sick: 400.0, cure: Cure::Nothing };
    }
    let on = dice.among(places.workloads).clone();
    let (series, sick) = *dice.among(&[(ERRORS, 0.4), (ERRORS, 0.4), (LATENCY, 3.0)]);
    let cure = match dice.number(0..=3) {
        0 | 1 => Cure::Restarted(on.clone()),
        2 => Cure::Ready(on.clone(), dice.count(4..=7)),
        _ => Cure::Nothing,
    };
    Happening::Trouble { series, on, sick, cure }
}

/// A node is sick, and now and then somebody stops what is done about it, or another process takes the lead.
fn a_sick_node(dice: &mut Dice, places: &Places<'_>, from: Moment, all: &mut Vec<(Moment, Happening)>) {
    let on = dice.among(places.nodes).clone();
    let cure = if dice.one_in(2) { Cure::Cordoned(on.name.clone()) } else { Cure::Nothing };
    all.push((from, Happening::Trouble { series: NODES, on, sick: 1.0, cure }));
    let soon = from + dice.secs(25..=120);
    match dice.number(0..=2) {
        0 => {
            let namespace = (*dice.among(&["shop", "bank"])).to_owned();
            let until = dice.one_in(2).then(|| dice.secs(30..=300));
            all.push((soon, Happening::Pause(PauseScope::Namespace(namespace), until)));
        }
        1 => {
            all.push((soon, Happening::Reign(false)));
            all.push((soon + dice.secs(5..=120), Happening::Reign(true)));
        }
        _ => {}
    }
}

/// Two to five spells of weather, each with faults of its own.
fn weather(dice: &mut Dice, store: &Store<'_>, all: &mut Vec<(Moment, Happening)>) {
    let spells = dice.number(2..=5);
    let length = store.calm.since(store.begins).ms() / spells;
    for spell in 0..spells {
        let from = store.begins + Span::from_ms(spell * length);
        let mut chance = |most: u8| -> u8 {
            if dice.one_in(3) { u8::try_from(dice.number(1..=u64::from(most))).unwrap_or(0) } else { 0 }
        };
        let chances = Chances {
            request_lost: chance(30),
            request_late: chance(30),
            answer_lost: chance(40),
            conflict: chance(30),
            too_many: chance(40),
            server_error: chance(30),
            look_failed: chance(40),
            look_slow: chance(30),
            query_failed: chance(40),
            query_slow: chance(40),
            query_empty: chance(20),
            query_nan: chance(20),
            message_lost: chance(50),
            append_failed: chance(4),
            append_slow: chance(20),
        };
        all.push((from, Happening::Weather(chances)));
        let within = |dice: &mut Dice| from + dice.ms(1000..=length.max(2000));
        if dice.one_in(4) {
            let at = within(dice);
            all.push((at, Happening::CutOff(true)));
            all.push((at + dice.secs(5..=180), Happening::CutOff(false)));
        }
        if dice.one_in(3) {
            let at = within(dice);
            all.push((at, Happening::Stale(true)));
            all.push((at + dice.secs(60..=600), Happening::Stale(false)));
        }
    }
}

/// Trouble that is over, a Prometheus that stood still while it lasted, and a delivery that says that it lasts.
fn from_the_past(dice: &mut Dice, places: &Places<'_>, from: Moment, all: &mut Vec<(Moment, Happening)>) {
    let on = dice.among(places.workloads).clone();
    let trouble = Happening::Trouble { series: ERRORS, on: on.clone(), sick: 0.4, cure: Cure::Nothing };
    all.push((from, trouble));
    let stale = from + dice.secs(5..=40);
    all.push((stale, Happening::Stale(true)));
    all.push((stale + dice.secs(1..=20), Happening::Heal));
    let forged = stale + dice.secs(150..=400);
    all.push((forged, Happening::Forged(on)));
    all.push((forged + dice.secs(60..=200), Happening::Stale(false)));
}

fn clocks(dice: &mut Dice, at: &impl Fn(&mut Dice) -> Moment, all: &mut Vec<(Moment, Happening)>) {
    if dice.one_in(3) {
        let ppm = *dice.among(&[-2000, -200, 200, 2000]);
        all.push((at(dice), Happening::Drift(ppm)));
    }
    if dice.one_in(4) {
        let by_ms = *dice.among(&[-600_000, -90_000, -20_000, 20_000, 90_000, 1_200_000, 7_200_000]);
        all.push((at(dice), Happening::Step(by_ms)));
    }
}
