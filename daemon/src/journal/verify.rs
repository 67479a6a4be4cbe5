//! Computing every root and the whole chain again, over all partitions. It changes nothing and repairs nothing.
//! It shows that what is there is what was written; that nothing is missing at the end, only a mark kept elsewhere shows.

use paramedic_policies::book::Digest;
use paramedic_policies::event::Seq;
use serde::Serialize;
use serde::de::IgnoredAny;

use super::checkpoint::{self, Checkpoint, Which};
use super::error::ReadError;
use super::reader::Reader;
use crate::causes::causes;

/// What was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The journal.
    pub journal: String,
    /// Partitions that were verified.
    pub partitions: usize,
    /// Blocks whose roots and links are right.
    pub blocks: u64,
    /// Records in them.
    pub records: u64,
    /// The first sequence that is still kept.
    pub first: Seq,
    /// The sequence after the last one verified.
    pub end: Seq,
    /// The chained root there.
    pub root: Digest,
    /// The first thing that is wrong, if anything is.
    pub problem: Option<String>,
}

impl Report {
    /// Whether everything is as it was written.
    pub fn is_whole(&self) -> bool {
        self.problem.is_none()
    }
}

impl Reader {
    /// Verifies what is durable now, from the oldest partition on, to the first problem.
    pub fn verify(&self) -> Report {
        let (names, end) = {
            let live = self.shared.live();
            (live.names.clone(), live.durable.next)
        };
        let first = names.first().map_or(Seq(1), |name| name.first);
        let mut report = Report {
            journal: self.shared.meta.uuid.clone(),
            partitions: 0,
            blocks: 0,
            records: 0,
            first,
            end: first,
            root: Digest::default(),
            problem: None,
        };
        for (index, name) in names.iter().enumerate() {
            let stop = names.get(index + 1).map_or(end, |after| after.first);
            let verified = self.shared.partition(name).and_then(|partition| {
                let Checkpoint { next, head, .. } = checkpoint::read::<IgnoredAny>(&partition, Which::First)?;
                if index == 0 {
                    report.root = head;
                }
                if next != report.end || next != name.first {
                    return Err(partition
                        .damaged(None, format!("it begins with record {next} instead of {}", report.end)));
                }
                if head != report.root {
                    return Err(partition.damaged(None, "it does not follow the partition before it"));
                }
                for block in partition.blocks(next) {
                    let block = block?;
                    let first = block.header.first;
                    if first >= stop {
                        break;
                    }
                    let damaged = |problem: String| -> ReadError { partition.damaged(Some(first), problem) };
                    if first != report.end {
                        return Err(damaged(format!("it should begin with {}", report.end)));
                    }
                    if block.header.previous != report.root {
                        return Err(damaged("it does not follow the block before it".to_owned()));
                    }
                    for record in block.records() {
                        record.map_err(damaged)?;
                        report.records += 1;
                    }
                    report.blocks += 1;
                    report.end = block.header.end();
                    report.root = block.header.chained();
                }
                if report.end == stop {
                    Ok(())
                } else {
                    Err(partition
                        .damaged(None, format!("it ends before record {} instead of {stop}", report.end)))
                }
            });
            if let Err(error) = verified {
                report.problem = Some(causes(&error));
                break;
            }
            report.partitions += 1;
        }
        report
    }
}
