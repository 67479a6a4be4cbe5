//! What the loop and the remediations need from the outside, as traits. The daemon brings the real ones,
//! the simulations bring a world of their own.

pub mod clock;
pub mod cluster;
pub mod halt;
pub mod http;
pub mod journal;
pub mod metrics;
pub mod objects;
pub mod redaction;
pub mod world;
