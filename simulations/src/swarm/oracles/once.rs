//! No request twice: one intent sends each of its requests once, unless it was read and refused: what is known not to have
//! been done may be done after another look. A drain looks again before it asks for a pod that was turned away unread, or whose
//! request never arrived, once the API server must have given that up.

use std::collections::BTreeMap;

use paramedic_policies::time::Span;

use super::super::tape::{Fate, Request};
use super::Evidence;

/// A drain looks and waits before it asks again.
const LOOKS: Span = Span::from_secs(1);

/// After so long nothing arrives any more.
const GIVEN_UP: Span = Span::from_secs(60);

pub(super) fn judge(evidence: &Evidence<'_>, says: &mut Vec<String>) {
    let mut sent: BTreeMap<(&str, String, &str), Vec<&Request>> = BTreeMap::new();
    for request in evidence.tape.requests.iter().filter(|request| request.fate != Fate::Refused) {
        let key = (request.stamp.as_str(), request.on.to_string(), request.what.as_str());
        sent.entry(key).or_default().push(request);
    }
    for ((stamp, on, what), mut requests) in sent {
        requests.sort_by_key(|request| request.sent_at);
        let looked = |pair: &&[&Request]| {
            let waited = match pair[0].fate {
                Fate::TurnedAway => LOOKS,
                Fate::Lost => GIVEN_UP,
                Fate::Refused | Fate::Made => return false,
            };
            what == "evict" && pair[1].sent_at >= pair[0].sent_at + waited
        };
        let times = requests.len() - requests.windows(2).filter(looked).count();
        if times > 1 {
            says.push(format!("{stamp} sent `{what}` on {on} {times} times"));
        }
    }
}
