//! A month of alerts as Prometheus would have kept it: made up, but of the shape of a real one (rules that are evaluated each
//! minute, long and short alerts, busy hours, many pods), and the same for the same seed. Written as OpenMetrics, a file a
//! day. It must never know what paramedic makes of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::seeded::Seeded;

const MINUTE: i64 = 60;
const DAY: i64 = 86_400;

/// The same alert begins again this long after it ended at the earliest: nobody takes it for the same then.
const APART: i64 = 7 * MINUTE;

/// The alert that the test's first policy is for.
pub const ERRORS: &str = "HighErrorRate";
/// The alert that its second policy is for, which asks how deep the queue is.
pub const BACKLOG: &str = "QueueBacklog";

/// How much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Beginnings and ends of alerts together.
    pub events: usize,
    /// Days.
    pub days: i64,
    /// Midnight, in seconds since the Unix epoch.
    pub from: i64,
    /// Which of all such months.
    pub seed: u64,
}

/// One alert from its beginning to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Its labels, `alertname` included.
    pub labels: BTreeMap<String, String>,
    /// Its first sample, in seconds since the Unix epoch.
    pub begins: i64,
    /// The first evaluation at which it did not fire any more.
    pub ends: i64,
}

/// A rule: which series it has, and its share of all alerts in thousandths.
struct Rule {
    name: &'static str,
    severity: &'static str,
    share: usize,
    workloads: usize,
    pods: usize,
    /// Whether its alerts stay within a day.
    by_day: bool,
}

const fn noise(
    name: &'static str,
    severity: &'static str,
    share: usize,
    workloads: usize,
    pods: usize,
) -> Rule {
    Rule { name, severity, share, workloads, pods, by_day: false }
}

/// The first two have policies in the tests; nobody is for the others.
const RULES: [Rule; 16] = [
    Rule { name: ERRORS, severity: "critical", share: 40, workloads: 80, pods: 1, by_day: false },
    Rule { name: BACKLOG, severity: "warning", share: 20, workloads: 20, pods: 1, by_day: true },
    noise("KubePodCrashLooping", "warning", 120, 40, 6),
    noise("KubePodNotReady", "warning", 110, 40, 6),
    noise("CPUThrottlingHigh", "info", 160, 40, 8),
    noise("KubeContainerWaiting", "warning", 60, 40, 4),
    noise("HighLatency", "warning", 90, 80, 1),
    noise("TargetDown", "warning", 60, 40, 2),
    noise("NodeMemoryPressure", "warning", 40, 40, 1),
    noise("NodeClockSkew", "info", 30, 40, 1),
    noise("DiskFilling", "warning", 50, 40, 1),
    noise("CertificateNearExpiry", "info", 20, 20, 1),
    noise("KubeJobFailed", "warning", 50, 40, 1),
    noise("KubeHpaMaxedOut", "info", 50, 80, 1),
    noise("PrometheusRuleSlow", "info", 50, 20, 1),
    noise("EtcdSlowCommits", "warning", 50, 20, 1),
];

/// Whether the queue of an alert is deep: on every second day.
pub fn is_deep(at: i64) -> bool {
    at.div_euclid(DAY) % 2 == 0
}

impl Shape {
    /// The end, in seconds since the Unix epoch.
    pub fn until(&self) -> i64 {
        self.from + self.days * DAY
    }

    /// All alerts, in the order of their beginnings.
    pub fn alerts(&self) -> Vec<Alert> {
        let mut chance = Seeded::new(self.seed);
        let mut alerts = Vec::with_capacity(self.events / 2);
        let wanted = self.events / 2;
        for (number, rule) in RULES.iter().enumerate() {
            let of_rule = match number + 1 == RULES.len() {
                true => wanted - alerts.len(),
                false => wanted * rule.share / 1000,
            };
            rule.alerts(self, of_rule, number, &mut chance, &mut alerts);
        }
        alerts.sort_by(|a: &Alert, b| (a.begins, &a.labels).cmp(&(b.begins, &b.labels)));
        alerts
    }

    /// Writes all samples into files, one for each day, and gives their paths.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&self, folder: &Path) -> std::io::Result<Vec<PathBuf>> {
        let mut days: Vec<Vec<(i64, usize)>> = Vec::new();
        days.resize_with(usize::try_from(self.days + 1).unwrap_or_default(), Vec::new);
        let alerts = self.alerts();
        for (index, alert) in alerts.iter().enumerate() {
            for day in
                (alert.begins - self.from).div_euclid(DAY)..=(alert.ends - 1 - self.from).div_euclid(DAY)
            {
                if let Some(of_day) = usize::try_from(day).ok().and_then(|day| days.get_mut(day)) {
                    of_day.push((alert.begins, index));
                }
            }
        }
        let mut files = Vec::new();
        for (day, of_day) in days.iter().enumerate().take(usize::try_from(self.days).unwrap_or_default()) {
            let begin = self.from + i64::try_from(day).unwrap_or_default() * DAY;
            let path = folder.join(format!("day-{day:03}.om"));
            let mut file = BufWriter::with_capacity(1 << 20, std::fs::File::create(&path)?);
            writeln!(file, "# TYPE ALERTS gauge")?;
            for (_, index) in of_day {
                let alert = &alerts[*index];
                let mut text = String::from("ALERTS{alertstate=\"firing\"");
                for (name, value) in &alert.labels {
                    // A string takes all that is written to it.
                    let _ = write!(text, ",{name}=\"{value}\"");
                }
                let first = alert.begins.max(begin + (alert.begins - begin).rem_euclid(MINUTE));
                let mut at = first;
                while at < alert.ends.min(begin + DAY) {
                    writeln!(file, "{text}}} 1 {at}")?;
                    at += MINUTE;
                }
            }
            // Alone shows that there was a Prometheus while nothing fired.
            writeln!(file, "# TYPE up gauge")?;
            for at in (begin..begin + DAY).step_by(240) {
                writeln!(file, "up{{job=\"prometheus\"}} 1 {at}")?;
            }
            writeln!(file, "# TYPE queue_depth gauge")?;
            for queue in 0..20 {
                let depth = if is_deep(begin) { 500 } else { 5 };
                for at in (begin..begin + DAY).step_by(240) {
                    writeln!(file, "queue_depth{{queue=\"queue-{queue}\"}} {depth} {at}")?;
                }
            }
            writeln!(file, "# EOF")?;
            file.flush()?;
            files.push(path);
        }
        Ok(files)
    }
}

/// Moves and cuts an alert so that it stays away from midnight, when the depth changes, and within its slot.
fn within_a_day((begins, ends): (i64, i64), slot: (i64, i64)) -> (i64, i64) {
    const AWAY: i64 = 10 * MINUTE;
    let midnight = (begins.div_euclid(DAY) + 1) * DAY;
    let late = begins + AWAY + MINUTE - midnight;
    let moved = match late > 0 {
        false => begins,
        true if begins - AWAY - MINUTE >= slot.0 => begins - AWAY - MINUTE,
        true => begins + 2 * AWAY + MINUTE,
    };
    let midnight = (moved.div_euclid(DAY) + 1) * DAY;
    (moved, (moved + ends - begins).min(slot.1).min(midnight - AWAY).max(moved + MINUTE))
}

impl Rule {
    fn alerts(&self, shape: &Shape, count: usize, number: usize, chance: &mut Seeded, into: &mut Vec<Alert>) {
        let series = self.workloads * self.pods;
        // Every group of rules is evaluated at its own second of the minute.
        let second = i64::try_from(number).unwrap_or_default() * 7 % MINUTE;
        for index in 0..series {
            let of_series = count / series + usize::from(index < count % series);
            let labels = self.labels(index);
            let slot = (shape.days * DAY - 2 * APART) / i64::try_from(of_series.max(1)).unwrap_or(i64::MAX);
            for turn in 0..of_series {
                let slot_begins = shape.from + APART + i64::try_from(turn).unwrap_or_default() * slot;
                let lasts = lasts(chance).min((slot - APART) / MINUTE).max(1) * MINUTE;
                let room = (slot - APART - lasts).max(1);
                let mut begins =
                    slot_begins + i64::try_from(chance.below(room.unsigned_abs())).unwrap_or_default();
                // Two of three come by day, where the slot allows.
                let hour = begins.rem_euclid(DAY) / 3600;
                if !(7..19).contains(&hour) && chance.below(3) < 2 {
                    begins =
                        slot_begins + i64::try_from(chance.below(room.unsigned_abs())).unwrap_or_default();
                }
                let begins = begins.div_euclid(MINUTE) * MINUTE + second;
                let alert = (begins, begins + lasts);
                let (begins, ends) = match self.by_day {
                    true => within_a_day(alert, (slot_begins, slot_begins + slot - APART)),
                    false => alert,
                };
                into.push(Alert { labels: labels.clone(), begins, ends });
            }
        }
    }

    fn labels(&self, index: usize) -> BTreeMap<String, String> {
        let workload = index / self.pods;
        let mut labels = BTreeMap::new();
        let mut put = |name: &str, value: String| labels.insert(name.to_owned(), value);
        put("alertname", self.name.to_owned());
        put("severity", self.severity.to_owned());
        put("cluster_zone", format!("zone-{}", index % 3));
        put("team", format!("team-{}", workload % 5));
        if self.name == BACKLOG {
            put("queue", format!("queue-{workload}"));
        }
        put("namespace", format!("shop-{}", workload % 8));
        put("deployment", format!("web-{workload}"));
        if self.pods > 1 {
            put("pod", format!("web-{workload}-7d9f8b6c5-{index:05}"));
            put("container", "app".to_owned());
        }
        labels
    }
}

/// How long an alert lasts, in minutes: most are over soon, some last for hours.
fn lasts(chance: &mut Seeded) -> i64 {
    let minutes = match chance.below(100) {
        0..60 => 2 + chance.below(5),
        60..92 => 6 + chance.below(20),
        _ => 25 + chance.below(95),
    };
    i64::try_from(minutes).unwrap_or(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { events: 20_000, days: 30, from: 1_790_812_800, seed: 7 };

    #[test]
    fn a_month_has_as_many_alerts_as_wanted_and_is_the_same_each_time() {
        let alerts = SHAPE.alerts();
        assert_eq!(alerts.len(), 10_000);
        assert_eq!(alerts, SHAPE.alerts());
        let begins = |alert: &Alert| alert.begins >= SHAPE.from && alert.ends < SHAPE.until();
        assert!(alerts.iter().all(begins));
    }

    /// As dense as the bench's month, in a tenth of its days; Prometheus refuses samples of one series that are out of order.
    #[test]
    fn no_alert_begins_again_before_it_is_over() {
        for shape in [SHAPE, Shape { events: 100_000, days: 3, ..SHAPE }] {
            let mut last: BTreeMap<BTreeMap<String, String>, i64> = BTreeMap::new();
            for alert in shape.alerts() {
                assert!(alert.ends > alert.begins, "{alert:?}");
                if let Some(before) = last.insert(alert.labels.clone(), alert.ends) {
                    let apart = alert.begins - before;
                    assert!(apart > 5 * MINUTE, "{alert:?} begins {apart} s after");
                }
            }
        }
    }

    #[test]
    fn the_depth_of_a_queue_does_not_change_while_an_alert_asks_for_it() {
        for shape in [SHAPE, Shape { events: 100_000, days: 3, ..SHAPE }] {
            let alerts = shape.alerts();
            let mut of_queues = alerts.iter().filter(|alert| alert.labels["alertname"] == BACKLOG).peekable();
            assert!(of_queues.peek().is_some());
            for alert in of_queues {
                let day = alert.begins.div_euclid(DAY);
                assert_eq!((alert.ends + 9 * MINUTE).div_euclid(DAY), day, "{alert:?}");
            }
        }
    }
}
