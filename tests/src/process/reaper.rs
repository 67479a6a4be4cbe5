//! Kills what a test process leaves behind when it is killed itself, or ends with shared servers still up. It is
//! a shell that reads our notes from a pipe: the kernel closes the pipe however we die, and then it acts.
//! It must never touch a process or a folder that we did not note.

use std::io::Write;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock};

/// Reads `+ PID`, `- PID` and `d FOLDER`; at the end of its input kills and removes what is noted.
const SCRIPT: &str = r#"
trap '' INT TERM HUP QUIT
pids=' '; set --
while read -r note what; do
  case $note in
    +) pids="$pids$what " ;;
    -) pids="${pids%%" $what "*} ${pids#*" $what "}" ;;
    d) set -- "$@" "$what" ;;
  esac
done
for pid in $pids; do kill -9 "$pid" 2>/dev/null; done
for folder in "$@"; do rm -rf -- "$folder"; done
"#;

/// One such shell.
#[derive(Debug)]
pub struct Reaper {
    notes: Option<ChildStdin>,
    _shell: Child,
}

impl Reaper {
    /// Starts one of its own; tests share that of [`watch`].
    pub fn start() -> Self {
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("could not start sh");
        Self { notes: shell.stdin.take(), _shell: shell }
    }

    /// Notes a process to kill.
    pub fn watch(&mut self, id: u32) {
        self.note(&format!("+ {id}\n"));
    }

    /// Takes the note back: the process has ended and was waited for.
    pub fn forget(&mut self, id: u32) {
        self.note(&format!("- {id}\n"));
    }

    /// Notes a folder to remove.
    pub fn remove_at_exit(&mut self, folder: &Path) {
        self.note(&format!("d {}\n", folder.display()));
    }

    /// Closes the pipe, as our death would.
    pub fn hang_up(&mut self) {
        self.notes = None;
    }

    fn note(&mut self, line: &str) {
        if let Some(notes) = &mut self.notes {
            notes.write_all(line.as_bytes()).expect("the reaper reads as long as we live");
        }
    }
}

fn shared() -> std::sync::MutexGuard<'static, Reaper> {
    static SHARED: OnceLock<Mutex<Reaper>> = OnceLock::new();
    SHARED
        .get_or_init(|| Mutex::new(Reaper::start()))
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Notes a process to kill at our end.
pub fn watch(id: u32) {
    shared().watch(id);
}

/// Takes the note of [`watch`] back.
pub fn forget(id: u32) {
    shared().forget(id);
}

/// Notes a folder to remove at our end.
pub fn remove_at_exit(folder: &Path) {
    shared().remove_at_exit(folder);
}
