//! What is in the tree, for those who may see it.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use zooid_ids::SessionId;
use zooid_model::{Acl, ErrorCode, Identity, Names, Perms, Read, ReadResult, Reply, Stat, acl};

use crate::node::Node;
use crate::tree::Tree;

/// About how long names are, for the room that a list of them is given at first.
const NAME_BYTES: usize = 20;

impl Tree {
    /// Answers a read of a client with this session and these identities. Leaving watches is
    /// somebody else's matter.
    ///
    /// # Errors
    /// ZooKeeper's, in its order: `NoNode`, `NoAuth`; for `exists` of a path with a zero character
    /// `BadArguments`.
    pub fn read(
        &self,
        read: &Read,
        session: SessionId,
        identities: &[Identity],
    ) -> Result<Reply, ErrorCode> {
        match read {
            Read::Exists { path, .. } => {
                if path.contains('\0') {
                    return Err(ErrorCode::BadArguments);
                }
                self.visible(path, identities, Perms::READ).map(|node| Reply::Stat(node.stat()))
            }
            Read::GetData { path, .. } => {
                let node = self.visible(path, identities, Perms::READ)?;
                Ok(Reply::Data { data: node.shared_data(), stat: node.stat() })
            }
            Read::GetAcl { path } => self.get_acl(path, identities),
            Read::GetChildren { path, .. } => {
                let node = self.visible(path, identities, Perms::READ)?;
                Ok(Reply::Children(self.child_names(node)))
            }
            Read::GetChildren2 { path, .. } => {
                let node = self.visible(path, identities, Perms::READ)?;
                let children = self.child_names(node);
                Ok(Reply::ChildrenStat { children, stat: node.stat() })
            }
            Read::GetEphemerals { prefix } => Ok(self.get_ephemerals(prefix, session)),
            Read::GetAllChildrenNumber { path } => {
                self.visible(path, identities, Perms::READ)?;
                let nodes = match &**path {
                    "/" | "" => self.nodes.len() as i64,
                    path => self.measure(path).count,
                };
                Ok(Reply::AllChildrenNumber((nodes - 1) as i32))
            }
            Read::MultiRead(reads) => Ok(Reply::MultiRead(
                reads.iter().map(|read| self.read_one(read, session, identities)).collect(),
            )),
        }
    }

    /// A node's stat, for the one who registers watches.
    #[must_use]
    pub fn stat(&self, path: &str) -> Option<Stat> {
        self.locate(path).map(|id| self.nodes.get(id).stat())
    }

    /// A node's ACL, for the one who delivers events.
    #[must_use]
    pub fn acl(&self, path: &str) -> Option<&Arc<[Acl]>> {
        self.locate(path).map(|id| self.acls.get(self.nodes.get(id).acl))
    }

    fn visible(
        &self,
        path: &str,
        identities: &[Identity],
        wanted: Perms,
    ) -> Result<&Node, ErrorCode> {
        let node = self.nodes.get(self.locate(path).ok_or(ErrorCode::NoNode)?);
        if acl::allows(self.acls.get(node.acl), identities, wanted) {
            Ok(node)
        } else {
            Err(ErrorCode::NoAuth)
        }
    }

    fn child_names(&self, node: &Node) -> Names {
        let count = node.child_count();
        let mut names = Names::with_capacity(count, count * NAME_BYTES);
        for child in node.children() {
            names.push(self.nodes.get(child.id).name.as_str());
        }
        names
    }

    fn get_acl(&self, path: &str, identities: &[Identity]) -> Result<Reply, ErrorCode> {
        let node = self.visible(path, identities, Perms::READ | Perms::ADMIN)?;
        let list = self.acls.get(node.acl);
        let acl = if acl::allows(list, identities, Perms::ADMIN) {
            list.clone()
        } else {
            list.iter().map(masked).collect()
        };
        Ok(Reply::Acl { acl, stat: node.stat() })
    }

    fn get_ephemerals(&self, prefix: &str, session: SessionId) -> Reply {
        let mut paths = self.ephemerals(session);
        if !matches!(prefix.trim(), "" | "/") {
            paths.retain(|path| path.starts_with(prefix));
        }
        Reply::Ephemerals(paths.iter().map(String::as_str).collect())
    }

    fn read_one(&self, read: &Read, session: SessionId, identities: &[Identity]) -> ReadResult {
        if !matches!(read, Read::GetData { .. } | Read::GetChildren { .. }) {
            return ReadResult::Error(ErrorCode::Unimplemented);
        }
        match self.read(read, session, identities) {
            Ok(Reply::Data { data, stat }) => ReadResult::Data { data, stat },
            Ok(Reply::Children(names)) => ReadResult::Children(names),
            Ok(_) => ReadResult::Error(ErrorCode::Unimplemented),
            Err(error) => ReadResult::Error(error),
        }
    }

    /// All paths, in no order that means anything; slow, for tests and dumps.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        self.nodes.iter().map(|(id, _)| self.path_of(id)).collect()
    }
}

/// An entry as somebody without `ADMIN` sees it: no password's hash.
fn masked(entry: &Acl) -> Acl {
    match entry.id.id.split_once(':') {
        Some((user, _)) if &*entry.id.scheme == "digest" => {
            let id = Identity::new("digest", &[user, ":x"].concat());
            Acl { perms: entry.perms, id }
        }
        _ => entry.clone(),
    }
}
