//! A number for each day as upright bars, in SVG: one drawing for wide windows, one for telephones. It names its scale, and
//! each bar tells its day and its number.

use std::fmt::Display;

use paramedic_policies::time::Moment;

use crate::cli::audit::report::markup::{At, Attribute, Markup};
use crate::cli::words::day;

/// A size to be drawn for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Paper {
    Wide,
    Narrow,
}

impl Paper {
    fn class(self) -> &'static str {
        match self {
            Self::Wide => "days on-wide",
            Self::Narrow => "days on-narrow",
        }
    }

    fn size(self) -> (f64, f64) {
        match self {
            Self::Wide => (1072.0, 200.0),
            Self::Narrow => (360.0, 170.0),
        }
    }
}

const LEFT: f64 = 44.0;
const TOP: f64 = 10.0;
const BELOW: f64 = 24.0;

/// A column of a few days is no wall.
const WIDEST: f64 = 48.0;

/// Draws the days for both sizes.
pub(super) fn draw(what: &str, tone: &'static str, days: &[(Moment, u64)], into: &mut Markup) {
    into.element("figure", &[], |figure| {
        for paper in [Paper::Wide, Paper::Narrow] {
            drawing(what, tone, days, paper, figure);
        }
    });
}

fn drawing(what: &str, tone: &'static str, days: &[(Moment, u64)], paper: Paper, into: &mut Markup) {
    let (width, height) = paper.size();
    let greatest = days.iter().map(|(_, count)| *count).max().unwrap_or(0);
    let step = step(greatest);
    let top = greatest.div_ceil(step).max(1) * step;
    let bottom = height - BELOW;
    let y = |count: u64| bottom - (bottom - TOP) * count as f64 / top as f64;
    let view = format!("0 0 {width} {height}");
    let class = format!("{} {tone}", paper.class());
    let with: [Attribute<'_>; 4] =
        [("class", &class), ("viewBox", &view), ("role", &"img"), ("aria-label", &what)];
    into.element("svg", &with, |svg| {
        for count in (0..=top).step_by(usize::try_from(step).unwrap_or(usize::MAX)) {
            let at = At(y(count));
            svg.shape(
                "line",
                &[("class", &"grid"), ("x1", &At(LEFT)), ("x2", &At(width)), ("y1", &at), ("y2", &at)],
            );
            let with: [Attribute<'_>; 4] = [
                ("class", &"at"),
                ("x", &At(LEFT - 6.0)),
                ("y", &At(y(count) + 4.0)),
                ("text-anchor", &"end"),
            ];
            svg.leaf("text", &with, count);
        }
        let room = (width - LEFT) / days.len().max(1) as f64;
        let wide = if room > 6.0 { (room * 0.8).min(WIDEST) } else { room };
        let labels = labels(days.len(), room);
        for (index, (at, count)) in days.iter().enumerate() {
            let x = LEFT + room * index as f64;
            if *count > 0 {
                // What is there at all can be seen.
                let tall = (bottom - y(*count)).max(1.5);
                let with: [Attribute<'_>; 5] = [
                    ("class", &"column"),
                    ("x", &At(x + (room - wide) / 2.0)),
                    ("y", &At(bottom - tall)),
                    ("width", &At(wide.max(0.5))),
                    ("height", &At(tall)),
                ];
                svg.element("rect", &with, |bar| {
                    bar.leaf("title", &[], format_args!("{}: {count}", day(*at)));
                });
            }
            if labels.contains(&index) {
                label(*at, x + room / 2.0, (width, height), svg);
            }
        }
    });
}

fn label(at: Moment, x: f64, (width, height): (f64, f64), svg: &mut Markup) {
    // The outermost must not leave the drawing.
    let anchor: &dyn Display = if x > width - 22.0 { &"end" } else { &"middle" };
    let x = if x > width - 22.0 { width } else { x };
    let text = day(at);
    let with: [Attribute<'_>; 4] =
        [("class", &"at"), ("x", &At(x)), ("y", &At(height - 7.0)), ("text-anchor", anchor)];
    svg.leaf("text", &with, text.get(5..).unwrap_or(&text));
}

/// Which days are named, so that names do not touch.
fn labels(days: usize, room: f64) -> Vec<usize> {
    const NAME: f64 = 46.0;
    let every = (NAME / room).ceil().max(1.0) as usize;
    (0..days).step_by(every).collect()
}

/// A round distance of at most five lines above the ground.
fn step(greatest: u64) -> u64 {
    let mut step = 1_u64;
    loop {
        for round in [1, 2, 5] {
            if step.saturating_mul(round).saturating_mul(5) >= greatest {
                return step.saturating_mul(round);
            }
        }
        step = step.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_round_numbers() {
        for (greatest, wanted) in
            [(0, 1), (5, 1), (6, 2), (12, 5), (26, 10), (240, 50), (251, 100), (33_000, 10_000)]
        {
            assert_eq!(step(greatest), wanted, "{greatest}");
        }
    }

    #[test]
    fn names_of_days_do_not_touch() {
        assert_eq!(labels(30, 34.0), (0..30).step_by(2).collect::<Vec<_>>());
        assert_eq!(labels(3, 300.0), [0, 1, 2]);
    }
}
