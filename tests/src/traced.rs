//! What strace saw the daemon do, read as one question: did an answer leave before all that was written before it was
//! safe on the disk? A write makes its file dirty, a new name its folder; only an fsync or fdatasync that began after the
//! write ended, and has ended itself, makes it clean. It must never take `sync_file_range` for a sync: that one leaves
//! the disk's cache and the file's length alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The system calls to trace for this reader.
pub const CALLS: &str = "trace=openat,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,write,pwrite64,writev,\
                         pwritev,pwritev2,ftruncate,fallocate,copy_file_range,fsync,fdatasync,sync_file_range,sendto,sendmsg,\
                         recvfrom,read,readv,recvmsg";

/// An answer's own sync is among this many before it.
const SYNCS_BACK: usize = 1000;

/// An answer that left too early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooEarly {
    /// The line of the trace, from 1.
    pub line: usize,
    /// The files and folders that were not safe by then, each with the line of its last change.
    pub dirty: BTreeMap<PathBuf, usize>,
}

/// What a trace shows of the webhooks and one folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Answers with status 200 to a webhook, by line.
    pub answers: Vec<usize>,
    /// Those that left while anything under the folder was not safe. For requests one by one, this is to be empty.
    pub too_early: Vec<TooEarly>,
    /// Those without a write and a sync of their own between request and answer, by line. It is to be empty with many
    /// requests at once too.
    pub unsynced: Vec<usize>,
    /// Files that were written under the folder.
    pub written: BTreeSet<PathBuf>,
}

/// Reads what `strace -f -y -ttt` wrote. Webhooks are known by what they say: what strace can tell of a socket's
/// addresses depends on the kernel.
pub fn read(trace: &str, folder: &Path) -> Seen {
    let mut reader = Reader {
        folder,
        unfinished: BTreeMap::new(),
        dirty: BTreeMap::new(),
        names: BTreeSet::new(),
        requests: BTreeMap::new(),
        syncs: Vec::new(),
        writes: BTreeMap::new(),
        seen: Seen::default(),
    };
    for (index, line) in trace.lines().enumerate() {
        reader.line(index + 1, line);
    }
    reader.seen
}

struct Reader<'a> {
    folder: &'a Path,
    /// Calls that have begun and not ended, by thread: the line and the text so far.
    unfinished: BTreeMap<String, (usize, String)>,
    dirty: BTreeMap<PathBuf, usize>,
    /// Names that are known to be there.
    names: BTreeSet<PathBuf>,
    /// The sockets that wait for the answer to a webhook, by file handle, each with its last read.
    requests: BTreeMap<String, usize>,
    /// Syncs under the folder that ended well: the last write of that file before it began, and its end.
    syncs: Vec<(usize, usize)>,
    /// Where the writes of each file ended.
    writes: BTreeMap<PathBuf, BTreeSet<usize>>,
    seen: Seen,
}

impl Reader<'_> {
    fn line(&mut self, at: usize, line: &str) {
        // THREAD TIME CALL(ARGUMENTS) = RESULT, the thread filled up with spaces to five characters
        let Some((thread, rest)) = line.split_once(' ') else { return };
        let Some((_time, call)) = rest.trim_start().split_once(' ') else { return };
        if let Some(rest) = call.strip_prefix("<... ") {
            let Some((began, mut text)) = self.unfinished.remove(thread) else { return };
            text.push_str(rest.split_once(" resumed>").map_or("", |(_, rest)| rest));
            self.ended(began, at, &text);
        } else if let Some(text) = call.strip_suffix("<unfinished ...>") {
            self.began(at, text);
            self.unfinished.insert(thread.to_owned(), (at, text.to_owned()));
        } else {
            self.began(at, call);
            self.ended(at, at, call);
        }
    }

    fn began(&mut self, at: usize, call: &str) {
        let Some((name, arguments)) = call.split_once('(') else { return };
        let sends = ["write", "writev", "sendto", "sendmsg"].contains(&name);
        if sends && arguments.contains("\"HTTP/1.1 ") {
            let asked = self.requests.remove(handle(arguments));
            if let Some(asked) = asked.filter(|_| arguments.contains("\"HTTP/1.1 200")) {
                self.answered(at, asked);
            }
        } else if is_write(name) {
            self.wrote(at, first_place(arguments));
        }
    }

    fn ended(&mut self, began: usize, at: usize, call: &str) {
        let Some((name, arguments)) = call.split_once('(') else { return };
        let result = arguments.rsplit_once(") = ").map_or("", |(_, result)| result.trim());
        let worked = !result.starts_with('-') && !result.starts_with('?') && !result.is_empty();
        if !worked {
            return;
        }
        match name {
            "fsync" | "fdatasync" => self.synced(began, at, first_place(arguments)),
            "openat" | "creat" if arguments.contains("O_CREAT") || name == "creat" => {
                let path = first_place(result).to_owned();
                self.named(at, Path::new(&path));
            }
            "mkdir" | "mkdirat" => self.named(at, Path::new(last_quoted(arguments))),
            "link" | "linkat" => self.named(at, Path::new(last_quoted(arguments))),
            "rename" | "renameat" | "renameat2" => {
                let mut quoted = arguments.split('"').skip(1).step_by(2).map(Path::new);
                if let (Some(from), Some(to)) = (quoted.next(), quoted.next()) {
                    self.renamed(at, from, to);
                }
            }
            "read" | "readv" | "recvfrom" | "recvmsg" if result != "0" => {
                let socket = handle(arguments);
                if arguments.contains("\"POST /webhook") {
                    self.requests.insert(socket.to_owned(), at);
                } else if let Some(asked) = self.requests.get_mut(socket) {
                    *asked = at;
                }
            }
            _ if is_write(name) => {
                let place = first_place(arguments);
                self.wrote(at, place);
                self.writes.entry(PathBuf::from(place)).or_default().insert(at);
            }
            _ => {}
        }
    }

    fn wrote(&mut self, at: usize, place: &str) {
        let path = Path::new(place);
        if path.starts_with(self.folder) && !is_a_hint(path) {
            self.dirty.insert(path.to_owned(), at);
            self.seen.written.insert(path.to_owned());
        }
    }

    /// A new name makes its folder dirty.
    fn named(&mut self, at: usize, path: &Path) {
        let parent = path.parent().filter(|parent| parent.starts_with(self.folder));
        if let Some(parent) = parent
            && !is_a_hint(path)
            && self.names.insert(path.to_owned())
        {
            self.dirty.insert(parent.to_owned(), at);
        }
    }

    /// What is known of a file, or of all in a folder, goes with it to its new name.
    fn renamed(&mut self, at: usize, from: &Path, to: &Path) {
        let moved = |path: &Path| match path.strip_prefix(from) {
            Ok(rest) if rest == Path::new("") => to.to_owned(),
            Ok(rest) => to.join(rest),
            Err(_) => path.to_owned(),
        };
        let (names, dirty, writes) = (
            std::mem::take(&mut self.names),
            std::mem::take(&mut self.dirty),
            std::mem::take(&mut self.writes),
        );
        self.names = names.iter().map(|path| moved(path)).collect();
        self.dirty = dirty.into_iter().map(|(path, line)| (moved(&path), line)).collect();
        self.writes = writes.into_iter().map(|(path, lines)| (moved(&path), lines)).collect();
        self.names.remove(to);
        self.named(at, to);
    }

    fn synced(&mut self, began: usize, at: usize, place: &str) {
        let path = Path::new(place);
        let covered = self.writes.get(path).and_then(|writes| writes.range(..=began).next_back());
        if path.starts_with(self.folder)
            && let Some(wrote) = covered
        {
            self.syncs.push((*wrote, at));
        }
        if self.dirty.get(path).is_some_and(|changed| *changed <= began) {
            self.dirty.remove(path);
        }
    }

    fn answered(&mut self, at: usize, asked: usize) {
        self.seen.answers.push(at);
        if !self.dirty.is_empty() {
            self.seen.too_early.push(TooEarly { line: at, dirty: self.dirty.clone() });
        }
        if !self.syncs.iter().rev().take(SYNCS_BACK).any(|(wrote, ended)| *wrote > asked && *ended <= at) {
            self.seen.unsynced.push(at);
        }
    }
}

/// Files that nothing depends on. `high-water` is how far the journal was, for telling a truncated one; sled's
/// snapshots only make opening quicker. Neither is needed to read what was acknowledged.
fn is_a_hint(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy());
    name.is_some_and(|name| name == "high-water" || name.starts_with("snap."))
}

fn is_write(name: &str) -> bool {
    ["write", "pwrite64", "writev", "pwritev", "pwritev2", "ftruncate", "fallocate", "copy_file_range"]
        .contains(&name)
}

/// What `-y` says of the first file handle in a text: `7</tmp/db>` is `/tmp/db`.
fn first_place(text: &str) -> &str {
    text.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or("", |(place, _)| place)
}

/// The number of the file handle that a call's arguments begin with.
fn handle(arguments: &str) -> &str {
    let end = arguments.find(|letter: char| !letter.is_ascii_digit());
    arguments.get(..end.unwrap_or(arguments.len())).unwrap_or("")
}

/// The last text in quotes.
fn last_quoted(arguments: &str) -> &str {
    let mut quotes = arguments.rsplit('"');
    quotes.next();
    quotes.next().unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"7 1.0 openat(AT_FDCWD</>, "/d/p/db", O_RDWR|O_CREAT|O_CLOEXEC, 0666) = 8</d/p/db>
7 1.1 openat(AT_FDCWD</>, "/d/p", O_RDONLY|O_CLOEXEC) = 9</d/p>
7 1.2 fsync(9</d/p>) = 0
7 1.3 recvfrom(5<socket:[4711]>, "POST /webhook"..., 8192, 0, NULL, NULL) = 512
8 1.4 pwrite64(8</d/p/db>, "x"..., 512, 0) = 512
8 1.5 fdatasync(8</d/p/db> <unfinished ...>
7 1.6 write(2</dev/null>, "log", 3) = 3
8 1.7 <... fdatasync resumed>) = 0
7 1.8 writev(5<socket:[4711]>, [{iov_base="HTTP/1.1 200 OK\r\ncontent"..., iov_len=200}], 1) = 200
"#;

    fn seen(trace: &str) -> Seen {
        read(trace, Path::new("/d"))
    }

    /// The lines of the answers that were too early, after a change of the good trace.
    fn doctored(from: &str, to: &str) -> (usize, usize) {
        assert!(GOOD.contains(from), "{from}");
        let seen = seen(&GOOD.replacen(from, to, 1));
        (seen.too_early.len(), seen.unsynced.len())
    }

    #[test]
    fn an_answer_after_every_sync_is_in_time() {
        let seen = seen(GOOD);
        assert_eq!(seen.answers, [9]);
        assert_eq!(seen.too_early, []);
        assert_eq!(seen.unsynced, [0; 0]);
        assert_eq!(seen.written, BTreeSet::from([PathBuf::from("/d/p/db")]));
    }

    #[test]
    fn a_short_thread_number_is_read_like_a_long_one() {
        for fill in ["", " ", "    "] {
            let lines = GOOD.lines().map(|line| line.replacen(' ', &format!("{fill} "), 1));
            assert_eq!(seen(&lines.collect::<Vec<_>>().join("\n")).answers, [9], "{fill:?}");
        }
    }

    #[test]
    fn only_a_200_to_a_webhook_promises_anything() {
        assert_eq!(seen(&GOOD.replace("POST /webhook", "GET /readyz")).answers, [0; 0]);
        assert_eq!(seen(&GOOD.replace("200 OK", "503 Service Unavailable")).answers, [0; 0]);
    }

    #[test]
    fn a_sync_that_has_not_ended_does_not_count() {
        assert_eq!(doctored("8 1.7 <... fdatasync resumed>) = 0\n", ""), (1, 1));
    }

    #[test]
    fn a_sync_that_failed_does_not_count() {
        assert_eq!(doctored("resumed>) = 0", "resumed>) = -1 EIO (Input/output error)"), (1, 1));
    }

    #[test]
    fn a_range_sync_does_not_count() {
        let range = "sync_file_range(8</d/p/db>, 0, 512, SYNC_FILE_RANGE_WRITE";
        let trace = GOOD.replace("fdatasync resumed", "sync_file_range resumed");
        let seen = seen(&trace.replace("fdatasync(8</d/p/db>", range));
        assert_eq!((seen.too_early.len(), seen.unsynced.len()), (1, 1));
    }

    #[test]
    fn a_write_after_the_sync_began_is_not_covered() {
        let late = "7 1.6 pwrite64(8</d/p/db>, \"y\"..., 512, 512) = 512\n7 1.6 write(2<";
        assert_eq!(doctored("7 1.6 write(2<", late), (1, 0));
    }

    #[test]
    fn a_write_that_ended_after_the_sync_began_is_not_covered() {
        let trace = GOOD
            .replace(
                "8 1.4 pwrite64(8</d/p/db>, \"x\"..., 512, 0) = 512",
                "6 1.4 pwrite64(8</d/p/db>, \"x\"..., 512, 0 <unfinished ...>",
            )
            .replace("7 1.6 write(2</dev/null>, \"log\", 3) = 3", "6 1.6 <... pwrite64 resumed>) = 512");
        assert_eq!(seen(&trace).too_early.len(), 1);
    }

    #[test]
    fn every_file_must_be_synced() {
        let blob = "8 1.4 pwrite64(11</d/p/blobs/3>, \"z\"..., 512, 0) = 512\n8 1.5 fda";
        assert_eq!(doctored("8 1.5 fda", blob), (1, 0));
        let elsewhere = blob.replace("/d/p/blobs", "/other");
        assert_eq!(doctored("8 1.5 fda", &elsewhere), (0, 0));
    }

    #[test]
    fn a_new_name_needs_its_folder_synced() {
        assert_eq!(doctored("7 1.2 fsync(9</d/p>) = 0\n", ""), (1, 0));
    }

    #[test]
    fn a_file_keeps_what_it_is_under_a_new_name() {
        let (made, used) = GOOD.split_at(GOOD.find("7 1.2").expect("the folder's sync is there"));
        let trace = |middle: &str| format!("{made}{middle}\n{}", used.replace("/d/p", "/d/q"));
        let rename = "7 1.15 rename(\"/d/p\", \"/d/q\") = 0";
        // The folder above has a new name in it.
        assert_eq!(seen(&trace(rename)).too_early[0].dirty.keys().collect::<Vec<_>>(), [Path::new("/d")]);
        let synced = format!("{rename}\n7 1.16 fsync(3</d>) = 0");
        assert_eq!(seen(&trace(&synced)).too_early, []);
    }

    #[test]
    fn a_sync_for_an_earlier_request_is_not_ones_own() {
        let again =
            "7 1.8 recvfrom(5<socket:[4711]>, \"rest of it\"..., 8192, 0, NULL, NULL) = 512\n7 1.8 writev(5";
        assert_eq!(doctored("7 1.8 writev(5", again), (0, 1));
    }
}
