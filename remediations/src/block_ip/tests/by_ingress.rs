//! By the list of an Ingress.

use super::*;

const CLASSES: Resource = Resource::of_cluster("networking.k8s.io", "v1", "ingressclasses", "IngressClass");
const CONFIG_MAPS: Resource = Resource::namespaced("", "v1", "configmaps", "ConfigMap");

fn shop() -> Target {
    Target { kind: INGRESS.into(), namespace: "prod".into(), name: "shop".into() }
}

fn cluster(annotations: Option<Value>, config: Value) -> Arc<FakeCluster> {
    let cluster = by_policy::cluster();
    let mut ingress = json!({"metadata": {}, "spec": {"ingressClassName": "nginx"}});
    if let Some(annotations) = annotations {
        ingress["metadata"]["annotations"] = annotations;
    }
    put(&cluster, INGRESSES.named("prod", "shop"), ingress);
    put(&cluster, CLASSES.named("", "nginx"), json!({"spec": {"controller": "k8s.io/ingress-nginx"}}));
    let at = CONFIG_MAPS.named("ingress-nginx", "ingress-nginx-controller");
    put(&cluster, at, json!({"data": config}));
    cluster
}

fn annotations(cluster: &FakeCluster) -> Value {
    let ingress = get(cluster, &INGRESSES.named("prod", "shop")).expect("it is there");
    ingress.pointer("/metadata/annotations").cloned().unwrap_or_default()
}

fn list(cluster: &FakeCluster) -> Option<String> {
    annotations(cluster).get(DENYLIST)?.as_str().map(str::to_owned)
}

fn wish(address: &str) -> block_ip::Wish {
    of(address, terms(Means::IngressNginx))
}

#[tokio::test(start_paused = true)]
async fn ours_comes_after_theirs_and_only_ours_is_taken_out() {
    let cluster = cluster(Some(json!({DENYLIST: "198.51.100.0/24, 192.0.2.1"})), json!({}));
    let one = block(&cluster, &shop(), wish("203.0.113.7"), Span::ZERO, 7).await;
    assert_eq!(list(&cluster).as_deref(), Some("198.51.100.0/24, 192.0.2.1,203.0.113.7/32"));
    let two = block(&cluster, &shop(), wish("2001:db8::/64"), Span::from_mins(1), 8).await;
    // A person adds one of their own, which is one of ours too.
    let more = format!("203.0.113.7/32,{}", list(&cluster).expect("a list"));
    let mut ingress = get(&cluster, &INGRESSES.named("prod", "shop")).expect("it is there");
    ingress["metadata"]["annotations"][DENYLIST] = json!(more);
    put(&cluster, INGRESSES.named("prod", "shop"), ingress);
    let over = Span::from_mins(62);
    for (id, seal, left) in [
        (20, &two, "203.0.113.7/32,198.51.100.0/24, 192.0.2.1,203.0.113.7/32"),
        (21, &one, "203.0.113.7/32,198.51.100.0/24, 192.0.2.1"),
    ] {
        let back = unblocking(&cluster, seal, over, id).await;
        done(&at(&cluster, over, &[]).perform(&back, &Halt::never()).await);
        assert_eq!(list(&cluster).as_deref(), Some(left));
    }
    assert_eq!(annotations(&cluster).get(BLOCKED), None);
    for covered in ["198.51.100.9", "192.0.2.1"] {
        let found = asked(&at_once(&cluster), &shop(), wish(covered)).await;
        assert_eq!(said(&found), "already", "{covered}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_ingress_without_annotations_gets_none_to_keep() {
    let cluster = cluster(None, json!({}));
    let seal = block(&cluster, &shop(), wish("203.0.113.7"), Span::ZERO, 7).await;
    assert_eq!(list(&cluster).as_deref(), Some("203.0.113.7/32"));
    let found = asked(&at_once(&cluster), &shop(), wish("203.0.113.7")).await;
    assert_eq!(said(&found), "already");
    let over = Span::from_hours(1);
    let back = unblocking(&cluster, &seal, over, 8).await;
    done(&at(&cluster, over, &[]).perform(&back, &Halt::never()).await);
    assert_eq!(annotations(&cluster), json!({}));
}

#[tokio::test(start_paused = true)]
async fn each_obstacle_refuses_in_its_own_words() {
    let mut told = String::new();
    let plain = || json!({});
    for (claim, annotations, config) in [
        ("free", plain(), json!({})),
        ("what is no address", json!({DENYLIST: "203.0.113.0/24,office"}), json!({})),
        ("a canary", json!({"nginx.ingress.kubernetes.io/canary": "true"}), json!({})),
        ("satisfy any", json!({"nginx.ingress.kubernetes.io/satisfy": "any"}), json!({})),
        ("a list for all", plain(), json!({"denylist-source-range": "198.51.100.0/24"})),
        (
            "a list for all that is hidden already",
            json!({DENYLIST: "192.0.2.1"}),
            json!({"denylist-source-range": "198.51.100.0/24"}),
        ),
        ("anybody's header", plain(), json!({"use-forwarded-headers": "true"})),
        (
            "the balancer's header",
            plain(),
            json!({"use-forwarded-headers": "true", "proxy-real-ip-cidr": "192.0.2.0/24"}),
        ),
        ("anybody's header by another key", plain(), json!({"enable-real-ip": "True"})),
        ("what a client began", plain(), json!({"compute-full-forwarded-for": "true"})),
        ("Argo CD", json!({"argocd.argoproj.io/tracking-id": "shop:x"}), json!({})),
        ("paused", json!({"paramedic.dev/pause-until": PAUSED}), json!({})),
        ("a broken record", json!({BLOCKED: "?"}), json!({})),
    ] {
        let cluster = cluster(Some(annotations), config);
        let found = asked(&at_once(&cluster), &shop(), wish("203.0.113.7")).await;
        told.push_str(&format!("{claim}: {}\n", said(&found)));
    }
    let others = json!({"spec": {"controller": "traefik.io/ingress-controller"}});
    for (claim, class) in [("another's class", others), ("no class", json!({}))] {
        let cluster = cluster(None, json!({}));
        put(&cluster, CLASSES.named("", "nginx"), class);
        let found = asked(&at_once(&cluster), &shop(), wish("203.0.113.7")).await;
        told.push_str(&format!("{claim}: {}\n", said(&found)));
    }
    insta::assert_snapshot!(told);
    let cluster = cluster(None, json!({}));
    let found = asked(&at_once(&cluster), &target(), wish("203.0.113.7")).await;
    assert_eq!(names(&found.refusals), ["wrongKind"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_refuses_in_time_and_at_the_last_moment() {
    let gone = |cluster: &FakeCluster, at: Address| {
        cluster.objects.lock().expect("no test panicked").remove(&at);
    };
    let cluster = cluster(None, json!({}));
    let found = asked(&at_once(&cluster), &shop(), wish("203.0.113.7")).await;
    let seal = blocking(&shop(), &found, Span::ZERO, 7);
    gone(&cluster, CONFIG_MAPS.named("ingress-nginx", "ingress-nginx-controller"));
    let found = asked(&at_once(&cluster), &shop(), wish("203.0.113.7")).await;
    assert_eq!(names(&found.refusals), ["targetAbsent"], "nobody knows how it knows its clients");
    gone(&cluster, INGRESSES.named("prod", "shop"));
    assert_eq!(fakes::refused(&at_once(&cluster).perform(&seal, &Halt::never()).await), ["targetAbsent"]);
    assert_eq!(cluster.changes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_and_a_crash_are_closed_by_looking() {
    let lost = cluster(None, json!({})).answering(Answer::LostAfter);
    let found = asked(&at_once(&lost), &shop(), wish("203.0.113.7")).await;
    let seal = blocking(&shop(), &found, Span::ZERO, 7);
    done(&at_once(&lost).perform(&seal, &Halt::never()).await);
    done(&at_once(&lost).close(&seal).await);
    assert_eq!((list(&lost).as_deref(), lost.changes()), (Some("203.0.113.7/32"), 1));
    let none = cluster(None, json!({}));
    let outcome = at_once(&none).close(&seal).await;
    assert!(matches!(outcome, Outcome::Failed { applied: false, .. }), "{outcome:?}");
    for (answer, name) in [(Answer::LostBefore, "failed"), (Answer::LostBlind, "unknown")] {
        let cluster = cluster(None, json!({})).answering(answer);
        let outcome = at_once(&cluster).perform(&seal, &Halt::never()).await;
        assert_eq!((outcome.name(), cluster.changes()), (name, 1), "{outcome:?}");
    }
}
