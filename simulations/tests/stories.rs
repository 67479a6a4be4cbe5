//! Whole stories over the shipped policies: an alert, what is done about it, and what it comes to. Each is told to a
//! process that remembers and to one that does not.

mod kit;

use kit::*;
use paramedic_policies::action::Mode;
use paramedic_policies::load;
use paramedic_policies::notifications::{Receiver, Slack};
use paramedic_policies::settings::Settings;
use paramedic_simulations::Run;
use paramedic_simulations::maestro;
use paramedic_simulations::world::Cure;

#[test]
fn the_shipped_policies_load_without_a_doubt() {
    let mut settings = enforcing();
    for name in ["sre-pager", "database-team"] {
        let slack = Some(Slack { url_file: format!("/run/{name}") });
        settings.notifications.receivers.insert(name.to_owned(), Receiver { slack, ..Receiver::default() });
    }
    let checked = load::check(source(&shipped(), settings));
    assert_eq!(checked.problems.iter().map(ToString::to_string).collect::<Vec<_>>(), [""; 0]);
    assert_eq!(checked.book.expect("a book").policies().len(), 3);
}

#[test]
fn an_alert_leads_to_a_restart_that_is_verified() {
    tell(&source(&shipped(), enforcing()), |mut run| async move {
        errors(&run, "maestro-ui", cured("maestro-ui"));
        run.pass(mins(20)).await;
        assert_eq!(
            run.story(),
            [
                "+00:00 MaestroHighErrorRate opens",
                "+00:00 maestro-high-error-rate: hold until 2026-11-21T08:02:00.000Z: open for 0s, wanted for 2m, until 2026-11-21T08:02:00.000Z",
                "+02:00 maestro-high-error-rate: act: restart (enforce)",
                "+02:00 intent 14: restart intelgraph-prod/deployment/maestro-ui (enforce)",
                "+03:00 intent 14 done: spec.template.metadata.annotations[\"kubectl.kubernetes.io/restartedAt\"] - -> 2026-11-21T08:02:00.000Z",
                "+03:23 episode 5 is resolved",
                "+11:00 intent 14 helped: 0.002, wanted < 0.01",
                "+11:00 maestro-high-error-rate: it helped",
            ]
        );
        assert_eq!(touched(&run), ["intelgraph-prod/deployment/maestro-ui restartedAt"]);
        run
    });
}

#[test]
fn slow_responses_raise_the_minimum_of_the_hpa_and_later_put_it_back() {
    tell(&source(&shipped(), enforcing()), |mut run| async move {
        let server = maestro::deployment("maestro-server");
        let slow = Cure::Ready(server.clone(), 6);
        run.world(|world| {
            world.begin(maestro::P95, &[("deployment", "maestro-server")], 2.4, slow, secs(30))
        });
        run.pass(mins(15)).await;
        says(&run, "act: scale minReplicas of HPA maestro-server 3 -> 6 (enforce)");
        says(&run, "helped: 0.18, wanted < 0.5");
        assert_eq!(run.world(|world| world.workloads[&server].replicas), 6);
        run.pass(mins(60)).await;
        says(&run, "take back: scale minReplicas of HPA maestro-server 6 -> 3");
        assert_eq!(
            touched(&run),
            [
                "intelgraph-prod/deployment/maestro-server minReplicas 3 -> 6",
                "intelgraph-prod/deployment/maestro-server minReplicas 6 -> 3",
            ]
        );
        run
    });
}

#[test]
fn more_replicas_are_refused_while_the_database_has_no_room_for_them() {
    tell(&source(&shipped(), enforcing()), |mut run| async move {
        run.world(|world| {
            world.begin(maestro::P95, &[("deployment", "maestro-server")], 2.4, Cure::Nothing, secs(30));
            world.begin(maestro::POOL, &[], 0.93, Cure::Nothing, secs(30));
        });
        run.pass(mins(10)).await;
        says(&run, "maestro-slow-responses: hold until");
        says(&run, "0.93");
        assert_eq!(touched(&run), [""; 0]);
        run
    });
}

#[test]
fn a_breaker_is_reset_on_every_pod() {
    tell(&source(&shipped(), enforcing()), |mut run| async move {
        breakers(&run, Cure::BreakerClosed(maestro::server_service(), "postgres".to_owned()));
        run.pass(mins(10)).await;
        says(&run, "act: reset breaker postgres on 3 endpoints (enforce)");
        says(&run, "OPEN -> CLOSED");
        says(&run, "maestro-database-connections: it helped");
        let pods = ["1", "2", "3"];
        let closed = pods.map(|pod| {
            format!("intelgraph-prod/service/maestro-server breaker postgres of pod {pod} closed")
        });
        assert_eq!(touched(&run), closed);
        run
    });
}

fn breakers(run: &Run, cure: Cure) {
    run.world(|world| {
        let server = world.workloads[&maestro::deployment("maestro-server")].clone();
        world.services.get_mut(&maestro::server_service()).expect("there is one").trip(&server, "postgres");
        world.begin(maestro::CONNECTION_FAILURES, &[], 4.0, cure, secs(30));
    });
}

#[test]
fn a_reset_that_does_not_help_is_followed_by_a_restart() {
    tell(&source(&shipped(), enforcing()), |mut run| async move {
        breakers(&run, Cure::Restarted(maestro::deployment("maestro-server")));
        run.pass(mins(30)).await;
        says(&run, "did not help: 4, wanted < 0.1");
        says(&run, "maestro-database-connections: next rung: rung 2, step 1");
        says(&run, "act: restart (enforce)");
        says(&run, "maestro-database-connections: it helped");
        assert_eq!(lines(&run, "a person is called"), [""; 0]);
        run
    });
}

#[test]
fn a_breaker_is_left_alone_while_the_database_is_down() {
    tell(&source(&shipped(), enforcing()), |mut run| async move {
        breakers(&run, Cure::Nothing);
        run.world(|world| world.begin(maestro::DATABASE_UP, &[], 0.0, Cure::Nothing, secs(1)));
        run.pass(mins(10)).await;
        says(&run, "maestro-database-connections: hold until");
        says(&run, "wanted == 1");
        assert_eq!(touched(&run), [""; 0]);
        run
    });
}

#[test]
fn a_ladder_that_never_helps_ends_with_a_person() {
    tell(&source(&shipped(), enforcing()), |mut run| async move {
        errors(&run, "maestro-ui", Cure::Nothing);
        run.pass(mins(60)).await;
        says(&run, "maestro-high-error-rate: next rung: rung 2, step 1");
        says(&run, "scale 3 -> 5");
        says(&run, "maestro-high-error-rate: no rung helped");
        says(&run, "a person is called (sre-pager): no rung of 2 helped");
        run.pass(mins(300)).await;
        assert_eq!(lines(&run, "act:").len(), 2, "and nothing more is done");
        run
    });
}

#[test]
fn what_prometheus_no_longer_shows_does_not_climb_the_ladder() {
    tell(&source(&shipped(), enforcing()), |mut run| async move {
        errors(&run, "maestro-ui", Cure::Nothing);
        run.pass(mins(4)).await;
        run.world(|world| world.outages.prometheus = true);
        run.pass(mins(30)).await;
        says(&run, "may have helped or not: could not connect to Prometheus: connection refused");
        says(&run, "a person is called (sre-pager): nobody knows whether it helped");
        never_says(&run, "next rung");
        assert_eq!(touched(&run), ["intelgraph-prod/deployment/maestro-ui restartedAt"]);
        run
    });
}

#[test]
fn a_series_that_is_gone_does_not_climb_the_ladder() {
    tell(&source(&shipped(), enforcing()), |mut run| async move {
        errors(&run, "maestro-ui", Cure::Nothing);
        run.pass(mins(4)).await;
        run.world(|world| world.set_gone(maestro::ERROR_RATIO, &[], true));
        run.pass(mins(30)).await;
        says(&run, "may have helped or not: no series");
        says(&run, "maestro-high-error-rate: nobody knows");
        never_says(&run, "next rung");
        run
    });
}

#[test]
fn nan_does_not_climb_the_ladder() {
    tell(&source(&shipped(), enforcing()), |mut run| async move {
        errors(&run, "maestro-ui", Cure::Nothing);
        run.pass(mins(4)).await;
        let ui = [("deployment", "maestro-ui")];
        run.world(|world| world.begin(maestro::ERROR_RATIO, &ui, f64::NAN, Cure::Nothing, secs(1)));
        run.pass(mins(30)).await;
        says(&run, "may have helped or not: NaN");
        never_says(&run, "next rung");
        run
    });
}

#[test]
fn dry_run_shows_the_difference_and_changes_nothing() {
    let settings = Settings { mode: Mode::DryRun, ..enforcing() };
    tell(&source(&shipped(), settings), |mut run| async move {
        errors(&run, "maestro-ui", Cure::Nothing);
        run.world(|world| {
            world.begin(maestro::P95, &[("deployment", "maestro-server")], 2.4, Cure::Nothing, secs(30))
        });
        run.pass(mins(60)).await;
        says(&run, "act: restart (enforce, capped to dry-run by --mode)");
        says(&run, "maestro-high-error-rate: rehearsed, nothing changed");
        says(&run, "done: spec.minReplicas 3 -> 6");
        assert_eq!(lines(&run, "act:").len(), 2, "it stops at the first rung");
        assert_eq!(run.world(|world| world.history().to_vec()), []);
        run
    });
}

#[test]
fn an_alert_that_ends_before_its_time_is_left_alone() {
    tell(&source(&shipped(), enforcing()), |mut run| async move {
        errors(&run, "maestro-ui", Cure::Nothing);
        run.pass(secs(90)).await;
        run.world(|world| world.heal());
        run.pass(mins(30)).await;
        says(&run, "maestro-high-error-rate: the alert ended first");
        assert_eq!(touched(&run), [""; 0]);
        run
    });
}

#[test]
fn the_same_alert_again_is_no_second_restart() {
    tell(&source(&shipped(), enforcing()), |mut run| async move {
        errors(&run, "maestro-ui", Cure::Nothing);
        for _ in 0..20 {
            run.pass(secs(30)).await;
            run.repeat();
        }
        assert_eq!(lines(&run, "opens").len(), 1);
        assert_eq!(lines(&run, "act:").len(), 1);
        run
    });
}

#[test]
fn trouble_that_comes_back_goes_on_at_the_next_rung_after_a_cooldown() {
    tell(&source(&shipped(), enforcing()), |mut run| async move {
        errors(&run, "maestro-ui", cured("maestro-ui"));
        run.pass(mins(12)).await;
        says(&run, "maestro-high-error-rate: it helped");
        errors(&run, "maestro-ui", Cure::Nothing);
        run.pass(mins(19)).await;
        says(&run, "the trouble is back, next rung: rung 2, step 1");
        says(&run, "cooling down until 2026-11-21T08:32:00.000Z");
        assert_eq!(lines(&run, "act:").len(), 1);
        run.pass(mins(3)).await;
        says(&run, "+32:00 maestro-high-error-rate: act: scale 3 -> 5 (enforce)");
        run
    });
}

#[test]
fn a_rollout_that_gets_stuck_is_a_failure_and_calls_a_person() {
    tell(&source(&shipped(), enforcing()), |mut run| async move {
        errors(&run, "maestro-ui", cured("maestro-ui"));
        run.world(|world| {
            for workload in world.workloads.values_mut() {
                workload.pod_ready = None;
                workload.progress_deadline = mins(5);
            }
        });
        run.pass(mins(20)).await;
        says(
            &run,
            "failed: the rollout of intelgraph-prod/deployment/maestro-ui is stuck: 1 of 3 updated, 2 available",
        );
        says(&run, "a person is called (sre-pager)");
        assert_eq!(lines(&run, "act:").len(), 1);
        run
    });
}

#[test]
fn a_process_that_dies_in_an_effect_finds_it_done_and_goes_on() {
    tell(&source(&shipped(), enforcing()), |mut run| async move {
        errors(&run, "maestro-ui", cured("maestro-ui"));
        run.pass(secs(130)).await;
        says(&run, "intent 14: restart");
        never_says(&run, "intent 14 done");
        run.restart();
        run.pass(mins(20)).await;
        says(&run, "intent 14 done");
        says(&run, "maestro-high-error-rate: it helped");
        assert_eq!(touched(&run), ["intelgraph-prod/deployment/maestro-ui restartedAt"], "once");
        run
    });
}

#[test]
fn a_process_that_dies_between_record_and_effect_finds_nothing_done_and_tries_again() {
    tell(&source(&shipped(), enforcing()), |mut run| async move {
        errors(&run, "maestro-ui", cured("maestro-ui"));
        // The record of the intent is durable, and the process dies before the effect begins.
        while lines(&run, "intent 14: restart").is_empty() {
            run.step().await;
        }
        assert_eq!(touched(&run), [""; 0]);
        run.restart();
        run.pass(mins(20)).await;
        says(&run, "intent 14 failed, nothing changed: the process ended before it was done");
        says(&run, "maestro-high-error-rate: again: rung 1, step 1");
        says(&run, "maestro-high-error-rate: it helped");
        assert_eq!(touched(&run), ["intelgraph-prod/deployment/maestro-ui restartedAt"], "once");
        run
    });
}

#[test]
fn a_process_that_dies_at_any_second_comes_to_the_same_end() {
    for second in (0..700).step_by(53) {
        tell(&source(&shipped(), enforcing()), |mut run| async move {
            errors(&run, "maestro-ui", cured("maestro-ui"));
            run.pass(secs(second)).await;
            run.restart();
            run.pass(secs(1200)).await;
            says(&run, "maestro-high-error-rate: it helped");
            assert_eq!(touched(&run), ["intelgraph-prod/deployment/maestro-ui restartedAt"], "{second}");
            assert!(run.state().in_flight.is_empty() && run.state().questions.is_empty());
            run
        });
    }
}
