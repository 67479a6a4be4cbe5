//! Who set a field, by `metadata.managedFields`. Where a subresource drops annotations, this is our stamp.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta, Time};
use paramedic_policies::time::Moment;

use crate::ports::cluster::SetBy;

/// A field of `spec`, such as `f:replicas`.
pub(super) fn owns(entry: &ManagedFieldsEntry, field: &str) -> bool {
    entry.fields_v1.as_ref().and_then(|fields| fields.0.get("f:spec")?.get(field)).is_some()
}

/// The manager that wrote a field of `spec` last; none where the server does not know.
pub(super) fn set_by(metadata: &ObjectMeta, field: &str) -> Option<SetBy> {
    let entries = metadata.managed_fields.iter().flatten().filter(|entry| owns(entry, field));
    let last = entries.max_by_key(|entry| entry.time.as_ref().map(moment))?;
    Some(SetBy { manager: last.manager.clone().unwrap_or_default(), at: last.time.as_ref().map(moment) })
}

fn moment(time: &Time) -> Moment {
    Moment::from_unix_ms(time.0.as_millisecond())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_last_owner_of_a_field_set_it() {
        let metadata: ObjectMeta = serde_json::from_value(json!({"managedFields": [
            {"manager": "kubectl", "time": "2026-11-21T09:00:00Z", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            {"manager": "paramedic-j-7", "time": "2026-11-21T09:00:05Z", "subresource": "scale",
             "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            {"manager": "deployer", "time": "2026-11-21T09:00:09Z", "fieldsV1": {"f:spec": {"f:template": {}}}},
        ]}))
        .expect("metadata");
        let set = set_by(&metadata, "f:replicas").expect("somebody set it");
        assert_eq!(set.manager, "paramedic-j-7");
        assert_eq!(set.at, Some("2026-11-21T09:00:05Z".parse().expect("a time")));
        assert_eq!(set_by(&metadata, "f:minReplicas"), None);
    }
}
