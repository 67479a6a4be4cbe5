//! Policy files and the settings they run under, for commands that work without a daemon.

use std::path::{Path, PathBuf};

use paramedic_policies::book::{Source, SourceFile};
use paramedic_policies::settings::Settings;

use super::failure::Failure;

/// Reads policy files and folders.
pub(super) fn source(paths: &[PathBuf], settings: Settings) -> Result<Source, Failure> {
    let mut files = Vec::new();
    for path in paths {
        read(path, &mut files)?;
    }
    files.sort_by(|a: &SourceFile, b| a.path.cmp(&b.path));
    files.dedup_by(|a, b| a.path == b.path);
    Ok(Source { files, settings, tzdb: String::new() })
}

fn read(path: &Path, files: &mut Vec<SourceFile>) -> Result<(), Failure> {
    let cannot = |path: &Path, error: std::io::Error| {
        Failure::users(format!("could not read {}: {error}", path.display()))
            .hint("name policy files, or folders of them")
    };
    if !std::fs::metadata(path).map_err(|error| cannot(path, error))?.is_dir() {
        let text = std::fs::read_to_string(path).map_err(|error| cannot(path, error))?;
        files.push(SourceFile { path: path.display().to_string(), text });
        return Ok(());
    }
    for entry in std::fs::read_dir(path).map_err(|error| cannot(path, error))? {
        let file = entry.map_err(|error| cannot(path, error))?.path();
        let is_yaml = file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        let is_hidden = file.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if is_yaml && !is_hidden && file.is_file() {
            read(&file, files)?;
        }
    }
    Ok(())
}
