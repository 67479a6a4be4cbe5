//! paramedic daemon.

pub mod journal;
