//! The policies under the settings of a scenario. They are loaded before it is played: settings that cannot be meant would
//! leave it without any policy, where every expectation that nothing is done holds.

use paramedic_policies::action::Mode;
use paramedic_policies::book::{Book, Source};
use paramedic_policies::load::yaml::Tree;
use paramedic_policies::load::{self, Problem, Severity};
use paramedic_policies::settings::Settings;

use super::{Scenario, merge};

impl Scenario {
    /// The policies of a book under the settings of this scenario; as they are, where it has none.
    ///
    /// # Errors
    /// Every problem of its settings, at their place.
    pub(super) fn book(&self, book: &Book) -> Result<Option<Book>, Vec<Problem>> {
        let Some(written) = self.tree.get("spec").and_then(|spec| spec.get("settings")) else {
            return Ok(None);
        };
        let source = self.source(book.source(), written).map_err(|error| {
            vec![self.unfit("/spec/settings", format!("they do not go over those of `--config`: {error}"))]
        })?;
        let senseless: Vec<Problem> = source
            .settings
            .senseless()
            .into_iter()
            .map(|found| {
                let path = found.path.replace(['.', '['], "/").replace(']', "");
                let message = format!("`{}`: {}", found.path, found.message);
                let problem = self.unfit(&format!("/spec/settings/{path}"), message);
                Problem { hint: Some(found.hint.to_owned()), ..problem }
            })
            .collect();
        if !senseless.is_empty() {
            return Err(senseless);
        }
        load::book(source).map(Some).map_err(|problems| {
            let told = problems.into_iter().map(|Problem { file, line, column, message, hint, .. }| {
                let problem =
                    self.unfit("/spec/settings", format!("with them {file}:{line}:{column}: {message}"));
                Problem { hint: hint.or(problem.hint), ..problem }
            });
            told.collect()
        })
    }

    fn source(&self, source: &Source, written: &Tree) -> Result<Source, serde_json::Error> {
        // A scenario shows what the policies say; who wants them capped writes so.
        let enforcing = Settings { mode: Mode::Enforce, ..source.settings.clone() };
        let mut settings = serde_json::to_value(&enforcing)?;
        merge(&mut settings, written.to_json());
        let settings: Settings = serde_json::from_value(settings)?;
        Ok(Source { settings, ..source.clone() })
    }

    fn unfit(&self, path: &str, message: String) -> Problem {
        let (line, column) = self.place(path);
        Problem {
            severity: Severity::Error,
            file: self.file.clone(),
            line,
            column,
            message: format!("the settings of the scenario `{}`: {message}", self.name),
            hint: Some("mend the scenario's `settings`; they go over those of --config".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use paramedic_policies::book::{Book, Source, SourceFile};
    use paramedic_policies::load;

    use crate::scenario::{play, read};

    const POLICY: &str = "apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: cart-errors}
spec:
  match: ['alertname=\"A\"', 'namespace=~\"{{ vars.where }}\"']
  target: {kind: Deployment, namespace: shop, name: cart}
  ladder: [{restart: {}}]
";

    fn book() -> Book {
        let mut source = Source {
            files: vec![SourceFile { path: "cart-policy.yaml".to_owned(), text: POLICY.to_owned() }],
            settings: Default::default(),
            tzdb: String::new(),
        };
        source.settings.vars.insert("where".to_owned(), "shop".to_owned());
        load::book(source).expect("it loads")
    }

    fn problems(settings: &str) -> Vec<String> {
        let book = book();
        let text = format!(
            "apiVersion: paramedic.dev/v1alpha1\nkind: Scenario\nmetadata: {{name: quiet}}\nspec:\n  \
             settings: {settings}\n  alerts: [{{labels: {{alertname: A}}}}]\n  expect: {{actions: []}}\n"
        );
        let scenarios = read(&text, "cart.yaml").expect("it can be read");
        match play(&scenarios[0], &book) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn settings_that_cannot_be_meant_are_told_with_scenario_and_place() {
        let all = problems("{guards: {storm: {targetsFiringPercent: 0}}}");
        let head = "cart.yaml:5:53: error: the settings of the scenario `quiet`: `guards.storm";
        assert!(all.len() == 1 && all[0].starts_with(head) && all[0].contains("hint: "), "{all:#?}");
    }

    #[test]
    fn settings_that_break_a_policy_are_told_with_both_places() {
        let all = problems("{vars: {where: '('}}");
        let head =
            "cart.yaml:5:3: error: the settings of the scenario `quiet`: with them cart-policy.yaml:5:";
        assert!(!all.is_empty() && all[0].starts_with(head), "{all:#?}");
    }

    #[test]
    fn settings_that_can_be_meant_are_played() {
        assert_eq!(problems("{vars: {where: shop}}"), [""; 0]);
    }

    /// What is otherwise than expected, each at its place.
    fn misses(lines: &str) -> Vec<String> {
        let head = "apiVersion: paramedic.dev/v1alpha1\nkind: Scenario\nmetadata: {name: quiet}\nspec:\n";
        let scenarios = read(&format!("{head}{lines}"), "cart.yaml").expect("it can be read");
        let played = play(&scenarios[0], &book()).expect("it can be played");
        played.misses.iter().map(|miss| format!("{}:{}: {}", miss.line, miss.column, miss.found)).collect()
    }

    #[test]
    fn a_scenario_that_expects_nothing_and_sees_nothing_fails() {
        assert_eq!(misses("  expect: {}\n"), ["5:3: nothing happened"]);
        assert_eq!(misses("  expect: {actions: []}\n"), [""; 0]);
        let fires = "  alerts: [{labels: {alertname: A, namespace: shop}}]\n  expect: {}\n";
        assert_eq!(misses(fires), [""; 0]);
    }

    #[test]
    fn a_scenario_whose_alerts_no_policy_matches_fails_unless_it_says_which_policy_is_silent() {
        let alert = "  alerts: [{labels: {alertname: B, namespace: shop}}]\n";
        let told = misses(&format!("{alert}  expect: {{actions: [], calls: []}}\n"));
        assert_eq!(told, ["5:13: no policy matches any alert of the scenario"]);
        assert_eq!(misses(&format!("{alert}  expect: {{verdicts: {{cart-errors: []}}}}\n")), [""; 0]);
        // One that a policy matches is enough: the others may be noise, or what keeps it from acting.
        let both = "  alerts: [{labels: {alertname: B}}, {labels: {alertname: A, namespace: shop}}]\n";
        assert_eq!(misses(&format!("{both}  expect: {{calls: []}}\n")), [""; 0]);
        // Under the scenario's own settings another namespace is meant.
        let other =
            "  settings: {vars: {where: bank}}\n  alerts: [{labels: {alertname: A, namespace: shop}}]\n";
        let told = misses(&format!("{other}  expect: {{actions: []}}\n"));
        assert_eq!(told, ["6:13: no policy matches any alert of the scenario"]);
    }

    #[test]
    fn an_outage_that_ends_mends_no_other_one() {
        // Without Prometheus no alert is evaluated and none is confirmed.
        let outages = "  faults:
    - {what: prometheusDown, from: 0s, until: 5m}
    - {what: prometheusDown, from: 1m, until: 50m}
  lasts: 20m
  alerts: [{labels: {alertname: A, namespace: shop}, from: 10m}]
  expect: {actions: []}
";
        assert_eq!(misses(outages), [""; 0]);
    }
}
