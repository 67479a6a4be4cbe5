//! What has to be remembered of the cases that are not over: what refused them, and whose alert they are. It must hold
//! nothing of those that are, and of what their rulings said no more than somebody may still ask for.

use std::collections::{BTreeMap, BTreeSet};

use paramedic_policies::alert::{EpisodeKey, Labels};
use paramedic_policies::event::Seq;
use paramedic_policies::guard::Guard;
use paramedic_policies::remediation::Wish;
use paramedic_policies::time::Moment;

use super::doubts::Doubt;

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
    /// What its rulings said, oldest first, where two books are compared.
    said: Vec<Said>,
    /// What it asked the cluster about last, where two books are compared.
    pub(super) wish: Option<Wish>,
    /// Whether anything was ruled.
    pub(super) is_ruled: bool,
    /// Why there may be more behind it than its rulings said.
    pub(super) doubt: Option<Doubt>,
    /// When it acted first.
    pub(super) acted: Option<Moment>,
    pub(super) is_over: bool,
}

/// What a ruling said.
#[derive(Debug)]
pub(super) struct Said {
    /// When first, where several in a row said the same.
    at: Moment,
    /// What refused, and until when, where that is known.
    pub(super) refusals: Vec<Refused>,
}

/// A guard, what it said, and until when.
pub(super) type Refused = (Guard, &'static str, Option<Moment>);

impl OpenCase {
    /// Keeps what a ruling says; of those before, only what was said at this moment or later.
    pub(super) fn rules(&mut self, at: Moment, refusals: Vec<Refused>, keep_from: Moment) {
        let reasons =
            |of: &[Refused]| -> Vec<(Guard, &str)> { of.iter().map(|one| (one.0, one.1)).collect() };
        match self.said.last_mut() {
            Some(last) if reasons(&last.refusals) == reasons(&refusals) => last.refusals = refusals,
            Some(_) | None => self.said.push(Said { at, refusals }),
        }
        let older = self.said.iter().skip(1).take_while(|said| said.at <= keep_from).count();
        self.said.drain(..older);
    }

    /// What it said last.
    pub(super) fn last(&self) -> Option<&Said> {
        self.said.last()
    }

    /// What it said last at this moment.
    pub(super) fn at(&self, at: Moment) -> Option<&Said> {
        self.said.iter().rev().find(|said| said.at <= at)
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct OpenCases {
    episodes: BTreeMap<Seq, OpenEpisode>,
    by_identity: BTreeMap<(EpisodeKey, Moment), Seq>,
}

impl OpenCases {
    pub(super) fn opened(&mut self, episode: Seq, opened: OpenEpisode) {
        self.by_identity.insert((opened.key, opened.opened_at), episode);
        self.episodes.insert(episode, opened);
    }

    pub(super) fn case(&mut self, episode: Seq, policy: &str) -> Option<&mut OpenCase> {
        self.episodes.get_mut(&episode)?.cases.get_mut(policy)
    }

    pub(super) fn episode(&self, episode: Seq) -> Option<&OpenEpisode> {
        self.episodes.get(&episode)
    }

    /// The alert is over; gives the episode where all of it is.
    pub(super) fn closed(&mut self, episode: Seq) -> Option<OpenEpisode> {
        if let Some(open) = self.episodes.get_mut(&episode) {
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
        self.episodes.get(&episode).filter(|open| over(open))?;
        let over = self.episodes.remove(&episode)?;
        // One that began in the same moment may have taken its place.
        let identity = (over.key, over.opened_at);
        if self.by_identity.get(&identity) == Some(&episode) {
            self.by_identity.remove(&identity);
        }
        Some(over)
    }

    /// The one of this alert that began then.
    pub(super) fn of(&self, key: EpisodeKey, opened_at: Moment) -> Option<&OpenEpisode> {
        self.episodes.get(self.by_identity.get(&(key, opened_at))?)
    }

    /// What is still open, by policy.
    pub(super) fn left(&self) -> impl Iterator<Item = (&str, &OpenCase)> {
        let cases = self.episodes.values().flat_map(|open| &open.cases);
        cases.filter(|(_, case)| !case.is_over).map(|(policy, case)| (policy.as_str(), case))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_kept_as_long_as_somebody_may_ask_for_it() {
        let at = |secs: i64| Moment::from_unix_ms(secs * 1000);
        let mut case = OpenCase::default();
        let mut rules = |secs: i64, reason: Option<&'static str>, looked: i64| {
            let refusals = reason.map(|reason| (Guard::Limits, reason, None));
            case.rules(at(secs), refusals.into_iter().collect(), at(looked));
            case.said.iter().map(|said| said.at.unix_ms() / 1000).collect::<Vec<_>>()
        };
        assert_eq!(rules(1, Some("a"), 0), [1]);
        assert_eq!(rules(2, Some("a"), 0), [1], "it says the same");
        assert_eq!(rules(3, Some("b"), 0), [1, 3]);
        assert_eq!(rules(4, None, 2), [1, 3, 4], "at two it said what it says since one");
        assert_eq!(rules(5, Some("a"), 3), [3, 4, 5]);
        let said = |secs| case.at(at(secs)).and_then(|said| Some(said.refusals.first()?.1));
        assert_eq!([said(2), said(3), said(4), said(9)], [None, Some("b"), None, Some("a")]);
    }

    #[test]
    fn one_that_begins_in_the_moment_of_another_is_not_forgotten_with_it() {
        let (key, at) = (EpisodeKey::of(&Labels::new(), &[]), Moment::from_unix_ms(1000));
        let one = || OpenEpisode {
            alert: "A".to_owned(),
            labels: Labels::new(),
            key,
            opened_at: at,
            cases: [("p".to_owned(), OpenCase::default())].into(),
            is_closed: false,
        };
        let mut open = OpenCases::default();
        open.opened(Seq(1), one());
        assert!(open.closed(Seq(1)).is_none(), "its policy is not done with it");
        open.opened(Seq(2), one());
        assert!(open.concluded(Seq(1), "p").is_some());
        assert!(open.of(key, at).is_some_and(|open| !open.is_closed), "the second is there");
        open.closed(Seq(2));
        open.concluded(Seq(2), "p");
        assert!(open.of(key, at).is_none());
    }
}
