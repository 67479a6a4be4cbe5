//! Alerts that fire and that no policy can do anything for, and policies for which no alert ever came.

use std::collections::{BTreeMap, BTreeSet};

use paramedic_policies::alert::Alert;
use paramedic_policies::book::Book;
use paramedic_policies::event::{Event, Seq};
use paramedic_policies::load::Severity;

use super::places::Places;
use super::{LiveArgs, Report, queries};
use crate::cli::failure::Failure;
use crate::cli::records::{Records, ServerArgs};
use crate::journal::Filter;

/// Deliveries that are looked through for the receivers they came from.
const DELIVERIES_MAX: usize = 100;

/// Rulings of one policy that are looked through for one on an alert, and not on what somebody ran.
const RULINGS_MAX: usize = 20;

/// Alerts that fire now against the policies.
pub(super) fn alerts(book: &Book, firing: &[Alert], places: &Places, report: &mut Report) {
    let mut unmatched: BTreeMap<&str, usize> = BTreeMap::new();
    let mut matched = 0_usize;
    for alert in firing {
        let policies = book.matching(&alert.labels);
        if policies.is_empty() {
            *unmatched.entry(alert.name()).or_default() += 1;
            continue;
        }
        matched += 1;
        for policy in policies {
            if let Some(reason) = queries::unnameable(&policy.target, alert, book) {
                let message =
                    format!("the alert {} that fires now names no target for it: {reason}", alert.name());
                let hint =
                    "keep the label in the alert's rule, or take the target from what the alert does name";
                report.problems.push(places.problem(
                    Severity::Error,
                    &policy.name,
                    "/spec/target",
                    message,
                    hint.to_owned(),
                ));
            }
        }
    }
    for (name, count) in unmatched {
        let many = if count == 1 { String::new() } else { format!(" ({count} times)") };
        let message = format!("{name} fires now{many} and no policy matches it");
        let hint =
            "that may be right; `paramedic explain --all` says by which matcher each policy passes it over";
        report.world(Severity::Warning, "alerts", message, hint.to_owned());
    }
    report.note("alerts", format!("{} fire now, {matched} of them match a policy", firing.len()));
}

/// Whether an alert ever met a policy: of what somebody ran by hand there are rulings too.
async fn was_matched(records: &dyn Records, policy: &str) -> Result<bool, Failure> {
    let filter = Filter {
        policy: Some(policy.to_owned()),
        kind: Some("ruled".to_owned()),
        newest: true,
        limit: Some(RULINGS_MAX),
        ..Filter::default()
    };
    let ruled = records.page(&filter).await?.items;
    let episodes: BTreeSet<Seq> = ruled
        .into_iter()
        .filter_map(|record| match record.event {
            Event::Ruled { ruling } => Some(ruling.episode),
            _ => None,
        })
        .collect();
    for episode in episodes {
        match records.one(episode).await?.map(|record| record.event) {
            Some(Event::Opened { by_hand: Some(_), .. }) => {}
            Some(_) | None => return Ok(true),
        }
    }
    Ok(false)
}

/// What the journal says; the receivers of Alertmanager from which something came. None where no daemon is named.
pub(super) async fn journal(
    args: &LiveArgs,
    book: &Book,
    places: &Places,
    report: &mut Report,
) -> Result<Option<BTreeSet<String>>, Failure> {
    let Some(server) = &args.server else {
        report.note("journal", "not read, for no daemon is named (--server)");
        return Ok(None);
    };
    let client = ServerArgs { server: server.clone(), token_file: args.token_file.clone() }.client()?;
    let records: &dyn Records = &client;
    let (mut never, mut all) = (0_usize, 0_usize);
    // No alert is to match what is only run by hand.
    for policy in book.policies().values().filter(|policy| !policy.is_only_by_hand()) {
        all += 1;
        match was_matched(records, &policy.name).await {
            Ok(false) => {
                never += 1;
                let message = format!("no alert ever matched {} in the journal of {server}", policy.name);
                let hint = "compare its matchers with the labels of the alert's rule; or nothing of the kind has happened yet";
                report.problems.push(places.problem(
                    Severity::Warning,
                    &policy.name,
                    "/spec/match",
                    message,
                    hint.to_owned(),
                ));
            }
            Ok(true) => {}
            Err(failure) => {
                report.world(Severity::Error, "journal", failure.error, failure.hint);
                report.note("journal", "not read");
                return Ok(None);
            }
        }
    }
    report.note("journal", format!("{never} of {all} policies never matched"));
    let filter = Filter {
        kind: Some("received".into()),
        newest: true,
        limit: Some(DELIVERIES_MAX),
        ..Filter::default()
    };
    let deliveries = records.page(&filter).await.map(|page| page.items).unwrap_or_default();
    let receivers = deliveries.into_iter().filter_map(|record| match record.event {
        Event::Received { receiver, .. } if !receiver.is_empty() => Some(receiver),
        _ => None,
    });
    Ok(Some(receivers.collect()))
}
