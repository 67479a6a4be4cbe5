//! Cleans what errands bring back: the end of an effect, the answer to a question, the receipt of a message. What comes
//! from a container's log, a service or an object of the cluster is a stranger's text. Must never touch what is acted
//! by: the action of a preflight stays as it is, but for who wrote a number last. That is evidence for later: where it
//! is hidden, nobody is found again, and a person is called instead.

use paramedic_policies::action::{Action, Diff, DiffSource, Outcome};
use paramedic_policies::answer::{Answer, Found, Preflight};
use paramedic_policies::input::Input;
use paramedic_policies::notifications::Receipt;
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::scale;
use serde_json::Value;

use super::Redactor;

impl Redactor {
    /// An errand's end, with every text in it redacted.
    pub fn end(&self, mut end: Input) -> Input {
        if !self.enabled {
            return end;
        }
        match &mut end {
            Input::Ended { outcome, .. } => self.outcome(outcome),
            Input::Delivered { receipt, .. } => match receipt {
                Receipt::Taken { said: text } | Receipt::Failed { what: text, .. } => self.replace(text),
            },
            Input::Told(Answer { found, .. }) => self.found(found),
            // No errand ends so; what people and Alertmanager send is redacted where it comes in.
            Input::Alerts(_)
            | Input::Order(_)
            | Input::Adopt(_)
            | Input::Reload { .. }
            | Input::ReloadRefused { .. }
            | Input::Reign { .. }
            | Input::Began { .. }
            | Input::ClockStepped { .. }
            | Input::Wake => {}
        }
        end
    }

    fn outcome(&self, outcome: &mut Outcome) {
        match outcome {
            Outcome::Done { diff, .. } => self.diff(diff.as_mut()),
            // Evidence is redacted where it is collected, before it is cut.
            Outcome::Collected { .. } => {}
            Outcome::Refused { reasons } => self.reasons(reasons),
            Outcome::Failed { what, diff, .. } => {
                self.replace(what);
                self.diff(diff.as_mut());
            }
            Outcome::Unknown { what } => self.replace(what),
        }
    }

    fn found(&self, found: &mut Found) {
        match found {
            Found::Preflight(preflight) => {
                let Preflight { refusals, passed, diff, action, .. } = &mut **preflight;
                if let Some(Action::Scale(scale::Action { set_by: Some(by), .. })) = action {
                    self.replace(by);
                }
                self.reasons(refusals);
                passed.iter_mut().for_each(|text| self.replace(text));
                self.diff(diff.as_mut());
            }
            Found::Rollout { detail: text, .. }
            | Found::Absent { what: text }
            | Found::Failed { what: text } => {
                self.replace(text);
            }
            // Labels of series are redacted where configuration names them, by who asks Prometheus.
            Found::Series(_) | Found::Target(_) | Found::Http { .. } => {}
        }
    }

    fn diff(&self, diff: Option<&mut Diff>) {
        let Some(Diff { fields, source }) = diff else { return };
        for field in fields {
            self.replace(&mut field.before);
            self.replace(&mut field.after);
        }
        if let DiffSource::Computed { because } = source {
            self.replace(because);
        }
    }

    /// A reason is numbers and texts of many kinds, so it is looked through as it is written. One whose text is no free
    /// text, and could not be read back, stays.
    fn reasons(&self, reasons: &mut [Reason]) {
        for reason in reasons {
            let Ok(mut written) = serde_json::to_value(&*reason) else { continue };
            if self.value(&mut written)
                && let Ok(clean) = serde_json::from_value(written)
            {
                *reason = clean;
            }
        }
    }

    /// Whether anything in it was redacted.
    fn value(&self, value: &mut Value) -> bool {
        match value {
            Value::String(text) => match self.text(text) {
                std::borrow::Cow::Owned(clean) => {
                    *text = clean;
                    true
                }
                std::borrow::Cow::Borrowed(_) => false,
            },
            // Each of them is looked at, whatever the one before it held.
            Value::Array(items) => {
                items.iter_mut().filter_map(|item| self.value(item).then_some(())).count() > 0
            }
            Value::Object(fields) => {
                fields.values_mut().filter_map(|field| self.value(field).then_some(())).count() > 0
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use paramedic_policies::action::Change;
    use paramedic_policies::event::Seq;

    use super::*;

    const SECRET: &str = "login of jane@example.com with password=hunter2 failed";
    const CLEAN: &str = "login of [email] with password=[secret] failed";

    fn ended(outcome: Outcome) -> Input {
        Input::Ended { intent: Seq(1), outcome }
    }

    fn diff(text: &str) -> Option<Diff> {
        let path = "log of container main".to_owned();
        let change = Change { path, before: "-".to_owned(), after: text.to_owned() };
        Some(Diff { fields: vec![change], source: DiffSource::Applied })
    }

    /// What is compared after a crash stays as it is.
    #[test]
    fn a_writer_that_is_a_program_is_left_as_it_is() {
        for by in [
            "helm at 2026-11-21T07:33:05.000Z",
            "paramedic-3f0b8f1e-1c52-4b4c-9f0d-6f1a2b3c4d5e-1047 at 2026-11-21T07:33:05.000Z",
            "kube-controller-manager at 2026-11-21T07:33:05.000Z",
        ] {
            assert_eq!(Redactor::default().text(by), by);
        }
    }

    #[test]
    fn every_text_that_an_errand_brings_back_is_redacted() {
        let bad = |text: &str| Reason::BadValue { what: "state".to_owned(), problem: text.to_owned() };
        let told = |found| {
            Input::Told(Answer {
                question: Seq(2),
                taken_at: "2026-11-21T09:00:00Z".parse().expect("a time"),
                found,
            })
        };
        let delivered = |receipt| Input::Delivered { notice: Seq(3), receipt };
        type End<'of> = Box<dyn Fn(&str) -> Input + 'of>;
        let cases: Vec<End<'_>> = vec![
            Box::new(|text| ended(Outcome::Done { diff: diff(text), already: false })),
            Box::new(|text| {
                ended(Outcome::Failed { what: text.to_owned(), applied: true, diff: diff(text) })
            }),
            Box::new(|text| ended(Outcome::Unknown { what: text.to_owned() })),
            Box::new(|text| ended(Outcome::Refused { reasons: vec![bad(text)] })),
            Box::new(|text| told(Found::Failed { what: text.to_owned() })),
            Box::new(|text| told(Found::Absent { what: text.to_owned() })),
            Box::new(|text| {
                told(Found::Preflight(Box::new(Preflight {
                    uid: "uid".to_owned(),
                    action: Some(Action::Scale(scale::Action {
                        lever: scale::Lever::Replicas,
                        from: 3,
                        to: 5,
                        wanted: None,
                        set_by: Some(text.to_owned()),
                    })),
                    already: false,
                    refusals: vec![bad(text)],
                    passed: vec![text.to_owned()],
                    labels: Default::default(),
                    beside: Default::default(),
                    surroundings: None,
                    diff: diff(text),
                })))
            }),
            Box::new(|text| delivered(Receipt::Taken { said: text.to_owned() })),
            Box::new(|text| delivered(Receipt::Failed { what: text.to_owned(), passing: true })),
        ];
        for case in cases {
            assert_eq!(Redactor::default().end(case(SECRET)), case(CLEAN));
            let off = Redactor { enabled: false, ..Redactor::default() };
            assert_eq!(off.end(case(SECRET)), case(SECRET));
        }
    }
}
