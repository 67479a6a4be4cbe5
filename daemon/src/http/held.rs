//! What policies do not do about alerts: the cases that wait, are withheld, or lapsed with nobody's approval, each with its
//! reasons and the moment at which these were true. Orders by hand have a list of their own.

use std::ops::Bound::{Excluded, Unbounded};

use axum::Json;
use axum::extract::State;
use paramedic_policies::ruling::Verdict;
use paramedic_policies::state::{self, CaseId, LastRuling, Phase};
use paramedic_policies::time::Moment;
use serde_json::{Value, json};

use super::lists::{Whole, case_id};
use super::paging::{Asked, limit, page};
use super::runs::{Decided, decided};
use super::{ApiError, Shared};

/// Why a case whose proposal lapsed is held; its decision was to ask, and has no reason.
const UNAPPROVED: &str = "nobody approved it in time";

/// A case that is held.
struct Held {
    id: CaseId,
    item: Value,
    /// The decision that says why.
    last: LastRuling,
    /// Whether that decision asked a person, who did not answer.
    lapsed: bool,
}

pub(super) async fn held(State(served): State<Shared>, query: Asked<Whole>) -> Result<Json<Value>, ApiError> {
    let Whole { after, limit: most } = Whole::asked(query)?;
    let limit = limit(most)?;
    let after = after.as_deref().map(case_id).transpose()?;
    let found =
        served.inbox.look(move |state| open(state, after).take(limit + 1).collect::<Vec<_>>()).await?;
    let archive = served.inbox.archive().ok_or_else(ApiError::no_archive)?;
    let mut items = Vec::with_capacity(found.len());
    for (index, Held { id, mut item, last, lapsed }) in found.into_iter().enumerate() {
        // The last one may only say that there is more.
        if index < limit {
            let Decided { at, why } = decided(&archive, &last).await?;
            item["decidedAt"] = json!(at);
            item["waitsFor"] = if lapsed { json!([UNAPPROVED]) } else { json!(why) };
        }
        items.push((format!("{}/{}", id.episode, id.policy), item));
    }
    Ok(page(items, limit))
}

fn open(state: &state::State, after: Option<CaseId>) -> impl Iterator<Item = Held> {
    let later = state.cases.range((after.map_or(Unbounded, Excluded), Unbounded));
    later.filter_map(|(id, case)| {
        let episode = state.episodes.get(&id.episode).filter(|episode| episode.by_hand.is_none())?;
        // What is being asked again is held until that is answered; when the questions fail is of no use to anybody.
        let (is, again) = match case.phase {
            Phase::Waiting { due } => ("waiting", Some(due)),
            Phase::Withheld => ("withheld", None),
            Phase::Asking { .. } => ("asking", None::<Moment>),
            Phase::Proposed { .. }
            | Phase::Approved { .. }
            | Phase::Acting { .. }
            | Phase::Verifying { .. }
            | Phase::Resting => return None,
        };
        let last = case.last_ruling.as_ref()?;
        // A proposal that is open is no such phase, and what a person denied has ended.
        let lapsed = case.phase == Phase::Withheld && last.verdict == PROPOSE.name();
        // What has not been decided yet, or was decided otherwise, is held by nothing.
        if last.reasons.is_empty() && !lapsed {
            return None;
        }
        let item = json!({
            "episode": id.episode, "policy": id.policy, "alert": episode.alert(), "target": case.target, "is": is,
            "again": again, "ruling": last.seq, "decidedAt": null, "waitsFor": [],
        });
        Some(Held { id: id.clone(), item, last: last.clone(), lapsed })
    })
}

/// A verdict that asks a person, until whenever.
const PROPOSE: Verdict = Verdict::Propose { until: Moment::from_unix_ms(0) };

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use paramedic_policies::alert::{EpisodeKey, Labels};
    use paramedic_policies::book::{Source, SourceFile};
    use paramedic_policies::event::{Event, Seq};
    use paramedic_policies::input::Input;
    use paramedic_policies::settings::Settings;
    use paramedic_policies::{apply, decide};

    use super::*;

    /// A case of an open alert, with this last ruling.
    fn held(phase: &Phase, verdict: &str, reasons: &[&str]) -> Option<(Value, bool)> {
        let (now, mut state) = (Moment::from_unix_ms(0), state::State::new());
        let files =
            vec![SourceFile { path: "web.yaml".to_owned(), text: crate::http::tests::POLICY.to_owned() }];
        let source = Source { files, settings: Settings::default(), tzdb: "test".to_owned() };
        let key = EpisodeKey::of(&Labels::new(), &[]);
        let opened = Event::Opened {
            key,
            labels: [("alertname".to_owned(), "WebDown".to_owned())].into_iter().collect(),
            annotations: Labels::new(),
            starts_at: now,
            fingerprint: None,
            correlation: String::new(),
            by_hand: None,
        };
        let adopted = decide(&state, &state.current_book(), now, &Input::Adopt(Box::new(source)));
        for event in adopted.iter().chain([&opened]) {
            apply(&mut state, now, event);
        }
        for case in state.cases.values_mut() {
            case.phase = phase.clone();
            case.last_ruling = Some(LastRuling {
                seq: Seq(1),
                verdict: verdict.to_owned(),
                reasons: reasons.iter().map(|&reason| reason.to_owned()).collect(),
            });
        }
        assert_eq!(state.cases.len(), 1);
        open(&state, None).next().map(|held| (held.item["is"].clone(), held.lapsed))
    }

    #[test]
    fn whatever_keeps_a_case_from_acting_is_listed() {
        let asking = Phase::Asking { open: BTreeSet::new(), due: Moment::from_unix_ms(9) };
        let waiting = Phase::Waiting { due: Moment::from_unix_ms(9) };
        for (phase, verdict, reasons, wanted) in [
            (&Phase::Withheld, "withhold", &["storm"][..], Some(("withheld", false))),
            (&waiting, "hold", &["pace"], Some(("waiting", false))),
            // The moment of a look that finds the same is no moment of rest.
            (&asking, "hold", &["pace"], Some(("asking", false))),
            // Nobody approved it, and nothing looks at it again by itself.
            (&Phase::Withheld, "propose", &[], Some(("withheld", true))),
            (&waiting, "propose", &[], None),
            (&asking, "act", &[], None),
            (&Phase::Withheld, "act", &[], None),
            (&Phase::Resting, "withhold", &["storm"], None),
        ] {
            let wanted = wanted.map(|(is, lapsed)| (json!(is), lapsed));
            assert_eq!(held(phase, verdict, reasons), wanted, "{phase:?} {verdict}");
        }
    }
}
