//! Columns of text, each as wide as its widest cell. No colour, no boxes, no cutting: a terminal wraps, `grep` and
//! `awk` read it. Control characters never reach the terminal.

use std::fmt::Write as _;

/// A table under construction.
#[derive(Debug, Clone)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
    indent: usize,
}

impl Table {
    /// A table with these column names.
    pub(super) fn new(head: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { rows: vec![head.into_iter().map(Into::into).collect()], indent: 0 }
    }

    /// A table without column names, moved to the right.
    pub(super) fn headless(indent: usize) -> Self {
        Self { rows: Vec::new(), indent }
    }

    /// Whether it has no row beside the column names.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.len() <= 1
    }

    /// Adds a row.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| plain(&cell)).collect());
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let mut line = " ".repeat(self.indent);
            for (cell, width) in row.iter().zip(&widths) {
                write!(line, "{cell:width$}  ")?;
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Text without control characters: labels are untrusted, and a terminal obeys what it is sent.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_nothing_trails() {
        let mut table = Table::new(["A", "LONG"]);
        table.row(["wider".to_owned(), String::new()]);
        table.row(["x".to_owned(), "y".to_owned()]);
        assert_eq!(table.to_string(), "A      LONG\nwider\nx      y\n");
    }

    #[test]
    fn no_control_character_reaches_the_terminal() {
        let mut table = Table::headless(2);
        table.row(["a\u{1b}[31mb\n".to_owned()]);
        assert_eq!(table.to_string(), "  a\u{fffd}[31mb\u{fffd}\n");
    }
}
