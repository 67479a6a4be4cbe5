//! paramedic tests.
