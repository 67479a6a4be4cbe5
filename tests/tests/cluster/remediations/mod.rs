//! The remediations on a real API server: done once, refused where they should be, and certain about what they did.

mod abort_rollout;
mod block_ip;
mod block_ip_proxy;
mod breakers;
mod changes;
mod collect_evidence;
mod doubts;
mod freeze_deploys;
mod http_call;
mod looks;
mod patch;
mod proxy;
mod renew_certificate;
mod rollback;
mod run_job;
mod stand;
mod telling;
