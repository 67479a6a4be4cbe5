//! One reading of the files: what is wanted now, whether it loads, and what stood there. It must never take an empty folder
//! for the wish to have no policies.

use std::path::PathBuf;
use std::sync::Arc;

use paramedic_policies::action::Mode;
use paramedic_policies::book::Source;
use paramedic_policies::load::{self, Problem, built_in};

use super::files::{Found, Print, found, print};
use super::{Want, Wanted, in_one_line};

/// What was looked at, and what stood there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Looked {
    pub(super) at: Vec<PathBuf>,
    pub(super) print: Print,
}

impl Looked {
    fn now(at: Vec<PathBuf>) -> Self {
        let print = print(&at);
        Self { at, print }
    }
}

/// What one reading gave.
pub(super) struct Reading {
    /// Before it was read.
    pub(super) looked: Looked,
    /// The mode of the configuration, and what waits for a restart; `None` where it could not be read.
    pub(super) configured: Option<(Mode, Vec<String>)>,
    pub(super) result: Result<(Arc<Source>, usize), Vec<String>>,
}

impl Reading {
    /// Reads under this mode at the most; where it cannot be found out what to read, the paths of before are looked at.
    pub(super) fn now(want: &Want, at_most: Option<Mode>, before: &[PathBuf]) -> Self {
        match want() {
            Ok(mut wanted) => {
                let looked = Looked::now(wanted.policies.iter().chain(&wanted.beside).cloned().collect());
                let configured = wanted.settings.mode;
                wanted.settings.mode = at_most.map_or(configured, |most| most.min(configured));
                let result = read(&wanted);
                Self { looked, configured: Some((configured, wanted.waits)), result }
            }
            Err(problems) => {
                Self { looked: Looked::now(before.to_vec()), configured: None, result: Err(problems) }
            }
        }
    }
}

/// Reads what is wanted and checks that it loads.
///
/// # Errors
/// Everything that is wrong with it; that there is no policy where some should be is wrong too.
pub fn read(wanted: &Wanted) -> Result<(Arc<Source>, usize), Vec<String>> {
    let Found { source, left_out } = found(&wanted.policies, &wanted.settings)?;
    for problem in &left_out {
        tracing::warn!(problem = in_one_line(&problem.to_string()), "left out of the policies");
    }
    let source = built_in::with(source);
    let checked = load::check(source.clone());
    // Nobody can mend what is built in.
    let written = |problem: &&Problem| !problem.is_error() && !built_in::is_own(&problem.file);
    for problem in checked.problems.iter().filter(written) {
        tracing::warn!(problem = in_one_line(&problem.to_string()), "doubtful policy");
    }
    if wanted.policies.is_empty() {
        tracing::warn!("no policies are named; alerts are recorded and nothing follows (--policies PATH)");
    }
    match checked.book {
        Some(book) if book.written() == 0 && !wanted.policies.is_empty() => {
            let left_out = left_out.iter().map(ToString::to_string);
            Err(std::iter::once(no_policies(&wanted.policies)).chain(left_out).collect())
        }
        Some(book) => Ok((Arc::new(source), book.written())),
        None => Err(checked.problems.iter().filter(|one| one.is_error()).map(ToString::to_string).collect()),
    }
}

/// An empty folder is a mount that is not there yet, or a wrong path, far more often than a wish.
pub fn no_policies(paths: &[PathBuf]) -> String {
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    format!(
        "{}: there is no policy (hint: is it mounted, is it the right folder, do the names end in `.yaml` or `.yml`? \
         To run without policies on purpose, start without --policies)",
        paths.join(", ")
    )
}
