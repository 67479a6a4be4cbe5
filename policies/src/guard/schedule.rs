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
            let from = moment(day, window.from_minute, zone)?;
            let to = moment(day_after(day, i32::from(reaches_over))?, window.to_minute, zone)?;
            (from < to).then_some((from, to))
        })
        .collect()
}

fn day_after(day: Date, days: i32) -> Option<Date> {
    day.checked_add(jiff::Span::new().try_days(days).ok()?).ok()
}

/// When the wall clock shows that many minutes after midnight of that day; 1440 is the next midnight.
fn moment(day: Date, minute: u16, zone: &TimeZone) -> Option<Moment> {
    let day = day_after(day, i32::from(minute / 1440))?;
    let minute = minute % 1440;
    let wall = day.at(i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?, 0, 0);
    let instant = zone.to_ambiguous_zoned(wall).compatible().ok()?;
    Some(Moment::from_unix_ms(instant.timestamp().as_millisecond()))
}
