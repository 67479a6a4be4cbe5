//! Changes that are seen: of folders that are moved, made later, swapped as kubelet does, named anew; and without a watch
//! at the next look.

use std::os::unix::fs::symlink;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// Above what a look takes.
const PATIENCE: Duration = Duration::from_secs(90);

/// A task that reads what can be changed under it.
struct Seeing {
    folder: tempfile::TempDir,
    wanted: Arc<Mutex<Wanted>>,
    readings: Arc<AtomicUsize>,
    begun: Option<Begun>,
    book: watch::Receiver<Option<NewBook>>,
    status: watch::Receiver<BookStatus>,
    reloads: Reloads,
}

impl Seeing {
    /// Of `policies` in a folder that these links and files have been made in.
    fn of(make: impl FnOnce(&std::path::Path)) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        make(folder.path());
        let wanted = Wanted { policies: vec![folder.path().join("policies")], ..Wanted::default() };
        let wanted = Arc::new(Mutex::new(wanted));
        let named = Arc::clone(&wanted);
        let want: Want = Arc::new(move || Ok(named.lock().expect("no panics").clone()));
        let readings = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&readings);
        let also: Also = Box::new(move || {
            counted.fetch_add(1, Ordering::SeqCst);
            TokensOut::default()
        });
        let metrics = Arc::new(Metrics::default());
        let begun = Reloader::begin(want, Mode::Enforce, also, Arc::new(SystemClock::new()), metrics);
        let (book, status) = (begun.book.clone(), begun.status.clone());
        let reloads = begun.reloads.clone();
        Self { folder, wanted, readings, begun: Some(begun), book, status, reloads }
    }

    /// Runs, told of changes by the system.
    fn watching(mut self) -> Self {
        let begun = self.begun.take().expect("once");
        tokio::spawn(begun.reloader.watching().run());
        self
    }

    /// Runs, and looks.
    fn looking(mut self) -> Self {
        let begun = self.begun.take().expect("once");
        tokio::spawn(begun.reloader.run());
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Waits until the book in force has a policy of this name.
    async fn until(&mut self, name: &str) {
        let wanted = format!("name: {name}}}");
        let has = |book: &Option<NewBook>| {
            book.as_ref().is_some_and(|book| book.source.files.iter().any(|file| file.text.contains(&wanted)))
        };
        let seen = tokio::time::timeout(PATIENCE, self.book.wait_for(has)).await;
        drop(seen.unwrap_or_else(|_| panic!("{name} is not seen")).expect("the task lives"));
    }
}

fn policy(name: &str) -> String {
    POLICY.replace("restart-web", name)
}

fn written(path: PathBuf, text: &str) {
    std::fs::write(path, text).expect("a file can be written");
}

fn a_folder(folder: &std::path::Path, name: &str, of: &str) {
    std::fs::create_dir_all(folder.join(name)).expect("a folder can be made");
    written(folder.join(name).join("a.yaml"), &policy(of));
}

#[tokio::test]
async fn a_folder_that_another_takes_the_place_of_is_watched_again() {
    let mut seeing = Seeing::of(|root| a_folder(root, "policies", "first")).watching();
    seeing.until("first").await;
    a_folder(seeing.folder.path(), "new", "second");
    std::fs::rename(seeing.path("policies"), seeing.path("old")).expect("it can be moved");
    std::fs::rename(seeing.path("new"), seeing.path("policies")).expect("it can be moved");
    seeing.until("second").await;
    for name in ["third", "fourth"] {
        written(seeing.path("policies/a.yaml"), &policy(name));
        seeing.until(name).await;
    }
}

#[tokio::test]
async fn a_folder_that_is_made_later_is_watched() {
    let mut seeing = Seeing::of(|_| {});
    seeing.wanted.lock().expect("no panics").policies = vec![seeing.path("later/policies")];
    seeing = seeing.watching();
    assert!(seeing.status.borrow().broken.is_some());
    drop(seeing.reloads.now("jane").await.expect_err("nothing is there"));
    a_folder(seeing.folder.path(), "later/policies", "made");
    seeing.until("made").await;
    assert_eq!(seeing.status.borrow().broken, None);
    written(seeing.path("later/policies/a.yaml"), &policy("edited"));
    seeing.until("edited").await;
}

#[tokio::test]
async fn a_swapped_mount_is_seen_each_time() {
    // As kubelet makes one: each file a link into `..data`, which is a link to a folder of its own for each version.
    let mut seeing = Seeing::of(|root| {
        a_folder(root, "policies/..1", "version-1");
        symlink("..1", root.join("policies/..data")).expect("a link can be made");
        symlink("..data/a.yaml", root.join("policies/a.yaml")).expect("a link can be made");
    })
    .watching();
    seeing.until("version-1").await;
    for version in [2, 3] {
        a_folder(seeing.folder.path(), &format!("policies/..{version}"), &format!("version-{version}"));
        symlink(format!("..{version}"), seeing.path("policies/..tmp")).expect("a link can be made");
        std::fs::rename(seeing.path("policies/..tmp"), seeing.path("policies/..data"))
            .expect("it can be renamed");
        std::fs::remove_dir_all(seeing.path(&format!("policies/..{}", version - 1))).expect("it is there");
        seeing.until(&format!("version-{version}")).await;
    }
}

#[tokio::test]
async fn what_the_configuration_names_now_is_watched_too_and_so_is_the_configuration() {
    let mut seeing = Seeing::of(|root| {
        a_folder(root, "policies", "first");
        written(root.join("paramedic.yaml"), "1");
    });
    let configuration = seeing.path("paramedic.yaml");
    seeing.wanted.lock().expect("no panics").beside = vec![configuration.clone()];
    seeing = seeing.watching();
    seeing.reloads.now("jane").await.expect("it loads");
    a_folder(seeing.folder.path(), "elsewhere", "second");
    seeing.wanted.lock().expect("no panics").policies = vec![seeing.path("elsewhere")];
    written(configuration, "2");
    seeing.until("second").await;
    written(seeing.path("elsewhere/a.yaml"), &policy("third"));
    seeing.until("third").await;
}

#[tokio::test(start_paused = true)]
async fn without_a_watch_a_change_is_seen_at_the_next_look_and_what_is_broken_is_said() {
    let mut seeing = Seeing::of(|root| a_folder(root, "policies", "first")).looking();
    written(seeing.path("policies/a.yaml"), &policy("second"));
    seeing.until("second").await;
    // Nothing changes: nothing is read.
    let before = seeing.readings.load(Ordering::SeqCst);
    tokio::time::sleep(LOOK_EVERY * 10).await;
    assert_eq!(seeing.readings.load(Ordering::SeqCst), before);
    written(seeing.path("policies/a.yaml"), "kind: [");
    let broken = |status: &BookStatus| status.broken.is_some();
    let said = tokio::time::timeout(LOOK_EVERY * 3, seeing.status.wait_for(broken)).await;
    drop(said.expect("within a few looks").expect("the task lives"));
    std::fs::remove_dir_all(seeing.path("policies")).expect("it is there");
    a_folder(seeing.folder.path(), "policies", "mended");
    seeing.until("mended").await;
    assert_eq!(seeing.status.borrow().broken, None);
}
