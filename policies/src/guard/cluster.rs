//! An alert of another cluster must not be remedied in this one; one that does not say is not ours either.

use crate::guard::{Finding, Guard, View};
use crate::reason::Reason;

/// Refuses an alert whose cluster label is missing or is not ours, where ours is configured.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    let identity = &view.book.settings().cluster;
    if identity.name.is_empty() {
        return Finding::allows(Guard::Cluster, "no cluster name is configured");
    }
    match view.episode.labels.get(&identity.label) {
        Some(has) if *has == identity.name => {
            Finding::allows(Guard::Cluster, format!("{}=\"{has}\" is this cluster", identity.label))
        }
        has => Finding::refuses(
            Guard::Cluster,
            Reason::OtherCluster {
                has: has.map_or("-", String::as_str).to_owned(),
                ours: identity.name.clone(),
            },
        ),
    }
}
