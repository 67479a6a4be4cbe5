//! The disk under the journal: blocks as bytes, of which a crash may leave a part, and appends that fail in every way.
//! Whoever opens it finds what is whole, and nothing behind the first tear; and it keeps checkpoints beside the records.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use paramedic_policies::book::Digest;
use paramedic_policies::event::{Record, Seq};
use paramedic_policies::state::State;
use paramedic_policies::time::Moment;
use paramedic_remediations::ports::journal::{Block, Journal, JournalError, Receipt};

use super::dice::Dice;
use super::faults::Fault;
use super::refold::{Checkpoint, Fold};
use super::sky::Sky;

/// Length and checksum in hexadecimal digits, and a line's end.
const HEADER_BYTES: usize = 8 + 1 + 16 + 1;

#[derive(Debug)]
struct Platter {
    bytes: Vec<u8>,
    next: Seq,
    root: Digest,
    dice: Dice,
    broken: bool,
    /// The records of the whole blocks up to here.
    records: Vec<Record>,
    whole: usize,
    fold: Fold,
    checkpoint: Option<Checkpoint>,
    /// A checkpoint is due after so many records.
    checkpoint_every: u64,
}

/// What a process finds.
pub(crate) struct Opened {
    /// Where it goes on.
    pub(crate) from: Seq,
    /// What it begins with: the last checkpoint, and the records since.
    pub(crate) state: State,
    /// The fold of all records.
    pub(crate) whole: State,
}

/// The disk of one machine; it outlives processes.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    platter: Arc<Mutex<Platter>>,
    sky: Sky,
}

/// How much of a block gets to the disk when something goes wrong.
enum Landed {
    Nothing,
    Part,
    All,
}

impl Disk {
    /// An empty one.
    pub(crate) fn new(sky: Sky, mut dice: Dice) -> Self {
        let checkpoint_every = dice.number(20..=400);
        let platter = Platter {
            bytes: Vec::new(),
            next: Seq(1),
            root: Digest::default(),
            dice,
            broken: false,
            records: Vec::new(),
            whole: 0,
            fold: Fold::new(),
            checkpoint: None,
            checkpoint_every,
        };
        Self { platter: Arc::new(Mutex::new(platter)), sky }
    }

    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.platter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is durable: everything below this.
    pub(crate) fn durable(&self) -> Seq {
        self.platter().next
    }

    /// The records of all whole blocks.
    pub(crate) fn records(&self) -> Vec<Record> {
        let mut platter = self.platter();
        platter.read();
        platter.records.clone()
    }

    /// The fold of them.
    pub(crate) fn fold(&self) -> State {
        self.platter().folded()
    }

    /// A process opens the journal: what is torn is cut off, what is whole is read.
    pub(crate) fn open(&self) -> Opened {
        let mut platter = self.platter();
        let whole = platter.folded();
        let end = platter.whole;
        platter.bytes.truncate(end);
        platter.next = platter.records.last().map_or(Seq(1), |last| last.seq.plus(1));
        platter.broken = false;
        if let Some((_, end @ None)) = self.sky.recorder.tape().broken.last_mut() {
            *end = Some(self.sky.now());
        }
        let from_checkpoint = platter.checkpoint.as_ref().map(|one| one.fold(&platter.records));
        Opened { from: platter.next, state: from_checkpoint.unwrap_or_else(|| whole.clone()), whole }
    }

    /// From now on it takes no more.
    fn breaks(&self, fault: Fault, at: Seq) {
        self.sky.fault(fault, &at);
        let now = self.sky.now();
        self.sky.recorder.tape().broken.push((now, None));
    }

    /// The process ends while this block is on its way.
    pub(crate) fn crash_in(&self, block: &Block) {
        let mut platter = self.platter();
        let landed = platter.chance();
        platter.land(block, &landed);
        platter.broken = true;
    }
}

impl Platter {
    /// Reads what is new.
    fn read(&mut self) {
        let (records, length) = read(&self.bytes[self.whole..]);
        self.records.extend(records);
        self.whole += length;
    }

    fn folded(&mut self) -> State {
        self.read();
        self.fold.of(&self.records).clone()
    }

    fn chance(&mut self) -> Landed {
        match self.dice.count(0..=2) {
            0 => Landed::Nothing,
            1 => Landed::Part,
            _ => Landed::All,
        }
    }

    fn land(&mut self, block: &Block, landed: &Landed) {
        let written = written(block);
        match landed {
            Landed::Nothing => {}
            Landed::Part => {
                let part = self.dice.number(1..=written.len() as u64 - 1);
                self.bytes.extend(written.iter().take(usize::try_from(part).unwrap_or(0)));
            }
            Landed::All => {
                self.bytes.extend(&written);
                self.next = block.end();
            }
        }
    }
}

impl Journal for Disk {
    fn append(&mut self, block: &Block) -> Result<Receipt, JournalError> {
        let chance = self.sky.chances().append_failed;
        let broken = |problem: &str| JournalError {
            tried: "write a block to the simulated disk".to_owned(),
            problem: problem.to_owned(),
        };
        let mut platter = self.platter();
        if platter.broken || platter.next != block.first() {
            return Err(broken("it takes no more, since an append failed"));
        }
        if platter.dice.percent(chance) {
            let landed = platter.chance();
            platter.land(block, &landed);
            platter.broken = true;
            let fault = match landed {
                Landed::Nothing => Fault::AppendFailed,
                Landed::Part => Fault::AppendTorn,
                Landed::All => Fault::AppendUnsure,
            };
            drop(platter);
            self.breaks(fault, block.first());
            return Err(broken("input/output error"));
        }
        platter.land(block, &Landed::All);
        let chained = [platter.root.bytes().as_slice(), &block.end().0.to_le_bytes()].concat();
        platter.root = Digest::of(&chained);
        Ok(Receipt { first: block.first(), end: block.end(), root: platter.root })
    }

    fn wants_checkpoint(&self, _now: Moment) -> bool {
        let platter = self.platter();
        let last = platter.checkpoint.as_ref().map_or(1, |last| last.next.0);
        !platter.broken && platter.next.0 >= last + platter.checkpoint_every
    }

    /// A whole one or none at all.
    fn checkpoint(&mut self, state: &State) -> Result<(), JournalError> {
        let chance = self.sky.chances().append_failed;
        let mut platter = self.platter();
        let broken = |problem: &str| JournalError {
            tried: "write a checkpoint to the simulated disk".to_owned(),
            problem: problem.to_owned(),
        };
        if platter.broken || platter.next != state.next {
            return Err(broken("it is not of all that is on the disk"));
        }
        if platter.dice.percent(chance) {
            platter.broken = true;
            drop(platter);
            self.breaks(Fault::CheckpointFailed, state.next);
            return Err(broken("input/output error"));
        }
        platter.checkpoint = Some(Checkpoint::of(state));
        drop(platter);
        self.sky.fault(Fault::Checkpointed, &state.next);
        Ok(())
    }
}

fn written(block: &Block) -> Vec<u8> {
    let text = serde_json::to_vec(&block.records).expect("records can be written");
    let mut bytes = format!("{:08x} {:016x}\n", text.len(), checksum(&text)).into_bytes();
    bytes.extend(text);
    bytes
}

/// FNV-1a: what is torn is to be noticed, nobody forges here.
fn checksum(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The records of all whole blocks, and how many bytes these take.
fn read(bytes: &[u8]) -> (Vec<Record>, usize) {
    let (mut records, mut at) = (Vec::new(), 0);
    while let Some(header) = bytes.get(at..at + HEADER_BYTES) {
        let header = String::from_utf8_lossy(header);
        let parts = header.trim_end().split_once(' ');
        let Some((length, sum)) = parts else { break };
        let (Ok(length), Ok(sum)) = (usize::from_str_radix(length, 16), u64::from_str_radix(sum, 16)) else {
            break;
        };
        let from = at + HEADER_BYTES;
        let Some(text) = bytes.get(from..from + length).filter(|text| checksum(text) == sum) else { break };
        let Ok(block) = serde_json::from_slice::<Vec<Record>>(text) else { break };
        records.extend(block);
        at = from + length;
    }
    (records, at)
}

#[cfg(test)]
mod tests {
    use paramedic_policies::event::{Event, SCHEMA};

    use super::*;
    use crate::swarm::faults::Chances;

    fn block(seq: u64) -> Block {
        let event = Event::StormEnded;
        Block { records: vec![Record { seq: Seq(seq), at: Moment::from_unix_ms(0), schema: SCHEMA, event }] }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_torn_is_not_read_and_not_in_the_way() {
        let sky = Sky::for_tests();
        let mut disk = Disk::new(sky.clone(), Dice::new(7));
        disk.append(&block(1)).expect("it works");
        sky.set(Chances { append_failed: 100, ..Chances::default() });
        disk.append(&block(2)).expect_err("it fails");
        disk.append(&block(2)).expect_err("and takes nothing more");
        sky.set(Chances::default());
        let next = disk.open().from.0;
        assert!(next == 2 || next == 3, "{next}");
        disk.append(&block(next)).expect("it works again");
        assert_eq!(disk.records().last().map(|last| last.seq), Some(Seq(next)));
    }
}
