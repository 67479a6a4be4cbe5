//! From what is written to the world: workloads with their past, Services, objects, endpoints, and what Prometheus answers.
//! Problems are told to whoever reads the file; building never fails.

use paramedic_policies::alert::Labels;
use paramedic_policies::order::PauseScope;
use paramedic_policies::question::Fact as Place;
use paramedic_policies::settings::Settings;
use paramedic_policies::target::Target;
use paramedic_policies::time::{Moment, Span};
use paramedic_remediations::ports::cluster::GitOps;
use paramedic_remediations::ports::objects::Address;
use promql_parser::label::MatchOp;
use promql_parser::parser::{Expr, parse};
use serde_json::{Value, json};

use super::document::{Named, ScopeDocument};
use super::fact_document::{FactDocument, SampleDocument, SaysDocument, SpellDocument};
use super::world_document::{
    AnswerDocument, GitOpsDocument, ServiceDocument, Tracked, WorkloadDocument, WorkloadKind, WorldDocument,
};
use crate::adapters::promql::canonical;
use crate::world::endpoints::{Answer, Endpoint};
use crate::world::facts::{About, Said, Spell, Told, sample};
use crate::world::{CertificateLife, Hpa, JobLife, Service, Workload, World, kinds};

/// What to do about an object that nobody knows.
pub(super) const OBJECT_HINT: &str = "it needs apiVersion, kind and metadata.name of a kind that a remediation looks at; see the schema's `objects`";

/// The cluster as it is at the beginning.
pub(super) fn world(written: &WorldDocument, settings: &Settings, begins: Moment) -> World {
    let mut world = World::new(begins);
    world.namespaces = written.namespaces.clone();
    if let Some(jobs) = &written.jobs {
        world.jobs = JobLife { takes: jobs.takes, exit_code: jobs.exit_code, log: jobs.log.clone() };
    }
    if let Some(certificates) = &written.certificates {
        world.certificates = CertificateLife { takes: certificates.takes, fails: certificates.fails.clone() };
    }
    for one in &written.workloads {
        let workload = workload(one, begins);
        world.namespaces.entry(one.namespace.clone()).or_default();
        world.workloads.insert(workload.target.clone(), workload);
    }
    for (index, one) in written.services.iter().enumerate() {
        let mut service = service(one, index);
        if let Some(workload) = world.workloads.get(&service.selects) {
            one.open.iter().for_each(|breaker| service.trip(workload, breaker));
        }
        world.services.insert(service.target.clone(), service);
    }
    // Before anything is placed, so that pods are spread over all of them.
    for object in &written.objects {
        if let Some(at) = address_of(object).ok().filter(|at| at.resource == kinds::NODES) {
            world.objects.put(at, object.clone());
        }
    }
    world.sync();
    for one in &written.workloads {
        if let Some(node) = &one.node {
            world.seat(&target_of(one), node);
        }
    }
    for object in &written.objects {
        if let Ok(at) = address_of(object) {
            if at.resource.namespaced {
                world.namespaces.entry(at.namespace.clone()).or_default();
            }
            world.put(at, object.clone());
        }
    }
    for (name, declared) in &settings.endpoints {
        let mut endpoint = Endpoint { base: declared.base().to_owned(), ..Endpoint::default() };
        if let Some(one) = written.endpoints.get(name) {
            let answer = |(path, shown): (&String, &AnswerDocument)| (path.clone(), answer(shown));
            endpoint.shows = one.shows.iter().map(answer).collect();
            for (call, made) in &one.calls {
                let (method, path) = call.split_once(' ').unwrap_or(("POST", call));
                let said = Answer { status: made.status, body: Value::Null };
                let then = made.then.iter().map(answer).collect();
                endpoint.calls.insert((method.to_owned(), path.to_owned()), (said, then));
            }
        }
        world.endpoints.insert(name.clone(), endpoint);
    }
    world.sync();
    world
}

fn answer(written: &AnswerDocument) -> Answer {
    Answer { status: written.status, body: written.body.clone() }
}

fn target_of(one: &WorkloadDocument) -> Target {
    let kind = match one.kind {
        WorkloadKind::Deployment => "Deployment",
        WorkloadKind::StatefulSet => "StatefulSet",
        WorkloadKind::DaemonSet => "DaemonSet",
    };
    Target { kind: kind.to_owned(), namespace: one.namespace.clone(), name: one.name.clone() }
}

/// Whether a workload is the one that is named.
pub(super) fn is_named(one: &WorkloadDocument, named: &Named) -> bool {
    target_of(one) == target(named)
}

/// The target that is named.
pub(super) fn target(named: &Named) -> Target {
    let Named { kind, namespace, name } = named.clone();
    Target { kind, namespace, name }
}

fn workload(one: &WorkloadDocument, begins: Moment) -> Workload {
    let oldest = one.deploys.iter().map(|deploy| deploy.ago).max();
    let mut workload = Workload::new(target_of(one), one.replicas, begins - oldest.unwrap_or(Span::ZERO));
    workload.labels = one.labels.clone();
    workload.annotations = one.annotations.clone();
    if !one.pod_labels.is_empty() {
        workload.pod_labels = one.pod_labels.clone();
    }
    if let Some(takes) = one.pods_take {
        workload.pod_ready = Some(takes);
    }
    let first = workload.revisions.last_mut().expect("a workload begins with a template");
    first.pod_ready = workload.pod_ready;
    if !one.containers.is_empty() {
        first.spec["spec"]["containers"] = json!(one.containers);
    }
    let usual = workload.pod_ready;
    for (index, deploy) in one.deploys.iter().enumerate() {
        if index == 0 {
            let first = workload.revisions.last_mut().expect("a workload begins with a template");
            first.spec["spec"]["containers"][0]["image"] = json!(deploy.image);
            continue;
        }
        let at = begins - deploy.ago;
        workload.advance(at);
        workload.deploy(at, Some(&deploy.image), if deploy.broken { None } else { usual });
    }
    workload.advance(begins);
    if let Some(ready) = one.ready {
        workload.pods.iter_mut().skip(ready as usize).for_each(|pod| pod.ready_at = None);
    }
    workload.paused = one.paused;
    workload.immovable = one.on_delete.then(|| "OnDelete".to_owned());
    workload.gitops = one.gitops.as_ref().and_then(gitops);
    workload.budget = one.budget.map(|keep| (one.name.clone(), keep));
    workload.hpa = one.hpa.as_ref().map(|hpa| Hpa {
        name: one.name.clone(),
        uid: format!("uid-hpa-{}", one.name),
        min: hpa.min,
        max: hpa.max,
        min_set: None,
    });
    workload
}

fn gitops(written: &GitOpsDocument) -> Option<GitOps> {
    let by = match (&written.argo_cd, &written.flux) {
        (Some(name), None) => format!("Argo CD application {name}"),
        (None, Some(name)) => format!("Flux Kustomization {name}"),
        (Some(_), Some(_)) | (None, None) => return None,
    };
    Some(GitOps {
        by,
        tracks_replicas: written.tracks.contains(&Tracked::Replicas),
        tracks_template: written.tracks.contains(&Tracked::Template),
    })
}

fn service(one: &ServiceDocument, index: usize) -> Service {
    let target = |kind: &str, name: &str| Target {
        kind: kind.to_owned(),
        namespace: one.namespace.clone(),
        name: name.to_owned(),
    };
    Service {
        target: target("Service", &one.name),
        uid: format!("uid-service-{}", one.name),
        selects: target("Deployment", &one.workload),
        port: (one.port_name.clone(), one.port),
        subnet: u8::try_from(index + 1).unwrap_or(u8::MAX),
        breakers: one.breakers.clone(),
        tripped: Default::default(),
    }
}

/// Where an object stands.
///
/// # Errors
/// What is wrong with it.
pub(super) fn address_of(object: &Value) -> Result<Address, String> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind, name) = (text("/apiVersion"), text("/kind"), text("/metadata/name"));
    if api_version.is_empty() || kind.is_empty() || name.is_empty() {
        return Err("the object has no apiVersion, no kind or no metadata.name".to_owned());
    }
    let resource = kinds::of_object(api_version, kind)
        .ok_or_else(|| format!("the simulated world has no {kind} of {api_version}"))?;
    let namespace = text("/metadata/namespace");
    if resource.namespaced && namespace.is_empty() {
        return Err(format!("{kind} {name} has no metadata.namespace"));
    }
    Ok(resource.named(namespace, name))
}

/// What is wrong with a world: path, problem, hint.
pub(super) fn faults(world: &WorldDocument) -> Vec<(String, String, &'static str)> {
    let mut faults = Vec::new();
    for (index, object) in world.objects.iter().enumerate() {
        if let Err(problem) = address_of(object) {
            faults.push((format!("/objects/{index}"), problem, OBJECT_HINT));
        }
    }
    for (index, one) in world.services.iter().enumerate() {
        let selects = |workload: &&WorkloadDocument| {
            workload.name == one.workload && workload.namespace == one.namespace
        };
        if !world.workloads.iter().any(|workload| selects(&workload)) {
            let problem = format!("there is no workload `{}` in namespace {}", one.workload, one.namespace);
            faults.push((format!("/services/{index}/workload"), problem, "name one of `world.workloads`"));
        }
    }
    for (index, one) in world.workloads.iter().enumerate() {
        let mut last = None;
        for deploy in &one.deploys {
            if last.is_some_and(|last| last <= deploy.ago) {
                let path = format!("/workloads/{index}/deploys");
                faults.push((path, "its deploys are not in order".to_owned(), "write the oldest first"));
                break;
            }
            last = Some(deploy.ago);
        }
        if one.gitops.as_ref().is_some_and(|written| gitops(written).is_none()) {
            let path = format!("/workloads/{index}/gitops");
            faults.push((path, "one owner is wanted".to_owned(), "write one of argoCd and flux"));
        }
    }
    faults
}

/// The scope of a pause.
pub(super) fn scope(written: &ScopeDocument) -> Option<PauseScope> {
    match (written.everything, &written.namespace, &written.policy, &written.target) {
        (true, None, None, None) => Some(PauseScope::Everything),
        (false, Some(name), None, None) => Some(PauseScope::Namespace(name.clone())),
        (false, None, Some(name), None) => Some(PauseScope::Policy(name.clone())),
        (false, None, None, Some(named)) => Some(PauseScope::Target(target(named))),
        _ => None,
    }
}

/// What a fact is about.
///
/// # Errors
/// Problem and hint.
pub(super) fn about(fact: &FactDocument) -> Result<About, (String, &'static str)> {
    match (&fact.series, &fact.query, &fact.policy, &fact.place) {
        (Some(text), None, None, None) => series(text),
        (None, Some(text), None, None) => {
            let hint = "write the expression as it is asked, with the labels' values in it";
            canonical(text).map(About::Expression).map_err(|problem| (problem, hint))
        }
        (None, None, Some(policy), Some(at)) => {
            let hint = "one of confirmation, let.NAME, when[0], verification";
            let place = place(at).ok_or_else(|| (format!("`{at}` is no place of a policy"), hint))?;
            Ok(About::Asked { policy: policy.clone(), place })
        }
        _ => Err((
            "it is about nothing, or about several things".to_owned(),
            "write one of `series`, `query`, or `policy` with `place`",
        )),
    }
}

/// The place of a policy that is written so.
pub(super) fn place(text: &str) -> Option<Place> {
    match text {
        "confirmation" => Some(Place::Confirmation),
        "verification" => Some(Place::Verification),
        _ => {
            if let Some(name) = text.strip_prefix("let.") {
                return Some(Place::Let(name.to_owned()));
            }
            let index = text.strip_prefix("when[")?.strip_suffix(']')?;
            index.parse().ok().map(Place::When)
        }
    }
}

fn series(text: &str) -> Result<About, (String, &'static str)> {
    let hint = "a metric with its labels, such as up{job=\"web\"}";
    let selector = match parse(text) {
        Err(problem) => return Err((problem, hint)),
        Ok(Expr::VectorSelector(selector)) => selector,
        Ok(_) => return Err((format!("`{text}` is no series"), hint)),
    };
    let name = selector.name.clone().ok_or_else(|| ("a series needs a name".to_owned(), hint))?;
    let mut labels = Labels::new();
    for matcher in selector.matchers.matchers.iter().filter(|matcher| matcher.name != "__name__") {
        if matcher.op != MatchOp::Equal {
            let problem = format!("the label {} of a series has one value", matcher.name);
            return Err((problem, "use `=`"));
        }
        labels.insert(matcher.name.clone(), matcher.value.clone());
    }
    Ok(About::Series { name, labels })
}

impl SaysDocument {
    /// What is said; none where nothing is.
    ///
    /// # Errors
    /// Where it says several things.
    pub(super) fn said(&self) -> Result<Option<Said>, String> {
        let one = |value: f64| Said::Samples(vec![sample(&Labels::new(), value)]);
        let all = |samples: &Vec<SampleDocument>| {
            Said::Samples(samples.iter().map(|one| sample(&one.labels, one.is)).collect())
        };
        let given: Vec<Said> = [
            self.is.map(one),
            self.samples.as_ref().map(all),
            self.empty.then(|| Said::Samples(Vec::new())),
            self.nan.then(|| one(f64::NAN)),
            self.fails.clone().map(Said::Fails),
        ]
        .into_iter()
        .flatten()
        .collect();
        if given.len() > 1 {
            return Err(format!("it says {} values", given.len()));
        }
        Ok(given.into_iter().next())
    }
}

/// When an answer begins, in milliseconds from the beginning.
///
/// # Errors
/// Where it says none, or two times.
pub(super) fn when(spell: &SpellDocument) -> Result<i64, String> {
    let ms = |span: Span| i64::try_from(span.ms()).unwrap_or(i64::MAX);
    match (spell.at, spell.ago) {
        (Some(at), None) => Ok(ms(at)),
        (None, Some(ago)) => Ok(-ms(ago)),
        (None, None) => Ok(0),
        (Some(_), Some(_)) => Err("it says two times".to_owned()),
    }
}

/// All that Prometheus is told.
pub(super) fn tell(facts: &[FactDocument], begins: Moment, world: &mut World) {
    for fact in facts {
        let Ok(about) = about(fact) else { continue };
        let mut over: Vec<Spell> = Vec::new();
        if let Ok(Some(said)) = fact.says.said() {
            over.push(Spell { at: begins, said, takes: fact.says.takes });
        }
        for spell in &fact.over {
            if let (Ok(Some(said)), Ok(ms)) = (spell.says.said(), when(spell)) {
                let at = Moment::from_unix_ms(begins.unix_ms() + ms);
                over.push(Spell { at, said, takes: spell.says.takes });
            }
        }
        world.facts.tell(Told { about, over });
    }
}
