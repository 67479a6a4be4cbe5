//! The simulated Maestro cluster: three Deployments and a database in `intelgraph-prod`, the DNS of the cluster, the
//! series that its Prometheus records, and the alerts that go with the policies for Maestro.

use paramedic_policies::target::Target;
use paramedic_policies::time::{Moment, Span};

use crate::world::{AlertRule, Hpa, Series, Service, Workload, World};

/// The namespace of everything that is Maestro's.
pub const NAMESPACE: &str = "intelgraph-prod";

/// Share of requests answered 5xx, over 5 minutes.
pub const ERROR_RATIO: &str = "job:http_5xx:ratio5m";

/// Requests a second, over 5 minutes.
pub const REQUESTS: &str = "job:http_requests:rate5m";

/// 95th percentile of request durations in seconds, over 5 minutes.
pub const P95: &str = "job:http_request_duration_seconds:p95_5m";

/// Share of a database's connection pool in use.
pub const POOL: &str = "job:database_pool:used_ratio";

/// Failed connections to a database a second, over 5 minutes.
pub const CONNECTION_FAILURES: &str = "job:database_connection_failures:rate5m";

/// 1 while a database answers its own probe.
pub const DATABASE_UP: &str = "job:database_up:min";

/// What the nodes have left beside all that pods asked for, as a share.
pub const HEADROOM: &str = "cluster:requests_headroom:min_ratio";

/// Jobs that wait.
pub const QUEUE_DEPTH: &str = "job:maestro_queue_depth:max";

/// A Deployment in [`NAMESPACE`].
pub fn deployment(name: &str) -> Target {
    target("Deployment", NAMESPACE, name)
}

/// The Service in front of `maestro-server`.
pub fn server_service() -> Target {
    target("Service", NAMESPACE, "maestro-server")
}

/// The cluster's DNS, which nothing may touch.
pub fn dns() -> Target {
    target("Deployment", "kube-system", "coredns")
}

fn target(kind: &str, namespace: &str, name: &str) -> Target {
    Target { kind: kind.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() }
}

/// The cluster on a quiet day.
pub fn world(now: Moment) -> World {
    let mut world = World::new(now);
    for (name, replicas) in [("maestro-server", 3), ("maestro-worker", 4), ("maestro-ui", 3)] {
        let mut workload = Workload::new(deployment(name), replicas, now);
        workload.labels.insert("app.kubernetes.io/name".to_owned(), name.to_owned());
        if name == "maestro-server" {
            workload.hpa = Some(Hpa {
                name: name.to_owned(),
                uid: "uid-hpa-maestro-server".to_owned(),
                min: replicas,
                max: 10,
                min_set: None,
            });
            workload.budget = Some((name.to_owned(), 2));
        }
        world.workloads.insert(workload.target.clone(), workload);
    }
    for other in [target("StatefulSet", NAMESPACE, "postgres"), dns()] {
        world.workloads.insert(other.clone(), Workload::new(other, 2, now));
    }
    let service = Service {
        target: server_service(),
        uid: "uid-service-maestro-server".to_owned(),
        selects: deployment("maestro-server"),
        port: ("http".to_owned(), 8080),
        subnet: 1,
        breakers: ["neo4j", "postgres", "redis"].map(str::to_owned).to_vec(),
        tripped: Default::default(),
    };
    world.services.insert(service.target.clone(), service);
    world.series = series();
    world.rules = rules();
    world
}

fn series() -> Vec<Series> {
    let mut all = Vec::new();
    let deployments = [
        (NAMESPACE, "maestro-server"),
        (NAMESPACE, "maestro-ui"),
        (NAMESPACE, "maestro-worker"),
        ("kube-system", "coredns"),
    ];
    for (namespace, deployment) in deployments {
        let labels = [("namespace", namespace), ("deployment", deployment)];
        all.push(Series::new(ERROR_RATIO, &labels, 0.002));
        all.push(Series::new(REQUESTS, &labels, 42.0));
        all.push(Series::new(P95, &labels, 0.18));
    }
    let database = [("namespace", NAMESPACE), ("database", "postgres")];
    all.push(Series::new(POOL, &database, 0.4));
    all.push(Series::new(CONNECTION_FAILURES, &database, 0.0));
    all.push(Series::new(DATABASE_UP, &database, 1.0));
    all.push(Series::new(HEADROOM, &[], 0.4));
    all.push(Series::new(QUEUE_DEPTH, &[("namespace", NAMESPACE), ("deployment", "maestro-worker")], 12.0));
    all
}

fn rules() -> Vec<AlertRule> {
    let rule = |alert: &str, metric: &str, above: f64, summary: &str| AlertRule {
        alert: alert.to_owned(),
        metric: metric.to_owned(),
        above,
        lasting: Span::ZERO,
        labels: [("severity".to_owned(), "critical".to_owned())].into(),
        summary: summary.to_owned(),
    };
    vec![
        rule("MaestroHighErrorRate", ERROR_RATIO, 0.05, "More than 5 % of requests fail"),
        rule("MaestroSlowResponses", P95, 1.0, "The 95th percentile of responses is above 1 s"),
        rule("MaestroDatabaseConnections", CONNECTION_FAILURES, 0.5, "Connections to the database fail"),
        rule("MaestroQueueBacklog", QUEUE_DEPTH, 500.0, "Jobs pile up"),
    ]
}
