//! The types and services made of `proto/peer.proto`.
#![expect(
    unreachable_pub,
    clippy::too_many_lines,
    reason = "generated; the contract itself is documented"
)]

// Named by what is generated.
use tonic_prost as _;

tonic::include_proto!("zooid.peer.v1");
