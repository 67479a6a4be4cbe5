//! What people write: policies that load, policies that do not, and what each is told.

mod language {
    mod broken;
    mod documents;
    mod good;
    mod index;
    mod schema;
    mod support;
    mod values;
}
