//! After a revert of which nobody knows whether it was done.

use super::*;
use crate::book::Digest;
use crate::remediation::{http_call, restart};
use crate::target::Target;

/// A call, and the look that shows it where there is one.
fn call(look: Option<http_call::Look>) -> Action {
    let (method, path) = (http_call::Method::Post, "/queue/drain".to_owned());
    let call = http_call::Call { method, path, body: None, expect: vec![200], already: Vec::new() };
    let wish = http_call::Wish {
        endpoint: "queue".to_owned(),
        call,
        look,
        idempotent: false,
        idempotency_key: http_call::IDEMPOTENCY_KEY.to_owned(),
        timeout: Span::from_secs(10),
        undo: None,
    };
    Action::Http(http_call::Action { base: "https://queue".to_owned(), wish })
}

fn intent(action: Action) -> Intent {
    Intent {
        id: Seq(7),
        episode: Seq(1),
        policy: "drain".to_owned(),
        book: Digest::default(),
        rung: 0,
        step: 0,
        target: Target {
            kind: "Deployment".to_owned(),
            namespace: "prod".to_owned(),
            name: "web".to_owned(),
        },
        uid: "uid-1".to_owned(),
        action,
        mode: Mode::Enforce,
        at: Moment::from_unix_ms(0),
        deadline: Moment::from_unix_ms(1),
        charged: true,
        reverts: None,
        revert_after: None,
        epoch: 1,
        approved_by: None,
        correlation: None,
    }
}

#[test]
fn what_no_look_can_tell_is_not_repeated_in_doubt() {
    let what = || "no answer".to_owned();
    let unknown = || Outcome::Unknown { what: what() };
    let nothing = || Outcome::Failed { what: what(), applied: false, diff: None };
    let half = || Outcome::Failed { what: what(), applied: true, diff: None };
    let seen = || Action::Restart(restart::Action { generation: 1 });
    for (action, outcome, again) in [
        (call(None), nothing(), true),
        (call(None), unknown(), false),
        (call(None), half(), false),
        (seen(), nothing(), true),
        (seen(), unknown(), true),
        (seen(), half(), true),
    ] {
        let says = format!("{action}: {}", outcome.name());
        assert_eq!(stays(Some(&intent(action)), &outcome), again, "{says}");
    }
    assert!(!stays(None, &nothing()), "a lease that is gone");
}

/// The lease is gone from the state where it is not looked at again.
#[test]
fn nor_is_its_lease_kept() {
    use crate::engine::apply;
    use crate::state::InFlight;
    let look = http_call::Look { path: "/queue".to_owned(), status: 200, field: None, absent: None };
    for (seen, kept) in [(None, 0), (Some(look), 1)] {
        let mut state = State::new();
        let now = Moment::from_unix_ms(1_800_000_000_000);
        let done = intent(call(seen));
        let revert = Intent { id: Seq(9), reverts: Some(done.id), ..done.clone() };
        state.leases.insert(done.id, Lease::of(done, now));
        state.in_flight.insert(revert.id, InFlight { intent: revert, in_doubt: false });
        state.reindex();
        let outcome = Outcome::Unknown { what: "no answer".to_owned() };
        apply(&mut state, now, &Event::Ended { intent: Seq(9), outcome });
        assert_eq!(state.leases.len(), kept);
    }
}
