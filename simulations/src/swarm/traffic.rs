//! Alertmanager as it is: peers that each send what they see, twice, late, or not at all; repeats; ends that are lost.
//! A delivery that is not answered is sent again for a while.

use std::collections::BTreeMap;

use paramedic_policies::alert::{Alert, AlertStatus, Labels};
use paramedic_policies::input::Delivery;
use paramedic_policies::time::{Moment, Span};

use super::faults::Fault;
use super::plan::Manners;
use super::sky::Sky;

/// One delivery on its way.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    /// What it holds.
    pub(crate) alerts: Vec<Alert>,
    /// How often it was sent before.
    pub(crate) attempt: u32,
    /// Until when it is sent again.
    pub(crate) until: Moment,
}

/// All peers.
#[derive(Debug)]
pub(crate) struct Traffic {
    manners: Manners,
    /// What each has sent as firing.
    peers: Vec<BTreeMap<Labels, Alert>>,
    sent: u64,
    is_calm: bool,
}

impl Traffic {
    /// Peers that have sent nothing.
    pub(crate) fn new(manners: Manners) -> Self {
        let peers = (0..manners.peers).map(|_| BTreeMap::new()).collect();
        Self { manners, peers, sent: 0, is_calm: false }
    }

    /// From now on nothing is lost, late or sent twice.
    pub(crate) fn calm(&mut self) {
        self.is_calm = true;
    }

    /// `repeat_interval`.
    pub(crate) fn repeat_every(&self) -> Span {
        self.manners.repeat
    }

    /// A letter as the webhook gets it.
    pub(crate) fn delivery(&mut self, letter: &Letter) -> Delivery {
        self.sent += 1;
        Delivery {
            sender: "alertmanager".to_owned(),
            receiver: "paramedic".to_owned(),
            group_key: String::new(),
            correlation: format!("delivery-{}", self.sent),
            alerts: letter.alerts.clone(),
            unreadable: Vec::new(),
            truncated: 0,
        }
    }

    /// When a letter that was not answered is sent again.
    pub(crate) fn again(&self, letter: Letter, now: Moment) -> Option<(Moment, Letter)> {
        let pause = Span::from_secs(1 << letter.attempt.min(5));
        let letter = Letter { attempt: letter.attempt + 1, ..letter };
        (now < letter.until || self.is_calm).then_some((now + pause, letter))
    }

    /// What the peers send now that these alerts fire: each letter with its time.
    pub(crate) fn notify(&mut self, sky: &Sky, firing: &[Alert]) -> Vec<(Moment, Letter)> {
        let mut due = Vec::new();
        for peer in 0..self.peers.len() {
            let known = &mut self.peers[peer];
            let fresh: Vec<Alert> =
                firing.iter().filter(|alert| !known.contains_key(&alert.labels)).cloned().collect();
            let is_over = |labels: &Labels| !firing.iter().any(|alert| alert.labels == *labels);
            let over: Vec<Labels> = known.keys().filter(|labels| is_over(labels)).cloned().collect();
            known.extend(fresh.iter().map(|alert| (alert.labels.clone(), alert.clone())));
            let ended: Vec<Alert> = over.iter().filter_map(|labels| known.remove(labels)).collect();
            for alert in fresh {
                self.send(sky, peer, vec![alert], &mut due);
            }
            for alert in ended {
                if self.strikes(sky, self.manners.resolved_lost, Fault::ResolvedLost) {
                    continue;
                }
                let ended = Alert { status: AlertStatus::Resolved, ends_at: Some(sky.now()), ..alert };
                self.send(sky, peer, vec![ended], &mut due);
            }
        }
        due
    }

    /// What the peers repeat.
    pub(crate) fn repeat(&mut self, sky: &Sky) -> Vec<(Moment, Letter)> {
        let mut due = Vec::new();
        for peer in 0..self.peers.len() {
            let firing: Vec<Alert> = self.peers[peer].values().cloned().collect();
            if !firing.is_empty() {
                sky.fault(Fault::AlertRepeated, &firing.len());
                self.send(sky, peer, firing, &mut due);
            }
        }
        due
    }

    fn strikes(&self, sky: &Sky, chance: u8, fault: Fault) -> bool {
        !self.is_calm && sky.strikes(chance, fault, &"")
    }

    fn send(&self, sky: &Sky, peer: usize, mut alerts: Vec<Alert>, due: &mut Vec<(Moment, Letter)>) {
        let (now, manners) = (sky.now(), self.manners);
        if peer > 0 {
            // The first has told it to the others, mostly.
            let is_told = sky.throw(|dice| dice.one_in(2));
            if is_told && !self.is_calm {
                return;
            }
            sky.fault(Fault::AlertByPeer, &alerts.len());
        }
        if self.strikes(sky, manners.lost, Fault::AlertLost) {
            return;
        }
        for alert in &mut alerts {
            alert.labels.insert("prometheus_replica".to_owned(), format!("prometheus-{peer}"));
            alert.starts_at = alert.starts_at + Span::from_ms(300 * peer as u64);
        }
        let mut at = now + sky.throw(|dice| dice.ms(50..=3000)) + Span::from_secs(15 * peer as u64);
        if self.strikes(sky, manners.late, Fault::AlertLate) {
            at = at + sky.throw(|dice| dice.secs(30..=420));
        }
        let letter = Letter { alerts, attempt: 0, until: at + Span::from_mins(5) };
        if self.strikes(sky, manners.twice, Fault::AlertDuplicated) {
            due.push((at + sky.throw(|dice| dice.ms(0..=90_000)), letter.clone()));
        }
        due.push((at, letter));
    }
}
