//! What has to be remembered of the cases that are not over: what refused them, and whose alert they are. It must hold
//! nothing of those that are.

use std::collections::{BTreeMap, BTreeSet};

use paramedic_policies::alert::EpisodeKey;
use paramedic_policies::event::Seq;
use paramedic_policies::guard::Guard;
use paramedic_policies::time::Moment;

/// An episode that at least one policy is for.
#[derive(Debug)]
pub(super) struct OpenEpisode {
    pub(super) alert: String,
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

    pub(super) fn closed(&mut self, episode: Seq) {
        if let Some(open) = self.0.get_mut(&episode) {
            open.is_closed = true;
        }
        self.forget_if_over(episode);
    }

    pub(super) fn concluded(&mut self, episode: Seq, policy: &str) {
        if let Some(case) = self.case(episode, policy) {
            case.is_over = true;
        }
        self.forget_if_over(episode);
    }

    fn forget_if_over(&mut self, episode: Seq) {
        let over = |open: &OpenEpisode| open.is_closed && open.cases.values().all(|case| case.is_over);
        if self.0.get(&episode).is_some_and(over) {
            self.0.remove(&episode);
        }
    }

    /// What is still open, by policy.
    pub(super) fn left(&self) -> impl Iterator<Item = (&str, &OpenCase)> {
        let cases = self.0.values().flat_map(|open| &open.cases);
        cases.filter(|(_, case)| !case.is_over).map(|(policy, case)| (policy.as_str(), case))
    }
}
