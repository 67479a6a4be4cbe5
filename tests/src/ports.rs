//! Free loopback ports for the servers of a test. They come from below the range that the kernel hands to
//! outgoing connections, so nothing takes one between our look and the server's bind. It must never hand out
//! a port twice in one process.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port on 127.0.0.1 that nobody listens on and that this process has not handed out before.
pub fn free_port() -> u16 {
    // Processes that run side by side begin at different places.
    let start = (std::process::id() % 120) as u16 * 100;
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        let port = FIRST + (start + step) % COUNT;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no free port on 127.0.0.1 between {FIRST} and {}", FIRST + COUNT);
}

/// The same, as an address.
pub fn free_address() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()))
}

/// A listener on a free port, for a server within this process. It is bound once: a child that is started between a look at a
/// port and its bind has, for a moment, what we looked with open too.
pub async fn listen() -> (tokio::net::TcpListener, SocketAddr) {
    let listener =
        tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port can be bound");
    let address = listener.local_addr().expect("a bound listener has an address");
    (listener, address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_handed_out_once() {
        let ports: std::collections::BTreeSet<u16> = (0..50).map(|_| free_port()).collect();
        assert_eq!(ports.len(), 50);
    }
}
