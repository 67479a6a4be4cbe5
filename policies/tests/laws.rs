//! The laws of the engine, each stated over generated books and generated histories. What one story shows is in
//! `engine.rs`; here is what must hold whatever the book says and whatever happens.
//!
//! A law that finds something prints the policies as they would be written and the few turns that it takes.
//! `PROPTEST_CASES=5000 cargo test -p paramedic-policies --test laws` looks longer.

#[path = "laws/draft.rs"]
mod draft;
#[path = "laws/life.rs"]
mod life;
#[path = "laws/turns.rs"]
mod turns;
#[path = "laws/world.rs"]
mod world;

#[path = "laws/ceilings.rs"]
mod ceilings;
#[path = "laws/order.rs"]
mod order;
#[path = "laws/protected.rs"]
mod protected;
#[path = "laws/refusals.rs"]
mod refusals;
#[path = "laws/replay.rs"]
mod replay;
#[path = "laws/tighter.rs"]
mod tighter;
#[path = "laws/total.rs"]
mod total;
