//! What the journal costs: appends at 1, 16 and 64 writers beside a plain file with fdatasync behind the same committer,
//! and what a filled journal takes. Only ratios of one run count.
//!
//! ```text
//! cargo bench -p paramedic --bench journal                    appends
//! cargo bench -p paramedic --bench journal -- fill 1000000    bytes a record, memory, opening time, queries
//! ```
#![allow(missing_docs, clippy::unwrap_used, reason = "a program for measuring")]

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use paramedic::journal::{Committer, CommitterHandle, Filter, Options, SledJournal};
use paramedic_policies::apply;
use paramedic_policies::book::Digest;
use paramedic_policies::event::{Closing, Event, Record, Seq};
use paramedic_policies::ruling::Verdict;
use paramedic_policies::state::State;
use paramedic_policies::time::Moment;
use paramedic_remediations::ports::journal::{Block, Journal, JournalError, Receipt};
use tokio::sync::{mpsc, oneshot};

#[allow(dead_code, reason = "shared with the tests")]
#[path = "../tests/journal/samples.rs"]
mod samples;
use samples::{Scribe, deployment, done, start};

/// How long each measurement takes.
const MEASURE: Duration = Duration::from_secs(3);

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    match args.first().map(String::as_str) {
        Some("fill") => fill(
            args.get(1).and_then(|count| count.parse().ok()).unwrap_or(100_000),
            args.get(2).and_then(|count| count.parse().ok()).unwrap_or(16),
        ),
        _ => appends(),
    }
}

/// A file that is appended to and synced, with nothing around it.
struct Plain(File);

impl Journal for Plain {
    fn append(&mut self, block: &Block) -> Result<Receipt, JournalError> {
        let mut bytes = Vec::new();
        for record in &block.records {
            serde_json::to_writer(&mut bytes, record).unwrap();
            bytes.push(b'\n');
        }
        self.0.write_all(&bytes).and_then(|()| self.0.sync_data()).unwrap();
        Ok(Receipt { first: block.first(), end: block.end(), root: Digest::default() })
    }
    fn wants_checkpoint(&self, _: Moment) -> bool {
        false
    }
    fn checkpoint(&mut self, _: &State) -> Result<(), JournalError> {
        Ok(())
    }
}

fn appends() {
    println!("webhooks of one alert (two records, durable) a second, by writers");
    println!("{:>8} {:>12} {:>12} {:>8}", "writers", "plain file", "journal", "ratio");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for writers in [1, 16, 64] {
        let dir = tempfile::tempdir_in(".").unwrap();
        let plain = Plain(File::create(dir.path().join("plain")).unwrap());
        let plain = runtime.block_on(measure(plain, writers));
        let (journal, _) =
            SledJournal::open(&dir.path().join("journal"), Options::default(), start()).unwrap();
        let journal = runtime.block_on(measure(journal, writers));
        println!("{writers:>8} {plain:>12.0} {journal:>12.0} {:>8.2}", journal / plain);
    }
}

type Delivery = (Vec<Event>, oneshot::Sender<()>);

async fn measure(journal: impl Journal + 'static, writers: usize) -> f64 {
    let committer = Committer::spawn(journal).unwrap();
    let (inbox, work) = mpsc::channel::<Delivery>(1024);
    let collecting = tokio::spawn(collect(committer.handle(), work));
    let mut sample = Scribe::new();
    sample.alert("MaestroHighErrorRate", "prod", "conductor");
    let events: Vec<Event> = sample.all.into_iter().map(|record| record.event).collect();
    let until = Instant::now() + MEASURE;
    let write = |_| {
        let (inbox, events) = (inbox.clone(), events.clone());
        tokio::spawn(async move {
            let mut count = 0_u64;
            while Instant::now() < until {
                let (done, durable) = oneshot::channel();
                inbox.send((events.clone(), done)).await.unwrap();
                durable.await.unwrap();
                count += 1;
            }
            count
        })
    };
    let tasks: Vec<_> = (0..writers).map(write).collect();
    let mut total = 0;
    for task in tasks {
        total += task.await.unwrap();
    }
    drop(inbox);
    collecting.await.unwrap();
    committer.stop().await;
    total as f64 / MEASURE.as_secs_f64()
}

/// As the daemon's loop: while one block is in flight, the next one is collected.
async fn collect(journal: CommitterHandle, mut work: mpsc::Receiver<Delivery>) {
    let (mut next, mut deliveries) = (Seq(1), Vec::new());
    while work.recv_many(&mut deliveries, 1024).await > 0 {
        let (mut records, mut waiting) = (Vec::new(), Vec::new());
        for (events, done) in deliveries.drain(..) {
            for event in events {
                records.push(Record { seq: next, at: start(), schema: 1, event });
                next = next.plus(1);
            }
            waiting.push(done);
        }
        journal.append(Block { records }).await.unwrap();
        for done in waiting {
            let _ = done.send(());
        }
    }
}

/// A day of a busy cluster: some policies, many workloads, one action for every five alerts.
fn story(scribe: &mut Scribe, round: u64) {
    let policies = ["conductor-high-error-rate", "worker-queue-stuck", "breaker-open", "disk-full"];
    let alerts = ["MaestroHighErrorRate", "MaestroQueueStuck", "MaestroBreakerOpen", "DiskFull"];
    let kind = (round % 4) as usize;
    let (namespace, name) = (format!("team-{}", round % 23), format!("service-{}", round % 211));
    let target = deployment(&namespace, &name);
    let episode = scribe.alert(alerts[kind], &namespace, &name);
    let verdict = if round.is_multiple_of(5) { Verdict::Act } else { Verdict::Withhold };
    scribe.decision(episode, alerts[kind], policies[kind], &target, verdict);
    if round.is_multiple_of(5) {
        scribe.action(episode, policies[kind], &target, done());
    }
    scribe.write(Event::Closed { episode, why: Closing::Resolved, ended_at: None });
}

fn memory_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

fn disk_bytes(path: &Path) -> u64 {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries
        .map(|e| if e.path().is_dir() { disk_bytes(&e.path()) } else { e.metadata().map_or(0, |m| m.len()) })
        .sum()
}

fn fill(records: u64, per_block: usize) {
    let dir = tempfile::tempdir_in(".").unwrap();
    let before = memory_mb();
    let (mut json, mut state, mut scribe) = (0_u64, State::new(), Scribe::new());
    let began = Instant::now();
    {
        let (mut journal, _) = SledJournal::open(
            dir.path(),
            Options { period: paramedic_policies::time::Span::from_hours(1_000_000), ..Options::default() },
            start(),
        )
        .unwrap();
        let mut round = 0;
        while scribe.next.0 <= records {
            while scribe.all.len() < per_block {
                story(&mut scribe, round);
                round += 1;
            }
            let block = scribe.block();
            for record in &block.records {
                apply(&mut state, record.at, &record.event);
                json += serde_json::to_vec(record).unwrap().len() as u64;
            }
            scribe.restart_block();
            journal.append(&block).unwrap();
            if journal.wants_checkpoint(state.now) {
                journal.checkpoint(&state).unwrap();
            }
        }
        println!("records            {}", scribe.next.0 - 1);
        println!("a block            {per_block} records or a few more");
        println!("JSON               {:.0} bytes a record", json as f64 / records as f64);
        println!(
            "filled in          {:.1} s ({:.0} records/s)",
            began.elapsed().as_secs_f64(),
            records as f64 / began.elapsed().as_secs_f64()
        );
        println!("memory, filled     {:.0} MB (before: {before:.0} MB)", memory_mb());
    }
    drop(state);
    println!("on disk            {:.0} bytes a record", disk_bytes(dir.path()) as f64 / records as f64);
    let open = Instant::now();
    let (journal, recovered) = SledJournal::open(
        dir.path(),
        Options { period: paramedic_policies::time::Span::from_hours(1_000_000), ..Options::default() },
        start(),
    )
    .unwrap();
    println!(
        "opened in          {:.2} s, {} records folded",
        open.elapsed().as_secs_f64(),
        recovered.replayed
    );
    println!("memory, opened     {:.0} MB", memory_mb());
    let reader = journal.reader();
    let query = |name: &str, filter: Filter| {
        let began = Instant::now();
        let found = reader.query(&filter).unwrap().items.len();
        println!("{name:<18} {:.2} ms, {found} records", began.elapsed().as_secs_f64() * 1000.0);
    };
    query("newest 100", Filter { newest: true, ..Filter::default() });
    query("of a policy", Filter { policy: Some("disk-full".to_owned()), newest: true, ..Filter::default() });
    query(
        "of a target",
        Filter { target: Some("team-7/deployment/service-7".to_owned()), ..Filter::default() },
    );
    query("of an episode", Filter { episode: Some(Seq(2)), ..Filter::default() });
    let verify = Instant::now();
    let report = reader.verify();
    println!("verified in        {:.2} s, {:?}", verify.elapsed().as_secs_f64(), report.problem);
    println!("memory, at the end {:.0} MB", memory_mb());
}
