//! The process is stopped (SIGSTOP: a debugger, a frozen cgroup, a virtual machine that is moved) and goes on later: what it
//! had asked before is old by then, and nothing is done on it; nothing is done twice.

use std::time::Duration;

use paramedic_tests::prometheus::Prometheus;
use paramedic_tests::seeded::Seeded;
use paramedic_tests::tls;
use paramedic_tests::waiting::{eventually, seen, stays};

use crate::scene::{A_WHILE, SOON, Scene};

/// Facts of more than two seconds ago show nothing; answers are waited for longer than the test stops anybody.
const FACTS: &str = "{maxAge: 2s, retry: 1s, deadline: 60s}\nprometheus: {timeout: 60s}";

#[tokio::test]
async fn an_answer_that_lay_there_while_it_was_stopped_is_too_old_to_act_upon() {
    let scene = Scene::set().await;
    scene.breakers.set("trouble", 1.0);
    let plan = Prometheus::plan().scrape(scene.breakers.address());
    let Some(mut prometheus) = plan.start().await else { return };
    prometheus.shows("trouble", 1.0, SOON).await;
    let plan = scene.plan(FACTS, "[{query: trouble, is: '> 0'}]").prometheus(&prometheus.url());
    let mut paramedic = plan.start().await;
    scene.acts(&paramedic, "before").await;
    let answered = answers(&prometheus).await;

    // Asked, and answered with yes while nobody reads it.
    prometheus.process().signal("STOP");
    assert_eq!(scene.opens(&paramedic, "held").await, 200);
    eventually(SOON, "Prometheus is asked about it", async || {
        let asked = paramedic.try_records("kind=asked").await?.len();
        seen(asked >= 2, || format!("{asked} questions"))
    })
    .await;
    paramedic.process().signal("STOP");
    prometheus.process().signal("CONT");
    eventually(SOON, "Prometheus has answered", async || {
        let now = answers(&prometheus).await;
        seen(now > answered, || format!("{now} answers, {answered} before"))
    })
    .await;
    // By now it is not true any more.
    scene.breakers.set("trouble", 0.0);
    prometheus.shows("trouble", 0.0, SOON).await;
    scene.stays_open("held", Duration::from_secs(3)).await;
    paramedic.process().signal("CONT");
    scene.ruled(&paramedic, "held", "conditionFalse").await;
    scene.stays_open("held", A_WHILE * 2).await;

    scene.breakers.set("trouble", 1.0);
    prometheus.shows("trouble", 1.0, SOON).await;
    scene.acts(&paramedic, "after").await;
    scene.holds(&paramedic).await;
}

/// How many queries it has answered, by its own count.
async fn answers(prometheus: &Prometheus) -> f64 {
    let answer = tls::http().get(format!("{}/metrics", prometheus.url())).send().await;
    let text = answer.expect("it answers").text().await.expect("metrics are text");
    let series = "prometheus_http_requests_total{code=\"200\",handler=\"/api/v1/query\"} ";
    let count = text.lines().find_map(|line| line.strip_prefix(series)?.parse().ok());
    count.unwrap_or_default()
}

#[tokio::test]
async fn a_verification_that_was_slept_through_is_looked_at_anew_and_never_climbs_on_what_was() {
    let scene = Scene::set().await;
    scene.breakers.set("ill", 1.0);
    scene.breakers.set_breaker("fallback", "OPEN");
    let plan = Prometheus::plan().scrape(scene.breakers.address());
    let Some(prometheus) = plan.start().await else { return };
    prometheus.shows("ill", 1.0, SOON).await;
    let verify = "{query: ill, is: '== 0', settle: 1s, hold: 1s, within: 10s, every: 1s}";
    let first = scene.reset("{{ labels.breaker }}", verify);
    let rungs = format!("{first}, {}", scene.reset("fallback", ""));
    let plan = scene.plan_of(FACTS, "[]", &rungs).prometheus(&prometheus.url());
    let mut paramedic = plan.start().await;
    assert_eq!(scene.opens(&paramedic, "sick").await, 200);
    paramedic.record("kind=ended", SOON).await;

    // Until after the end of the verification; it has become good meanwhile.
    paramedic.process().signal("STOP");
    scene.breakers.set("ill", 0.0);
    prometheus.shows("ill", 0.0, SOON).await;
    scene.stays_open("fallback", Duration::from_secs(11)).await;
    paramedic.process().signal("CONT");
    let verified = paramedic.record("kind=verified", SOON).await;
    let verdict = verified["event"]["verdict"].as_str().unwrap_or_default().to_owned();
    assert!(verdict == "helped" || verdict == "unknown", "nobody has seen that it did not help: {verified}");
    scene.stays_open("fallback", A_WHILE).await;

    scene.acts(&paramedic, "after").await;
    scene.holds(&paramedic).await;
}

/// At moments from a seed: before the answer, between intent and effect, during the effect, after it.
#[tokio::test]
async fn stopped_at_any_moment_it_does_nothing_twice() {
    let seed = Seeded::seed();
    println!("the same again with PARAMEDIC_SEED={seed}");
    let mut choices = Seeded::new(seed);
    let scene = Scene::set().await;
    let mut paramedic = scene.plan("{}", "[]").start().await;
    for round in 0..12 {
        let breaker = format!("breaker-{round}");
        let id = paramedic.process().id().to_string();
        let moment = choices.span(Duration::from_millis(60));
        let stopped = async {
            tokio::time::sleep(moment).await;
            let signal = |name: &str| {
                let sent = std::process::Command::new("kill").args(["-s", name, &id]).status();
                assert!(sent.is_ok_and(|status| status.success()), "{name} is not sent");
            };
            signal("STOP");
            stays(Duration::from_millis(200), "it is stopped", async || Ok::<(), String>(())).await;
            signal("CONT");
        };
        let (status, ()) = tokio::join!(scene.opens(&paramedic, &breaker), stopped);
        assert_eq!(status, 200);
        scene.closes(&breaker).await;
    }
    scene.holds(&paramedic).await;
}
