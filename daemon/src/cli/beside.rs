//! A file that a command writes beside what it says: looked at before the work, and not after it. It must never take the place
//! of what the command reads, under whatever name.

use std::path::{Path, PathBuf};

use super::failure::Failure;

/// What a command reads.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Input<'a> {
    /// A file and its transcript, or of a folder the YAML files and their transcripts; `-` is standard input.
    Read(&'a Path),
    /// A folder, and all that is in it.
    Whole(&'a Path),
}

/// Whether the file has a place, and is none of these.
///
/// # Errors
/// Where it is a folder, where its folder is missing, and where it is one of the inputs.
pub(super) fn could_be_written(file: &Path, inputs: &[Input<'_>]) -> Result<(), Failure> {
    let could_not = |why: String| Failure::users(format!("could not write {}: {why}", file.display()));
    if file.is_dir() {
        return Err(could_not("it is a folder".to_owned()).hint("name a file in it; nothing was run"));
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(could_not(format!("there is no folder {}", folder.display()))
            .hint("make the folder, or name another one; nothing was run"));
    }
    match inputs.iter().find_map(|input| input.holds(file, folder)) {
        None => Ok(()),
        Some(what) => Err(could_not(format!("it would overwrite {what}, which is read"))
            .hint("name another file; nothing was run")),
    }
}

impl Input<'_> {
    /// What of it this file in this folder is.
    fn holds(self, file: &Path, folder: &Path) -> Option<String> {
        let shown = |path: &Path| path.display().to_string();
        match self {
            Self::Read(path) if path.is_dir() => {
                let entries = std::fs::read_dir(path).ok()?.filter_map(Result::ok).map(|entry| entry.path());
                let mut read = entries.filter(|entry| is_yaml(entry) || is_transcript(entry));
                read.find(|entry| is_same(entry, file)).map(|entry| shown(&entry))
            }
            Self::Read(path) if path == Path::new("-") => {
                is_same(Path::new("/dev/stdin"), file).then(|| "standard input".to_owned())
            }
            Self::Read(path) => {
                let transcript = is_yaml(path).then(|| transcript(path));
                let mut read = std::iter::once(path.to_owned()).chain(transcript);
                read.find(|path| is_same(path, file)).map(|path| shown(&path))
            }
            Self::Whole(path) => {
                // Where a link leads to, or where a new file would be.
                let at = file.canonicalize().or_else(|_| folder.canonicalize()).ok()?;
                let is_of = at.starts_with(path.canonicalize().ok()?) || is_linked_into(path, file);
                is_of.then(|| format!("a file of {}", shown(path)))
            }
        }
    }
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml")
}

fn is_transcript(path: &Path) -> bool {
    path.to_string_lossy().ends_with(".transcript.txt")
}

/// Where the transcripts of a file of scenarios stand.
pub(super) fn transcript(file: &Path) -> PathBuf {
    file.with_extension("transcript.txt")
}

/// Whether this file is one of the folder's by another name.
#[cfg(unix)]
fn is_linked_into(folder: &Path, file: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    // Most files have one name, and then nothing is looked through.
    std::fs::metadata(file).is_ok_and(|data| data.nlink() > 1) && has(folder, file)
}

/// Whether the folder, or one in it, has this file.
#[cfg(unix)]
fn has(folder: &Path, file: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries.filter_map(Result::ok).any(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => has(&entry.path(), file),
        _ => is_same(&entry.path(), file),
    })
}

/// Whether this file is one of the folder's by another name: nobody can say here.
#[cfg(not(unix))]
fn is_linked_into(_folder: &Path, _file: &Path) -> bool {
    false
}

/// Whether both names lead to one file. Devices and pipes may be read and written at once.
#[cfg(unix)]
fn is_same(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let file = |path| {
        std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|data| (data.dev(), data.ino()))
    };
    file(one).is_some_and(|one| file(other) == Some(one))
}

/// Whether both names lead to one file.
#[cfg(not(unix))]
fn is_same(one: &Path, other: &Path) -> bool {
    let file = |path: &Path| path.canonicalize().ok().filter(|path| path.is_file());
    file(one).is_some_and(|one| file(other) == Some(one))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(file: &Path, inputs: &[Input<'_>]) -> Result<(), String> {
        could_be_written(file, inputs).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_place_that_is_none_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(told(Path::new("junit.xml"), &[]), Ok(()));
        assert_eq!(told(&folder.path().join("junit.xml"), &[]), Ok(()));
        let missing = told(&folder.path().join("no/junit.xml"), &[]).expect_err("there is no such folder");
        assert!(
            missing.contains("junit.xml: there is no folder ") && missing.contains("hint: make the folder"),
            "{missing}"
        );
        let itself = told(folder.path(), &[]).expect_err("it is a folder");
        assert!(itself.contains(": it is a folder\nhint: "), "{itself}");
    }

    #[test]
    fn what_is_read_is_never_written_over_under_whatever_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("policies")).expect("a folder");
        for name in ["alerts.jsonl", "policies/a.yaml", "policies/a.transcript.txt", "policies/junit.xml"] {
            std::fs::write(at(name), "").expect("a file");
        }
        std::fs::hard_link(at("alerts.jsonl"), at("twin")).expect("a link");
        #[cfg(unix)]
        std::os::unix::fs::symlink(at("alerts.jsonl"), at("link")).expect("a link");
        let (alerts, policies) = (at("alerts.jsonl"), at("policies"));
        let inputs = [Input::Read(&alerts), Input::Read(&policies)];
        let names: &[&str] = if cfg!(unix) { &["alerts.jsonl", "twin", "link"] } else { &["alerts.jsonl"] };
        for name in names {
            let refused = told(&at(name), &inputs).expect_err("it is read");
            let wanted = format!("it would overwrite {}, which is read\nhint: ", alerts.display());
            assert!(refused.contains(&wanted), "{refused}");
        }
        for name in ["policies/a.yaml", "policies/../policies/a.transcript.txt"] {
            told(&at(name), &inputs).expect_err("it is read");
        }
        for name in ["new.html", "policies/junit.xml", "policies/new.yaml"] {
            assert_eq!(told(&at(name), &inputs), Ok(()), "{name}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(at("policies/junit.xml"), at("out")).expect("a link");
            told(&at("out"), &[Input::Whole(&policies)]).expect_err("it leads inside");
            std::fs::create_dir(at("policies/older")).expect("a folder");
            std::fs::write(at("policies/older/db"), "").expect("a file");
            std::fs::hard_link(at("policies/older/db"), at("page.html")).expect("a link");
            told(&at("page.html"), &[Input::Whole(&policies)]).expect_err("it is inside by another name");
            assert_eq!(told(&at("twin"), &[Input::Whole(&policies)]), Ok(()), "its names are all outside");
        }
        // A file of scenarios is read with its transcript, however it is named.
        let scenario = at("policies/a.yaml");
        told(&at("policies/a.transcript.txt"), &[Input::Read(&scenario)]).expect_err("it is read");
        assert_eq!(told(&at("policies/b.transcript.txt"), &[Input::Read(&scenario)]), Ok(()));
        let refused = told(&at("policies/new"), &[Input::Whole(&policies)]).expect_err("it is ours");
        assert!(refused.contains("it would overwrite a file of "), "{refused}");
    }
}
