//! A query's values as a small chart: what was recorded as points, what Prometheus has as a line, what was wanted as a
//! border, and when something was done.

use std::fmt::Display;

use paramedic_policies::comparison::{Comparison, Relation};
use paramedic_policies::evidence::Series;
use paramedic_policies::time::{Moment, Span};

use super::incident::{CaseTold, Curve, Point};
use super::markup::{At, Markup};
use super::scale::{TimeScale, ValueScale, shown};
use super::words::clock;

const WIDTH: f64 = 372.0;
const HEIGHT: f64 = 168.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = WIDTH - 8.0;
const TOP: f64 = 18.0;
const BOTTOM: f64 = HEIGHT - 22.0;

/// Draws one curve of a case; nothing where no value is known.
pub(super) fn draw(case: &CaseTold, curve: &Curve, into: &mut Markup) {
    let values = || curve.recorded.iter().chain(&curve.range).filter_map(|point| point.value);
    if values().next().is_none() {
        return;
    }
    let wanted: Option<Comparison> = curve.wanted.as_ref().and_then(|wanted| wanted.parse().ok());
    let bound = wanted.map(|wanted| wanted.bound);
    let done: Vec<(Moment, String)> =
        case.actions.iter().map(|action| (action.at, action.action.clone())).collect();
    let at = curve.recorded.iter().chain(&curve.range).map(|point| point.at);
    let shown = if curve.range.is_empty() { &curve.recorded } else { &curve.range };
    let is_near = |at: &Moment| within(shown, *at);
    let done: Vec<_> = done.into_iter().filter(|(at, _)| is_near(at)).collect();
    let time = TimeScale::new(at.chain(done.iter().map(|(at, _)| *at)), LEFT + 6.0, RIGHT - 6.0);
    let value = ValueScale::new(values().chain(bound), BOTTOM, TOP);
    let view = format!("0 0 {WIDTH} {HEIGHT}");
    let label = format!("Values of {}", curve.promql);
    let with: [(&'static str, &dyn Display); 4] =
        [("class", &"chart"), ("viewBox", &view), ("role", &"img"), ("aria-label", &label)];
    into.element("svg", &with, |svg| {
        if let Some(wanted) = wanted {
            border(wanted, value, svg);
        }
        values_axis(value, svg);
        let begin = curve.recorded.iter().chain(&curve.range).map(|point| point.at).min().unwrap_or_default();
        times_axis(&time, begin, svg);
        for (at, what) in &done {
            let x = At(time.x(*at));
            let with: [(&'static str, &dyn Display); 5] =
                [("class", &"done"), ("x1", &x), ("x2", &x), ("y1", &At(TOP - 6.0)), ("y2", &At(BOTTOM))];
            svg.element("line", &with, |line| line.leaf("title", &[], what));
        }
        line(&curve.range, &time, value, "curve", svg);
        if curve.range.is_empty() {
            line(&curve.recorded, &time, value, "curve thin", svg);
        }
        for point in &curve.recorded {
            let Some(number) = point.value else { continue };
            let (x, y) = (At(time.x(point.at)), At(value.y(number)));
            let with: [(&'static str, &dyn Display); 4] =
                [("class", &"value"), ("cx", &x), ("cy", &y), ("r", &3)];
            svg.element("circle", &with, |dot| {
                dot.leaf("title", &[], format_args!("{} {number}", clock(point.at, begin)));
            });
        }
    });
}

/// Draws values that were collected as evidence, each series a line; nothing where there are none.
pub(super) fn kept(series: &[Series], into: &mut Markup) {
    let known = |value: f64| value.is_finite().then_some(value);
    let lines: Vec<Vec<Point>> = series
        .iter()
        .take(LINES_MAX)
        .map(|one| one.points.iter().map(|(at, value)| Point { at: *at, value: known(value.0) }).collect())
        .collect();
    let points = || lines.iter().flatten();
    if points().all(|point| point.value.is_none()) {
        into.leaf("p", &[("class", &"quiet")], "no values");
        return;
    }
    let time = TimeScale::new(points().map(|point| point.at), LEFT + 6.0, RIGHT - 6.0);
    let value = ValueScale::new(points().filter_map(|point| point.value), BOTTOM, TOP);
    let view = format!("0 0 {WIDTH} {HEIGHT}");
    let with: [(&'static str, &dyn Display); 4] =
        [("class", &"chart"), ("viewBox", &view), ("role", &"img"), ("aria-label", &"Values as collected")];
    into.element("svg", &with, |svg| {
        values_axis(value, svg);
        times_axis(&time, points().map(|point| point.at).min().unwrap_or_default(), svg);
        lines.iter().for_each(|points| line(points, &time, value, "curve", svg));
    });
}

/// Lines of one chart; more cannot be told apart.
const LINES_MAX: usize = 12;

/// An action this long before the first value is what the values are about.
const BEFORE: Span = Span::from_mins(10);

/// Whether a moment lies where values are shown, or shortly before.
fn within(range: &[Point], at: Moment) -> bool {
    let ends = range.iter().map(|point| point.at);
    ends.clone().min().is_some_and(|from| from - BEFORE <= at) && ends.max().is_some_and(|to| at <= to)
}

/// The part of the chart that is wanted.
fn border(wanted: Comparison, value: ValueScale, svg: &mut Markup) {
    let y = value.y(wanted.bound);
    let (from, to) = match wanted.relation {
        Relation::Less | Relation::AtMost => (y, BOTTOM),
        Relation::Greater | Relation::AtLeast => (TOP, y),
        Relation::Equal | Relation::NotEqual => (y, y),
    };
    let (x, width) = (At(LEFT), At(RIGHT - LEFT));
    let height = At(to - from);
    svg.shape(
        "rect",
        &[("class", &"wanted"), ("x", &x), ("y", &At(from)), ("width", &width), ("height", &height)],
    );
    svg.shape(
        "line",
        &[("class", &"bound"), ("x1", &At(LEFT)), ("x2", &At(RIGHT)), ("y1", &At(y)), ("y2", &At(y))],
    );
    let with: [(&'static str, &dyn Display); 4] =
        [("class", &"bound-name"), ("x", &At(RIGHT - 2.0)), ("y", &At(y - 4.0)), ("text-anchor", &"end")];
    svg.leaf("text", &with, format_args!("wanted {wanted}"));
}

fn values_axis(value: ValueScale, svg: &mut Markup) {
    for tick in value.ticks() {
        let y = value.y(tick);
        let grid = ("class", &"grid" as &dyn Display);
        svg.shape("line", &[grid, ("x1", &At(LEFT)), ("x2", &At(RIGHT)), ("y1", &At(y)), ("y2", &At(y))]);
        let with: [(&'static str, &dyn Display); 4] =
            [("class", &"at"), ("x", &At(LEFT - 5.0)), ("y", &At(y + 4.0)), ("text-anchor", &"end")];
        svg.leaf("text", &with, shown(tick));
    }
}

fn times_axis(time: &TimeScale, begin: Moment, svg: &mut Markup) {
    let ticks = time.ticks(76.0);
    let seconds = ticks.iter().any(|tick| tick.at.unix_ms() % 60_000 != 0);
    for tick in ticks {
        let words = clock(tick.at, begin);
        let words = if seconds { words } else { words.get(..words.len() - 3).unwrap_or(&words).to_owned() };
        let anchor = if tick.x > RIGHT - 24.0 { "end" } else { "middle" };
        let with: [(&'static str, &dyn Display); 4] =
            [("class", &"at"), ("x", &At(tick.x)), ("y", &At(HEIGHT - 6.0)), ("text-anchor", &anchor)];
        svg.leaf("text", &with, words);
    }
}

/// A line through the known values; what is not known leaves a gap.
fn line(points: &[Point], time: &TimeScale, value: ValueScale, class: &str, svg: &mut Markup) {
    let mut d = String::new();
    let mut is_begun = false;
    for point in points {
        let Some(number) = point.value else {
            is_begun = false;
            continue;
        };
        let pen = if is_begun { 'L' } else { 'M' };
        d.push_str(&format!("{pen}{} {} ", At(time.x(point.at)), At(value.y(number))));
        is_begun = true;
    }
    if !d.is_empty() {
        svg.shape("path", &[("class", &class), ("d", &d.trim_end())]);
    }
}
