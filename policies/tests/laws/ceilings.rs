//! Exact ceilings hold in every sliding window, counted from the records alone: over restarts, other books, steps of the
//! clock and everything else. So does that nothing is begun on a target on which something is under way.

use std::collections::{BTreeMap, BTreeSet};

use paramedic_policies::action::{Intent, Mode};
use paramedic_policies::book::{Book, Digest};
use paramedic_policies::event::{Event, Seq};
use paramedic_policies::policy::{BlastScope, Limit, LimitScope, Step};
use paramedic_policies::time::Moment;
use proptest::prelude::*;

use crate::draft::draft;
use crate::life::{Held, Life, law, loaded};
use crate::turns::history;

/// Follows the records and counts.
#[derive(Default)]
struct Oracle {
    books: BTreeMap<Digest, Book>,
    /// The book in force.
    digest: Digest,
    /// What was charged, in three ledgers: enforced, rehearsed, and what only looked.
    charged: BTreeMap<&'static str, Vec<Intent>>,
    under_way: BTreeMap<Seq, Intent>,
    /// How often a ceiling was filled to its last place.
    full: u32,
}

fn ledger(intent: &Intent) -> &'static str {
    match intent.mode {
        _ if intent.action.looks_only() => "looks",
        Mode::DryRun => "rehearsals",
        Mode::Approve | Mode::Enforce => "actions",
    }
}

impl Oracle {
    fn follow(&mut self, event: &Event) -> Held {
        match event {
            Event::Adopted { digest, source, .. } => {
                self.digest = *digest;
                if !self.books.contains_key(digest) {
                    self.books.insert(*digest, loaded(source)?);
                }
            }
            Event::Intended { intent } => self.intended(intent)?,
            Event::Ended { intent, .. } => {
                self.under_way.remove(intent);
            }
            _ => {}
        }
        Ok(())
    }

    fn intended(&mut self, intent: &Intent) -> Held {
        let other = self.under_way.values().find(|other| other.target == intent.target);
        prop_assert!(other.is_none(), "{} is begun while {:?} is under way", intent.target, other);
        self.under_way.insert(intent.id, intent.clone());
        if intent.reverts.is_some() || !intent.charged {
            return Ok(());
        }
        self.charged.entry(ledger(intent)).or_default().push(intent.clone());
        let policy = self.books.get(&intent.book).and_then(|book| book.policy(&intent.policy));
        let policy = policy.ok_or_else(|| TestCaseError::fail("an intent of no policy"))?;
        let running =
            self.under_way.values().filter(|other| other.policy == policy.name && other.reverts.is_none());
        let running = running.filter(|other| other.episode != intent.episode).count();
        prop_assert!(
            running < policy.guards.concurrency as usize,
            "{running} of {} were running",
            policy.name
        );

        let step: &Step = &policy.ladder[intent.rung].steps[intent.step];
        let global = self.books[&self.digest].settings().guards.limits.iter();
        let limits: Vec<Limit> =
            policy.guards.limits.iter().chain(&step.limits).chain(global).cloned().collect();
        let blast = policy.guards.blast_targets.clone().filter(|_| !intent.action.looks_only());
        for limit in &limits {
            let have = self.counted(intent, limit);
            prop_assert!(
                have <= limit.max as usize,
                "{have} actions in {} by {}, with {} allowed, the last {} on {} at {}",
                limit.per,
                limit.by,
                limit.max,
                intent.action,
                intent.target,
                intent.at
            );
            self.full += u32::from(have == limit.max as usize);
        }
        if let Some(blast) = blast {
            for namespace in intent.namespaces() {
                let within = self.within(intent, blast.per);
                let reached = within.filter(|one| match blast.within {
                    BlastScope::Namespace => one.namespaces().contains(&namespace),
                    BlastScope::Cluster => true,
                });
                let targets: BTreeSet<_> = reached.map(|one| &one.target).collect();
                prop_assert!(targets.len() <= blast.max as usize, "{targets:?} in {}", blast.per);
            }
        }
        Ok(())
    }

    /// What was charged in the window of this length that this intent ends, itself included.
    fn within(&self, last: &Intent, per: paramedic_policies::time::Span) -> impl Iterator<Item = &Intent> {
        let age = move |at: Moment, until: Moment| until.unix_ms() - at.unix_ms();
        let (until, per) = (last.at, i64::try_from(per.ms()).expect("a window is no century"));
        self.charged[ledger(last)].iter().filter(move |one| age(one.at, until) < per)
    }

    fn counted(&self, last: &Intent, limit: &Limit) -> usize {
        let of_policy = |one: &&Intent| one.policy == last.policy;
        match limit.by {
            LimitScope::Target => {
                self.within(last, limit.per).filter(of_policy).filter(|one| one.target == last.target).count()
            }
            LimitScope::Policy => self.within(last, limit.per).filter(of_policy).count(),
            LimitScope::Global => self.within(last, limit.per).count(),
            LimitScope::Namespace => {
                let in_namespace = |name: &str| {
                    self.within(last, limit.per).filter(|one| one.namespaces().contains(&name)).count()
                };
                last.namespaces().into_iter().map(in_namespace).max().unwrap_or(0)
            }
        }
    }
}

#[test]
fn ceilings_hold_in_every_window_counted_from_the_records() {
    let full = std::cell::Cell::new(0);
    law(96, ((draft(3), draft(3)), history(70)), |((first, second), turns)| {
        let mut life = Life::new(&[&first, &second])?;
        life.live(&turns.0, &mut |_| Ok(()))?;
        let mut oracle = Oracle::default();
        life.records.iter().try_for_each(|(_, event)| oracle.follow(event))?;
        full.set(full.get() + oracle.full);
        Ok(())
    });
    assert!(full.get() > 0, "no ceiling was ever reached");
}
