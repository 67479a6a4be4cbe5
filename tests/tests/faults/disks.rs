//! Small disks of a test: a tmpfs, or ext4 in a file. Both need the right to mount; without it a test says what it leaves
//! out. What was mounted is unmounted when it is dropped.

use std::path::{Path, PathBuf};
use std::process::Command;

use paramedic_tests::peers;
use paramedic_tests::scratch::Scratch;

pub(crate) struct Disk {
    path: PathBuf,
    image: Option<PathBuf>,
    // Dropped last: the mount stands in it.
    _folder: Scratch,
}

impl Disk {
    /// A tmpfs of that size; `None` where mounting is not permitted, which is said.
    pub(crate) fn tmpfs(size: &str) -> Option<Self> {
        let (folder, path) = place();
        mounted(&["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"], &path)?;
        Some(Self { path, image: None, _folder: folder })
    }

    /// ext4 in a file of so many MiB; `None` where that is not permitted, which is said.
    pub(crate) fn ext4(mebibytes: u64) -> Option<Self> {
        let (folder, path) = place();
        let image = folder.write("image", "");
        let file = std::fs::File::options().write(true).open(&image).expect("it was made");
        file.set_len(mebibytes << 20).expect("a sparse file");
        let mut make = Command::new("mkfs.ext4");
        if let Err(why) = done(make.args(["-q", "-F"]).arg(&image)) {
            peers::leave_out(&format!("no disk that turns read-only: {why}"));
            return None;
        }
        mounted(&["-o", "loop", &image.display().to_string()], &path)?;
        Some(Self { path, image: Some(image), _folder: folder })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What the kernel does to ext4 when its device fails: every write is refused from now on (EROFS).
    pub(crate) fn turns_read_only(&self) {
        let told = done(Command::new("mount").args(["-o", "remount,abort"]).arg(&self.path));
        told.expect("whoever may mount may do that");
    }

    /// Takes it away and gives it back, repaired, to be written again. Nobody may have files open on it.
    pub(crate) fn is_repaired(&self) {
        let image = self.image.as_ref().expect("only what has a file can be mounted again");
        done(Command::new("umount").arg(&self.path)).expect("nobody uses it");
        let options = ["-o", "loop", &image.display().to_string()];
        done(Command::new("mount").args(options).arg(&self.path)).expect("its log is replayed");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: the daemon of a test that failed may still have files open on it.
        if let Err(why) = done(Command::new("umount").arg("--lazy").arg(&self.path)) {
            eprintln!("{} is left mounted: {why}", self.path.display());
        }
    }
}

fn place() -> (Scratch, PathBuf) {
    let folder = Scratch::new("disk");
    let path = folder.path().join("mounted");
    std::fs::create_dir(&path).expect("a folder can be made");
    (folder, path)
}

fn mounted(arguments: &[&str], path: &Path) -> Option<()> {
    match done(Command::new("mount").args(arguments).arg(path)) {
        Ok(()) => Some(()),
        Err(why) => {
            peers::leave_out(&format!("a disk of its own, which needs the right to mount: {why}"));
            None
        }
    }
}

fn done(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}
