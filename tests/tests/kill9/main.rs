//! The daemon is killed with `kill -9` at random moments under load, again and again, on one journal. What it has
//! acknowledged must be there, what it has done must have been done once, what it has begun must come to an end.
//!
//! 25 rounds here; `PARAMEDIC_KILL9_ROUNDS` says otherwise (`ops/dev/kill9`: 200). The moments come from a seed, which
//! is printed and can be given back as `PARAMEDIC_SEED`.

mod load;
mod oracle;
mod scene;

use std::time::{Duration, Instant};

use paramedic_tests::control_plane::ControlPlane;
use paramedic_tests::seeded::Seeded;

use load::Load;
use oracle::Oracle;
use scene::Scene;

const ROUNDS: u64 = 25;

/// A round lasts at most this long before the kill.
const ROUND: Duration = Duration::from_millis(1500);

/// Every fifth start or so is killed before it has ended.
const STARTING: Duration = Duration::from_millis(400);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_nothing_is_done_twice_and_everything_begun_ends() {
    let Some(cluster) = ControlPlane::shared().await else { return };
    let rounds =
        std::env::var("PARAMEDIC_KILL9_ROUNDS").map_or(ROUNDS, |text| text.parse().expect("a number"));
    let seed = Seeded::seed();
    println!("{rounds} rounds; the same again with PARAMEDIC_SEED={seed}");
    let mut choices = Seeded::new(seed);
    let scene = Scene::set(cluster).await;
    let mut paramedic = scene.plan(cluster).start().await;
    let load = Load::new(&scene, paramedic.webhook_url(), seed);
    let mut oracle = Oracle::default();
    let begun = Instant::now();
    for round in 1..=rounds {
        let (acknowledged, moment) = load.run_until(&mut choices, ROUND, || paramedic.kill()).await;
        paramedic.relaunch();
        let mut starts = 1;
        while choices.below(5) == 0 {
            tokio::time::sleep(choices.span(STARTING)).await;
            paramedic.kill();
            paramedic.relaunch();
            starts += 1;
        }
        paramedic.ready().await;
        let told = oracle.look(&paramedic, &load.acknowledged()).await;
        println!(
            "round {round:>3} at {:>5.1} s: killed after {:>4} ms, {starts} starts, {acknowledged} alerts acknowledged; {told}",
            begun.elapsed().as_secs_f64(),
            moment.as_millis(),
        );
    }
    load.resolve_all(&paramedic).await;
    oracle.everything_ends(&paramedic).await;
    oracle.look_at_all(&paramedic, &load.acknowledged()).await;
    oracle.effects(&scene).await;
    println!("{}", oracle.summary());
}
