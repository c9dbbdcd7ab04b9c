//! All that must hold of a tree between two commands, counted again the slow way.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::arena::NodeId;
use crate::edit::size_of_node;
use crate::node::{Child, Node};
use crate::tree::{SYSTEM_NODES, Tree};
use crate::{collect, digest, quota};

impl Tree {
    /// Counts everything again that is kept up to date otherwise. Slow: for tests.
    ///
    /// # Panics
    /// If something does not hold.
    pub fn check_invariants(&self) {
        assert!(self.undo.is_empty(), "a command was ended");
        for path in SYSTEM_NODES {
            assert!(self.locate(path).is_some(), "{path} is there");
        }
        self.check_nodes();
        self.check_acls();
        self.check_ephemerals();
        self.check_quotas();
        self.check_changes();
    }

    fn check_nodes(&self) {
        let (mut sum, mut size, mut due, mut children) = (0_u64, 0, BTreeSet::new(), 1);
        for (id, node) in self.nodes.iter() {
            let path = self.path_of(id);
            assert_eq!(self.locate(&path), Some(id), "{path} leads to its node");
            let checksum = digest::of_path_and_data(&path, node.data());
            assert_eq!(node.checksum(), checksum, "checksum of {path}");
            sum = sum.wrapping_add(digest::of_node(node));
            size += size_of_node(&path, node);
            due.extend(collect::due(node).map(|due| (due, id)));
            children += node.child_count();
            self.check_children(id, node);
        }
        assert_eq!(children, self.nodes.len(), "every node but the root is a child");
        assert_eq!(sum, self.digest, "digest");
        assert_eq!(size, self.data_size, "data size");
        assert_eq!(due, self.due, "childless containers and TTL nodes");
    }

    fn check_children(&self, id: NodeId, node: &Node) {
        for child in node.children() {
            assert!(node.session().is_none(), "an ephemeral has no children");
            let below = self.nodes.get(child.id);
            assert_eq!(below.parent, id, "a child knows its parent");
            assert_eq!(Child::new(child.id, below.name.as_str()).hash(), child.hash());
        }
    }

    fn check_acls(&self) {
        let mut uses: BTreeMap<_, u32> = BTreeMap::new();
        for (_, node) in self.nodes.iter() {
            *uses.entry(node.acl).or_default() += 1;
        }
        assert_eq!(uses, self.acls.iter().collect(), "uses of each ACL");
    }

    fn check_ephemerals(&self) {
        let found: BTreeSet<_> = self
            .nodes
            .iter()
            .filter_map(|(id, node)| node.session().map(|session| (session, id)))
            .collect();
        let indexed: BTreeSet<_> = self
            .sessions
            .iter()
            .flat_map(|(session, held)| held.ephemerals.iter().map(|id| (*session, *id)))
            .collect();
        assert_eq!(found, indexed, "ephemerals by session");
        assert_eq!(found.len(), self.ephemerals, "number of ephemerals");
    }

    fn check_quotas(&self) {
        let mut limits = Vec::new();
        for (id, _) in self.nodes.iter() {
            let path = self.path_of(id);
            if let Some((target, quota::LIMITS)) = quota::quota_of(&path) {
                assert_eq!(self.quotas.get(&id), Some(&self.measure(target)), "use of {target}");
                limits.push(id);
            }
        }
        assert_eq!(limits.len(), self.quotas.len(), "every quota has limits");
    }
}
