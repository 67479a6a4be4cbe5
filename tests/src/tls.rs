//! One TLS provider for all clients of the tests, as in the program itself.

use std::sync::Once;

/// Makes ring the provider of this process; any number of calls.
pub fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // An earlier one stays: it can only be the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// A plain HTTP client for loopback servers, with a deadline on every request and no proxy in between.
pub fn http() -> reqwest::Client {
    install();
    reqwest::Client::builder()
        .no_proxy()
        .timeout(std::time::Duration::from_secs(10))
        .build()
        .expect("a client with fixed settings can be built")
}
