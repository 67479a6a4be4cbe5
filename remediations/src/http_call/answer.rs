//! What an answer says about a call, and what a look shows. Pure.

use paramedic_policies::remediation::http_call::{Absent, Call, Look};
use serde_json::Value;

use crate::ports::http::Reply;

/// What a status says about a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Judged {
    /// Done.
    Done,
    /// It was so already.
    Already,
    /// Answered and refused: nothing was done.
    Refused(String),
    /// Something was done, and not what was expected.
    Unexpected(String),
    /// Nobody knows: a gateway lost it, or the service broke over it.
    Doubt(String),
}

pub(super) fn judged(call: &Call, status: u16) -> Judged {
    let answered = format!("answered {status}");
    match status {
        _ if call.expect.contains(&status) => Judged::Done,
        _ if call.already.contains(&status) => Judged::Already,
        // The same request is wanted elsewhere, so it was not taken here. What other redirects say follows a request that
        // was often done: 303 is the usual answer to a POST, and 302 what most frameworks send for it.
        301 | 307 | 308 => Judged::Refused(format!("{answered}, and redirects are not followed")),
        300..=399 => Judged::Doubt(format!("{answered}, which may follow a call that was done")),
        // Only so much of a request as the headers, or none, was looked at; a timeout may come in the middle of it.
        408 => Judged::Doubt(answered),
        400..=499 | 501 | 505 => Judged::Refused(answered),
        200..=299 => Judged::Unexpected(format!("{answered}, expected {:?}", call.expect)),
        _ => Judged::Doubt(answered),
    }
}

/// What a look shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shown {
    /// It is done.
    Done,
    /// It is not, as this was found.
    NotDone(String),
    /// Nobody can tell, because of this.
    Unclear(String),
}

/// No more of a found value is shown.
const FOUND_CHARS_MAX: usize = 80;

pub(super) fn shown(look: &Look, reply: &Reply) -> Shown {
    let answered = format!("{} answered {}", look.path, reply.status);
    if reply.status != look.status {
        return match (reply.status, look.absent) {
            (404 | 410, Some(Absent::Done)) => Shown::Done,
            (404 | 410, Some(Absent::NotDone)) => Shown::NotDone(answered),
            // A value was asked for. A 404 may be of a proxy that has lost its way, or of a service that removes what is
            // done: only the policy knows.
            (404 | 410, None) if look.field.is_some() => {
                Shown::Unclear(format!("{answered}, and the look does not say by `absent` what that means"))
            }
            (_, _) if look.field.is_some() => Shown::Unclear(answered),
            // That something is not there, or is there and not so, are answers. Anything else is about the asking.
            (200..=299 | 404 | 409 | 410, _) => Shown::NotDone(answered),
            (_, _) => Shown::Unclear(answered),
        };
    }
    let Some((pointer, wanted)) = &look.field else { return Shown::Done };
    let Ok(body) = serde_json::from_str::<Value>(&reply.body) else {
        return Shown::Unclear(format!("{answered} and no JSON"));
    };
    match body.pointer(pointer) {
        Some(found) if same(found, wanted) => Shown::Done,
        Some(found) => {
            let found: String = found.to_string().chars().take(FOUND_CHARS_MAX).collect();
            Shown::NotDone(format!("{pointer} is {found}, wanted {wanted}"))
        }
        None => Shown::NotDone(format!("{pointer} is not there, wanted {wanted}")),
    }
}

/// A number may be written as text, on either side.
fn same(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Number(number), Value::String(text)) | (Value::String(text), Value::Number(number)) => {
            number.to_string() == *text
        }
        (Value::Number(found), Value::Number(wanted)) => found.as_f64() == wanted.as_f64(),
        (found, wanted) => found == wanted,
    }
}

#[cfg(test)]
mod tests {
    use paramedic_policies::remediation::http_call::Method;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_status_says_what_became_of_a_call() {
        let call = Call {
            method: Method::Post,
            path: "/x".into(),
            body: None,
            expect: vec![202],
            already: vec![409],
        };
        assert_eq!(judged(&call, 202), Judged::Done);
        assert_eq!(judged(&call, 409), Judged::Already);
        for status in [301, 307, 308, 400, 401, 404, 422, 429, 501] {
            assert!(matches!(judged(&call, status), Judged::Refused(_)), "{status}");
        }
        assert!(matches!(judged(&call, 200), Judged::Unexpected(_)));
        for status in [100, 300, 302, 303, 304, 305, 408, 500, 502, 503, 504, 599, 999] {
            assert!(matches!(judged(&call, status), Judged::Doubt(_)), "{status}");
        }
    }

    #[test]
    fn a_look_shows_it_by_status_or_by_one_value() {
        let reply = |status, body: &str| Reply { status, body: body.to_owned() };
        let there = Look { path: "/m/1".into(), status: 200, field: None, absent: None };
        assert_eq!(shown(&there, &reply(200, "")), Shown::Done);
        assert!(matches!(shown(&there, &reply(404, "")), Shown::NotDone(_)));
        for status in [301, 400, 401, 403, 429, 500, 503] {
            assert!(matches!(shown(&there, &reply(status, "")), Shown::Unclear(_)), "{status}");
        }
        let dead = |is| Look { field: Some(("/state".into(), is)), ..there.clone() };
        assert_eq!(shown(&dead(json!("dead")), &reply(200, r#"{"state": "dead"}"#)), Shown::Done);
        assert_eq!(shown(&dead(json!("3")), &reply(200, r#"{"state": 3}"#)), Shown::Done);
        assert_eq!(shown(&dead(json!(3.0)), &reply(200, r#"{"state": 3}"#)), Shown::Done);
        for body in [r#"{"state": "alive"}"#, r#"{"state": null}"#, "{}", "[]"] {
            assert!(matches!(shown(&dead(json!("dead")), &reply(200, body)), Shown::NotDone(_)), "{body}");
        }
        assert!(matches!(shown(&dead(json!("dead")), &reply(200, "<html>")), Shown::Unclear(_)));
        // Where a value is asked for, another status is no verdict, unless the policy says what an absence means.
        for status in [204, 404, 409, 410] {
            assert!(matches!(shown(&dead(json!("dead")), &reply(status, "")), Shown::Unclear(_)), "{status}");
        }
        let gone = |absent| Look { absent: Some(absent), ..dead(json!("dead")) };
        for status in [404, 410] {
            assert_eq!(shown(&gone(Absent::Done), &reply(status, "")), Shown::Done, "{status}");
            assert!(
                matches!(shown(&gone(Absent::NotDone), &reply(status, "")), Shown::NotDone(_)),
                "{status}"
            );
        }
    }
}
