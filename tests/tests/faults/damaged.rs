//! Bytes of the journal flipped while the daemon is down: it refuses to start and names the partition and what to do, or it
//! starts and nothing is missing. It never acts on half a past.

use std::path::{Path, PathBuf};

use paramedic_tests::paramedic::Paramedic;
use paramedic_tests::tls;
use paramedic_tests::waiting::eventually;

use crate::scene::{SOON, Scene};

const FLIPS: usize = 8;

#[tokio::test]
async fn a_damaged_journal_is_refused_by_name_or_whole_and_never_acted_upon_in_part() {
    let scene = Scene::set().await;
    let mut paramedic = scene.plan("{}", "[]").start().await;
    for breaker in ["one", "two", "three"] {
        scene.acts(&paramedic, breaker).await;
    }
    scene.holds(&paramedic).await;
    // Were its reset forgotten with the end of the journal, it would be done again now.
    for breaker in ["one", "two", "three"] {
        scene.breakers.set_breaker(breaker, "OPEN");
    }
    let resets = scene.breakers.resets().len();
    paramedic.kill();

    let db = db(&paramedic.data_dir());
    let whole = copy(&paramedic.data_dir());
    let used =
        std::fs::read(&db).expect("it can be read").iter().rposition(|byte| *byte != 0).expect("written");
    let mut refused = 0;
    for flip in 0..FLIPS {
        let mut bytes = std::fs::read(&db).expect("it can be read");
        bytes[flip * used / FLIPS + 1] ^= 0x10;
        std::fs::write(&db, bytes).expect("it can be written");
        let earlier = paramedic.process().log().len();
        paramedic.relaunch();
        match starts(&mut paramedic).await {
            true => scene.holds(&paramedic).await,
            false => {
                let log = paramedic.process().log().split_off(earlier);
                let name = db.parent().and_then(Path::file_name).expect("a partition is a folder");
                assert!(log.contains(&*name.to_string_lossy()), "flip {flip}: {log}");
                assert!(log.contains("hint: "), "flip {flip}: {log}");
                refused += 1;
            }
        }
        assert_eq!(scene.breakers.resets().len(), resets, "flip {flip}: something was done");
        paramedic.kill();
        put_back(&whole);
    }
    assert!(refused > 0, "no flip was noticed: the test flips nothing that counts");

    paramedic.restart().await;
    scene.acts(&paramedic, "after").await;
    scene.holds(&paramedic).await;
}

/// Whether it becomes ready; if not, it has ended with a failure.
async fn starts(paramedic: &mut Paramedic) -> bool {
    let url = format!("{}/readyz", paramedic.admin_url());
    eventually(SOON, "it starts or refuses to", async || {
        if let Some(status) = paramedic.process().ended() {
            assert!(!status.success(), "{status}");
            return Ok(false);
        }
        let answer = tls::http().get(&url).send().await.map_err(|error| error.to_string())?;
        if answer.status().is_success() { Ok(true) } else { Err(answer.status().to_string()) }
    })
    .await
}

fn db(data: &Path) -> PathBuf {
    let mut partitions = std::fs::read_dir(data.join("partitions")).expect("there are partitions");
    partitions.next().expect("one").expect("it can be listed").path().join("db")
}

/// Every file below, with its bytes.
fn copy(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("it can be listed") {
        let path = entry.expect("it can be listed").path();
        match path.is_dir() {
            true => files.extend(copy(&path)),
            false => files.push((path.clone(), std::fs::read(&path).expect("it can be read"))),
        }
    }
    files
}

fn put_back(files: &[(PathBuf, Vec<u8>)]) {
    for (path, bytes) in files {
        // What a start has made beside them is not of the past.
        let folder = path.parent().expect("a file is in a folder");
        for entry in std::fs::read_dir(folder).expect("it can be listed") {
            let there = entry.expect("it can be listed").path();
            if there.is_file() && !files.iter().any(|(path, _)| *path == there) {
                std::fs::remove_file(there).expect("it can be removed");
            }
        }
        std::fs::write(path, bytes).expect("it can be written");
    }
}
