//! `journal.json`: the journal's uuid and the versions it needs. Read before anything else is touched, so that an older
//! program leaves a newer journal as it is.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use paramedic_policies::event::SCHEMA;
use serde::{Deserialize, Serialize};

use super::error::{IDENTITY, OpenError, ReadError};

/// The layout that this program reads and writes.
pub(super) const FORMAT: u32 = 1;

/// What a journal is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Meta {
    /// Layout of directory, keys and blocks.
    pub(super) format: u32,
    /// The newest record schema that may be in it.
    pub(super) record_schema: u32,
    /// Names this journal for ever; part of every stamp.
    pub(super) uuid: String,
}

fn path(dir: &Path) -> PathBuf {
    dir.join(IDENTITY)
}

/// Reads it; `None` where there is none. Fails without touching anything when it is newer than this program.
pub(super) fn read(dir: &Path) -> Result<Option<Meta>, OpenError> {
    let path = path(dir);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ReadError::io("read", &path)(error).into()),
    };
    let newer = |what, has, reads| Err(OpenError::Newer { dir: dir.to_owned(), what, has, reads });
    // The versions first: whatever else a newer file says is for a newer program.
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Versions {
        format: u32,
        #[serde(default)]
        record_schema: u32,
    }
    let unreadable = |error: serde_json::Error| ReadError::Damaged {
        dir: dir.to_owned(),
        what: IDENTITY.to_owned(),
        problem: format!("its {} bytes are not what was written: {error}", bytes.len()),
    };
    let versions: Versions = serde_json::from_slice(&bytes).map_err(unreadable)?;
    if versions.format > FORMAT {
        return newer("format", versions.format, FORMAT);
    }
    if versions.record_schema > SCHEMA {
        return newer("record schema", versions.record_schema, SCHEMA);
    }
    Ok(Some(serde_json::from_slice(&bytes).map_err(unreadable)?))
}

/// Writes it so that either the old or the new one is there, whatever happens.
pub(super) fn write(dir: &Path, meta: &Meta) -> Result<(), ReadError> {
    let (path, new) = (path(dir), dir.join("journal.json.new"));
    let mut text = serde_json::to_vec_pretty(meta).expect("plain data is always written");
    text.push(b'\n');
    let write = || {
        let mut file = File::create(&new)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&new, &path)
    };
    write().map_err(ReadError::io("write", &path))?;
    sync_dir(dir)
}

/// Makes names in a directory durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), ReadError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(ReadError::io("sync directory", dir))
}

/// A new journal's description, with a random uuid (version 4).
pub(super) fn create() -> Result<Meta, ReadError> {
    let source = Path::new("/dev/urandom");
    let mut bytes = [0_u8; 16];
    File::open(source)
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(ReadError::io("read randomness from", source))?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let uuid = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-");
    Ok(Meta { format: FORMAT, record_schema: SCHEMA, uuid })
}
