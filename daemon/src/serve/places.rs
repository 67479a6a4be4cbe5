//! Places for the connections of one listener. When all are taken, a newcomer gets that of a connection on which nothing
//! is asked, so that whoever opens many and says nothing locks out nobody. It must never end a request of somebody who
//! is known.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::connections::SAY_FULL_EVERY;

/// What goes on on a connection, in the order in which places are taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Doing {
    /// The headers of the first request are not there.
    Beginning,
    /// A request was answered, and the next one is not there.
    Idle,
    /// A request is under way of which nobody knows whose it is.
    Asking,
    /// A request is under way whose sender may ask that. It stays.
    Serving,
}

/// The places of one listener.
pub(super) struct Places {
    permits: Arc<Semaphore>,
    /// In the order of their coming.
    held: Mutex<Held>,
    /// A request ended, so that a place may be taken away again.
    eased: Notify,
}

#[derive(Default)]
struct Held {
    came: u64,
    all: BTreeMap<u64, Connection>,
    said: Option<Instant>,
}

struct Connection {
    doing: Doing,
    /// Whether its place was taken away, and it is about to end.
    leaving: bool,
    leave: Arc<Notify>,
}

impl Places {
    pub(super) fn new(many: usize) -> Arc<Self> {
        Arc::new(Self {
            permits: Arc::new(Semaphore::new(many)),
            held: Mutex::default(),
            eased: Notify::new(),
        })
    }

    /// A place for a connection that has come; waits only while all are of requests whose senders are known.
    pub(super) async fn take(self: &Arc<Self>) -> Place {
        loop {
            if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
                return self.seat(permit);
            }
            self.take_one_away();
            tokio::select! {
                permit = Arc::clone(&self.permits).acquire_owned() => {
                    return self.seat(permit.expect("the places are never closed"));
                }
                () = self.eased.notified() => {}
            }
        }
    }

    fn seat(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Place {
        let mut held = self.lock();
        held.came += 1;
        let (id, leave) = (held.came, Arc::new(Notify::new()));
        let connection = Connection { doing: Doing::Beginning, leaving: false, leave: Arc::clone(&leave) };
        held.all.insert(id, connection);
        Place { seat: Seat { places: Arc::clone(self), id }, leave, _permit: permit }
    }

    /// Tells the one connection to end that asks least, and of those the oldest.
    fn take_one_away(&self) {
        let mut held = self.lock();
        let many = held.all.len();
        if held.said.is_none_or(|said| said.elapsed() >= SAY_FULL_EVERY) {
            held.said = Some(Instant::now());
            tracing::warn!(
                connections = many,
                "all connections are in use; new ones take the places of those on which nothing is asked"
            );
        }
        if held.all.values().any(|one| one.leaving) {
            return;
        }
        let may_go = held.all.iter_mut().filter(|(_, one)| one.doing < Doing::Serving);
        if let Some((_, one)) = may_go.min_by_key(|(id, one)| (one.doing, **id)) {
            one.leaving = true;
            one.leave.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place, until it is dropped.
pub(super) struct Place {
    seat: Seat,
    leave: Arc<Notify>,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    /// What the requests of the connection tell.
    pub(super) fn seat(&self) -> Seat {
        self.seat.clone()
    }

    /// Resolves when the place was taken away.
    pub(super) async fn taken_away(&self) {
        self.leave.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.seat.places.lock().all.remove(&self.seat.id);
    }
}

/// Which place it is.
#[derive(Clone)]
pub(super) struct Seat {
    places: Arc<Places>,
    id: u64,
}

impl Seat {
    /// Whether no request has come yet.
    pub(super) fn is_beginning(&self) -> bool {
        self.places.lock().all.get(&self.id).is_some_and(|one| one.doing == Doing::Beginning)
    }

    /// The headers of a request are there.
    pub(super) fn asked(&self) -> UnderWay {
        self.does(Doing::Asking);
        UnderWay { seat: self.clone() }
    }

    /// Whoever sent the request may ask that.
    pub(super) fn known(&self) {
        self.does(Doing::Serving);
    }

    fn does(&self, doing: Doing) {
        if let Some(one) = self.places.lock().all.get_mut(&self.id) {
            one.doing = doing;
        }
    }
}

/// A request, until its answer was handed over.
pub(super) struct UnderWay {
    seat: Seat,
}

impl UnderWay {
    /// The answer's body, with which the request ends.
    pub(super) fn until_sent(self, body: Body) -> Body {
        Body::new(Sent { body, _under_way: self })
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.seat.does(Doing::Idle);
        self.seat.places.eased.notify_one();
    }
}

struct Sent {
    body: Body,
    _under_way: UnderWay,
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
