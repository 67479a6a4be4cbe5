//! A full disk: nothing is answered 200 and nothing acts while it is; when there is room again, the daemon goes on by itself.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use paramedic_tests::paramedic::Paramedic;
use paramedic_tests::waiting::eventually;

use crate::disks::Disk;
use crate::scene::{A_WHILE, SOON, Scene, unready};

/// Words of an annotation: a journal fills a part of its file before it needs more of the disk.
const NOISE: usize = 200;

/// Posts until the disk takes no more: what was answered 200 until then must not be lost.
async fn is_turned_away(scene: &Scene, paramedic: &Paramedic) {
    let mut round = 0;
    eventually(SOON, "alerts are turned away with 503", async || {
        round += 1;
        let names: Vec<String> = (0..50).map(|at| format!("plain-{round}-{at}")).collect();
        match scene.posts(paramedic, "Plain", &names, NOISE).await {
            503 => Ok(()),
            status => Err(format!("{status} in round {round}")),
        }
    })
    .await;
}

/// An alert that is turned away is not acted upon. One that still fitted in is acknowledged, and so is no such alert.
async fn nothing_acts(scene: &Scene, paramedic: &Paramedic) -> String {
    let says = unready(paramedic).await;
    assert!(says.contains("broken"), "{says}");
    let mut round = 0;
    let breaker = eventually(SOON, "the alert of a breaker is turned away", async || {
        round += 1;
        let breaker = format!("meanwhile-{round}");
        match scene.opens(paramedic, &breaker).await {
            503 => Ok(breaker),
            status => Err(format!("{status} in round {round}")),
        }
    })
    .await;
    scene.stays_open(&breaker, A_WHILE).await;
    breaker
}

async fn goes_on(scene: &Scene, paramedic: &mut Paramedic, turned_away: &str) {
    eventually(SOON, "it is ready again by itself", async || {
        let url = format!("{}/readyz", paramedic.admin_url());
        let answer = paramedic_tests::tls::http().get(url).send().await.map_err(|error| error.to_string())?;
        let (is_ready, status) = (answer.status().is_success(), answer.status());
        let text = answer.text().await.unwrap_or_default();
        if is_ready { Ok(()) } else { Err(format!("{status} {text}")) }
    })
    .await;
    // Alertmanager repeats what was answered 503.
    scene.acts(paramedic, turned_away).await;
    scene.acts(paramedic, "after").await;
    scene.holds(paramedic).await;
    // And the same is found by who opens it next.
    paramedic.restart().await;
    scene.acts(paramedic, "next-day").await;
    scene.holds(paramedic).await;
}

#[tokio::test]
async fn on_a_full_disk_nothing_is_acknowledged_and_nothing_acts_until_there_is_room() {
    // Where nobody may mount, the other test fills a file instead.
    let Some(disk) = Disk::tmpfs("32m") else { return };
    let scene = Scene::set().await;
    let plan = scene.plan("{}", "[]").data_dir(&disk.path().join("data"));
    let mut paramedic = plan.start().await;
    scene.acts(&paramedic, "before").await;

    let filler = disk.path().join("filler");
    fill(&filler);
    is_turned_away(&scene, &paramedic).await;
    let turned_away = nothing_acts(&scene, &paramedic).await;

    std::fs::remove_file(&filler).expect("there is room again");
    goes_on(&scene, &mut paramedic, &turned_away).await;
}

fn fill(path: &Path) {
    let mut file = std::fs::File::create(path).expect("a file can be made");
    let some = vec![0_u8; 1 << 16];
    while file.write_all(&some).is_ok() {}
    // The last page, byte by byte.
    while file.write_all(b"x").is_ok() {}
}

/// No file of the process may grow beyond some bytes: the journal's, and that of its log, which must not end it either.
#[tokio::test]
async fn files_that_may_not_grow_stop_it_from_acting_and_a_log_that_may_not_does_not_end_it() {
    let scene = Scene::set().await;
    // A signal ends the process otherwise, which is another fault: see `kill9`.
    let plan = scene.plan("{}", "[]").through(&["env", "--ignore-signal=XFSZ"]);
    let mut paramedic = plan.start().await;
    scene.acts(&paramedic, "before").await;

    grows_to(&mut paramedic, "1024");
    is_turned_away(&scene, &paramedic).await;
    let turned_away = nothing_acts(&scene, &paramedic).await;

    grows_to(&mut paramedic, "unlimited");
    goes_on(&scene, &mut paramedic, &turned_away).await;
}

fn grows_to(paramedic: &mut Paramedic, bytes: &str) {
    let id = paramedic.process().id().to_string();
    let limit = format!("--fsize={bytes}:");
    let told = Command::new("prlimit").args(["--pid", &id, &limit]).output().expect("prlimit can be started");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
}
