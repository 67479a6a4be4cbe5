//! A Prometheus that is none: it answers a single selector (`ALERTS{...}` or a recording rule's name) by its matchers,
//! and says so when it is asked for more.

use async_trait::async_trait;
use paramedic_policies::alert::Labels;
use paramedic_policies::answer::{Found, Sample};
use paramedic_remediations::ports::metrics::Metrics;
use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::{Expr, VectorSelector, parse};

use super::SimulatedCluster;
use crate::world::World;

#[async_trait]
impl Metrics for SimulatedCluster {
    async fn query(&self, promql: &str) -> Found {
        self.with(|world| answer(world, promql))
    }
}

fn answer(world: &World, promql: &str) -> Found {
    if world.outages.prometheus {
        return failed("could not connect to Prometheus: connection refused".to_owned());
    }
    let selector = match parse(promql) {
        Err(problem) => return failed(format!("`{promql}`: {problem}")),
        Ok(Expr::VectorSelector(selector)) => selector,
        Ok(_) => return only_selectors(world, promql),
    };
    let is_plain =
        selector.offset.is_none() && selector.at.is_none() && selector.matchers.or_matchers.is_empty();
    let samples = selector.name.as_ref().and_then(|name| world.samples(name));
    match samples {
        Some(samples) if is_plain => {
            Found::Series(samples.into_iter().filter(|sample| meets(&selector, sample)).collect())
        }
        Some(_) | None => only_selectors(world, promql),
    }
}

fn failed(what: String) -> Found {
    Found::Failed { what }
}

fn only_selectors(world: &World, promql: &str) -> Found {
    failed(format!(
        "`{promql}`: the simulated Prometheus knows only selectors of {}",
        world.metrics().join(", ")
    ))
}

fn meets(selector: &VectorSelector, sample: &Sample) -> bool {
    let matchers = selector.matchers.matchers.iter();
    matchers.filter(|matcher| matcher.name != "__name__").all(|matcher| is_met(matcher, &sample.labels))
}

fn is_met(matcher: &Matcher, labels: &Labels) -> bool {
    let value = labels.get(&matcher.name).map_or("", String::as_str);
    match &matcher.op {
        MatchOp::Equal => value == matcher.value,
        MatchOp::NotEqual => value != matcher.value,
        MatchOp::Re(regex) => regex.is_match(value),
        MatchOp::NotRe(regex) => !regex.is_match(value),
    }
}

#[cfg(test)]
mod tests {
    use paramedic_policies::time::{Moment, Span};

    use super::*;
    use crate::maestro;
    use crate::world::Cure;

    fn values(world: &World, promql: &str) -> Vec<f64> {
        match answer(world, promql) {
            Found::Series(series) => series.iter().map(|sample| sample.value.0).collect(),
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
    fn what_it_does_not_know_it_says() {
        let world = maestro::world(Moment::from_unix_ms(0));
        for promql in ["sum(ALERTS)", "up", "job:http_5xx:ratio5m offset 5m", "{__name__=~\".+\"}"] {
            match answer(&world, promql) {
                Found::Failed { what } => {
                    assert!(what.contains("knows only selectors of ALERTS, "), "{what}")
                }
                other => panic!("{promql}: {other:?}"),
            }
        }
    }

    #[test]
    fn gone_is_empty_and_down_is_failed() {
        let mut world = maestro::world(Moment::from_unix_ms(0));
        world.set_gone(maestro::ERROR_RATIO, &[], true);
        assert_eq!(values(&world, maestro::ERROR_RATIO), [0.0; 0]);
        world.outages.prometheus = true;
        assert!(matches!(answer(&world, maestro::ERROR_RATIO), Found::Failed { .. }));
    }
}
