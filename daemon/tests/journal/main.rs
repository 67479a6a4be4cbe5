//! The journal on sled, as the daemon uses it: what was acknowledged is read back, and what is damaged is named.

mod appending;
mod committing;
mod damage;
mod every_kind;
mod finding;
mod golden;
mod later_kinds;
mod partitions;
mod samples;
mod variants;
