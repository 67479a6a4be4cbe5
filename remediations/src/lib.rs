//! paramedic remediations.
