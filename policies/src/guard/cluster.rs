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
        None if view.episode.by_hand.is_some() => {
            Finding::allows(Guard::Cluster, format!("by hand, of the daemon of {}", identity.name))
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::fixtures::*;

    fn of_cluster(has: Option<&str>) -> World {
        let mut world = World::new();
        world.settings.cluster.name = "eu-1".to_owned();
        if let Some(has) = has {
            world.episode.labels.insert("cluster".to_owned(), has.to_owned());
        }
        world
    }

    #[test]
    fn an_alert_of_another_cluster_or_of_none_refuses() {
        assert_eq!(
            of_cluster(Some("us-1")).says(judge),
            "refuses: the alert is of cluster `us-1`, this is `eu-1`"
        );
        assert_eq!(of_cluster(None).says(judge), "refuses: the alert is of cluster `-`, this is `eu-1`");
    }

    #[test]
    fn an_alert_of_ours_allows_and_so_does_no_name_at_all() {
        assert_eq!(of_cluster(Some("eu-1")).says(judge), "allows: cluster=\"eu-1\" is this cluster");
        assert_eq!(World::new().says(judge), "allows: no cluster name is configured");
    }

    #[test]
    fn an_order_names_no_cluster_and_is_for_ours_and_one_for_another_is_refused() {
        let mut world = of_cluster(None);
        world.episode.by_hand = ordered();
        assert_eq!(world.says(judge), "allows: by hand, of the daemon of eu-1");
        world.episode.labels.insert("cluster".to_owned(), "us-1".to_owned());
        assert_eq!(world.says(judge), "refuses: the alert is of cluster `us-1`, this is `eu-1`");
    }
}
