//! While another process leads nothing is decided and nothing begins: no intent is handed over between the moment at which
//! the process was told and the moment at which it leads again, and no request of an intent leaves for the first time.

use std::collections::BTreeMap;

use paramedic_policies::event::Seq;
use paramedic_policies::time::{Moment, Span};

use super::{Evidence, stamped};

/// What was decided before waits for the block before its own.
const UNDER_WAY: Span = Span::from_secs(30);

/// An effect that has begun looks before its first request, for as long as that takes.
const LOOKS: Span = Span::from_mins(2);

pub(super) fn judge(evidence: &Evidence<'_>, says: &mut Vec<String>) {
    let mut first: BTreeMap<Seq, Moment> = BTreeMap::new();
    for request in &evidence.tape.requests {
        if let Some(seq) = stamped(request) {
            let sent = first.entry(seq).or_insert(request.sent_at);
            *sent = (*sent).min(request.sent_at);
        }
    }
    let reigns = &evidence.tape.reigns;
    for (number, lost) in reigns.iter().enumerate().filter(|(_, reign)| !reign.leads) {
        let back = reigns.get(number + 1).map_or(evidence.ended, |next| next.at);
        for intent in evidence.intents.values() {
            let handed = evidence.handed(intent.id);
            if lost.at + UNDER_WAY < handed && handed < back {
                says.push(format!(
                    "another process leads since {}, and intent {} was decided at {handed}",
                    lost.at, intent.id
                ));
            }
        }
        let begins = first.iter().filter(|(_, sent)| lost.at + LOOKS < **sent && **sent < back);
        for (intent, sent) in begins {
            says.push(format!(
                "another process leads since {}, and intent {intent} began at {sent}",
                lost.at
            ));
        }
    }
}
