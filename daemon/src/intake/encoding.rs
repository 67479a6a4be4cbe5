//! Text from outside is UTF-8, with or without a byte order mark before it. What is UTF-16 is called so: read as UTF-8 it would be
//! called broken.

/// Without the mark.
///
/// # Errors
/// What it is instead.
pub(crate) fn utf8(text: &[u8]) -> Result<&[u8], &'static str> {
    match text {
        [0xef, 0xbb, 0xbf, rest @ ..] => Ok(rest),
        // JSON begins with ASCII: a zero beside the first character is its other half.
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, 1..=255, ..] | [1..=255, 0, ..] => Err("UTF-16, not UTF-8"),
        _ => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_no_part_of_the_text_and_other_text_is_named() {
        let wide = |text: &str, order: fn(u16) -> [u8; 2]| -> Vec<u8> {
            text.encode_utf16().flat_map(order).collect()
        };
        assert_eq!(utf8("\u{feff}{}".as_bytes()), Ok(&b"{}"[..]));
        for text in ["", "{", "{}", " \n{}"] {
            assert_eq!(utf8(text.as_bytes()), Ok(text.as_bytes()));
        }
        for text in ["\u{feff}{}", "{}"] {
            utf8(&wide(text, u16::to_le_bytes)).expect_err("UTF-16");
            utf8(&wide(text, u16::to_be_bytes)).expect_err("UTF-16");
        }
    }
}
