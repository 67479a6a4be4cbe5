//! Faults of the machine and of the servers around it, each against the real binary: it is stopped and goes on, its disk is
//! full or turns read-only, its files are damaged, its clock steps, Prometheus or the API server goes away and comes back.
//!
//! Each test ends with the same oracle (see [`scene`]), which reads the journal and what the world has seen, never the
//! engine's mind; and with an alert that is acted upon, since a daemon that survives and does nothing is of no use.
//!
//! What is deliberately not here: `kill -9` (the test `kill9` beside it), power loss (`durable` shows what is synced), and
//! Prometheus that dies during a verification (`cluster`, `whole_way::uncertain`).

mod clock;
mod damaged;
mod disks;
mod full;
mod read_only;
mod scene;
mod stopped;
mod without_api_server;
mod without_prometheus;
