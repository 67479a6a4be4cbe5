//! Where the journal's records are read: through a daemon's API, or from the data directory of one that is stopped.
//! It adds nothing to either; but sled, as it opens a folder, cuts a damaged end off.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use paramedic_policies::event::{Record, Seq};
use paramedic_policies::state::State;
use serde::Deserialize;
use serde_json::Value;

use super::beside::Input;
use super::failure::Failure;
use super::progress::Watched;
use crate::causes::causes;
use crate::client::{Client, ClientError};
use crate::journal::{Filter, OpenError, ReadError, Reader};

/// Where the daemon is, for every command that talks to one.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct ServerArgs {
    /// The daemon's address, as in `serve --listen`.
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:9911",
        help_heading = "Where the daemon is"
    )]
    pub server: String,
    /// File with the token to show; not needed where the API is open on loopback.
    #[arg(long, value_name = "FILE", help_heading = "Where the daemon is")]
    pub token_file: Option<PathBuf>,
}

/// Where the journal is.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct JournalArgs {
    /// The daemon, when one runs.
    #[command(flatten)]
    pub server: ServerArgs,
    /// Read this data directory instead; only while no daemon runs on it.
    #[arg(long, value_name = "DIR", help_heading = "Where the daemon is")]
    pub data_dir: Option<PathBuf>,
}

impl ServerArgs {
    /// A client of the daemon.
    ///
    /// # Errors
    /// When the URL or the token file cannot be used.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        Ok(Client::new(&self.server, self.token_file.as_deref())?)
    }
}

impl JournalArgs {
    /// The journal, for reading.
    ///
    /// # Errors
    /// When it cannot be opened, or the client not be set up.
    pub(crate) fn open(&self) -> Result<Box<dyn Records>, Failure> {
        match &self.data_dir {
            Some(dir) => Ok(Box::new(Directory { reader: open(dir)? })),
            None => Ok(Box::new(self.server.client()?)),
        }
    }
}

impl JournalArgs {
    /// The files that are read.
    pub(crate) fn reads(&self) -> impl Iterator<Item = Input<'_>> {
        let token = self.server.token_file.iter().map(|path| Input::Read(path));
        token.chain(self.data_dir.iter().map(|path| Input::Whole(path)))
    }

    /// The journal, for reading a lot of it: on a terminal, how far that is.
    ///
    /// # Errors
    /// When it cannot be opened, or the client not be set up.
    pub(crate) fn open_watched(&self) -> Result<Box<dyn Records>, Failure> {
        Watched::open(|| self.open())
    }
}

/// One page of records.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Listed {
    /// The records.
    pub items: Vec<Record>,
    /// What to give as `after` for the page that follows.
    pub next: Option<Seq>,
}

/// Reads records.
#[async_trait]
pub(crate) trait Records: Send + Sync {
    /// One page.
    ///
    /// # Errors
    /// When the question is wrong or reading fails.
    async fn page(&self, filter: &Filter) -> Result<Listed, Failure>;

    /// One record; `None` where there is none.
    ///
    /// # Errors
    /// When reading fails.
    async fn one(&self, seq: Seq) -> Result<Option<Record>, Failure>;

    /// The state before the oldest record; `None` where that cannot be had.
    ///
    /// # Errors
    /// When reading fails.
    async fn oldest_state(&self) -> Result<Option<State>, Failure> {
        Ok(None)
    }

    /// Computes every root of the journal again.
    ///
    /// # Errors
    /// When reading fails; a damaged journal is no error here, but in the report.
    async fn verify(&self) -> Result<Value, Failure>;
}

impl dyn Records + '_ {
    /// All pages together, at most `most` records; whether there would be more.
    pub(super) async fn all(&self, filter: &Filter, most: usize) -> Result<(Vec<Record>, bool), Failure> {
        let mut filter = filter.clone();
        let mut found = Vec::new();
        loop {
            filter.limit = Some(PAGE.min(most - found.len()).max(1));
            let Listed { items, next } = self.page(&filter).await?;
            found.extend(items);
            match next {
                Some(next) if found.len() < most => filter.after = Some(next),
                next => return Ok((found, next.is_some())),
            }
        }
    }
}

/// Records of one page: an answer of the daemon is built in its memory and ours.
pub(in crate::cli) const PAGE: usize = 1000;

/// A data directory.
struct Directory {
    reader: Reader,
}

fn open(dir: &Path) -> Result<Reader, Failure> {
    Reader::open(dir).map_err(|error| {
        let hint = error.hint();
        let text = causes(&error);
        match &error {
            OpenError::InUse { .. } => Failure::users(format!("{text}: a daemon is running")).hint(
                "leave out --data-dir to read through the daemon (--server, default http://127.0.0.1:9911), or stop it",
            ),
            OpenError::NoJournal { .. } | OpenError::Newer { .. } | OpenError::Lost { .. } => {
                Failure::users(text).maybe_hint(hint)
            }
            OpenError::Read(_) | OpenError::Write(_) => Failure::ours(text).maybe_hint(hint),
        }
    })
}

#[async_trait]
impl Records for Directory {
    async fn page(&self, filter: &Filter) -> Result<Listed, Failure> {
        let page = self.reader.query(filter)?;
        Ok(Listed { items: page.items, next: page.next })
    }

    async fn one(&self, seq: Seq) -> Result<Option<Record>, Failure> {
        Ok(self.reader.record(seq)?)
    }

    async fn oldest_state(&self) -> Result<Option<State>, Failure> {
        Ok(Some(self.reader.oldest_state()?))
    }

    async fn verify(&self) -> Result<Value, Failure> {
        let report = self.reader.verify();
        serde_json::to_value(report)
            .map_err(|error| Failure::ours(format!("could not write the report: {error}")))
    }
}

#[derive(Deserialize)]
struct Answered {
    items: Vec<Record>,
    /// A sequence, as a number or as text.
    #[serde(default)]
    next: Value,
}

#[async_trait]
impl Records for Client {
    async fn page(&self, filter: &Filter) -> Result<Listed, Failure> {
        let Answered { items, next } = self.get("/api/v1/records", filter).await?;
        let next = next.as_u64().or_else(|| next.as_str().and_then(|text| text.parse().ok()));
        Ok(Listed { items, next: next.map(Seq) })
    }

    async fn one(&self, seq: Seq) -> Result<Option<Record>, Failure> {
        match self.get(&format!("/api/v1/records/{seq}"), &()).await {
            Ok(record) => Ok(Some(record)),
            Err(ClientError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn verify(&self) -> Result<Value, Failure> {
        Ok(self.get("/api/v1/verify", &()).await?)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let failure = if error.is_askers_fault() { Self::users } else { Self::ours };
        failure(error.to_string()).maybe_hint(error.hint())
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Self::ours(causes(&error)).maybe_hint(error.hint())
    }
}
