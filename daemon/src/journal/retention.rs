//! Old partitions go as a whole, by age or by size, oldest first, and never the newest: sled gives no disk back for
//! deleted keys. What was open in them lives on in the checkpoints of later ones. It must never believe a clock that
//! nobody has looked at: what is gone is gone.

use std::fs;
use std::path::Path;

use paramedic_policies::state::State;

use super::error::ReadError;
use super::meta::sync_dir;
use super::partition::{self, Name};
use super::shared::Shared;
use super::writer::Options;

/// So many partitions go by their age at once; the rest goes with the next ones. A start on a clock that is far ahead
/// looks like a long sleep, and this is the time in which somebody can notice.
const AGED_AT_ONCE: usize = 8;

/// Whether age counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ages {
    /// It does.
    Count,
    /// The clock is in doubt: only size counts.
    InDoubt,
}

impl Ages {
    /// As the records have the clock.
    pub(super) fn of(state: &State) -> Self {
        match (state.clock_stepped, state.stands_still_until) {
            (None, None) => Self::Count,
            (Some(_), _) | (None, Some(_)) => Self::InDoubt,
        }
    }
}

/// Drops what is too old or too much, and says which. Age is told by the records alone: it is counted until the newest
/// partition but one was opened, so that a clock that was ahead at the start has a whole period to be noticed.
pub(super) fn apply(shared: &Shared, options: &Options, ages: Ages) -> Result<Vec<Name>, ReadError> {
    let names = shared.live().names.clone();
    let Some(until) = names.iter().rev().nth(1).map(|name| name.opened) else { return Ok(Vec::new()) };
    let sizes: Vec<u64> =
        names.iter().map(|name| bytes(&partition::folder(&shared.dir).join(name.to_string()))).collect();
    let mut total: u64 = sizes.iter().sum();
    let (mut dropped, mut aged) = (Vec::new(), 0);
    for ((name, size), after) in names.iter().zip(&sizes).zip(names.iter().skip(1)) {
        let is_much = options.keep_bytes.is_some_and(|keep| total > keep);
        // The last record of a partition is not younger than the opening of the next one.
        let is_old = ages == Ages::Count
            && aged < AGED_AT_ONCE
            && options.keep_for.is_some_and(|keep| until.since(after.opened) > keep);
        if !is_old && !is_much {
            break;
        }
        aged += usize::from(!is_much);
        drop_partition(shared, name)?;
        total -= size;
        dropped.push(name.clone());
    }
    Ok(dropped)
}

/// First it loses its name, so that a crash leaves nothing that looks like a partition.
fn drop_partition(shared: &Shared, name: &Name) -> Result<(), ReadError> {
    shared.live_mut().names.retain(|kept| kept != name);
    shared.forget(name);
    let folder = partition::folder(&shared.dir);
    let (path, dropped) = (folder.join(name.to_string()), folder.join(format!("{name}.dropped")));
    fs::rename(&path, &dropped).map_err(ReadError::io("drop", &path))?;
    sync_dir(&folder)?;
    fs::remove_dir_all(&dropped).map_err(ReadError::io("remove", &dropped))
}

/// Bytes of all files below a directory; what cannot be read counts nothing.
pub(super) fn bytes(path: &Path) -> u64 {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => bytes(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}
