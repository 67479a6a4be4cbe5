//! What the stories are told with: books from text, runs that forget and runs that do not, and what they came to.

#![allow(dead_code)]

use std::future::Future;

use paramedic_policies::alert::{Alert, AlertStatus};
use paramedic_policies::book::{Source, SourceFile};
use paramedic_policies::settings::Settings;
use paramedic_policies::time::{Moment, Span};
use paramedic_simulations::world::{Cure, World};
use paramedic_simulations::{Memory, Run, maestro};

/// Saturday morning.
pub(crate) fn morning() -> Moment {
    "2026-11-21T08:00:00Z".parse().expect("a time")
}

pub(crate) fn secs(seconds: u64) -> Span {
    Span::from_secs(seconds)
}

pub(crate) fn mins(minutes: u64) -> Span {
    Span::from_mins(minutes)
}

/// Settings that let policies act.
pub(crate) fn enforcing() -> Settings {
    let vars = [("service", "maestro-server"), ("database", "postgres"), ("namespaces", "intelgraph-prod")];
    Settings {
        mode: paramedic_policies::action::Mode::Enforce,
        vars: vars.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        ..Settings::default()
    }
}

/// A source of these texts.
pub(crate) fn source(texts: &[&str], settings: Settings) -> Source {
    let file = |(index, text): (usize, &&str)| SourceFile {
        path: format!("policies/{index}.yaml"),
        text: (*text).to_owned(),
    };
    Source { files: texts.iter().enumerate().map(file).collect(), settings, tzdb: "test".to_owned() }
}

/// The policies that ship.
pub(crate) fn shipped() -> [&'static str; 3] {
    [
        include_str!("../../../policies/maestro/05-database-connections.yaml"),
        include_str!("../../../policies/maestro/02-high-error-rate.yaml"),
        include_str!("../../../policies/maestro/03-slow-responses.yaml"),
    ]
}

/// A policy that restarts what the alert names, with this many more lines under `spec`.
pub(crate) fn restarter(name: &str, more: &str) -> String {
    format!(
        r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {{name: {name}}}
spec:
  mode: enforce
  match: ['alertname="MaestroHighErrorRate"']
  target: {{kind: Deployment, namespace: "{{{{ labels.namespace }}}}", name: "{{{{ labels.deployment }}}}"}}
  ladder:
    - restart: {{}}
      verify: {{query: 'job:http_5xx:ratio5m{{namespace="{{{{ labels.namespace }}}}", deployment="{{{{ labels.deployment }}}}"}}', is: "< 0.01", settle: 1m, hold: 1m, within: 5m}}
{more}"#
    )
}

/// Guards that forbid nothing, as lines of `spec.guards`, for stories about one guard at a time.
pub(crate) const FREE: &str = "
  guards:
    cooldown: 0s
    relapse: 0s
    limits: []
    concurrency: 9
    blastRadius: {targets: 'off', unavailable: 'off'}
";

/// Tells a story twice: with a process that remembers, and with one whose state is made anew from its records after
/// every block. Both must come to the same records.
pub(crate) fn tell<F, Fut>(source: &Source, story: F)
where
    F: Fn(Run) -> Fut,
    Fut: Future<Output = Run>,
{
    tell_in(maestro::world(morning()), source, story);
}

/// As [`tell`], in a world of the caller's.
pub(crate) fn tell_in<F, Fut>(world: World, source: &Source, story: F)
where
    F: Fn(Run) -> Fut,
    Fut: Future<Output = Run>,
{
    let [lasting, forgetful] = [Memory::Lasting, Memory::ForgetfulAfterEveryBlock].map(|memory| {
        let (world, source) = (world.clone(), source.clone());
        virtual_time(async { story(Run::new(world, source, memory)).await })
    });
    // As text, since NaN is a fact too and equals nothing.
    let written = |run: &Run| serde_json::to_string_pretty(run.records()).expect("records can be written");
    let (lasting, forgetful) = (written(&lasting), written(&forgetful));
    assert!(lasting == forgetful, "a process that forgets decides otherwise");
}

fn virtual_time<T>(story: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(story)
}

/// A story's lines that hold this.
pub(crate) fn lines(run: &Run, about: &str) -> Vec<String> {
    run.story().into_iter().filter(|line| line.contains(about)).collect()
}

/// Fails with the whole story where no line holds this.
#[track_caller]
pub(crate) fn says(run: &Run, what: &str) {
    assert!(!lines(run, what).is_empty(), "no line says `{what}`:\n{}", run.story().join("\n"));
}

/// Fails with the whole story where a line holds this.
#[track_caller]
pub(crate) fn never_says(run: &Run, what: &str) {
    assert!(lines(run, what).is_empty(), "a line says `{what}`:\n{}", run.story().join("\n"));
}

/// What our own effects changed, without their stamps.
pub(crate) fn touched(run: &Run) -> Vec<String> {
    let ours = |by: &str| by.starts_with("simulated-");
    run.world(|world| {
        let touches = world.history().iter().filter(|touch| ours(&touch.by));
        touches
            .map(|touch| format!("{} {}", touch.on, touch.what.split(" 20").next().unwrap_or_default()))
            .collect()
    })
}

/// A deployment's error ratio goes up until a restart.
pub(crate) fn errors(run: &Run, deployment: &str, cure: Cure) {
    let labels = [("deployment", deployment)];
    let sick = run.world(|world| world.begin(maestro::ERROR_RATIO, &labels, 0.2, cure, secs(30)));
    assert_eq!(sick, 1);
}

/// Settings whose global guards forbid nothing.
pub(crate) fn free() -> Settings {
    let mut settings = enforcing();
    settings.guards.limits.clear();
    settings.guards.settle = secs(0);
    settings.guards.pace.burst = 100;
    settings
}

/// One policy that restarts and that no guard holds, with this many more lines under `spec`.
pub(crate) fn restarts(more: &str) -> Source {
    source(&[&restarter("restarts", &format!("{FREE}{more}"))], free())
}

/// One policy that restarts and that this guard alone may hold.
pub(crate) fn restarts_with(guard: &str) -> Source {
    let guards = FREE.lines().map(|free| {
        let key = guard.trim_start().split(':').next().unwrap_or_default();
        if free.trim_start().starts_with(key) { String::new() } else { format!("{free}\n") }
    });
    let more = format!("{}    {guard}\n", guards.collect::<String>());
    source(&[&restarter("restarts", &more)], free())
}

/// A policy that scales what is slow, for stories about two policies.
pub(crate) fn scales_when_slow() -> String {
    restarter("scales", FREE)
        .replace("MaestroHighErrorRate", "MaestroSlowResponses")
        .replace("restart: {}", "scale: {atLeast: 6}")
}

pub(crate) fn cured(deployment: &str) -> Cure {
    Cure::Restarted(maestro::deployment(deployment))
}

/// Errors that a restart cures, until they are over.
pub(crate) async fn a_round(run: &mut Run, deployment: &str) {
    errors(run, deployment, cured(deployment));
    run.pass(mins(5)).await;
}

#[track_caller]
pub(crate) fn acted(run: &Run, times: usize) {
    assert_eq!(lines(run, ": act:").len(), times, "{}", run.story().join("\n"));
}

/// An alert that no policy knows.
pub(crate) fn stranger(number: usize, run: &Run) -> Alert {
    let labels = [("alertname", "Stranger".to_owned()), ("number", number.to_string())];
    Alert {
        status: AlertStatus::Firing,
        labels: labels.map(|(name, value)| (name.to_owned(), value)).into(),
        annotations: Default::default(),
        starts_at: run.now(),
        ends_at: None,
        fingerprint: None,
    }
}
