//! What many seeds came to, as a table.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use paramedic_policies::time::Span;

use super::Told;
use super::faults::Fault;
use super::oracles::Violation;

/// What many seeds came to.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// How many ran.
    pub seeds: u64,
    /// The time that passed in them.
    pub virtual_time: Span,
    /// Alerts that were acknowledged.
    pub alerts: u64,
    /// Records on disks.
    pub records: u64,
    /// Intents among them.
    pub intents: u64,
    /// Requests that changed a world.
    pub effects: u64,
    /// Faults that were injected.
    pub faults: BTreeMap<Fault, u64>,
    /// Seeds in which a law was broken, with what was said.
    pub failures: Vec<(u64, Vec<Violation>)>,
}

/// Failures that are shown; the rest is counted.
const FAILURES_SHOWN_MAX: usize = 20;

impl Summary {
    /// Adds a seed.
    pub fn add(&mut self, told: &Told) {
        self.seeds += 1;
        self.virtual_time = Span::from_ms(self.virtual_time.ms() + told.virtual_time.ms());
        self.alerts += told.alerts;
        self.records += told.records;
        self.intents += told.intents;
        self.effects += told.effects;
        for (fault, count) in &told.faults {
            *self.faults.entry(*fault).or_default() += count;
        }
        if !told.violations.is_empty() {
            self.failures.push((told.seed, told.violations.clone()));
        }
    }

    /// In how many seeds one of these oracles spoke.
    pub fn caught_by(&self, oracles: &[&str]) -> usize {
        let speaks = |one: &Violation| oracles.contains(&one.oracle);
        self.failures.iter().filter(|(_, violations)| violations.iter().any(speaks)).count()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = [
            ("seeds", self.seeds.to_string()),
            ("virtual time", format!("{} days", self.virtual_time.ms() / 86_400_000)),
            ("alerts acknowledged", self.alerts.to_string()),
            ("records", self.records.to_string()),
            ("intents", self.intents.to_string()),
            ("changes of a world", self.effects.to_string()),
        ];
        for (what, count) in rows {
            writeln!(f, "{what:<52} {count:>12}")?;
        }
        writeln!(f, "\nfaults")?;
        for (fault, count) in &self.faults {
            writeln!(f, "  {:<50} {count:>12}", fault.name())?;
        }
        match self.failures.len() {
            0 => writeln!(f, "\nall laws held in every seed"),
            failed => {
                writeln!(f, "\nlaws were broken in {failed} of {} seeds", self.seeds)?;
                let mut by_oracle: BTreeMap<&str, usize> = BTreeMap::new();
                for (_, violations) in &self.failures {
                    let spoke: BTreeSet<&str> = violations.iter().map(|one| one.oracle).collect();
                    spoke.into_iter().for_each(|oracle| *by_oracle.entry(oracle).or_default() += 1);
                }
                for (oracle, seeds) in by_oracle {
                    writeln!(f, "  {oracle:<50} {seeds:>12}")?;
                }
                for (seed, violations) in self.failures.iter().take(FAILURES_SHOWN_MAX) {
                    writeln!(f, "  seed {seed}: cargo run -p paramedic-simulations -- swarm --seed {seed}")?;
                    for one in violations.iter().take(4) {
                        writeln!(f, "    {}: {}", one.oracle, one.says)?;
                    }
                }
                Ok(())
            }
        }
    }
}
