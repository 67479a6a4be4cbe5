//! Tests against a real Kubernetes control plane. They are one binary, so that they share one control plane;
//! each has a namespace of its own, and must never change what belongs to the whole cluster.

mod by_hand;
mod control_plane;
mod expiring;
mod remediations;
mod upkeep;
mod whole_way;
