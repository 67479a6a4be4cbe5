//! Freeze deploys in a few namespaces for a while: new pod templates are refused, scaling is not. A freeze always ends:
//! it is thawed, and where nobody lives to thaw it, it opens by itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Acts, Asks};
use crate::lasting::{Lasting, LastingDocument};
use crate::load::fields::{Fields, Walk};
use crate::load::values::May;
use crate::load::yaml::{Node, Tree, printable};
use crate::policy::rendered;
use crate::reason::Reason;
use crate::target::is_dns_label;
use crate::template::{Scope, Template};
use crate::time::Span;

use reach::{ArgoCdDocument, Declared, FluxDocument, Reached};

pub mod reach;

/// No freeze is longer. Whoever needs more has a process, not an incident.
pub const FREEZE_MAX: Span = Span::from_hours(24 * 7);

/// A shorter one is over before anybody has noticed it.
const FREEZE_MIN: Span = Span::from_mins(1);

const BOUNDS: std::ops::RangeInclusive<Span> = FREEZE_MIN..=FREEZE_MAX;

/// No freeze covers more namespaces; a wider one is the work of a person.
const NAMESPACES_MAX: usize = 16;

/// A reason stands in every refusal that a colleague reads.
const REASON_CHARS_MAX: usize = 200;

/// The group whose members deploy all the same, where the policy names none.
pub const BREAK_GLASS: &str = "paramedic:break-glass";

/// Refuse new pod templates of Deployments, StatefulSets, DaemonSets, CronJobs and Argo Rollouts, and new ones of these, by
/// an admission policy of the API server. Scaling, autoscalers and paramedic itself go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FreezeDeploysDocument {
    /// How long, from 1m to 7d, or a template of it. Then it opens, whether paramedic lives or not.
    pub r#for: LastingDocument,
    /// Templates of the namespaces to freeze, or one template of a list with commas; the target's own must be among them.
    /// Default the target's alone.
    pub namespaces: Option<NamespacesDocument>,
    /// Template of what refused colleagues are told. Default the policy's name.
    pub reason: Option<String>,
    /// The group whose members deploy all the same. Default `paramedic:break-glass`.
    pub break_glass: Option<String>,
    /// Projects of Argo CD that sync nothing into these namespaces meanwhile.
    pub argo_cd: Option<Vec<ArgoCdDocument>>,
    /// Kustomizations and HelmReleases of Flux that are suspended meanwhile.
    pub flux: Option<Vec<FluxDocument>>,
}

/// Namespaces, one by one or as one text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum NamespacesDocument {
    /// A template of one each.
    Each(Vec<String>),
    /// A template of several with commas between them, such as `{{ labels.namespaces }}`.
    Joined(String),
}

/// Which namespaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Namespaces {
    /// One each; none means the target's.
    Each(Vec<Template>),
    /// Several, with commas between them.
    Joined(Template),
}

/// What to freeze, for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// How long.
    pub lasts: Lasting,
    /// Which namespaces.
    pub namespaces: Namespaces,
    /// What colleagues are told.
    pub reason: Option<Template>,
    /// The group that is let through.
    pub break_glass: String,
    /// What else is kept from deploying.
    pub reach: Vec<Declared>,
}

/// What to freeze, for how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wish {
    /// Which namespaces, sorted; the target's is among them.
    pub namespaces: Vec<String>,
    /// How long.
    #[serde(rename = "for")]
    pub lasts: Span,
    /// What colleagues are told; the policy's name where nothing is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The group that is let through.
    pub break_glass: String,
    /// What else is kept from deploying, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reach: Vec<Reached>,
}

/// A freeze, or its end. It begins with its intent: an intent of 09:00 for 2h freezes until 11:00, whenever it is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Refuse deploys.
    Freeze(Freeze),
    /// Remove what that freeze made.
    Thaw(Freeze),
}

/// All that a freeze is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Freeze {
    /// What was asked for.
    #[serde(flatten)]
    pub wish: Wish,
    /// The user that we are to the API server, who is let through.
    pub exempt: String,
    /// Every namespace that it reaches, where it reaches more than those it freezes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub touches: Vec<String>,
}

impl Freeze {
    /// A freeze by this user.
    pub fn new(wish: Wish, exempt: String) -> Self {
        let mut touches = Vec::new();
        if !wish.reach.is_empty() {
            touches.extend(wish.namespaces.iter().cloned());
            touches.extend(wish.reach.iter().map(|one| one.namespace.clone()));
            touches.sort();
            touches.dedup();
        }
        Self { wish, exempt, touches }
    }
}

impl Asks for Written {
    type Wish = Wish;

    const PROVES_ITSELF: bool = true;

    const SPARES_WORKLOADS: bool = true;

    fn read(walk: &mut Walk, tree: &Tree) -> Option<Self> {
        let mut fields = Fields::open(walk, tree, "freezeDeploys", "FreezeDeploysDocument")?;
        let lasts =
            fields.need(walk, "for", "how long, such as for: 2h").and_then(|tree| walk.lasting(tree, "for"));
        let namespaces = fields.or(walk, "namespaces", Namespaces::Each(Vec::new()), namespaces);
        let reason = fields.maybe(walk, "reason", |walk, tree, what| {
            let template = walk.template(tree, what, May::NameAll)?;
            if template.is_literal()
                && let Err(problem) = one_line(&template.source)
            {
                walk.error(
                    tree.at,
                    format!("`{what}` {problem}"),
                    "one short line for those who are refused",
                );
                return None;
            }
            Some(template)
        });
        let break_glass = fields.or(walk, "breakGlass", BREAK_GLASS.to_owned(), |walk, tree, what| {
            walk.text(tree, what).map(str::to_owned)
        });
        let argo_cd = fields.or(walk, "argoCd", Vec::new(), reach::argo_cd);
        let flux = fields.or(walk, "flux", Vec::new(), reach::flux);
        fields.close(walk);
        let (lasts, at) = lasts?;
        if let Some(lasts) = lasts.fixed().filter(|lasts| !BOUNDS.contains(lasts)) {
            let message = format!("`for`: {lasts} is no length of a freeze");
            walk.error(at, message, format!("from {FREEZE_MIN} to {FREEZE_MAX}"));
            return None;
        }
        let reach = argo_cd?.into_iter().chain(flux?).collect();
        Some(Self { lasts, namespaces: namespaces?, reason: reason?, break_glass: break_glass?, reach })
    }

    fn document(&self) -> Value {
        let mut body = json!({"for": self.lasts.document(), "breakGlass": self.break_glass});
        match &self.namespaces {
            Namespaces::Each(names) if names.is_empty() => {}
            Namespaces::Each(names) => {
                body["namespaces"] = names.iter().map(|name| json!(name.source)).collect();
            }
            Namespaces::Joined(names) => body["namespaces"] = json!(names.source),
        }
        if let Some(reason) = &self.reason {
            body["reason"] = json!(reason.source);
        }
        reach::documents(&self.reach, &mut body);
        body
    }

    fn templates(&self) -> Vec<&Template> {
        let reached = self.reach.iter().flat_map(|one| [&one.namespace, &one.name]);
        let names = match &self.namespaces {
            Namespaces::Each(names) => names.as_slice(),
            Namespaces::Joined(names) => std::slice::from_ref(names),
        };
        names.iter().chain(&self.reason).chain(self.lasts.template()).chain(reached).collect()
    }

    fn misfit(&self, kind: &str) -> Option<&'static str> {
        let fits = ["Deployment", "StatefulSet", "DaemonSet", "Namespace", "workload"].contains(&kind);
        (!fits).then_some("a Deployment, StatefulSet, DaemonSet or Namespace, on which the freeze is proven")
    }

    fn is_revertible(&self) -> bool {
        true
    }

    fn lasts(&self) -> Option<Span> {
        self.lasts.fixed()
    }

    fn lasts_by_itself(&self) -> bool {
        true
    }

    fn wish(&self, scope: &Scope<'_>) -> Result<Wish, Reason> {
        let bad = |problem: String| Reason::BadValue { what: "namespaces".into(), problem };
        let home = scope.target.ok_or_else(|| bad("the target is not known".into()))?.namespace.clone();
        let label =
            |text: &str| if is_dns_label(text) { Ok(()) } else { Err("is not a namespace".to_owned()) };
        let mut namespaces = match &self.namespaces {
            Namespaces::Each(names) => {
                let named = names.iter().map(|name| rendered(name, scope, "namespaces", label));
                named.collect::<Result<Vec<String>, Reason>>()?
            }
            Namespaces::Joined(names) => {
                let split =
                    |text: &str| text.split(',').map(|name| name.trim().to_owned()).collect::<Vec<_>>();
                let all = |text: &str| match split(text) {
                    names if names.len() > NAMESPACES_MAX => Err(format!("names more than {NAMESPACES_MAX}")),
                    names => names.iter().try_for_each(|name| label(name)),
                };
                split(&rendered(names, scope, "namespaces", all)?)
            }
        };
        if namespaces.is_empty() {
            namespaces.push(home.clone());
        }
        namespaces.sort();
        namespaces.dedup();
        if !namespaces.contains(&home) {
            let problem =
                format!("the target's namespace `{home}` is not among them, so nothing could be proven");
            return Err(bad(problem));
        }
        let reason = self.reason.as_ref().map(|reason| rendered(reason, scope, "reason", one_line));
        Ok(Wish {
            namespaces,
            lasts: self.lasts.rendered(scope, "for", &BOUNDS)?,
            reason: reason.transpose()?,
            break_glass: self.break_glass.clone(),
            reach: reach::wish(&self.reach, scope)?,
        })
    }
}

/// The templates of namespaces; where one is literal it must be a namespace already.
fn namespaces(walk: &mut Walk, tree: &Tree, what: &str) -> Option<Namespaces> {
    if let Node::Text(text) = &tree.node
        && text.contains("{{")
    {
        return walk.template(tree, what, May::NameAll).map(Namespaces::Joined);
    }
    let read = walk.each(tree, what, |walk, tree, what| {
        let template = walk.template(tree, what, May::NameAll)?;
        if template.is_literal() && !is_dns_label(&template.source) {
            let message = format!("`{what}`: `{}` is not a namespace", printable(&template.source));
            let hint = "lower-case letters, digits and `-`; or a template such as \"{{ target.namespace }}\"";
            walk.error(tree.at, message, hint);
            return None;
        }
        Some(template)
    })?;
    if read.is_empty() || read.len() > NAMESPACES_MAX {
        let message = format!("`{what}` has {} items", read.len());
        walk.error(
            tree.at,
            message,
            format!("from 1 to {NAMESPACES_MAX}, or remove it for the target's own"),
        );
        return None;
    }
    Some(Namespaces::Each(read))
}

fn one_line(text: &str) -> Result<(), String> {
    if text.chars().any(char::is_control) {
        return Err("is more than one line".to_owned());
    }
    if text.chars().nth(REASON_CHARS_MAX).is_some() {
        return Err(format!("is longer than {REASON_CHARS_MAX} characters"));
    }
    Ok(())
}

impl Acts for Action {
    /// The API server lets deploys through from then on.
    fn ends_by_itself(&self) -> bool {
        true
    }

    fn inverse(&self) -> Option<Self> {
        match self {
            Self::Freeze(freeze) => Some(Self::Thaw(freeze.clone())),
            Self::Thaw(_) => None,
        }
    }

    /// Every freeze is made of objects of its own: each is taken back by itself.
    fn after(&self, _: &Self) -> Option<Self> {
        None
    }

    fn spares_replicas(&self) -> Option<&'static str> {
        Some("a freeze takes no replica away")
    }

    fn namespaces(&self) -> &[String] {
        match self {
            Self::Freeze(freeze) | Self::Thaw(freeze) if freeze.touches.is_empty() => &freeze.wish.namespaces,
            Self::Freeze(freeze) | Self::Thaw(freeze) => &freeze.touches,
        }
    }

    fn lasts(&self) -> Option<Span> {
        match self {
            Self::Freeze(freeze) => Some(freeze.wish.lasts),
            Self::Thaw(_) => None,
        }
    }
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Freeze(Freeze { wish, .. }) => {
                write!(f, "freeze deploys in {} for {}", wish.namespaces.join(", "), wish.lasts)?;
                reached(wish, f)
            }
            Self::Thaw(Freeze { wish, .. }) => {
                write!(f, "thaw deploys in {}", wish.namespaces.join(", "))?;
                reached(wish, f)
            }
        }
    }
}

fn reached(wish: &Wish, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
    wish.reach.iter().try_for_each(|one| write!(f, ", {one}"))
}
