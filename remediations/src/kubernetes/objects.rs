//! Objects as they are: reads of any resource, and the requests of [`ObjectChange`]. Only [`change`](super::change)
//! and the clean-up call what writes.

use kube::Client;
use kube::core::params::{DeleteParams, GetParams, ListParams, PostParams, Preconditions};
use kube::core::request::Request;
use kube::core::subresource::{EvictParams, LogParams};
use serde_json::{Value, json};

use super::calls::{Place, asked, patch, send, status_code};
use crate::ports::cluster::{ChangeError, Keep, LOG_LINES_MAX, LOG_READ_BYTES_MAX, LookError, Run, manager};
use crate::ports::objects::{Address, ObjectChange, Resource};

/// Objects asked for at once.
const PAGE: u32 = 500;

/// More objects than this are not judged by a part of them.
const LISTED_MAX: usize = 10_000;

/// Objects of a scan asked for at once, and at most: of each little is kept.
const SCAN_PAGE: u32 = 1_000;
const SCANNED_MAX: usize = 200_000;

/// One object.
pub(super) async fn get(client: &Client, at: &Address) -> Result<Option<Value>, LookError> {
    let tried = format!("get {at}");
    let request = Request::new(at.resource.path(&at.namespace)).get(&at.name, &GetParams::default());
    let request = request.map_err(|error| failed(&tried, &error))?;
    asked(
        &tried,
        Box::pin(async {
            match client.request::<Value>(request).await {
                Err(error) if status_code(&error) == Some(404) => Ok(None),
                found => found.map(Some),
            }
        }),
    )
    .await
}

/// All objects that meet a selector.
pub(super) async fn list(
    client: &Client,
    resource: Resource,
    namespace: &str,
    selector: &str,
) -> Result<Vec<Value>, LookError> {
    let mut params = ListParams::default().limit(PAGE);
    if !selector.is_empty() {
        params = params.labels(selector);
    }
    pages(client, resource, namespace, params, LISTED_MAX, Some).await
}

/// Those of a namespace that the server finds by a field.
pub(super) async fn list_where(
    client: &Client,
    resource: Resource,
    namespace: &str,
    (path, wanted): (&str, &str),
) -> Result<Vec<Value>, LookError> {
    let params = ListParams::default().limit(PAGE).fields(&format!("{path}={wanted}"));
    pages(client, resource, namespace, params, LISTED_MAX, Some).await
}

/// What is kept of all objects of the cluster.
pub(super) async fn scan(
    client: &Client,
    resource: Resource,
    fields: &str,
    keep: &Keep,
) -> Result<Vec<Value>, LookError> {
    let mut params = ListParams::default().limit(SCAN_PAGE);
    if !fields.is_empty() {
        params = params.fields(fields);
    }
    pages(client, resource, "", params, SCANNED_MAX, |object| keep.of(object)).await
}

async fn pages(
    client: &Client,
    resource: Resource,
    namespace: &str,
    mut params: ListParams,
    most: usize,
    keep: impl Fn(Value) -> Option<Value> + Send + Sync,
) -> Result<Vec<Value>, LookError> {
    let tried = format!(
        "list {} of {}",
        resource.plural,
        if namespace.is_empty() { "the cluster" } else { namespace }
    );
    let (mut found, mut seen) = (Vec::new(), 0);
    while seen < most {
        let request =
            Request::new(resource.path(namespace)).list(&params).map_err(|error| failed(&tried, &error))?;
        let page = asked(
            &tried,
            Box::pin(async {
                match client.request::<Value>(request).await {
                    Err(error) if status_code(&error) == Some(404) => Ok(None),
                    found => found.map(Some),
                }
            }),
        )
        .await?;
        let unknown =
            || LookError::Absent { what: format!("resource {}.{}", resource.plural, resource.group) };
        let mut page = page.ok_or_else(unknown)?;
        if let Some(Value::Array(items)) = page.get_mut("items").map(Value::take) {
            seen += items.len();
            found.extend(items.into_iter().filter_map(&keep));
        }
        match page.pointer("/metadata/continue").and_then(Value::as_str).filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(token),
            None => return Ok(found),
        }
    }
    Err(LookError::Forbidden { tried, problem: format!("there are more than {most}") })
}

/// The last lines of a pod's log.
pub(super) async fn log_tail(
    client: &Client,
    pod: &Address,
    container: Option<&str>,
) -> Result<String, LookError> {
    let tried = format!("read the log of {pod}");
    let params = LogParams {
        container: container.map(str::to_owned),
        tail_lines: Some(i64::from(LOG_LINES_MAX)),
        limit_bytes: Some(i64::from(LOG_READ_BYTES_MAX)),
        ..LogParams::default()
    };
    let request = Request::new(pod.resource.path(&pod.namespace)).logs(&pod.name, &params);
    let request = request.map_err(|error| failed(&tried, &error))?;
    asked(&tried, Box::pin(client.request_text(request))).await
}

/// The last lines of one run of a container. The kubelet begins with the first of them and stops after so many bytes: where
/// it does, the newest are missing, so fewer are asked for.
pub(super) async fn log_of(client: &Client, run: &Run<'_>) -> Result<String, LookError> {
    let mut lines = run.lines.max(1);
    loop {
        let log = lines_of(client, &Run { lines, ..run.clone() }).await?;
        let is_cut = log.len() >= LOG_READ_BYTES_MAX as usize;
        if !is_cut {
            return Ok(log);
        }
        if lines == 1 {
            return Ok(format!("{log}\n(the end of this line is missing)\n"));
        }
        lines = (lines / LOG_FEWER).max(1);
    }
}

/// Each time this many times fewer lines are asked for.
const LOG_FEWER: u32 = 10;

async fn lines_of(client: &Client, run: &Run<'_>) -> Result<String, LookError> {
    let Run { pod, container, previous, lines } = run;
    let which = if *previous { "the log of the run before in" } else { "the log of" };
    let tried = format!("read {which} {pod}, container {container}");
    let params = LogParams {
        container: Some((*container).to_owned()),
        previous: *previous,
        tail_lines: Some(i64::from(*lines)),
        limit_bytes: Some(i64::from(LOG_READ_BYTES_MAX)),
        ..LogParams::default()
    };
    let request = Request::new(pod.resource.path(&pod.namespace)).logs(&pod.name, &params);
    let request = request.map_err(|error| failed(&tried, &error))?;
    asked(&tried, Box::pin(client.request_text(request))).await
}

fn failed(tried: &str, error: &dyn std::error::Error) -> LookError {
    LookError::Failed { tried: tried.to_owned(), problem: error.to_string() }
}

/// Sends one change; what the server made of the object.
pub(super) async fn change(
    client: &Client,
    change: &ObjectChange,
    stamp: &str,
    dry_run: bool,
    tried: &str,
) -> Result<Value, ChangeError> {
    change_as(client, change, manager(stamp), dry_run, tried).await
}

/// The same under a field manager of any name.
pub(super) async fn change_as(
    client: &Client,
    change: &ObjectChange,
    manager: String,
    dry_run: bool,
    tried: &str,
) -> Result<Value, ChangeError> {
    let at = change.address();
    let path = at.resource.path(&at.namespace);
    let not_sent = |problem: String| ChangeError::NotSent { tried: tried.to_owned(), problem };
    let post = PostParams { dry_run, field_manager: Some(manager.clone()) };
    let only = |uid: &String, version: &Option<String>| Preconditions {
        uid: Some(uid.clone()),
        resource_version: version.clone(),
    };
    let request = match change {
        ObjectChange::Patch { operations, subresource, .. } => {
            let place = Place { resource: &path, name: &at.name, subresource: *subresource };
            return patch(client, place, operations, manager, dry_run, tried).await;
        }
        ObjectChange::Create { object, .. } => {
            let body = serde_json::to_vec(object).map_err(|error| not_sent(error.to_string()))?;
            Request::new(path).create(&post, body)
        }
        ObjectChange::Delete { uid, version, .. } => {
            let params = DeleteParams {
                dry_run,
                preconditions: Some(only(uid, version)),
                ..DeleteParams::background()
            };
            Request::new(path).delete(&at.name, &params)
        }
        ObjectChange::Evict { uid, .. } => {
            let delete = DeleteParams { preconditions: Some(only(uid, &None)), ..DeleteParams::default() };
            let params = EvictParams { delete_options: Some(delete), post_options: post };
            Request::new(path).evict(&at.name, &params)
        }
    };
    let request = request.map_err(|error| not_sent(error.to_string()))?;
    match send(client, request, tried).await {
        // It is gone, which is what was wanted; the uid says that no other one was meant.
        Err(ChangeError::Refused { message, .. })
            if matches!(change, ObjectChange::Delete { .. } | ObjectChange::Evict { .. })
                && message.ends_with("(404)") =>
        {
            Ok(json!({}))
        }
        // A budget allows no disruption now; nothing was changed. Any other 429 is of a server that has too much to do.
        Err(ChangeError::NotSent { problem, .. })
            if matches!(change, ObjectChange::Evict { .. })
                && problem.ends_with("(429)")
                && problem.contains("disruption budget") =>
        {
            Err(ChangeError::Refused { message: problem, conflict: false })
        }
        answered => answered,
    }
}
