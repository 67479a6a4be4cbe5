//! What was collected before anything was touched: text and values, hidden what is secret, bounded by construction.
//! A part that could not be had says why; what was cut off says so.

use serde::{Deserialize, Serialize};

use crate::alert::Labels;
use crate::answer::Number;
use crate::time::Moment;

/// Evidence in all, where its policy says nothing else.
pub const BYTES_DEFAULT: usize = 64 * 1024;

/// Evidence in all, at most: it stands in one record.
pub const BYTES_MAX: usize = 256 * 1024;

/// No single piece takes more than this share of all, so that one loud log leaves room for the rest.
const PIECE_SHARE: usize = 4;

/// What a piece costs beside its text: names, quotes and moments.
const PIECE_BYTES: usize = 128;

/// What one value of a curve takes in a record.
const POINT_BYTES: usize = 56;

/// All that was collected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// In the order of collecting.
    pub pieces: Vec<Piece>,
    /// Pieces that found no room at all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

/// One part of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Piece {
    /// Such as `pods` or `log of web-0, container app`.
    pub name: String,
    /// What was found.
    pub found: Kept,
    /// What of it was cut off, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<String>,
}

/// What of a part is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kept {
    /// Lines.
    Text(String),
    /// Values of a query over a time.
    Values(Vec<Series>),
    /// It could not be had.
    Missing {
        /// What was tried, and what came back.
        why: String,
    },
}

/// One series over a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Series {
    /// Its labels.
    pub labels: Labels,
    /// Its values in the order of time.
    pub points: Vec<(Moment, Number)>,
}

/// Takes pieces until there is no more room: nothing that was put in can make the whole larger than its bound.
#[derive(Debug)]
pub struct Bag {
    evidence: Evidence,
    room: usize,
    piece_max: usize,
}

impl Bag {
    /// A bag for so many bytes, at most [`BYTES_MAX`].
    pub fn new(bytes: usize) -> Self {
        let room = bytes.min(BYTES_MAX);
        Self {
            evidence: Evidence { pieces: Vec::new(), left_out: Vec::new() },
            room,
            piece_max: room / PIECE_SHARE,
        }
    }

    /// Puts text in. Where it is too long its end is kept, which of a log is the newest.
    pub fn text(&mut self, name: impl Into<String>, text: &str) {
        let Some((name, most)) = self.place(name.into()) else { return };
        let plain = |c: char| match c {
            '\n' => c,
            '\t' => ' ',
            c if c.is_control() => '\u{fffd}',
            c => c,
        };
        let text: String = text.trim_end().chars().map(plain).collect();
        // In a record a quote or a line break takes two bytes.
        let kept = end_of(&text, most);
        let cut = (kept.len() < text.len())
            .then(|| format!("the first {} of {} bytes", text.len() - kept.len(), text.len()));
        let found = Kept::Text(kept.to_owned());
        self.room = self.room.saturating_sub(written(kept));
        self.evidence.pieces.push(Piece { name, found, cut });
    }

    /// Puts values in. Where they are too many every second is dropped, until the rest has room.
    pub fn values(&mut self, name: impl Into<String>, mut series: Vec<Series>) {
        let Some((name, most)) = self.place(name.into()) else { return };
        let had: usize = series.iter().map(|one| one.points.len()).sum();
        while bytes_of(&series) > most && series.iter().any(|one| one.points.len() > 2) {
            series.iter_mut().for_each(thin);
        }
        let all = series.len();
        while bytes_of(&series) > most && !series.is_empty() {
            series.pop();
        }
        let kept: usize = series.iter().map(|one| one.points.len()).sum();
        let cut = (kept < had)
            .then(|| format!("{} of {had} values, {} of {all} series", had - kept, all - series.len()));
        self.room = self.room.saturating_sub(bytes_of(&series));
        self.evidence.pieces.push(Piece { name, found: Kept::Values(series), cut });
    }

    /// Says that a part could not be had.
    pub fn missing(&mut self, name: impl Into<String>, why: &str) {
        let Some((name, most)) = self.place(name.into()) else { return };
        let why = end_of(why, most).to_owned();
        self.room = self.room.saturating_sub(written(&why));
        self.evidence.pieces.push(Piece { name, found: Kept::Missing { why }, cut: None });
    }

    /// Room for a piece with its name; none where the bag is full, which is said.
    fn place(&mut self, name: String) -> Option<(String, usize)> {
        let name: String = name.chars().take(NAME_CHARS_MAX).collect();
        let costs = PIECE_BYTES + written(&name);
        if self.room < costs + PIECE_BYTES {
            // Names take room too, so there is an end to them.
            if self.evidence.left_out.len() < LEFT_OUT_MAX {
                self.evidence.left_out.push(name);
            }
            return None;
        }
        self.room -= costs;
        Some((name, self.room.min(self.piece_max)))
    }

    /// Whether nothing more finds room.
    pub fn is_full(&self) -> bool {
        self.room < 2 * PIECE_BYTES
    }

    /// What was put in.
    pub fn closed(self) -> Evidence {
        self.evidence
    }
}

/// A piece's name is a word or two, or a query.
const NAME_CHARS_MAX: usize = 400;

/// So many names are told of what found no room.
const LEFT_OUT_MAX: usize = 20;

/// What text takes in a record, where quotes, backslashes and line breaks are escaped.
fn written(text: &str) -> usize {
    text.bytes().map(|byte| if matches!(byte, b'"' | b'\\' | b'\n') { 2 } else { 1 }).sum()
}

/// The end of a text that takes at most so many bytes in a record; from a line's beginning where one is near.
fn end_of(text: &str, most: usize) -> &str {
    if written(text) <= most {
        return text;
    }
    let mut from = text.len();
    let mut left = most;
    for (at, c) in text.char_indices().rev() {
        let costs = written(c.encode_utf8(&mut [0; 4]));
        if costs > left {
            break;
        }
        left -= costs;
        from = at;
    }
    let end = &text[from..];
    match end.split_once('\n') {
        Some((broken, whole)) if broken.len() < end.len() / 4 => whole,
        Some(_) | None => end,
    }
}

fn bytes_of(series: &[Series]) -> usize {
    let labels = |one: &Series| {
        one.labels.iter().map(|(name, value)| written(name) + written(value) + 8).sum::<usize>()
    };
    series.iter().map(|one| PIECE_BYTES + labels(one) + one.points.len() * POINT_BYTES).sum()
}

/// Every second point, the last one always.
fn thin(series: &mut Series) {
    if series.points.len() <= 2 {
        return;
    }
    let last = series.points.len() - 1;
    let mut index = 0;
    series.points.retain(|_| {
        let keep = index % 2 == 0 || index == last;
        index += 1;
        keep
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(evidence: &Evidence) -> usize {
        serde_json::to_string(evidence).expect("it is plain data").len()
    }

    fn curve(points: i64) -> Series {
        let point = |n| (Moment::from_unix_ms(n), Number(1.0));
        Series { labels: Labels::new(), points: (0..points).map(point).collect() }
    }

    #[test]
    fn what_fits_exactly_is_kept_whole() {
        // A quarter of the bag is what one series of four values takes.
        let bag = || Bag::new(PIECE_SHARE * (PIECE_BYTES + 4 * POINT_BYTES));
        let kept = |series: Vec<Series>| {
            let mut bag = bag();
            bag.values("up", series);
            let piece = bag.closed().pieces.remove(0);
            let Kept::Values(series) = piece.found else { panic!("{piece:?}") };
            (series.iter().map(|one| one.points.len()).collect::<Vec<_>>(), piece.cut)
        };
        assert_eq!(kept(vec![curve(4)]), (vec![4], None));
        assert_eq!(kept(vec![curve(5)]), (vec![3], Some("2 of 5 values, 0 of 1 series".to_owned())));
        assert_eq!(kept(vec![curve(2); 2]), (vec![2], Some("2 of 4 values, 1 of 2 series".to_owned())));
        let mut text = bag();
        text.text("log", &"x".repeat(PIECE_BYTES + 4 * POINT_BYTES));
        assert_eq!(text.closed().pieces[0].cut, None);
    }

    #[test]
    fn a_bag_is_full_before_a_piece_would_have_no_room() {
        let put = |bytes: usize| {
            let mut bag = Bag::new(bytes);
            bag.missing("a", "");
            let evidence = bag.closed();
            (evidence.pieces.len(), evidence.left_out)
        };
        assert_eq!(put(2 * PIECE_BYTES + 1), (1, vec![]));
        assert_eq!(put(2 * PIECE_BYTES), (0, vec!["a".to_owned()]));
        assert!(!Bag::new(2 * PIECE_BYTES).is_full() && Bag::new(2 * PIECE_BYTES - 1).is_full());
        let mut none = Bag::new(0);
        (0..25).for_each(|n| none.text(format!("log {n}"), "x"));
        let left_out = none.closed().left_out;
        assert_eq!((left_out.len(), left_out[0].as_str()), (LEFT_OUT_MAX, "log 0"));
    }

    #[test]
    fn text_is_plain_and_says_why_it_is_missing() {
        let mut bag = Bag::new(BYTES_DEFAULT);
        bag.text("log", "a\tb\u{1b}[31m\nc\n");
        bag.missing("events", "403 forbidden");
        let found: Vec<Kept> = bag.closed().pieces.into_iter().map(|piece| piece.found).collect();
        let missing = Kept::Missing { why: "403 forbidden".to_owned() };
        assert_eq!(found, [Kept::Text("a b\u{fffd}[31m\nc".to_owned()), missing]);
    }

    #[test]
    fn the_end_of_a_text_begins_a_line_where_one_is_near() {
        for (text, most, end) in [
            ("abcdef", 6, "abcdef"),
            ("abcdef", 3, "def"),
            ("a\"b", 3, "\"b"),
            ("aaaaaaaa\nb", 9, "aaaaaa\nb"),
            ("ab\ncdefghijkl", 13, "cdefghijkl"),
            ("abb\ncdefg", 9, "bb\ncdefg"),
        ] {
            assert_eq!(end_of(text, most), end, "{text:?} in {most}");
        }
    }

    #[test]
    fn a_series_takes_its_labels_and_its_values() {
        let labels: Labels = [("pod".to_owned(), "a\"b".to_owned())].into();
        let one = Series { labels, ..curve(2) };
        assert_eq!(bytes_of(&[one.clone(), one]), 2 * (128 + (3 + 4 + 8) + 2 * 56));
    }

    #[test]
    fn whatever_is_put_in_it_stays_within_its_bound() {
        let loud = "\"\\\n".repeat(100_000);
        let curve = Series {
            labels: [("pod".to_owned(), "\"".repeat(500))].into(),
            points: (0..5000).map(|n| (Moment::from_unix_ms(n), Number(0.123_456_789_012_345_6))).collect(),
        };
        for bytes in [0, 300, 4096, BYTES_DEFAULT, usize::MAX] {
            let mut bag = Bag::new(bytes);
            for n in 0..300 {
                bag.text(format!("log {n}"), &loud);
                bag.values("\"".repeat(2000), vec![curve.clone(); 3]);
                bag.missing("events", &loud);
            }
            assert!(bag.is_full());
            let evidence = bag.closed();
            // The names of what found no room come on top, and are bounded themselves.
            let names: usize = evidence.left_out.iter().map(|name| written(name) + 3).sum();
            assert!(size(&evidence) <= bytes.min(BYTES_MAX) + names + 64, "{bytes}: {}", size(&evidence));
        }
    }

    #[test]
    fn of_a_log_the_end_is_kept_and_the_rest_is_said() {
        let mut bag = Bag::new(4096);
        let lines: Vec<String> = (0..500).map(|n| format!("line {n}")).collect();
        bag.text("log", &lines.join("\n"));
        let evidence = bag.closed();
        let Kept::Text(text) = &evidence.pieces[0].found else { panic!("{evidence:?}") };
        assert!(text.starts_with("line ") && text.ends_with("line 499"), "{text}");
        assert!(evidence.pieces[0].cut.as_ref().is_some_and(|cut| cut.contains("bytes")), "{evidence:?}");
    }

    #[test]
    fn curves_keep_their_ends() {
        let points: Vec<(Moment, Number)> =
            (0..400).map(|n| (Moment::from_unix_ms(n), Number(1.0))).collect();
        let mut bag = Bag::new(8192);
        bag.values("up", vec![Series { labels: Labels::new(), points }]);
        let evidence = bag.closed();
        let Kept::Values(series) = &evidence.pieces[0].found else { panic!("{evidence:?}") };
        let ends = (series[0].points.first(), series[0].points.last());
        assert_eq!(ends.0.map(|point| point.0.unix_ms()), Some(0));
        assert_eq!(ends.1.map(|point| point.0.unix_ms()), Some(399));
        assert!(evidence.pieces[0].cut.is_some());
    }
}
