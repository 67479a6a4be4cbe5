//! Bytes as records of the journal, one a line. What must hold stands in the library; nothing else stands here.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| paramedic_fuzz::records(bytes));
