//! What Prometheus answers, as somebody told it: series by name and labels, whole expressions by their text, or the answer to
//! one place of a policy; each with values that follow each other in time. Computes nothing.

use std::collections::BTreeSet;

use paramedic_policies::alert::Labels;
use paramedic_policies::answer::{Number, Sample};
use paramedic_policies::question::Fact as Place;
use paramedic_policies::time::{Moment, Span};

/// What is told about.
#[derive(Debug, Clone, PartialEq)]
pub enum About {
    /// A series, found by selectors.
    Series {
        /// Its metric's name.
        name: String,
        /// Its labels.
        labels: Labels,
    },
    /// An expression, as the PromQL parser writes it.
    Expression(String),
    /// What a policy asks at one place.
    Asked {
        /// The policy's name.
        policy: String,
        /// Where.
        place: Place,
    },
}

/// What is answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// Samples; none of them is an empty result.
    Samples(Vec<Sample>),
    /// A failure.
    Fails(String),
}

/// An answer from one moment on.
#[derive(Debug, Clone, PartialEq)]
pub struct Spell {
    /// From when; the first holds before its time too.
    pub at: Moment,
    /// What.
    pub said: Said,
    /// How long the answer takes.
    pub takes: Span,
}

/// One thing that is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// About what.
    pub about: About,
    /// Its answers, in the order of time.
    pub over: Vec<Spell>,
}

impl Told {
    /// The answer at a time.
    pub fn at(&self, now: Moment) -> Option<&Spell> {
        self.over.iter().rev().find(|spell| spell.at <= now).or_else(|| self.over.first())
    }
}

/// All that is told, what of it was asked, and what was asked in vain.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Facts {
    told: Vec<Told>,
    asked: BTreeSet<usize>,
    untold: BTreeSet<String>,
}

impl Facts {
    /// Tells one more; what was told first wins.
    pub fn tell(&mut self, told: Told) {
        self.told.push(told);
    }

    /// The answer to an expression, with its position among what was told.
    pub fn expression(&self, text: &str, now: Moment) -> Option<(usize, &Spell)> {
        self.first(now, |about| matches!(about, About::Expression(known) if known == text))
    }

    /// The answer to what a policy asks at one place, with its position among what was told.
    pub fn place(&self, by: &str, at: &Place, now: Moment) -> Option<(usize, &Spell)> {
        self.first(
            now,
            |about| matches!(about, About::Asked { policy, place } if policy == by && place == at),
        )
    }

    fn first(&self, now: Moment, is_it: impl Fn(&About) -> bool) -> Option<(usize, &Spell)> {
        let (position, told) = self.told.iter().enumerate().find(|(_, told)| is_it(&told.about))?;
        Some((position, told.at(now)?))
    }

    /// The series of a metric with their positions and answers; nothing where the metric was never told of.
    pub fn series(&self, metric: &str, now: Moment) -> Option<Vec<(usize, &Labels, &Spell)>> {
        let known: Vec<_> = self
            .told
            .iter()
            .enumerate()
            .filter_map(|(position, told)| match &told.about {
                About::Series { name, labels } if name == metric => Some((position, labels, told.at(now)?)),
                About::Series { .. } | About::Expression(_) | About::Asked { .. } => None,
            })
            .collect();
        (!known.is_empty()).then_some(known)
    }

    /// Notes what was asked of what was told, by its positions.
    pub fn asked(&mut self, positions: impl IntoIterator<Item = usize>) {
        self.asked.extend(positions);
    }

    /// What was told and nobody asked, by its positions.
    pub fn unasked(&self) -> Vec<usize> {
        (0..self.told.len()).filter(|position| !self.asked.contains(position)).collect()
    }

    /// Notes what nobody was told how to answer.
    pub fn asked_in_vain(&mut self, promql: &str) {
        self.untold.insert(promql.to_owned());
    }

    /// What was asked and nobody was told.
    pub fn untold(&self) -> impl Iterator<Item = &str> {
        self.untold.iter().map(String::as_str)
    }
}

/// One sample.
pub fn sample(labels: &Labels, value: f64) -> Sample {
    Sample { labels: labels.clone(), value: Number(value) }
}
