//! Roles and bindings as text that `kubectl apply` takes, the same for the same policies. Comments say who needs what.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use paramedic_policies::action::Mode;

use super::{Needers, Right, Verb};

/// Comments are broken before this column.
const COLUMNS_MAX: usize = 116;

/// The service account that gets the rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its namespace.
    pub namespace: String,
    /// Its name, which the roles get too.
    pub name: String,
}

/// One rule of a role.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Rule {
    group: String,
    resources: BTreeSet<String>,
    names: BTreeSet<String>,
    verbs: BTreeSet<Verb>,
    needers: Needers,
}

/// The roles: a ClusterRole for what no policy narrows to a namespace, a Role for each namespace that one names.
pub fn manifest(rights: &BTreeMap<Right, Needers>, mode: Mode, account: &Account) -> String {
    let mut text = head(rights, mode);
    let mut scopes: BTreeMap<Option<&str>, Vec<(&Right, &Needers)>> = BTreeMap::new();
    for (right, needers) in rights {
        scopes.entry(right.namespace.as_deref()).or_default().push((right, needers));
    }
    for (index, (namespace, rights)) in scopes.into_iter().enumerate() {
        if index > 0 {
            text.push_str("---\n");
        }
        text.push_str(&role(namespace, &rules(&rights), account));
    }
    text
}

fn head(rights: &BTreeMap<Right, Needers>, mode: Mode) -> String {
    let policies: BTreeSet<&String> = rights.values().flat_map(Needers::keys).collect();
    let policies = match policies.len() {
        0 => return "# These policies need nothing of the API server.\n".to_owned(),
        1 => "1 policy".to_owned(),
        many => format!("{many} policies"),
    };
    let mut text = format!(
        "# What paramedic must be allowed for {policies} in mode {mode}, and nothing more. Made by `paramedic rbac`:\n\
         # make it again when the policies change. Who it is, what it may do and which resources there are, every\n\
         # account may ask already (system:basic-user, system:discovery).\n"
    );
    if mode == Mode::DryRun {
        text.push_str(
            "# Nothing is changed in dry-run: create and patch serve the API server's own dry run alone. Without them\n\
             # the differences are computed, and say so.\n",
        );
    }
    text
}

/// The fewest rules that give these rights to nobody else than who needs them, and say so.
fn rules(rights: &[(&Right, &Needers)]) -> Vec<Rule> {
    let mut by_object: BTreeMap<(&str, &str, Option<&str>), BTreeMap<&Needers, BTreeSet<Verb>>> =
        BTreeMap::new();
    for (right, needers) in rights {
        let object = (right.group.as_str(), right.resource.as_str(), right.name.as_deref());
        by_object.entry(object).or_default().entry(needers).or_default().insert(right.verb);
    }
    type Key<'a> = (&'a str, BTreeSet<Verb>, &'a Needers);
    let mut names: BTreeMap<(Key<'_>, &str), BTreeSet<String>> = BTreeMap::new();
    for ((group, resource, name), by_needers) in by_object {
        for (needers, verbs) in by_needers {
            let key = ((group, verbs, needers), resource);
            names.entry(key).or_default().insert(name.unwrap_or_default().to_owned());
        }
    }
    let mut merged: BTreeMap<(Key<'_>, BTreeSet<String>), BTreeSet<String>> = BTreeMap::new();
    for ((key, resource), all) in names {
        // A rule for all objects and one for single names stay apart.
        let (unnamed, named): (BTreeSet<String>, BTreeSet<String>) =
            all.into_iter().partition(String::is_empty);
        for names in [(!unnamed.is_empty()).then(BTreeSet::new), (!named.is_empty()).then_some(named)] {
            let Some(names) = names else { continue };
            merged.entry((key.clone(), names)).or_default().insert(resource.to_owned());
        }
    }
    let mut rules: Vec<Rule> = merged
        .into_iter()
        .map(|(((group, verbs, needers), names), resources)| Rule {
            group: group.to_owned(),
            resources,
            names,
            verbs,
            needers: needers.clone(),
        })
        .collect();
    rules.sort();
    rules
}

fn role(namespace: Option<&str>, rules: &[Rule], account: &Account) -> String {
    let Account { namespace: home, name } = account;
    let kind = if namespace.is_some() { "Role" } else { "ClusterRole" };
    let place =
        namespace.map(|namespace| format!("  namespace: {}\n", scalar(namespace))).unwrap_or_default();
    let metadata = format!(
        "metadata:\n  name: {}\n{place}  labels: {{app.kubernetes.io/name: paramedic}}\n",
        scalar(name)
    );
    let mut text = format!("apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\n{metadata}rules:\n");
    for rule in rules {
        text.push_str(&comment(&rule.needers));
        text.push_str(&rule_text(rule, "  "));
    }
    text + &format!(
        "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}Binding\n{metadata}roleRef:\n  \
         apiGroup: rbac.authorization.k8s.io\n  kind: {kind}\n  name: {0}\nsubjects:\n  - kind: ServiceAccount\n    \
         name: {0}\n    namespace: {1}\n",
        scalar(name),
        scalar(home),
    )
}

fn rule_text(rule: &Rule, indent: &str) -> String {
    let Rule { group, resources, names, verbs, needers: _ } = rule;
    let list = |items: &mut dyn Iterator<Item = &str>| items.map(scalar).collect::<Vec<_>>().join(", ");
    let mut text = format!("{indent}- apiGroups: [{}]\n", scalar(group));
    let mut line = |key: &str, items: String| {
        text += &format!("{indent}  {key}: [{items}]\n");
    };
    line("resources", list(&mut resources.iter().map(String::as_str)));
    if !names.is_empty() {
        line("resourceNames", list(&mut names.iter().map(String::as_str)));
    }
    line("verbs", list(&mut verbs.iter().map(|verb| verb.name())));
    text
}

impl Right {
    /// The rule that gives it, for people who have a role to add it to.
    pub fn rule(&self) -> String {
        let Self { namespace: _, group, resource, name, verb } = self;
        let rule = Rule {
            group: group.clone(),
            resources: [resource.clone()].into(),
            names: name.iter().cloned().collect(),
            verbs: [*verb].into(),
            needers: Needers::new(),
        };
        let lines: Vec<String> =
            rule_text(&rule, "").lines().map(|line| line.trim_start_matches("- ").trim().into()).collect();
        format!("{{{}}}", lines.join(", "))
    }
}

/// `# web-errors (restart, scale), ...`, in as many lines as it takes.
fn comment(needers: &Needers) -> String {
    let mut text = String::new();
    let mut line = String::new();
    let mut all = needers.iter().peekable();
    while let Some((policy, levers)) = all.next() {
        let levers = levers.iter().copied().collect::<Vec<_>>().join(", ");
        let end = if all.peek().is_some() { "," } else { "" };
        let one = format!("{policy} ({levers}){end}");
        if !line.is_empty() && line.chars().count() + one.chars().count() + 5 > COLUMNS_MAX {
            writeln!(text, "  #{line}").expect("a string takes all");
            line.clear();
        }
        write!(line, " {one}").expect("a string takes all");
    }
    writeln!(text, "  #{line}").expect("a string takes all");
    text
}

/// A text as YAML takes it for a text.
fn scalar(text: &str) -> String {
    let is_plain = text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-./".contains(&byte))
        && !["true", "false", "yes", "no", "on", "off", "null", "y", "n"].contains(&text);
    if is_plain { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}
