//! The files that hold tokens: read all at once, so that whoever sets them up hears of every problem in one go. Used by
//! `serve` and by `check`. It must never show a token, and never wait for a file that is none.

use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{Configuration, address_of};
pub use crate::http::tokens::{Role, TOKEN_BYTES_MIN, TokenFile};

/// A longer file is no token: it is the wrong file, and headers end before.
pub const TOKEN_BYTES_MAX: u64 = 4096;

/// Mode bits that let others than the owner at a file.
const OTHERS: u32 = 0o077;

/// What is wrong, or doubtful, about a token file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenProblem {
    /// What, of which token, in which file.
    pub problem: String,
    /// What to do.
    pub hint: String,
}

impl fmt::Display for TokenProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (hint: {})", self.problem, self.hint)
    }
}

/// Why this configuration is not served: strangers could reach webhook and API, and nobody would ask them for a token.
pub fn open_to_strangers(configuration: &Configuration) -> Option<TokenProblem> {
    let public = address_of(&configuration.listen).ok()?;
    if public.ip().is_loopback() || !configuration.tokens.is_empty() {
        return None;
    }
    Some(TokenProblem {
        problem: format!("{public} can be reached from other machines, and no tokens are configured"),
        hint: "add `tokens` with roles ingest, read and operate to the configuration, or listen on 127.0.0.1"
            .to_owned(),
    })
}

/// A token, known by its digest alone.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenRead {
    /// The name that stands in records.
    pub name: String,
    /// What its bearer may do.
    pub role: Role,
    /// SHA-256 of the token.
    pub(crate) digest: [u8; 32],
}

impl fmt::Debug for TokenRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRead")
            .field("name", &self.name)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// What came of reading all token files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokensRead {
    /// Those that can be used.
    pub tokens: Vec<TokenRead>,
    /// Why others cannot be. With any, `serve` does not start; on a reload they are out.
    pub problems: Vec<TokenProblem>,
    /// What works and had better be changed.
    pub warnings: Vec<TokenProblem>,
}

/// Reads and checks all token files. It does not stop at the first that is wrong.
pub fn read_tokens(files: &[TokenFile]) -> TokensRead {
    let mut read = TokensRead::default();
    for TokenFile { name, role, file } in files {
        let who = format!("the token `{name}`");
        match digest(&who, file) {
            Ok(digest) => {
                if let Some(twin) = read.tokens.iter().find(|other| other.digest == digest) {
                    read.problems.push(TokenProblem {
                        problem: format!("the tokens `{}` and `{name}` are the same", twin.name),
                        hint: format!("give each its own: `openssl rand -hex 32 > {}`", file.display()),
                    });
                }
                read.tokens.push(TokenRead { name: name.clone(), role: *role, digest });
            }
            Err(problem) => read.problems.push(problem),
        }
        read.warnings.extend(open_to_others(&who, file));
    }
    read
}

/// A file with a secret that others than its owner may read or write; nothing is said of one that is not there.
pub fn open_to_others(who: &str, file: &Path) -> Option<TokenProblem> {
    let data = std::fs::metadata(file).ok().filter(std::fs::Metadata::is_file)?;
    let mode = data.mode() & 0o7777;
    (mode & OTHERS != 0).then(|| TokenProblem {
        problem: format!("{who} in {} is open to others (mode {mode:04o})", file.display()),
        hint: format!(
            "`chmod 600 {}`; for a Secret's volume on Kubernetes `defaultMode: 0400`",
            file.display()
        ),
    })
}

fn digest(who: &str, file: &Path) -> Result<[u8; 32], TokenProblem> {
    let refuse = |why: String, hint: &str| {
        let problem = format!("{who} in {} {why}", file.display());
        Err(TokenProblem { problem, hint: hint.to_owned() })
    };
    let make_one = "make one with `openssl rand -hex 32`";
    // Looked at before it is opened: reading a pipe that nobody writes would never end.
    let data = match std::fs::metadata(file) {
        Ok(data) => data,
        Err(error) => {
            return refuse(format!("could not be read: {error}"), "look at `tokens` and at the path");
        }
    };
    if !data.is_file() {
        return refuse("is no file".to_owned(), "name the file that holds the token and nothing else");
    }
    if data.len() > TOKEN_BYTES_MAX {
        let why = format!("has {} bytes, at most {TOKEN_BYTES_MAX} may be", data.len());
        return refuse(why, "name the file that holds the token and nothing else");
    }
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) => {
            return refuse(
                format!("could not be read: {error}"),
                "the daemon's user needs the right to read it",
            );
        }
    };
    let token = bytes.trim_ascii();
    match token {
        [] => refuse("is empty".to_owned(), make_one),
        short if short.len() < TOKEN_BYTES_MIN => {
            refuse(format!("is shorter than {TOKEN_BYTES_MIN} characters"), make_one)
        }
        odd if !odd.iter().all(u8::is_ascii_graphic) => refuse(
            "is not one word of visible ASCII characters, so no header can carry it".to_owned(),
            make_one,
        ),
        token => Ok(Sha256::digest(token).into()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn written(folder: &Path, name: &str, text: &[u8], mode: u32) -> TokenFile {
        let file = folder.join(name);
        std::fs::write(&file, text).expect("writable");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("ours");
        TokenFile { name: name.to_owned(), role: Role::Read, file }
    }

    #[test]
    fn every_problem_of_every_file_is_told_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        let files = [
            TokenFile { name: "gone".to_owned(), role: Role::Read, file: folder.join("gone") },
            TokenFile { name: "folder".to_owned(), role: Role::Read, file: folder.to_owned() },
            written(folder, "empty", b" \n", 0o600),
            written(folder, "short", b"abc", 0o600),
            written(folder, "two", b"two words of some length", 0o600),
            written(folder, "binary", b"\xff\xfe0123456789abcdef", 0o600),
            written(folder, "long", &[b'a'; 5000], 0o600),
            written(folder, "good", b"0123456789abcdef-good\n", 0o600),
            written(folder, "twin", b"0123456789abcdef-good", 0o644),
        ];
        let TokensRead { tokens, problems, warnings } = read_tokens(&files);
        assert_eq!(tokens.iter().map(|token| token.name.as_str()).collect::<Vec<_>>(), ["good", "twin"]);
        let shown = |all: &[TokenProblem]| {
            all.iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n")
                .replace(&folder.display().to_string(), "DIR")
        };
        insta::assert_snapshot!(shown(&problems), @r"
        the token `gone` in DIR/gone could not be read: No such file or directory (os error 2) (hint: look at `tokens` and at the path)
        the token `folder` in DIR is no file (hint: name the file that holds the token and nothing else)
        the token `empty` in DIR/empty is empty (hint: make one with `openssl rand -hex 32`)
        the token `short` in DIR/short is shorter than 16 characters (hint: make one with `openssl rand -hex 32`)
        the token `two` in DIR/two is not one word of visible ASCII characters, so no header can carry it (hint: make one with `openssl rand -hex 32`)
        the token `binary` in DIR/binary is not one word of visible ASCII characters, so no header can carry it (hint: make one with `openssl rand -hex 32`)
        the token `long` in DIR/long has 5000 bytes, at most 4096 may be (hint: name the file that holds the token and nothing else)
        the tokens `good` and `twin` are the same (hint: give each its own: `openssl rand -hex 32 > DIR/twin`)
        ");
        insta::assert_snapshot!(shown(&warnings), @r"
        the token `twin` in DIR/twin is open to others (mode 0644) (hint: `chmod 600 DIR/twin`; for a Secret's volume on Kubernetes `defaultMode: 0400`)
        ");
    }

    #[test]
    fn a_pipe_is_not_waited_for() {
        // Every system has a file that never ends.
        let file = TokenFile { name: "zero".to_owned(), role: Role::Read, file: "/dev/zero".into() };
        assert!(read_tokens(&[file]).problems[0].problem.contains("is no file"));
    }

    #[test]
    fn the_digest_is_not_shown() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = written(folder.path(), "good", b"0123456789abcdef-good\n", 0o600);
        let shown = format!("{:?}", read_tokens(&[file]));
        assert!(shown.contains("good") && !shown.contains("digest"), "{shown}");
    }
}
