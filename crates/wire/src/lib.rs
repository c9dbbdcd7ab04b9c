//! Bytes to client messages and back (jute), incrementally.
