//! Old partitions go as a whole, by age or by size, oldest first, and never the newest: sled gives no disk back for
//! deleted keys. What was open in them lives on in the checkpoints of later ones.

use std::fs;
use std::path::Path;

use paramedic_policies::time::Moment;

use super::error::ReadError;
use super::meta::sync_dir;
use super::partition::{self, Name};
use super::shared::Shared;
use super::writer::Options;

/// Drops what is too old or too much, and says which.
pub(super) fn apply(shared: &Shared, options: &Options, now: Moment) -> Result<Vec<Name>, ReadError> {
    let names = shared.live().names.clone();
    let sizes: Vec<u64> =
        names.iter().map(|name| bytes(&partition::folder(&shared.dir).join(name.to_string()))).collect();
    let mut total: u64 = sizes.iter().sum();
    let mut dropped = Vec::new();
    for ((name, size), after) in names.iter().zip(&sizes).zip(names.iter().skip(1)) {
        // The last record of a partition is not younger than the opening of the next one.
        let is_old = options.keep_for.is_some_and(|keep| now.since(after.opened) > keep);
        let is_much = options.keep_bytes.is_some_and(|keep| total > keep);
        if !is_old && !is_much {
            break;
        }
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
