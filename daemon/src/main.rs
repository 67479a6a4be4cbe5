//! The binary `paramedic`.
fn main() {}
