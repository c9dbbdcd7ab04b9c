//! The types and services made of `proto/peer.proto`.
#![expect(unreachable_pub, reason = "generated; the contract itself is documented")]

tonic::include_proto!("zooid.peer.v1");
