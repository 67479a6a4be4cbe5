//! A disk that turns read-only, as ext4 does when its device fails: nothing acts, a start is refused and says why, and when
//! the disk is repaired nothing acknowledged is missing.

use crate::disks::Disk;
use crate::scene::{A_WHILE, SOON, Scene, unready};

#[tokio::test]
async fn on_a_disk_that_turns_read_only_nothing_acts_and_nothing_acknowledged_is_lost() {
    // Where nobody may mount, `full` shows the same of writes that are refused.
    let Some(disk) = Disk::ext4(64) else { return };
    let scene = Scene::set().await;
    let plan = scene.plan("{}", "[]").data_dir(&disk.path().join("data"));
    let mut paramedic = plan.start().await;
    scene.acts(&paramedic, "before").await;

    disk.turns_read_only();
    assert_eq!(scene.opens(&paramedic, "meanwhile").await, 503);
    let says = unready(&paramedic).await;
    // A write is refused, or, where it was taken before the device failed, its sync.
    let words = ["Read-only file system", "Input/output error"];
    assert!(words.iter().any(|words| says.contains(words)), "{says}");
    scene.stays_open("meanwhile", A_WHILE).await;

    // A start on such a disk.
    let earlier = paramedic.process().log().len();
    paramedic.relaunch();
    let ended = paramedic.process().ends(SOON).await;
    let log = paramedic.process().log().split_off(earlier);
    assert!(!ended.success(), "{log}");
    let data = disk.path().join("data").display().to_string();
    assert!(log.contains(&data) && log.contains("Read-only file system"), "{log}");
    assert!(log.contains("hint: the data directory must be writable"), "{log}");
    scene.stays_open("meanwhile", A_WHILE / 4).await;

    disk.is_repaired();
    paramedic.restart().await;
    scene.acts(&paramedic, "meanwhile").await;
    scene.acts(&paramedic, "after").await;
    scene.holds(&paramedic).await;
    paramedic.kill();
}
