//! The committer: order, failures, and that it ends.

use std::time::Duration;

use paramedic::journal::Committer;
use paramedic_policies::book::Digest;
use paramedic_policies::event::Event;
use paramedic_policies::state::State;
use paramedic_policies::time::Moment;
use paramedic_remediations::ports::journal::{Block, Journal, JournalError, Receipt};

use crate::samples::{Scribe, open};

/// Fails, or panics, at the third block.
struct Failing {
    blocks: usize,
    panics: bool,
}

impl Journal for Failing {
    fn append(&mut self, block: &Block) -> Result<Receipt, JournalError> {
        self.blocks += 1;
        if self.blocks == 3 {
            assert!(!self.panics, "as a store might");
            return Err(JournalError {
                tried: "sync the journal".to_owned(),
                problem: "the disk is full".to_owned(),
            });
        }
        Ok(Receipt { first: block.first(), end: block.end(), root: Digest::default() })
    }
    fn wants_checkpoint(&self, _: Moment) -> bool {
        self.blocks == 2
    }
    fn checkpoint(&mut self, _: &State) -> Result<(), JournalError> {
        Ok(())
    }
}

fn blocks(count: usize) -> Vec<Block> {
    let mut scribe = Scribe::new();
    let mut next = || {
        scribe.write(Event::StormEnded);
        scribe.block()
    };
    (0..count).map(|_| next()).collect()
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("in time")
}

#[tokio::test]
async fn blocks_become_durable_in_the_order_they_were_handed_over() {
    let dir = tempfile::tempdir().expect("a directory");
    let committer = Committer::spawn(open(dir.path()).0).expect("a thread");
    let handle = committer.handle();
    let blocks = blocks(100);
    // More than the queue holds, each polled before the next is made.
    let mut appends: Vec<_> = blocks.iter().cloned().map(|block| Box::pin(handle.append(block))).collect();
    let mut receipts = vec![None; blocks.len()];
    let all = std::future::poll_fn(|context| {
        for (append, receipt) in
            appends.iter_mut().zip(&mut receipts).filter(|(_, receipt)| receipt.is_none())
        {
            if let std::task::Poll::Ready(done) = append.as_mut().poll(context) {
                *receipt = Some(done.expect("durable"));
            }
        }
        let is_done = receipts.iter().all(Option::is_some);
        if is_done { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    });
    within(all).await;
    for (block, receipt) in blocks.iter().zip(receipts) {
        assert_eq!(receipt.map(|receipt| receipt.first), Some(block.first()));
    }
    within(committer.stop()).await;
    let error = within(handle.append(blocks[0].clone())).await.expect_err("it is closed");
    assert_eq!(error.to_string(), "could not hand a block to the journal: the journal is closed");
    assert_eq!(open(dir.path()).1.state.next.0, 101);
}

#[tokio::test]
async fn after_a_failure_or_a_panic_everything_fails() {
    for panics in [false, true] {
        let committer = Committer::spawn(Failing { blocks: 0, panics }).expect("a thread");
        let handle = committer.handle();
        let mut answers = Vec::new();
        for block in blocks(4) {
            answers.push(within(handle.append(block)).await.is_ok());
            assert_eq!(handle.wants_checkpoint(), answers.len() >= 2);
        }
        assert_eq!(answers, [true, true, false, false]);
        let error = within(handle.checkpoint(State::new())).await.expect_err("it failed before");
        assert!(error.to_string().contains("it failed before"), "{error}");
        within(committer.stop()).await;
    }
}
