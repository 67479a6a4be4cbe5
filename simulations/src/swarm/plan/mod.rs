//! What a seed comes to: a world, a book, and when what happens. Drawn as a whole before anything runs, so that what the
//! process does cannot change what is in store for it.

mod happenings;
mod policies;
mod world;

use paramedic_policies::action::Mode;
use paramedic_policies::book::{Source, SourceFile};
use paramedic_policies::notifications::{Rate, Receiver, Slack};
use paramedic_policies::policy::{BlastTargets, InStorm, Limit, LimitScope};
use paramedic_policies::settings::Settings;
use paramedic_policies::target::Target;
use paramedic_policies::time::{Moment, Span};
use serde_json::Value;

use super::dice::Dice;
use crate::world::World;

pub(crate) use happenings::Happening;

/// The name of the only receiver.
pub(crate) const PAGER: &str = "pager";

/// A policy as it was drawn. Oracles believe this, and not what the engine read.
#[derive(Debug, Clone)]
pub(crate) struct Drawn {
    /// Its name.
    pub(crate) name: String,
    /// The alert that it is for.
    pub(crate) alert: &'static str,
    /// How far it goes.
    pub(crate) mode: Mode,
    /// Its ceilings.
    pub(crate) limits: Vec<Limit>,
    /// How many targets it may hit.
    pub(crate) blast: Option<BlastTargets>,
    /// What it does in a storm.
    pub(crate) in_storm: InStorm,
    /// Its document.
    pub(crate) document: Value,
}

/// How the Alertmanagers behave, in percent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manners {
    /// How many peers there are.
    pub(crate) peers: u32,
    /// A delivery is lost for good.
    pub(crate) lost: u8,
    /// A delivery comes twice.
    pub(crate) twice: u8,
    /// A delivery comes minutes late.
    pub(crate) late: u8,
    /// The end of an alert is never told.
    pub(crate) resolved_lost: u8,
    /// `repeat_interval`.
    pub(crate) repeat: Span,
}

/// How the operators behave.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operators {
    /// How often somebody looks.
    pub(crate) every: Span,
    /// In percent: a proposal that is seen is approved,
    pub(crate) approve: u8,
    /// or denied; otherwise it lapses.
    pub(crate) deny: u8,
}

/// What a seed comes to.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// When it begins.
    pub(crate) begins: Moment,
    /// When all troubles end.
    pub(crate) mended: Moment,
    /// By when everything must rest.
    pub(crate) bound: Moment,
    /// The world on a quiet day.
    pub(crate) world: World,
    /// What nothing may touch.
    pub(crate) protected: Vec<Target>,
    /// Policies.
    pub(crate) policies: Vec<Drawn>,
    /// The book.
    pub(crate) source: Source,
    /// The same with a change, which is adopted some time.
    pub(crate) other: Source,
    /// What happens when.
    pub(crate) happenings: Vec<(Moment, Happening)>,
    /// How Alertmanager behaves.
    pub(crate) manners: Manners,
    /// How people behave.
    pub(crate) operators: Operators,
    /// For what is thrown underway.
    pub(crate) dice: Dice,
}

/// Saturday morning.
fn morning() -> Moment {
    Moment::from_unix_ms(1_795_248_000_000)
}

impl Plan {
    /// What this seed comes to.
    pub(crate) fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let begins = morning();
        let world::Drawn { world, workloads, services, addresses, nodes, protected } =
            world::draw(&mut dice.fork(), begins);
        let policies = policies::draw(&mut dice.fork(), &services, &addresses);
        let settings = settings(&mut dice);
        let expiry = settings.episodes.expiry;
        let source = source(&policies, settings);
        let mut other = source.clone();
        // Whoever adopts a book anew changes the text, and the limits stay.
        other.files[0].text.push_str("\n# changed\n");
        let calm = begins + dice.secs(12 * 60..=30 * 60);
        let mended = calm + dice.secs(3 * 60..=12 * 60);
        let places = happenings::Places {
            workloads: &workloads,
            services: &services,
            addresses: &addresses,
            nodes: if policies.iter().any(|one| one.alert == "NodeSick") { &nodes } else { &[] },
        };
        let store = happenings::Store { begins, calm, mended, storm: &source.settings.guards.storm };
        let happenings = happenings::draw(&mut dice.fork(), &places, &store);
        let manners = Manners {
            peers: if dice.percent(60) { 2 } else { 1 },
            lost: *dice.among(&[0, 0, 10, 25]),
            twice: *dice.among(&[0, 10, 30]),
            late: *dice.among(&[0, 0, 10, 30]),
            resolved_lost: *dice.among(&[0, 0, 30]),
            repeat: dice.secs(15 * 60..=40 * 60),
        };
        let operators = Operators {
            every: dice.secs(20..=120),
            approve: *dice.among(&[20, 50, 80]),
            deny: *dice.among(&[5, 20]),
        };
        Self {
            begins,
            mended,
            // An episode that nobody ends, what it left to be taken back, and what waits for a window in between.
            bound: mended + expiry + Span::from_hours(5),
            world,
            protected,
            policies,
            source,
            other,
            happenings,
            manners,
            operators,
            dice,
        }
    }

    /// A policy by its name.
    pub(crate) fn policy(&self, name: &str) -> Option<&Drawn> {
        self.policies.iter().find(|policy| policy.name == name)
    }
}

fn settings(dice: &mut Dice) -> Settings {
    let mut settings = Settings { mode: Mode::Enforce, ..Settings::default() };
    let guards = &mut settings.guards;
    guards.limits =
        vec![Limit { max: dice.count(3..=12), per: dice.secs(1200..=3600), by: LimitScope::Global }];
    guards.settle = dice.secs(0..=120);
    guards.pace.every = dice.secs(1..=20);
    guards.pace.burst = dice.count(1..=4);
    guards.storm.alerts_per_minute = dice.count(8..=20);
    guards.storm.calm = dice.secs(180..=600);
    guards.stuck_after = dice.secs(300..=1800);
    settings.episodes.expiry = dice.secs(45 * 60..=80 * 60);
    settings.facts.retry = dice.secs(10..=30);
    let pager = Receiver {
        slack: Some(Slack { url_file: "/run/pager".to_owned() }),
        rate: Rate { max: 1000, per: Span::from_mins(10) },
        ..Receiver::default()
    };
    settings.notifications.receivers.insert(PAGER.to_owned(), pager);
    settings
}

fn source(policies: &[Drawn], settings: Settings) -> Source {
    let file = |policy: &Drawn| SourceFile {
        path: format!("policies/{}.yaml", policy.name),
        text: serde_json::to_string_pretty(&policy.document).expect("a document can be written"),
    };
    Source { files: policies.iter().map(file).collect(), settings, tzdb: "simulated".to_owned() }
}

#[cfg(test)]
mod tests {
    use paramedic_policies::load;

    use super::*;

    #[test]
    fn every_book_that_is_drawn_loads() {
        for seed in 0..40 {
            let checked = load::check(Plan::of(seed).source);
            let problems: Vec<String> = checked.problems.iter().map(ToString::to_string).collect();
            assert!(checked.book.is_some(), "seed {seed}: {}", problems.join("\n"));
        }
    }

    #[test]
    fn the_same_seed_comes_to_the_same() {
        let told = |seed: u64| format!("{:?}", Plan::of(seed));
        assert_eq!(told(4711), told(4711));
        assert_ne!(told(4711), told(4712));
    }
}
