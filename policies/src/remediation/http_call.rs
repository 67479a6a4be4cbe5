//! Make a declared call to a declared endpoint: a dead-letter queue, a feature flag, anything with an API. The host
//! and every secret stand in the configuration; a policy can choose neither, and a label stays within its path segment,
//! its query value or its JSON value.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

use super::{Acts, Asks};
use crate::endpoint::is_header_name;
use crate::load::fields::{Fields, Walk};
use crate::load::yaml::Tree;
use crate::reason::Reason;
use crate::template::{Scope, Template};
use crate::time::Span;

pub use call::{Absent, Call, Look, Method};
use call::{WrittenCall, WrittenLook};

mod body;
mod call;

/// The header that carries the intent's stamp, where a policy names no other.
pub const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// How long one answer may take, where nothing is written.
const TIMEOUT: Span = Span::from_secs(10);
const TIMEOUT_MIN: Span = Span::from_secs(1);
const TIMEOUT_MAX: Span = Span::from_mins(1);

/// A call to an endpoint that the configuration declares. Redirects are not followed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpDocument {
    /// Its name under `endpoints` in the configuration.
    pub endpoint: String,
    /// `POST` (default), `PUT`, `PATCH` or `DELETE`.
    pub method: Option<Method>,
    /// Template of the path behind the endpoint's URL; every value is encoded and stays one segment.
    pub path: String,
    /// Templates of query parameters.
    pub query: Option<BTreeMap<String, String>>,
    /// JSON; text in it may be a template, whose value is sent as a JSON string.
    pub body: Option<Value>,
    /// JSON pointers of texts in `body` that are sent as numbers.
    pub numbers: Option<Vec<String>>,
    /// The statuses that mean done. Default 200, 201, 202 and 204.
    pub expect: Option<Vec<u16>>,
    /// Further statuses that mean it was so already, such as 409.
    pub already: Option<Vec<u16>>,
    /// Whether the endpoint honours the idempotency key: then a call without an answer is repeated with the same key.
    pub idempotent: Option<bool>,
    /// The header that carries the intent's stamp. Default `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// How long one answer may take, 1s to 1m. Default 10s.
    pub timeout: Option<Span>,
    /// A GET that shows whether it is done: before the call, and where its answer was lost.
    pub look: Option<HttpLookDocument>,
    /// The call that takes it back.
    pub undo: Option<HttpUndoDocument>,
}

/// A GET of the same endpoint that shows whether the call was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpLookDocument {
    /// Template of the path.
    pub path: String,
    /// Templates of query parameters.
    pub query: Option<BTreeMap<String, String>>,
    /// The status that shows it. Default 200.
    pub status: Option<u16>,
    /// JSON pointer of a value in the answer, such as `/state`. Needs `is`.
    pub field: Option<String>,
    /// What that value must be: a template, a number or a flag.
    pub is: Option<Value>,
    /// What a 404 or 410 shows: `done` or `notDone`. Without it, where `field` is given, it shows nothing.
    pub absent: Option<Absent>,
}

/// The call that takes it back, to the same endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpUndoDocument {
    /// `POST` (default), `PUT`, `PATCH` or `DELETE`.
    pub method: Option<Method>,
    /// Template of the path behind the endpoint's URL.
    pub path: String,
    /// Templates of query parameters.
    pub query: Option<BTreeMap<String, String>>,
    /// JSON, as in the call.
    pub body: Option<Value>,
    /// JSON pointers of texts in `body` that are sent as numbers.
    pub numbers: Option<Vec<String>>,
    /// The statuses that mean done. Default 200, 201, 202 and 204.
    pub expect: Option<Vec<u16>>,
    /// Further statuses that mean it was so already.
    pub already: Option<Vec<u16>>,
    /// A GET that shows whether it is taken back.
    pub look: Option<HttpLookDocument>,
}

/// A call with its templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    endpoint: String,
    idempotent: bool,
    idempotency_key: String,
    timeout: Span,
    call: WrittenCall,
    look: Option<WrittenLook>,
    undo: Option<(WrittenCall, Option<WrittenLook>)>,
}

/// A call for this alert, everything rendered and encoded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wish {
    /// To which endpoint.
    pub endpoint: String,
    /// What is sent.
    pub call: Call,
    /// How it is seen that it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look: Option<Look>,
    /// Whether the endpoint honours the key.
    pub idempotent: bool,
    /// The header that carries the stamp.
    pub idempotency_key: String,
    /// How long one answer may take.
    pub timeout: Span,
    /// What takes it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undo>,
}

/// What takes a call back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Undo {
    /// What is sent.
    pub call: Call,
    /// How it is seen that it is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look: Option<Look>,
}

/// Make this call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Action {
    /// The endpoint's URL when it was decided; where it was declared anew since, nothing is sent.
    pub base: String,
    /// What was asked for.
    #[serde(flatten)]
    pub wish: Wish,
}

impl Asks for Written {
    type Wish = Wish;

    fn read(walk: &mut Walk, tree: &Tree) -> Option<Self> {
        let mut fields = Fields::open(walk, tree, "http", "HttpDocument")?;
        let endpoint = fields
            .need(walk, "endpoint", "its name under `endpoints` in the configuration")
            .and_then(|tree| declared(walk, tree));
        let idempotent = fields.or(walk, "idempotent", false, Walk::flag);
        let key = fields.or(walk, "idempotencyKey", IDEMPOTENCY_KEY.to_owned(), |walk, tree, what| {
            let text = walk.text(tree, what)?;
            if !is_header_name(text) {
                walk.error(tree.at, format!("`{what}` is not a header's name"), "such as X-Request-Id");
                return None;
            }
            let set = endpoint.as_ref().and_then(|name| walk.endpoints.get(name));
            let is_taken = set.is_some_and(|headers| headers.contains(&text.to_ascii_lowercase()));
            if is_taken || crate::endpoint::is_reserved(text) {
                let message = format!("`{what}` cannot be the header {text}, which is set for other ends");
                walk.error(tree.at, message, "a header of its own, such as X-Request-Id");
                return None;
            }
            Some(text.to_owned())
        });
        let timeout = fields.or(walk, "timeout", TIMEOUT, |walk, tree, what| {
            let span = walk.span(tree, what)?;
            if !(TIMEOUT_MIN..=TIMEOUT_MAX).contains(&span) {
                let hint = format!("from {TIMEOUT_MIN} to {TIMEOUT_MAX}");
                walk.error(tree.at, format!("`{what}`: {span} is no time for an answer"), hint);
                return None;
            }
            Some(span)
        });
        let call = WrittenCall::read(walk, &mut fields);
        let look = fields.maybe(walk, "look", WrittenLook::read);
        let undo = fields.maybe(walk, "undo", |walk, tree, what| {
            let mut fields = Fields::open(walk, tree, what, "HttpUndoDocument")?;
            let call = WrittenCall::read(walk, &mut fields);
            let look = fields.maybe(walk, "look", WrittenLook::read);
            fields.close(walk);
            Some((call?, look?))
        });
        fields.close(walk);
        Some(Self {
            endpoint: endpoint?,
            idempotent: idempotent?,
            idempotency_key: key?,
            timeout: timeout?,
            call: call?,
            look: look?,
            undo: undo?,
        })
    }

    fn document(&self) -> Value {
        let mut document = self.call.document();
        document["endpoint"] = json!(self.endpoint);
        document["idempotent"] = json!(self.idempotent);
        document["idempotencyKey"] = json!(self.idempotency_key);
        document["timeout"] = json!(self.timeout);
        if let Some(look) = &self.look {
            document["look"] = look.document();
        }
        if let Some((call, look)) = &self.undo {
            document["undo"] = call.document();
            if let Some(look) = look {
                document["undo"]["look"] = look.document();
            }
        }
        document
    }

    fn templates(&self) -> Vec<&Template> {
        let mut all = self.call.templates();
        all.extend(self.look.iter().flat_map(WrittenLook::templates));
        if let Some((call, look)) = &self.undo {
            all.extend(call.templates());
            all.extend(look.iter().flat_map(WrittenLook::templates));
        }
        all
    }

    fn misfit(&self, _: &str) -> Option<&'static str> {
        None
    }

    fn is_revertible(&self) -> bool {
        self.undo.is_some()
    }

    fn wish(&self, scope: &Scope<'_>) -> Result<Wish, Reason> {
        let look = |look: &Option<WrittenLook>| look.as_ref().map(|look| look.rendered(scope)).transpose();
        let undo = match &self.undo {
            Some((call, back)) => Some(Undo { call: call.rendered(scope)?, look: look(back)? }),
            None => None,
        };
        Ok(Wish {
            endpoint: self.endpoint.clone(),
            call: self.call.rendered(scope)?,
            look: look(&self.look)?,
            idempotent: self.idempotent,
            idempotency_key: self.idempotency_key.clone(),
            timeout: self.timeout,
            undo,
        })
    }
}

/// The name of an endpoint; one that is not declared is doubtful, since a configuration may follow.
fn declared(walk: &mut Walk, tree: &Tree) -> Option<String> {
    let name = walk.text(tree, "endpoint")?.to_owned();
    if !crate::endpoint::is_name(&name) {
        let hint = "the name of one under `endpoints` in the configuration; a policy cannot choose a host";
        walk.error(tree.at, format!("`endpoint`: `{}` is not a name", name.escape_debug()), hint);
        return None;
    }
    if !walk.endpoints.contains_key(&name) {
        let near = crate::load::nearest::nearest(&name, walk.endpoints.keys().map(String::as_str));
        let hint = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("declare `{name}` under `endpoints` in the configuration"),
        };
        let message = format!("the endpoint `{name}` is not declared: the call will be refused");
        walk.warn(tree.at, message, hint);
    }
    Some(name)
}

impl Acts for Action {
    /// The declared undo, which itself is final.
    fn inverse(&self) -> Option<Self> {
        let Undo { call, look } = self.wish.undo.clone()?;
        Some(Self { base: self.base.clone(), wish: Wish { call, look, undo: None, ..self.wish.clone() } })
    }

    fn after(&self, _: &Self) -> Option<Self> {
        None
    }

    fn spares_replicas(&self) -> Option<&'static str> {
        Some("a call to a declared endpoint takes no replica of the cluster away")
    }

    /// Only where a look is declared.
    fn can_be_seen(&self) -> bool {
        self.wish.look.is_some() || self.wish.undo.as_ref().is_some_and(|undo| undo.look.is_some())
    }
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Wish { endpoint, call, .. } = &self.wish;
        write!(f, "{} {} of endpoint {endpoint}", call.method, call.path)
    }
}
