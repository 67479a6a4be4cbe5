//! The journal is all there is: it folds to the state that was live, from its beginning as from its last checkpoint, and the inputs of each life, fed again to a loop that
//! begins where that one began, make the same records.

use paramedic_policies::event::Record;
use paramedic_policies::state::State;
use paramedic_remediations::WriteAhead;

use super::super::process::JOURNAL;
use super::Evidence;

pub(super) fn judge(evidence: &Evidence<'_>, says: &mut Vec<String>) {
    says.extend(
        evidence.tape.unlike.iter().map(|what| format!("the state is not the fold of its records {what}")),
    );
    says.extend(evidence.tape.stuck.clone());
    for (number, life) in evidence.tape.lives.iter().enumerate() {
        let before = evidence.records.iter().take_while(|record| record.seq < life.from).count();
        let mut ahead = WriteAhead::new(State::clone(&life.whole), JOURNAL.to_owned());
        let mut made = Vec::new();
        for (now, input) in &life.inputs {
            ahead.feed(*now, input, None);
            made.extend(ahead.take_block().into_iter().flat_map(|block| block.records));
        }
        // What the disk has of this life ends where the next one begins.
        let next = evidence.tape.lives.get(number + 1).map(|next| next.from);
        let lived = evidence.records[before..].iter();
        let lived = lived.take_while(|record| next.is_none_or(|next| record.seq < next));
        for (made, was) in made.iter().zip(lived) {
            // As the journal has it: NaN is a fact too, and a number's text is what is kept of it.
            if *made != *was && reread(made) != format!("{was:?}") {
                says.push(format!("record {} becomes another when its inputs are fed again", was.seq));
                break;
            }
        }
    }
}

/// A record as it is after it was written and read.
fn reread(record: &Record) -> String {
    let text = serde_json::to_string(record).expect("a record can be written");
    let read: Record = serde_json::from_str(&text).expect("a record that was written can be read");
    format!("{read:?}")
}
