//! What a run is worth as an exit code, in one sentence, and what to do about it. Everything that is wrong is said at once;
//! a hint is given only where it would help.

use std::fmt;

use paramedic_policies::counted::counted;
use paramedic_simulations::scenario::Coverage;

use super::Outcome;
use crate::cli::failure::Failure;

/// How little may be exercised, and what was.
pub(super) struct Least<'c> {
    /// In percent.
    pub(super) percent: u32,
    /// What was.
    pub(super) coverage: &'c Coverage,
}

/// The number of scenarios that are all as expected.
///
/// # Errors
/// Where any is not, where a transcript tells of one that is gone, and where too little was exercised.
pub(super) fn of(outcomes: &[Outcome], gone: &[String], least: Option<Least<'_>>) -> Result<String, Failure> {
    let all = counted(outcomes.len(), "scenario");
    let (mut wrong, mut hints): (Vec<String>, Vec<&str>) = (Vec::new(), Vec::new());
    let failed: Vec<&Outcome> = outcomes.iter().filter(|one| !one.ok).collect();
    if !failed.is_empty() {
        wrong.push(format!("{} of {all} failed", failed.len()));
        let any = |is_of_transcript: bool| {
            failed.iter().flat_map(|one| &one.misses).any(|miss| miss.is_of_transcript() == is_of_transcript)
        };
        if any(false) {
            hints.push("mend the policy or the expectation");
        }
        if any(true) {
            hints.push("--update accepts what is now told in transcripts");
        }
    }
    if !gone.is_empty() {
        wrong.extend_from_slice(gone);
        hints.push("--update takes out of a transcript what no scenario tells any more");
    }
    if let Some(least) = least.filter(Least::is_missed) {
        wrong.push(least.to_string());
        hints.push("what no scenario has exercised is named above");
    }
    if wrong.is_empty() {
        return Ok(all);
    }
    Err(Failure::users(wrong.join("; ")).hint(hints.join("; ")))
}

impl Least<'_> {
    fn is_missed(&self) -> bool {
        self.coverage.percent() < self.percent
    }
}

impl fmt::Display for Least<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { percent, coverage } = self;
        let (exercised, all) = coverage.counts();
        let is = coverage.percent();
        write!(f, "{exercised} of {all} steps and guards exercised ({is} %), {percent} % wanted")
    }
}

#[cfg(test)]
mod tests {
    use paramedic_policies::book::{Source, SourceFile};
    use paramedic_policies::load;

    use super::super::Told;
    use super::*;

    fn miss(diff: &[&str]) -> Told {
        let text = |text: &str| text.to_owned();
        let diff = diff.iter().map(|line| text(line)).collect();
        Told { place: text("a.yaml:3:1"), what: text("x"), expected: text("a"), found: text("b"), diff }
    }

    fn outcome(misses: Vec<Told>) -> Outcome {
        Outcome {
            file: "a.yaml".to_owned(),
            name: "a".to_owned(),
            description: String::new(),
            ok: misses.is_empty(),
            misses,
            untold: Vec::new(),
            unasked: Vec::new(),
            story: Vec::new(),
        }
    }

    /// Of a policy that no scenario has tried.
    fn coverage() -> Coverage {
        let text = "apiVersion: paramedic.dev/v1alpha1\nkind: RemediationPolicy\nmetadata: {name: a}\nspec:\n  \
                    target: {kind: Deployment, namespace: shop, name: cart}\n  ladder: [{restart: {}}]\n";
        let files = vec![SourceFile { path: "a.yaml".to_owned(), text: text.to_owned() }];
        let source = Source { files, settings: Default::default(), tzdb: String::new() };
        Coverage::of(&load::book(source).expect("it loads"))
    }

    fn said(outcomes: &[Outcome], gone: &[&str], percent: Option<u32>) -> String {
        let gone: Vec<String> = gone.iter().map(|one| (*one).to_owned()).collect();
        let coverage = coverage();
        let least = percent.map(|percent| Least { percent, coverage: &coverage });
        of(outcomes, &gone, least).unwrap_or_else(|failure| failure.to_string())
    }

    #[test]
    fn a_hint_is_given_where_it_would_help() {
        let (expectation, transcript) = (miss(&[]), miss(&["- a", "+ b"]));
        let mend = "mend the policy or the expectation";
        let update = "--update accepts what is now told in transcripts";
        let good = outcome(Vec::new());
        let told = said(&[outcome(vec![expectation.clone()]), good.clone()], &[], None);
        assert_eq!(told, format!("error: 1 of 2 scenarios failed\nhint: {mend}"));
        let told = said(&[outcome(vec![transcript.clone()])], &[], None);
        assert_eq!(told, format!("error: 1 of 1 scenario failed\nhint: {update}"));
        let told = said(&[outcome(vec![expectation, transcript])], &[], None);
        assert_eq!(told, format!("error: 1 of 1 scenario failed\nhint: {mend}; {update}"));
        assert_eq!(said(&[good], &[], None), "1 scenario");
    }

    #[test]
    fn too_little_that_was_exercised_is_told_beside_what_failed_and_counts_what_the_table_counts() {
        let (_, all) = coverage().counts();
        let little = format!("0 of {all} steps and guards exercised (0 %), 80 % wanted");
        let names = "what no scenario has exercised is named above";
        let told = said(&[outcome(Vec::new())], &[], Some(80));
        assert_eq!(told, format!("error: {little}\nhint: {names}"));
        let told = said(&[outcome(vec![miss(&[])])], &[], Some(80));
        let mend = "mend the policy or the expectation";
        assert_eq!(told, format!("error: 1 of 1 scenario failed; {little}\nhint: {mend}; {names}"));
        assert_eq!(said(&[outcome(Vec::new())], &[], Some(0)), "1 scenario");
    }

    #[test]
    fn what_a_transcript_tells_of_a_scenario_that_is_gone_is_told_beside_what_failed() {
        let told = said(&[outcome(vec![miss(&[])])], &["a.transcript.txt tells of `old`"], None);
        assert!(
            told.starts_with("error: 1 of 1 scenario failed; a.transcript.txt tells of `old`\nhint: "),
            "{told}"
        );
        assert!(
            told.ends_with("; --update takes out of a transcript what no scenario tells any more"),
            "{told}"
        );
    }
}
