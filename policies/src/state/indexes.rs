//! What guards look up on every ruling, filed by target, policy, intent and label, so that a ruling in a storm of
//! thousands costs what it costs on a quiet day. Derived from the rest of the state: `apply` keeps it true, reading a
//! stored state makes it anew, and it is never stored itself. It must never know anything that the state does not.

use std::collections::{BTreeMap, BTreeSet};

use crate::alert::Labels;
use crate::event::Seq;
use crate::matcher::{Matcher, Operator};
use crate::state::{Case, CaseId, Episode, Phase, State};
use crate::target::Target;

/// Where to look, instead of at every case and every episode.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Indexes {
    /// What is on each target.
    crowds: BTreeMap<Target, Crowd>,
    /// Targets with an open episode.
    firing: usize,
    /// Cases that watch what they did, by the intent.
    watching: BTreeMap<Seq, CaseId>,
    /// The same by policy.
    watching_by_policy: BTreeMap<String, BTreeSet<CaseId>>,
    /// Cases between two steps of a sequence that has begun, by policy.
    between_by_policy: BTreeMap<String, BTreeSet<CaseId>>,
    /// Open episodes by the labels that some `unless:` asks for, and their values; an absent label has the empty one.
    open_by_label: BTreeMap<String, BTreeMap<String, BTreeSet<Seq>>>,
}

/// What is on one target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Crowd {
    /// Its cases by policy.
    cases: BTreeMap<String, usize>,
    /// Those of open episodes.
    open: BTreeSet<CaseId>,
    /// Those that may come first, in order of precedence.
    undecided: BTreeSet<Rank>,
    /// Those that watch what they did, with the intent.
    watching: BTreeMap<CaseId, Seq>,
    /// Effects under way.
    in_flight: BTreeSet<Seq>,
}

/// Precedence among the cases of one target: the higher priority, then the lesser name, then the older episode.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    negated_priority: i64,
    policy: String,
    episode: Seq,
}

impl Rank {
    fn of(case: &Case) -> Self {
        Self {
            negated_priority: -i64::from(case.priority),
            policy: case.id.policy.clone(),
            episode: case.id.episode,
        }
    }
}

impl Crowd {
    /// Effects under way on the target, oldest first.
    pub(crate) fn in_flight(&self) -> impl Iterator<Item = Seq> {
        self.in_flight.iter().copied()
    }

    /// Cases that watch what they did, with the intent.
    pub(crate) fn watching(&self) -> impl Iterator<Item = (&CaseId, Seq)> {
        self.watching.iter().map(|(id, intent)| (id, *intent))
    }

    /// Cases of open episodes that this policy has here.
    pub(crate) fn open_of(&self, policy: &str) -> impl Iterator<Item = &CaseId> {
        self.open.iter().filter(move |id| id.policy == policy)
    }

    /// How many cases other policies have here.
    pub(crate) fn of_others(&self, policy: &str) -> usize {
        self.cases.iter().filter(|(name, _)| *name != policy).map(|(_, count)| count).sum()
    }

    /// Cases of open episodes that come before this policy and are not decided, or approved; by precedence.
    pub(crate) fn undecided_before(&self, priority: i32, policy: &str) -> impl Iterator<Item = CaseId> {
        let ours = Rank {
            negated_priority: -i64::from(priority),
            policy: policy.to_owned(),
            episode: Seq::default(),
        };
        self.undecided.range(..ours).map(|rank| CaseId { episode: rank.episode, policy: rank.policy.clone() })
    }

    fn is_empty(&self) -> bool {
        self.cases.is_empty() && self.in_flight.is_empty()
    }
}

impl Indexes {
    /// What is on this target, where anything is.
    pub(crate) fn on(&self, target: &Target) -> Option<&Crowd> {
        self.crowds.get(target)
    }

    /// How many targets have an open episode.
    pub(crate) fn firing(&self) -> usize {
        self.firing
    }

    /// The case that watches what this intent did.
    pub(crate) fn watching(&self, intent: Seq) -> Option<&CaseId> {
        self.watching.get(&intent)
    }

    /// The cases of this policy that watch what they did.
    pub(crate) fn watching_of(&self, policy: &str) -> impl Iterator<Item = &CaseId> {
        self.watching_by_policy.get(policy).into_iter().flatten()
    }

    /// The cases of this policy that wait for the next step of a sequence that has begun.
    pub(crate) fn between_of(&self, policy: &str) -> impl Iterator<Item = &CaseId> {
        self.between_by_policy.get(policy).into_iter().flatten()
    }

    /// Open episodes of which one meets all these matchers if any open one does; `None` where none of their labels is
    /// filed.
    pub(crate) fn may_meet(&self, matchers: &[Matcher]) -> Option<impl Iterator<Item = Seq>> {
        let filed =
            matchers.iter().filter_map(|matcher| Some((matcher, self.open_by_label.get(&matcher.name)?)));
        let equal = filed.clone().filter(|(matcher, _)| matcher.operator == Operator::Equal);
        let rarest = equal
            .map(|(matcher, values)| values.get(&matcher.value).into_iter().collect::<Vec<_>>())
            .min_by_key(|found| found.iter().map(|episodes| episodes.len()).sum::<usize>());
        let found = rarest.or_else(|| {
            // Without an equality every value is asked, which are fewer than the episodes.
            filed.clone().next().map(|(matcher, values)| {
                let met = values.iter().filter(|(value, _)| matcher.meets_value(value));
                met.map(|(_, episodes)| episodes).collect()
            })
        })?;
        Some(found.into_iter().flatten().copied())
    }

    /// The case is on its target from now on.
    pub(crate) fn arrived(&mut self, case: &Case, open: bool) {
        let Some(target) = &case.target else { return };
        let crowd = self.crowds.entry(target.clone()).or_default();
        *crowd.cases.entry(case.id.policy.clone()).or_default() += 1;
        if open {
            self.firing += usize::from(crowd.open.is_empty());
            crowd.open.insert(case.id.clone());
        }
        self.entered(case, open);
    }

    /// The case leaves the target that it has.
    pub(crate) fn leaves(&mut self, case: &Case) {
        self.leaves_phase(case);
        self.closed(case);
        let Some(target) = &case.target else { return };
        let Some(crowd) = self.crowds.get_mut(target) else { return };
        if let Some(count) = crowd.cases.get_mut(&case.id.policy) {
            *count -= 1;
            if *count == 0 {
                crowd.cases.remove(&case.id.policy);
            }
        }
        self.tidy(target);
    }

    /// The case is in its phase from now on.
    pub(crate) fn entered(&mut self, case: &Case, open: bool) {
        if case.is_between_steps() {
            self.between_by_policy.entry(case.id.policy.clone()).or_default().insert(case.id.clone());
        }
        let crowd = case.target.as_ref().and_then(|target| self.crowds.get_mut(target));
        if let Phase::Verifying { intent, .. } = case.phase {
            self.watching.insert(intent, case.id.clone());
            self.watching_by_policy.entry(case.id.policy.clone()).or_default().insert(case.id.clone());
            if let Some(crowd) = crowd {
                crowd.watching.insert(case.id.clone(), intent);
            }
        } else if let Some(crowd) = crowd
            && open
            && case.may_come_first()
        {
            crowd.undecided.insert(Rank::of(case));
        }
    }

    /// The case leaves the phase that it is in.
    pub(crate) fn leaves_phase(&mut self, case: &Case) {
        if let Some(between) = self.between_by_policy.get_mut(&case.id.policy) {
            between.remove(&case.id);
            if between.is_empty() {
                self.between_by_policy.remove(&case.id.policy);
            }
        }
        let crowd = case.target.as_ref().and_then(|target| self.crowds.get_mut(target));
        match case.phase {
            Phase::Verifying { intent, .. } => {
                self.watching.remove(&intent);
                if let Some(of_policy) = self.watching_by_policy.get_mut(&case.id.policy) {
                    of_policy.remove(&case.id);
                    if of_policy.is_empty() {
                        self.watching_by_policy.remove(&case.id.policy);
                    }
                }
                if let Some(crowd) = crowd {
                    crowd.watching.remove(&case.id);
                }
            }
            Phase::Waiting { .. } | Phase::Asking { .. } | Phase::Approved { .. } => {
                if let Some(crowd) = crowd {
                    crowd.undecided.remove(&Rank::of(case));
                }
            }
            Phase::Proposed { .. } | Phase::Acting { .. } | Phase::Withheld | Phase::Resting => {}
        }
    }

    /// The case's episode is open no more.
    pub(crate) fn closed(&mut self, case: &Case) {
        let crowd = case.target.as_ref().and_then(|target| self.crowds.get_mut(target));
        let Some(crowd) = crowd else { return };
        crowd.undecided.remove(&Rank::of(case));
        if crowd.open.remove(&case.id) && crowd.open.is_empty() {
            self.firing -= 1;
        }
    }

    /// An effect begins.
    pub(crate) fn begun(&mut self, intent: Seq, target: &Target) {
        self.crowds.entry(target.clone()).or_default().in_flight.insert(intent);
    }

    /// An effect has ended.
    pub(crate) fn ended(&mut self, intent: Seq, target: &Target) {
        if let Some(crowd) = self.crowds.get_mut(target) {
            crowd.in_flight.remove(&intent);
        }
        self.tidy(target);
    }

    fn tidy(&mut self, target: &Target) {
        if self.crowds.get(target).is_some_and(Crowd::is_empty) {
            self.crowds.remove(target);
        }
    }

    /// An episode opened.
    pub(crate) fn episode_opened(&mut self, episode: &Episode) {
        for (name, values) in &mut self.open_by_label {
            values.entry(value(&episode.labels, name).to_owned()).or_default().insert(episode.id);
        }
    }

    /// An episode closed.
    pub(crate) fn episode_closed(&mut self, episode: &Episode) {
        for (name, values) in &mut self.open_by_label {
            let value = value(&episode.labels, name);
            if let Some(episodes) = values.get_mut(value) {
                episodes.remove(&episode.id);
                if episodes.is_empty() {
                    values.remove(value);
                }
            }
        }
    }
}

fn value<'l>(labels: &'l Labels, name: &str) -> &'l str {
    labels.get(name).map_or("", String::as_str)
}

impl State {
    /// Files open episodes by the labels that any `unless:` of the books at hand asks for.
    pub(crate) fn file_by_labels(&mut self) {
        let policies = self.books.values().flat_map(|book| book.policies().values());
        let names = policies.flat_map(|policy| &policy.unless).map(|matcher| matcher.name.clone());
        self.indexes.open_by_label = names.map(|name| (name, BTreeMap::new())).collect();
        for episode in self.episodes.values().filter(|episode| episode.fires()) {
            self.indexes.episode_opened(episode);
        }
    }

    /// Makes all indexes anew from the rest of the state, as reading a stored one does.
    pub fn reindex(&mut self) {
        self.indexes = Indexes::default();
        for case in self.cases.values() {
            let open = self.episodes.get(&case.id.episode).is_some_and(Episode::fires);
            if case.target.is_some() {
                self.indexes.arrived(case, open);
            } else {
                self.indexes.entered(case, open);
            }
        }
        for (intent, flight) in &self.in_flight {
            self.indexes.begun(*intent, &flight.intent.target);
        }
        self.file_by_labels();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::book::{Book, Source, SourceFile};
    use crate::settings::Settings;
    use crate::state::LastRuling;
    use crate::state::tests::{at, case, episode, target};

    fn on(case: Case, name: &str) -> Case {
        Case { target: Some(target(name)), ..case }
    }

    fn verifying(case: Case, intent: u64) -> Case {
        let (since, due) = (at("09:00:00"), at("09:05:00"));
        let phase =
            Phase::Verifying { intent: Seq(intent), since, held_since: None, last: None, open: None, due };
        Case { phase, ..case }
    }

    fn asking(case: Case) -> Case {
        Case { phase: Phase::Asking { open: BTreeSet::new(), due: at("09:00:00") }, ..case }
    }

    fn is(name: &str, operator: Operator, value: &str) -> Matcher {
        Matcher { name: name.to_owned(), operator, value: value.to_owned(), regex: None }
    }

    #[test]
    fn what_has_left_leaves_nothing_behind() {
        let waiting = || on(case(1, "restart-web"), "web");
        for case in [
            waiting(),
            asking(waiting()),
            verifying(waiting(), 7),
            Case { rung_begun: true, ..waiting() },
            Case { rung_begun: true, ..case(1, "restart-web") },
            Case { phase: Phase::Withheld, ..waiting() },
            Case { phase: Phase::Resting, ..waiting() },
        ] {
            for open in [true, false] {
                let mut indexes = Indexes::default();
                if case.target.is_some() {
                    indexes.arrived(&case, open);
                } else {
                    indexes.entered(&case, open);
                }
                assert!(indexes != Indexes::default(), "{:?}", case.phase);
                indexes.leaves(&case);
                assert_eq!(indexes, Indexes::default(), "{:?}, open: {open}", case.phase);
            }
        }
        let mut indexes = Indexes::default();
        indexes.begun(Seq(7), &target("web"));
        indexes.begun(Seq(8), &target("web"));
        indexes.ended(Seq(7), &target("web"));
        assert_eq!(indexes.on(&target("web")).map(|crowd| crowd.in_flight().collect()), Some(vec![Seq(8)]));
        indexes.ended(Seq(8), &target("web"));
        assert_eq!(indexes, Indexes::default());
    }

    #[test]
    fn a_target_fires_while_one_of_its_episodes_is_open() {
        let mut indexes = Indexes::default();
        let (one, two) = (on(case(1, "a"), "web"), on(case(2, "a"), "web"));
        let (other, ended) = (on(case(3, "a"), "db"), on(case(4, "a"), "cache"));
        for (case, open, firing) in [(&one, true, 1), (&two, true, 1), (&other, true, 2), (&ended, false, 2)]
        {
            indexes.arrived(case, open);
            assert_eq!(indexes.firing(), firing, "{}", case.id);
        }
        for (case, firing) in [(&one, 2), (&one, 2), (&two, 1), (&two, 1), (&ended, 1), (&other, 0)] {
            indexes.closed(case);
            assert_eq!(indexes.firing(), firing, "{} closed", case.id);
        }
    }

    #[test]
    fn a_target_knows_whose_cases_are_on_it() {
        let mut indexes = Indexes::default();
        for (case, open) in [
            (on(case(1, "a"), "web"), true),
            (on(case(2, "a"), "web"), false),
            (on(case(3, "b"), "web"), true),
            (on(case(4, "a"), "web"), true),
            (on(case(5, "a"), "db"), true),
        ] {
            indexes.arrived(&case, open);
        }
        let crowd = indexes.on(&target("web")).expect("it is crowded");
        assert_eq!((crowd.of_others("a"), crowd.of_others("b"), crowd.of_others("c")), (1, 3, 4));
        let open: Vec<u64> = crowd.open_of("a").map(|id| id.episode.0).collect();
        assert_eq!(open, [1, 4]);
        assert!(indexes.on(&target("cache")).is_none());
        indexes.leaves(&on(case(3, "b"), "web"));
        assert_eq!(indexes.on(&target("web")).map(|crowd| crowd.of_others("a")), Some(0));
        indexes.leaves(&on(case(1, "a"), "web"));
        assert_eq!(indexes.on(&target("web")).map(|crowd| crowd.of_others("b")), Some(2));
    }

    #[test]
    fn before_a_policy_come_those_of_more_priority_then_those_of_a_lesser_name() {
        let mut indexes = Indexes::default();
        let ranked =
            |episode: u64, policy: &str, priority: i32| Case { priority, ..on(case(episode, policy), "web") };
        let ruling = LastRuling { seq: Seq(2), verdict: "withhold".to_owned(), reasons: Vec::new() };
        for case in [
            ranked(1, "z", 10),
            ranked(2, "a", 0),
            ranked(3, "b", 0),
            ranked(4, "c", 0),
            ranked(5, "a", -5),
            Case { last_ruling: Some(ruling), ..ranked(6, "y", 10) },
            Case { phase: Phase::Withheld, ..ranked(7, "x", 10) },
            verifying(ranked(8, "w", 10), 9),
        ] {
            indexes.arrived(&case, true);
        }
        indexes.arrived(&ranked(9, "v", 10), false);
        let before = |priority: i32, policy: &str| -> Vec<u64> {
            let crowd = indexes.on(&target("web")).expect("it is crowded");
            crowd.undecided_before(priority, policy).map(|id| id.episode.0).collect()
        };
        assert_eq!(before(0, "b"), [1, 2], "neither itself nor what is after it");
        assert_eq!(before(10, "z"), [0; 0]);
        assert_eq!(before(0, "a"), [1]);
        assert_eq!(before(-5, "b"), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn who_watches_what_it_did_is_found_by_intent_policy_and_target() {
        let mut indexes = Indexes::default();
        let (one, two) = (verifying(on(case(1, "a"), "web"), 7), verifying(on(case(2, "a"), "db"), 8));
        indexes.arrived(&one, true);
        indexes.arrived(&two, true);
        assert_eq!(indexes.watching(Seq(7)), Some(&one.id));
        assert_eq!(indexes.watching(Seq(9)), None);
        assert_eq!(indexes.watching_of("a").count(), 2);
        assert_eq!(indexes.watching_of("b").count(), 0);
        let on_web: Vec<_> = indexes.on(&target("web")).expect("it is crowded").watching().collect();
        assert_eq!(on_web, [(&one.id, Seq(7))]);
        indexes.leaves_phase(&one);
        assert_eq!(indexes.watching(Seq(7)), None);
        assert_eq!(indexes.watching_of("a").collect::<Vec<_>>(), [&two.id]);
        assert_eq!(indexes.on(&target("web")).map(|crowd| crowd.watching().count()), Some(0));
    }

    #[test]
    fn who_is_between_two_steps_is_found_by_its_policy() {
        let mut indexes = Indexes::default();
        let begun = |episode: u64| Case { rung_begun: true, ..on(case(episode, "a"), "web") };
        indexes.arrived(&begun(1), true);
        indexes.arrived(&begun(2), false);
        indexes.arrived(&on(case(3, "a"), "web"), true);
        assert_eq!(indexes.between_of("a").count(), 2);
        assert_eq!(indexes.between_of("b").count(), 0);
        indexes.leaves_phase(&begun(1));
        assert_eq!(indexes.between_of("a").collect::<Vec<_>>(), [&begun(2).id]);
    }

    /// Of these matchers, the episodes that are looked at, sorted; `None` where every one has to be.
    fn may_meet(indexes: &Indexes, matchers: &[Matcher]) -> Option<Vec<u64>> {
        let mut found: Vec<u64> = indexes.may_meet(matchers)?.map(|seq| seq.0).collect();
        found.sort_unstable();
        Some(found)
    }

    #[test]
    fn open_episodes_are_found_by_the_rarest_label_that_is_filed() {
        let mut indexes = Indexes::default();
        for name in ["alertname", "team"] {
            indexes.open_by_label.insert(name.to_owned(), BTreeMap::new());
        }
        let all = [
            episode(1, &[("alertname", "Down"), ("team", "web")]),
            episode(2, &[("alertname", "Down")]),
            episode(3, &[("alertname", "Slow"), ("team", "db")]),
            episode(4, &[("alertname", "Down"), ("team", "db")]),
        ];
        for episode in &all {
            indexes.episode_opened(episode);
        }
        let down = is("alertname", Operator::Equal, "Down");
        let (db, no_web) = (is("team", Operator::Equal, "db"), is("team", Operator::NotEqual, "web"));
        let meet = |matchers: &[Matcher]| may_meet(&indexes, matchers);
        assert_eq!(meet(std::slice::from_ref(&down)), Some(vec![1, 2, 4]));
        assert_eq!(meet(&[down.clone(), db.clone()]), Some(vec![3, 4]), "fewer are of `db`");
        assert_eq!(meet(&[no_web.clone(), down.clone()]), Some(vec![1, 2, 4]), "an equality comes first");
        assert_eq!(meet(&[no_web]), Some(vec![2, 3, 4]), "an absent label is an empty one");
        assert_eq!(meet(&[is("team", Operator::Equal, "")]), Some(vec![2]));
        assert_eq!(meet(&[is("alertname", Operator::Equal, "Other")]), Some(vec![]));
        assert_eq!(meet(&[is("zone", Operator::Equal, "a")]), None, "nobody asked for it before");
        assert_eq!(meet(&[is("zone", Operator::Equal, "a"), down.clone()]), Some(vec![1, 2, 4]));
        assert_eq!(meet(&[]), None);
        for episode in &all[1..] {
            indexes.episode_closed(episode);
        }
        assert_eq!(may_meet(&indexes, &[down]), Some(vec![1]));
        assert_eq!(indexes.open_by_label["team"].keys().collect::<Vec<_>>(), ["web"]);
    }

    /// A book whose one policy waits while an alert of this label is open.
    fn book_unless(label: &str) -> Book {
        let text = format!(
            "apiVersion: paramedic.dev/v1alpha1\nkind: RemediationPolicy\nmetadata: {{name: a}}\nspec:\n  \
             match: ['alertname=\"Down\"']\n  unless: ['{label}=\"1\"']\n  \
             target: {{kind: Deployment, namespace: prod, name: web}}\n  \
             ladder:\n    - restart: {{}}\n      verify: {{rollout: complete}}\n"
        );
        let files = vec![SourceFile { path: "a.yaml".to_owned(), text }];
        let source = Source { files, settings: Settings::default(), tzdb: "test".to_owned() };
        crate::load::book(source).unwrap_or_else(|problems| panic!("{problems:?}"))
    }

    #[test]
    fn a_state_that_is_read_back_has_the_same_indexes() {
        let mut state = State::new();
        for (case, closed) in [
            (on(case(1, "a"), "web"), false),
            (verifying(on(case(2, "a"), "web"), 7), true),
            (Case { rung_begun: true, ..case(3, "b") }, false),
        ] {
            let mut episode = episode(case.id.episode.0, &[("id", &case.id.episode.0.to_string())]);
            episode.closed_at = closed.then(|| at("09:00:00"));
            state.episodes.insert(episode.id, episode);
            state.cases.insert(case.id.clone(), case);
        }
        let book = book_unless("id");
        state.books.insert(book.digest(), Arc::new(book));
        state.reindex();
        assert_eq!(state.indexes.firing(), 1);
        assert_eq!(state.indexes.watching_of("a").count(), 1);
        assert_eq!(state.indexes.between_of("b").count(), 1);
        let of = |id: &str| may_meet(&state.indexes, &[is("id", Operator::Equal, id)]);
        assert_eq!((of("1"), of("2")), (Some(vec![1]), Some(vec![])), "of open ones only");
        let text = serde_json::to_string(&state).expect("a state is written");
        let again: State = serde_json::from_str(&text).expect("and read");
        assert_eq!(again.indexes, state.indexes);
    }
}
