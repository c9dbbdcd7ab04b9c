//! One piece of the state, as a checkpoint keeps it.

use alloc::boxed::Box;
use alloc::sync::Arc;

use bytes::Bytes;
use zooid_ids::SessionId;
use zooid_model::Acl;

use crate::node::PersistedStat;
use crate::session::{Formation, Session};

/// One piece of the state, whole: a later record about the same thing replaces an earlier one.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A znode; its children are known by their own paths.
    Znode {
        /// Its path.
        path: Box<str>,
        /// Its data; `None` is not empty data.
        data: Option<Bytes>,
        /// Who may do what with it.
        acl: Arc<[Acl]>,
        /// The rest.
        stat: PersistedStat,
    },
    /// There is no znode here any more.
    ZnodeGone {
        /// Its path.
        path: Box<str>,
    },
    /// A session; its ephemerals are known by their owner.
    Session {
        /// Its id.
        id: SessionId,
        /// The rest.
        session: Session,
    },
    /// The session ended.
    SessionGone {
        /// Its id.
        id: SessionId,
    },
    /// The ensemble's name and secret.
    Formation(Formation),
    /// Who votes, in words that only the agreement knows.
    Voters(Bytes),
}
