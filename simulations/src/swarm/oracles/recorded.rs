//! No effect without an earlier durable intent: the request's stamp names a record that the disk had when it left.

use super::{Evidence, stamped};

pub(super) fn judge(evidence: &Evidence<'_>, says: &mut Vec<String>) {
    for request in &evidence.tape.requests {
        let what = format!("{} on {} ({})", request.what, request.on, request.stamp);
        match stamped(request) {
            None => says.push(format!("{what} carries no stamp of this journal")),
            Some(seq) if !evidence.intents.contains_key(&seq) => {
                says.push(format!("{what}, and no intent {seq} is on the disk"));
            }
            Some(seq) if request.durable <= seq => says.push(format!(
                "{what} left at {} when the disk had only what is before {}",
                request.sent_at, request.durable
            )),
            Some(_) => {}
        }
    }
}
