//! Weekly windows in which a policy may act, judged in their own time zone with the bundled database, so that every
//! machine finds the same moments. A window opens and closes when the wall clock there first shows its times; on the
//! day on which a clock skips a time, it counts as that much later.

use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::guard::{Finding, Guard, View};
use crate::policy::Window;
use crate::reason::Reason;
use crate::time::Moment;

/// Refuses outside all windows; says when the next one opens.
pub(crate) fn judge(view: &View<'_>) -> Finding {
    let windows = &view.policy.guards.schedule;
    if windows.is_empty() {
        return Finding::allows(Guard::Schedule, "");
    }
    let mut openings = Vec::new();
    for window in windows {
        // An unknown zone cannot come through the loader; its window never opens.
        let Ok(zone) = TimeZoneDatabase::bundled().get(&window.zone) else { continue };
        for (from, to) in occurrences(window, &zone, view.now) {
            if from <= view.now && view.now < to {
                return Finding::allows(Guard::Schedule, format!("open until {to} ({})", window.zone));
            }
            if from > view.now {
                openings.push(from);
            }
        }
    }
    Finding::refuses(Guard::Schedule, Reason::OffSchedule { until: openings.into_iter().min() })
}

/// Whether a window is open now.
pub(crate) fn opens(window: &Window, now: Moment) -> bool {
    let Ok(zone) = TimeZoneDatabase::bundled().get(&window.zone) else { return false };
    occurrences(window, &zone, now).into_iter().any(|(from, to)| from <= now && now < to)
}

/// How many days ahead an opening is looked for: two weeks, since one opening may fall into a skipped hour.
const DAYS_AHEAD: i32 = 15;

/// When the window is open, from the day before yesterday (it may reach over midnight) on.
fn occurrences(window: &Window, zone: &TimeZone, now: Moment) -> Vec<(Moment, Moment)> {
    let today = now.in_zone(zone).date();
    let reaches_over = u16::from(window.to_minute <= window.from_minute);
    (-2..=DAYS_AHEAD)
        .filter_map(|offset| day_after(today, offset))
        .filter(|day| {
            u8::try_from(day.weekday().to_monday_zero_offset()).is_ok_and(|day| window.days.contains(&day))
        })
        .filter_map(|day| {
            let from = reading(day, window.from_minute, zone)?;
            let to = reading(day_after(day, i32::from(reaches_over))?, window.to_minute, zone)?;
            (from < to).then_some((from, to))
        })
        .collect()
}

fn day_after(day: Date, days: i32) -> Option<Date> {
    day.checked_add(jiff::Span::new().try_days(days).ok()?).ok()
}

/// When the wall clock shows that many minutes after midnight of that day; 1440 is the next midnight.
fn reading(day: Date, minute: u16, zone: &TimeZone) -> Option<Moment> {
    let day = day_after(day, i32::from(minute / 1440))?;
    let minute = minute % 1440;
    let wall = day.at(i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?, 0, 0);
    let instant = zone.to_ambiguous_zoned(wall).compatible().ok()?;
    Some(Moment::from_unix_ms(instant.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::fixtures::*;

    /// Such as `0-4 09:00-17:00 Europe/Berlin`; Monday is 0.
    fn window(text: &str) -> Window {
        let minute = |text: &str| {
            let (hour, minute) = text.split_once(':').expect("hh:mm");
            hour.parse::<u16>().expect("hour") * 60 + minute.parse::<u16>().expect("minute")
        };
        let [days, times, zone] = text.split(' ').collect::<Vec<_>>()[..] else { panic!("{text}") };
        let (first, last) = days.split_once('-').expect("days");
        let (from, to) = times.split_once('-').expect("times");
        Window {
            days: (first.parse().expect("day")..=last.parse().expect("day")).collect(),
            from_minute: minute(from),
            to_minute: minute(to),
            zone: zone.to_owned(),
        }
    }

    #[track_caller]
    fn check(windows: &[&str], now: &str, says: &str) {
        let mut world = World::new();
        world.policy.guards.schedule = windows.iter().map(|text| window(text)).collect();
        world.now = moment(now);
        assert_eq!(world.says(judge), says, "{windows:?} at {now}");
    }

    #[test]
    fn outside_all_windows_refuses_until_the_next_one_opens() {
        let week = ["0-4 09:00-17:00 Europe/Berlin"];
        // A Saturday: until Monday, nine o'clock in Berlin.
        check(&week, "2026-11-21T08:30:00Z", "refuses: outside the schedule until 2026-11-23T08:00:00.000Z");
        // The end does not belong to it.
        check(&week, "2026-11-20T16:00:00Z", "refuses: outside the schedule until 2026-11-23T08:00:00.000Z");
        check(
            &["0-4 09:00-17:00 Europe/Berlin", "5-5 10:00-11:00 America/New_York"],
            "2026-11-21T08:30:00Z",
            "refuses: outside the schedule until 2026-11-21T15:00:00.000Z",
        );
    }

    #[test]
    fn inside_a_window_allows() {
        let week = ["0-4 09:00-17:00 Europe/Berlin"];
        check(&week, "2026-11-20T08:00:00Z", "allows: open until 2026-11-20T16:00:00.000Z (Europe/Berlin)");
        check(&[], "2026-11-21T08:30:00Z", "allows: ");
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_on_which_it_opens() {
        let friday = ["4-4 22:00-06:00 UTC"];
        check(&friday, "2026-11-21T05:59:59Z", "allows: open until 2026-11-21T06:00:00.000Z (UTC)");
        check(
            &friday,
            "2026-11-21T22:00:00Z",
            "refuses: outside the schedule until 2026-11-27T22:00:00.000Z",
        );
        check(
            &["0-6 00:00-00:00 UTC"],
            "2026-11-21T00:00:00Z",
            "allows: open until 2026-11-22T00:00:00.000Z (UTC)",
        );
        check(
            &["0-6 00:00-24:00 UTC"],
            "2026-11-21T00:00:00Z",
            "allows: open until 2026-11-22T00:00:00.000Z (UTC)",
        );
    }

    #[test]
    fn the_wall_clock_of_the_zone_counts_on_the_day_it_is_changed() {
        let nine = ["0-6 09:00-10:00 Europe/Berlin"];
        // Summer time ended on 2026-10-25: nine o'clock is at 07:00Z the day before, at 08:00Z on the day itself.
        check(&nine, "2026-10-24T07:00:00Z", "allows: open until 2026-10-24T08:00:00.000Z (Europe/Berlin)");
        check(&nine, "2026-10-25T07:00:00Z", "refuses: outside the schedule until 2026-10-25T08:00:00.000Z");
        // Half past two is skipped on 2026-03-29: the window opens that much later, and one that would have to
        // close before it opens is left out on this day.
        check(
            &["0-6 02:30-05:00 Europe/Berlin"],
            "2026-03-29T01:00:00Z",
            "refuses: outside the schedule until 2026-03-29T01:30:00.000Z",
        );
        check(
            &["0-6 02:30-03:00 Europe/Berlin"],
            "2026-03-29T01:00:00Z",
            "refuses: outside the schedule until 2026-03-30T00:30:00.000Z",
        );
    }

    #[test]
    fn what_no_loader_lets_through_never_opens() {
        check(
            &["0-6 00:00-23:59 Mars/Olympus"],
            "2026-11-21T08:30:00Z",
            "refuses: outside the schedule, which never opens again",
        );
        check(
            &["7-9 00:00-1000:00 UTC"],
            "2026-11-21T08:30:00Z",
            "refuses: outside the schedule, which never opens again",
        );
    }

    #[test]
    fn a_window_that_a_skipped_hour_leaves_empty_is_no_opening() {
        check(
            &["0-6 02:00-03:00 Europe/Berlin"],
            "2026-03-29T00:59:00Z",
            "refuses: outside the schedule until 2026-03-30T00:00:00.000Z",
        );
    }

    #[test]
    fn a_window_is_open_from_its_first_moment_to_just_before_its_end() {
        let nine = window("0-6 09:00-10:00 UTC");
        for (now, open) in [
            ("2026-11-21T08:59:59.999Z", false),
            ("2026-11-21T09:00:00Z", true),
            ("2026-11-21T09:59:59.999Z", true),
            ("2026-11-21T10:00:00Z", false),
        ] {
            assert_eq!(opens(&nine, moment(now)), open, "{now}");
        }
    }
}
