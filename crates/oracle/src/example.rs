//! Small histories for the tests of each guarantee: what a server without faults would have said.

use std::collections::BTreeMap;

use zooid_ids::{BootNonce, ConnectionId, Epoch, Millis, ServerId, SessionId, Xid, Zxid};
use zooid_model::{
    Acl, Command, Create, CreateKind, CreateMode, ErrorCode, EventKind, Grants, Identity, Origin,
    Owner, Read, Reply, Request, Turn, WatchEvent, Write, WriteOp,
};
use zooid_tree::{Outcome, Stamp, Tree};

use crate::history::{Asked, Committed, Conversation, Greeting, History, Logged, Moment, Told};
use crate::judge::{Terms, judge};
use crate::violation::Guarantee;

/// A history that is told from its beginning; every step takes a millisecond.
pub(crate) struct Story {
    log: Vec<Committed>,
    conversations: BTreeMap<u64, Conversation>,
    sequences: BTreeMap<u64, u64>,
    tree: Tree,
    digests: Vec<u64>,
    now: Moment,
}

#[track_caller]
pub(crate) fn assert_kept(history: &History) {
    let violations = judge(history, &Terms::default());
    assert!(violations.is_empty(), "{}", violations[0]);
}

#[track_caller]
pub(crate) fn assert_broken(history: &History, guarantee: Guarantee) {
    let violations = judge(history, &Terms::default());
    let is_found = violations.iter().any(|violation| violation.guarantee == guarantee);
    assert!(is_found, "not found among {violations:#?}");
}

impl Story {
    pub(crate) const TIMEOUT: Millis = Millis(4000);

    pub(crate) fn new() -> Self {
        let mut story = Self {
            log: Vec::new(),
            conversations: BTreeMap::new(),
            sequences: BTreeMap::new(),
            tree: Tree::new(),
            digests: Vec::new(),
            now: Moment(0),
        };
        story.log(Logged::EpochStart);
        story
    }

    pub(crate) fn history(self) -> History {
        let conversations = self.conversations.into_values().collect();
        History { log: self.log, conversations, servers: Vec::new() }
    }

    pub(crate) fn zxid(&self) -> Zxid {
        self.tree.zxid()
    }

    pub(crate) fn digest_at(&self, entry: usize) -> u64 {
        self.digests[entry]
    }

    pub(crate) fn wait(&mut self, length: Millis) -> Moment {
        self.now.0 += 1000 * length.0.unsigned_abs();
        self.now
    }

    fn pass(&mut self) -> Moment {
        self.wait(Millis(1))
    }

    fn log(&mut self, what: Logged) -> Option<Outcome> {
        let now = self.pass();
        let zxid = Zxid::new(Epoch(1), u32::try_from(self.log.len()).unwrap());
        let time = Millis(1_700_000_000_000 + i64::try_from(now.0 / 1000).unwrap());
        let outcome = match &what {
            Logged::EpochStart => {
                self.tree.advance(zxid);
                None
            }
            Logged::Command(command) => {
                Some(self.tree.apply(Stamp { zxid, time }, command).outcome)
            }
        };
        self.log.push(Committed { zxid, time, what, proposed: Some(now), committed: Some(now) });
        self.digests.push(self.tree.digest());
        outcome
    }

    fn session(by: u64) -> SessionId {
        SessionId(0x100 * i64::try_from(by).unwrap())
    }

    fn owner(by: u64) -> Owner {
        Owner { server: ServerId(1), boot: BootNonce(1), connection: ConnectionId(by) }
    }

    fn conversation(&mut self, by: u64) -> &mut Conversation {
        self.conversations.get_mut(&by).unwrap()
    }

    pub(crate) fn connect(&mut self, by: u64) {
        let at = self.pass();
        let (session, owner, timeout) = (Self::session(by), Self::owner(by), Self::TIMEOUT);
        self.log(Logged::Command(Command::CreateSession { session, owner, timeout }));
        let given = Some((session, timeout, self.pass()));
        self.conversations.insert(
            by,
            Conversation {
                server: ServerId(1),
                owner: Some(owner),
                identities: vec![Identity::new("ip", "127.0.0.1")],
                greeting: Greeting { at, given, ..Greeting::default() },
                ..Conversation::default()
            },
        );
    }

    /// `by` wants the session of `of` and is told that it has expired.
    pub(crate) fn refuse_session(&mut self, by: u64, of: u64) {
        let at = self.pass();
        let given = Some((SessionId::NONE, Millis(0), self.pass()));
        let greeting = Greeting { wished: Self::session(of), given, at, ..Greeting::default() };
        self.conversations.insert(by, Conversation { greeting, ..Conversation::default() });
    }

    pub(crate) fn ask(&mut self, by: u64, request: Request) -> Xid {
        let at = self.pass();
        let asked = &mut self.conversation(by).asked;
        let xid = Xid(i32::try_from(asked.len()).unwrap() + 1);
        asked.push(Asked { xid, request, at, proves: Vec::new() });
        xid
    }

    fn tell(&mut self, by: u64, xid: Xid, zxid: Zxid, result: Result<Reply, ErrorCode>) {
        let at = self.pass();
        self.conversation(by).told.push(Told::Reply { xid, zxid: Some(zxid), result, at });
    }

    /// Refuses what was asked last.
    pub(crate) fn refuse(&mut self, by: u64, error: ErrorCode) {
        let xid = self.conversation(by).asked.last().unwrap().xid;
        self.tell(by, xid, self.zxid(), Err(error));
    }

    pub(crate) fn answer(&mut self, by: u64, request: Request, result: Result<Reply, ErrorCode>) {
        let xid = self.ask(by, request);
        self.tell(by, xid, self.zxid(), result);
    }

    fn sequence(&mut self, by: u64) -> u64 {
        let sequence = self.sequences.entry(by).or_default();
        *sequence += 1;
        *sequence
    }

    /// The log takes a write that nobody asked for.
    pub(crate) fn log_only(&mut self, by: u64, op: WriteOp) -> Option<Outcome> {
        let sequence = self.sequence(by);
        self.log(Logged::Command(Command::Write(Write {
            turn: Turn { session: Self::session(by), owner: Self::owner(by), sequence },
            identities: vec![Identity::new("ip", "127.0.0.1")],
            grants: Grants::default(),
            op,
        })))
    }

    pub(crate) fn write(&mut self, by: u64, op: WriteOp) {
        let xid = self.ask(by, Request::Write(op.clone()));
        let Some(Outcome::Decided(result)) = self.log_only(by, op) else {
            panic!("a write of a session that lives is decided")
        };
        self.tell(by, xid, self.zxid(), result);
    }

    pub(crate) fn do_unanswered(&mut self, by: u64, op: WriteOp) {
        self.ask(by, Request::Write(op.clone()));
        self.log_only(by, op);
    }

    pub(crate) fn lose(&mut self, by: u64, op: WriteOp) {
        self.ask(by, Request::Write(op));
    }

    pub(crate) fn close(&mut self, by: u64) {
        let xid = self.ask(by, Request::CloseSession);
        let by_client = Origin::Client { owner: Self::owner(by), sequence: self.sequence(by) };
        let (session, by_client) = (Self::session(by), by_client);
        self.log(Logged::Command(Command::CloseSession { session, by: by_client }));
        self.tell(by, xid, self.zxid(), Ok(Reply::Empty));
    }

    pub(crate) fn expire(&mut self, by: u64) {
        let session = Self::session(by);
        self.log(Logged::Command(Command::CloseSession { session, by: Origin::Expiry }));
    }

    pub(crate) fn read(&mut self, by: u64, read: Read) {
        self.read_at(self.zxid(), by, read);
    }

    /// A read that is evaluated at an older version.
    pub(crate) fn read_at(&mut self, zxid: Zxid, by: u64, read: Read) {
        let mut tree = Tree::new();
        for entry in self.log.iter().filter(|entry| entry.zxid <= zxid) {
            match &entry.what {
                Logged::EpochStart => tree.advance(entry.zxid),
                Logged::Command(command) => {
                    tree.apply(Stamp { zxid: entry.zxid, time: entry.time }, command);
                }
            }
        }
        let result = tree.read(&read, Self::session(by), &[Identity::new("ip", "127.0.0.1")]);
        let xid = self.ask(by, Request::Read(read));
        self.tell(by, xid, zxid, result);
    }

    pub(crate) fn sync_at(&mut self, zxid: Zxid, by: u64) {
        let xid = self.ask(by, Request::Sync { path: "/".into() });
        self.tell(by, xid, zxid, Ok(Reply::Sync { path: "/".into() }));
    }

    /// The event of the newest entry.
    pub(crate) fn event(&mut self, by: u64, kind: EventKind, path: &str) {
        let zxid = Some(self.zxid());
        self.tell_event(by, WatchEvent { kind, path: path.into(), zxid });
    }

    /// An event that answers a `setWatches`.
    pub(crate) fn missed(&mut self, by: u64, kind: EventKind, path: &str) {
        self.tell_event(by, WatchEvent { kind, path: path.into(), zxid: None });
    }

    fn tell_event(&mut self, by: u64, event: WatchEvent) {
        let at = self.pass();
        self.conversation(by).told.push(Told::Event { event, at });
    }

    pub(crate) fn create(path: &str) -> WriteOp {
        Self::create_as(path, CreateMode::Persistent)
    }

    pub(crate) fn create_ephemeral(path: &str) -> WriteOp {
        Self::create_as(path, CreateMode::Ephemeral)
    }

    pub(crate) fn create_sequential(path: &str) -> WriteOp {
        Self::create_as(path, CreateMode::PersistentSequential)
    }

    fn create_as(path: &str, mode: CreateMode) -> WriteOp {
        let (path, data, kind) = (path.to_owned(), None, CreateKind::Create);
        WriteOp::Create(Create { path, data, acl: Acl::open(), mode, kind })
    }

    pub(crate) fn set(path: &str, data: &str) -> WriteOp {
        WriteOp::SetData { path: path.into(), data: Some(data.to_owned().into()), version: -1 }
    }

    pub(crate) fn delete(path: &str) -> WriteOp {
        WriteOp::Delete { path: path.into(), version: -1 }
    }

    pub(crate) fn get(path: &str, watch: bool) -> Read {
        Read::GetData { path: path.into(), watch }
    }
}
