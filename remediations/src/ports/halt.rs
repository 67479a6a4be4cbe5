//! Whether an effect that is under way may still go on: what somebody has paused, protected or taken the lead of since it
//! began must not make one more change. Every request of an effect but the first asks, by the one way in which anything is
//! sent (`remedy::BothHands`); what was done counts as applied, so that its lease takes it back. It never breaks off a request
//! that was sent.
//!
//! No effect is left out of this, since none is worse by half than whole: a policy without its binding freezes nothing, a freeze
//! with its binding that did not reach Argo CD or Flux refuses what it refuses until it is taken back, a wall isolates only the pods
//! that carry its label, and what is let go or thawed by half is merely let go later.

use tokio::sync::watch;

/// What an effect asks between two changes.
#[derive(Debug, Clone)]
pub struct Halt(watch::Receiver<Option<String>>);

/// What says it.
#[derive(Debug)]
pub struct Stopper(watch::Sender<Option<String>>);

impl Halt {
    /// For whom nobody can stop.
    pub fn never() -> Self {
        Self(watch::channel(None).1)
    }

    /// One that can be stopped, and what stops it.
    pub fn with_stopper() -> (Self, Stopper) {
        let (stopper, halt) = watch::channel(None);
        (Self(halt), Stopper(stopper))
    }

    /// Whether the next change may be made.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn may_go_on(&self) -> Result<(), String> {
        self.0.borrow().clone().map_or(Ok(()), Err)
    }
}

impl Stopper {
    /// What holds from now on: why nothing more may be changed, or nothing.
    pub fn says(&self, why: Option<String>) {
        self.0.send_if_modified(|said| {
            let changed = *said != why;
            *said = why;
            changed
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on_until_somebody_says_why_not_and_again_when_that_is_over() {
        let (halt, stopper) = Halt::with_stopper();
        assert_eq!(halt.may_go_on(), Ok(()));
        stopper.says(Some("paused by ann".to_owned()));
        assert_eq!(halt.may_go_on(), Err("paused by ann".to_owned()));
        stopper.says(None);
        assert_eq!(halt.may_go_on(), Ok(()));
        drop(stopper);
        assert_eq!((halt.may_go_on(), Halt::never().may_go_on()), (Ok(()), Ok(())));
    }
}
