//! Changes one field of a short list within bounds, keeps the old value on the object itself, and puts it back only
//! while the field still holds ours. Never a field, an annotation or a key that the policy did not name.

use async_trait::async_trait;
use paramedic_policies::action::{self, Change, Diff, DiffSource, Intent, Outcome};
use paramedic_policies::answer::Preflight;
use paramedic_policies::reason::Reason;
use paramedic_policies::remediation::patch::{Action, Edit, Field, Place, Wish, Written};
use paramedic_policies::target::Target;
use paramedic_policies::time::Moment;

use crate::checks::{self, Checks, Seen};
use crate::one_change::{self, OneChange, Trace};
use crate::ownership;
use crate::ports::cluster::{Cluster, ClusterChange, LookError};
use crate::remedy::{BothHands, Deed, Eyes, Plans};
use crate::rights::{Aim, Needs, Rights, Verb, everywhere, within};
use crate::rollout_watch;
use crate::seal::Sealed;

mod fields;
mod looked;
mod plan;
mod swept;

pub(crate) use swept::left;

use fields::{kept, path, same, stamped};
use looked::Looked;
pub(crate) use looked::{resource, texts};

impl Needs for Written {
    fn needs(&self, aim: &Aim<'_>, rights: &mut Rights) {
        for target in aim.targets() {
            rights.look(&[Verb::Get], &target);
            rights.change(&[Verb::Patch], &target);
        }
        rights.look(&[Verb::Get], &aim.home());
        match &self.field {
            Field::Resources { .. } => rights.workload(aim),
            Field::RateLimit { controller_namespace, controller_name, .. } => {
                rights.look(&[Verb::Get], &everywhere(plan::INGRESS_CLASSES));
                let settings = within(controller_namespace, looked::CONFIG_MAPS);
                rights.look(&[Verb::Get], &settings.named(Some(controller_name.clone())));
            }
            Field::Selector { .. } => rights.look(&[Verb::List], &aim.beside(looked::PODS)),
            Field::Switch { .. } => {}
        }
    }
}

#[async_trait]
impl Plans for Wish {
    async fn preflight(&self, eyes: Eyes<'_>, target: &Target, diff: bool) -> Result<Preflight, LookError> {
        let cluster = eyes.cluster()?;
        let mut checks = Checks::default();
        if let Err(reason) = plan::fits(self, target) {
            checks.refuse(reason);
            return Ok(checks.into_preflight(Seen::default(), None, false));
        }
        let selects = plan::selects(self);
        let looked = looked::look(cluster, target, &plan::place(self), selects.as_ref()).await?;
        rests(&looked, &plan::place(self), eyes.now(), &mut checks);
        let planned = plan::plan(self, cluster, &looked, &mut checks).await?;
        let (action, already) = match planned {
            Some(action) if action.edits.is_empty() => (None, true),
            planned => (planned, false),
        };
        if let Some(action) = &action {
            owners(&looked, action, &mut checks);
        }
        let mut seen = seen(&looked);
        if let Some(action) = &action
            && diff
            && checks.is_clear()
        {
            seen.diff = preview(cluster, &looked, action, &mut checks).await;
        }
        Ok(checks.into_preflight(seen, action.map(action::Action::Patch), already))
    }
}

#[async_trait]
impl Deed for Action {
    async fn preflight_of_revert(
        &self,
        eyes: Eyes<'_>,
        target: &Target,
        diff: bool,
    ) -> Result<Preflight, LookError> {
        let cluster = eyes.cluster()?;
        let back = swapped(self);
        let looked = looked::of(cluster, target, &back).await?;
        let mut checks = Checks::default();
        pauses(&looked, eyes.now(), &mut checks);
        let already = back
            .edits
            .iter()
            .all(|(key, edit)| same(&back.place, looked.value(&back.place, key), edit.to.as_deref()));
        if !already {
            holds(&looked, &back, &mut checks);
            looked.enough_ready(&mut checks);
        }
        let mut seen = seen(&looked);
        if diff && !already && checks.is_clear() {
            seen.diff = preview(cluster, &looked, &back, &mut checks).await;
        }
        let action = (!already).then_some(action::Action::Patch(back));
        Ok(checks.into_preflight(seen, action, already))
    }

    async fn rehearse(&self, eyes: Eyes<'_>, seal: &Sealed<Intent>) -> Outcome {
        one_change::rehearse(eyes, seal, &Patching { seal, action: self }).await
    }

    /// Where pods are rolled by it, watches that to its end.
    async fn perform(&self, hands: BothHands<'_>, seal: &Sealed<Intent>) -> Outcome {
        match one_change::carry_out(hands, seal, &Patching { seal, action: self }).await {
            Ok(diff) => self.followed(hands.eyes, seal, diff).await,
            Err(outcome) => outcome,
        }
    }

    /// By the values, and by what was noted on the object with them.
    async fn close(&self, eyes: Eyes<'_>, seal: &Sealed<Intent>) -> Outcome {
        match one_change::closed(eyes, seal, &Patching { seal, action: self }).await {
            Ok(diff) => self.followed(eyes, seal, diff).await,
            Err(outcome) => outcome,
        }
    }
}

/// What follows the change itself.
#[async_trait]
trait Followed {
    async fn followed(&self, eyes: Eyes<'_>, seal: &Sealed<Intent>, diff: Diff) -> Outcome;
}

#[async_trait]
impl Followed for Action {
    async fn followed(&self, eyes: Eyes<'_>, seal: &Sealed<Intent>, diff: Diff) -> Outcome {
        match self.place {
            Place::Resources { .. } => {
                rollout_watch::watch(eyes, seal, diff, std::time::Duration::ZERO).await
            }
            Place::RateLimit | Place::Selector | Place::Annotation | Place::Data => {
                Outcome::Done { diff: Some(diff), already: false }
            }
        }
    }
}

/// A patch as its intent has it.
struct Patching<'a> {
    seal: &'a Sealed<Intent>,
    action: &'a Action,
}

#[async_trait]
impl OneChange for Patching<'_> {
    type Seen = Looked;

    async fn look(&self, cluster: &dyn Cluster) -> Result<Looked, LookError> {
        looked::of(cluster, &self.seal.target, self.action).await
    }

    fn change(&self, looked: &Looked) -> Result<ClusterChange, Reason> {
        fields::change(looked, self.action, self.seal.stamp(), Some(self.seal))
    }

    fn obstacles(&self, looked: &Looked, now: Moment) -> Checks {
        let mut checks = Checks::default();
        if self.seal.reverts.is_some() {
            pauses(looked, now, &mut checks);
        } else {
            rests(looked, &self.action.place, now, &mut checks);
            owners(looked, self.action, &mut checks);
        }
        looked.enough_ready(&mut checks);
        holds(looked, self.action, &mut checks);
        checks.note(checks::same_uid(&looked.uid, &self.seal.uid));
        checks
    }

    fn trace(&self, looked: &Looked) -> Trace {
        if looked.uid != self.seal.uid {
            return one_change::another(&self.seal.target, &looked.uid);
        }
        let Action { place, edits } = self.action;
        let all = |judge: &dyn Fn(&str, &Edit) -> bool| edits.iter().all(|(key, edit)| judge(key, edit));
        let kept = kept(&looked.object);
        let stamp = |key: &str| stamped(&kept, &path(place, key));
        let is =
            |key: &str, wanted: &Option<String>| same(place, looked.value(place, key), wanted.as_deref());
        let reverts = self.seal.reverts.is_some();
        // A revert takes our note away with the value.
        let noted =
            |key: &str| if reverts { stamp(key).is_none() } else { stamp(key) == Some(self.seal.stamp()) };
        if all(&|key, edit| is(key, &edit.to) && noted(key)) {
            return Trace::Made;
        }
        if all(&|key, edit| is(key, &edit.from) && (reverts || !noted(key))) {
            return Trace::NotMade;
        }
        let shown: Vec<String> = edits
            .keys()
            .map(|key| {
                let value = looked.value(place, key).unwrap_or("-");
                format!("{} is {value}, set by {}", path(place, key), stamp(key).unwrap_or("nobody known"))
            })
            .collect();
        Trace::Unclear(shown.join("; "))
    }

    fn diff(&self) -> Diff {
        let Action { place, edits } = self.action;
        let change = |(key, Edit { from, to }): (&String, &Edit)| Change {
            path: path(place, key).to_string(),
            before: from.clone().unwrap_or_else(|| "-".into()),
            after: to.clone().unwrap_or_else(|| "-".into()),
        };
        Diff { fields: edits.iter().map(change).collect(), source: DiffSource::Applied }
    }
}

fn swapped(action: &Action) -> Action {
    let back = |edit: &Edit| Edit { from: edit.to.clone(), to: edit.from.clone() };
    let edits = action.edits.iter().map(|(key, edit)| (key.clone(), back(edit))).collect();
    Action { place: action.place.clone(), edits }
}

fn seen(looked: &Looked) -> Seen {
    match &looked.workload {
        Some(workload) => Seen::of(workload, workload.max_unavailable),
        None => Seen { uid: looked.uid.clone(), labels: looked.labels(), ..Seen::default() },
    }
}

/// Nobody paused it.
fn pauses(looked: &Looked, now: Moment, checks: &mut Checks) {
    checks.note(checks::pause("object", &looked.annotations(), now));
    checks.note(checks::pause("namespace", &looked.namespace_annotations, now));
}

/// Nobody paused it, and where pods are rolled by it, they can be.
fn rests(looked: &Looked, place: &Place, now: Moment, checks: &mut Checks) {
    match (&looked.workload, place) {
        (Some(workload), Place::Resources { .. }) => {
            checks::rests(workload, now, checks);
            crate::restart::rolls(workload, checks);
        }
        (
            _,
            Place::Resources { .. } | Place::RateLimit | Place::Selector | Place::Annotation | Place::Data,
        ) => {
            pauses(looked, now, checks);
        }
    }
}

/// Who else would put a field back.
fn owners(looked: &Looked, action: &Action, checks: &mut Checks) {
    for key in action.edits.keys() {
        ownership::note(&looked.object, &path(&action.place, key), checks);
    }
}

/// Whether every field is as it was when it was decided.
fn holds(looked: &Looked, action: &Action, checks: &mut Checks) {
    for (key, edit) in &action.edits {
        let (field, has) = (path(&action.place, key), looked.value(&action.place, key));
        let (shown, was) = (has.unwrap_or("-"), edit.from.as_deref().unwrap_or("-"));
        checks.note(if same(&action.place, has, edit.from.as_deref()) {
            Ok(format!("{field} is {was}"))
        } else {
            Err(Reason::Changed { what: format!("{field} is {shown}, was {was}") })
        });
    }
}

async fn preview(
    cluster: &dyn Cluster,
    looked: &Looked,
    action: &Action,
    checks: &mut Checks,
) -> Option<Diff> {
    match fields::change(looked, action, "preview", None) {
        Ok(change) => one_change::preview(cluster, &change, checks).await,
        Err(reason) => {
            checks.refuse(reason);
            None
        }
    }
}

#[cfg(test)]
mod tests;
