//! paramedic daemon.
