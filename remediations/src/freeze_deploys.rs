//! Freezes deploys, and thaws them. A freeze is two objects of the API server (`admission`), made in an order in which
//! half of it refuses nothing, and is done only when the server was seen to refuse: a dry run of a new pod template, by
//! ourselves, who are let through in all else. What a policy names of Argo CD and Flux is kept from deploying too (`reach`).
//! Never changes a workload, and never removes what another intent made.

use async_trait::async_trait;
use paramedic_policies::action::{self, Change, Diff, DiffSource, Intent, Outcome};
use paramedic_policies::answer::Preflight;
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::freeze_deploys::{Action, Freeze, Namespaces, Wish, Written};
use paramedic_policies::target::Target;
use paramedic_policies::time::Moment;
use serde_json::Value;

use crate::checks::{self, Checks, Seen};
use crate::one_change::{self, OneChange as _, Trace};
use crate::ports::cluster::{Cluster, ClusterChange, LookError};
use crate::ports::objects::{DEPLOYMENTS, ObjectChange, Resource};
use crate::remedy::{BothHands, Deed, Eyes, Plans, irrevocable};
use crate::restart::KINDS;
use crate::rights::{Aim, Needs, Rights, Verb, at, everywhere, namespace_of};
use crate::seal::Sealed;
use crate::stamp::{self, MANAGED_BY, UNTIL, annotation};

pub(crate) use admission::{BINDINGS, NAMESPACES, POLICIES};
pub(crate) use reach::left;

use admission::Terms;
use steps::{Doing, Step};

pub(crate) mod admission;
mod proof;
mod reach;
mod steps;

const SPACES: Resource = Resource::of_cluster("", "v1", "namespaces", "Namespace");

/// The kind of target that is frozen without any workload named.
const SPACE: &str = "Namespace";

/// A namespace as a look shows it.
fn seen_of(namespace: &Value) -> Seen {
    let text =
        |pointer: &str| namespace.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let labels = namespace.pointer("/metadata/labels").cloned();
    let labels = labels.and_then(|labels| serde_json::from_value(labels).ok()).unwrap_or_default();
    Seen { uid: text("/metadata/uid"), labels, ..Seen::default() }
}

impl Needs for Written {
    fn needs(&self, aim: &Aim<'_>, rights: &mut Rights) {
        let space = aim.only(&[SPACE]);
        let aim = aim.only(&KINDS);
        if aim.kinds().next().is_some() {
            rights.workload(&aim);
        }
        for frozen in self.frozen(&aim) {
            rights.look(&[Verb::Get], &namespace_of(frozen));
        }
        if space.kinds().next().is_some() {
            self.needs_of_space(&space, rights);
        }
        let (policies, bindings) = (everywhere(POLICIES), everywhere(BINDINGS));
        rights.look(&[Verb::Get, Verb::List], &policies);
        rights.look(&[Verb::Get], &bindings);
        for objects in [policies, bindings] {
            rights.change(&[Verb::Create], &objects);
            rights.act(&[Verb::Delete], &objects);
        }
        for declared in &self.reach {
            let (namespace, name) = (aim.constant(&declared.namespace), aim.constant(&declared.name));
            let reached = at(reach::resource(declared.gate), namespace, name);
            rights.look(&[Verb::Get], &reached);
            rights.change(&[Verb::Patch], &reached);
        }
        // The proof: a dry run of a new pod template.
        for target in aim.targets() {
            rights.act(&[Verb::Patch], &target);
        }
    }
}

/// The parts of [`Needs`].
trait Parts {
    /// The namespaces beside the target's own, as far as they are the same for every alert.
    fn frozen(&self, aim: &Aim<'_>) -> Vec<Option<String>>;

    /// What a namespace as the target needs: whatever runs there is the proof, or something new where nothing does.
    fn needs_of_space(&self, aim: &Aim<'_>, rights: &mut Rights);
}

impl Parts for Written {
    fn frozen(&self, aim: &Aim<'_>) -> Vec<Option<String>> {
        match &self.namespaces {
            Namespaces::Each(names) => names.iter().map(|name| aim.constant(name)).collect(),
            Namespaces::Joined(names) => match aim.constant(names) {
                None => vec![None],
                Some(names) => names.split(',').map(|name| Some(name.trim().to_owned())).collect(),
            },
        }
    }

    fn needs_of_space(&self, aim: &Aim<'_>, rights: &mut Rights) {
        let home = aim.name().map(str::to_owned);
        rights.look(&[Verb::Get], &namespace_of(home.clone()));
        rights.act(&[Verb::Create], &at(DEPLOYMENTS, home.clone(), None));
        let mut all = self.frozen(aim);
        all.push(home);
        for namespace in all {
            for resource in proof::WORKLOADS {
                rights.act(&[Verb::List, Verb::Patch], &at(resource, namespace.clone(), None));
            }
        }
    }
}

#[async_trait]
impl Plans for Wish {
    async fn preflight(&self, eyes: Eyes<'_>, target: &Target, diff: bool) -> Result<Preflight, LookError> {
        let (cluster, now) = (eyes.cluster()?, eyes.now());
        let mut checks = Checks::default();
        let mut seen = match target.kind.as_str() {
            SPACE => {
                let found = cluster.get(&SPACES.named("", &target.name)).await?;
                let what = || LookError::Absent { what: format!("namespace {}", target.name) };
                let found = found.ok_or_else(what)?;
                checks.note(pause(&target.name, Some(&found), now));
                seen_of(&found)
            }
            kind if KINDS.contains(&kind) => {
                let workload = cluster.look(target).await?;
                checks::pauses(&workload, now, &mut checks);
                Seen { uid: workload.uid, labels: workload.labels, ..Seen::default() }
            }
            kind => {
                let wanted = format!("{}, {SPACE}", KINDS.join(", "));
                checks.refuse(Reason::WrongKind { kind: kind.to_owned(), wanted });
                return Ok(checks.into_preflight(Seen::default(), None, false));
            }
        };
        let exempt = match cluster.username().await {
            Err(LookError::Absent { what }) => {
                checks.refuse(Reason::TargetAbsent { what });
                String::new()
            }
            found => found?,
        };
        for namespace in &self.namespaces {
            checks.note(protected(namespace, &exempt));
            if *namespace != target.namespace {
                checks.note(space(cluster, namespace, now).await?);
            }
        }
        let freeze = Freeze::new(self.clone(), exempt);
        let reached = reach::look(cluster, &self.reach).await?;
        for (one, object) in &reached {
            reach::obstacles(one, object.as_ref(), now, &mut checks);
        }
        let mut already = false;
        match ours(cluster).await {
            Err(LookError::Absent { what }) => {
                checks.refuse(Reason::TargetAbsent { what: format!("{what} (Kubernetes 1.30 or newer)") });
            }
            found => {
                checks.pass("the API server serves ValidatingAdmissionPolicies");
                checks.pass("Jobs, bare pods and workloads that Kubernetes and Argo Rollouts do not know are not frozen");
                let wanted = now + self.lasts;
                let is_shut = |(one, object): &(_, Option<Value>)| {
                    let object = object.as_ref();
                    object.is_some_and(|object| {
                        reach::holds(one, object, wanted) || reach::is_shut_by_others(one, object)
                    })
                };
                already =
                    frozen(cluster, &found?, &freeze, now, &mut checks).await? && reached.iter().all(is_shut);
            }
        }
        if diff && checks.is_clear() && !already {
            let terms = Terms {
                freeze: &freeze,
                stamp: "preview".into(),
                until: now + self.lasts,
                reason: self.reason.clone().unwrap_or_default(),
                correlation: None,
            };
            let also = reached.iter().filter_map(|(one, object)| {
                let object = object.as_ref().filter(|object| !reach::is_shut_by_others(one, object))?;
                Some(reach::shut(one, object, &freeze, "preview", now))
            });
            let changes = terms.objects().into_iter().chain(also).collect();
            seen.diff = previewed(cluster, changes, &mut checks).await;
        }
        let action = action::Action::FreezeDeploys(Action::Freeze(freeze));
        Ok(checks.into_preflight(seen, (!already).then_some(action), already))
    }
}

#[async_trait]
impl Deed for Action {
    async fn preflight_of_revert(&self, eyes: Eyes<'_>, _: &Target, _: bool) -> Result<Preflight, LookError> {
        let Self::Freeze(freeze) = self else { return Ok(irrevocable("thaw")) };
        let cluster = eyes.cluster()?;
        let mut checks = Checks::default();
        for namespace in &freeze.wish.namespaces {
            let found = cluster.get(&SPACES.named("", namespace)).await?;
            checks.note(pause(namespace, found.as_ref(), eyes.now()));
        }
        // Which of them is this intent's own is known by its stamp, once there is a seal.
        let listed = admission::listed(&freeze.wish.namespaces);
        let left = ours(cluster).await?;
        let reached = reach::look(cluster, &freeze.wish.reach).await?;
        let is_marked = |object: &Value| reach::is_marked(object, None);
        let already = !left.iter().any(|policy| annotation(policy, NAMESPACES) == Some(&listed))
            && !reached.iter().filter_map(|(_, object)| object.as_ref()).any(is_marked);
        let thaw = action::Action::FreezeDeploys(Self::Thaw(freeze.clone()));
        Ok(checks.into_preflight(Seen::default(), (!already).then_some(thaw), already))
    }

    async fn rehearse(&self, eyes: Eyes<'_>, seal: &Sealed<Intent>) -> Outcome {
        let all = Sealing { seal, action: self };
        let mut fields = vec![all.in_words()];
        let mut source = DiffSource::ServerDryRun;
        for step in all.steps() {
            match one_change::rehearse(eyes, seal, &step).await {
                Outcome::Done { diff, .. } => {
                    let diff = diff.unwrap_or_else(|| step.diff());
                    fields.extend(diff.fields);
                    source = diff.source;
                }
                other @ (Outcome::Collected { .. }
                | Outcome::Refused { .. }
                | Outcome::Failed { .. }
                | Outcome::Unknown { .. }) => {
                    return other;
                }
            }
        }
        Outcome::Done { diff: Some(Diff { fields, source }), already: false }
    }

    async fn perform(&self, hands: BothHands<'_>, seal: &Sealed<Intent>) -> Outcome {
        match self {
            Self::Freeze(_) => {}
            Self::Thaw(_) => match gone(hands.eyes, &Sealing { seal, action: self }).await {
                Ok(true) => return Outcome::Done { diff: None, already: true },
                Ok(false) => {}
                Err(error) => return one_change::unseen(error),
            },
        }
        let all = Sealing { seal, action: self };
        let mut fields = vec![all.in_words()];
        let mut begun = false;
        for step in &all.steps() {
            match one_change::carry_out_in_a_crowd(hands, seal, step).await {
                Ok(carried) => {
                    let (diff, made) = carried.told(step);
                    fields.extend(diff.fields);
                    // What others have undone is not ours; what is made bears the stamp of this intent.
                    begun |= made || matches!(self, Self::Freeze(_));
                }
                Err(outcome) if !begun => return outcome,
                Err(outcome) => return half(outcome),
            }
        }
        all.ended(hands.eyes, fields).await
    }

    /// By its objects, which carry its stamp, and by the proof.
    async fn close(&self, eyes: Eyes<'_>, seal: &Sealed<Intent>) -> Outcome {
        let all = Sealing { seal, action: self };
        let mut fields = vec![all.in_words()];
        for (index, step) in all.steps().iter().enumerate() {
            match one_change::closed(eyes, seal, step).await {
                Ok(diff) => fields.extend(diff.fields),
                Err(outcome) if index == 0 => return outcome,
                Err(outcome) => return half(outcome),
            }
        }
        all.ended(eyes, fields).await
    }
}

/// An action as its intent has it.
struct Sealing<'a> {
    seal: &'a Sealed<Intent>,
    action: &'a Action,
}

impl<'a> Sealing<'a> {
    fn freeze(&self) -> &'a Freeze {
        match self.action {
            Action::Freeze(freeze) | Action::Thaw(freeze) => freeze,
        }
    }

    /// Made one after the other, and removed in the opposite order: nothing is refused while one of them is missing.
    fn steps(&self) -> Vec<Step<'a>> {
        let (seal, freeze) = (self.seal, self.freeze());
        let step = |doing| Step { freeze, stamp: stamp::of(seal), doing };
        match self.action {
            Action::Freeze(_) => {
                let terms = Terms {
                    freeze,
                    stamp: seal.stamp().to_owned(),
                    until: seal.at + freeze.wish.lasts,
                    reason: freeze.wish.reason.clone().unwrap_or_else(|| format!("policy {}", seal.policy)),
                    correlation: seal.correlation.clone(),
                };
                let shut = freeze.wish.reach.iter().map(|one| Doing::Shut(one.clone(), seal.at));
                terms.objects().into_iter().map(Doing::Make).chain(shut).map(step).collect()
            }
            Action::Thaw(_) => {
                let open = freeze.wish.reach.iter().rev().map(|one| Doing::Open(one.clone()));
                let addresses = admission::addresses(&stamp::of(seal)).into_iter().rev();
                open.chain(addresses.map(Doing::Remove)).map(step).collect()
            }
        }
    }

    /// What people are told beside the objects.
    fn in_words(&self) -> Change {
        let path = format!("deploys in {}", self.freeze().wish.namespaces.join(", "));
        let open = "let through".to_owned();
        match self.action {
            Action::Freeze(freeze) => {
                let after = format!("refused until {}", self.seal.at + freeze.wish.lasts);
                Change { path, before: open, after }
            }
            Action::Thaw(_) => Change { path, before: "refused".into(), after: open },
        }
    }

    /// After every object is made, or removed.
    async fn ended(&self, eyes: Eyes<'_>, fields: Vec<Change>) -> Outcome {
        let proof = match self.action {
            Action::Freeze(freeze) => proof::proven(eyes, self.seal, &freeze.wish.namespaces).await,
            Action::Thaw(_) => Ok(()),
        };
        match proof {
            Ok(()) => {
                Outcome::Done { diff: Some(Diff { fields, source: DiffSource::Applied }), already: false }
            }
            Err(seen) => Outcome::Failed {
                what: format!(
                    "the freeze was made, and a dry run of a new pod template does not show it: {seen}"
                ),
                applied: true,
                diff: None,
            },
        }
    }
}

/// Every policy that a freeze of ours has made; the label alone is on other things of ours too.
async fn ours(cluster: &dyn Cluster) -> Result<Vec<Value>, LookError> {
    let (label, value) = MANAGED_BY;
    let mut found = cluster.list(POLICIES, "", &format!("{label}={value}")).await?;
    found.retain(|policy| annotation(policy, NAMESPACES).is_some());
    Ok(found)
}

/// Whether a freeze of ours covers all that is wanted for as long as it is wanted. One that ends earlier stays as it is:
/// the new one stands beside it.
async fn frozen(
    cluster: &dyn Cluster,
    policies: &[Value],
    freeze: &Freeze,
    now: Moment,
    checks: &mut Checks,
) -> Result<bool, LookError> {
    let wanted = now + freeze.wish.lasts;
    for policy in policies {
        let covered = annotation(policy, NAMESPACES).unwrap_or_default();
        let covers = |name: &String| covered.split(',').any(|covered| covered == name);
        let until = annotation(policy, UNTIL).and_then(|until| until.parse::<Moment>().ok());
        let name = policy.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        let Some(until) = until.filter(|until| *until > now) else { continue };
        if !freeze.wish.namespaces.iter().all(covers)
            || cluster.get(&BINDINGS.named("", name)).await?.is_none()
        {
            continue;
        }
        if until >= wanted {
            checks.pass(format!("{name} freezes deploys until {until}"));
            return Ok(true);
        }
        checks.pass(format!("{name} freezes deploys until {until}, this one until {wanted}"));
    }
    checks.pass(format!("deploys are not frozen until {wanted} yet"));
    Ok(false)
}

/// Whether nothing is left of the freeze that is meant.
async fn gone(eyes: Eyes<'_>, all: &Sealing<'_>) -> Result<bool, LookError> {
    let cluster = eyes.cluster()?;
    for step in all.steps() {
        if step.trace(&step.look(cluster).await?) != Trace::Made {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn previewed(cluster: &dyn Cluster, changes: Vec<ObjectChange>, checks: &mut Checks) -> Option<Diff> {
    let mut whole: Option<Diff> = None;
    for object in changes {
        let diff = one_change::preview(cluster, &ClusterChange::Object(object), checks).await?;
        match &mut whole {
            Some(whole) => whole.fields.extend(diff.fields),
            None => whole = Some(diff),
        }
    }
    whole
}

/// What is never frozen: the parts of Kubernetes itself, and our own namespace, which must stay repairable.
fn protected(namespace: &str, exempt: &str) -> Result<String, Reason> {
    let home = exempt.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split(':').next());
    if namespace.starts_with("kube-") || home == Some(namespace) {
        return Err(Reason::Protected { rule: format!("namespace {namespace} is never frozen") });
    }
    Ok(format!("namespace {namespace} may be frozen"))
}

/// Whether a namespace is there and nobody has paused it.
async fn space(cluster: &dyn Cluster, name: &str, now: Moment) -> Result<Result<String, Reason>, LookError> {
    Ok(match cluster.get(&SPACES.named("", name)).await? {
        None => Err(Reason::TargetAbsent { what: format!("namespace {name}") }),
        found => pause(name, found.as_ref(), now),
    })
}

fn pause(name: &str, namespace: Option<&Value>, now: Moment) -> Result<String, Reason> {
    let annotations = namespace.and_then(|namespace| namespace.pointer("/metadata/annotations"));
    let annotations = annotations.and_then(|all| serde_json::from_value(all.clone()).ok());
    checks::pause(&format!("namespace {name}"), &annotations.unwrap_or_default(), now)
}

/// An end after the first of several objects: something is there (or gone) that the others belong to.
fn half(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Refused { reasons } => {
            let what = reasons.iter().map(Reason::to_string).collect::<Vec<_>>().join("; ");
            Outcome::Failed { what, applied: true, diff: None }
        }
        Outcome::Failed { what, .. } => Outcome::Failed { what, applied: true, diff: None },
        other @ (Outcome::Done { .. } | Outcome::Collected { .. } | Outcome::Unknown { .. }) => other,
    }
}

#[cfg(test)]
mod tests;
