//! What may go wrong, by name, and how likely it is at the moment. A fault is counted where it is injected.

/// One kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "their names say it, and `name` says it to people")]
pub enum Fault {
    RequestLost,
    RequestLate,
    AnswerLost,
    Conflict,
    TooMany,
    ServerError,
    CutOff,
    LookFailed,
    LookSlow,
    CallLost,
    CallAnswerLost,
    QueryFailed,
    QuerySlow,
    QueryEmpty,
    QueryNan,
    QueryStale,
    MessageLost,
    AppendFailed,
    AppendTorn,
    AppendUnsure,
    AppendSlow,
    Crash,
    CrashInAppend,
    CheckpointFailed,
    Checkpointed,
    LeaseLost,
    ClockStepped,
    ClockDrifted,
    AlertDuplicated,
    AlertLate,
    AlertLost,
    AlertByPeer,
    AlertRepeated,
    AlertForged,
    ResolvedLost,
    Burst,
    PodsFailed,
    GitOpsPutBack,
    PersonScaled,
    PersonDeployed,
    Paused,
    Denied,
    BookAdopted,
}

/// All of them.
pub const FAULTS: [Fault; 43] = [
    Fault::RequestLost,
    Fault::RequestLate,
    Fault::AnswerLost,
    Fault::Conflict,
    Fault::TooMany,
    Fault::ServerError,
    Fault::CutOff,
    Fault::LookFailed,
    Fault::LookSlow,
    Fault::CallLost,
    Fault::CallAnswerLost,
    Fault::QueryFailed,
    Fault::QuerySlow,
    Fault::QueryEmpty,
    Fault::QueryNan,
    Fault::QueryStale,
    Fault::MessageLost,
    Fault::AppendFailed,
    Fault::AppendTorn,
    Fault::AppendUnsure,
    Fault::AppendSlow,
    Fault::Crash,
    Fault::CrashInAppend,
    Fault::CheckpointFailed,
    Fault::Checkpointed,
    Fault::LeaseLost,
    Fault::ClockStepped,
    Fault::ClockDrifted,
    Fault::AlertDuplicated,
    Fault::AlertLate,
    Fault::AlertLost,
    Fault::AlertByPeer,
    Fault::AlertRepeated,
    Fault::AlertForged,
    Fault::ResolvedLost,
    Fault::Burst,
    Fault::PodsFailed,
    Fault::GitOpsPutBack,
    Fault::PersonScaled,
    Fault::PersonDeployed,
    Fault::Paused,
    Fault::Denied,
    Fault::BookAdopted,
];

impl Fault {
    /// As people read it.
    pub fn name(self) -> &'static str {
        match self {
            Self::RequestLost => "a change timed out before it was applied",
            Self::RequestLate => "a change timed out and was applied later",
            Self::AnswerLost => "a change was applied and its answer lost",
            Self::Conflict => "a change was answered 409",
            Self::TooMany => "a change was answered 429",
            Self::ServerError => "a change was answered 500",
            Self::CutOff => "the API server was cut off",
            Self::LookFailed => "a look at the cluster failed",
            Self::LookSlow => "a look at the cluster was slow",
            Self::CallLost => "a call to a pod was lost",
            Self::CallAnswerLost => "a call to a pod was done and its answer lost",
            Self::QueryFailed => "a query failed",
            Self::QuerySlow => "a query was slow",
            Self::QueryEmpty => "a query found nothing",
            Self::QueryNan => "a query found NaN",
            Self::QueryStale => "a query was answered from the past",
            Self::MessageLost => "a message was not delivered",
            Self::AppendFailed => "an append failed",
            Self::AppendTorn => "an append was torn",
            Self::AppendUnsure => "an append failed and was durable all the same",
            Self::AppendSlow => "an append was slow",
            Self::Crash => "the process crashed",
            Self::CrashInAppend => "the process crashed during an append",
            Self::CheckpointFailed => "a checkpoint failed",
            Self::Checkpointed => "a checkpoint was written",
            Self::LeaseLost => "another process took the lead",
            Self::ClockStepped => "the wall clock was set",
            Self::ClockDrifted => "the wall clock drifted",
            Self::AlertDuplicated => "a delivery came twice",
            Self::AlertLate => "a delivery came late",
            Self::AlertLost => "a delivery was lost",
            Self::AlertByPeer => "an HA peer sent it too",
            Self::AlertRepeated => "a repeat was sent",
            Self::AlertForged => "an alert was sent that never fired",
            Self::ResolvedLost => "an alert's end was lost",
            Self::Burst => "a burst of alerts came",
            Self::PodsFailed => "pods failed",
            Self::GitOpsPutBack => "GitOps put a value back",
            Self::PersonScaled => "a person scaled",
            Self::PersonDeployed => "a person deployed",
            Self::Paused => "an operator paused",
            Self::Denied => "an operator denied",
            Self::BookAdopted => "another book was adopted",
        }
    }
}

/// How likely each fault of a request is, in percent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Chances {
    /// A change is lost on its way.
    pub(crate) request_lost: u8,
    /// A change arrives after its sender has given up.
    pub(crate) request_late: u8,
    /// A change is made and the answer lost.
    pub(crate) answer_lost: u8,
    /// 409.
    pub(crate) conflict: u8,
    /// 429.
    pub(crate) too_many: u8,
    /// 500.
    pub(crate) server_error: u8,
    /// A look fails.
    pub(crate) look_failed: u8,
    /// A look takes seconds.
    pub(crate) look_slow: u8,
    /// A query fails.
    pub(crate) query_failed: u8,
    /// A query takes seconds.
    pub(crate) query_slow: u8,
    /// A query finds nothing.
    pub(crate) query_empty: u8,
    /// A query finds NaN.
    pub(crate) query_nan: u8,
    /// A message is not delivered.
    pub(crate) message_lost: u8,
    /// An append fails.
    pub(crate) append_failed: u8,
    /// An append takes seconds.
    pub(crate) append_slow: u8,
}
