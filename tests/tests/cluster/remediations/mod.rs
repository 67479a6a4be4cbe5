//! The remediations on a real API server: done once, refused where they should be, and certain about what they did.

mod abort_rollout;
mod block_ip;
mod block_ip_proxy;
mod breakers;
mod changes;
mod collect_evidence;
mod doubts;
mod drain_node;
mod evict_pod;
mod freeze_deploys;
pub(crate) mod freeze_reach;
pub(crate) mod http_call;
pub(crate) mod least;
mod looks;
mod lost;
pub(crate) mod nodes;
mod patch;
mod proxy;
mod quarantine;
mod renew_certificate;
mod rollback;
mod rollouts;
mod run_job;
pub(crate) mod stand;
pub(crate) mod telling;
