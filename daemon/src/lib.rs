//! Living in the world: takes webhooks, keeps the journal, asks Prometheus and Kubernetes, serves people.
//!
//! ```text
//!   Alertmanager --POST--> http/webhook --intake--> Delivery --Inbox--> driver: WriteAhead --Block--> journal
//!                                                                         |
//!        people --API, CLI--> http/api, orders ------- Inbox ------------>|<-- Told, Ended -- Remedies: Kubernetes,
//!        files --reload--> Source ------------------- watch ------------->'--- Ask, Act ----> Prometheus, HTTP
//! ```
//!
//! Nothing is answered and nothing acts before its record is durable. Deliberately absent: guard logic and patches.

pub mod causes;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod demo;
pub mod driver;
pub mod explain;
pub mod history;
pub mod http;
pub mod intake;
pub mod journal;
pub mod keeping;
pub mod kubernetes_config;
pub mod logs;
pub mod metrics;
pub mod peers;
pub mod prometheus;
pub mod redaction;
pub mod reload;
pub mod serve;
