//! What stands in for the cluster's answers, of which no history tells: the remediation's look is assumed to find nothing
//! against the action. The amounts in such an action mean nothing and are never shown; its kind and its target are real.

use std::collections::BTreeMap;

use paramedic_policies::answer::{Preflight, Surroundings};
use paramedic_policies::remediation::{
    Action, Wish, abort_rollout, block_ip, collect_evidence, delete_pod, drain_node, evict_pod,
    freeze_deploys, http_call, patch, quarantine, renew_certificate, reset_breaker, restart, rollback,
    run_job, scale,
};

/// A look that finds nothing against it.
pub(super) fn preflight(wish: &Wish) -> Preflight {
    Preflight {
        uid: String::new(),
        action: Some(action(wish)),
        already: false,
        refusals: Vec::new(),
        passed: vec!["assumed: no history tells what the cluster would have said".to_owned()],
        labels: BTreeMap::new(),
        // Nothing is assumed to be down, and no workload is counted for the storm's share.
        beside: Default::default(),
        surroundings: Some(Surroundings { desired: 0, unavailable: 0, added: 0, workloads: 0 }),
        diff: None,
    }
}

fn action(wish: &Wish) -> Action {
    match wish {
        Wish::Scale(_) => {
            let lever = scale::Lever::Replicas;
            Action::Scale(scale::Action { lever, from: 0, to: 1, wanted: None, set_by: None })
        }
        Wish::Restart(_) => Action::Restart(restart::Action { generation: 0 }),
        Wish::ResetBreaker(wish) => Action::ResetBreaker(reset_breaker::Action {
            breaker: wish.breaker.clone(),
            endpoints: Vec::new(),
            port: None,
        }),
        Wish::FreezeDeploys(wish) => {
            Action::FreezeDeploys(freeze_deploys::Action::Freeze(freeze_deploys::Freeze {
                wish: wish.clone(),
                exempt: String::new(),
                touches: Vec::new(),
            }))
        }
        Wish::BlockIp(wish) => {
            let block = block_ip::Block { ranges: Vec::new(), terms: wish.terms.clone() };
            Action::BlockIp(block_ip::Action::Block(block))
        }
        Wish::Patch(_) => {
            Action::Patch(patch::Action { place: patch::Place::Annotation, edits: BTreeMap::new() })
        }
        Wish::Rollback(_) => Action::Rollback(rollback::Action {
            generation: 0,
            from: 0,
            to: 0,
            replica_set: String::new(),
            replica_set_uid: String::new(),
        }),
        Wish::Http(wish) => Action::Http(http_call::Action { base: String::new(), wish: wish.clone() }),
        Wish::AbortRollout(_) => {
            Action::AbortRollout(abort_rollout::Action { from: String::new(), to: String::new() })
        }
        Wish::RunJob(wish) => Action::RunJob(run_job::Action { wish: wish.clone(), generation: None }),
        Wish::RenewCertificate(_) => {
            Action::RenewCertificate(renew_certificate::Action { revision: 0, not_after: None })
        }
        Wish::Quarantine(wish) => Action::Quarantine(quarantine::Action::Isolate(quarantine::Quarantine {
            wish: wish.clone(),
            pods: Vec::new(),
        })),
        Wish::EvictPod(wish) => Action::EvictPod(evict_pod::Action {
            controller: String::new(),
            local_storage: wish.local_storage,
        }),
        Wish::DeletePod(wish) => Action::DeletePod(delete_pod::Action {
            controller: String::new(),
            local_storage: wish.local_storage,
        }),
        Wish::DrainNode(wish) => Action::DrainNode(drain_node::Action::Drain(drain_node::Drain {
            wish: wish.clone(),
            pods: Vec::new(),
            namespaces: Vec::new(),
        })),
        Wish::CollectEvidence(wish) => {
            Action::CollectEvidence(collect_evidence::Action { wish: wish.clone() })
        }
        Wish::Revert(action) => action.clone(),
    }
}
