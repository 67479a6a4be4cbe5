//! Times as people read them in tables: to the minute, or the day alone. Both are in UTC.

use paramedic_policies::time::Moment;

/// `2026-11-21 09:02`.
pub(super) fn minute(at: Moment) -> String {
    let text = at.to_string();
    match (text.get(..10), text.get(11..16)) {
        (Some(day), Some(time)) => format!("{day} {time}"),
        _ => text,
    }
}

/// `2026-11-21`.
pub(super) fn day(at: Moment) -> String {
    let text = at.to_string();
    text.get(..10).map_or(text.clone(), str::to_owned)
}
