//! The timeline as a picture: alerts, rulings, actions, verifications and people, each on a lane, in SVG. Drawn once
//! for wide paper and once for a telephone, since a scaled picture cannot be read on either.

use paramedic_policies::time::{Moment, Span};

use super::document::{Report, Tone};
use super::marks::{LANES, Mark, Shape, marks, moments};
use super::markup::{At, Markup};
use super::scale::TimeScale;
use super::words::{clock, cut, span};

/// For what the picture is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paper {
    /// A screen or a printed page.
    Wide,
    /// A telephone.
    Narrow,
}

/// Marks with words beside them; above this the picture shows marks alone.
const LABELLED_MAX: usize = 60;

/// Rows of one lane; what needs more lies over the last.
const ROWS_MAX: usize = 7;

/// What a letter takes, on average.
const LETTER: f64 = 6.4;

const ROW: f64 = 20.0;
const BAR: f64 = 10.0;
const AXIS: f64 = 34.0;
const GAP: f64 = 10.0;

struct Geometry {
    width: f64,
    /// Where the lanes begin.
    left: f64,
    /// Height that a lane's name takes above it.
    head: f64,
    /// Letters of a label.
    letters: usize,
    /// Between ticks.
    apart: f64,
    class: &'static str,
    prefix: &'static str,
}

impl Paper {
    fn geometry(self) -> Geometry {
        match self {
            Self::Wide => Geometry {
                width: 960.0,
                left: 96.0,
                head: 0.0,
                letters: 44,
                apart: 84.0,
                class: "picture on-wide",
                prefix: "w",
            },
            Self::Narrow => Geometry {
                width: 372.0,
                left: 4.0,
                head: 18.0,
                letters: 26,
                apart: 74.0,
                class: "picture on-narrow",
                prefix: "n",
            },
        }
    }
}

/// A mark with its place.
struct Placed<'m> {
    mark: &'m Mark,
    x0: f64,
    x1: f64,
    row: usize,
    label: String,
    /// Where the label begins, or ends.
    label_x: f64,
    is_before: bool,
}

/// Draws it; nothing where nothing happened.
pub(super) fn draw(report: &Report, paper: Paper, into: &mut Markup) {
    let Some((begin, end)) = report.extent() else { return };
    let marks = marks(report, end);
    if marks.is_empty() {
        return;
    }
    let paper = paper.geometry();
    let right = paper.width - 8.0;
    let scale = TimeScale::new(moments(&marks, &report.timeline), paper.left, right);
    let labelled = marks.len() <= LABELLED_MAX;
    let mut lanes = Vec::new();
    let mut y = AXIS;
    for lane in LANES {
        let placed = placed(marks.iter().filter(|mark| mark.lane == lane), &scale, &paper, right, labelled);
        let rows = placed.iter().map(|placed| placed.row + 1).max().unwrap_or(1);
        let height = paper.head + rows as f64 * ROW + GAP;
        lanes.push((lane, placed, y, height));
        y += height;
    }
    let view = format!("0 0 {} {}", At(paper.width), At(y + 4.0));
    let label = format!("Timeline from {begin} to {end}");
    let with: [(&'static str, &dyn std::fmt::Display); 4] =
        [("class", &paper.class), ("viewBox", &view), ("role", &"img"), ("aria-label", &label)];
    into.element("svg", &with, |svg| {
        hatching(&paper, svg);
        for (index, (lane, _, top, height)) in lanes.iter().enumerate() {
            let class = if index % 2 == 0 { "lane even" } else { "lane odd" };
            svg.shape(
                "rect",
                &[
                    ("class", &class),
                    ("x", &0),
                    ("y", &At(*top)),
                    ("width", &At(paper.width)),
                    ("height", &At(*height)),
                ],
            );
            let name_y = if paper.head > 0.0 { top + 14.0 } else { top + GAP / 2.0 + 14.0 };
            svg.leaf("text", &[("class", &"name"), ("x", &At(4.0)), ("y", &At(name_y))], lane.name());
        }
        axis(&scale, &paper, (begin, y), svg);
        for (_, placed, top, _) in &lanes {
            let top = top + paper.head + GAP / 2.0;
            placed.iter().for_each(|placed| one(placed, top, &scale, &paper, svg));
        }
    });
}

/// Gives each mark a row in which neither it nor its words lie over another.
fn placed<'m>(
    marks: impl Iterator<Item = &'m Mark>,
    scale: &TimeScale,
    paper: &Geometry,
    right: f64,
    labelled: bool,
) -> Vec<Placed<'m>> {
    let mut taken: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut all: Vec<Placed<'m>> = Vec::new();
    for mark in marks {
        let x0 = scale.x(mark.from);
        let x1 = mark.to.map_or(x0, |to| scale.x(to)).max(x0 + if mark.to.is_some() { 3.0 } else { 0.0 });
        if mark.shape == Shape::Lease {
            // In the row of the action before it.
            let row = all.last().map_or(0, |before| before.row);
            if let Some(row) = taken.get_mut(row) {
                row.push((x0, x1));
            }
            all.push(Placed { mark, x0, x1, row, label: String::new(), label_x: x1, is_before: false });
            continue;
        }
        let label = if labelled { cut(&mark.label, paper.letters) } else { String::new() };
        let words = label.chars().count() as f64 * LETTER;
        let (from, to) = if mark.to.is_some() { (x0, x1) } else { (x0 - 6.0, x0 + 6.0) };
        let is_before = to + 5.0 + words > right && from - 5.0 - words >= paper.left;
        // A bar that fills the lane carries its words inside.
        let is_inside = !is_before && to + 5.0 + words > right;
        let (label_x, begin, end) = if is_before {
            (from - 5.0, from - 5.0 - words, to)
        } else if is_inside {
            (from.min(right - words).max(paper.left) + 4.0, from.min(right - words), to)
        } else {
            (to + 5.0, from, to + 5.0 + words)
        };
        let is_free = |row: &Vec<(f64, f64)>| row.iter().all(|(a, b)| end + 6.0 < *a || begin - 6.0 > *b);
        let row = taken.iter().position(is_free).unwrap_or(taken.len()).min(ROWS_MAX - 1);
        if row == taken.len() {
            taken.push(Vec::new());
        }
        taken[row].push((begin, end));
        all.push(Placed { mark, x0, x1, row, label, label_x, is_before });
    }
    all
}

fn hatching(paper: &Geometry, svg: &mut Markup) {
    let id = format!("{}-hatch", paper.prefix);
    svg.element("defs", &[], |defs| {
        let with: [(&'static str, &dyn std::fmt::Display); 5] = [
            ("id", &id),
            ("width", &6),
            ("height", &6),
            ("patternUnits", &"userSpaceOnUse"),
            ("patternTransform", &"rotate(45)"),
        ];
        defs.element("pattern", &with, |pattern| {
            pattern.shape("rect", &[("width", &6), ("height", &6), ("class", &"hatch-ground")]);
            pattern.shape("rect", &[("width", &2.5), ("height", &6), ("class", &"hatch-line")]);
        });
    });
}

fn axis(scale: &TimeScale, paper: &Geometry, (begin, bottom): (Moment, f64), svg: &mut Markup) {
    let day = begin.to_string();
    let day = day.get(..10).unwrap_or_default();
    svg.leaf("text", &[("class", &"day"), ("x", &At(4.0)), ("y", &At(12.0))], format_args!("{day}, UTC"));
    let ticks = scale.ticks(paper.apart);
    let seconds = ticks.iter().any(|tick| tick.at.unix_ms() % 60_000 != 0);
    for tick in ticks {
        svg.shape(
            "line",
            &[
                ("class", &"tick"),
                ("x1", &At(tick.x)),
                ("x2", &At(tick.x)),
                ("y1", &At(AXIS - 4.0)),
                ("y2", &At(bottom)),
            ],
        );
        let words = clock(tick.at, begin);
        let words = if seconds { words } else { words.get(..words.len() - 3).unwrap_or(&words).to_owned() };
        let half = words.chars().count() as f64 * LETTER / 2.0;
        let anchor = if tick.x + half > paper.width {
            "end"
        } else if tick.x - half < 0.0 {
            "start"
        } else {
            "middle"
        };
        let with: [(&'static str, &dyn std::fmt::Display); 4] =
            [("class", &"at"), ("x", &At(tick.x)), ("y", &At(AXIS - 8.0)), ("text-anchor", &anchor)];
        svg.leaf("text", &with, words);
    }
    for (x, idle) in scale.breaks() {
        let d = format!("M{} {} l6 -4 l-12 -8 l6 -4", At(x), At(AXIS + 2.0));
        svg.shape("path", &[("class", &"break"), ("d", &d)]);
        svg.shape(
            "line",
            &[
                ("class", &"gap"),
                ("x1", &At(x)),
                ("x2", &At(x)),
                ("y1", &At(AXIS + 2.0)),
                ("y2", &At(bottom)),
            ],
        );
        let with: [(&'static str, &dyn std::fmt::Display); 4] =
            [("class", &"at"), ("x", &At(x)), ("y", &At(12.0)), ("text-anchor", &"middle")];
        svg.leaf("text", &with, format_args!("{} idle", span(round(idle))));
    }
}

/// A long time at a glance.
fn round(length: Span) -> Span {
    let unit = if length > Span::from_hours(48) { 3_600_000 } else { 60_000 };
    if length > Span::from_hours(2) { Span::from_ms(length.ms() / unit * unit) } else { length }
}

fn one(placed: &Placed<'_>, top: f64, scale: &TimeScale, paper: &Geometry, svg: &mut Markup) {
    let Placed { mark, x0, x1, row, label, label_x, is_before } = placed;
    let middle = top + *row as f64 * ROW + ROW / 2.0;
    let href = format!("#r{}", mark.seq);
    let class = format!("mark {}", mark.tone.name());
    svg.element("a", &[("href", &href), ("class", &class)], |link| {
        link.leaf("title", &[], &mark.title);
        match mark.shape {
            Shape::Bar => bar(mark, (*x0, *x1, middle), paper, link),
            Shape::Lease => {
                let class = if mark.is_open { "lease open" } else { "lease" };
                link.shape(
                    "line",
                    &[
                        ("class", &class),
                        ("x1", &At(*x0)),
                        ("x2", &At(*x1)),
                        ("y1", &At(middle + BAR / 2.0 + 3.0)),
                        ("y2", &At(middle + BAR / 2.0 + 3.0)),
                    ],
                );
            }
            shape @ (Shape::Play | Shape::Ring | Shape::Cross | Shape::Diamond | Shape::Dot) => {
                point(shape, *x0, middle, link);
            }
        }
        for (at, holds) in &mark.dots {
            let class = match holds {
                Some(true) => "dot holds",
                Some(false) => "dot fails",
                None => "dot unknown",
            };
            let (x, y) = (At(scale.x(*at)), At(middle));
            link.shape("circle", &[("class", &class), ("cx", &x), ("cy", &y), ("r", &2.2)]);
        }
        if !label.is_empty() {
            let anchor = if *is_before { "end" } else { "start" };
            let is_inside = mark.shape == Shape::Bar && !is_before && *label_x < *x1;
            let class = if is_inside { "label inside" } else { "label" };
            let with: [(&'static str, &dyn std::fmt::Display); 4] =
                [("class", &class), ("x", &At(*label_x)), ("y", &At(middle + 4.0)), ("text-anchor", &anchor)];
            link.leaf("text", &with, label);
        }
    });
}

fn bar(mark: &Mark, (x0, x1, middle): (f64, f64, f64), paper: &Geometry, link: &mut Markup) {
    let fill = format!("url(#{}-hatch)", paper.prefix);
    let class = if mark.is_open { "bar open" } else { "bar" };
    let (x, y) = (At(x0), At(middle - BAR / 2.0));
    let (width, height) = (At(x1 - x0), At(BAR));
    let place: [(&'static str, &dyn std::fmt::Display); 6] =
        [("class", &class), ("x", &x), ("y", &y), ("width", &width), ("height", &height), ("rx", &2)];
    link.shape("rect", &place);
    if mark.tone == Tone::Doubt {
        let mut hatched = place.to_vec();
        hatched[0] = ("class", &"hatched");
        hatched.push(("fill", &fill));
        link.shape("rect", &hatched);
    }
    if mark.is_open {
        let d = format!("M{} {} l7 {} l-7 {} z", At(x1 - 1.0), y, At(BAR / 2.0), At(BAR / 2.0));
        link.shape("path", &[("class", &"beyond"), ("d", &d)]);
    }
}

fn point(shape: Shape, x: f64, y: f64, link: &mut Markup) {
    let (class, d) = match shape {
        Shape::Play => ("point", format!("M{} {} l10 5.5 l-10 5.5 z", At(x - 4.0), At(y - 5.5))),
        Shape::Cross => ("stroke", format!("M{} {} l8 8 m0 -8 l-8 8", At(x - 4.0), At(y - 4.0))),
        Shape::Diamond => ("point", format!("M{} {} l6 6 l-6 6 l-6 -6 z", At(x), At(y - 6.0))),
        Shape::Ring | Shape::Dot | Shape::Bar | Shape::Lease => {
            let class = if shape == Shape::Ring { "stroke" } else { "point" };
            link.shape("circle", &[("class", &class), ("cx", &At(x)), ("cy", &At(y)), ("r", &4.5)]);
            return;
        }
    };
    link.shape("path", &[("class", &class), ("d", &d)]);
}
