//! One server as a pure machine: handle(input) gives effects.
