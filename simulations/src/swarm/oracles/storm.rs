//! In a storm, and until it has been calm for long enough, nothing is done under a policy that withholds then. Counted
//! from the bytes on the disk: alerts that were new, within a minute.

use paramedic_policies::event::{Event, Seq};
use paramedic_policies::policy::InStorm;
use paramedic_policies::time::{Moment, Span};

use super::Evidence;

/// Alerts count from when they were decided about, which is a little before their block is handed to the disk.
const SLACK: Span = Span::from_secs(12);

pub(super) fn judge(evidence: &Evidence<'_>, says: &mut Vec<String>) {
    let settings = &evidence.plan.source.settings.guards.storm;
    let opened = evidence.records.iter().filter(|record| matches!(record.event, Event::Opened { .. }));
    let news: Vec<(Moment, Seq)> = opened.map(|record| (evidence.handed(record.seq), record.seq)).collect();
    let minute = Span::from_mins(1);
    let many = settings.alerts_per_minute as usize;
    for (position, (at, last)) in news.iter().enumerate() {
        let within = news[..=position].iter().filter(|(earlier, _)| *at + SLACK < *earlier + minute);
        if within.count() <= many {
            continue;
        }
        let calm_at = *at + settings.calm;
        for intent in evidence.made() {
            let withholds = evidence
                .plan
                .policy(&intent.policy)
                .is_some_and(|policy| policy.in_storm == InStorm::Withhold);
            let handed = evidence.handed(intent.id);
            let bent = evidence.bent(*at, handed);
            let in_storm = intent.id > *last && handed + bent + SLACK < calm_at;
            if withholds && intent.reverts.is_none() && in_storm {
                says.push(format!(
                    "since {at} it storms, and intent {} of {} was decided at {handed}",
                    intent.id, intent.policy
                ));
            }
        }
    }
}
