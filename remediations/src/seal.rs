//! The proof, in a type, that something was recorded before it is done. It must never be made of anything but a receipt.

use std::ops::Deref;

use paramedic_policies::action::Intent;
use paramedic_policies::notifications::Notice;

use crate::ports::journal::Receipt;

/// A value whose record is durable, with the stamp that ties its traces to the journal. Only the write-ahead
/// loop makes one, from an append's receipt: of the block that holds it, or, after a restart, of a later one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed<T> {
    value: T,
    stamp: String,
}

impl Sealed<Intent> {
    /// Seals an intent of the journal with this uuid. Visible to the loop alone.
    ///
    /// # Panics
    /// When the receipt does not reach to its record: what is not recorded must not be done.
    pub(crate) fn mint(intent: Intent, journal: &str, receipt: &Receipt) -> Self {
        assert!(intent.id < receipt.end, "a receipt up to {} is none for intent {}", receipt.end, intent.id);
        let stamp = format!("{journal}-{}", intent.id);
        Self { value: intent, stamp }
    }
}

impl Sealed<Notice> {
    /// Seals a message of the journal with this uuid. Visible to the loop alone.
    ///
    /// # Panics
    /// When the receipt does not reach to its record.
    pub(crate) fn message(notice: Notice, journal: &str, receipt: &Receipt) -> Self {
        assert!(notice.id < receipt.end, "a receipt up to {} is none for message {}", receipt.end, notice.id);
        let stamp = format!("{journal}-{}", notice.id);
        Self { value: notice, stamp }
    }
}

impl<T> Sealed<T> {
    /// `<journal uuid>-<seq>`: put on everything the effect touches.
    pub fn stamp(&self) -> &str {
        &self.stamp
    }
}

impl<T> Deref for Sealed<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

#[cfg(test)]
mod tests {
    use paramedic_policies::action::Action;
    use paramedic_policies::book::Digest;
    use paramedic_policies::event::Seq;
    use paramedic_policies::remediation::restart;

    use super::*;

    /// Intent 7, sealed on a receipt that ends before this record.
    fn minted(end: u64) -> Sealed<Intent> {
        let intent = crate::fakes::intent(Action::Restart(restart::Action { generation: 3 }));
        let receipt = Receipt { first: Seq(1), end: Seq(end), root: Digest::of(b"root") };
        Sealed::mint(intent, "journal", &receipt)
    }

    #[test]
    fn a_receipt_that_reaches_the_record_seals_it() {
        assert_eq!(minted(8).stamp(), "journal-7");
        assert_eq!(minted(100).stamp(), "journal-7", "of a later block, after a restart");
    }

    #[test]
    #[should_panic(expected = "a receipt up to 7 is none for intent 7")]
    fn a_receipt_that_ends_before_it_does_not() {
        minted(7);
    }
}
