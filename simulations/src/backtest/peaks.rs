//! The most of anything within a window that slides: how much at once, how many different targets. Holds one window.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};

use std::cmp::Reverse;

use paramedic_policies::target::Target;
use paramedic_policies::time::{Moment, Span};

use super::report::{Blast, Peak};

/// The window over which different targets are counted.
pub(super) const BLAST_WINDOW: Span = Span::from_hours(1);

/// How many actions may have run at once: each until its deadline, since no history tells when it would have ended.
#[derive(Debug, Default)]
pub(super) struct Concurrency {
    ends: BinaryHeap<Reverse<Moment>>,
    peak: Option<Peak>,
}

impl Concurrency {
    pub(super) fn begins(&mut self, at: Moment, deadline: Moment) {
        while self.ends.peek().is_some_and(|Reverse(end)| *end <= at) {
            self.ends.pop();
        }
        self.ends.push(Reverse(deadline));
        let actions = self.ends.len() as u64;
        if self.peak.is_none_or(|peak| actions > peak.actions) {
            self.peak = Some(Peak { at, actions });
        }
    }

    pub(super) fn peak(&self) -> Option<Peak> {
        self.peak
    }
}

/// Different targets within a window.
#[derive(Debug, Default)]
pub(super) struct Width {
    recent: VecDeque<(Moment, Target)>,
    targets: BTreeMap<Target, u64>,
    widest: Option<Blast>,
}

impl Width {
    pub(super) fn hits(&mut self, at: Moment, target: &Target) {
        while self.recent.front().is_some_and(|(then, _)| *then + BLAST_WINDOW <= at) {
            let Some((_, gone)) = self.recent.pop_front() else { break };
            if let Some(count) = self.targets.get_mut(&gone) {
                *count -= 1;
                if *count == 0 {
                    self.targets.remove(&gone);
                }
            }
        }
        self.recent.push_back((at, target.clone()));
        *self.targets.entry(target.clone()).or_default() += 1;
        let count = self.targets.len() as u64;
        if self.widest.as_ref().is_none_or(|widest| count > widest.targets) {
            let namespaces = self.targets.keys().map(|target| target.namespace.as_str());
            let namespaces: BTreeSet<&str> = namespaces.filter(|name| !name.is_empty()).collect();
            self.widest =
                Some(Blast { at, targets: count, within: BLAST_WINDOW, namespaces: namespaces.len() as u64 });
        }
    }

    pub(super) fn widest(&self) -> Option<Blast> {
        self.widest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Moment {
        Moment::from_unix_ms(secs * 1000)
    }

    fn target(name: &str) -> Target {
        Target { kind: "Deployment".to_owned(), namespace: "shop".to_owned(), name: name.to_owned() }
    }

    #[test]
    fn what_has_ended_runs_no_more() {
        let mut running = Concurrency::default();
        for (begin, end) in [(0, 10), (5, 15), (10, 20), (30, 40)] {
            running.begins(at(begin), at(end));
        }
        assert_eq!(running.peak(), Some(Peak { at: at(5), actions: 2 }));
    }

    #[test]
    fn a_target_counts_once_and_only_within_the_window() {
        let mut width = Width::default();
        for (secs, name) in [(0, "a"), (1, "a"), (2, "b"), (3601, "c"), (3602, "d")] {
            width.hits(at(secs), &target(name));
        }
        let widest = width.widest().expect("something was hit");
        assert_eq!((widest.at, widest.targets, widest.namespaces), (at(2), 2, 1));
    }
}
