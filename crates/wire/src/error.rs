//! What can be wrong with bytes.

use thiserror::Error;

/// Why a frame could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WireError {
    /// It ends too early.
    #[error("{needed} bytes are needed and {left} are left")]
    Short {
        /// Bytes that the next field has, or claims to have.
        needed: usize,
        /// Bytes that are there.
        left: usize,
    },
    /// A length or a count below -1 (-1 stands for none at all).
    #[error("{0} is no length")]
    Length(i32),
    /// A string, list or password that is not there at all (-1) where the message cannot do without.
    #[error("what cannot be left out is missing")]
    Missing,
    /// A string that is not UTF-8.
    #[error("a string is not UTF-8")]
    NotUtf8,
    /// A number that stands for nothing where it was found: an error code, a type of operation or
    /// event.
    #[error("{0} has no meaning here")]
    Number(i32),
}
