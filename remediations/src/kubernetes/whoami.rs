//! Who we are to the API server. A question, though it is asked by POST: a review is answered and never kept.

use kube::Client;
use kube::core::params::PostParams;
use kube::core::request::Request;
use serde_json::{Value, json};

use super::calls::{asked, status_code};
use crate::ports::cluster::LookError;

const REVIEWS: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

/// The user's name, as the API server authenticated this client.
pub(super) async fn username(client: &Client) -> Result<String, LookError> {
    let tried = "ask the API server who we are";
    let failed = |problem: String| LookError::Failed { tried: tried.to_owned(), problem };
    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    let request = Request::new(REVIEWS).create(&PostParams::default(), review.to_string().into_bytes());
    let request = request.map_err(|error| failed(error.to_string()))?;
    let answered = asked(
        tried,
        Box::pin(async {
            match client.request::<Value>(request).await {
                Err(error) if status_code(&error) == Some(404) => Ok(None),
                found => found.map(Some),
            }
        }),
    );
    let unknown = || LookError::Absent { what: "resource selfsubjectreviews.authentication.k8s.io".into() };
    let review = answered.await?.ok_or_else(unknown)?;
    let name = review.pointer("/status/userInfo/username").and_then(Value::as_str);
    name.map(str::to_owned).ok_or_else(|| failed("the answer names nobody".into()))
}
