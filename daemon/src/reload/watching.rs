//! Watches the policy files and the configuration, and says that something changed. What changed is not its business:
//! everything is read again, and an unchanged set is no new book. It is made anew before each reading, since a watch
//! stays with a folder that was moved away. Where it sees nothing, the look at each minute still does.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

use notify::{Event, EventKind, RecursiveMode, Watcher};
use tokio::sync::mpsc::WeakSender;

use super::Asker;

/// Links on the way to one path; more are a circle.
const LINKS_MAX: usize = 40;

/// Watches as long as it lives.
#[derive(Debug)]
pub(super) struct Watching {
    _watcher: notify::RecommendedWatcher,
}

impl Watching {
    /// Begins to watch these paths, those that are not there yet included.
    ///
    /// # Errors
    /// Where the system refuses.
    pub(super) fn begin(paths: &[PathBuf], asks: WeakSender<Option<Asker>>) -> notify::Result<Self> {
        let places = places(paths);
        let seen = places.clone();
        let taken = move |event: notify::Result<Event>| match event {
            // Reading the files ourselves is no change.
            Ok(Event { kind: EventKind::Access(_), .. }) => {}
            Ok(event) if !event.paths.iter().any(|path| counts(&seen, path)) && !event.need_rescan() => {}
            Ok(_) | Err(_) => {
                // A full queue holds a reload already.
                drop(asks.upgrade().map(|asks| asks.try_send(None)));
            }
        };
        let mut watcher = notify::recommended_watcher(taken)?;
        for (folder, names) in &places {
            match (watcher.watch(folder, RecursiveMode::NonRecursive), names) {
                (Ok(()), _) => {}
                // Whoever may read the files need not be allowed to list every folder above them.
                (Err(error), Names::These(_)) => {
                    tracing::debug!(folder = %folder.display(), %error, "not watched")
                }
                (Err(error), Names::All) => return Err(error),
            }
        }
        Ok(Self { _watcher: watcher })
    }
}

/// Which names count in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Names {
    All,
    These(BTreeSet<OsString>),
}

type Places = BTreeMap<PathBuf, Names>;

/// Whether a change of this path may be one of ours.
fn counts(places: &Places, path: &Path) -> bool {
    // What happened to a watched folder itself bears the folder's own name.
    if matches!(places.get(path), Some(Names::All)) {
        return true;
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return true };
    match places.get(folder) {
        Some(Names::All) => true,
        Some(Names::These(names)) => names.contains(name),
        None => false,
    }
}

/// What to watch for these paths: in each folder on the way the name that leads on, links followed, and of a folder of
/// policies all names.
fn places(paths: &[PathBuf]) -> Places {
    let mut places = Places::new();
    for path in paths {
        if let Ok(path) = std::path::absolute(path) {
            along(&path, &mut places);
        }
    }
    places
}

fn along(path: &Path, places: &mut Places) {
    let mut ahead = names(path);
    let (mut at, mut links) = (PathBuf::from("/"), 0);
    while let Some(name) = ahead.pop_front() {
        if name == ".." {
            at.pop();
            continue;
        }
        match places.entry(at.clone()).or_insert_with(|| Names::These(BTreeSet::new())) {
            Names::All => {}
            Names::These(names) => drop(names.insert(name.clone())),
        }
        let next = at.join(&name);
        let is_link = match std::fs::symlink_metadata(&next) {
            Ok(data) => data.is_symlink(),
            // It will be seen when it comes.
            Err(_) => return,
        };
        if !is_link {
            at = next;
            continue;
        }
        links += 1;
        let Ok(target) = std::fs::read_link(&next) else { return };
        if links > LINKS_MAX {
            return;
        }
        if target.is_absolute() {
            at = PathBuf::from("/");
        }
        for name in names(&target).into_iter().rev() {
            ahead.push_front(name);
        }
    }
    if at.is_dir() {
        places.insert(at, Names::All);
    }
}

/// The names of a path, without its root.
fn names(path: &Path) -> VecDeque<OsString> {
    let name = |component: Component<'_>| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsStr::new("..").to_owned()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn these(names: &[&str]) -> Names {
        Names::These(names.iter().map(OsString::from).collect())
    }

    #[test]
    fn each_folder_on_the_way_is_watched_for_the_name_that_leads_on() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let root = folder.path().canonicalize().expect("it is there");
        let path = |name: &str| root.join(name);
        std::fs::create_dir_all(path("mount/..2026")).expect("a folder can be made");
        std::fs::write(path("mount/..2026/paramedic.yaml"), "").expect("a file can be written");
        std::os::unix::fs::symlink("..2026", path("mount/..data")).expect("a link can be made");
        std::os::unix::fs::symlink("..data/paramedic.yaml", path("mount/paramedic.yaml"))
            .expect("a link can be made");
        let places = places(&[path("mount/paramedic.yaml"), path("mount"), path("later/policies")]);
        assert_eq!(places.get(&root), Some(&these(&["later", "mount"])));
        assert_eq!(places.get(&path("mount")), Some(&Names::All));
        assert_eq!(places.get(&path("mount/..2026")), Some(&these(&["paramedic.yaml"])));
        assert!(!places.contains_key(&path("later")), "it is not there yet");
        assert!(counts(&places, &path("later")) && counts(&places, &path("mount/..data")));
        assert!(!counts(&places, &path("log")), "a neighbour is nothing to us");
    }

    #[test]
    fn a_circle_of_links_ends() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        std::os::unix::fs::symlink("b", folder.path().join("a")).expect("a link can be made");
        std::os::unix::fs::symlink("a", folder.path().join("b")).expect("a link can be made");
        assert!(!places(&[folder.path().join("a")]).is_empty());
    }
}
