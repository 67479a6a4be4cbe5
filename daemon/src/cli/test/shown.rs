//! What people see of a run: a line for each scenario, everything about one that failed, and what was exercised.

use paramedic_simulations::scenario::Coverage;

use super::Outcome;
use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::cli::table::{Table, plain};

/// One line each; of one that failed, the difference and what happened.
pub(super) fn outcomes(outcomes: &[Outcome], console: &mut Console<'_>) -> Result<(), Failure> {
    for outcome in outcomes {
        let word = if outcome.ok { "ok    " } else { "FAILED" };
        writeln!(console.out, "{word}  {}: {}", plain(&outcome.file), plain(&outcome.name))?;
        if outcome.ok {
            continue;
        }
        for miss in &outcome.misses {
            writeln!(console.out, "  {}: {}", plain(&miss.place), plain(&miss.what))?;
            for line in &miss.diff {
                writeln!(console.out, "    {}", plain(line))?;
            }
            if miss.is_of_transcript() {
                continue;
            }
            writeln!(console.out, "    expected  {}", plain(&miss.expected))?;
            writeln!(console.out, "    found     {}", plain(&miss.found))?;
        }
        // A transcript that differs has told it already.
        if outcome.misses.iter().any(|miss| !miss.is_of_transcript()) && !outcome.story.is_empty() {
            writeln!(console.out, "  what happened:")?;
            for line in &outcome.story {
                writeln!(console.out, "    {}", plain(line))?;
            }
        }
        for promql in &outcome.untold {
            writeln!(console.out, "  Prometheus was asked and not told: {}", plain(promql))?;
        }
        for told in &outcome.unasked {
            writeln!(console.out, "  Prometheus was told and not asked: {}", plain(told))?;
        }
        if !outcome.untold.is_empty() {
            writeln!(console.out, "  hint: tell it under `facts`, as a `series` or as a `query`")?;
        }
        writeln!(console.out)?;
    }
    Ok(())
}

/// Which policies, steps and guards were exercised.
pub(super) fn coverage(coverage: &Coverage, console: &mut Console<'_>) -> Result<(), Failure> {
    let mut table = Table::new(["POLICY", "STEPS", "GUARDS", "NOT EXERCISED"]);
    for (name, policy) in &coverage.policies {
        let count = |parts: &[paramedic_simulations::scenario::coverage::Part]| {
            format!("{}/{}", parts.iter().filter(|part| part.exercised).count(), parts.len())
        };
        let parts = policy.steps.iter().chain(&policy.guards);
        let missing: Vec<&str> =
            parts.filter(|part| !part.exercised).map(|part| part.name.as_str()).collect();
        let missing = if policy.ruled { missing.join(", ") } else { "all of it".to_owned() };
        table.row([name.clone(), count(&policy.steps), count(&policy.guards), missing]);
    }
    let (exercised, all) = coverage.counts();
    writeln!(
        console.out,
        "\n{table}{exercised} of {all} steps and guards exercised ({} %)",
        coverage.percent()
    )?;
    Ok(())
}
