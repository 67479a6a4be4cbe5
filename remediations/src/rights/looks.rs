//! What the looks read that many remediations share. Each stands for a method of the port
//! [`Cluster`](crate::ports::cluster::Cluster), and changes with its adapter.

use paramedic_policies::target::Origin;

use super::{Aim, MAKERS, Rights, Verb, everywhere};
use crate::block_ip::DAEMON_SETS;
use crate::makers::{self, STATEFUL_SETS};
use crate::ports::objects::{AUTOSCALERS, DEPLOYMENTS, REPLICA_SETS, Resource};

const WORKLOADS: [Resource; 3] = [DEPLOYMENTS, STATEFUL_SETS, DAEMON_SETS];
const BUDGETS: Resource = Resource::namespaced("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget");
const SLICES: Resource = Resource::namespaced("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice");
const PODS: Resource = Resource::namespaced("", "v1", "pods", "Pod");
const SERVICES: Resource = Resource::namespaced("", "v1", "services", "Service");
const NODES: Resource = Resource::of_cluster("", "v1", "nodes", "Node");

impl Rights {
    /// `Cluster::look`.
    pub(crate) fn workload(&mut self, aim: &Aim<'_>) {
        self.rollout(aim);
        self.around(aim);
        self.look(&[Verb::List], &aim.beside(AUTOSCALERS));
        self.look(&[Verb::List], &aim.beside(BUDGETS));
    }

    /// `Cluster::rollout`: kinds of other groups are known by their scale.
    pub(crate) fn rollout(&mut self, aim: &Aim<'_>) {
        for kind in aim.kinds() {
            let target = aim.target(kind);
            self.look(&[Verb::Get], &target);
            if kind.contains('.') {
                self.look(&[Verb::Get], &target.sub("scale"));
            }
        }
    }

    /// `pods::workload`: what makes a pod, with all that stands around it; and `makers::of`: the object of each that made it.
    pub(crate) fn maker(&mut self, aim: &Aim<'_>, everywhere: bool) {
        let workloads = aim.makers(&MAKERS, everywhere);
        self.workload(&workloads);
        for resource in makers::READ {
            self.look(&[Verb::Get], &workloads.beside(resource));
        }
    }

    /// What stands around it: replicas of the namespace, and how many workloads there are in the whole cluster, by
    /// which the storm stop knows how large a part of them fires.
    fn around(&mut self, aim: &Aim<'_>) {
        self.look(&[Verb::Get], &aim.home());
        for resource in WORKLOADS {
            self.look(&[Verb::List], &everywhere(resource));
        }
    }

    /// `Cluster::endpoints`.
    pub(crate) fn endpoints(&mut self, aim: &Aim<'_>) {
        self.look(&[Verb::Get], &aim.target_of(SERVICES));
        self.look(&[Verb::List], &aim.beside(SLICES));
        self.around(aim);
    }

    /// `Cluster::seek`, from what an alert names.
    pub(super) fn seek(&mut self, origin: &Origin, aim: &Aim<'_>) {
        match origin {
            Origin::Pod => {
                self.look(&[Verb::Get], &aim.beside(PODS));
                self.look(&[Verb::Get], &aim.beside(REPLICA_SETS));
            }
            Origin::Service => {
                self.look(&[Verb::Get], &aim.beside(SERVICES));
                for resource in WORKLOADS {
                    self.look(&[Verb::List], &aim.beside(resource));
                }
            }
            Origin::Node => self.look(&[Verb::Get], &everywhere(NODES)),
        }
    }
}
