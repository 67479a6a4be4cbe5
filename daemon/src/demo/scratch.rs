//! The demo's folder: policies and journal, gone when the demo ends.

use std::path::{Path, PathBuf};

use anyhow::Context;

/// A folder that is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// A new folder among the system's temporary ones.
    pub(super) fn new() -> anyhow::Result<Self> {
        for attempt in 0..100_u32 {
            let path = std::env::temp_dir().join(format!("paramedic-demo-{}-{attempt}", std::process::id()));
            match std::fs::create_dir(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(error).context(format!("could not make the folder {}", path.display()));
                }
            }
        }
        anyhow::bail!("could not make a folder in {}: 100 names are taken", std::env::temp_dir().display())
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), error = %error, "the demo's folder could not be removed");
        }
    }
}
