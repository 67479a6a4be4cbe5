//! What people write: policies that load, policies that do not, and what each is told.

mod language {
    mod aborting;
    mod blocking;
    mod bounds;
    mod broken;
    mod calling;
    mod collecting;
    mod documents;
    mod freezing;
    mod good;
    mod index;
    mod patching;
    mod pods;
    mod rolling_back;
    mod running_jobs;
    mod schema;
    mod support;
    mod values;
}
