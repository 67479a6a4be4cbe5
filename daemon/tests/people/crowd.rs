//! A crowd of connections that say nothing keeps nobody from stopping the daemon's actions, nor alerts from coming in. The
//! daemon is a process of its own, so that both sides fit into an ordinary limit of open files.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::{PATIENCE, POLICIES};

/// More than there are places.
const CROWD: usize = 600;

/// What a person who wants to stop it waits for without a thought; a crowd that is waited out takes 10 s.
const PROMPT: Duration = Duration::from_secs(8);

struct Daemon {
    child: Child,
    /// Where it listens.
    address: String,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Daemon {
    fn start(dir: &std::path::Path) -> Self {
        let policies = dir.join("policies.yaml");
        std::fs::write(&policies, POLICIES).expect("a file");
        let mut command = paramedic();
        command.args([
            "serve",
            "--no-kubernetes",
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
        ]);
        command.arg("--policies").arg(policies).arg("--data-dir").arg(dir.join("data"));
        let mut child = command.stderr(Stdio::piped()).spawn().expect("it runs");
        let log = BufReader::new(child.stderr.take().expect("it was piped"));
        let (send, lines) = mpsc::channel();
        // Read to its end, so that the daemon never waits for us.
        std::thread::spawn(move || log.lines().map_while(Result::ok).for_each(|line| drop(send.send(line))));
        let mut daemon = Self { child, address: String::new() };
        while daemon.address.is_empty() {
            let line = lines.recv_timeout(PATIENCE).expect("it says that it serves");
            if let Some((_, rest)) = line.split_once("paramedic serves public=") {
                daemon.address = rest.split(' ').next().unwrap_or_default().to_owned();
            }
        }
        daemon
    }

    fn pause(&self) -> Output {
        let mut command = paramedic();
        command.args(["pause", "--reason", "stop", "--server", &format!("http://{}", self.address)]);
        command.output().expect("it runs")
    }
}

fn paramedic() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_paramedic"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PARAMEDIC_")) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

#[test]
fn hundreds_of_half_open_connections_do_not_lock_out_the_stop_button() {
    let dir = tempfile::tempdir().expect("a folder");
    let daemon = Daemon::start(dir.path());
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        let mut one = TcpStream::connect(&daemon.address).expect("the system takes it");
        // Where its place was given to another at once, it is gone.
        drop(one.write_all(b"POST /api/v1/pauses HTTP/1.1\r\nHost: a\r\nX-Slow: "));
        crowd.push(one);
    }
    let begin = Instant::now();
    let paused = daemon.pause();
    assert!(paused.status.success(), "{}", String::from_utf8_lossy(&paused.stderr));
    assert!(begin.elapsed() < PROMPT, "it took {:?}", begin.elapsed());
    drop(crowd);
}
