//! Numbers as bars of text, which any terminal and any `less` shows: one line each, in eighths of a character.

/// The longest bar, in characters.
const WIDTH: u64 = 40;

/// Parts of a character, from one eighth to seven.
const EIGHTHS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// A bar that is as long, beside the longest, as its count beside the greatest. What is there at all can be seen.
pub(super) fn bar(count: u64, greatest: u64) -> String {
    let eighths = (count * WIDTH * 8).checked_div(greatest).unwrap_or(0).max(u64::from(count > 0));
    let mut bar = "█".repeat(usize::try_from(eighths / 8).unwrap_or_default());
    let rest = usize::try_from(eighths % 8).unwrap_or_default();
    bar.extend(rest.checked_sub(1).and_then(|index| EIGHTHS.get(index)));
    bar
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn bars_are_as_long_as_their_counts() {
        assert_eq!(bar(0, 80), "");
        assert_eq!(bar(1, 100_000), "▏");
        assert_eq!(bar(3, 80), "█▌");
        assert_eq!(bar(80, 80), "█".repeat(40));
        assert_eq!(bar(0, 0), "");
    }
}
