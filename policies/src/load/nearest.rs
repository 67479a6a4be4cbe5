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

/// Insertions, deletions, replacements and swaps of neighbours between two words, of which only the beginning counts.
fn distance(a: &str, b: &str) -> usize {
    let start = |word: &str| word.chars().take(64).collect::<String>();
    strsim::osa_distance(&start(a), &start(b))
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
