//! paramedic simulations.
