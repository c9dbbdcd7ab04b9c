//! The types and services made of `proto/peer.proto`.
#![expect(
    unreachable_pub,
    clippy::too_many_lines,
    reason = "generated; the contract itself is documented"
)]

tonic::include_proto!("zooid.peer.v1");
