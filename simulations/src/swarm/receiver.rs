//! The receiver of messages: it notes which calls reached a person. Messages are lost now and then.

use async_trait::async_trait;
use paramedic_policies::notifications::{Notice, Receipt};
use paramedic_remediations::Sealed;
use paramedic_remediations::ports::world::Deliveries;

use super::faults::Fault;
use super::sky::Sky;
use super::tape::Told;

/// The pager of a person.
#[derive(Debug, Clone)]
pub(crate) struct Pager {
    /// The weather.
    pub(crate) sky: Sky,
}

#[async_trait]
impl Deliveries for Pager {
    async fn deliver(&self, notice: &Sealed<Notice>) -> Receipt {
        if self.sky.strikes(self.sky.chances().message_lost, Fault::MessageLost, &notice.receiver) {
            return Receipt::Failed { what: "the receiver answered 503".to_owned(), passing: true };
        }
        let now = self.sky.now();
        self.sky.recorder.line(now, || format!("@ {}: {}", notice.receiver, notice.title));
        self.sky.recorder.tape().told.push(Told { pages: notice.pages.clone() });
        Receipt::Taken { said: "202".to_owned() }
    }
}
