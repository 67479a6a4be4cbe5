//! A number with what it counts, as people write it: `1 alert`, `2 alerts`. For nouns whose plural ends in a plain `s`
//! only.

use std::fmt::Display;

/// `1 alert`, `2 alerts`.
pub fn counted<N: Display + PartialEq + From<u8>>(count: N, noun: &str) -> String {
    let plural = if count == N::from(1) { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular_and_nothing_else() {
        let said = [counted(0_u32, "alert"), counted(1_usize, "new alert"), counted(2_u64, "alert")];
        assert_eq!(said, ["0 alerts", "1 new alert", "2 alerts"]);
        assert_eq!(counted(-1_i32, "disruption"), "-1 disruptions");
    }
}
