//! A disk as it may be found after a crash: what was synced is there, and of the rest anything.
//!
//! Content is durable by a sync of its file, a name by a sync of its directory, and by nothing else;
//! real file systems promise more, POSIX does not. A rename inside one directory happens or does
//! not, and so does one of a directory. A file that moves between two directories is durable in each
//! when that one is synced; until then it may stand in both. After a failed sync what was not synced
//! before is readable as long as the power is on, and never durable.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::record::{Op, Record};

/// Paths below the root; directories have no content.
pub(crate) type Tree = BTreeMap<PathBuf, Option<Content>>;

/// What a file holds; shared by all the trees in which it is the same.
#[derive(Clone, Default)]
pub(crate) struct Content {
    bytes: Rc<Vec<u8>>,
    /// Of the bytes, once it was asked for.
    crc: Rc<OnceCell<u32>>,
}

impl Content {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes: Rc::new(bytes), crc: Rc::default() }
    }

    fn change(&mut self, change: &Change, fate: Fate) {
        self.crc = Rc::default();
        change.apply(Rc::make_mut(&mut self.bytes), fate);
    }
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Hash for Content {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let crc = self.crc.get_or_init(|| crc32fast::hash(&self.bytes));
        (self.bytes.len(), crc).hash(hasher);
    }
}

#[derive(Clone)]
pub(crate) struct Disk {
    root: PathBuf,
    nodes: Vec<Node>,
    /// By the inode numbers of the process that is recorded.
    numbers: HashMap<u64, usize>,
    /// Not durable yet, oldest first.
    pub(crate) names: Vec<NameChange>,
    count: u64,
}

#[derive(Clone)]
enum Node {
    File(File),
    Dir(Dir),
}

#[derive(Clone, Default)]
struct File {
    current: Content,
    durable: Content,
    /// Oldest first.
    unsynced: Vec<(u64, Change)>,
}

#[derive(Clone, Default)]
struct Dir {
    current: BTreeMap<OsString, usize>,
    durable: BTreeMap<OsString, usize>,
}

/// One change of a file's content.
#[derive(Clone)]
pub(crate) enum Change {
    Write { offset: usize, data: Rc<Vec<u8>> },
    Resize(usize),
    Extend(usize),
}

/// A creation, removal or rename; what it does to each directory.
#[derive(Clone)]
pub(crate) struct NameChange {
    pub(crate) what: String,
    halves: Vec<Half>,
    /// Of a directory: it never stands in two places.
    whole: bool,
}

#[derive(Clone)]
struct Half {
    dir: usize,
    name: OsString,
    to: Option<usize>,
}

impl NameChange {
    /// A rename between directories, of which neither is synced.
    pub(crate) fn is_split(&self) -> bool {
        !self.whole && self.halves.len() == 2 && self.halves[0].dir != self.halves[1].dir
    }

    /// What a sync of `dir` makes durable.
    fn synced(&mut self, dir: usize) -> Vec<Half> {
        let touched = self.halves.iter().any(|half| half.dir == dir);
        let synced;
        (synced, self.halves) = self
            .halves
            .drain(..)
            .partition(|half| if self.whole { touched } else { half.dir == dir });
        synced
    }
}

/// What a crash made of one name change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameFate {
    There,
    Lost,
    /// Of a rename between directories: the new name is there, and the old one too.
    Both,
}

/// What a crash made of one unsynced change of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    There,
    Lost,
    /// The file is as long as if it were there, but holds zeros.
    Length,
    /// Units of so many bytes of the disk are there or not.
    Torn(usize, Units),
}

/// Which units of a write are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Units {
    First,
    AllButLast,
    AllButFirst,
    EverySecond,
}

impl Units {
    fn has(self, unit: usize, count: usize) -> bool {
        match self {
            Self::First => unit == 0,
            Self::AllButLast => unit + 1 < count,
            Self::AllButFirst => unit > 0,
            Self::EverySecond => !unit.is_multiple_of(2),
        }
    }
}

impl Change {
    fn end(&self) -> usize {
        match self {
            Self::Write { offset, data } => offset + data.len(),
            Self::Resize(len) | Self::Extend(len) => *len,
        }
    }

    /// How many units of `unit` bytes of the disk it touches.
    pub(crate) fn units(&self, unit: usize) -> usize {
        match self {
            Self::Write { offset, data } => (offset + data.len()).div_ceil(unit) - offset / unit,
            Self::Resize(_) | Self::Extend(_) => 1,
        }
    }

    fn apply(&self, content: &mut Vec<u8>, fate: Fate) {
        match (self, fate) {
            (_, Fate::Lost) => unreachable!("the caller leaves it out"),
            (Self::Resize(len), _) => content.resize(*len, 0),
            (Self::Extend(_), _) | (_, Fate::Length) => extend(content, self.end()),
            (Self::Write { offset, data }, Fate::There) => write(content, *offset, data),
            (Self::Write { offset, data }, Fate::Torn(unit, units)) => {
                let count = self.units(unit);
                for nth in (0..count).filter(|nth| units.has(*nth, count)) {
                    let from = ((offset / unit + nth) * unit).max(*offset);
                    let to = ((offset / unit + nth + 1) * unit).min(self.end());
                    write(content, from, &data[from - offset..to - offset]);
                }
            }
        }
    }
}

fn extend(content: &mut Vec<u8>, len: usize) {
    if content.len() < len {
        content.resize(len, 0);
    }
}

fn write(content: &mut Vec<u8>, offset: usize, data: &[u8]) {
    extend(content, offset + data.len());
    content[offset..offset + data.len()].copy_from_slice(data);
}

impl Disk {
    /// What lies at `root`, all of it durable.
    pub(crate) fn of(root: &Path) -> Self {
        let mut disk = Self {
            root: root.to_path_buf(),
            nodes: vec![Node::Dir(Dir::default())],
            numbers: HashMap::new(),
            names: Vec::new(),
            count: 0,
        };
        disk.load(0, root);
        disk
    }

    fn load(&mut self, dir: usize, path: &Path) {
        for entry in fs::read_dir(path).unwrap().map(Result::unwrap) {
            let is_dir = entry.file_type().unwrap().is_dir();
            let node = if is_dir { Node::Dir(Dir::default()) } else { file(&entry.path()) };
            let id = self.add(node);
            let of = self.dir(dir);
            of.current.insert(entry.file_name(), id);
            of.durable.insert(entry.file_name(), id);
            if is_dir {
                self.load(id, &entry.path());
            }
        }
    }

    fn add(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn dir(&mut self, id: usize) -> &mut Dir {
        match &mut self.nodes[id] {
            Node::Dir(dir) => dir,
            Node::File(_) => panic!("a file where a directory should be"),
        }
    }

    /// Directory and name of a path below the root.
    fn place(&mut self, path: &Path) -> (usize, OsString) {
        let below = path.strip_prefix(&self.root).unwrap().to_path_buf();
        let name = below.file_name().unwrap().to_os_string();
        let names = below.parent().unwrap().iter();
        let dir = names.fold(0, |dir, name| self.dir(dir).current[name]);
        (dir, name)
    }

    fn at(&mut self, path: &Path) -> Option<usize> {
        if path == self.root {
            return Some(0);
        }
        let (dir, name) = self.place(path);
        self.dir(dir).current.get(&name).copied()
    }

    /// What a recorded call did.
    pub(crate) fn take(&mut self, record: &Record) {
        let known = self.numbers.get(&record.file).copied();
        if record.op == Op::Sync {
            return self.sync(known, record.failed());
        }
        if record.failed() {
            return;
        }
        match (record.op, known) {
            (Op::Open | Op::Create, _) => self.open(record),
            (Op::Write, Some(file)) => self.change(
                file,
                Change::Write { offset: record.offset as usize, data: record.data.clone() },
            ),
            (Op::Truncate, Some(file)) => self.change(file, Change::Resize(record.length as usize)),
            (Op::Allocate, Some(file)) => {
                self.change(file, Change::Extend((record.offset + record.length) as usize));
            }
            (Op::Mkdir, _) => {
                let id = self.add(Node::Dir(Dir::default()));
                self.link(record, id);
            }
            (Op::Unlink | Op::Rmdir, _) => {
                let half = self.half(&record.path, None);
                self.name(record, vec![half]);
            }
            (Op::Rename, _) => {
                let moved = self.at(&record.path);
                let halves = vec![self.half(&record.other, moved), self.half(&record.path, None)];
                self.name(record, halves);
            }
            (Op::Sync | Op::SyncRange | Op::Read, _) | (_, None) => {}
        }
    }

    fn open(&mut self, record: &Record) {
        let id = match self.at(&record.path) {
            Some(id) => id,
            None => {
                let id = self.add(Node::File(File::default()));
                self.link(record, id);
                id
            }
        };
        self.numbers.insert(record.file, id);
        if record.length > 0 {
            self.change(id, Change::Resize(0));
        }
    }

    fn link(&mut self, record: &Record, id: usize) {
        let half = self.half(&record.path, Some(id));
        self.name(record, vec![half]);
    }

    fn half(&mut self, path: &Path, to: Option<usize>) -> Half {
        let (dir, name) = self.place(path);
        Half { dir, name, to }
    }

    fn name(&mut self, record: &Record, halves: Vec<Half>) {
        for half in &halves {
            half.apply(&mut self.dir(half.dir).current);
        }
        let moved = halves[0].to.map(|id| &self.nodes[id]);
        let whole = matches!(moved, Some(Node::Dir(_)));
        self.names.push(NameChange { what: record.to_string(), halves, whole });
    }

    fn change(&mut self, id: usize, change: Change) {
        self.count += 1;
        let Node::File(file) = &mut self.nodes[id] else { panic!("a directory was written") };
        file.current.change(&change, Fate::There);
        file.unsynced.push((self.count, change));
    }

    fn sync(&mut self, id: Option<usize>, failed: bool) {
        let Some(id) = id else { return };
        match &mut self.nodes[id] {
            Node::File(file) => {
                let unsynced = std::mem::take(&mut file.unsynced);
                for (_, change) in unsynced.iter().filter(|_| !failed) {
                    file.durable.change(change, Fate::There);
                }
            }
            Node::Dir(_) if !failed => {
                let mut names = std::mem::take(&mut self.names);
                for half in names.iter_mut().flat_map(|change| change.synced(id)) {
                    half.apply(&mut self.dir(half.dir).durable);
                }
                names.retain(|change| !change.halves.is_empty());
                self.names = names;
            }
            Node::Dir(_) => {}
        }
    }

    /// All unsynced changes of content, in the order they were made. The lock's are left out: it
    /// holds the number of a process that is no more.
    pub(crate) fn unsynced(&self) -> Vec<(u64, Change)> {
        let locks = self.locks();
        let files = self.nodes.iter().enumerate().filter(|(id, _)| !locks.contains(id));
        let files = files.filter_map(|(_, node)| match node {
            Node::File(file) => Some(file.unsynced.clone()),
            Node::Dir(_) => None,
        });
        let mut changes: Vec<_> = files.flatten().collect();
        changes.sort_by_key(|(order, _)| *order);
        changes
    }

    fn locks(&self) -> Vec<usize> {
        let dirs = self.nodes.iter().filter_map(|node| match node {
            Node::Dir(dir) => dir.current.get(&OsString::from("lock")).copied(),
            Node::File(_) => None,
        });
        dirs.collect()
    }

    /// As the death of the process leaves it.
    pub(crate) fn after_death(&self) -> Tree {
        let mut tree = Tree::new();
        self.collect(0, Path::new(""), &mut tree, &|_, dir| dir.current.clone(), &|file| {
            file.current.clone()
        });
        tree
    }

    /// As a power cut may leave it: `names` says what became of each name change, `fates` of
    /// each unsynced change of content.
    pub(crate) fn after_power_cut(&self, names: &[NameFate], fates: &BTreeMap<u64, Fate>) -> Tree {
        let mut tree = Tree::new();
        let entries = |id: usize, dir: &Dir| {
            let mut entries = dir.durable.clone();
            for (change, fate) in self.names.iter().zip(names) {
                for half in change.halves.iter().filter(|half| half.dir == id) {
                    if *fate == NameFate::There || *fate == NameFate::Both && half.to.is_some() {
                        half.apply(&mut entries);
                    }
                }
            }
            entries
        };
        let content = |file: &File| {
            let mut content = file.durable.clone();
            for (order, change) in &file.unsynced {
                match fates.get(order).copied().unwrap_or(Fate::There) {
                    Fate::Lost => {}
                    fate => content.change(change, fate),
                }
            }
            content
        };
        self.collect(0, Path::new(""), &mut tree, &entries, &content);
        tree
    }

    fn collect(
        &self,
        id: usize,
        path: &Path,
        tree: &mut Tree,
        entries: &dyn Fn(usize, &Dir) -> BTreeMap<OsString, usize>,
        content: &dyn Fn(&File) -> Content,
    ) {
        let Node::Dir(dir) = &self.nodes[id] else { panic!("a directory is none") };
        for (name, child) in entries(id, dir) {
            let path = path.join(name);
            match &self.nodes[child] {
                Node::File(file) => drop(tree.insert(path, Some(content(file)))),
                Node::Dir(_) => {
                    self.collect(child, &path, tree, entries, content);
                    tree.insert(path, None);
                }
            }
        }
    }
}

impl Half {
    fn apply(&self, entries: &mut BTreeMap<OsString, usize>) {
        match self.to {
            Some(id) => drop(entries.insert(self.name.clone(), id)),
            None => drop(entries.remove(&self.name)),
        }
    }
}

fn file(path: &Path) -> Node {
    let content = Content::new(fs::read(path).unwrap());
    Node::File(File { current: content.clone(), durable: content, unsynced: Vec::new() })
}

/// Makes the directory at `root` what `tree` says.
pub(crate) fn lay_out(tree: &Tree, root: &Path) {
    fs::create_dir_all(root).unwrap();
    for (path, content) in tree {
        let path = root.join(path);
        match content {
            None => fs::create_dir_all(path).unwrap(),
            Some(content) => {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, &*content.bytes).unwrap();
            }
        }
    }
}

/// What lies at `root`.
pub(crate) fn tree_of(root: &Path) -> Tree {
    Disk::of(root).after_death()
}
