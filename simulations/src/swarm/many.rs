//! Many seeds, on as many threads as there are cores; each run by itself in one thread.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use super::mistakes::Mistake;
use super::report::Summary;
use super::{Told, run};

/// Which seeds.
#[derive(Debug, Clone, Copy)]
pub struct Seeds {
    /// The first.
    pub from: u64,
    /// How many.
    pub count: u64,
    /// On so many threads.
    pub jobs: usize,
}

/// Runs them all; whoever watches is shown each as it ends, with how many have ended.
pub fn many(seeds: Seeds, mistake: Option<&Mistake>, watch: impl Fn(u64, &Told) + Sync) -> Summary {
    let (next, summary) = (AtomicU64::new(0), Mutex::new(Summary::default()));
    std::thread::scope(|scope| {
        for _ in 0..seeds.jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= seeds.count {
                        return;
                    }
                    let told = run(seeds.from.wrapping_add(number), mistake, false);
                    let mut summary = summary.lock().unwrap_or_else(PoisonError::into_inner);
                    summary.add(&told);
                    watch(summary.seeds, &told);
                }
            });
        }
    });
    let mut summary = summary.into_inner().unwrap_or_else(PoisonError::into_inner);
    summary.failures.sort_by_key(|told| told.0);
    summary
}
