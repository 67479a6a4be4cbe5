//! What people read, word for word, and the exit codes. No process is needed: a command writes to what it is given.

mod audit;
mod by_hand;
mod check;
mod explain;
mod fixture;
mod help;
mod live;
mod rbac;
mod report;

use std::ffi::OsString;

use paramedic_policies::time::Moment;

use super::{Console, run};

/// What a command wrote, and its exit code.
pub(super) struct Ran {
    pub(super) code: u8,
    pub(super) out: String,
    pub(super) err: String,
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { code, out, err } = self;
        write!(f, "exit {code}\n----- stdout\n{out}\n----- stderr\n{err}")
    }
}

/// Runs a command at half past nine.
pub(super) fn paramedic<S: Into<OsString> + Clone>(args: &[S]) -> Ran {
    let mut all: Vec<OsString> = vec!["paramedic".into()];
    all.extend(args.iter().cloned().map(Into::into));
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = run(all, &mut Console { out: &mut out, err: &mut err, now: at("09:30:00") });
    let text = |bytes| String::from_utf8(bytes).expect("commands write UTF-8");
    Ran { code, out: text(out), err: text(err) }
}

/// A moment of the test's day.
pub(super) fn at(time: &str) -> Moment {
    format!("2026-11-21T{time}Z").parse().expect("a time")
}
