//! Watches the folders of policy files and says that something changed. What changed is not its business: everything
//! is read again, and an unchanged set is no new book.

use std::path::PathBuf;

use notify::{Event, EventKind, RecursiveMode, Watcher};

use super::{Reloads, folders};

/// Watches as long as it lives.
#[derive(Debug)]
pub struct Watching {
    _watcher: Option<notify::RecommendedWatcher>,
}

impl Watching {
    /// Begins to watch these paths. Where the system refuses, that is said, and SIGHUP and `/-/reload` remain.
    pub fn begin(paths: &[PathBuf], reloads: Reloads) -> Self {
        let taken = move |event: notify::Result<Event>| match event {
            // Reading the files ourselves is no change.
            Ok(Event { kind: EventKind::Access(_), .. }) => {}
            Ok(_) | Err(_) => reloads.nudge(),
        };
        let watching = notify::recommended_watcher(taken).and_then(|mut watcher| {
            for folder in folders(paths) {
                watcher.watch(&folder, RecursiveMode::NonRecursive)?;
            }
            Ok(watcher)
        });
        let watcher = watching
            .inspect_err(|error| {
                tracing::warn!(error = %error, "policy files are not watched; reload with SIGHUP or POST /-/reload");
            })
            .ok();
        Self { _watcher: watcher }
    }
}
