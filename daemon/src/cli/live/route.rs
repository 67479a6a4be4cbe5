//! Whether Alertmanager's alerts reach us: a receiver that posts here, a route that leads to it, and that what fires now
//! and has a policy is sent there.

use std::collections::{BTreeMap, BTreeSet};

use paramedic_policies::book::Book;
use paramedic_policies::load::Severity;

use super::alertmanager::{self, Receiver, Shown};
use super::{LiveArgs, Report};
use crate::cli::alerts;

/// The end of our address.
const OURS: &str = "/webhook/alertmanager";

const PART: &str = "Alertmanager";

pub(super) async fn ask(args: &LiveArgs, book: &Book, heard: Option<&BTreeSet<String>>, report: &mut Report) {
    let Some(url) = &args.alertmanager_url else {
        return report.note("route", "not asked, for no Alertmanager is named (--alertmanager-url)");
    };
    let shown = match alertmanager::shown(url).await {
        Ok(shown) => shown,
        Err(problem) => {
            let message = format!("could not ask {} for its routes: {problem}", alerts::shown(url));
            report.world(Severity::Error, PART, message, None);
            return report.note("route", "not known");
        }
    };
    let known = judge(args, &shown, heard, report);
    report.note(
        "route",
        match &known {
            Known::Ours(names) => format!("receiver {} posts to us", listed(names)),
            Known::Hidden(names) => format!("Alertmanager hides where {} post to", listed(names)),
            Known::Nobody => "no receiver posts to us".to_owned(),
        },
    );
    let Known::Ours(ours) = known else { return };
    match alertmanager::sent(url).await {
        Ok(sent) => {
            let mut lost: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
            for alert in &sent {
                if !book.matching(&alert.labels).is_empty() && alert.receivers.is_disjoint(&ours) {
                    let name = alert.labels.get("alertname").map_or("", String::as_str);
                    lost.entry(name).or_default().extend(alert.receivers.iter().cloned());
                }
            }
            for (name, receivers) in lost {
                let message = format!(
                    "{name} fires now and has a policy, and Alertmanager sends it to {} alone",
                    listed(&receivers)
                );
                let hint = "put the route to paramedic first, with `continue: true`, so that no other comes before it";
                report.world(Severity::Error, PART, message, hint.to_owned());
            }
        }
        Err(problem) => {
            report.world(Severity::Error, PART, format!("could not ask what fires: {problem}"), None)
        }
    }
}

/// Which receivers are us.
enum Known {
    Ours(BTreeSet<String>),
    Hidden(BTreeSet<String>),
    Nobody,
}

fn judge(args: &LiveArgs, shown: &Shown, heard: Option<&BTreeSet<String>>, report: &mut Report) -> Known {
    let is_ours = |receiver: &&Receiver| {
        let meant = args.webhook_url.as_deref().map(|url| url.trim_end_matches('/'));
        let posts = receiver.urls.iter().any(|url| {
            let url = url.trim_end_matches('/');
            meant.map_or_else(|| url.ends_with(OURS), |meant| url == meant)
        });
        posts
            || receiver.hides
                && (args.receiver.as_ref() == Some(&receiver.name)
                    || heard.is_some_and(|heard| heard.contains(&receiver.name)))
    };
    let ours: Vec<&Receiver> = shown.receivers.iter().filter(is_ours).collect();
    if let Some(name) = &args.receiver
        && !shown.receivers.iter().any(|receiver| receiver.name == *name)
    {
        let message = format!("there is no receiver {name} with a webhook");
        report.world(Severity::Error, PART, message, hint_of_the_route());
        return Known::Nobody;
    }
    if ours.is_empty() {
        let hidden: BTreeSet<String> = shown
            .receivers
            .iter()
            .filter(|receiver| receiver.hides)
            .map(|receiver| receiver.name.clone())
            .collect();
        if hidden.is_empty() {
            let message = "no receiver posts to paramedic".to_owned();
            report.world(Severity::Error, PART, message, hint_of_the_route());
            return Known::Nobody;
        }
        let message = format!(
            "whether {} posts to paramedic is not known: this Alertmanager hides addresses",
            listed(&hidden)
        );
        let hint = "name the receiver with --receiver, or the daemon with --server, which knows from whom it got something";
        report.world(Severity::Warning, PART, message, hint.to_owned());
        return Known::Hidden(hidden);
    }
    let names: BTreeSet<String> = ours.iter().map(|receiver| receiver.name.clone()).collect();
    if names.is_disjoint(&shown.routed) {
        let message = format!("receiver {} posts to paramedic, and no route leads to it", listed(&names));
        report.world(Severity::Error, PART, message, hint_of_the_route());
    }
    for receiver in ours.iter().filter(|receiver| receiver.no_resolved) {
        let message =
            format!("receiver {} does not say when an alert is over (send_resolved: false)", receiver.name);
        let hint = "set send_resolved: true, or each episode stays open until it expires";
        report.world(Severity::Warning, PART, message, hint.to_owned());
    }
    Known::Ours(names)
}

fn hint_of_the_route() -> String {
    "ops/alertmanager/maestro.yaml has the route to add".to_owned()
}

fn listed(names: &BTreeSet<String>) -> String {
    names.iter().cloned().collect::<Vec<_>>().join(", ")
}
