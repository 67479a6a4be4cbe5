//! Tells people what the demo's daemon does while it does it, from its own journal. Knows nothing that is not in a
//! record or in the simulated world.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use paramedic_policies::action::{Mode, Outcome};
use paramedic_policies::event::{Event, Record, Seq};
use paramedic_simulations::transcript;
use tokio::time::Instant;

use crate::driver::Inbox;
use crate::journal::Filter;

/// How often the journal is read.
const READ_EVERY: Duration = Duration::from_millis(100);

/// Says one line after the other, each with the seconds since the beginning.
#[derive(Clone)]
pub(super) struct Narrator {
    inbox: Inbox,
    told: Arc<Mutex<Told>>,
    began: Instant,
}

#[derive(Default)]
struct Told {
    records: Vec<Record>,
    rehearsals: BTreeSet<Seq>,
}

impl Narrator {
    pub(super) fn new(inbox: Inbox) -> Self {
        Self { inbox, told: Arc::default(), began: Instant::now() }
    }

    /// Tells everything that becomes durable, for ever.
    pub(super) async fn run(self) {
        loop {
            self.catch_up().await;
            tokio::time::sleep(READ_EVERY).await;
        }
    }

    async fn catch_up(&self) {
        let Some(archive) = self.inbox.archive() else { return };
        let after = self.told().records.last().map(|record| record.seq);
        let Ok(page) = archive.query(Filter { after, ..Filter::default() }).await else { return };
        for record in page.items {
            for line in self.lines(&record) {
                self.say(&line);
            }
            self.told().records.push(record);
        }
    }

    /// A line in its place in time.
    pub(super) fn say(&self, text: &str) {
        print(&format!("{:>6.1}s  {text}", self.began.elapsed().as_secs_f64()));
    }

    /// Looks at what was told so far.
    pub(super) fn with<T>(&self, look: impl FnOnce(&[Record]) -> T) -> T {
        look(&self.told().records)
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn lines(&self, record: &Record) -> Vec<String> {
        match &record.event {
            Event::Opened { labels, .. } => {
                let name = |label: &str| labels.get(label).map_or("-", String::as_str);
                let about = labels.get("deployment").or(labels.get("database")).map_or("-", String::as_str);
                vec![format!("alert     {} for {}/{about}", name("alertname"), name("namespace"))]
            }
            Event::Intended { intent } => {
                if intent.mode == Mode::DryRun {
                    self.told().rehearsals.insert(intent.id);
                }
                let takes_back = if intent.reverts.is_some() { "take back: " } else { "" };
                vec![format!("intent    {}: {takes_back}{} {}", intent.id, intent.action, intent.target)]
            }
            Event::Ended { intent, outcome: Outcome::Done { diff: Some(diff), .. } } => {
                let would = self.told().rehearsals.contains(intent);
                let verb = if would { "would change" } else { "changed" };
                let fields = diff.fields.iter();
                fields
                    .map(|field| {
                        format!("effect    {verb} {}: {} -> {}", field.path, field.before, field.after)
                    })
                    .collect()
            }
            Event::Ruled { .. } => {
                transcript::line(&record.event).map(|line| format!("decision  {line}")).into_iter().collect()
            }
            Event::Verified { .. } => {
                transcript::line(&record.event).map(|line| format!("verified  {line}")).into_iter().collect()
            }
            event => transcript::line(event).map(|line| format!("          {line}")).into_iter().collect(),
        }
    }
}

/// A line for people; whoever has closed the other end wants none.
pub(super) fn print(line: &str) {
    drop(writeln!(std::io::stdout(), "{line}"));
}
