//! The kinds of watches, and which of them hear of what.

use zooid_model::{AddWatchMode, ChangeKind, WatchKind};

/// A kind of watch, by the request that leaves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Watch {
    /// `getData`, or `exists` on a node that was there: one event.
    Data,
    /// `exists` on a node that was not there: one event. Kept as [`Watch::Data`]; the two differ
    /// only in what a client that comes back has [`missed`].
    ///
    /// [`missed`]: crate::missed
    Exist,
    /// `getChildren`: one event.
    Child,
    /// `addWatch` with mode 0: every event of the node and of its list of children.
    Persistent,
    /// `addWatch` with mode 1: every event of the node and of all nodes below, but no
    /// `NodeChildrenChanged`, since those below say the same.
    PersistentRecursive,
}

impl From<AddWatchMode> for Watch {
    fn from(mode: AddWatchMode) -> Self {
        match mode {
            AddWatchMode::Persistent => Self::Persistent,
            AddWatchMode::PersistentRecursive => Self::PersistentRecursive,
        }
    }
}

/// A set of watches that one connection holds on one path.
///
/// ZooKeeper keeps two tables, one of data watches and one of child watches, each of which finds a
/// connection once whatever its reasons are; a persistent watch stands in both. The bits here are
/// the modes of the two tables side by side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Modes(u8);

impl Modes {
    pub(crate) const NONE: Self = Self(0);
    const DATA: Self = Self(1);
    const DATA_PERSISTENT: Self = Self(1 << 1);
    pub(crate) const RECURSIVE: Self = Self(1 << 2);
    const CHILD: Self = Self(1 << 3);
    const CHILD_PERSISTENT: Self = Self(1 << 4);

    const PERSISTENT: Self = Self::DATA_PERSISTENT.with(Self::CHILD_PERSISTENT);
    const ONE_SHOT: Self = Self::DATA.with(Self::CHILD);
    /// All that stands in ZooKeeper's table of data watches.
    pub(crate) const DATA_TABLE: Self =
        Self::DATA.with(Self::DATA_PERSISTENT).with(Self::RECURSIVE);
    /// All that stands in ZooKeeper's table of child watches.
    pub(crate) const CHILD_TABLE: Self = Self::CHILD.with(Self::CHILD_PERSISTENT);
    const ALL: Self = Self::DATA_TABLE.with(Self::CHILD_TABLE);

    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(crate) const fn has_any(self, of: Self) -> bool {
        self.0 & of.0 != 0
    }

    /// The modes that hear of a change of their own path.
    pub(crate) const fn that_hear(change: ChangeKind) -> Self {
        match change {
            ChangeKind::Created | ChangeKind::DataChanged => Self::DATA_TABLE,
            ChangeKind::Deleted => Self::ALL,
            ChangeKind::ChildrenChanged => Self::CHILD_TABLE,
        }
    }

    /// Those of them that an event uses up.
    pub(crate) const fn used_up_by(change: ChangeKind) -> Self {
        Self(Self::that_hear(change).0 & Self::ONE_SHOT.0)
    }

    /// What `removeWatches` takes away, and what `checkWatches` asks for.
    pub(crate) const fn of_kind(kind: WatchKind) -> Self {
        match kind {
            WatchKind::Children => Self::CHILD,
            WatchKind::Data => Self::DATA,
            WatchKind::Any => Self::ALL,
            WatchKind::Persistent => Self::PERSISTENT,
            WatchKind::PersistentRecursive => Self::RECURSIVE,
        }
    }
}

impl From<Watch> for Modes {
    fn from(watch: Watch) -> Self {
        match watch {
            Watch::Data | Watch::Exist => Self::DATA,
            Watch::Child => Self::CHILD,
            Watch::Persistent => Self::PERSISTENT,
            Watch::PersistentRecursive => Self::RECURSIVE,
        }
    }
}
