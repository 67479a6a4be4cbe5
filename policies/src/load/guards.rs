//! Reads the guards of a policy and fills in their defaults.

use std::collections::BTreeSet;

use crate::load::fields::{Fields, Walk};
use crate::load::problem::Malformed;
use crate::load::yaml::{Node, Tree};
use crate::policy::{BlastScope, BlastTargets, Guards, InStorm, Limit, LimitScope, OnFailure, Window};
use crate::time::Span;

/// Over what a ceiling counts, in words.
const SCOPES: [(&str, LimitScope); 4] = [
    ("target", LimitScope::Target),
    ("policy", LimitScope::Policy),
    ("namespace", LimitScope::Namespace),
    ("global", LimitScope::Global),
];

/// No window may be longer: the ledger keeps every action of the longest one.
const WINDOW_MAX: Span = Span::from_hours(24 * 31);

impl Default for Guards {
    fn default() -> Self {
        Self {
            cooldown: Span::from_mins(15),
            relapse: Span::from_hours(2),
            limits: vec![Limit { max: 3, per: Span::from_hours(1), by: LimitScope::Target }],
            concurrency: 1,
            blast_targets: Some(BlastTargets {
                max: 2,
                within: BlastScope::Namespace,
                per: Span::from_mins(30),
            }),
            blast_unavailable: Some(25),
            in_storm: InStorm::Withhold,
            schedule: Vec::new(),
            approval: Span::from_mins(30),
        }
    }
}

impl Default for OnFailure {
    fn default() -> Self {
        Self { notify: Vec::new(), quarantine_after: 3 }
    }
}

impl Walk {
    pub(crate) fn guards(&mut self, tree: &Tree, what: &str) -> Option<Guards> {
        let usual = Guards::default();
        let mut fields = Fields::open(self, tree, what, "GuardsDocument")?;
        let cooldown = fields.or(self, "cooldown", usual.cooldown, Self::span);
        let relapse = fields.or(self, "relapse", usual.relapse, Self::span);
        let limits = fields.or(self, "limits", usual.limits, Self::limits);
        let concurrency = fields.or(self, "concurrency", usual.concurrency, |walk, tree, what| {
            walk.unsigned(tree, what, 1, 1000)
        });
        let blast = fields.or(
            self,
            "blastRadius",
            (usual.blast_targets, usual.blast_unavailable),
            Self::blast_radius,
        );
        let words = [("act", InStorm::Act), ("approve", InStorm::Approve), ("withhold", InStorm::Withhold)];
        let in_storm =
            fields.or(self, "inStorm", usual.in_storm, |walk, tree, what| walk.choice(tree, what, &words));
        let schedule = fields.or(self, "schedule", Vec::new(), |walk, tree, what| {
            walk.each(tree, what, |walk, item, what| {
                let text = walk.text(item, what)?;
                walk.take(item.at, what, window(text))
            })
        });
        let approval = fields.or(self, "approval", usual.approval, Self::positive);
        fields.close(self);
        let (blast_targets, blast_unavailable) = blast?;
        Some(Guards {
            cooldown: cooldown?,
            relapse: relapse?,
            limits: limits?,
            concurrency: concurrency?,
            blast_targets,
            blast_unavailable,
            in_storm: in_storm?,
            schedule: schedule?,
            approval: approval?,
        })
    }

    pub(crate) fn limits(&mut self, tree: &Tree, what: &str) -> Option<Vec<Limit>> {
        self.each(tree, what, |walk, item, what| {
            let mut fields = Fields::open(walk, item, what, "Limit")?;
            let usage = "such as {max: 3, per: 1h, by: target}";
            let max = fields.need(walk, "max", usage).and_then(|tree| walk.unsigned(tree, "max", 1, 100_000));
            let per = fields.need(walk, "per", usage).and_then(|tree| walk.window_length(tree));
            let by = fields
                .or(walk, "by", LimitScope::Policy, |walk, tree, what| walk.choice(tree, what, &SCOPES));
            fields.close(walk);
            Some(Limit { max: max?, per: per?, by: by? })
        })
    }

    fn positive(&mut self, tree: &Tree, what: &str) -> Option<Span> {
        let span = self.span(tree, what)?;
        if span == Span::ZERO {
            self.error(tree.at, format!("`{what}` cannot be 0s"), "give it a length, such as 30m");
            return None;
        }
        Some(span)
    }

    fn window_length(&mut self, tree: &Tree) -> Option<Span> {
        let per = self.positive(tree, "per")?;
        if per > WINDOW_MAX {
            self.error(tree.at, "`per` is longer than a window can be", "at most 31d");
            return None;
        }
        Some(per)
    }

    fn blast_radius(&mut self, tree: &Tree, what: &str) -> Option<(Option<BlastTargets>, Option<u8>)> {
        let usual = Guards::default();
        let mut fields = Fields::open(self, tree, what, "BlastRadiusDocument")?;
        let targets = fields.or(self, "targets", usual.blast_targets, |walk, tree, what| {
            if tree.node == Node::Text("off".to_owned()) {
                return Some(None);
            }
            let mut fields = Fields::open(walk, tree, what, "BlastTargets")?;
            let usage = "such as {max: 2, in: namespace, per: 30m}";
            let scopes = [("namespace", BlastScope::Namespace), ("cluster", BlastScope::Cluster)];
            let max = fields.need(walk, "max", usage).and_then(|tree| walk.unsigned(tree, "max", 1, 100_000));
            let within = fields.need(walk, "in", usage).and_then(|tree| walk.choice(tree, "in", &scopes));
            let per = fields.need(walk, "per", usage).and_then(|tree| walk.window_length(tree));
            fields.close(walk);
            Some(Some(BlastTargets { max: max?, within: within?, per: per? }))
        });
        let unavailable = fields.or(self, "unavailable", usual.blast_unavailable, |walk, tree, what| {
            let usage = "a share in percent, such as 25%, or off";
            if let Node::Number(_, written) = &tree.node {
                walk.error(
                    tree.at,
                    format!("`{what}` needs a percent sign, found the number {written}"),
                    usage,
                );
                return None;
            }
            let text = walk.text(tree, what)?;
            if text == "off" {
                return Some(None);
            }
            let percent = text
                .strip_suffix('%')
                .and_then(|digits| digits.trim().parse::<u8>().ok())
                .filter(|percent| *percent <= 100);
            if percent.is_none() {
                walk.error(tree.at, format!("`{what}` cannot be `{text}`"), usage);
            }
            percent.map(Some)
        });
        fields.close(self);
        Some((targets?, unavailable?))
    }

    /// Doubts a name that is no receiver.
    fn is_receiver(&mut self, tree: &Tree, name: &str) {
        if self.receivers.contains(name) {
            return;
        }
        let near = crate::load::nearest::nearest(name, self.receivers.iter().map(String::as_str));
        let hint = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("declare `{name}` under `notifications.receivers` in the configuration"),
        };
        self.warn(tree.at, format!("there is no receiver `{name}`: it will not be told"), hint);
    }

    pub(crate) fn on_failure(&mut self, tree: &Tree, what: &str) -> Option<OnFailure> {
        let usual = OnFailure::default();
        let mut fields = Fields::open(self, tree, what, "OnFailureDocument")?;
        let notify = fields.or(self, "notify", usual.notify, |walk, tree, what| {
            walk.each(tree, what, |walk, item, what| {
                let name = walk.text(item, what)?.to_owned();
                walk.is_receiver(item, &name);
                Some(name)
            })
        });
        let quarantine_after =
            fields.or(self, "quarantineAfter", usual.quarantine_after, |walk, tree, what| {
                walk.unsigned(tree, what, 0, 1000)
            });
        fields.close(self);
        Some(OnFailure { notify: notify?, quarantine_after: quarantine_after? })
    }
}

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// `Mon-Fri 09:00-17:00 Europe/Berlin`.
pub(crate) fn window(text: &str) -> Result<Window, Malformed> {
    let usage = "days, times and a time zone, such as `Mon-Fri 09:00-17:00 Europe/Berlin`";
    let words: Vec<&str> = text.split_whitespace().collect();
    let [days, times, zone] = words[..] else {
        let problem = match words.len() {
            2 => format!("`{text}` has no time zone"),
            _ => format!("`{text}` is not a window"),
        };
        return Err(Malformed::new(problem, usage));
    };
    let mut set = BTreeSet::new();
    for part in days.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let day = |name: &str| {
            DAYS.iter()
                .position(|day| day.eq_ignore_ascii_case(name))
                .and_then(|day| u8::try_from(day).ok())
                .ok_or_else(|| {
                    Malformed::new(format!("`{name}` is not a day"), format!("days are {}", DAYS.join(", ")))
                })
        };
        let (first, last) = (day(first)?, day(last)?);
        // `Fri-Mon` goes over the weekend.
        (0..=(last + 7 - first) % 7).for_each(|step| {
            set.insert((first + step) % 7);
        });
    }
    let minute = |text: &str| {
        let (hours, minutes) = text.split_once(':')?;
        let digits = |part: &str| {
            (part.len() == 2 && !part.starts_with('+')).then(|| part.parse::<u16>().ok()).flatten()
        };
        let (hours, minutes) = (digits(hours)?, digits(minutes)?);
        (minutes < 60 && hours * 60 + minutes <= 24 * 60).then_some(hours * 60 + minutes)
    };
    let (from, to) =
        times.split_once('-').and_then(|(from, to)| minute(from).zip(minute(to))).ok_or_else(|| {
            Malformed::new(
                format!("`{times}` is not a pair of times"),
                "such as 09:00-17:00; 22:00-06:00 ends on the next day; a whole day is 00:00-24:00",
            )
        })?;
    if from == to || from == 24 * 60 {
        return Err(Malformed::new(format!("`{times}` has no length"), "a whole day is 00:00-24:00"));
    }
    let name = jiff::tz::TimeZone::get(zone)
        .ok()
        .and_then(|found| found.iana_name().map(str::to_owned))
        .ok_or_else(|| {
            Malformed::new(
                format!("`{zone}` is not a time zone"),
                "an IANA name such as Europe/Berlin, America/New_York or UTC",
            )
        })?;
    Ok(Window { days: set, from_minute: from, to_minute: to, zone: name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_read() {
        let read = window("Fri-Mon,Wed 22:00-06:00 Europe/Berlin").expect("a window");
        assert_eq!(read.days, BTreeSet::from([0, 2, 4, 5, 6]));
        assert_eq!((read.from_minute, read.to_minute, read.zone.as_str()), (1320, 360, "Europe/Berlin"));
        let odd = window("Mon 09:30-17:45 UTC").expect("a window");
        assert_eq!((odd.from_minute, odd.to_minute), (9 * 60 + 30, 17 * 60 + 45));
        assert_eq!(window("Mon 00:00-24:00 UTC").expect("a window").to_minute, 1440);
    }

    #[test]
    fn what_is_no_window_is_refused() {
        for text in [
            "Mon-Fri 09:00-17:00",
            "Mon-Fri 9-17 UTC",
            "Mo 09:00-17:00 UTC",
            "Mon 25:00-26:00 UTC",
            "Mon 09:60-10:00 UTC",
            "Mon 09:00-24:01 UTC",
            "Mon 09:00-17:00 Europe/Atlantis",
            "Mon 09:00-09:00 UTC",
            "Mon 24:00-06:00 UTC",
            "",
            "Mon +9:00-10:00 UTC",
        ] {
            assert!(window(text).is_err(), "{text}");
        }
    }
}
