//! Bytes as a stored block of the journal. What must hold stands in the library; nothing else stands here.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| paramedic_fuzz::blocks(bytes));
