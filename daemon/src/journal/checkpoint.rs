//! A checkpoint: the state before a sequence, and the chain's head there, so that opening reads what came after it
//! only. One value in parts, written in one batch, with a digest of its own.

use std::collections::BTreeMap;

use paramedic_policies::book::Digest;
use paramedic_policies::event::Seq;
use paramedic_policies::state::State;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::ReadError;
use super::keys;
use super::partition::Partition;
use super::subjects::Subjects;
use super::term::Term;

/// What a checkpoint holds.
#[derive(Debug)]
pub(super) struct Checkpoint<S> {
    /// The sequence of the record after it.
    pub(super) next: Seq,
    /// The chained root of the last block before it.
    pub(super) head: Digest,
    /// The state; `None` before the first record.
    pub(super) state: Option<S>,
    /// What later records may refer to.
    pub(super) subjects: Subjects,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    next: Seq,
    head: Digest,
    state: Option<&'a State>,
    subjects: BTreeMap<Seq, &'a [Term]>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored<S> {
    next: Seq,
    head: Digest,
    state: Option<S>,
    subjects: BTreeMap<Seq, Box<[Term]>>,
}

/// Adds a checkpoint before `next` to a batch.
pub(super) fn write(
    batch: &mut sled::Batch,
    next: Seq,
    head: Digest,
    state: Option<&State>,
    subjects: &mut Subjects,
) -> Result<(), String> {
    let subjects = state.map(|state| subjects.kept(state)).unwrap_or_default();
    let json =
        serde_json::to_vec(&Written { next, head, state, subjects }).map_err(|error| error.to_string())?;
    let mut value = Digest::of(&json).bytes().to_vec();
    value.extend_from_slice(&lz4_flex::block::compress_prepend_size(&json));
    if value.len() > keys::STORED_MAX {
        return Err(format!("{} bytes of state are more than a checkpoint may have", value.len()));
    }
    for (key, part) in keys::parts(&keys::checkpoint(next), &value) {
        batch.insert(key, part);
    }
    Ok(())
}

/// Reads the first or the last checkpoint of a partition.
pub(super) fn read<S: DeserializeOwned>(
    partition: &Partition,
    which: Which,
) -> Result<Checkpoint<S>, ReadError> {
    let found = match which {
        Which::Last => {
            partition.last_below(&[keys::CHECKPOINT, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])?
        }
        Which::First => partition.db.scan_prefix([keys::CHECKPOINT]).next().and_then(Result::ok),
    };
    let next = found.and_then(|(key, _)| keys::seq_of(&key));
    let next = next.ok_or_else(|| partition.damaged(None, "its checkpoint is not there"))?;
    let damaged =
        |problem: String| partition.damaged(None, format!("the checkpoint before {next}: {problem}"));
    let value = partition.value(&keys::checkpoint(next))?.unwrap_or_default();
    let Some((digest, compressed)) = value.split_first_chunk::<32>() else {
        return Err(damaged("it is cut off".to_owned()));
    };
    let json =
        lz4_flex::block::decompress_size_prepended(compressed).map_err(|error| damaged(error.to_string()))?;
    if Digest::of(&json) != Digest::from_bytes(*digest) {
        return Err(damaged("it does not have its digest".to_owned()));
    }
    let stored: Stored<S> = serde_json::from_slice(&json).map_err(|error| damaged(error.to_string()))?;
    if stored.next != next {
        return Err(damaged(format!("it says it is before {}", stored.next)));
    }
    let subjects = Subjects::restore(stored.subjects);
    Ok(Checkpoint { next, head: stored.head, state: stored.state, subjects })
}

/// Which checkpoint of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// The one it opens with.
    First,
    /// The newest.
    Last,
}

#[cfg(test)]
mod tests {
    use paramedic_policies::book::{Source, SourceFile};
    use paramedic_policies::input::Input;
    use paramedic_policies::order::{Command, Order, PauseScope};
    use paramedic_policies::settings::Settings;
    use paramedic_policies::time::{Moment, Span};
    use paramedic_remediations::WriteAhead;
    use serde_json::Value;

    use super::*;

    const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/");

    const POLICY: &str = r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: restart-web}
spec:
  match: ['alertname="WebDown"']
  target: {kind: Deployment, namespace: prod, name: web}
  ladder:
    - restart: {}
"#;

    /// Open episodes, one of them with a case that asks, and a pause.
    fn life() -> WriteAhead {
        let mut ahead = WriteAhead::new(State::new(), "journal".to_owned());
        let files = vec![SourceFile { path: "web.yaml".to_owned(), text: POLICY.to_owned() }];
        let source = Source { files, settings: Settings::default(), tzdb: "2026a".to_owned() };
        let scope = PauseScope::Namespace("shop".to_owned());
        let command = Command::Pause { scope, until: None, reason: "load test".to_owned() };
        let mut at: Moment = "2026-11-21T08:30:00.000Z".parse().expect("a time");
        for input in [
            Input::Began { version: "0.1.0".to_owned() },
            Input::Adopt(Box::new(source)),
            Input::Reign { leader: true, epoch: 1 },
            crate::driver::tests::delivery(&["WebDown", "Other"]),
            Input::Order(Order { by: "ada".to_owned(), command }),
        ] {
            ahead.feed(at, &input, None);
            at = at + Span::from_secs(1);
        }
        ahead
    }

    /// Whether everything that `old` says is said by `new` too, which may say more.
    fn says(new: &Value, old: &Value) -> bool {
        match (new, old) {
            (Value::Object(new), Value::Object(old)) => {
                old.iter().all(|(key, old)| new.get(key).is_some_and(|new| says(new, old)))
            }
            (Value::Array(new), Value::Array(old)) => {
                new.len() == old.len() && new.iter().zip(old).all(|(new, old)| says(new, old))
            }
            (new, old) => new == old,
        }
    }

    /// A checkpoint as format 1 writes it must be read for ever, and nothing of it may be lost. `UPDATE_GOLDEN=1` is
    /// for a format that nobody has written yet.
    #[test]
    fn a_checkpoint_of_format_1_is_read_and_nothing_of_it_is_lost() {
        let path = format!("{GOLDEN}checkpoint-v1.json");
        let written = |state: &State, subjects: &mut Subjects| {
            let (next, head) = (state.next, Digest::of(b"head"));
            let written = Written { next, head, state: Some(state), subjects: subjects.kept(state) };
            serde_json::to_value(&written).expect("plain data")
        };
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            let (mut ahead, mut subjects) = (life(), Subjects::default());
            ahead.take_block().expect("a life has records").records.iter().for_each(|record| {
                subjects.learn(record);
            });
            let text =
                serde_json::to_string_pretty(&written(ahead.state(), &mut subjects)).expect("plain data");
            std::fs::write(&path, text + "\n").expect("writable");
        }
        let text = std::fs::read_to_string(&path).expect("committed with the tests");
        let golden: Value = serde_json::from_str(&text).expect("JSON");
        let stored: Stored<State> = serde_json::from_str(&text).expect("read for ever");
        let state = stored.state.expect("it has one");
        assert!(
            !state.episodes.is_empty() && !state.cases.is_empty() && !state.books.is_empty(),
            "too bare a sample"
        );
        let again = written(&state, &mut Subjects::restore(stored.subjects));
        assert!(says(&again, &golden), "lost: {again:#}");
    }
}
