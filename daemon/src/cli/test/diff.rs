//! Two texts, line by line: what is gone, what is new, and a little of what stands around it. For transcripts, which have
//! some dozens of lines.

/// Lines that are shown before and after a change.
const AROUND: usize = 2;

/// Comparisons of lines, at most: each takes a word of memory. Beyond, where two texts of thousands of lines have little in
/// common, the first difference alone is shown.
const COMPARED_MAX: usize = 4_000_000;

/// The difference of two texts that are not the same.
pub(super) struct Diff {
    /// The first line of the old text that is otherwise, from 1.
    pub(super) first_line: usize,
    /// That line.
    pub(super) expected: String,
    /// What stands there now.
    pub(super) found: String,
    /// All of it: `-` is gone, `+` is new, ` ` stays, `...` is left out.
    pub(super) lines: Vec<String>,
}

/// What became of the lines of one text in the other.
pub(super) fn lines(was: &str, is: &str) -> Diff {
    let (was, is): (Vec<&str>, Vec<&str>) = (was.lines().collect(), is.lines().collect());
    let same = was.iter().zip(&is).take_while(|(a, b)| a == b).count();
    let shown = |line: Option<&&str>| line.map_or("the end".to_owned(), |line| (*line).to_owned());
    let all = merged(&was, &is, same);
    let is_near = |index: usize| {
        let from = index.saturating_sub(AROUND);
        all.iter().skip(from).take(index - from + AROUND + 1).any(|(mark, _)| *mark != ' ')
    };
    let mut lines: Vec<String> = Vec::new();
    for (index, (mark, line)) in all.iter().enumerate() {
        if is_near(index) {
            lines.push(format!("{mark} {line}").trim_end().to_owned());
        } else if lines.last().is_some_and(|last| last != "...") {
            lines.push("...".to_owned());
        }
    }
    if lines.last().is_some_and(|last| last == "...") {
        lines.pop();
    }
    Diff { first_line: same + 1, expected: shown(was.get(same)), found: shown(is.get(same)), lines }
}

/// Both texts as one, whose first lines are the same ones, as are perhaps the last. What stands between is merged where it is
/// small enough; otherwise what follows its first line is left out.
fn merged<'t>(was: &[&'t str], is: &[&'t str], same: usize) -> Vec<(char, &'t str)> {
    let ends = was[same..].iter().rev().zip(is[same..].iter().rev()).take_while(|(a, b)| a == b).count();
    let (old, new) = (&was[same..was.len() - ends], &is[same..is.len() - ends]);
    let stays = |lines: &[&'t str]| lines.iter().map(|line| (' ', *line)).collect::<Vec<_>>();
    let mut all = stays(&was[..same]);
    if (old.len() + 1).saturating_mul(new.len() + 1) > COMPARED_MAX {
        all.extend(old.first().map(|line| ('-', *line)));
        all.extend(new.first().map(|line| ('+', *line)));
        all.push((' ', "... and more: the rest is too long to be compared"));
        return all;
    }
    all.extend(common(old, new));
    all.extend(stays(&was[was.len() - ends..]));
    all
}

/// Both texts as one, by their longest common lines.
fn common<'t>(was: &[&'t str], is: &[&'t str]) -> Vec<(char, &'t str)> {
    let mut common = vec![vec![0_usize; is.len() + 1]; was.len() + 1];
    for (a, old) in was.iter().enumerate().rev() {
        for (b, new) in is.iter().enumerate().rev() {
            common[a][b] =
                if old == new { common[a + 1][b + 1] + 1 } else { common[a + 1][b].max(common[a][b + 1]) };
        }
    }
    let (mut a, mut b) = (0, 0);
    let mut all = Vec::new();
    loop {
        match (was.get(a), is.get(b)) {
            (Some(old), Some(new)) if old == new => {
                all.push((' ', *old));
                (a, b) = (a + 1, b + 1);
            }
            (Some(old), new) if new.is_none() || common[a + 1][b] >= common[a][b + 1] => {
                all.push(('-', *old));
                a += 1;
            }
            (_, Some(new)) => {
                all.push(('+', *new));
                b += 1;
            }
            (_, None) => return all,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_and_what_is_new_is_shown_with_a_little_around_it() {
        let diff = lines("a\nb\nc\nd\ne\nf\ng\n", "a\nb\nc\nd\nx\nf\ng\nh\n");
        assert_eq!((diff.first_line, diff.expected.as_str(), diff.found.as_str()), (5, "e", "x"));
        assert_eq!(diff.lines.join("\n"), "  c\n  d\n- e\n+ x\n  f\n  g\n+ h");
        let all_new = lines("", "a\n");
        assert_eq!((all_new.first_line, all_new.lines.join("\n").as_str()), (1, "+ a"));
    }

    #[test]
    fn what_stays_far_away_is_left_out() {
        let diff = lines("a\n1\n2\n3\n4\n5\n6\nb\n", "A\n1\n2\n3\n4\n5\n6\nB\n");
        assert_eq!(diff.lines.join("\n"), "- a\n+ A\n  1\n  2\n...\n  5\n  6\n- b\n+ B");
    }

    #[test]
    fn of_very_long_texts_the_first_difference_is_shown() {
        let text = |word: &str| (0..20_000).map(|line| format!("{word} {line}\n")).collect::<String>();
        let diff = lines(&format!("a\nb\nc\n{}", text("x")), &format!("a\nb\nc\n{}", text("y")));
        assert_eq!((diff.first_line, diff.expected.as_str(), diff.found.as_str()), (4, "x 0", "y 0"));
        let shown = "...\n  b\n  c\n- x 0\n+ y 0\n  ... and more: the rest is too long to be compared";
        assert_eq!(diff.lines.join("\n"), shown.trim_start_matches("...\n"));
        let (all, other) = (text("x"), text("x").replace("x 9000\n", "z\n"));
        let diff = lines(&all, &other);
        assert!(diff.lines.contains(&"- x 9000".to_owned()) && diff.lines.len() < 10, "{:?}", diff.lines);
    }
}
