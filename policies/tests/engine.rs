//! The engine as a whole: inputs in, events out, over virtual time. Nothing here sleeps or asks the world.

#[path = "engine/story.rs"]
mod story;

#[path = "engine/acting.rs"]
mod acting;
#[path = "engine/books.rs"]
mod books;
#[path = "engine/by_hand.rs"]
mod by_hand;
#[path = "engine/calls.rs"]
mod calls;
#[path = "engine/cancelling.rs"]
mod cancelling;
#[path = "engine/checkpoints.rs"]
mod checkpoints;
#[path = "engine/clock.rs"]
mod clock;
#[path = "engine/digests.rs"]
mod digests;
#[path = "engine/episodes.rs"]
mod episodes;
#[path = "engine/evidence.rs"]
mod evidence;
#[path = "engine/follows.rs"]
mod follows;
#[path = "engine/forgotten.rs"]
mod forgotten;
#[path = "engine/given_up.rs"]
mod given_up;
#[path = "engine/holds.rs"]
mod holds;
#[path = "engine/kept.rs"]
mod kept;
#[path = "engine/leases.rs"]
mod leases;
#[path = "engine/operators.rs"]
mod operators;
#[path = "engine/paging.rs"]
mod paging;
#[path = "engine/quarantines.rs"]
mod quarantines;
#[path = "engine/relapses.rs"]
mod relapses;
#[path = "engine/restarts.rs"]
mod restarts;
#[path = "engine/reverts.rs"]
mod reverts;
#[path = "engine/rounds.rs"]
mod rounds;
#[path = "engine/sequences.rs"]
mod sequences;
#[path = "engine/storms.rs"]
mod storms;
#[path = "engine/undone.rs"]
mod undone;
#[path = "engine/verifying.rs"]
mod verifying;
#[path = "engine/wakes.rs"]
mod wakes;
