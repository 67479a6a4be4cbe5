//! What has to be remembered of the cases that are not over: what refused them, and whose alert they are. It must hold
//! nothing of those that are.

use std::collections::{BTreeMap, BTreeSet};

use paramedic_policies::alert::{EpisodeKey, Labels};
use paramedic_policies::event::Seq;
use paramedic_policies::guard::Guard;
use paramedic_policies::time::Moment;

/// An episode that at least one policy is for.
#[derive(Debug)]
pub(super) struct OpenEpisode {
    pub(super) alert: String,
    /// Empty where no two books are compared.
    pub(super) labels: Labels,
    pub(super) key: EpisodeKey,
    pub(super) opened_at: Moment,
    pub(super) cases: BTreeMap<String, OpenCase>,
    pub(super) is_closed: bool,
}

/// One policy's handling of it.
#[derive(Debug, Default)]
pub(super) struct OpenCase {
    pub(super) refused: BTreeSet<(Guard, &'static str)>,
    pub(super) not_known: BTreeSet<String>,
    /// What refused it when it was decided last, and until when, where that is known.
    pub(super) last: Vec<(Guard, &'static str, Option<Moment>)>,
    pub(super) acted: bool,
    pub(super) is_over: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct OpenCases(BTreeMap<Seq, OpenEpisode>);

impl OpenCases {
    pub(super) fn opened(&mut self, episode: Seq, opened: OpenEpisode) {
        self.0.insert(episode, opened);
    }

    pub(super) fn case(&mut self, episode: Seq, policy: &str) -> Option<&mut OpenCase> {
        self.0.get_mut(&episode)?.cases.get_mut(policy)
    }

    pub(super) fn episode(&self, episode: Seq) -> Option<&OpenEpisode> {
        self.0.get(&episode)
    }

    /// The alert is over; gives the episode where all of it is.
    pub(super) fn closed(&mut self, episode: Seq) -> Option<OpenEpisode> {
        if let Some(open) = self.0.get_mut(&episode) {
            open.is_closed = true;
        }
        self.forget_if_over(episode)
    }

    /// A policy is done with it; gives the episode where all of it is over.
    pub(super) fn concluded(&mut self, episode: Seq, policy: &str) -> Option<OpenEpisode> {
        if let Some(case) = self.case(episode, policy) {
            case.is_over = true;
        }
        self.forget_if_over(episode)
    }

    fn forget_if_over(&mut self, episode: Seq) -> Option<OpenEpisode> {
        let over = |open: &OpenEpisode| open.is_closed && open.cases.values().all(|case| case.is_over);
        self.0.get(&episode).is_some_and(over).then(|| self.0.remove(&episode)).flatten()
    }

    /// Those that are not over.
    pub(super) fn episodes(&self) -> impl Iterator<Item = &OpenEpisode> {
        self.0.values()
    }

    /// What is still open, by policy.
    pub(super) fn left(&self) -> impl Iterator<Item = (&str, &OpenCase)> {
        let cases = self.0.values().flat_map(|open| &open.cases);
        cases.filter(|(_, case)| !case.is_over).map(|(policy, case)| (policy.as_str(), case))
    }
}
