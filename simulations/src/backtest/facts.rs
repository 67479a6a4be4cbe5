//! What is known of the world at a moment of the past. What nobody can know any more is said so, and never answered.

use async_trait::async_trait;
use paramedic_policies::answer::Found;
use paramedic_policies::question::Ask;
use paramedic_policies::time::Moment;

/// What could be learned.
#[derive(Debug, Clone, PartialEq)]
pub enum Learned {
    /// The answer of that time; a failure to get it is one too.
    Found(Found),
    /// This history does not tell.
    NotKnown,
}

/// Answers questions about the past.
#[async_trait]
pub trait Facts: Send + Sync {
    /// The answer as it was at a moment.
    async fn learn(&self, ask: &Ask, at: Moment) -> Learned;

    /// Whether the answers of that time were kept, those of the cluster and of `ALERTS` too: they are then asked for, and
    /// only what was not kept is assumed.
    fn is_recorded(&self) -> bool {
        false
    }
}

/// A history of alerts alone.
#[derive(Debug, Clone, Copy)]
pub struct NoFacts;

#[async_trait]
impl Facts for NoFacts {
    async fn learn(&self, _ask: &Ask, _at: Moment) -> Learned {
        Learned::NotKnown
    }
}
