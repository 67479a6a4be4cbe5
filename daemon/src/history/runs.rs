//! From samples of `ALERTS` to alerts that begin and end. A rule that fires leaves one sample for each evaluation; where
//! several in a row are missing, the alert has ended. Where fewer are, `ALERTS_FOR_STATE` tells whether it is a new one.
//! Samples come in chunks; of what is over nothing is kept.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use paramedic_policies::alert::{Alert, AlertStatus, Labels};
use paramedic_policies::counted::counted;
use paramedic_policies::time::{Moment, Span};
use paramedic_simulations::backtest::Heard;

use super::dressed::Dressed;
use super::samples::Series;

/// After this Prometheus itself takes a series for gone.
pub const STALENESS: Span = Span::from_mins(5);

/// Until more is known.
const USUAL_INTERVAL: Span = Span::from_mins(1);

/// So many evaluations in a row must be missing.
const MISSED: i64 = 3;

/// So many distances of samples tell how often a rule is evaluated; fewer may be those of alerts that came and went.
const TELLING: u64 = 20;

/// Alerts as they began and ended.
#[derive(Debug)]
pub struct Runs {
    /// How often rules are evaluated, where the caller knows.
    given: Option<Span>,
    /// The shortest distance of two samples by alert's name, and of how many distances.
    measured: HashMap<String, (i64, u64)>,
    firing: HashMap<Arc<Labels>, Run>,
    changes: BTreeMap<Moment, Vec<Change>>,
    seen_until: i64,
}

#[derive(Debug, Clone, Copy)]
struct Run {
    began: i64,
    last: i64,
}

#[derive(Debug)]
struct Change {
    labels: Arc<Labels>,
    began: i64,
    ended: Option<i64>,
}

impl Runs {
    /// Nothing was seen yet.
    pub fn new(given: Option<Span>) -> Self {
        Self {
            given,
            measured: HashMap::new(),
            firing: HashMap::new(),
            changes: BTreeMap::new(),
            seen_until: i64::MIN,
        }
    }

    /// The names of alerts that miss evaluations in this chunk, though too few to have ended for certain.
    pub fn doubtful(&mut self, alerts: &Dressed) -> BTreeSet<String> {
        self.measure(alerts);
        let misses = |one: &&Series| {
            let interval = self.interval(&one.labels);
            let patience = self.patience(interval);
            let last = self.firing.get(&one.labels).map(|run| run.last);
            let all = last.into_iter().chain(one.at.iter().copied());
            let gaps = all.clone().zip(all.skip(1)).map(|(before, after)| after - before);
            gaps.into_iter().any(|gap| gap > interval + interval / 2 && gap <= patience)
        };
        alerts.series.iter().filter(misses).map(|one| name(&one.labels).to_owned()).collect()
    }

    /// The samples of a chunk that ends at this moment, and what `ALERTS_FOR_STATE` has of those in doubt. Chunks come in
    /// order, without a gap.
    pub fn see(&mut self, alerts: Dressed, since: &[Series], until: Moment) {
        self.measure(&alerts);
        let since: HashMap<&Labels, &Series> = since.iter().map(|one| (&one.labels, one)).collect();
        for one in alerts.series {
            self.follow(one, &since);
        }
        self.seen_until = until.unix_ms();
        self.end_what_is_gone();
    }

    fn measure(&mut self, alerts: &Dressed) {
        for (labels, at) in alerts.apart() {
            self.measure_one(name(labels), at);
        }
    }

    fn measure_one(&mut self, name: &str, at: &[i64]) {
        let gaps = at.windows(2).map(|pair| pair[1] - pair[0]).filter(|gap| *gap > 0);
        let (shortest, many) =
            gaps.fold((i64::MAX, 0), |(shortest, many), gap| (shortest.min(gap), many + 1));
        if many == 0 {
            return;
        }
        match self.measured.get_mut(name) {
            Some((known, of)) => (*known, *of) = ((*known).min(shortest), *of + many),
            None => {
                self.measured.insert(name.to_owned(), (shortest, many));
            }
        }
    }

    /// Where the interval that was given cannot be the one of the rules: a sentence with one of them.
    pub fn contradicted(&self) -> Option<String> {
        let given = ms(self.given?);
        let is_other = |gap: i64| gap.saturating_mul(2) <= given || gap >= given.saturating_mul(2);
        let others: BTreeMap<&str, i64> = self
            .measured
            .iter()
            .filter(|(_, (gap, many))| *many >= TELLING && is_other(*gap))
            .map(|(name, (gap, _))| (name.as_str(), *gap))
            .collect();
        let (name, gap) = others.first_key_value()?;
        let more = match others.len() - 1 {
            0 => String::new(),
            more => format!(", and so do those of {}", counted(more, "more alert")),
        };
        let (given, gap) = (self.given?, Span::from_ms(gap.unsigned_abs()));
        Some(format!(
            "when alerts began and ended: --evaluation-interval says {given}, and the samples of {name} come every {gap}{more}; \
             without it, the samples themselves tell"
        ))
    }

    /// How often the rule of this alert is evaluated, in milliseconds.
    fn interval(&self, labels: &Labels) -> i64 {
        if let Some(given) = self.given {
            return ms(given);
        }
        // A longer distance is that of two alerts, not of two evaluations.
        self.measured.get(name(labels)).map_or(ms(USUAL_INTERVAL), |(gap, _)| *gap).min(ms(STALENESS))
    }

    /// How long no sample may come while the alert still fires.
    fn patience(&self, interval: i64) -> i64 {
        interval.saturating_mul(MISSED)
    }

    fn follow(&mut self, series: Series, since: &HashMap<&Labels, &Series>) {
        let since = since.get(&series.labels).copied();
        let interval = self.interval(&series.labels);
        let patience = self.patience(interval);
        let (labels, mut run) = match self.firing.get_key_value(&series.labels) {
            Some((labels, run)) => (Arc::clone(labels), Some(*run)),
            None => (Arc::new(series.labels), None),
        };
        for at in series.at {
            match &mut run {
                Some(run) if at <= run.last => {}
                Some(run) if at - run.last <= patience && !is_new(since, run.last, at) => run.last = at,
                _ => {
                    if let Some(run) = run {
                        // It never ends after it began again.
                        self.ended(&labels, run, (run.last + interval).min(at - 1));
                    }
                    self.change(at, Change { labels: Arc::clone(&labels), began: at, ended: None });
                    run = Some(Run { began: at, last: at });
                }
            }
        }
        if let Some(run) = run {
            self.firing.insert(labels, run);
        }
    }

    fn end_what_is_gone(&mut self) {
        let gone: Vec<(Arc<Labels>, Run, i64)> = self
            .firing
            .iter()
            .filter_map(|(labels, run)| {
                let interval = self.interval(labels);
                let is_gone = run.last.saturating_add(self.patience(interval)) < self.seen_until;
                is_gone.then(|| (Arc::clone(labels), *run, interval))
            })
            .collect();
        for (labels, run, interval) in gone {
            self.firing.remove(&labels);
            self.ended(&labels, run, run.last + interval);
        }
    }

    fn ended(&mut self, labels: &Arc<Labels>, run: Run, at: i64) {
        self.change(at, Change { labels: Arc::clone(labels), began: run.began, ended: Some(at) });
    }

    fn change(&mut self, at: i64, change: Change) {
        self.changes.entry(Moment::from_unix_ms(at)).or_default().push(change);
    }

    /// The next change of which it is certain that none comes before it; `None` until more was seen.
    pub fn certain(&mut self) -> Option<Heard> {
        // A run that has no sample since may still end as far back as that.
        let longest =
            self.given.unwrap_or_default().max(STALENESS).ms().saturating_mul(MISSED.unsigned_abs());
        let until = self.seen_until.saturating_sub(i64::try_from(longest).unwrap_or(i64::MAX));
        self.changes.first_key_value().filter(|(at, _)| at.unix_ms() <= until)?;
        self.rest()
    }

    /// The next change, when nothing more will be seen.
    pub fn rest(&mut self) -> Option<Heard> {
        let (at, mut changes) = self.changes.pop_first()?;
        // Ends first, then by labels: the order in which series were read means nothing.
        changes.sort_by(|a, b| (a.ended.is_none(), &a.labels).cmp(&(b.ended.is_none(), &b.labels)));
        let alerts = changes.into_iter().map(alert).collect();
        Some(Heard { at, alerts, truncated: 0 })
    }

    /// Alerts that fire where the samples end.
    pub fn still_firing(&self) -> usize {
        self.firing.len()
    }
}

/// Whether what fires at this moment is active only since after the last sample.
fn is_new(since: Option<&Series>, last: i64, at: i64) -> bool {
    let active = since.and_then(|since| since.values.get(since.at.binary_search(&at).ok()?));
    active.is_some_and(|secs| secs * 1000.0 > last as f64)
}

fn alert(change: Change) -> Alert {
    let Change { labels, began, ended } = change;
    Alert {
        status: if ended.is_some() { AlertStatus::Resolved } else { AlertStatus::Firing },
        labels: Arc::unwrap_or_clone(labels),
        annotations: Labels::new(),
        starts_at: Moment::from_unix_ms(began),
        ends_at: ended.map(Moment::from_unix_ms),
        fingerprint: None,
    }
}

fn ms(span: Span) -> i64 {
    i64::try_from(span.ms()).unwrap_or(i64::MAX / 8)
}

fn name(labels: &Labels) -> &str {
    labels.get("alertname").map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::dressed::Dress;
    use crate::redaction::Redactor;

    fn series(name: &str, minutes: &[i64]) -> Series {
        let labels = [("alertname".to_owned(), name.to_owned())].into_iter().collect();
        let values = vec![1.0; minutes.len()];
        Series { labels, at: minutes.iter().map(|minute| minute * 60_000).collect(), values }
    }

    fn at(minutes: i64) -> Moment {
        Moment::from_unix_ms(minutes * 60_000)
    }

    fn told(runs: &mut Runs, all: bool) -> Vec<String> {
        let mut told = Vec::new();
        while let Some(heard) = if all { runs.rest() } else { runs.certain() } {
            for alert in heard.alerts {
                told.push(format!("{} {} {:?}", heard.at.unix_ms() / 60_000, alert.name(), alert.status));
            }
        }
        told
    }

    #[test]
    fn a_run_begins_with_its_first_sample_and_ends_an_interval_after_its_last() {
        let mut runs = Runs::new(None);
        runs.see(vec![series("A", &[1, 2, 3, 5, 6, 20, 21]), series("B", &[20])].into(), &[], at(60));
        let all =
            ["1 A Firing", "7 A Resolved", "20 A Firing", "20 B Firing", "21 B Resolved", "22 A Resolved"];
        assert_eq!(told(&mut runs, false), all);
        assert_eq!(runs.still_firing(), 0);
    }

    #[test]
    fn a_run_goes_on_over_the_border_of_two_chunks() {
        let mut runs = Runs::new(None);
        runs.see(vec![series("A", &[57, 58, 59, 60])].into(), &[], at(60));
        assert_eq!(told(&mut runs, false), [""; 0], "nothing is certain yet");
        runs.see(vec![series("A", &[60, 61, 62])].into(), &[], at(120));
        assert_eq!(told(&mut runs, false), ["57 A Firing", "63 A Resolved"]);
    }

    #[test]
    fn an_alert_that_became_active_within_a_gap_is_a_new_one() {
        let alerts = series("A", &[1, 2, 4, 5, 7]);
        let since = Series { values: vec![60.0, 60.0, 240.0, 240.0, 240.0], ..alerts.clone() };
        let mut runs = Runs::new(None);
        assert_eq!(runs.doubtful(&vec![series("B", &[1, 2, 3])].into()).len(), 0);
        assert_eq!(runs.doubtful(&vec![alerts.clone()].into()).into_iter().collect::<Vec<_>>(), ["A"]);
        runs.see(vec![alerts].into(), &[since], at(60));
        assert_eq!(told(&mut runs, false), ["1 A Firing", "3 A Resolved", "4 A Firing", "8 A Resolved"]);
    }

    #[test]
    fn what_fires_at_the_end_has_no_end() {
        let mut runs = Runs::new(Some(Span::from_mins(1)));
        runs.see(vec![series("A", &[58, 59, 60])].into(), &[], at(60));
        assert_eq!(told(&mut runs, true), ["58 A Firing"]);
        assert_eq!(runs.still_firing(), 1);
    }

    #[test]
    fn rules_that_are_evaluated_seldom_need_to_be_known() {
        let mut seldom = Runs::new(Some(Span::from_mins(10)));
        seldom.see(vec![series("A", &[10, 20, 30, 50])].into(), &[], at(200));
        assert_eq!(told(&mut seldom, false), ["10 A Firing", "60 A Resolved"]);
    }

    #[test]
    fn an_interval_that_the_samples_contradict_is_said_and_one_that_they_show_is_not() {
        let each_minute: Vec<i64> = (0..30).collect();
        let told = |given: Option<u64>, minutes: &[i64]| {
            let mut runs = Runs::new(given.map(Span::from_mins));
            runs.see(vec![series("A", minutes), series("B", &[5, 6])].into(), &[], at(60));
            runs.contradicted()
        };
        let day = told(Some(24 * 60), &each_minute).expect("it is contradicted");
        assert!(day.contains("says 1d, and the samples of A come every 1m;"), "{day}");
        let each_five: Vec<i64> = (0..30).map(|at| at * 5).collect();
        assert!(told(Some(1), &each_five).expect("it is contradicted").contains("every 5m"));
        for (given, minutes) in [(Some(1), &each_minute), (None, &each_minute), (Some(5), &each_five)] {
            assert_eq!(told(given, minutes), None);
        }
        assert_eq!(told(Some(10), &[1, 2, 30]), None, "too few to tell");
    }

    #[test]
    fn two_rules_whose_alerts_are_joined_are_measured_apart() {
        let minutes: Vec<i64> = (0..30).collect();
        let of = |user: &str, offset: i64| {
            let mut one = series("A", &minutes);
            one.labels.insert("user".to_owned(), user.to_owned());
            one.at.iter_mut().for_each(|at| *at += offset);
            one
        };
        let redactor = Redactor { labels: ["user".to_owned()].into(), ..Redactor::default() };
        let both = vec![of("ada@corp.example", 0), of("bob@corp.example", 7_000)];
        let joined = Dressed::of(both, &Dress { added: None, redactor });
        let mut runs = Runs::new(None);
        assert_eq!(runs.doubtful(&joined).len(), 0, "no evaluation is missing");
        runs.see(joined, &[], at(60));
        assert_eq!(told(&mut runs, true), ["0 A Firing", "30 A Resolved"]);
    }
}
