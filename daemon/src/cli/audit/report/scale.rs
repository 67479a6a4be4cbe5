//! Time and values as lengths on paper. A stretch in which nothing happened, such as the week until an action is taken
//! back, is shortened, and the place is marked: without that, the night itself would be one dot.

use paramedic_policies::time::{Moment, Span};

/// A stretch is idle when it is longer than so many times everything else together.
const IDLE_TIMES: u64 = 6;

/// No more stretches than this are shortened.
const BREAKS_MAX: usize = 3;

/// What a shortened stretch takes of the whole.
const BREAK_SHARE: f64 = 0.05;

/// Moments from left to right.
#[derive(Debug, Clone)]
pub(super) struct TimeScale {
    pieces: Vec<Piece>,
}

/// A stretch of time and where it lies.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Piece {
    from: Moment,
    to: Moment,
    x0: f64,
    x1: f64,
    is_break: bool,
}

/// A mark on the axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tick {
    pub(super) at: Moment,
    pub(super) x: f64,
}

impl TimeScale {
    /// A scale on which all these moments lie between two edges.
    pub(super) fn new(moments: impl IntoIterator<Item = Moment>, x0: f64, x1: f64) -> Self {
        let mut moments: Vec<Moment> = moments.into_iter().collect();
        moments.sort_unstable();
        moments.dedup();
        let (from, to) = match (moments.first(), moments.last()) {
            (Some(first), Some(last)) if first < last => (*first, *last),
            // One moment is shown in the middle of a minute.
            (Some(only), _) => (*only - Span::from_secs(30), *only + Span::from_secs(30)),
            (None, _) => (Moment::default(), Moment::default() + Span::from_mins(1)),
        };
        let gaps: Vec<(Moment, Moment)> = moments.windows(2).map(|pair| (pair[0], pair[1])).collect();
        let breaks = idle(&gaps);
        let mut pieces = Vec::new();
        let mut begin = from;
        for (idle_from, idle_to) in &breaks {
            pieces.push((begin, *idle_from, false));
            pieces.push((*idle_from, *idle_to, true));
            begin = *idle_to;
        }
        pieces.push((begin, to, false));
        pieces.retain(|(from, to, _)| from < to);
        Self { pieces: laid_out(&pieces, x0, x1) }
    }

    /// Where a moment lies; what is outside lies at the edge.
    pub(super) fn x(&self, at: Moment) -> f64 {
        let Some(piece) = self.pieces.iter().find(|piece| at <= piece.to).or(self.pieces.last()) else {
            return 0.0;
        };
        let whole = piece.to.since(piece.from).ms().max(1) as f64;
        let share = (at.since(piece.from).ms() as f64 / whole).clamp(0.0, 1.0);
        piece.x0 + share * (piece.x1 - piece.x0)
    }

    /// The middles of the shortened stretches, and how long they are.
    pub(super) fn breaks(&self) -> Vec<(f64, Span)> {
        let breaks = self.pieces.iter().filter(|piece| piece.is_break);
        breaks.map(|piece| (f64::midpoint(piece.x0, piece.x1), piece.to.since(piece.from))).collect()
    }

    /// Round moments, at least so far from each other.
    pub(super) fn ticks(&self, apart: f64) -> Vec<Tick> {
        let mut ticks: Vec<Tick> = Vec::new();
        for piece in self.pieces.iter().filter(|piece| !piece.is_break) {
            let length_ms = piece.to.since(piece.from).ms();
            let room = ((piece.x1 - piece.x0) / apart).max(0.1);
            let wanted_ms = length_ms as f64 / room;
            let step = STEPS_S.iter().map(|s| s * 1000).find(|step| *step as f64 >= wanted_ms);
            let step = i64::try_from(step.unwrap_or(365 * 86_400_000)).unwrap_or(i64::MAX);
            let mut at = piece.from.unix_ms().div_euclid(step).saturating_mul(step);
            while at <= piece.to.unix_ms() {
                let tick = Tick { at: Moment::from_unix_ms(at), x: self.x(Moment::from_unix_ms(at)) };
                let is_free = ticks.last().is_none_or(|last| tick.x - last.x >= apart * 0.8);
                if at >= piece.from.unix_ms() && is_free {
                    ticks.push(tick);
                }
                at = at.saturating_add(step);
            }
        }
        ticks
    }
}

/// Steps between ticks, in seconds.
const STEPS_S: [u64; 20] = [
    1,
    2,
    5,
    10,
    20,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    2 * 3600,
    4 * 3600,
    12 * 3600,
    86_400,
    2 * 86_400,
    7 * 86_400,
    28 * 86_400,
];

/// The gaps that are idle, in the order of time.
fn idle(gaps: &[(Moment, Moment)]) -> Vec<(Moment, Moment)> {
    let length = |gap: &(Moment, Moment)| gap.1.since(gap.0).ms();
    let mut longest: Vec<(Moment, Moment)> = gaps.to_vec();
    longest.sort_by_key(|gap| std::cmp::Reverse(length(gap)));
    let mut rest: u64 = longest.iter().map(length).sum();
    let mut idle = Vec::new();
    for gap in longest.into_iter().take(BREAKS_MAX) {
        rest = rest.saturating_sub(length(&gap));
        if rest == 0 || length(&gap) <= rest.saturating_mul(IDLE_TIMES) {
            break;
        }
        idle.push(gap);
    }
    idle.sort_unstable();
    idle
}

fn laid_out(pieces: &[(Moment, Moment, bool)], x0: f64, x1: f64) -> Vec<Piece> {
    let breaks = pieces.iter().filter(|(_, _, is_break)| *is_break).count();
    let width = (x1 - x0) * (1.0 - BREAK_SHARE * breaks as f64);
    let length = |(from, to, _): &(Moment, Moment, bool)| to.since(*from).ms() as f64;
    let whole: f64 = pieces.iter().filter(|(_, _, is_break)| !is_break).map(length).sum::<f64>().max(1.0);
    let mut x = x0;
    pieces
        .iter()
        .map(|piece| {
            let wide = if piece.2 { (x1 - x0) * BREAK_SHARE } else { length(piece) / whole * width };
            let placed = Piece { from: piece.0, to: piece.1, x0: x, x1: x + wide, is_break: piece.2 };
            x += wide;
            placed
        })
        .collect()
}

/// Values from bottom to top, with room above and below.
#[derive(Debug, Clone, Copy)]
pub(super) struct ValueScale {
    low: f64,
    high: f64,
    bottom: f64,
    top: f64,
}

impl ValueScale {
    /// A scale on which all these values lie between two edges; zero is on it where it is near.
    pub(super) fn new(values: impl IntoIterator<Item = f64>, bottom: f64, top: f64) -> Self {
        let values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = if values.is_empty() { (0.0, 1.0) } else { (low, high) };
        let low = if low > 0.0 && low < 0.5 * high { 0.0 } else { low };
        let room = if high > low { (high - low) * 0.08 } else { high.abs().max(1.0) * 0.5 };
        let low = if low == 0.0 { 0.0 } else { low - room };
        Self { low, high: high + room, bottom, top }
    }

    /// Where a value lies.
    pub(super) fn y(&self, value: f64) -> f64 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.bottom - share * (self.bottom - self.top)
    }

    /// Round values, three to six of them.
    pub(super) fn ticks(&self) -> Vec<f64> {
        let rough = (self.high - self.low) / 4.0;
        if !rough.is_finite() || rough <= 0.0 {
            return Vec::new();
        }
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|round| round * power).into_iter().find(|step| *step >= rough);
        let step = step.unwrap_or(rough);
        let first = (self.low / step).ceil();
        (0..8).map(|index| (first + f64::from(index)) * step).filter(|value| *value <= self.high).collect()
    }
}

/// A value as people read it: four digits that matter.
pub(super) fn shown(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let digits = 3 - value.abs().log10().floor() as i32;
    if !(-12..=12).contains(&digits) {
        return format!("{value:e}");
    }
    let factor = 10_f64.powi(digits);
    let rounded = (value * factor).round() / factor;
    format!("{rounded}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Moment {
        Moment::from_unix_ms(secs * 1000)
    }

    #[test]
    fn an_idle_week_is_shortened_and_the_night_is_not() {
        let week = 7 * 86_400;
        let scale = TimeScale::new([0, 60, 120, 600, week].map(at), 0.0, 1000.0);
        assert_eq!(scale.breaks().len(), 1);
        assert_eq!(scale.x(at(0)), 0.0);
        assert!((scale.x(at(600)) - 950.0).abs() < 0.01, "{}", scale.x(at(600)));
        assert!((scale.x(at(week)) - 1000.0).abs() < 0.01);
        assert!(scale.ticks(80.0).len() > 3);
    }

    #[test]
    fn time_goes_on_from_left_to_right() {
        let scale = TimeScale::new([0, 10, 4000, 4010, 90_000, 90_005].map(at), 10.0, 500.0);
        let xs: Vec<f64> = (0..90).map(|step| scale.x(at(step * 1000))).collect();
        assert!(xs.windows(2).all(|pair| pair[0] <= pair[1]), "{xs:?}");
        assert!(xs.iter().all(|x| (10.0..=500.01).contains(x)), "{xs:?}");
    }

    #[test]
    fn one_moment_or_none_is_a_scale_too() {
        assert_eq!(TimeScale::new([at(5)], 0.0, 100.0).x(at(5)), 50.0);
        assert!(TimeScale::new([], 0.0, 100.0).x(at(5)).is_finite());
    }

    #[test]
    fn values_are_round_and_inside() {
        let scale = ValueScale::new([0.31, 0.2, 0.003], 100.0, 0.0);
        assert!(scale.ticks().contains(&0.1), "{:?}", scale.ticks());
        assert!(scale.y(0.31) > 0.0 && scale.y(0.003) < 100.0);
        let flat = ValueScale::new([7.0, 7.0], 100.0, 0.0);
        assert!(flat.y(7.0) > 10.0 && flat.y(7.0) < 90.0);
        assert_eq!([0.30000000000000004, 1234.5678, 0.0, 1e-20].map(shown), ["0.3", "1235", "0", "1e-20"]);
    }
}
