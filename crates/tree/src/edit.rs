//! The few ways in which the tree changes. Each keeps every index and can be taken back.
//!
//! Whether something may be done is decided elsewhere; here it is done. Every step leaves an
//! [`Undo`]; a command ends with [`Tree::commit`], or, where a multi fails, with [`Tree::undo`].

use alloc::string::String;
use alloc::vec::Vec;

use zooid_model::Acl;

use crate::acls::AclId;
use crate::arena::NodeId;
use crate::collect::Due;
use crate::node::{Child, Children, Content, NameHash, Node, PersistedStat};
use crate::quota::Usage;
use crate::tree::Tree;
use crate::{collect, digest};

/// How one step is taken back.
pub(crate) enum Undo {
    /// A node was put in.
    Inserted(NodeId),
    /// This node was taken out; its place and the use of its ACL are kept until the command ends.
    Removed(NodeId, Node),
    /// The stat was this.
    Stat(NodeId, PersistedStat),
    /// Data and checksum were these.
    Content(NodeId, Content),
    /// The ACL was this; its use is kept until the command ends.
    Acl(NodeId, AclId),
    /// The use of a quota was this.
    Usage(NodeId, Option<Usage>),
}

impl Tree {
    /// Ends a command: what it did stays.
    pub(crate) fn commit(&mut self) {
        for step in self.undo.drain(..) {
            match step {
                Undo::Removed(id, node) => {
                    self.acls.release(node.acl);
                    self.nodes.release(id);
                }
                Undo::Acl(_, acl) => self.acls.release(acl),
                Undo::Inserted(_) | Undo::Stat(..) | Undo::Content(..) | Undo::Usage(..) => {}
            }
        }
    }

    /// Takes back all that the command did so far.
    pub(crate) fn undo(&mut self) {
        let mut steps = core::mem::take(&mut self.undo);
        while let Some(step) = steps.pop() {
            self.undo_step(step);
        }
        self.undo = steps;
    }

    fn undo_step(&mut self, step: Undo) {
        match step {
            Undo::Inserted(id) => {
                let path = self.path_of(id);
                let node = self.take_out(id, &path);
                self.acls.release(node.acl);
                self.nodes.release(id);
            }
            Undo::Removed(id, node) => {
                let path = self.path_below(node.parent, node.name.as_str());
                self.put_in(id, node, &path);
                self.unmark_gone(id, &path);
            }
            Undo::Stat(id, stat) => self.edit(id, |node| node.set_persisted(stat)),
            Undo::Content(id, content) => self.replace_content(id, content),
            Undo::Acl(id, acl) => {
                let undone = core::mem::replace(&mut self.nodes.get_mut(id).acl, acl);
                self.acls.release(undone);
            }
            Undo::Usage(id, usage) => self.replace_usage(id, usage),
        }
    }

    /// Puts a new node under its parent.
    pub(crate) fn insert(&mut self, node: Node, path: &str) -> NodeId {
        let id = self.nodes.reserve();
        self.put_in(id, node, path);
        self.mark_created(id, path);
        self.undo.push(Undo::Inserted(id));
        id
    }

    /// Takes a node without children out of the tree.
    pub(crate) fn remove(&mut self, id: NodeId, path: &str) {
        let node = self.take_out(id, path);
        self.undo.push(Undo::Removed(id, node));
    }

    /// Replaces a node's stat.
    pub(crate) fn set_stat_of(&mut self, id: NodeId, stat: PersistedStat) {
        self.undo.push(Undo::Stat(id, self.nodes.get(id).persisted()));
        self.edit(id, |node| node.set_persisted(stat));
    }

    /// Replaces a node's data; its stat is another step.
    pub(crate) fn set_data_of(&mut self, id: NodeId, path: &str, data: Option<&[u8]>) {
        self.undo.push(Undo::Content(id, self.nodes.get(id).content()));
        self.replace_content(id, Content::new(path, data));
    }

    /// Replaces a node's ACL; its stat is another step.
    pub(crate) fn set_acl_of(&mut self, id: NodeId, list: &[Acl]) {
        self.mark_changed(id);
        let acl = self.acls.intern(list);
        let before = core::mem::replace(&mut self.nodes.get_mut(id).acl, acl);
        self.undo.push(Undo::Acl(id, before));
    }

    /// Replaces what is used of a quota.
    pub(crate) fn set_usage(&mut self, limits: NodeId, usage: Option<Usage>) {
        let before = self.quotas.get(&limits).copied();
        self.undo.push(Undo::Usage(limits, before));
        self.replace_usage(limits, usage);
    }

    fn replace_usage(&mut self, limits: NodeId, usage: Option<Usage>) {
        match usage {
            Some(usage) => self.quotas.insert(limits, usage),
            None => self.quotas.remove(&limits),
        };
    }

    fn replace_content(&mut self, id: NodeId, content: Content) {
        let before = self.nodes.get(id).data_len() as u64;
        self.edit(id, |node| node.set_content(content));
        let after = self.nodes.get(id).data_len() as u64;
        self.data_size = self.data_size - before + after;
        self.changes.resized(before, after);
    }

    /// Changes a node in its place: data, checksum or stat.
    fn edit(&mut self, id: NodeId, change: impl FnOnce(&mut Node)) {
        self.mark_changed(id);
        let node = self.nodes.get_mut(id);
        let (digest, due) = (digest::of_node(node), collect::due(node));
        change(node);
        let (digest_after, due_after) = (digest::of_node(node), collect::due(node));
        self.digest = self.digest.wrapping_sub(digest).wrapping_add(digest_after);
        self.replace_due(id, due, due_after);
    }

    /// Puts a node into a reserved place and into every index.
    pub(crate) fn put_in(&mut self, id: NodeId, node: Node, path: &str) {
        self.data_size += size_of_node(path, &node);
        self.digest = self.digest.wrapping_add(digest::of_node(&node));
        let due = collect::due(&node);
        if let Some(session) = node.session() {
            self.ephemerals += 1;
            if let Some(held) = self.sessions.get_mut(&session) {
                held.ephemerals.insert(id);
            }
        }
        let parent = node.parent;
        let child = Child::new(id, node.name.as_str());
        self.nodes.put(id, node);
        self.replace_due(id, None, due);
        if id != NodeId::ROOT {
            self.edit_children(parent, |children| {
                children.insert_unique(child.hash(), child, Child::hash);
            });
        }
    }

    /// Takes a node out of its place, which stays reserved, and out of every index.
    fn take_out(&mut self, id: NodeId, path: &str) -> Node {
        self.mark_gone(id, path);
        let node = self.nodes.get(id);
        let due = collect::due(node);
        let (parent, child) = (node.parent, Child::new(id, node.name.as_str()));
        self.edit_children(parent, |children| {
            let entry = children.find_entry(child.hash(), |other| other.id == id);
            entry.expect("a node is among its parent's children").remove();
        });
        self.replace_due(id, due, None);
        let node = self.nodes.take(id);
        if let Some(session) = node.session() {
            self.ephemerals -= 1;
            if let Some(held) = self.sessions.get_mut(&session) {
                held.ephemerals.remove(&id);
            }
        }
        self.digest = self.digest.wrapping_sub(digest::of_node(&node));
        self.data_size -= size_of_node(path, &node);
        node
    }

    fn edit_children(&mut self, id: NodeId, change: impl FnOnce(&mut Children)) {
        let node = self.nodes.get_mut(id);
        let due = collect::due(node);
        node.edit_children(change);
        let due_after = collect::due(node);
        self.replace_due(id, due, due_after);
    }

    fn replace_due(&mut self, id: NodeId, before: Option<Due>, after: Option<Due>) {
        if before == after {
            return;
        }
        if let Some(due) = before {
            self.due.remove(&(due, id));
        }
        if let Some(due) = after {
            self.due.insert((due, id));
        }
    }

    /// The node with this path. The empty path is the root's other name, as in ZooKeeper.
    pub(crate) fn locate(&self, path: &str) -> Option<NodeId> {
        if path.is_empty() || path == "/" {
            return Some(NodeId::ROOT);
        }
        let mut names = path.strip_prefix('/')?.split('/');
        names.try_fold(NodeId::ROOT, |parent, name| self.child(parent, name))
    }

    /// The child with this name.
    pub(crate) fn child(&self, parent: NodeId, name: &str) -> Option<NodeId> {
        let is_it = |id| self.nodes.get(id).name.as_bytes() == name.as_bytes();
        self.nodes.get(parent).find_child(NameHash::new(name), is_it)
    }

    /// The path of a node.
    pub(crate) fn path_of(&self, id: NodeId) -> String {
        let node = self.nodes.get(id);
        self.path_below(node.parent, node.name.as_str())
    }

    fn path_below(&self, parent: NodeId, name: &str) -> String {
        let mut names = Vec::with_capacity(8);
        names.push(name);
        let mut at = parent;
        while at != NodeId::ROOT {
            let node = self.nodes.get(at);
            names.push(node.name.as_str());
            at = node.parent;
        }
        let mut path = String::with_capacity(names.iter().map(|name| name.len() + 1).sum());
        for name in names.into_iter().rev() {
            path.push('/');
            path.push_str(name);
        }
        path
    }
}

/// What a node adds to the approximate data size. Paths hold no character that UTF-16 needs two
/// units for.
pub(crate) fn size_of_node(path: &str, node: &Node) -> u64 {
    (path.chars().count() + node.data_len()) as u64
}
