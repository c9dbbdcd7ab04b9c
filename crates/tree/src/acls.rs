//! Each access control list once, however many nodes have it.

use alloc::sync::Arc;
use alloc::vec::Vec;

use hashbrown::HashTable;
use zooid_model::{Acl, acl};

use crate::hash::{hash, mix};

/// A list's place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AclId(u32);

struct Entry {
    list: Arc<[Acl]>,
    /// Nodes that have it.
    uses: u32,
    /// True if it is what [`acl::resolve`] makes of itself for anybody.
    resolved: bool,
}

/// The lists in use, with the number of their uses.
#[derive(Default)]
pub(crate) struct Acls {
    entries: Vec<Option<Entry>>,
    by_list: HashTable<AclId>,
    free: Vec<AclId>,
}

impl Acls {
    /// The list.
    pub(crate) fn get(&self, id: AclId) -> &Arc<[Acl]> {
        &self.entry(id).list
    }

    /// Counts one more use of a list. Every use is to be released once.
    pub(crate) fn intern(&mut self, list: &[Acl]) -> AclId {
        let id = self.find(list).unwrap_or_else(|| self.insert(list));
        self.entry_mut(id).uses += 1;
        id
    }

    /// Counts one use less; a list without uses is dropped.
    pub(crate) fn release(&mut self, id: AclId) {
        let entry = self.entry_mut(id);
        entry.uses -= 1;
        if entry.uses > 0 {
            return;
        }
        let hash = hash_of(&entry.list);
        self.by_list.find_entry(hash, |at| *at == id).expect("every list is indexed").remove();
        self.entries[id.0 as usize] = None;
        self.free.push(id);
    }

    /// True if the list is in use and needs no resolving, whoever sends it.
    pub(crate) fn is_known_resolved(&self, list: &[Acl]) -> bool {
        self.find(list).is_some_and(|id| self.entry(id).resolved)
    }

    /// The lists with their uses.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (AclId, u32)> {
        self.entries
            .iter()
            .enumerate()
            .filter_map(|(at, entry)| entry.as_ref().map(|entry| (AclId(at as u32), entry.uses)))
    }

    fn find(&self, list: &[Acl]) -> Option<AclId> {
        self.by_list.find(hash_of(list), |id| *self.entry(*id).list == *list).copied()
    }

    fn insert(&mut self, list: &[Acl]) -> AclId {
        let resolved = acl::resolve(list, &[]).is_some_and(|resolved| resolved == list);
        let entry = Some(Entry { list: list.into(), uses: 0, resolved });
        let id = match self.free.pop() {
            Some(id) => {
                self.entries[id.0 as usize] = entry;
                id
            }
            None => {
                self.entries.push(entry);
                AclId(u32::try_from(self.entries.len() - 1).expect("fewer lists than znodes"))
            }
        };
        let entries = &self.entries;
        self.by_list.insert_unique(hash_of(list), id, |id| {
            hash_of(&entries[id.0 as usize].as_ref().expect("an indexed list is there").list)
        });
        id
    }

    fn entry(&self, id: AclId) -> &Entry {
        self.entries[id.0 as usize].as_ref().expect("a list in use is there")
    }

    fn entry_mut(&mut self, id: AclId) -> &mut Entry {
        self.entries[id.0 as usize].as_mut().expect("a list in use is there")
    }
}

fn hash_of(list: &[Acl]) -> u64 {
    list.iter().fold(list.len() as u64, |so_far, entry| {
        let perms = mix(so_far, entry.perms.bits() as u64);
        let scheme = mix(perms, hash(entry.id.scheme.as_bytes()));
        mix(scheme, hash(entry.id.id.as_bytes()))
    })
}
