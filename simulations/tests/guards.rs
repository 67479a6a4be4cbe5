//! Guards that judge by who, what and when, in whole runs. Each refuses with its reason, a restart in the middle changes
//! nothing, and what it no longer forbids is done.

mod kit;

use kit::*;
use paramedic_policies::input::Input;
use paramedic_policies::order::{Command, PauseScope};
use paramedic_simulations::maestro;
use paramedic_simulations::world::Cure;

#[test]
fn confirmation() {
    tell(&restarts(""), |mut run| async move {
        // A webhook that Prometheus knows nothing of: forged, stale or late.
        let mut forged = stranger(0, &run);
        let labels = [
            ("alertname", "MaestroHighErrorRate"),
            ("namespace", maestro::NAMESPACE),
            ("deployment", "maestro-ui"),
        ];
        forged.labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        run.deliver(vec![forged], 0);
        run.pass(mins(10)).await;
        says(&run, "Prometheus does not show the alert firing");
        run.restart();
        run.pass(mins(10)).await;
        acted(&run, 0);
        run.world(|world| world.fire(&labels));
        run.pass(mins(10)).await;
        acted(&run, 1);
        run
    });
}

#[test]
fn cluster_identity() {
    let mut settings = free();
    settings.cluster.name = "eu-1".to_owned();
    let text = restarter("restarts", FREE);
    tell(&source(&[&text], settings), |mut run| async move {
        let base = [("alertname", "MaestroHighErrorRate"), ("namespace", maestro::NAMESPACE)];
        let with = |deployment: &'static str, cluster: &'static str| {
            [base.as_slice(), &[("deployment", deployment), ("cluster", cluster)]].concat()
        };
        run.world(|world| world.fire(&with("maestro-worker", "us-1")));
        run.world(|world| world.fire(&with("maestro-ui", "eu-1")));
        run.pass(mins(1)).await;
        run.restart();
        run.pass(mins(10)).await;
        says(&run, "the alert is of cluster `us-1`, this is `eu-1`");
        acted(&run, 1);
        assert_eq!(touched(&run), ["intelgraph-prod/deployment/maestro-ui restartedAt"]);
        run
    });
}

#[test]
fn settle() {
    let mut settings = free();
    settings.guards.settle = mins(4);
    tell(&source(&[&restarter("restarts", FREE), &scales_when_slow()], settings), |mut run| async move {
        a_round(&mut run, "maestro-ui").await;
        let ui = [("deployment", "maestro-ui")];
        run.world(|world| world.begin(maestro::P95, &ui, 3.0, Cure::Nothing, secs(9)));
        run.pass(secs(1)).await;
        // The rollout ended at 08:01, so it has settled.
        acted(&run, 2);
        errors(&run, "maestro-ui", cured("maestro-ui"));
        run.pass(mins(1)).await;
        says(&run, "settles on this target until");
        run.restart();
        run.pass(mins(2)).await;
        acted(&run, 2);
        run.pass(mins(10)).await;
        acted(&run, 3);
        run
    });
}

#[test]
fn two_policies_on_one_target_go_one_after_the_other_by_priority() {
    let second = restarter("a-second", FREE);
    let first = restarter("b-first", FREE).replace("mode: enforce", "mode: enforce\n  priority: 5");
    tell(&source(&[&first, &second], free()), |mut run| async move {
        errors(&run, "maestro-ui", Cure::Nothing);
        run.pass(secs(30)).await;
        acted(&run, 1);
        says(&run, "b-first: act: restart");
        run.restart();
        run.pass(secs(10)).await;
        acted(&run, 1);
        run
    });
}

#[test]
fn schedule() {
    tell(&restarts_with("schedule: ['Mon-Fri 09:00-17:00 Europe/Berlin']"), |mut run| async move {
        errors(&run, "maestro-ui", cured("maestro-ui"));
        run.pass(mins(2)).await;
        // It is Saturday; Monday 09:00 in Berlin is 08:00 UTC.
        says(&run, "outside the schedule until 2026-11-23T08:00:00.000Z");
        run.restart();
        run.pass(mins(2)).await;
        acted(&run, 0);
        run
    });
}

#[test]
fn pause_ends_by_itself_or_by_an_order() {
    let free_of_guards = restarts("");
    let scopes = [
        PauseScope::Everything,
        PauseScope::Namespace(maestro::NAMESPACE.to_owned()),
        PauseScope::Policy("restarts".to_owned()),
        PauseScope::Target(maestro::deployment("maestro-ui")),
    ];
    for scope in scopes {
        for is_resumed in [true, false] {
            tell(&free_of_guards, |mut run| {
                let scope = scope.clone();
                async move {
                    let until = (!is_resumed).then(|| run.now() + mins(10));
                    let reason = "lunch".to_owned();
                    assert_eq!(
                        run.order("ada", Command::Pause { scope: scope.clone(), until, reason }),
                        None
                    );
                    errors(&run, "maestro-ui", cured("maestro-ui"));
                    run.pass(mins(4)).await;
                    says(&run, &format!("{scope} is paused by ada"));
                    run.restart();
                    run.pass(mins(5)).await;
                    acted(&run, 0);
                    if is_resumed {
                        assert_eq!(run.order("ada", Command::Resume { scope: scope.clone() }), None);
                    }
                    run.pass(mins(3)).await;
                    acted(&run, 1);
                    let again = run.order("ada", Command::Resume { scope });
                    assert_eq!(again.is_some(), is_resumed, "{again:?}");
                    run
                }
            });
        }
    }
}

#[test]
fn quarantine() {
    tell(&restarts("  onFailure: {notify: [ada], quarantineAfter: 1}\n"), |mut run| async move {
        errors(&run, "maestro-ui", Cure::Nothing);
        run.pass(mins(10)).await;
        says(&run, "restarts is quarantined: 1 round in a row did not help");
        run.restart();
        errors(&run, "maestro-worker", cured("maestro-worker"));
        run.pass(mins(30)).await;
        says(&run, "restarts: withhold: quarantined since");
        acted(&run, 1);
        let scope = PauseScope::Policy("restarts".to_owned());
        assert_eq!(run.order("ada", Command::Resume { scope }), None);
        run.pass(mins(3)).await;
        acted(&run, 2);
        run
    });
}

#[test]
fn unless_another_alert_is_open() {
    tell(&restarts("  unless: ['alertname=\"DatabaseFailover\"']\n"), |mut run| async move {
        run.world(|world| world.fire(&[("alertname", "DatabaseFailover")]));
        run.pass(secs(2)).await;
        errors(&run, "maestro-ui", cured("maestro-ui"));
        run.pass(mins(2)).await;
        says(&run, "DatabaseFailover is open (episode ");
        run.restart();
        run.pass(mins(2)).await;
        acted(&run, 0);
        run.world(|world| world.quench(&[("alertname", "DatabaseFailover")]));
        run.pass(mins(9)).await;
        acted(&run, 1);
        run
    });
}

#[test]
fn waiting_is_counted_over_a_restart() {
    tell(&restarts("  for: 5m\n"), |mut run| async move {
        errors(&run, "maestro-ui", cured("maestro-ui"));
        run.pass(mins(3)).await;
        says(&run, "open for 0s, wanted for 5m, until 2026-11-21T08:05:00.000Z");
        run.restart();
        run.pass(secs(119)).await;
        acted(&run, 0);
        run.pass(secs(2)).await;
        acted(&run, 1);
        run
    });
}

#[test]
fn leadership() {
    tell(&restarts(""), |mut run| async move {
        run.feed(Input::Reign { leader: false, epoch: 1 });
        errors(&run, "maestro-ui", cured("maestro-ui"));
        run.pass(mins(5)).await;
        acted(&run, 0);
        run.feed(Input::Reign { leader: true, epoch: 2 });
        run.pass(mins(1)).await;
        acted(&run, 1);
        run
    });
}

#[test]
fn a_clock_that_stepped_is_accepted_by_a_person() {
    tell(&restarts(""), |mut run| async move {
        run.feed(Input::ClockStepped { by_ms: 90_000 });
        errors(&run, "maestro-ui", cured("maestro-ui"));
        run.pass(mins(5)).await;
        says(&run, "the wall clock moved by 90000 ms and nobody has accepted it");
        run.restart();
        run.pass(mins(5)).await;
        acted(&run, 0);
        assert_eq!(run.order("ada", Command::AcceptClock), None);
        run.pass(mins(1)).await;
        acted(&run, 1);
        run
    });
}

#[test]
fn protected_labels() {
    tell(&restarts(""), |mut run| async move {
        let ui = maestro::deployment("maestro-ui");
        let label = "paramedic.dev/protected".to_owned();
        run.world(|world| {
            world.workloads.get_mut(&ui).expect("there is one").labels.insert(label, "true".to_owned())
        });
        errors(&run, "maestro-ui", cured("maestro-ui"));
        run.pass(mins(5)).await;
        says(&run, "protected by label paramedic.dev/protected");
        run.restart();
        run.pass(mins(5)).await;
        acted(&run, 0);
        a_round(&mut run, "maestro-worker").await;
        acted(&run, 1);
        run
    });
}

#[test]
fn what_the_workload_itself_forbids() {
    tell(&restarts(""), |mut run| async move {
        let ui = maestro::deployment("maestro-ui");
        run.world(|world| {
            let ui = world.workloads.get_mut(&ui).expect("there is one");
            ui.paused = true;
            ui.budget = Some(("maestro-ui".to_owned(), 3));
            ui.annotations.insert("paramedic.dev/pause-until".to_owned(), "2026-11-21T09:00:00Z".to_owned());
        });
        errors(&run, "maestro-ui", cured("maestro-ui"));
        run.pass(mins(5)).await;
        says(&run, "paramedic.dev/pause-until=2026-11-21T09:00:00Z");
        says(&run, "spec.paused");
        says(&run, "maestro-ui allows 0");
        run.restart();
        run.pass(mins(5)).await;
        acted(&run, 0);
        run.world(|world| {
            let ui = world.workloads.get_mut(&ui).expect("there is one");
            (ui.paused, ui.budget) = (false, None);
            ui.annotations.clear();
        });
        run.pass(mins(20)).await;
        acted(&run, 1);
        run
    });
}

#[test]
fn an_approval_does_what_was_approved_or_nothing() {
    let scales = restarter("scales", FREE)
        .replace("mode: enforce", "mode: approve")
        .replace("restart: {}", "scale: {by: 2, max: 9}");
    for is_changed in [false, true] {
        tell(&source(&[&scales], free()), |mut run| async move {
            errors(&run, "maestro-ui", Cure::Nothing);
            run.pass(mins(2)).await;
            says(&run, "scales: propose until 2026-11-21T08:30:00.000Z: scale 3 -> 5 (approve)");
            let proposal = *run.state().proposals.keys().next().expect("there is one");
            run.restart();
            if is_changed {
                run.world(|world| world.scale(&maestro::deployment("maestro-ui"), 4, "eve", "kubectl"));
                run.pass(mins(1)).await;
            }
            let comment = String::new();
            assert_eq!(run.order("ada", Command::Approve { proposal, comment }), None);
            run.pass(mins(1)).await;
            acted(&run, usize::from(!is_changed));
            if is_changed {
                says(&run, "scale 3 -> 5");
                assert_eq!(touched(&run), [""; 0]);
            } else {
                assert_eq!(touched(&run), ["intelgraph-prod/deployment/maestro-ui replicas 3 -> 5"]);
            }
            run
        });
    }
}

#[test]
fn a_proposal_that_is_denied_or_not_answered_is_not_done() {
    let text = restarter("restarts", FREE).replace("mode: enforce", "mode: approve");
    for is_denied in [false, true] {
        tell(&source(&[&text], free()), |mut run| async move {
            errors(&run, "maestro-ui", Cure::Nothing);
            run.pass(mins(2)).await;
            let proposal = *run.state().proposals.keys().next().expect("there is one");
            run.restart();
            if is_denied {
                let comment = "not now".to_owned();
                assert_eq!(run.order("ada", Command::Deny { proposal, comment }), None);
            }
            run.pass(mins(40)).await;
            says(&run, if is_denied { "is denied by ada" } else { "lapses" });
            let late = run.order("ada", Command::Approve { proposal, comment: String::new() });
            assert!(late.is_some_and(|why| why.contains("no open proposal")));
            assert_eq!(touched(&run), [""; 0]);
            run
        });
    }
}

#[test]
fn a_fact_that_is_not_shown_withholds() {
    let when =
        "  when: [{query: 'job:http_requests:rate5m{deployment=\"{{ labels.deployment }}\"}', is: '> 1'}]\n";
    tell(&restarts(when), |mut run| async move {
        let ui = [("deployment", "maestro-ui")];
        run.world(|world| world.set_gone(maestro::REQUESTS, &ui, true));
        errors(&run, "maestro-ui", cured("maestro-ui"));
        run.pass(mins(5)).await;
        says(&run, "restarts: hold until");
        run.restart();
        run.world(|world| world.outages.prometheus = true);
        run.pass(mins(5)).await;
        acted(&run, 0);
        run.world(|world| {
            world.outages.prometheus = false;
            world.set_gone(maestro::REQUESTS, &ui, false);
        });
        run.pass(mins(20)).await;
        acted(&run, 1);
        run
    });
}

#[test]
fn a_value_that_must_be_found_is_found_or_nothing_is_done() {
    let target = r#"name: "{{ labels.deployment }}"}"#;
    let found = r#"name: "{{ let.worst }}"}"#;
    let lets = "  let: {worst: {query: 'job:maestro_queue_depth:max', label: deployment}}\n";
    let text = restarter("restarts", &format!("{FREE}{lets}")).replacen(target, found, 1);
    tell(&source(&[&text], free()), |mut run| async move {
        run.world(|world| world.set_gone(maestro::QUEUE_DEPTH, &[], true));
        errors(&run, "maestro-ui", Cure::Nothing);
        run.pass(mins(5)).await;
        acted(&run, 0);
        run.restart();
        run.world(|world| world.set_gone(maestro::QUEUE_DEPTH, &[], false));
        run.pass(mins(20)).await;
        assert_eq!(touched(&run), ["intelgraph-prod/deployment/maestro-worker restartedAt"]);
        run
    });
}

#[test]
fn a_ladder_that_was_climbed_is_not_climbed_again_within_relapse() {
    tell(&restarts_with("relapse: 2h"), |mut run| async move {
        a_round(&mut run, "maestro-ui").await;
        acted(&run, 1);
        run.restart();
        errors(&run, "maestro-ui", Cure::Nothing);
        run.pass(mins(20)).await;
        says(&run, "the only rung was tried, at");
        says(&run, "a person is called");
        acted(&run, 1);
        run
    });
}
