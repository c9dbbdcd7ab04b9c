//! One client's order: handshake, its queue of requests, expiry buckets.
