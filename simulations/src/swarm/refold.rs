//! What the records on a disk fold to: kept, so that each opening folds only what is new; and made a second way, from the
//! last checkpoint, which must come to the same. Never reads a live state: only records that were written and read again.

use paramedic_policies::event::{Record, Seq};
use paramedic_policies::state::State;

/// The fold of the first so many records.
#[derive(Debug)]
pub(super) struct Fold {
    state: State,
    folded: usize,
}

impl Fold {
    /// Of none.
    pub(super) fn new() -> Self {
        Self { state: State::new(), folded: 0 }
    }

    /// Folds what is new of these, of which the first are those of the last time.
    pub(super) fn of(&mut self, records: &[Record]) -> &State {
        for record in records.get(self.folded..).unwrap_or_default() {
            paramedic_policies::apply(&mut self.state, record.at, &record.event);
        }
        self.folded = records.len();
        &self.state
    }
}

/// A state as it was written.
#[derive(Debug, Clone)]
pub(super) struct Checkpoint {
    /// The first record that is not in it.
    pub(super) next: Seq,
    /// Its written form.
    pub(super) text: String,
}

impl Checkpoint {
    /// This state, written.
    pub(super) fn of(state: &State) -> Self {
        let text = serde_json::to_string(state).expect("a state can be written");
        Self { next: state.next, text }
    }

    /// What it and the records after it come to.
    pub(super) fn fold(&self, records: &[Record]) -> State {
        let mut state: State =
            serde_json::from_str(&self.text).expect("a state that was written can be read");
        for record in records.iter().filter(|record| record.seq >= self.next) {
            paramedic_policies::apply(&mut state, record.at, &record.event);
        }
        state
    }
}

/// In which parts two states differ, if they do.
pub(super) fn differ(one: &State, other: &State) -> Option<String> {
    let [one, other] =
        [one, other].map(|state| serde_json::to_string(state).expect("a state can be written"));
    if one == other {
        return None;
    }
    // By way of what was read: a number's text is what is kept of it.
    let [one, other] = [one, other].map(|text| {
        serde_json::from_str::<serde_json::Value>(&text).expect("a state that was written is JSON")
    });
    let parts = other.as_object().into_iter().flatten();
    let keys: Vec<&str> =
        parts.filter(|(key, value)| one.get(*key) != Some(*value)).map(|(key, _)| key.as_str()).collect();
    (one != other).then(|| keys.join(", "))
}

#[cfg(test)]
mod tests {
    use paramedic_policies::event::{Event, SCHEMA};
    use paramedic_policies::time::Moment;

    use super::*;

    fn record(seq: u64, leader: bool) -> Record {
        let event = Event::Reigned { leader, epoch: seq };
        Record { seq: Seq(seq), at: Moment::from_unix_ms(1000), schema: SCHEMA, event }
    }

    #[test]
    fn by_parts_and_from_a_checkpoint_it_comes_to_the_same() {
        let records: Vec<Record> = (1..=5).map(|seq| record(seq, seq % 2 == 0)).collect();
        let mut fold = Fold::new();
        let checkpoint = Checkpoint::of(fold.of(&records[..3]));
        let whole = Fold::new().of(&records).clone();
        assert_eq!(differ(fold.of(&records), &whole), None);
        assert_eq!(differ(&checkpoint.fold(&records), &whole), None);
        let other = Fold::new().of(&records[..4]).clone();
        assert!(differ(&other, &whole).is_some_and(|parts| parts.contains("leader")));
    }
}
