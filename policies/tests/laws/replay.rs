//! Replay equals life: the records, as they are written and read, fold to the state that lived; folding them again, or
//! from a stored state in their middle, gives the same; and whatever happens next, the same is decided.

use paramedic_policies::event::{Event, Record, SCHEMA, Seq};
use paramedic_policies::input::Input;
use paramedic_policies::order::{Command, Order};
use paramedic_policies::state::State;
use paramedic_policies::time::{Moment, Span};
use paramedic_policies::{apply, decide, wake};
use proptest::prelude::*;

use crate::draft::{Draft, draft};
use crate::life::{Held, Life, breach, delivery, law};
use crate::turns::{Ending, History, How, history};
use crate::world::alert;

fn written(state: &State) -> String {
    serde_json::to_string(state).expect("a state is plain data")
}

/// All of a state, what is not written of it included, but for the books.
fn whole(state: &State) -> String {
    let mut state = state.clone();
    state.books.clear();
    format!("{state:?}")
}

fn folded<'r>(mut from: State, records: impl IntoIterator<Item = &'r Record>) -> State {
    for record in records {
        assert_eq!(record.seq, from.next, "records follow each other");
        apply(&mut from, record.at, &record.event);
    }
    from
}

fn stored(state: &State) -> State {
    serde_json::from_str(&written(state)).expect("a stored state loads")
}

/// As the journal keeps it and gives it back.
fn kept(seq: u64, at: Moment, event: &Event) -> Result<Record, TestCaseError> {
    let record = Record { seq: Seq(seq), at, schema: SCHEMA, event: event.clone() };
    let text = serde_json::to_string(&record).expect("a record is plain data");
    let read: Record = serde_json::from_str(&text)
        .map_err(|error| TestCaseError::fail(format!("{error}: a record that is not read back: {text}")))?;
    let again = serde_json::to_string(&read).expect("a record is plain data");
    prop_assert_eq!(again, text, "what is read back is what was written");
    Ok(read)
}

/// Whatever may happen next.
fn what_may_come(life: &mut Life) -> Vec<(Moment, Input)> {
    let now = life.now;
    let mut inputs =
        vec![(now, Input::Wake), (now, delivery(vec![alert(0, now, true), alert(7, now, false)], 0))];
    inputs.extend(wake(&life.state).map(|due| (now.max(due), Input::Wake)));
    inputs.push((now + Span::from_hours(9), Input::Wake));
    let questions: Vec<_> = life.state.questions.values().cloned().collect();
    inputs.extend(questions.iter().map(|question| (now, life.answer(question, How::Sick))));
    let intents: Vec<Seq> = life.state.in_flight.keys().copied().collect();
    inputs.extend(intents.iter().filter_map(|intent| Some((now, life.end(*intent, Ending::Done)?))));
    inputs.extend(life.state.proposals.keys().map(|proposal| {
        let command = Command::Approve { proposal: *proposal, comment: String::new() };
        (now, Input::Order(Order { by: "ada".to_owned(), command }))
    }));
    inputs
}

fn decides_the_same(life: &mut Life, other: &State) -> Held {
    for (at, input) in what_may_come(life) {
        let lived = decide(&life.state, &life.state.current_book(), at, &input);
        let replayed = decide(other, &other.current_book(), at, &input);
        // By their text: a number that is none equals itself there.
        prop_assert_eq!(format!("{replayed:?}"), format!("{lived:?}"), "decided otherwise on {:?}", input);
    }
    Ok(())
}

/// A life, its records, and all ways to fold them: `kept` is what a stored state keeps.
fn is_replayed(
    (first, second): (&Draft, &Draft),
    turns: &History,
    cuts: &[prop::sample::Index],
    keeps: fn(State) -> State,
) -> Held {
    let mut life = Life::new(&[first, second])?;
    life.live(&turns.0, &mut |_| Ok(()))?;
    let records = (1..).zip(&life.records).map(|(seq, (at, event))| kept(seq, *at, event));
    let records = records.collect::<Result<Vec<Record>, TestCaseError>>()?;
    let lived = written(&life.state);

    let replayed = folded(State::new(), &records);
    prop_assert_eq!(&written(&replayed), &lived, "the fold is not the life");
    prop_assert_eq!(&replayed.indexes, &life.state.indexes);
    let again = folded(State::new(), &records);
    prop_assert_eq!(&written(&again), &lived, "a second fold is another");

    for cut in cuts {
        let (before, after) = records.split_at(cut.index(records.len() + 1));
        let resumed = folded(stored(&keeps(folded(State::new(), before))), after);
        prop_assert_eq!(&written(&resumed), &lived, "from the checkpoint at {} it is another", before.len());
        prop_assert_eq!(whole(&resumed), whole(&life.state), "what is not written was not made anew");
        prop_assert_eq!(&resumed.indexes, &life.state.indexes);
        decides_the_same(&mut life, &resumed)?;
    }

    decides_the_same(&mut life, &replayed)
}

fn lives() -> impl Strategy<Value = ((Draft, Draft), History, Vec<prop::sample::Index>)> {
    let cuts = prop::collection::vec(any::<prop::sample::Index>(), 2);
    ((draft(2), draft(2)), history(60), cuts)
}

#[test]
fn replay_equals_life() {
    law(64, lives(), |((first, second), turns, cuts)| {
        is_replayed((&first, &second), &turns, &cuts, |state| state)
    });
}

#[test]
fn a_stored_state_that_forgets_is_found() {
    // Planted: what was charged, what is under way, and what is to be taken back, each forgotten by itself.
    let forgets: [fn(State) -> State; 3] = [
        |mut state| {
            state.ledger.charges.clear();
            state
        },
        |mut state| {
            state.in_flight.clear();
            state
        },
        |mut state| {
            state.leases.clear();
            state
        },
    ];
    for keeps in forgets {
        let why = breach(256, lives(), |((first, second), turns, cuts)| {
            is_replayed((&first, &second), &turns, &cuts, keeps)
        });
        assert!(why.contains("from the checkpoint at"), "{why}");
    }
}
