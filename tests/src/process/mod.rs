//! A server that a test started: its output in a file, a stop with a deadline, and no way to outlive the test.
//! It must never be left running, not even when the test process is killed (see [`reaper`]).

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::waiting::eventually;

pub mod reaper;

const GRACE: Duration = Duration::from_secs(10);

/// A running child process.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts `command`; what it says goes to `FOLDER/NAME.log`, after what an earlier one of that name said.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn spawn(name: &str, folder: &Path, mut command: Command) -> Self {
        let log = folder.join(format!("{name}.log"));
        let output = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap_or_else(|error| panic!("could not open {}: {error}", log.display()));
        let errors = output.try_clone().expect("a file handle can be cloned");
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("could not start {name} ({command:?}): {error}"));
        reaper::watch(child.id());
        Self { name: name.into(), child, log, ended: None }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The file with what it said on stdout and stderr.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// All that it said until now.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The end of what it said.
    pub fn log_tail(&self, lines: usize) -> String {
        let log = self.log();
        let all: Vec<&str> = log.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().expect("our own child can be asked");
            if self.ended.is_some() {
                reaper::forget(self.child.id());
            }
        }
        self.ended
    }

    /// Waits until `url` answers with a 2xx.
    ///
    /// # Panics
    /// When the deadline passes or the process ends first, with the end of its log.
    pub async fn answers(&mut self, url: &str, client: &reqwest::Client, deadline: Duration) {
        let begun = Instant::now();
        let mut seen = String::from("no answer");
        while begun.elapsed() < deadline {
            if let Some(status) = self.ended() {
                panic!("{} ended early ({status}):\n{}", self.name, self.log_tail(30));
            }
            match client.get(url).timeout(Duration::from_secs(2)).send().await {
                Ok(answer) if answer.status().is_success() => return,
                Ok(answer) => {
                    let status = answer.status();
                    seen = format!("{status} {}", answer.text().await.unwrap_or_default());
                }
                Err(error) => seen = error.to_string(),
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!(
            "{} was not ready at {url} within {deadline:?}; seen last: {seen}\n{}",
            self.name,
            self.log_tail(30)
        );
    }

    /// Sends a signal by name, such as `TERM`, `HUP` or `STOP`.
    pub fn signal(&mut self, name: &str) {
        if self.ended().is_none() {
            let told = Command::new("sh")
                .args(["-c", r#"kill -s "$0" "$1""#, name, &self.id().to_string()])
                .status()
                .expect("sh can be started");
            assert!(told.success(), "could not send {name} to {}", self.name);
        }
    }

    /// Asks it to end, waits, and says how it did.
    ///
    /// # Panics
    /// When it has not ended within `deadline`.
    pub async fn stop(&mut self, deadline: Duration) -> ExitStatus {
        self.signal("TERM");
        let what = format!("{} ends after SIGTERM", self.name);
        eventually(deadline, &what, async || self.ended().ok_or("it still runs")).await
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    /// When it has not ended within `deadline`.
    pub async fn ends(&mut self, deadline: Duration) -> ExitStatus {
        let what = format!("{} ends", self.name);
        eventually(deadline, &what, async || self.ended().ok_or("it still runs")).await
    }

    /// SIGKILL, now: nothing of it runs when this returns.
    pub fn kill(&mut self) {
        if self.ended().is_none() {
            self.child.kill().expect("our own child can be killed");
            self.ended = Some(self.child.wait().expect("our own child can be waited for"));
            reaper::forget(self.child.id());
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() && self.ended().is_some() {
            eprintln!("--- {} had ended; its last words:\n{}", self.name, self.log_tail(20));
        } else if std::thread::panicking() {
            eprintln!("--- {} said last:\n{}", self.name, self.log_tail(12));
        }
        self.kill();
    }
}

/// Runs a program to its end and gives its stdout.
///
/// # Panics
/// When it fails or takes longer than a fixed deadline, with what it said on stderr.
pub async fn run(command: &mut tokio::process::Command) -> String {
    let shown = format!("{:?}", command.as_std());
    let done = tokio::time::timeout(GRACE * 6, command.kill_on_drop(true).output())
        .await
        .unwrap_or_else(|_| panic!("{shown} did not end in time"))
        .unwrap_or_else(|error| panic!("{shown} could not be started: {error}"));
    assert!(
        done.status.success(),
        "{shown} failed ({}): {}",
        done.status,
        String::from_utf8_lossy(&done.stderr)
    );
    String::from_utf8_lossy(&done.stdout).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;
    use crate::waiting::seen;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn runs(id: u32) -> bool {
        // A zombie has a folder too, but no command line.
        std::fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|line| !line.is_empty())
    }

    #[tokio::test]
    async fn a_dropped_process_is_gone() {
        let folder = Scratch::new("process");
        let process = Process::spawn("sleeper", folder.path(), shell("exec sleep 600"));
        let id = process.id();
        drop(process);
        assert!(!runs(id));
    }

    #[tokio::test]
    async fn a_process_is_asked_to_end_before_it_is_killed() {
        let folder = Scratch::new("process");
        let script = "trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.05; done";
        let mut process = Process::spawn("polite", folder.path(), shell(script));
        eventually(GRACE, "it is up", async || seen(process.log() == "up\n", || process.log())).await;
        assert_eq!(process.stop(GRACE).await.code(), Some(7));
        assert_eq!(process.log(), "up\nbye\n");
    }

    #[tokio::test]
    async fn children_die_even_when_their_test_process_is_killed() {
        let folder = Scratch::new("process");
        let mut reaper = reaper::Reaper::start();
        let mut child = shell("exec sleep 600").spawn().expect("sh starts");
        reaper.watch(child.id());
        reaper.remove_at_exit(&{
            std::fs::create_dir(folder.path().join("left")).expect("a folder can be made");
            folder.path().join("left")
        });
        // What the kernel does with our end of the pipe when we are killed.
        reaper.hang_up();
        eventually(GRACE, "the child is gone", async || {
            child.try_wait().expect("our child").map(|_| ()).ok_or("it runs")
        })
        .await;
        eventually(GRACE, "the folder is gone", async || {
            seen(!folder.path().join("left").exists(), || "it is there".into())
        })
        .await;
    }
}
