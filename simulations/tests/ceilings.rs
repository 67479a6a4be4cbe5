//! Guards that count, in whole runs: cooldown, ceilings, pace, concurrency, blast radius, storm. Each refuses with its
//! numbers, a restart in the middle changes nothing, and what it no longer forbids is done.

mod kit;

use kit::*;
use paramedic_policies::policy::{Limit, LimitScope};
use paramedic_simulations::maestro;
use paramedic_simulations::world::Cure;

#[test]
fn cooldown() {
    tell(&restarts_with("cooldown: 20m"), |mut run| async move {
        a_round(&mut run, "maestro-ui").await;
        errors(&run, "maestro-ui", cured("maestro-ui"));
        run.pass(mins(1)).await;
        says(
            &run,
            "acted on this target at 2026-11-21T08:00:00.000Z, cooling down until 2026-11-21T08:20:00.000Z",
        );
        run.restart();
        run.pass(mins(13)).await;
        acted(&run, 1);
        run.pass(mins(2)).await;
        acted(&run, 2);
        run
    });
}

#[test]
fn limits_of_a_target_do_not_hold_another() {
    tell(&restarts_with("limits: [{max: 1, per: 1h, by: target}]"), |mut run| async move {
        a_round(&mut run, "maestro-ui").await;
        a_round(&mut run, "maestro-worker").await;
        acted(&run, 2);
        run.restart();
        errors(&run, "maestro-ui", cured("maestro-ui"));
        run.pass(mins(49)).await;
        says(&run, "1 of 1 actions used in 1h by target, until 2026-11-21T09:00:00.000Z");
        acted(&run, 2);
        run.restart();
        run.pass(mins(3)).await;
        acted(&run, 3);
        run
    });
}

#[test]
fn limits_of_a_policy_and_of_a_namespace_slide() {
    for by in ["policy", "namespace"] {
        tell(&restarts_with(&format!("limits: [{{max: 2, per: 30m, by: {by}}}]")), |mut run| async move {
            a_round(&mut run, "maestro-ui").await;
            a_round(&mut run, "maestro-worker").await;
            errors(&run, "maestro-server", cured("maestro-server"));
            run.pass(mins(1)).await;
            says(&run, &format!("2 of 2 actions used in 30m by {by}, until 2026-11-21T08:30:00.000Z"));
            run.restart();
            run.pass(mins(18)).await;
            acted(&run, 2);
            run.pass(mins(2)).await;
            acted(&run, 3);
            run
        });
    }
}

#[test]
fn limits_over_everything_count_every_policy() {
    let mut settings = free();
    settings.guards.limits = vec![Limit { max: 1, per: mins(30), by: LimitScope::Global }];
    tell(&source(&[&restarter("restarts", FREE), &scales_when_slow()], settings), |mut run| async move {
        a_round(&mut run, "maestro-ui").await;
        run.world(|world| {
            world.begin(maestro::P95, &[("deployment", "maestro-server")], 3.0, Cure::Nothing, secs(9))
        });
        run.pass(mins(1)).await;
        says(&run, "scales: hold until 2026-11-21T08:30:00.000Z: 1 of 1 actions used in 30m by global");
        run.restart();
        run.pass(mins(23)).await;
        acted(&run, 1);
        run.pass(mins(2)).await;
        acted(&run, 2);
        run
    });
}

#[test]
fn pace() {
    let mut settings = free();
    (settings.guards.pace.burst, settings.guards.pace.every) = (1, mins(2));
    let text = restarter("restarts", FREE);
    tell(&source(&[&text], settings), |mut run| async move {
        errors(&run, "maestro-ui", cured("maestro-ui"));
        errors(&run, "maestro-worker", cured("maestro-worker"));
        run.pass(secs(30)).await;
        acted(&run, 1);
        says(&run, "effects are paced, the next at 2026-11-21T08:02:00.000Z");
        run.restart();
        run.pass(secs(80)).await;
        acted(&run, 1);
        run.pass(secs(20)).await;
        acted(&run, 2);
        run
    });
}

#[test]
fn concurrency() {
    tell(&restarts_with("concurrency: 1"), |mut run| async move {
        errors(&run, "maestro-ui", cured("maestro-ui"));
        errors(&run, "maestro-worker", cured("maestro-worker"));
        run.pass(secs(40)).await;
        acted(&run, 1);
        says(&run, "1 of 1 allowed actions are running");
        run.restart();
        run.pass(secs(20)).await;
        acted(&run, 1);
        run.pass(mins(10)).await;
        acted(&run, 2);
        run
    });
}

#[test]
fn blast_radius_by_targets() {
    tell(
        &restarts_with("blastRadius: {targets: {max: 1, in: namespace, per: 30m}, unavailable: 'off'}"),
        |mut run| async move {
            a_round(&mut run, "maestro-ui").await;
            errors(&run, "maestro-worker", cured("maestro-worker"));
            run.pass(mins(1)).await;
            let used = "would be target 2 of 1 allowed in 30m in namespace intelgraph-prod, 1 used, until ";
            says(&run, &format!("{used}2026-11-21T08:30:00.000Z"));
            run.restart();
            run.pass(mins(23)).await;
            acted(&run, 1);
            run.pass(mins(2)).await;
            acted(&run, 2);
            run
        },
    );
}

#[test]
fn blast_radius_by_what_is_unavailable() {
    tell(&restarts_with("blastRadius: {targets: 'off', unavailable: 25%}"), |mut run| async move {
        run.world(|world| {
            let worker =
                world.workloads.get_mut(&maestro::deployment("maestro-worker")).expect("there is one");
            worker.pods.iter_mut().for_each(|pod| pod.ready_at = None);
        });
        errors(&run, "maestro-ui", cured("maestro-ui"));
        run.pass(mins(2)).await;
        says(&run, "5 of 12 replicas would be unavailable, 25 % allowed");
        run.restart();
        run.pass(mins(2)).await;
        acted(&run, 0);
        let now = run.now();
        run.world(|world| {
            let worker =
                world.workloads.get_mut(&maestro::deployment("maestro-worker")).expect("there is one");
            worker.pods.iter_mut().for_each(|pod| pod.ready_at = Some(now));
        });
        run.pass(mins(9)).await;
        acted(&run, 1);
        run
    });
}

#[test]
fn storm() {
    tell(&restarts(""), |mut run| async move {
        let many = (0..51).map(|number| stranger(number, &run)).collect();
        run.deliver(many, 0);
        errors(&run, "maestro-ui", cured("maestro-ui"));
        run.pass(mins(1)).await;
        says(&run, "a storm begins: 51 new alerts in a minute, 50 allowed");
        says(&run, "restarts: hold until");
        assert_eq!(lines(&run, "a person is called").len(), 1, "one page");
        run.restart();
        run.pass(mins(9)).await;
        acted(&run, 0);
        run.pass(mins(5)).await;
        says(&run, "the storm is over");
        acted(&run, 1);
        run
    });
}

#[test]
fn storm_by_what_alertmanager_left_out() {
    tell(&restarts(""), |mut run| async move {
        run.deliver(Vec::new(), 7);
        errors(&run, "maestro-ui", cured("maestro-ui"));
        run.pass(mins(5)).await;
        says(&run, "a storm begins: Alertmanager left out 7 alerts of a group");
        acted(&run, 0);
        run
    });
}

#[test]
fn fifty_alerts_a_minute_are_no_storm() {
    tell(&restarts(""), |mut run| async move {
        let many = (0..49).map(|number| stranger(number, &run)).collect();
        run.deliver(many, 0);
        a_round(&mut run, "maestro-ui").await;
        acted(&run, 1);
        run
    });
}
