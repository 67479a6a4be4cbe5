//! A Prometheus that is none: it answers from the world's own series, from `ALERTS`, and from what it was told; whatever
//! else it is asked it notes, and says that it does not know.

use std::collections::BTreeSet;

use async_trait::async_trait;
use paramedic_policies::answer::Found;
use paramedic_policies::time::Span;
use paramedic_remediations::ports::metrics::Metrics;
use promql_parser::parser::parse;
use tokio::time::sleep;

use super::SimulatedCluster;
use super::promql::{Asked, NoValue, Value};
use crate::world::World;

#[async_trait]
impl Metrics for SimulatedCluster {
    async fn query(&self, promql: &str) -> Found {
        let (found, takes) = self.with(|world| {
            let Answered { answer, takes, told } = answer(world, promql);
            world.facts.asked(told);
            let found = answer.unwrap_or_else(|untold| {
                world.facts.asked_in_vain(&untold);
                let known = world.metrics().join(", ");
                failed(format!("`{untold}`: the simulated Prometheus was not told; it knows {known}"))
            });
            (found, takes)
        });
        if takes > Span::ZERO {
            sleep(takes.duration()).await;
        }
        found
    }
}

/// The answer that a world gives as it is, without passing of time.
pub(crate) fn answer_from(world: &World, promql: &str) -> Found {
    let untold = |part: String| failed(format!("`{part}`: the simulated Prometheus was not told"));
    answer(world, promql).answer.unwrap_or_else(untold)
}

/// What comes of a question.
struct Answered {
    /// The answer; otherwise the part that nobody told.
    answer: Result<Found, String>,
    /// How long it takes.
    takes: Span,
    /// What it asked of what was told, by its positions.
    told: BTreeSet<usize>,
}

impl Answered {
    /// At once, and without a look at what was told.
    fn with(found: Found) -> Self {
        Self { answer: Ok(found), takes: Span::ZERO, told: BTreeSet::new() }
    }
}

fn answer(world: &World, promql: &str) -> Answered {
    if world.outages.prometheus {
        return Answered::with(failed("could not connect to Prometheus: connection refused".to_owned()));
    }
    let expression = match parse(promql) {
        Err(problem) => return Answered::with(failed(format!("`{promql}`: {problem}"))),
        Ok(expression) => expression,
    };
    let asked = Asked::of(world);
    let answer = match asked.value(&expression, world.now()) {
        Ok(Value::Vector(samples)) => Ok(Found::Series(samples)),
        Ok(Value::Scalar(_)) => Ok(failed(format!("`{promql}`: a number is no series"))),
        Err(NoValue::Fails(what)) => Ok(failed(what)),
        Err(NoValue::Untold(part)) => Err(part),
    };
    Answered { answer, takes: asked.takes(), told: asked.told() }
}

fn failed(what: String) -> Found {
    Found::Failed { what }
}

#[cfg(test)]
mod tests {
    use paramedic_policies::time::{Moment, Span};

    use super::*;
    use crate::maestro;
    use crate::world::Cure;

    fn values(world: &World, promql: &str) -> Vec<f64> {
        match answer(world, promql).answer {
            Ok(Found::Series(series)) => series.iter().map(|sample| sample.value.0).collect(),
            other => panic!("{promql}: {other:?}"),
        }
    }

    #[test]
    fn a_selector_gives_the_series_that_meet_its_matchers() {
        let mut world = maestro::world(Moment::from_unix_ms(0));
        world.begin(maestro::ERROR_RATIO, &[("deployment", "maestro-ui")], 0.25, Cure::Nothing, Span::ZERO);
        let ui = r#"job:http_5xx:ratio5m{namespace="intelgraph-prod",deployment="maestro-ui"}"#;
        assert_eq!(values(&world, ui), [0.25]);
        assert_eq!(values(&world, r#"job:http_5xx:ratio5m{deployment=~"maestro-(ui|worker)"}"#).len(), 2);
        assert_eq!(
            values(&world, r#"job:http_5xx:ratio5m{deployment!~"maestro-.*",namespace!="kube-system"}"#),
            [0.0; 0]
        );
        assert_eq!(values(&world, r#"ALERTS{alertstate="firing",alertname="MaestroHighErrorRate"}"#), [1.0]);
    }

    #[test]
    fn what_it_was_not_told_it_says() {
        let world = maestro::world(Moment::from_unix_ms(0));
        for promql in ["rate(job:http_5xx:ratio5m[5m])", "up", "job:http_5xx:ratio5m offset 5m", "up > 1"] {
            let Answered { answer, .. } = answer(&world, promql);
            assert!(answer.is_err(), "{promql}: {answer:?}");
        }
    }

    #[test]
    fn what_follows_from_the_series_is_computed() {
        let world = maestro::world(Moment::from_unix_ms(0));
        let ratio = "job:http_5xx:ratio5m";
        assert_eq!(values(&world, &format!("count({ratio})")), [4.0]);
        assert_eq!(values(&world, &format!("sum({ratio} > bool 0.001)")), [4.0]);
        assert_eq!(values(&world, &format!("max({ratio})")), [0.002]);
        assert_eq!(values(&world, &format!("{ratio} > 0.1")), [0.0; 0]);
        assert_eq!(values(&world, &format!("count({ratio} > 0.1)")), [0.0; 0]);
    }

    #[test]
    fn what_is_told_follows_time() {
        use crate::world::facts::{About, Said, Spell, Told, sample};
        let mut world = maestro::world(Moment::from_unix_ms(1_200_000));
        let labels = [("namespace".to_owned(), "prod".to_owned())].into();
        let spell = |minute: u64, value: f64| Spell {
            at: Moment::from_unix_ms(0) + Span::from_mins(minute),
            said: Said::Samples(vec![sample(&labels, value)]),
            takes: Span::ZERO,
        };
        let over = vec![spell(0, 0.0), spell(10, 0.5)];
        let about = About::Series { name: "r".to_owned(), labels: labels.clone() };
        world.facts.tell(Told { about, over });
        assert_eq!(values(&world, r#"r{namespace="prod"}"#), [0.5]);
        assert_eq!(values(&world, r#"r{namespace="other"}"#), [0.0; 0]);
        // Of the looks at minutes 6 to 15 ten have a value, and four of them are below.
        assert_eq!(values(&world, "count_over_time(((r) >= -Inf)[600000ms:60000ms] @ 900.000)"), [10.0]);
        assert_eq!(values(&world, "count_over_time(((r) < 0.1)[600000ms:60000ms] @ 900.000)"), [4.0]);
    }

    #[test]
    fn gone_is_empty_and_down_is_failed() {
        let mut world = maestro::world(Moment::from_unix_ms(0));
        world.set_gone(maestro::ERROR_RATIO, &[], true);
        assert_eq!(values(&world, maestro::ERROR_RATIO), [0.0; 0]);
        world.outages.prometheus = true;
        assert!(matches!(answer(&world, maestro::ERROR_RATIO).answer, Ok(Found::Failed { .. })));
    }
}
