//! What hides secrets and personal data in text before anything keeps it.

use std::sync::Arc;

/// The text without secrets.
pub type Hides = Arc<dyn Fn(&str) -> String + Send + Sync>;
