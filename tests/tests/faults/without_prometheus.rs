//! Prometheus is not there: when the daemon starts, or while it is asked. Alerts are taken all the same, nothing that needs
//! a fact is done, and when it is back what still fires is acted upon without anybody's help.

use paramedic_tests::prometheus::Prometheus;
use paramedic_tests::waiting::{eventually, seen};

use crate::scene::{A_WHILE, SOON, Scene};

const FACTS: &str = "{retry: 1s, deadline: 2s}";
const WHEN: &str = "[{query: trouble, is: '> 0'}]";

#[tokio::test]
async fn without_prometheus_at_its_start_it_waits_for_it_and_acts_when_it_is_there() {
    let scene = Scene::set().await;
    scene.breakers.set("trouble", 1.0);
    let plan = Prometheus::plan().scrape(scene.breakers.address());
    let Some(mut prometheus) = plan.start().await else { return };
    prometheus.kill();
    let paramedic = scene.plan(FACTS, WHEN).prometheus(&prometheus.url()).start().await;
    assert_eq!(scene.opens(&paramedic, "early").await, 200);
    scene.ruled(&paramedic, "early", "factUnknown").await;
    scene.stays_open("early", A_WHILE).await;

    prometheus.restart().await;
    scene.closes("early").await;
    scene.acts(&paramedic, "after").await;
    scene.holds(&paramedic).await;
}

#[tokio::test]
async fn a_prometheus_that_goes_away_while_it_is_asked_is_asked_again_when_it_is_back() {
    let scene = Scene::set().await;
    scene.breakers.set("trouble", 1.0);
    let plan = Prometheus::plan().scrape(scene.breakers.address());
    let Some(mut prometheus) = plan.start().await else { return };
    prometheus.shows("trouble", 1.0, SOON).await;
    let paramedic = scene.plan(FACTS, WHEN).prometheus(&prometheus.url()).start().await;
    scene.acts(&paramedic, "before").await;

    prometheus.process().signal("STOP");
    assert_eq!(scene.opens(&paramedic, "asked").await, 200);
    eventually(SOON, "it is asked", async || {
        let asked = paramedic.try_records("kind=asked").await?.len();
        seen(asked >= 2, || format!("{asked} questions"))
    })
    .await;
    prometheus.kill();
    scene.ruled(&paramedic, "asked", "factUnknown").await;
    scene.stays_open("asked", A_WHILE).await;

    prometheus.restart().await;
    scene.closes("asked").await;
    scene.acts(&paramedic, "after").await;
    scene.holds(&paramedic).await;
}
