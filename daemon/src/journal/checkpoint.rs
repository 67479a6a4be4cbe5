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
