//! No request twice: one intent sends each of its requests once, whatever came back.

use std::collections::BTreeMap;

use super::Evidence;

pub(super) fn judge(evidence: &Evidence<'_>, says: &mut Vec<String>) {
    let mut sent: BTreeMap<(&str, String, &str), usize> = BTreeMap::new();
    for request in &evidence.tape.requests {
        let key = (request.stamp.as_str(), request.on.to_string(), request.what.as_str());
        *sent.entry(key).or_default() += 1;
    }
    for ((stamp, on, what), times) in sent {
        if times > 1 {
            says.push(format!("{stamp} sent `{what}` on {on} {times} times"));
        }
    }
}
