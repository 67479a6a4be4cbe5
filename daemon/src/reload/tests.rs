//! Sets of files that load, that do not, and what stays in force.

use super::*;
use crate::clock::SystemClock;

mod seeing;

const POLICY: &str = r#"
apiVersion: paramedic.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: restart-web}
spec:
  match: ['alertname="WebDown"']
  target: {kind: Deployment, namespace: "{{ labels.namespace }}", name: web}
  ladder:
    - restart: {}
"#;

struct Fixture {
    folder: tempfile::TempDir,
    begun: Begun,
}

fn begin(files: &[(&str, &str)]) -> Fixture {
    let folder = tempfile::tempdir().expect("a folder can be made");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("a file can be written");
    }
    let path = folder.path().to_owned();
    let want: Want = Arc::new(move || Ok(Wanted { policies: vec![path.clone()], ..Wanted::default() }));
    let metrics = Arc::new(Metrics::default());
    let begun = Reloader::begin(
        want,
        Mode::Enforce,
        Box::new(TokensOut::default),
        Arc::new(SystemClock::new()),
        metrics,
    );
    Fixture { folder, begun }
}

impl Fixture {
    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).expect("a file can be written");
    }
}

#[tokio::test]
async fn a_broken_new_set_is_refused_whole_and_the_old_one_stays() {
    let fixture = begin(&[("a.yaml", POLICY)]);
    let old = fixture.begun.book.borrow().clone().expect("it loads");
    fixture.write("b.yaml", &POLICY.replace("restart-web", "other"));
    fixture.write("c.yaml", "kind: RemediationPolicy\nspec: [");
    let Begun { reloader, reloads, book, status } = fixture.begun;
    let task = tokio::spawn(reloader.run());
    let problems = reloads.now("jane").await.expect_err("c.yaml is broken");
    assert!(problems[0].contains("c.yaml"), "{problems:?}");
    assert_eq!(book.borrow().clone(), Some(old));
    assert!(status.borrow().broken.is_some());
    std::fs::remove_file(fixture.folder.path().join("c.yaml")).expect("it is there");
    let loaded = reloads.now("jane").await.expect("it loads");
    assert_eq!((loaded.policies, loaded.changed), (2, true));
    assert_eq!(book.borrow().as_ref().and_then(|new| new.by.clone()), Some("jane".to_owned()));
    assert_eq!(status.borrow().broken, None);
    assert!(!reloads.now("jane").await.expect("it loads").changed, "the same set is no new book");
    drop(reloads);
    task.await.expect("the task ends when nobody can ask");
}

#[tokio::test]
async fn a_change_is_seen() {
    let fixture = begin(&[("a.yaml", POLICY)]);
    let Begun { reloader, reloads: _reloads, mut book, .. } = fixture.begun;
    let task = tokio::spawn(reloader.watching().run());
    book.borrow_and_update();
    // As kubelet swaps a ConfigMap: a new file beside, then a rename over the old one.
    let beside = fixture.folder.path().join("..new");
    std::fs::write(&beside, POLICY.replace("restart-web", "renamed")).expect("a file can be written");
    std::fs::rename(&beside, fixture.folder.path().join("a.yaml")).expect("it can be renamed");
    tokio::time::timeout(Duration::from_secs(20), book.changed()).await.expect("in time").expect("it lives");
    assert!(book.borrow().clone().expect("it loads").source.files[0].text.contains("renamed"));
    task.abort();
}

#[test]
fn hidden_and_other_files_are_left_out_and_the_rest_is_sorted() {
    let fixture = begin(&[("b.yml", POLICY), ("a.yaml", ""), (".c.yaml", "]"), ("README.md", "]")]);
    let source = source(&[fixture.folder.path().to_owned()], &Settings::default()).expect("readable");
    let names: Vec<_> =
        source.files.iter().map(|file| file.path.rsplit('/').next().unwrap_or_default().to_owned()).collect();
    assert_eq!(names, ["a.yaml", "b.yml"]);
}

#[test]
fn a_missing_path_is_a_problem_and_no_empty_set() {
    let gone = PathBuf::from("/nonexistent/policies");
    let problems = source(&[gone], &Settings::default()).expect_err("it is not there");
    assert!(problems[0].contains("/nonexistent/policies"), "{problems:?}");
}

#[tokio::test]
async fn an_emptied_folder_keeps_the_book_in_force_and_says_so() {
    let fixture = begin(&[("a.yaml", POLICY)]);
    let old = fixture.begun.book.borrow().clone().expect("it loads");
    let Begun { reloader, reloads, book, status } = fixture.begun;
    let metrics = Arc::clone(&reloader.metrics);
    let task = tokio::spawn(reloader.run());
    for emptied in ["", "# nothing any more\n"] {
        std::fs::write(fixture.folder.path().join("a.yaml"), emptied).expect("a file can be written");
        let problems = reloads.now("jane").await.expect_err("no policy is left");
        assert!(problems[0].contains("there is no policy (hint: "), "{problems:?}");
        assert_eq!(book.borrow().clone(), Some(old.clone()));
        assert!(status.borrow().broken.as_ref().is_some_and(|broken| broken.problems == problems));
        assert!(metrics.text(0).contains("paramedic_reload_broken 1"));
    }
    drop(reloads);
    task.await.expect("the task ends when nobody can ask");
}

#[tokio::test]
async fn no_paths_any_more_is_no_empty_book_either() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    std::fs::write(folder.path().join("a.yaml"), POLICY).expect("a file can be written");
    let paths = Arc::new(std::sync::Mutex::new(vec![folder.path().to_owned()]));
    let named = Arc::clone(&paths);
    let want: Want = Arc::new(move || {
        Ok(Wanted { policies: named.lock().expect("no panics").clone(), ..Wanted::default() })
    });
    let begun = Reloader::begin(
        want,
        Mode::Enforce,
        Box::new(TokensOut::default),
        Arc::new(SystemClock::new()),
        Arc::new(Metrics::default()),
    );
    let task = tokio::spawn(begun.reloader.run());
    paths.lock().expect("no panics").clear();
    let problems = begun.reloads.now("jane").await.expect_err("no policy is left");
    assert!(
        problems[0].contains("the new set holds no policy, and 1 of before are in force"),
        "{problems:?}"
    );
    drop(begun.reloads);
    task.await.expect("the task ends when nobody can ask");
}

#[test]
fn what_looks_like_a_policy_and_is_not_read_is_named() {
    let fixture = begin(&[
        ("a.yaml", POLICY),
        ("b.YAML", "]"),
        ("c.yml~", "]"),
        ("d.yaml.bak", "]"),
        ("e.json", "]"),
        ("second.ymal", "]"),
        ("notes.md", "]"),
        ("OWNERS", "]"),
        (".hidden.yaml", "]"),
    ]);
    let folder = fixture.folder.path();
    std::fs::create_dir(folder.join("more.yaml")).expect("a folder can be made");
    std::fs::create_dir(folder.join("..2026_11_21")).expect("a folder can be made");
    std::os::unix::fs::symlink("nowhere", folder.join("f.yaml")).expect("a link can be made");
    std::os::unix::fs::symlink("/dev/null", folder.join("g.yaml")).expect("a link can be made");
    std::os::unix::fs::symlink("a.yaml", folder.join("h.yaml")).expect("a link can be made");
    let found = found(&[folder.to_owned()], &Settings::default()).expect("readable");
    let names: Vec<_> =
        found.source.files.iter().map(|file| file.path.rsplit('/').next().unwrap_or_default()).collect();
    assert_eq!(names, ["a.yaml", "h.yaml"], "a link to a file is followed");
    assert!(found.left_out.iter().all(|problem| !problem.is_error()));
    let text: Vec<String> = found.left_out.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(text.join("\n").replace(&folder.display().to_string(), "DIR"));
}

#[test]
fn a_path_that_is_no_file_is_refused_and_not_waited_for() {
    let problems = source(&["/dev/zero".into()], &Settings::default()).expect_err("it never ends");
    assert!(problems[0].contains("is neither a file nor a folder"), "{problems:?}");
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_a_slow_reading_is_told() {
    let mut told = Vec::new();
    let slow = tokio::time::sleep(Duration::from_secs(100));
    told_each(STILL_AT_IT, slow, |for_s| told.push(for_s)).await;
    assert_eq!(told, [30, 60, 90]);
    told_each(STILL_AT_IT, async {}, |_| panic!("nobody waits")).await;
}
