//! One request, with a deadline, its errors in our words. Never repeats one. kube's futures are large: they are boxed.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use kube::api::{Api, ListParams, Patch, PatchParams};
use kube::core::PartialObjectMeta;
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::ports::cluster::{ChangeError, LookError};

/// How long one request may take.
const REQUEST_WITHIN: Duration = Duration::from_secs(15);

/// Waits for a question's answer.
pub(super) async fn asked<T>(
    tried: &str,
    request: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, LookError> {
    let Ok(answered) = tokio::time::timeout(REQUEST_WITHIN, request).await else {
        return Err(LookError::Failed { tried: tried.to_owned(), problem: "no answer in time".into() });
    };
    answered.map_err(|error| {
        let (tried, problem) = (tried.to_owned(), words(&error));
        match status_code(&error) {
            Some(401 | 403) => LookError::Forbidden { tried, problem },
            _ => LookError::Failed { tried, problem },
        }
    })
}

/// One object, which must be there.
pub(super) async fn get<K>(api: &Api<K>, name: &str, what: &str) -> Result<K, LookError>
where
    K: Clone + DeserializeOwned + std::fmt::Debug,
{
    let found = asked(&format!("get {what}"), Box::pin(api.get_opt(name))).await?;
    found.ok_or_else(|| LookError::Absent { what: what.to_owned() })
}

/// Objects asked for at once.
const PAGE: u32 = 500;

/// A namespace with more objects of a kind than this is not judged by a part of them.
const LISTED_MAX: usize = 10_000;

/// All objects of a namespace.
pub(super) async fn list<K>(api: &Api<K>, what: &str) -> Result<Vec<K>, LookError>
where
    K: Clone + DeserializeOwned + std::fmt::Debug,
{
    let tried = format!("list {what}");
    let mut params = ListParams::default().limit(PAGE);
    let mut found = Vec::new();
    while found.len() < LISTED_MAX {
        let page = asked(&tried, Box::pin(api.list(&params))).await?;
        found.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(found),
        }
    }
    Err(LookError::Forbidden { tried, problem: format!("there are more than {LISTED_MAX}") })
}

/// How many objects there are, for the price of one.
pub(super) async fn count<K>(api: &Api<K>, what: &str) -> Result<u32, LookError>
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug,
    PartialObjectMeta<K>: Clone + DeserializeOwned + std::fmt::Debug,
{
    let found =
        asked(&format!("count {what}"), Box::pin(api.list_metadata(&ListParams::default().limit(1)))).await?;
    let seen = i64::try_from(found.items.len()).unwrap_or(i64::MAX);
    let all = seen.saturating_add(found.metadata.remaining_item_count.unwrap_or(0));
    Ok(u32::try_from(all).unwrap_or(u32::MAX))
}

/// What a JSON Patch is sent to.
pub(super) struct Place<'a> {
    /// The resource's path, such as `/apis/apps/v1/namespaces/prod/deployments`.
    pub(super) resource: &'a str,
    pub(super) name: &'a str,
    pub(super) subresource: Option<&'a str>,
}

/// Sends one JSON Patch.
pub(super) async fn patch(
    client: &Client,
    place: Place<'_>,
    operations: &[Value],
    manager: String,
    dry_run: bool,
    tried: &str,
) -> Result<Value, ChangeError> {
    let not_sent = |problem: String| ChangeError::NotSent { tried: tried.to_owned(), problem };
    let params = PatchParams { dry_run, field_manager: Some(manager), ..PatchParams::default() };
    let request = kube::core::Request::new(place.resource);
    // kube's own JSON Patch needs one more crate; the bytes are the same, but for the content type.
    let body = Patch::Merge(operations);
    let built = match place.subresource {
        Some(subresource) => request.patch_subresource(subresource, place.name, &params, &body),
        None => request.patch(place.name, &params, &body),
    };
    let mut request = built.map_err(|error| not_sent(error.to_string()))?;
    let json_patch = "application/json-patch+json".parse().expect("a fixed text is a header value");
    request.headers_mut().insert("content-type", json_patch);
    send(client, request, tried).await
}

/// Sends one request that changes something; what the server made of the object.
pub(super) async fn send(
    client: &Client,
    request: http::Request<Vec<u8>>,
    tried: &str,
) -> Result<Value, ChangeError> {
    match tokio::time::timeout(REQUEST_WITHIN, Box::pin(client.request::<Value>(request))).await {
        Ok(Ok(object)) => Ok(object),
        Ok(Err(error)) => Err(change_error(&error, tried)),
        Err(_) => Err(ChangeError::NoAnswer { tried: tried.to_owned(), problem: "none in time".into() }),
    }
}

/// What the API server says where a `test` of a JSON Patch fails: nothing more exact comes back.
const TEST_FAILED: &str = "the server rejected our request due to an error in our request";

fn change_error(error: &kube::Error, tried: &str) -> ChangeError {
    let (tried, problem) = (tried.to_owned(), words(error));
    match status_code(error) {
        // Turned away at the door by flow control: not looked at.
        Some(429) => ChangeError::NotSent { tried, problem },
        Some(401) => ChangeError::Forbidden { message: problem },
        Some(403) if says_no_right(&problem) => ChangeError::Forbidden { message: problem },
        Some(409) => ChangeError::Refused { message: problem, conflict: true },
        Some(422) if problem.starts_with(TEST_FAILED) => {
            let message = "the API server's tests of its uid and of the old value did not hold".into();
            ChangeError::Refused { message, conflict: true }
        }
        Some(400..500) => ChangeError::Refused { message: problem, conflict: false },
        Some(_) => ChangeError::NoAnswer { tried, problem },
        None if never_left(error) => ChangeError::NotSent { tried, problem },
        None => ChangeError::NoAnswer { tried, problem },
    }
}

/// Whether a 403 is the authorizer's, which says `... is forbidden: User "x" cannot patch resource ...`. Admission
/// (quotas, pod security, webhooks, a freeze) answers 403 too: it did look, and said no.
fn says_no_right(problem: &str) -> bool {
    problem.contains(" is forbidden: User ") && problem.contains(" cannot ")
}

/// The status of an answer; none where no answer came.
pub(super) fn status_code(error: &kube::Error) -> Option<u16> {
    match error {
        kube::Error::Api(status) => Some(status.code),
        _ => None,
    }
}

/// Whether it is certain that nothing was sent. Where in doubt it is not: a look then decides.
fn never_left(error: &kube::Error) -> bool {
    if matches!(error, kube::Error::BuildRequest(_) | kube::Error::Auth(_) | kube::Error::HttpError(_)) {
        return true;
    }
    let mut source = error.source();
    while let Some(inner) = source {
        if inner.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == io::ErrorKind::ConnectionRefused) {
            return true;
        }
        source = inner.source();
    }
    false
}

/// The server's message, or what went wrong at the bottom.
fn words(error: &kube::Error) -> String {
    if let kube::Error::Api(status) = error {
        let said = if status.message.is_empty() { &status.reason } else { &status.message };
        return format!("{said} ({})", status.code);
    }
    let mut problem = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        problem = inner.to_string();
        source = inner.source();
    }
    problem
}

#[cfg(test)]
mod tests {
    use super::says_no_right;

    #[test]
    fn only_the_authorizer_says_that_a_right_is_missing() {
        let deployment = r#"deployments.apps "web" is forbidden: "#;
        let rights = r#"User "system:serviceaccount:paramedic:paramedic" cannot patch resource "deployments" in API group "apps" in the namespace "shop" (403)"#;
        assert!(says_no_right(&format!("{deployment}{rights}")));
        for admission in [
            "exceeded quota: compute, requested: pods=1, used: pods=4, limited: pods=4 (403)",
            r#"violates PodSecurity "restricted:latest": privileged (403)"#,
            "ValidatingAdmissionPolicy 'paramedic-freeze' with binding 'x' denied request: frozen (403)",
        ] {
            assert!(!says_no_right(&format!("{deployment}{admission}")), "{admission}");
        }
        assert!(!says_no_right(r#"admission webhook "policy.example.com" denied the request: no (403)"#));
    }
}
