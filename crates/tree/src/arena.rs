//! Where the nodes are: in chunks that never move, by a number of 32 bits.

use alloc::vec::Vec;

use crate::node::Node;

/// A node's place. It means something on one server only and is used again after the node is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodeId(u32);

impl NodeId {
    /// The root of the tree; the first node put in.
    pub(crate) const ROOT: Self = Self(0);
}

const CHUNK: usize = 512;

/// Nodes in chunks: growing moves none of them and never copies much.
#[derive(Default)]
pub(crate) struct Arena {
    chunks: Vec<Vec<Option<Node>>>,
    free: Vec<NodeId>,
    len: usize,
}

impl Arena {
    /// Nodes in it.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// An empty place for a node.
    pub(crate) fn reserve(&mut self) -> NodeId {
        if let Some(id) = self.free.pop() {
            return id;
        }
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let full = (self.chunks.len() - 1) * CHUNK;
        let chunk = self.chunks.last_mut().expect("a chunk was just made");
        let id = u32::try_from(full + chunk.len()).expect("fewer than 2^32 znodes");
        chunk.push(None);
        NodeId(id)
    }

    /// Puts a node in an empty place.
    pub(crate) fn put(&mut self, id: NodeId, node: Node) {
        let before = self.slot(id).replace(node);
        assert!(before.is_none(), "the place was empty");
        self.len += 1;
    }

    /// Takes a node out; its place stays reserved.
    pub(crate) fn take(&mut self, id: NodeId) -> Node {
        self.len -= 1;
        self.slot(id).take().expect("a node is there")
    }

    /// Gives an empty place back.
    pub(crate) fn release(&mut self, id: NodeId) {
        self.free.push(id);
    }

    /// The node at a place, if there is one.
    pub(crate) fn find(&self, id: NodeId) -> Option<&Node> {
        self.chunks.get(id.0 as usize / CHUNK)?.get(id.0 as usize % CHUNK)?.as_ref()
    }

    /// The node at a place that is known to have one.
    pub(crate) fn get(&self, id: NodeId) -> &Node {
        self.find(id).expect("the id belongs to a node")
    }

    /// The node at a place that is known to have one.
    pub(crate) fn get_mut(&mut self, id: NodeId) -> &mut Node {
        self.slot(id).as_mut().expect("the id belongs to a node")
    }

    /// All nodes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        self.chunks
            .iter()
            .flatten()
            .enumerate()
            .filter_map(|(at, node)| node.as_ref().map(|node| (NodeId(at as u32), node)))
    }

    fn slot(&mut self, id: NodeId) -> &mut Option<Node> {
        &mut self.chunks[id.0 as usize / CHUNK][id.0 as usize % CHUNK]
    }
}
