//! Which records are meant: the filters that `query`, `tail` and `export` share.

use std::str::FromStr;

use paramedic_policies::event::Seq;
use paramedic_policies::time::{Moment, Span};

use crate::cli::failure::Failure;
use crate::http::words::{KINDS, OUTCOMES, VERDICTS};
use crate::journal::Filter;

/// The filters. A record must meet all that are given.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Which records")]
pub(crate) struct Selection {
    /// Not before this: a time, or how long ago (`2h`, `1d 12h`).
    #[arg(long, value_name = "TIME")]
    since: Option<When>,
    /// Before this: a time, or how long ago.
    #[arg(long, value_name = "TIME")]
    until: Option<When>,
    /// Of this policy.
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// In this namespace: the target's, or the alert's.
    #[arg(long, short = 'n', value_name = "NAME")]
    namespace: Option<String>,
    /// On this target, such as `shop/deployment/cart`.
    #[arg(long, value_name = "NAMESPACE/KIND/NAME")]
    target: Option<String>,
    /// Of this alert, by `alertname`.
    #[arg(long, value_name = "NAME")]
    alert: Option<String>,
    /// Of the alert with this fingerprint: Alertmanager's, or our own.
    #[arg(long, value_name = "HEX")]
    fingerprint: Option<String>,
    /// Of this episode.
    #[arg(long, value_name = "SEQ")]
    episode: Option<u64>,
    /// Of this intent, and of the one that takes it back.
    #[arg(long, value_name = "SEQ")]
    intent: Option<u64>,
    /// Rulings: act, hold, withhold, propose. Verifications: helped, didNotHelp, unknown.
    #[arg(long, value_name = "WORD", value_parser = word(&VERDICTS))]
    verdict: Option<String>,
    /// Effects: done, refused, failed, unknown. Whole cases: helped, exhausted, resolved, rehearsed and others.
    #[arg(long, value_name = "WORD", value_parser = word(&OUTCOMES))]
    outcome: Option<String>,
    /// Of this kind: received, opened, ruled, intended, ended, verified, escalated, paused and others.
    #[arg(long, value_name = "KIND", value_parser = word(&KINDS))]
    kind: Option<String>,
}

/// One of a few words; the list stands in the error, not in every help text.
fn word(
    words: &'static [&'static str],
) -> impl Fn(&str) -> Result<String, String> + Clone + Send + Sync + 'static {
    move |text| {
        let known = words.iter().find(|word| word.eq_ignore_ascii_case(text));
        known.map(|word| (*word).to_owned()).ok_or_else(|| format!("one of {}", words.join(", ")))
    }
}

/// A point in time, or how long ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    At(Moment),
    Ago(Span),
}

impl When {
    pub(crate) fn moment(self, now: Moment) -> Moment {
        match self {
            Self::At(moment) => moment,
            Self::Ago(span) => now - span,
        }
    }
}

impl FromStr for When {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(moment) = text.parse() {
            return Ok(Self::At(moment));
        }
        text.parse()
            .map(Self::Ago)
            .map_err(|_| "write how long ago (2h, 1d 12h) or a time (2026-11-21T08:30:00Z)".to_owned())
    }
}

/// By how much the clock of a daemon elsewhere may be ahead of ours: who asks since its last record asks for no future.
const SKEW_MAX: Span = Span::from_mins(1);

/// From when until when, where either may be left open.
///
/// # Errors
/// When nothing can be between them.
pub(crate) fn window(
    since: Option<When>,
    until: Option<When>,
    now: Moment,
) -> Result<(Option<Moment>, Option<Moment>), Failure> {
    let (since, until) = (since.map(|when| when.moment(now)), until.map(|when| when.moment(now)));
    since.map_or(Ok(()), |since| may_hold(since, until, now))?;
    Ok((since, until))
}

/// From when until when, which is now where nobody says.
///
/// # Errors
/// When nothing can be between them.
pub(crate) fn window_of(since: When, until: Option<When>, now: Moment) -> Result<(Moment, Moment), Failure> {
    let since = since.moment(now);
    // By the clock of the daemon, something may lie there already.
    let usual = if since < now { now } else { now + SKEW_MAX };
    let until = until.map_or(usual, |until| until.moment(now));
    may_hold(since, Some(until), now)?;
    Ok((since, until))
}

fn may_hold(since: Moment, until: Option<Moment>, now: Moment) -> Result<(), Failure> {
    if since >= now + SKEW_MAX {
        return Err(Failure::users(format!("--since {since} is in the future: it is {now} now"))
            .hint("name a time that has been, or how long ago: 2h means two hours ago"));
    }
    match until.filter(|until| since >= *until) {
        None => Ok(()),
        Some(until) => Err(Failure::users(format!("nothing is between --since {since} and --until {until}"))
            .hint("--since is the earlier of the two; 2h means two hours ago")),
    }
}

impl Selection {
    /// As the journal takes it.
    pub(crate) fn filter(&self, now: Moment) -> Result<Filter, Failure> {
        let (since, until) = window(self.since, self.until, now)?;
        if let Some(target) = self.target.as_ref().filter(|target| target.split('/').count() != 3) {
            let error = format!("`{target}` is no target");
            return Err(Failure::users(error).hint("write NAMESPACE/KIND/NAME, such as shop/deployment/cart"));
        }
        Ok(Filter {
            since,
            until,
            after: None,
            limit: None,
            newest: false,
            policy: self.policy.clone(),
            namespace: self.namespace.clone(),
            target: self.target.as_ref().map(|target| lower_kind(target)),
            alert: self.alert.clone(),
            fingerprint: self.fingerprint.clone(),
            episode: self.episode.map(Seq),
            intent: self.intent.map(Seq),
            verdict: self.verdict.clone(),
            outcome: self.outcome.clone(),
            kind: self.kind.clone(),
        })
    }
}

/// Records have the kind in lower case; people write `Deployment`.
fn lower_kind(target: &str) -> String {
    let mut parts: Vec<String> = target.split('/').map(str::to_owned).collect();
    if let Some(kind) = parts.get_mut(1) {
        *kind = kind.to_lowercase();
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_some_seconds_behind_the_daemons_refuses_nothing() {
        let now: Moment = "2026-11-21T09:00:00Z".parse().expect("a time");
        let at = |secs: u64| When::At(now + Span::from_secs(secs));
        assert_eq!(
            window(Some(at(20)), None, now).expect("it may hold some"),
            (Some(now + Span::from_secs(20)), None)
        );
        let (since, until) = window_of(at(20), None, now).expect("it may hold some");
        assert_eq!((since, until), (now + Span::from_secs(20), now + SKEW_MAX));
        assert_eq!(window_of(When::Ago(SKEW_MAX), None, now).expect("the past").1, now);
        for secs in [60, 3600] {
            let told = window(Some(at(secs)), None, now).expect_err("nothing is there").to_string();
            assert!(told.contains(" is in the future: it is 2026-11-21T09:00:00.000Z now\nhint: "), "{told}");
            window_of(at(secs), None, now).expect_err("nothing is there");
        }
    }
}
