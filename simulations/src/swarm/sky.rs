//! What the weather is like: how likely faults are now, whether the API server is cut off, from which moment Prometheus
//! answers. Whoever is subject to it asks here.

use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use paramedic_policies::time::Moment;

use super::clocks::Clocks;
use super::dice::Dice;
use super::faults::{Chances, Fault};
use super::tape::Recorder;
use crate::world::World;

#[derive(Debug)]
struct Weather {
    chances: Chances,
    cut_off: bool,
    /// A Prometheus that stands still answers from here.
    frozen: Option<Arc<World>>,
    dice: Dice,
}

/// The weather, with the clocks and the tape that everything under it shares.
#[derive(Debug, Clone)]
pub(crate) struct Sky {
    weather: Arc<Mutex<Weather>>,
    /// The clocks.
    pub(crate) clocks: Clocks,
    /// The tape.
    pub(crate) recorder: Recorder,
}

impl Sky {
    /// A clear one.
    pub(crate) fn new(clocks: Clocks, recorder: Recorder, dice: Dice) -> Self {
        let weather = Weather { chances: Chances::default(), cut_off: false, frozen: None, dice };
        Self { weather: Arc::new(Mutex::new(weather)), clocks, recorder }
    }

    /// A clear one at the beginning of time.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        Self::new(Clocks::new(Moment::from_unix_ms(0)), Recorder::new(false), Dice::new(1))
    }

    fn weather(&self) -> MutexGuard<'_, Weather> {
        self.weather.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How likely faults are.
    pub(crate) fn chances(&self) -> Chances {
        self.weather().chances
    }

    /// So likely they are from now on.
    pub(crate) fn set(&self, chances: Chances) {
        self.weather().chances = chances;
    }

    /// Whether the API server is cut off.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.weather().cut_off
    }

    /// The API server is cut off, or is no more.
    pub(crate) fn cut_off(&self, cut_off: bool) {
        self.weather().cut_off = cut_off;
    }

    /// The past from which Prometheus answers, where it does.
    pub(crate) fn past(&self) -> Option<Arc<World>> {
        self.weather().frozen.clone()
    }

    /// Prometheus answers from this past, or from the present.
    pub(crate) fn freeze(&self, past: Option<World>) {
        self.weather().frozen = past.map(Arc::new);
    }

    /// Throws the dice.
    pub(crate) fn throw<T>(&self, throw: impl FnOnce(&mut Dice) -> T) -> T {
        throw(&mut self.weather().dice)
    }

    /// Whether a fault of this chance happens now; if so, it is counted.
    pub(crate) fn strikes(&self, chance: u8, fault: Fault, on: &dyn Display) -> bool {
        let strikes = chance > 0 && self.throw(|dice| dice.percent(chance));
        if strikes {
            self.fault(fault, on);
        }
        strikes
    }

    /// A fault happens.
    pub(crate) fn fault(&self, fault: Fault, on: &dyn Display) {
        self.recorder.fault(self.now(), fault, on);
    }

    /// What time it really is.
    pub(crate) fn now(&self) -> Moment {
        self.clocks.now()
    }
}
