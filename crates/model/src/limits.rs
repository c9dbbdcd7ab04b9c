//! Every limit that does not come from the configuration, with its unit and what happens there.

/// `jute.maxbuffer` where nothing is configured: a longer request frame closes the connection.
pub const FRAME_BYTES_DEFAULT: usize = 0xf_ffff;

/// A first frame (the connect request) longer than this closes the connection.
pub const CONNECT_FRAME_BYTES: usize = 4 * 1024;

/// A path longer than this is `BadArguments`, before the log.
pub const PATH_BYTES: usize = 64 * 1024;

/// A path with more components than this is `BadArguments`, before the log.
pub const PATH_COMPONENTS: usize = 1024;

/// A multi with more operations than this is `BadArguments`, before the log.
pub const MULTI_OPS: usize = 10_000;

/// A list of more ACL entries than this is `InvalidAcl`, before the log.
pub const ACL_ENTRIES: usize = 1000;

/// An ACL entry whose scheme or id is longer than this is `InvalidAcl`, before the log.
pub const ACL_ID_BYTES: usize = 4 * 1024;

/// Identities one connection may hold; one more `addAuthInfo` is answered `AuthFailed`.
pub const IDENTITIES: usize = 64;

/// Bytes of one identity, scheme and id together; a longer one is `AuthFailed`.
pub const IDENTITY_BYTES: usize = 4 * 1024;

/// Requests of one connection that are not answered yet; at the limit its socket is not read.
pub const OUTSTANDING_PER_CONNECTION: usize = 1000;

/// Bytes waiting to be written to one connection; a client that lets more pile up is disconnected.
pub const OUTBOX_BYTES: usize = 64 * 1024 * 1024;

/// Watches one connection may hold; a request that would add one more is `ThrottledOp`.
pub const WATCHES_PER_CONNECTION: usize = 500_000;

const _: () = assert!(CONNECT_FRAME_BYTES < FRAME_BYTES_DEFAULT);
const _: () = assert!(PATH_BYTES < FRAME_BYTES_DEFAULT);
