//! One call and one look: how they are written, and what they come to for an alert. A rendered path is encoded; nothing
//! of it is encoded again later.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::body::{self, Part};
use crate::load::fields::{Fields, Walk};
use crate::load::values::May;
use crate::load::yaml::{Node, Tree};
use crate::policy::rendered;
use crate::reason::Reason;
use crate::template::{Scope, Template};
use crate::url;

/// The statuses that mean done, where nothing is written.
const EXPECT: [u16; 4] = [200, 201, 202, 204];

/// No path may be longer with its query; servers refuse more.
const PATH_BYTES_MAX: usize = 2048;

/// What a call may be. A GET is a look and changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// `POST`.
    #[default]
    Post,
    /// `PUT`.
    Put,
    /// `PATCH`.
    Patch,
    /// `DELETE`.
    Delete,
}

const METHODS: [(&str, Method); 4] =
    [("POST", Method::Post), ("PUT", Method::Put), ("PATCH", Method::Patch), ("DELETE", Method::Delete)];

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        })
    }
}

/// A call, rendered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// How.
    pub method: Method,
    /// The path behind the endpoint's URL with its query, encoded.
    pub path: String,
    /// JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// The statuses that mean done.
    pub expect: Vec<u16>,
    /// The statuses that mean it was so already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub already: Vec<u16>,
}

/// A look, rendered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Look {
    /// The path behind the endpoint's URL with its query, encoded.
    pub path: String,
    /// The status that shows it.
    pub status: u16,
    /// JSON pointer of a value, and what that must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<(String, Value)>,
    /// What it shows that there is nothing (404, 410), where the policy says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent: Option<Absent>,
}

/// What the absence of what is looked at shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Absent {
    /// That it is done: what is done is gone.
    Done,
    /// That it is not done: it would be there.
    NotDone,
}

const ABSENCES: [(&str, Absent); 2] = [("done", Absent::Done), ("notDone", Absent::NotDone)];

/// A path with query parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
struct WrittenPath {
    path: Template,
    query: BTreeMap<String, Template>,
}

/// A call with its templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WrittenCall {
    method: Method,
    at: WrittenPath,
    body: Option<Part>,
    expect: Vec<u16>,
    already: Vec<u16>,
}

/// A look with its templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WrittenLook {
    at: WrittenPath,
    status: u16,
    field: Option<(String, Part)>,
    absent: Option<Absent>,
}

impl WrittenPath {
    fn read(walk: &mut Walk, fields: &mut Fields<'_>) -> Option<Self> {
        let path = fields.need(walk, "path", "such as /queues/{{ labels.queue }}/pause").and_then(|tree| {
            let template = walk.template(tree, "path", May::NameAll)?;
            if let Err(problem) = url::check_path(&template) {
                walk.error(tree.at, format!("`path`: {problem}"), "such as /queues/{{ labels.queue }}/pause");
                return None;
            }
            Some(template)
        });
        let query = fields.or(walk, "query", BTreeMap::new(), |walk, tree, what| {
            let pairs = walk.pairs(tree, what)?;
            let read = pairs.iter().map(|entry| {
                let name = format!("{what}.{}", entry.key);
                if entry.key.contains("{{") {
                    walk.error(
                        entry.key_at,
                        format!("`{name}` is no name of a parameter"),
                        "only values are templates",
                    );
                    return None;
                }
                Some((entry.key.clone(), walk.template(&entry.value, &name, May::NameAll)?))
            });
            read.collect::<Vec<_>>().into_iter().collect()
        });
        Some(Self { path: path?, query: query? })
    }

    fn write(&self, document: &mut Value) {
        document["path"] = json!(self.path.source);
        if !self.query.is_empty() {
            document["query"] =
                self.query.iter().map(|(name, value)| (name.clone(), json!(value.source))).collect();
        }
    }

    fn templates(&self) -> impl Iterator<Item = &Template> {
        std::iter::once(&self.path).chain(self.query.values())
    }

    fn rendered(&self, scope: &Scope<'_>) -> Result<String, Reason> {
        let mut path = url::rendered_path(&self.path, scope)?;
        for (index, (name, value)) in self.query.iter().enumerate() {
            let value = rendered(value, scope, &format!("query.{name}"), |_| Ok(()))?;
            path.push(if index == 0 { '?' } else { '&' });
            path.push_str(&format!("{}={}", url::encode(name), url::encode(&value)));
        }
        if path.len() > PATH_BYTES_MAX {
            let problem = format!("has {} bytes with its query, {PATH_BYTES_MAX} are allowed", path.len());
            return Err(Reason::BadValue { what: "path".to_owned(), problem });
        }
        Ok(path)
    }
}

impl WrittenCall {
    pub(super) fn read(walk: &mut Walk, fields: &mut Fields<'_>) -> Option<Self> {
        let method = fields
            .or(walk, "method", Method::default(), |walk, tree, what| walk.choice(tree, what, &METHODS));
        let at = WrittenPath::read(walk, fields);
        let numbers = fields.or(walk, "numbers", Vec::new(), |walk, tree, what| {
            walk.each(tree, what, |walk, tree, what| Some((walk.text(tree, what)?.to_owned(), tree.at)))
        });
        let body = fields.get("body").map(|tree| Part::read(walk, tree, "body"));
        let expect = fields.or(walk, "expect", EXPECT.to_vec(), |walk, tree, what| {
            let statuses = walk.each(tree, what, status)?;
            if statuses.is_empty() {
                walk.error(tree.at, format!("`{what}` is empty"), "such as [200, 204]");
                return None;
            }
            Some(statuses)
        });
        let already =
            fields.or(walk, "already", Vec::new(), |walk, tree, what| walk.each(tree, what, status));
        let mut body = match body {
            Some(read) => Some(read?),
            None => None,
        };
        for (pointer, place) in numbers? {
            if !body.as_mut().is_some_and(|body| body.make_number(&pointer)) {
                let message = format!("`numbers`: `{}` is no text in `body`", pointer.escape_debug());
                walk.error(place, message, "a JSON pointer to a template in it, such as /message/count");
                return None;
            }
        }
        Some(Self { method: method?, at: at?, body, expect: expect?, already: already? })
    }

    pub(super) fn document(&self) -> Value {
        let mut document = json!({"method": self.method, "expect": self.expect});
        self.at.write(&mut document);
        if let Some(body) = &self.body {
            document["body"] = body.document();
            let numbers = body.numbers();
            if !numbers.is_empty() {
                document["numbers"] = json!(numbers);
            }
        }
        if !self.already.is_empty() {
            document["already"] = json!(self.already);
        }
        document
    }

    pub(super) fn templates(&self) -> Vec<&Template> {
        self.at.templates().chain(self.body.iter().flat_map(Part::templates)).collect()
    }

    pub(super) fn rendered(&self, scope: &Scope<'_>) -> Result<Call, Reason> {
        Ok(Call {
            method: self.method,
            path: self.at.rendered(scope)?,
            body: self.body.as_ref().map(|body| body::rendered(body, scope)).transpose()?,
            expect: self.expect.clone(),
            already: self.already.clone(),
        })
    }
}

impl WrittenLook {
    pub(super) fn read(walk: &mut Walk, tree: &Tree, what: &str) -> Option<Self> {
        let mut fields = Fields::open(walk, tree, what, "HttpLookDocument")?;
        let at = WrittenPath::read(walk, &mut fields);
        let status = fields.or(walk, "status", 200, status);
        let field = fields.maybe(walk, "field", |walk, tree, what| {
            let text = walk.text(tree, what)?;
            if !text.starts_with('/') {
                walk.error(tree.at, format!("`{what}` is not a JSON pointer"), "such as /state");
                return None;
            }
            Some(text.to_owned())
        });
        let is = fields.maybe(walk, "is", |walk, tree, what| match tree.node {
            Node::List(_) | Node::Map(_) => {
                let message = format!("`{what}` must be text, a number or a flag, found {}", tree.describe());
                walk.error(tree.at, message, "write one value here");
                None
            }
            Node::Null | Node::Bool(_) | Node::Number(..) | Node::Text(_) => Part::read(walk, tree, what),
        });
        let absent = fields.maybe(walk, "absent", |walk, tree, what| walk.choice(tree, what, &ABSENCES));
        let place = fields.at;
        fields.close(walk);
        let field = match (field?, is?) {
            (Some(field), Some(is)) => Some((field, is)),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                let message = format!("`{what}` needs both `field` and `is`, or neither");
                walk.error(place, message, "such as {path: ..., field: /state, is: dead}");
                return None;
            }
        };
        Some(Self { at: at?, status: status?, field, absent: absent? })
    }

    pub(super) fn document(&self) -> Value {
        let mut document = json!({"status": self.status});
        self.at.write(&mut document);
        if let Some((field, is)) = &self.field {
            document["field"] = json!(field);
            document["is"] = is.document();
        }
        if let Some(absent) = self.absent {
            document["absent"] = json!(absent);
        }
        document
    }

    pub(super) fn templates(&self) -> impl Iterator<Item = &Template> {
        self.at.templates().chain(self.field.iter().flat_map(|(_, is)| is.templates()))
    }

    pub(super) fn rendered(&self, scope: &Scope<'_>) -> Result<Look, Reason> {
        let field = match &self.field {
            Some((field, is)) => Some((field.clone(), body::rendered(is, scope)?)),
            None => None,
        };
        Ok(Look { path: self.at.rendered(scope)?, status: self.status, field, absent: self.absent })
    }
}

fn status(walk: &mut Walk, tree: &Tree, what: &str) -> Option<u16> {
    walk.count(tree, what, 200, 599).and_then(|status| u16::try_from(status).ok())
}
