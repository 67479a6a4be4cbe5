//! Every remediation there is, one file each: how it is written, what it comes to for an alert, and the absolute change
//! that is recorded and carried out. Pure: how it is done stands in the crate `paramedic-remediations`, in a file of
//! the same name.
//!
//! ```text
//!   YAML --read--> Written (templates) --wish--> Wish (rendered) --preflight, in the world--> Action (absolute)
//! ```
//!
//! A file has three types with these names, and the traits [`Asks`] and [`Acts`]. A new one is a file, a line in the
//! list below and its key in [`StepDocument`](crate::load::document::StepDocument).

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::address::AddressRange;
use crate::load::fields::Walk;
use crate::load::yaml::Tree;
use crate::promql::Query;
use crate::reason::Reason;
use crate::target::Target;
use crate::template::{Scope, Template};
use crate::time::{Moment, Span};

pub mod abort_rollout;
pub mod block_ip;
pub mod collect_evidence;
pub mod delete_pod;
pub mod drain_node;
pub mod evict_pod;
pub mod freeze_deploys;
pub mod http_call;
pub mod patch;
pub mod quarantine;
pub mod renew_certificate;
pub mod reset_breaker;
pub mod restart;
pub mod rollback;
pub mod run_job;
pub mod scale;

/// A remediation as a policy asks for it.
pub(crate) trait Asks: Sized {
    /// What it comes to for an alert.
    type Wish;

    /// Whether there is nothing to set: its wish is recorded as a bare word.
    const BARE: bool = false;

    /// Reads it, noting every problem.
    fn read(walk: &mut Walk, tree: &Tree) -> Option<Self>;

    /// As it is written, with every default filled in; it reads again to the same.
    fn document(&self) -> Value;

    /// The templates in it: the labels they use are confirmed before anything is done.
    fn templates(&self) -> Vec<&Template>;

    /// The queries that it asks by itself, so that they can be tried before it does.
    fn queries(&self) -> Vec<&Query> {
        Vec::new()
    }

    /// The targets it is for, in words, where it can never act on this kind of target.
    fn misfit(&self, kind: &str) -> Option<&'static str>;

    /// Whether what it does can be taken back.
    fn is_revertible(&self) -> bool;

    /// How long what it does lasts, where that belongs to it and is written out; it is taken back then.
    fn lasts(&self) -> Option<Span> {
        None
    }

    /// Whether how long it lasts belongs to it, though only the alert may tell.
    fn lasts_by_itself(&self) -> bool {
        self.lasts().is_some()
    }

    /// Whether it ends well only when its effect was seen: there is nothing more to verify.
    const PROVES_ITSELF: bool = false;

    /// Whether it only looks: nobody has to approve it, a rehearsal of it is the thing itself, and it counts against
    /// nothing but its own kind.
    const LOOKS_ONLY: bool = false;

    /// Whether it leaves every workload as it is, where its target is a namespace.
    const SPARES_WORKLOADS: bool = false;

    /// The entries of an action of its policy that may no longer stand by what is written now; `vars` are the
    /// configuration's.
    fn lifts(&self, _action: &Action, _vars: &BTreeMap<String, String>) -> Vec<AddressRange> {
        Vec::new()
    }

    /// What it comes to for this alert, every value proven to be what it becomes.
    ///
    /// # Errors
    /// [`Reason::BadValue`] when a value is missing, or is not what it must become.
    fn wish(&self, scope: &Scope<'_>) -> Result<Self::Wish, Reason>;
}

/// An absolute change, shown as people read it.
pub(crate) trait Acts: Sized + std::fmt::Display + PartialEq {
    /// The change that takes it back, where one exists.
    fn inverse(&self) -> Option<Self>;

    /// The two as one change that begins where the earlier began; none where they change different fields.
    fn after(&self, earlier: &Self) -> Option<Self>;

    /// Whether both do the very same. What was only seen beside it, as evidence for later, is no part of the act.
    fn does_the_same(&self, other: &Self) -> bool {
        self == other
    }

    /// Why no replica can become unavailable by it, where that is so.
    fn spares_replicas(&self) -> Option<&'static str> {
        None
    }

    /// The namespaces it reaches, where they are more than its target's.
    fn namespaces(&self) -> &[String] {
        &[]
    }

    /// How long it may take, where it says so itself.
    fn takes(&self) -> Option<Span> {
        None
    }

    /// How long it lasts, where the action knows that better than its policy.
    fn lasts(&self) -> Option<Span> {
        None
    }

    /// Whether what it does ends by itself, or must, whatever still fires.
    fn ends_by_itself(&self) -> bool {
        false
    }

    /// Whether a look tells if it was done, or taken back: what no look can tell is never repeated in doubt.
    fn can_be_seen(&self) -> bool {
        true
    }

    /// Why time alone never takes it back, where that is so: its lease calls a person then, and only an order ends it. The
    /// words end where the order is named.
    fn ends_by_order_alone(&self) -> Option<&'static str> {
        None
    }

    /// Of what takes an action back: the part that it leaves, and when that is to be taken back.
    fn rest(&self) -> Option<(Self, Moment)> {
        None
    }

    /// The same for only these addresses; none where it is not of several, or would be all of it.
    fn part(&self, _only: &[AddressRange]) -> Option<Self> {
        None
    }

    /// Of what takes a part of `whole` back: the same, with the rest, which is to be taken back then.
    fn leaving(&self, _whole: &Self, _rest_due: Moment) -> Option<Self> {
        None
    }
}

macro_rules! remediations {
    ($($(#[$doc:meta])* $name:ident, $module:ident, $key:literal;)+) => {
        /// One remediation of a step, with its templates.
        #[derive(Debug, Clone)]
        #[expect(clippy::large_enum_variant, reason = "few are held at a time, and a box would hide the shape")]
        pub enum Remediation {
            $($(#[$doc])* $name($module::Written),)+
        }

        /// A remediation with every template rendered, not yet absolute: what a preflight is asked about.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Wish {
            $($(#[$doc])* $name($module::Wish),)+
            /// Undo an earlier action, only while what it changed is still as it left it.
            Revert(Action),
        }

        /// One absolute and repeatable change: set to three, never add one.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        #[expect(clippy::large_enum_variant, reason = "few are held at a time, and a box would hide the shape")]
        pub enum Action {
            $($(#[$doc])* $name($module::Action),)+
        }

        /// [`Wish`] as it is read.
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        enum ReadWish {
            $($name($module::Wish),)+
            Revert(Action),
        }

        impl From<ReadWish> for Wish {
            fn from(read: ReadWish) -> Self {
                match read {
                    $(ReadWish::$name(wish) => Self::$name(wish),)+
                    ReadWish::Revert(action) => Self::Revert(action),
                }
            }
        }

        impl Serialize for Wish {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $(Self::$name(_) if <$module::Written as Asks>::BARE => {
                        serializer.serialize_unit_variant("Wish", 0, $key)
                    })+
                    $(Self::$name(wish) => serializer.serialize_newtype_variant("Wish", 0, $key, wish),)+
                    Self::Revert(action) => serializer.serialize_newtype_variant("Wish", 0, "revert", action),
                }
            }
        }

        /// The remediations by their keys in documents.
        pub(crate) const KEYS: &[&str] = &[$($key),+];

        impl Remediation {
            /// Its name in documents, metrics and records.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => $key,)+ }
            }

            /// Reads the one with this key.
            pub(crate) fn read(key: &str, walk: &mut Walk, tree: &Tree) -> Option<Self> {
                match key {
                    $($key => <$module::Written as Asks>::read(walk, tree).map(Self::$name),)+
                    _ => None,
                }
            }

            pub(crate) fn document(&self) -> Value {
                match self { $(Self::$name(written) => written.document(),)+ }
            }

            /// The templates in it.
            pub(crate) fn templates(&self) -> Vec<&Template> {
                match self { $(Self::$name(written) => written.templates(),)+ }
            }

            /// The queries that it asks by itself.
            pub fn queries(&self) -> Vec<&Query> {
                match self { $(Self::$name(written) => written.queries(),)+ }
            }

            pub(crate) fn misfit(&self, kind: &str) -> Option<&'static str> {
                match self { $(Self::$name(written) => written.misfit(kind),)+ }
            }

            pub(crate) fn is_revertible(&self) -> bool {
                match self { $(Self::$name(written) => written.is_revertible(),)+ }
            }

            /// Whether it only looks and changes nothing.
            pub fn looks_only(&self) -> bool {
                match self { $(Self::$name(_) => <$module::Written as Asks>::LOOKS_ONLY,)+ }
            }

            /// Whether it leaves every workload as it is: a freeze of whole namespaces.
            pub(crate) fn spares_workloads(&self, target: &Target) -> bool {
                let spares = match self { $(Self::$name(_) => <$module::Written as Asks>::SPARES_WORKLOADS,)+ };
                spares && target.kind == "Namespace"
            }

            pub(crate) fn proves_itself(&self) -> bool {
                match self { $(Self::$name(_) => <$module::Written as Asks>::PROVES_ITSELF,)+ }
            }

            pub(crate) fn lasts(&self) -> Option<Span> {
                match self { $(Self::$name(written) => written.lasts(),)+ }
            }

            pub(crate) fn lasts_by_itself(&self) -> bool {
                match self { $(Self::$name(written) => written.lasts_by_itself(),)+ }
            }

            /// The entries of an action of its policy that may no longer stand by what is written now.
            pub(crate) fn lifts(&self, action: &Action, vars: &BTreeMap<String, String>) -> Vec<AddressRange> {
                match self { $(Self::$name(written) => written.lifts(action, vars),)+ }
            }

            /// What it comes to for this alert, every value proven to be what it becomes.
            ///
            /// # Errors
            /// [`Reason::BadValue`] when a value is missing, or is not what it must become.
            pub fn wish(&self, scope: &Scope<'_>) -> Result<Wish, Reason> {
                match self { $(Self::$name(written) => written.wish(scope).map(Wish::$name),)+ }
            }
        }

        impl Action {
            /// Its name in documents, metrics and records.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => $key,)+ }
            }

            /// Whether it only looks and changes nothing.
            pub fn looks_only(&self) -> bool {
                match self { $(Self::$name(_) => <$module::Written as Asks>::LOOKS_ONLY,)+ }
            }

            /// Whether it leaves every workload as it is: a freeze of whole namespaces.
            pub(crate) fn spares_workloads(&self, target: &Target) -> bool {
                let spares = match self { $(Self::$name(_) => <$module::Written as Asks>::SPARES_WORKLOADS,)+ };
                spares && target.kind == "Namespace"
            }

            /// The action that takes it back, where one exists.
            pub fn inverse(&self) -> Option<Self> {
                match self { $(Self::$name(action) => action.inverse().map(Self::$name),)+ }
            }

            /// The two as one action that begins where the earlier began; none where they change different fields.
            pub(crate) fn after(&self, earlier: &Self) -> Option<Self> {
                match (self, earlier) {
                    $((Self::$name(action), Self::$name(earlier)) => action.after(earlier).map(Self::$name),)+
                    (action, earlier) => {
                        debug_assert_ne!(action.name(), earlier.name());
                        None
                    }
                }
            }

            /// Whether both do the very same, whatever was seen beside it.
            pub(crate) fn does_the_same(&self, other: &Self) -> bool {
                match (self, other) {
                    $((Self::$name(action), Self::$name(other)) => action.does_the_same(other),)+
                    (action, other) => {
                        debug_assert_ne!(action.name(), other.name());
                        false
                    }
                }
            }

            /// The namespaces it reaches beside its target's own, which may be among them. Whatever is judged by
            /// namespace is judged for each.
            pub fn namespaces(&self) -> &[String] {
                match self { $(Self::$name(action) => action.namespaces(),)+ }
            }

            /// How long it may take, where it says so itself.
            pub(crate) fn takes(&self) -> Option<Span> {
                match self { $(Self::$name(action) => action.takes(),)+ }
            }

            /// Why no replica can become unavailable by it, where that is so.
            pub(crate) fn spares_replicas(&self) -> Option<&'static str> {
                match self { $(Self::$name(action) => action.spares_replicas(),)+ }
            }

            /// How long it lasts, where it knows that better than its policy.
            pub(crate) fn lasts(&self) -> Option<Span> {
                match self { $(Self::$name(action) => action.lasts(),)+ }
            }

            /// The same for only these addresses; none where it is not of several, or would be all of it.
            pub(crate) fn part(&self, only: &[AddressRange]) -> Option<Self> {
                match self { $(Self::$name(action) => action.part(only).map(Self::$name),)+ }
            }

            /// Of what takes a part of `whole` back: the same, with the rest, which is to be taken back then.
            pub(crate) fn leaving(&self, whole: &Self, rest_due: Moment) -> Self {
                let with_rest = match (self, whole) {
                    $((Self::$name(action), Self::$name(whole)) => {
                        action.leaving(whole, rest_due).map(Self::$name)
                    })+
                    (action, whole) => {
                        debug_assert_ne!(action.name(), whole.name());
                        None
                    }
                };
                with_rest.unwrap_or_else(|| self.clone())
            }

            /// Whether what it does ends by itself, or must, whatever still fires.
            pub(crate) fn ends_by_itself(&self) -> bool {
                match self { $(Self::$name(action) => action.ends_by_itself(),)+ }
            }

            /// Whether a look tells if it was done, or taken back.
            pub(crate) fn can_be_seen(&self) -> bool {
                match self { $(Self::$name(action) => action.can_be_seen(),)+ }
            }

            /// Why time alone never takes it back, where that is so; the words end where the order is named.
            pub fn ends_by_order_alone(&self) -> Option<&'static str> {
                match self { $(Self::$name(action) => action.ends_by_order_alone(),)+ }
            }

            /// Of what takes an action back: the part that it leaves, and when that is to be taken back.
            pub fn rest(&self) -> Option<(Self, Moment)> {
                match self {
                    $(Self::$name(action) => action.rest().map(|(rest, due)| (Self::$name(rest), due)),)+
                }
            }
        }

        impl std::fmt::Display for Action {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self { $(Self::$name(action) => action.fmt(f),)+ }
            }
        }
    };
}

remediations! {
    /// Change the number of replicas.
    Scale, scale, "scale";
    /// Roll the pods of a workload.
    Restart, restart, "restart";
    /// Close a circuit breaker of Maestro on every endpoint of a service.
    ResetBreaker, reset_breaker, "resetBreaker";
    /// Refuse new pod templates for a while.
    FreezeDeploys, freeze_deploys, "freezeDeploys";
    /// Keep clients out by their addresses for a while.
    BlockIp, block_ip, "blockIp";
    /// Change one field of a short list, within bounds, and put the old value back.
    Patch, patch, "patch";
    /// Take a Deployment back to its last healthy revision.
    Rollback, rollback, "rollback";
    /// Make a declared call to a declared endpoint.
    Http, http_call, "http";
    /// Stop the rollout of an Argo Rollout that is in progress.
    AbortRollout, abort_rollout, "abortRollout";
    /// Run a Job once, and wait until it has ended.
    RunJob, run_job, "runJob";
    /// Let cert-manager issue a Certificate anew.
    RenewCertificate, renew_certificate, "renewCertificate";
    /// Cut pods off from the network for a while.
    Quarantine, quarantine, "quarantine";
    /// Evict one pod, as its budgets allow.
    EvictPod, evict_pod, "evictPod";
    /// Delete one pod, past its budgets.
    DeletePod, delete_pod, "deletePod";
    /// Cordon a node and evict its pods.
    DrainNode, drain_node, "drainNode";
    /// Keep what will be gone once something was done.
    CollectEvidence, collect_evidence, "collectEvidence";
}

impl<'de> Deserialize<'de> for Wish {
    /// A wish without settings is a bare word.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = match Value::deserialize(deserializer)? {
            Value::String(name) => {
                Value::Object([(name, Value::Object(serde_json::Map::new()))].into_iter().collect())
            }
            value => value,
        };
        ReadWish::deserialize(read).map(Self::from).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
