//! No request twice: one intent sends each of its requests once, unless it was read and refused: what is known not to have
//! been done may be done after another look.

use std::collections::BTreeMap;

use super::super::tape::Fate;
use super::Evidence;

pub(super) fn judge(evidence: &Evidence<'_>, says: &mut Vec<String>) {
    let mut sent: BTreeMap<(&str, String, &str), usize> = BTreeMap::new();
    for request in evidence.tape.requests.iter().filter(|request| request.fate != Fate::Refused) {
        let key = (request.stamp.as_str(), request.on.to_string(), request.what.as_str());
        *sent.entry(key).or_default() += 1;
    }
    for ((stamp, on, what), times) in sent {
        if times > 1 {
            says.push(format!("{stamp} sent `{what}` on {on} {times} times"));
        }
    }
}
