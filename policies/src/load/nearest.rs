//! Did you mean: the known word that a mistyped one is closest to.

/// The candidate closest to `word`, when it is close enough to be a slip of the fingers.
pub(crate) fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let typed = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (distance(&typed, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.chars().count() / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

/// What to do about an unknown word among known ones.
pub(crate) fn hint(word: &str, candidates: &[&str]) -> String {
    match nearest(word, candidates.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if candidates.is_empty() => "remove it; nothing can stand here".to_owned(),
        None => format!("known here: {}", candidates.join(", ")),
    }
}

/// Insertions, deletions, replacements and swaps of neighbours between two words, of which the first 64 letters count.
pub fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let known = ["cooldown", "concurrency", "limits"];
        assert_eq!(nearest("cooldwon", known), Some("cooldown"));
        assert_eq!(nearest("coolDown", known), Some("cooldown"));
        assert_eq!(nearest("limit", known), Some("limits"));
        assert_eq!(nearest("banana", known), None);
    }
}
