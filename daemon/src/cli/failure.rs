//! Why a command failed, in two parts: what went wrong, and what to do about it. The exit code says whose fault it
//! is. Deliberately absent: backtraces and chains of causes that only a programmer can read.

use std::fmt;
use std::process::ExitCode;

/// A command that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Whose fault it is.
    pub whose: Whose,
    /// What went wrong, on what.
    pub error: String,
    /// What to do next.
    pub hint: Option<String>,
}

/// Whose fault a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The user's: a wrong flag, a file that does not load, a check that failed, an order that was refused.
    Users,
    /// Ours, or the machine's: a daemon that does not answer, a disk that does not read.
    Ours,
    /// Nobody's: whoever read our output has closed it, as `head` does.
    Nobodys,
}

impl Failure {
    /// The user's fault.
    pub fn users(error: impl Into<String>) -> Self {
        Self { whose: Whose::Users, error: error.into(), hint: None }
    }

    /// Ours.
    pub fn ours(error: impl Into<String>) -> Self {
        Self { whose: Whose::Ours, error: error.into(), hint: None }
    }

    /// Files of this sort that could not be read, each with why.
    pub(super) fn unread(problems: &[String], sort: &str) -> Self {
        Self::users(problems.join("\n       ")).hint(format!("name {sort} files, or folders of them"))
    }

    /// With what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With what to do next, where something is known.
    #[must_use]
    pub fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }

    /// With another failure beside it, where there is one.
    #[must_use]
    pub(super) fn and(mut self, other: Result<(), Self>) -> Self {
        if let Err(other) = other {
            self.error = format!("{}; {}", self.error, other.error);
            let hints: Vec<String> = self.hint.into_iter().chain(other.hint).collect();
            self.hint = (!hints.is_empty()).then(|| hints.join("; "));
        }
        self
    }

    /// 1 or 2; 141 where nobody reads any more, as a shell says of a program that SIGPIPE ended: what was not said to its end
    /// may have been a failure, and must not pass for a success.
    pub fn code(&self) -> u8 {
        match self.whose {
            Whose::Nobodys => 141,
            Whose::Users => 1,
            Whose::Ours => 2,
        }
    }
}

impl From<&Failure> for ExitCode {
    fn from(failure: &Failure) -> Self {
        Self::from(failure.code())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.error)?;
        self.hint.iter().try_for_each(|hint| write!(f, "\nhint: {hint}"))
    }
}

impl From<std::io::Error> for Failure {
    /// Of writing to our own output.
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self { whose: Whose::Nobodys, error: String::new(), hint: None };
        }
        Self::ours(format!("could not write the output: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `set -o pipefail; paramedic plan … | head -1` must not pass where the plan would have failed.
    #[test]
    fn who_stops_reading_makes_no_success() {
        let gone = Failure::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        assert_eq!(gone.code(), 141);
        assert_eq!(Failure::from(std::io::Error::from(std::io::ErrorKind::StorageFull)).code(), 2);
    }
}
