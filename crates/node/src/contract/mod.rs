//! The contracts of `proto/`: what is written down, in the words of [`zooid_model`].
//!
//! The types that cross a disk are not the types used inside; this is where one becomes the other.

pub mod checkpoint;
pub mod entry;
mod generated;
pub(crate) mod touches;

#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::vec::Vec;

use thiserror::Error;
use zooid_model::{Acl, Identity, Perms};

/// Why bytes are not what the contract says.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ContractError {
    /// They are no message at all.
    #[error("not a message of this contract: {0}")]
    Decode(prost::DecodeError),
    /// A part is missing or out of its range; a newer version may have written it.
    #[error("{0} is missing or unknown; was it written by a newer version?")]
    Unknown(&'static str),
}

impl From<prost::DecodeError> for ContractError {
    fn from(error: prost::DecodeError) -> Self {
        Self::Decode(error)
    }
}

/// Both contracts write an ACL entry alike, in types of their own.
trait AclMessage: Sized {
    fn of(perms: i32, scheme: Box<str>, id: Box<str>) -> Self;
    fn parts(self) -> (i32, Box<str>, Box<str>);
}

macro_rules! acl_message {
    ($message:ty) => {
        impl AclMessage for $message {
            fn of(perms: i32, scheme: Box<str>, id: Box<str>) -> Self {
                Self { perms, scheme: scheme.into(), id: id.into() }
            }

            fn parts(self) -> (i32, Box<str>, Box<str>) {
                (self.perms, self.scheme.into(), self.id.into())
            }
        }
    };
}
acl_message!(generated::entry::Acl);
acl_message!(generated::checkpoint::Acl);

fn write_acl<M: AclMessage>(acl: &[Acl]) -> Vec<M> {
    acl.iter()
        .map(|entry| M::of(entry.perms.bits(), entry.id.scheme.clone(), entry.id.id.clone()))
        .collect()
}

fn read_acl<M: AclMessage>(acl: Vec<M>) -> Vec<Acl> {
    acl.into_iter()
        .map(|message| {
            let (perms, scheme, id) = message.parts();
            Acl { perms: Perms::from_bits(perms), id: Identity { scheme, id } }
        })
        .collect()
}

fn exactly<const N: usize>(bytes: &[u8], what: &'static str) -> Result<[u8; N], ContractError> {
    bytes.try_into().map_err(|_| ContractError::Unknown(what))
}
