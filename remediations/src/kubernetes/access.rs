//! What we may do, asked of the API server before we try. Reviews are answered and never kept: every account may ask
//! them about itself.

use kube::Client;
use kube::core::params::PostParams;
use kube::core::request::Request;
use serde_json::{Value, json};

use super::calls::asked;
use crate::ports::cluster::LookError;
use crate::rights::Right;

const REVIEWS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

/// Whether the server would let us.
pub(super) async fn may(client: &Client, right: &Right) -> Result<bool, LookError> {
    let tried = format!("ask whether we may {right}");
    let Right { namespace, group, resource, name, verb } = right;
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {
            "namespace": namespace.as_deref().unwrap_or_default(),
            "group": group,
            "resource": resource,
            "subresource": subresource,
            "name": name.as_deref().unwrap_or_default(),
            "verb": verb.name(),
        }},
    });
    let failed = |problem: String| LookError::Failed { tried: tried.clone(), problem };
    let request = Request::new(REVIEWS).create(&PostParams::default(), review.to_string().into_bytes());
    let request = request.map_err(|error| failed(error.to_string()))?;
    let review = asked(&tried, Box::pin(client.request::<Value>(request))).await?;
    let allowed = review.pointer("/status/allowed").and_then(Value::as_bool);
    allowed.ok_or_else(|| failed("the answer says neither yes nor no".into()))
}
