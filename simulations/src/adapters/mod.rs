//! The ports of the remediations, answered by the simulated world. Each look lets the world's time pass first. The
//! production remediations run against it unchanged: nothing of them is written again here.

mod cluster;
mod http;
mod metrics;
pub(crate) mod promql;

pub(crate) use metrics::answer_from;

use std::sync::{Arc, Mutex, MutexGuard};

use paramedic_remediations::Remedies;
use paramedic_remediations::ports::clock::Clock;

use crate::world::World;

/// A simulated world that can be shared, with a clock of its own.
#[derive(Clone)]
pub struct SimulatedCluster {
    world: Arc<Mutex<World>>,
    clock: Clock,
}

impl std::fmt::Debug for SimulatedCluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimulatedCluster").finish_non_exhaustive()
    }
}

impl SimulatedCluster {
    /// A world that lives by this clock.
    pub fn new(world: World, clock: Clock) -> Self {
        Self { world: Arc::new(Mutex::new(world)), clock }
    }

    /// The clock it lives by.
    pub fn clock(&self) -> Clock {
        Arc::clone(&self.clock)
    }

    /// Looks at the world, or changes it, as it is now.
    pub fn with<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        look(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        let mut world = match self.world.lock() {
            Ok(world) => world,
            // A test that failed inside `with` left data that is as good as before.
            Err(poisoned) => poisoned.into_inner(),
        };
        world.advance((self.clock)());
        world
    }

    /// The production remediations with this world as everything outside.
    pub fn remedies(&self) -> Remedies {
        let world = Arc::new(self.clone());
        // What is simulated holds no secret.
        Remedies::with_hands(Some(world.clone()), world.clone(), world, self.clock())
            .with_redaction(Arc::new(str::to_owned))
    }
}
