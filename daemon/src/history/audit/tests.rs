//! Journals of a few records, written by the engine itself.

use paramedic_policies::apply;
use paramedic_policies::event::{Ignored, SCHEMA};

use super::*;

fn at(minutes: i64) -> Moment {
    Moment::from_unix_ms(1_800_000_000_000 + minutes * 60_000)
}

fn labels(name: &str) -> Labels {
    [("alertname".to_owned(), name.to_owned())].into_iter().collect()
}

/// Records with their numbers, from this one on.
#[derive(Default)]
struct Journal(Vec<Record>);

impl Journal {
    fn add(&mut self, minutes: i64, event: Event) -> Seq {
        let seq = Seq(self.0.len() as u64 + 1);
        self.0.push(Record { seq, at: at(minutes), schema: SCHEMA, event });
        seq
    }

    fn received(&mut self, minutes: i64, repeated: Vec<Seq>) {
        let (sender, receiver, group_key, correlation) = Default::default();
        let unreadable = Vec::new();
        self.add(
            minutes,
            Event::Received {
                sender,
                receiver,
                group_key,
                correlation,
                alerts: 1,
                repeated,
                unreadable,
                truncated: 0,
                ignored: Ignored::default(),
            },
        );
    }

    fn opened(&mut self, minutes: i64, name: &str) -> Seq {
        self.received(minutes, Vec::new());
        let labels = labels(name);
        self.add(
            minutes,
            Event::Opened {
                key: paramedic_policies::alert::EpisodeKey::of(&labels, &[]),
                labels,
                annotations: Labels::new(),
                starts_at: at(minutes),
                fingerprint: None,
                correlation: String::new(),
                by_hand: None,
            },
        )
    }

    fn closed(&mut self, minutes: i64, episode: Seq) {
        self.received(minutes, Vec::new());
        self.add(minutes, Event::Closed { episode, why: Closing::Resolved, ended_at: Some(at(minutes)) });
    }
}

struct Records(VecDeque<Record>);

#[async_trait]
impl Stream for Records {
    async fn next(&mut self) -> Result<Option<Record>, HistoryError> {
        Ok(self.0.pop_front())
    }
}

async fn told(audit: &mut Audit) -> Vec<Vec<String>> {
    let mut told = Vec::new();
    while let Some(heard) = audit.next().await.expect("it reads") {
        let minutes = (heard.at.unix_ms() - at(0).unix_ms()) / 60_000;
        let one = |alert: &Alert| format!("{minutes} {} {:?}", alert.name(), alert.status);
        told.push(heard.alerts.iter().map(one).collect());
    }
    told
}

#[tokio::test]
async fn what_was_open_before_the_oldest_record_fires_from_there() {
    let mut journal = Journal::default();
    let (long, over) = (journal.opened(0, "Long"), journal.opened(1, "Over"));
    journal.closed(2, over);
    let pruned = journal.0.len();
    journal.received(240, vec![long]);
    journal.closed(300, long);
    let mut before = State::new();
    journal.0[..pruned].iter().for_each(|record| apply(&mut before, record.at, &record.event));
    let left: VecDeque<Record> = journal.0.split_off(pruned).into();
    let (mut audit, _) = Audit::new(Box::new(Records(left)), Some(before), Span::from_secs(30));
    let wanted = [vec!["240 Long Firing"], vec!["240 Long Firing"], vec!["300 Long Resolved"]];
    assert_eq!(told(&mut audit).await, wanted);
    assert_eq!(audit.tells(), Some((at(240), at(300))));
    let doubts = audit.doubts();
    assert_eq!(doubts.len(), 1);
    assert!(
        doubts[0].starts_with("what came of 1 alert that fired before the journal's oldest record"),
        "{doubts:?}"
    );
}

#[tokio::test]
async fn two_deliveries_of_one_moment_stay_two() {
    let mut journal = Journal::default();
    let first = journal.opened(0, "A");
    journal.closed(10, first);
    journal.opened(10, "A");
    let (mut audit, _) = Audit::new(Box::new(Records(journal.0.into())), None, Span::from_secs(30));
    let wanted = [vec!["0 A Firing"], vec!["10 A Resolved"], vec!["10 A Firing"]];
    assert_eq!(told(&mut audit).await, wanted);
    assert_eq!(audit.doubts(), [""; 0]);
}

#[tokio::test]
async fn an_export_without_a_record_is_no_quiet_past() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "\n").expect("text");
    let error = Exported::open(file.path()).expect("it opens").next().await.expect_err("it is empty");
    let place = file.path().display();
    assert_eq!(error.problem, format!("{place} holds no record: it does not show that nothing happened"));
}
