//! What goes wrong in the demo, and how to see that it was dealt with. The scenes only touch the simulated world; what
//! follows is the daemon's own doing.

use paramedic_policies::action::{Action, Intent, Mode, Outcome};
use paramedic_policies::event::{Event, Record, Seq, Verdict};
use paramedic_policies::reason::Reason;
use paramedic_policies::ruling;
use paramedic_policies::time::Span;
use paramedic_simulations::maestro;
use paramedic_simulations::world::{Cure, World};

/// One thing that goes wrong.
pub(super) struct Scene {
    /// What is said before it begins.
    pub(super) title: &'static str,
    /// Makes it go wrong.
    pub(super) begin: fn(&mut World),
    /// Whether the records show that it was dealt with.
    pub(super) is_over: fn(&Seen<'_>) -> bool,
    /// What was to be seen.
    pub(super) shows: &'static str,
}

/// How long series take to recover.
const RECOVERY: Span = Span::from_secs(1);

/// The scenes, in order.
pub(super) fn scenes() -> [Scene; 5] {
    [
        Scene {
            title: "maestro-ui answers 20 % of requests with an error; only new pods will help",
            begin: |world| {
                let cure = Cure::Restarted(maestro::deployment("maestro-ui"));
                world.begin(maestro::ERROR_RATIO, &[("deployment", "maestro-ui")], 0.2, cure, RECOVERY);
            },
            is_over: |seen| seen.helped(|action| matches!(action, Action::Restart(_))),
            shows: "a workload was restarted, and it was verified that this helped",
        },
        Scene {
            title: "maestro-server takes 2.4 s to answer; an autoscaler (HPA) owns its replicas",
            begin: |world| {
                let cure = Cure::Ready(maestro::deployment("maestro-server"), 6);
                world.begin(maestro::P95, &[("deployment", "maestro-server")], 2.4, cure, RECOVERY);
            },
            is_over: |seen| seen.helped(|action| matches!(action, Action::Scale(_))),
            shows: "a workload was scaled up by its HPA's minimum, and it was verified",
        },
        Scene {
            title: "connections to postgres fail although it is well: the circuit breakers stand open",
            begin: |world| {
                let service = maestro::server_service();
                let cure = Cure::BreakerClosed(service, "postgres".to_owned());
                world.begin(maestro::CONNECTION_FAILURES, &[], 4.0, cure, RECOVERY);
            },
            is_over: |seen| seen.helped(|action| matches!(action, Action::ResetBreaker(_))),
            shows: "a circuit breaker was reset on every pod, and it was verified",
        },
        Scene {
            title: "the same alert comes for the cluster's DNS, which nothing may touch",
            begin: |world| {
                let dns = [("deployment", "coredns")];
                world.begin(maestro::ERROR_RATIO, &dns, 0.2, Cure::Nothing, RECOVERY);
            },
            is_over: |seen| seen.was_protected(),
            shows: "an action was refused by a guard, with its reason",
        },
        Scene {
            title: "jobs pile up for maestro-worker; the policy for that is on trial (mode: dry-run)",
            begin: |world| {
                world.begin(maestro::QUEUE_DEPTH, &[], 2600.0, Cure::Nothing, RECOVERY);
            },
            is_over: |seen| seen.was_rehearsed(),
            shows: "an action was rehearsed in dry-run, with its difference",
        },
    ]
}

/// What the records show so far.
pub(super) struct Seen<'a>(pub(super) &'a [Record]);

impl Seen<'_> {
    fn intent(&self, id: Seq) -> Option<&Intent> {
        self.0.iter().find_map(|record| match &record.event {
            Event::Intended { intent } if intent.id == id => Some(intent.as_ref()),
            _ => None,
        })
    }

    fn helped(&self, is_it: fn(&Action) -> bool) -> bool {
        self.0.iter().any(|record| match &record.event {
            Event::Verified { intent, verdict: Verdict::Helped, .. } => {
                self.intent(*intent).is_some_and(|intent| is_it(&intent.action))
            }
            _ => false,
        })
    }

    fn was_protected(&self) -> bool {
        self.0.iter().any(|record| match &record.event {
            Event::Ruled { ruling } => {
                ruling.verdict == ruling::Verdict::Withhold
                    && ruling
                        .findings
                        .iter()
                        .any(|finding| matches!(finding.reason(), Some(Reason::Protected { .. })))
            }
            _ => false,
        })
    }

    fn was_rehearsed(&self) -> bool {
        self.0.iter().any(|record| match &record.event {
            Event::Ended { intent, outcome: Outcome::Done { diff: Some(_), .. } } => {
                self.intent(*intent).is_some_and(|intent| intent.mode == Mode::DryRun)
            }
            _ => false,
        })
    }
}
