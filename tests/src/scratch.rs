//! A folder of one test, gone with it; `PARAMEDIC_KEEP=1` keeps it for reading logs. It must never be put
//! inside the repository.

use std::path::{Path, PathBuf};

use crate::process::reaper;

/// A temporary folder that goes when this value goes, or when the test process dies in any manner.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// A new, empty folder whose name starts with `name`.
    pub fn new(name: &str) -> Self {
        let folder = tempfile::Builder::new()
            .prefix(&format!("paramedic-{name}-"))
            .tempdir()
            .expect("could not make a temporary folder");
        let path = folder.keep();
        if !kept() {
            reaper::remove_at_exit(&path);
        }
        Self { path }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file in it and gives its path; folders in between are made.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).expect("could not make a folder in the scratch folder");
        }
        std::fs::write(&path, content)
            .unwrap_or_else(|error| panic!("could not write {}: {error}", path.display()));
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !kept() {
            // What is still there is removed by the reaper at the end of the process.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

fn kept() -> bool {
    std::env::var_os("PARAMEDIC_KEEP").is_some_and(|value| value == "1")
}
