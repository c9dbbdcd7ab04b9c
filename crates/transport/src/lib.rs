//! Client listeners: TCP, framing, back-pressure.
