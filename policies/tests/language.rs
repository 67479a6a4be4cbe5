//! What people write: policies that load, policies that do not, and what each is told.

mod language {
    mod broken;
    mod good;
    mod support;
    mod values;
}
