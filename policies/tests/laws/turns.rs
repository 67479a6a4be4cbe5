//! What may happen: alerts and their repeats, answers good and bad, outcomes, orders, other books, clocks, restarts and
//! time. A turn names what it chooses by number among what there is, so that any list of turns is a history and
//! leaving some out is one, too.

use std::fmt;

use proptest::prelude::*;

/// One thing that happens.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Turn {
    /// These alerts of the pool, firing or resolved, in one delivery.
    Alerts { which: Vec<(u8, bool)>, truncated: bool },
    /// One open question is answered.
    Answer { which: u8, how: How },
    /// One effect ends.
    End { which: u8, how: Ending },
    /// All questions are answered so and all effects end so, until nothing is open.
    Settle { how: How, ending: Ending },
    /// An operator.
    Order { what: Wanted, which: u8 },
    /// Another of the books comes into force.
    Adopt(u8),
    /// Leadership is won or lost.
    Reign(bool),
    /// The process is killed, and another folds the records.
    Restart,
    /// The wall clock steps by so many milliseconds.
    Clock(i64),
    /// So many seconds go by, with every wake-up on the way.
    Pass(u32),
}

/// How a question is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// As one would wish before an action; a verification finds that it did not help.
    Sick,
    /// As one would wish after one: it helped, and what is asked before an action is refused.
    Healed,
    NotANumber,
    Empty,
    Twice,
    Failed,
    Absent,
    Stale,
    /// An answer to another question.
    Astray,
    /// The target bears a label that protects it.
    Labelled,
    /// The remediation's own look refuses.
    Refused,
    /// Nothing is left to do.
    Already,
    /// Much of the namespace is down.
    Down,
}

/// How an effect ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Done,
    Already,
    Refused,
    Failed,
    FailedHalfway,
    Unknown,
}

/// What an operator wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Approve,
    Deny,
    Pause,
    PauseForAWhile,
    Resume,
    AcceptClock,
    Run,
    RehearseByHand,
    Undo,
}

fn how() -> impl Strategy<Value = How> {
    use How::*;
    prop_oneof![
        12 => Just(Sick),
        3 => Just(Healed),
        4 => prop::sample::select(vec![
            NotANumber, Empty, Twice, Failed, Absent, Stale, Astray, Labelled, Refused, Already, Down,
        ]),
    ]
}

fn ending() -> impl Strategy<Value = Ending> {
    use Ending::*;
    prop_oneof![
        8 => Just(Done),
        2 => prop::sample::select(vec![Already, Refused, Failed, FailedHalfway, Unknown]),
    ]
}

fn wanted() -> impl Strategy<Value = Wanted> {
    use Wanted::*;
    prop_oneof![
        4 => Just(Approve),
        3 => prop::sample::select(vec![Resume, AcceptClock]),
        4 => prop::sample::select(vec![Deny, Pause, PauseForAWhile, Run, RehearseByHand, Undo]),
    ]
}

/// One turn.
pub(crate) fn turn() -> impl Strategy<Value = Turn> {
    let alerts = prop::collection::vec((0..12_u8, prop::bool::weighted(0.85)), 1..5);
    let truncated = prop::bool::weighted(0.01);
    let seconds = prop_oneof![4 => 0..90_u32, 4 => 60..1200_u32, 1 => 3600..28_800_u32];
    let steps = prop::sample::select(vec![90_000, 3_600_000, -90_000, -7_200_000]);
    prop_oneof![
        20 => (alerts, truncated).prop_map(|(which, truncated)| Turn::Alerts { which, truncated }),
        8 => (any::<u8>(), how()).prop_map(|(which, how)| Turn::Answer { which, how }),
        4 => (any::<u8>(), ending()).prop_map(|(which, how)| Turn::End { which, how }),
        30 => (how(), ending()).prop_map(|(how, ending)| Turn::Settle { how, ending }),
        8 => (wanted(), any::<u8>()).prop_map(|(what, which)| Turn::Order { what, which }),
        2 => any::<u8>().prop_map(Turn::Adopt),
        1 => prop::bool::weighted(0.8).prop_map(Turn::Reign),
        2 => Just(Turn::Restart),
        1 => steps.prop_map(Turn::Clock),
        20 => seconds.prop_map(Turn::Pass),
    ]
}

/// What happens in a life, written one turn a line.
#[derive(Clone)]
pub(crate) struct History(pub(crate) Vec<Turn>);

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for turn in &self.0 {
            // Not as the list around it would have it: in one line.
            f.write_str(&format!("\n  {turn:?}"))?;
        }
        Ok(())
    }
}

/// A history.
pub(crate) fn history(longest: usize) -> impl Strategy<Value = History> {
    prop::collection::vec(turn(), 1..longest).prop_map(History)
}
