//! What must hold of any bytes, one function for each reader of text from outside: no panic, no bound exceeded, and
//! what was read is what was meant. cargo-fuzz calls them for as long as one likes; `tests/tests/fuzzing.rs` calls them
//! on the corpus and on some thousands of mutations of it. They must never depend on anything but the bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use paramedic::intake::{self, Sent, bounds};
use paramedic::journal::read_block;
use paramedic::redaction::Redactor;
use paramedic_policies::action::Mode;
use paramedic_policies::alert::{Alert, AlertStatus, Labels};
use paramedic_policies::answer::{Answer, Found};
use paramedic_policies::book::{Source, SourceFile};
use paramedic_policies::event::{Event, Record};
use paramedic_policies::input::{Delivery, Input};
use paramedic_policies::load;
use paramedic_policies::matcher::{Matcher, Operator, Regexes};
use paramedic_policies::promql::Query;
use paramedic_policies::settings::Settings;
use paramedic_policies::state::State;
use paramedic_policies::target::Target;
use paramedic_policies::template::{Scope, Template};
use paramedic_policies::time::Moment;
use paramedic_policies::{apply, decide, url, wake};

/// A function by the name of its target.
pub type Fuzzed = (&'static str, fn(&[u8]));

/// All of them; each has a folder of its name in `corpus/`.
pub const TARGETS: [Fuzzed; 6] = [
    ("payload", payload),
    ("matchers", matchers),
    ("policies", policies),
    ("templates", templates),
    ("records", records),
    ("blocks", blocks),
];

/// 2026-11-21T08:30:00Z.
const NOW: Moment = Moment::from_unix_ms(1_795_249_800_000);

/// How far a state is woken: not whether it rests, only that nothing breaks.
const WAKES: usize = 40;

/// A policy that any alert named `Errors` meets, with a value of it in every place that takes one.
const ERRORS: &str = r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: errors}
spec:
  mode: enforce
  match: ['alertname=~".+"', 'alertname!="Noise"', 'alertname="Errors"']
  unless: ['alertname="Noise"', 'namespace=~"quiet.*"']
  target: {kind: Deployment, namespace: "{{ labels.namespace }}", name: "{{ labels.deployment }}"}
  let: {zone: {query: 'topk(1, up{pod=~"{{ labels.pod }}.*"})', label: zone}}
  when: [{query: 'errors{namespace="{{ labels.namespace }}"}', is: "> 1"}]
  ladder:
    - restart: {}
      verify: {http: 'http://{{ labels.deployment }}.example/healthz/{{ labels.pod }}'}
"#;

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

fn source(name: &str, text: &str) -> Source {
    let files = vec![SourceFile { path: name.to_owned(), text: text.to_owned() }];
    let settings = Settings { mode: Mode::Enforce, ..Settings::default() };
    Source { files, settings, tzdb: "fuzz".to_owned() }
}

/// A leader under this book.
fn leader(source: Source) -> State {
    let mut state = State::new();
    let inputs = [
        Input::Began { version: "fuzz".to_owned() },
        Input::Adopt(Box::new(source)),
        Input::Reign { leader: true, epoch: 1 },
    ];
    inputs.iter().for_each(|input| take(&mut state, input));
    state
}

fn take(state: &mut State, input: &Input) {
    for event in decide(state, &state.current_book(), NOW, input) {
        apply(state, NOW, &event);
    }
}

/// A delivery, the whole way: woken, and each question answered that nothing is known.
fn deliver(state: &mut State, delivery: Delivery) {
    take(state, &Input::Alerts(delivery));
    for _ in 0..WAKES {
        let open = state.questions.keys().next().copied();
        let input = match open {
            Some(question) => {
                Input::Told(Answer { question, taken_at: NOW, found: Found::Failed { what: String::new() } })
            }
            None if wake(state).is_some_and(|due| due <= NOW) => Input::Wake,
            None => break,
        };
        take(state, &input);
    }
    let text = serde_json::to_string(&*state).expect("a state is plain data");
    serde_json::from_str::<State>(&text).expect("a stored state is read");
}

thread_local! {
    static LEADER: State = leader(source("errors.yaml", ERRORS));
}

/// The body of a webhook: what is read keeps every bound, survives being recorded, and can be decided on.
pub fn payload(bytes: &[u8]) {
    let sent = Sent { sender: "am", correlation: "c-1", at: NOW, body: bytes };
    let (delivery, problem) = intake::read(&sent, &Redactor::default());
    assert!(problem.is_none() || delivery.alerts.is_empty(), "alerts were read, and a problem was told");
    assert!(problem.is_none() || !delivery.unreadable.is_empty(), "a problem that is not recorded");
    assert!(delivery.unreadable.len() <= bounds::PROBLEMS_MAX + 1, "problems without a bound");
    assert!(delivery.truncated <= bounds::TRUNCATED_MAX, "a count without a bound");
    for alert in &delivery.alerts {
        assert!((1..=bounds::LABELS_MAX).contains(&alert.labels.len()), "labels without a bound");
        for (name, value) in &alert.labels {
            assert!(name.len() <= bounds::NAME_BYTES_MAX && value.len() <= bounds::VALUE_BYTES_MAX);
            assert!(!name.is_empty() && !value.is_empty(), "an empty label is no label");
            assert!(name.chars().chain(value.chars()).all(bounds::is_plain), "a label that lies: {name:?}");
        }
        assert!(alert.annotations.len() <= bounds::ANNOTATIONS_MAX, "annotations without a bound");
    }
    let recorded = serde_json::to_vec(&delivery).expect("a delivery is plain data");
    let read: Delivery = serde_json::from_slice(&recorded).expect("a recorded delivery is read");
    assert_eq!(read, delivery, "what is read back is what was taken");
    if delivery.alerts.len() <= 50 {
        let mut state = LEADER.with(State::clone);
        deliver(&mut state, delivery);
    }
}

/// One matcher: what is written of it is read as the same, and it says of any label whether it meets.
pub fn matchers(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let Ok(matcher) = Matcher::parse(text, &mut Regexes::default()) else { return };
    let written = matcher.to_string();
    let again = Matcher::parse(&written, &mut Regexes::default());
    let again = again.unwrap_or_else(|error| panic!("{written} was written and is not read: {error}"));
    assert_eq!(
        (&again.name, again.operator, &again.value),
        (&matcher.name, matcher.operator, &matcher.value),
        "{written} is another matcher"
    );
    let own = Labels::from([(matcher.name.clone(), matcher.value.clone())]);
    match matcher.operator {
        Operator::Equal => assert!(matcher.meets(&own), "{written} does not meet its own value"),
        Operator::NotEqual => assert!(!matcher.meets(&own), "{written} meets its own value"),
        Operator::Matches | Operator::NotMatches => {
            for value in ["", "a", "prod", text] {
                assert_eq!(again.meets_value(value), matcher.meets_value(value), "{written} on {value:?}");
            }
        }
    }
}

/// A policy file: every problem has a place within it, and what loads can be stored, adopted and lived under.
pub fn policies(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let source = source("fuzz.yaml", text);
    let checked = load::check(source.clone());
    let lines = text.split(['\n', '\r']).count() + 1;
    for problem in &checked.problems {
        let within = problem.file != "fuzz.yaml" || (1..=lines).contains(&problem.line);
        assert!(within && problem.column >= 1, "a problem that is nowhere: {problem}");
        assert!(!problem.message.is_empty(), "a problem without words");
    }
    let refused = checked.problems.iter().any(load::Problem::is_error);
    assert_eq!(checked.book.is_none(), refused, "refused without an error, or not refused with one");
    let Some(book) = checked.book else { return };
    let mut state = leader(source);
    assert_eq!(state.current_book().policies().len(), book.policies().len());
    let alerts = book.policies().values().take(5).map(|policy| {
        let mut labels = Labels::from([
            ("namespace".to_owned(), "prod".to_owned()),
            ("deployment".to_owned(), "web".to_owned()),
        ]);
        let equal = policy.matchers.iter().filter(|matcher| matcher.operator == Operator::Equal);
        labels.extend(equal.map(|matcher| (matcher.name.clone(), matcher.value.clone())));
        alert(labels)
    });
    deliver(&mut state, delivery(alerts.collect()));
}

fn alert(labels: Labels) -> Alert {
    Alert {
        status: AlertStatus::Firing,
        labels,
        annotations: Labels::new(),
        starts_at: NOW,
        ends_at: None,
        fingerprint: None,
    }
}

fn delivery(alerts: Vec<Alert>) -> Delivery {
    Delivery {
        sender: "am".to_owned(),
        receiver: String::new(),
        group_key: String::new(),
        correlation: "c-1".to_owned(),
        alerts,
        unreadable: Vec::new(),
        truncated: 0,
    }
}

/// A template, a NUL, and the value of a label: whatever the value holds, it stays the one value of its place, in PromQL
/// and in URLs.
pub fn templates(bytes: &[u8]) {
    let Some(whole) = text(bytes) else { return };
    let (template, value) = whole.split_once('\0').unwrap_or((whole, "web"));
    let named = ["x", "namespace", "deployment", "pod"].map(|name| (name.to_owned(), value.to_owned()));
    let (labels, vars) = (Labels::from(named), BTreeMap::from([("v".to_owned(), value.to_owned())]));
    let (kind, namespace, name) = ("Deployment".to_owned(), "prod".to_owned(), "web".to_owned());
    let target = Target { kind, namespace, name };
    let scope = Scope { labels: &labels, vars: &vars, lets: &vars, target: Some(&target) };
    if let Ok(parsed) = Template::parse(template) {
        let rendered = parsed.render(&scope);
        assert!(!parsed.is_literal() || rendered.is_ok(), "literal text that does not render");
        let _ = url::check_template(&parsed);
    }
    if let Ok(query) = Query::parse(template)
        && let Ok(rendered) = query.render(&scope)
    {
        let read = promql_parser::parser::parse(&rendered);
        assert!(read.is_ok(), "{rendered} was rendered and is no PromQL: {read:?}");
    }
    let _ = url::check(template);
    let _ = url::path_segment(value);
    stays_a_value(value, &scope);
}

/// The value in queries that are right.
fn stays_a_value(value: &str, scope: &Scope<'_>) {
    use promql_parser::parser::Expr;
    let query = r#"up{a="{{ labels.x }}", b=~"x{{ labels.x }}y", c!="{{ labels.x }}"}"#;
    let query = Query::parse(query).expect("a query that is right");
    let Ok(rendered) = query.render(scope) else { return };
    let read = promql_parser::parser::parse(&rendered);
    let Ok(Expr::VectorSelector(selector)) = read else { panic!("{rendered} is no selector: {read:?}") };
    assert_eq!(selector.name.as_deref(), Some("up"), "{rendered} asks for another metric");
    assert!(selector.matchers.or_matchers.is_empty() && selector.offset.is_none() && selector.at.is_none());
    let each: Vec<(&str, &str)> =
        selector.matchers.matchers.iter().map(|one| (one.name.as_str(), one.value.as_str())).collect();
    assert_eq!(each.len(), 3, "{rendered} has other matchers");
    assert!(each.contains(&("a", value)) && each.contains(&("c", value)), "{rendered} holds another value");
    let expression = each.iter().find(|(name, _)| *name == "b").map(|(_, value)| *value).expect("the second");
    let text = format!("b=~{}", serde_json::to_string(expression).expect("text"));
    if let Ok(matcher) = Matcher::parse(&text, &mut Regexes::default()) {
        assert!(matcher.meets_value(&format!("x{value}y")), "{rendered} does not mean {value:?}");
        assert!(!matcher.meets_value("xz"), "{rendered} means more than {value:?}");
    }
}

/// Records, one a line: what is read is written as it is read again, and folding one breaks nothing.
pub fn records(bytes: &[u8]) {
    for line in bytes.split(|byte| *byte == b'\n').take(20) {
        let Ok(record) = serde_json::from_slice::<Record>(line) else { continue };
        let written = serde_json::to_string(&record).expect("a record is plain data");
        let again: Record = serde_json::from_str(&written)
            .unwrap_or_else(|error| panic!("{written} was written and is not read: {error}"));
        assert_eq!(serde_json::to_string(&again).expect("plain data"), written, "it is read as another");
        fold(&record);
    }
}

/// A record that stands in a journal: it has its place, and an intent bears its own number.
fn fold(record: &Record) {
    let misplaced = match &record.event {
        Event::Intended { intent } => intent.id != record.seq,
        Event::Notified { notice } => notice.id != record.seq,
        _ => false,
    };
    if misplaced || !(1..1 << 40).contains(&record.seq.0) {
        return;
    }
    let mut state = LEADER.with(State::clone);
    state.next = record.seq;
    apply(&mut state, record.at, &record.event);
    let text = serde_json::to_string(&state).expect("a state is plain data");
    serde_json::from_str::<State>(&text).expect("a stored state is read");
    let book = Arc::clone(&state.current_book());
    decide(&state, &book, state.now, &Input::Wake);
}

/// A stored block: nothing of it is believed.
pub fn blocks(bytes: &[u8]) {
    if let Ok(records) = read_block(bytes) {
        assert!(records.windows(2).all(|pair| pair[0].seq < pair[1].seq), "records out of order");
    }
}
