//! paramedic policies.
