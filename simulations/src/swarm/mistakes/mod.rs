//! Planted mistakes: what a process would do if one of its parts were wrong. Each is a wrapper around one part, made of
//! what the part says and takes; production has no switch for any of them. A swarm that does not notice them would notice
//! nothing.

mod engines;
mod hands;
mod journals;
mod outsides;

use super::parts::Parts;

/// A mistake.
#[derive(Debug, Clone, Copy)]
pub struct Mistake {
    /// Its name, for `--mistake`.
    pub name: &'static str,
    /// What is wrong.
    pub says: &'static str,
    /// The oracles that are there to notice it; one of them must.
    pub caught_by: &'static [&'static str],
    /// The first seed that is tried: where it takes a rare accident, the eight seeds that have one.
    pub from: u64,
    /// Within how many seeds from there on it must be noticed.
    pub within: u64,
    plant: fn(&mut Parts),
}

impl Mistake {
    /// Puts it into the parts of a process.
    pub(crate) fn plant(&self, parts: &mut Parts) {
        (self.plant)(parts);
    }

    /// The mistake of this name.
    pub fn named(name: &str) -> Option<Self> {
        MISTAKES.into_iter().find(|mistake| mistake.name == name)
    }
}

/// All of them.
pub const MISTAKES: [Mistake; 23] = [
    Mistake {
        name: "acts-before-recording",
        says: "the journal gives its receipt before it has written",
        caught_by: &["recorded-first", "acknowledged"],
        from: 0,
        within: 64,
        plant: |parts| parts.journal = |disk| Box::new(journals::Hasty::new(disk)),
    },
    Mistake {
        name: "forgets-limits-at-restart",
        says: "what was charged is forgotten when the journal is folded",
        caught_by: &["ceilings", "blast-radius"],
        from: 0,
        within: 64,
        plant: |parts| parts.refold = journals::without_charges,
    },
    Mistake {
        name: "forgets-intents-at-restart",
        says: "intents without an end are forgotten when the journal is folded",
        caught_by: &["ends", "rest"],
        from: 0,
        within: 64,
        plant: |parts| parts.refold = journals::without_doubt,
    },
    Mistake {
        name: "acts-again-after-a-crash",
        says: "what was under way at a crash is done a second time, unseen",
        caught_by: &["once", "ends"],
        from: 0,
        within: 64,
        plant: |parts| {
            parts.hands = |hands| std::sync::Arc::new(hands::Stampless(hands));
            parts.outside = |outside| std::sync::Arc::new(outsides::Unseeing { outside, acts: true });
        },
    },
    Mistake {
        name: "closes-without-looking",
        says: "what was under way at a crash is said to be done, unseen",
        caught_by: &["ends"],
        from: 152,
        within: 8,
        plant: |parts| {
            parts.outside = |outside| std::sync::Arc::new(outsides::Unseeing { outside, acts: false })
        },
    },
    Mistake {
        name: "thins-the-checkpoint",
        says: "a checkpoint lacks what is to be taken back",
        caught_by: &["folds"],
        from: 0,
        within: 64,
        plant: |parts| parts.journal = |disk| Box::new(journals::Thin(disk)),
    },
    Mistake {
        name: "ignores-the-lease",
        says: "that another process leads is not heard",
        caught_by: &["leads"],
        from: 0,
        within: 64,
        plant: |parts| parts.engine = |ahead| Box::new(engines::Inputs::new(ahead, engines::Usurping)),
    },
    Mistake {
        name: "loses-the-charge",
        says: "an action is not charged",
        caught_by: &["ceilings", "blast-radius"],
        from: 0,
        within: 64,
        plant: |parts| parts.engine = |ahead| Box::new(engines::Uncharged(ahead)),
    },
    Mistake {
        name: "reaches-unsaid",
        says: "a drain does not say in which namespaces it evicts",
        caught_by: &["ceilings", "blast-radius"],
        from: 0,
        within: 64,
        plant: |parts| parts.outside = |outside| std::sync::Arc::new(outsides::Placeless(outside)),
    },
    Mistake {
        name: "trusts-stale-facts",
        says: "answers from the past are passed on as fresh",
        caught_by: &["fresh-facts"],
        from: 40,
        within: 8,
        plant: |parts| parts.metrics = |prometheus, _| std::sync::Arc::new(outsides::AnyAge(prometheus)),
    },
    Mistake {
        name: "counts-duplicates-as-new",
        says: "each delivery of an alert is another alert",
        caught_by: &["verdicts"],
        from: 0,
        within: 64,
        plant: |parts| {
            parts.engine = |ahead| Box::new(engines::Inputs::new(ahead, engines::Duplicates::default()))
        },
    },
    Mistake {
        name: "ignores-the-hysteresis",
        says: "a storm is over as soon as it is no storm any more",
        caught_by: &["storm"],
        from: 40,
        within: 8,
        plant: |parts| parts.engine = |ahead| Box::new(engines::Inputs::new(ahead, engines::Breathless)),
    },
    Mistake {
        name: "acts-without-approval",
        says: "what was to be proposed is done",
        caught_by: &["operators"],
        from: 0,
        within: 64,
        plant: |parts| parts.engine = |ahead| Box::new(engines::Inputs::new(ahead, engines::Unasked)),
    },
    Mistake {
        name: "ignores-a-deny",
        says: "a denied proposal is taken for approved",
        caught_by: &["operators"],
        from: 0,
        within: 64,
        plant: |parts| parts.engine = |ahead| Box::new(engines::Inputs::new(ahead, engines::Deaf)),
    },
    Mistake {
        name: "ignores-a-pause",
        says: "a pause is answered and not heeded",
        caught_by: &["operators"],
        from: 0,
        within: 64,
        plant: |parts| parts.engine = |ahead| Box::new(engines::Inputs::new(ahead, engines::Restless)),
    },
    Mistake {
        name: "heeds-no-halt",
        says: "what is under way goes on after a pause, after another took the lead, and while the journal is broken",
        caught_by: &["halts"],
        from: 0,
        within: 64,
        plant: |parts| parts.outside = |outside| std::sync::Arc::new(outsides::Unstoppable(outside)),
    },
    Mistake {
        name: "ignores-the-clock",
        says: "a wall clock that was set is believed",
        caught_by: &["clock"],
        from: 0,
        within: 64,
        plant: |parts| parts.engine = |ahead| Box::new(engines::Inputs::new(ahead, engines::Credulous)),
    },
    Mistake {
        name: "loses-acknowledged-alerts",
        says: "of some deliveries the alerts are dropped, and the answer is 200",
        caught_by: &["acknowledged"],
        from: 0,
        within: 64,
        plant: |parts| {
            parts.engine = |ahead| Box::new(engines::Inputs::new(ahead, engines::Lossy::default()))
        },
    },
    Mistake {
        name: "loses-outcomes",
        says: "the end of some effects is never told",
        caught_by: &["ends", "rest"],
        from: 0,
        within: 64,
        plant: |parts| {
            parts.engine = |ahead| Box::new(engines::Inputs::new(ahead, engines::Absent::default()))
        },
    },
    Mistake {
        name: "retries-a-429",
        says: "what the API server turned away is sent again at once",
        caught_by: &["once"],
        from: 0,
        within: 64,
        plant: |parts| {
            parts.hands = |hands| std::sync::Arc::new(hands::Retrying { hands, unanswered: false })
        },
    },
    Mistake {
        name: "retries-after-a-timeout",
        says: "what was not answered is sent again",
        caught_by: &["once"],
        from: 0,
        within: 64,
        plant: |parts| parts.hands = |hands| std::sync::Arc::new(hands::Retrying { hands, unanswered: true }),
    },
    Mistake {
        name: "acts-on-protected-workloads",
        says: "the labels that protect are not seen",
        caught_by: &["hands-off"],
        from: 0,
        within: 64,
        plant: |parts| parts.hands = |hands| std::sync::Arc::new(hands::Blind(hands)),
    },
    Mistake {
        name: "tells-nobody",
        says: "messages are said to be delivered and are not",
        caught_by: &["people"],
        from: 0,
        within: 64,
        plant: |parts| parts.outside = |outside| std::sync::Arc::new(outsides::Silent(outside)),
    },
];
