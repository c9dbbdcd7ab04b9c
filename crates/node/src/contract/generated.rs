//! The types made of `proto/`.

#[expect(unreachable_pub, reason = "generated; the contract itself is documented")]
pub(crate) mod entry {
    //! `proto/entry.proto`.
    include!(concat!(env!("OUT_DIR"), "/zooid.entry.v1.rs"));
}

#[expect(unreachable_pub, reason = "generated; the contract itself is documented")]
pub(crate) mod checkpoint {
    //! `proto/checkpoint.proto`.
    include!(concat!(env!("OUT_DIR"), "/zooid.checkpoint.v1.rs"));
}

#[expect(unreachable_pub, reason = "generated; the contract itself is documented")]
pub(crate) mod touches {
    //! `proto/touches.proto`.
    include!(concat!(env!("OUT_DIR"), "/zooid.touches.v1.rs"));
}
