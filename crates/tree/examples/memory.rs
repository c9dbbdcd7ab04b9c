//! Fills a tree with small znodes and prints what they take, and how much CPU each step took.
//!
//! `cargo run --release --example memory -- [ZNODES] [BYTES]`; a million of 100 bytes if not said.
#![allow(clippy::print_stdout, reason = "it is what the example is for")]

use bytes::Bytes;
use zooid_ids::{BootNonce, ConnectionId, Millis, ServerId, SessionId, Zxid};
use zooid_model::{
    Acl, Command, Create, CreateKind, CreateMode, Grants, Identity, Owner, Read, Turn, Write,
    WriteOp,
};
use zooid_tree::{Outcome, Record, Stamp, Tree};

const SESSION: SessionId = SessionId(0x0100_0000_0000_0001);
const OWNER: Owner = Owner { server: ServerId(1), boot: BootNonce(1), connection: ConnectionId(1) };

struct Client {
    tree: Tree,
    sequence: u64,
    data: Bytes,
}

impl Client {
    fn new(data: Bytes) -> Self {
        let mut tree = Tree::new();
        let command =
            Command::CreateSession { session: SESSION, owner: OWNER, timeout: Millis(30_000) };
        tree.apply(Stamp { zxid: Zxid(1), time: Millis(0) }, &command);
        Self { tree, sequence: 0, data }
    }

    fn write(&mut self, op: WriteOp) {
        self.sequence += 1;
        let turn = Turn { session: SESSION, owner: OWNER, sequence: self.sequence };
        let identities = vec![Identity::new("ip", "127.0.0.1")];
        let write = Write { turn, identities, grants: Grants::default(), op };
        let stamp = Stamp { zxid: Zxid(self.sequence + 1), time: Millis(self.sequence as i64) };
        let applied = self.tree.apply(stamp, &Command::Write(write));
        assert!(matches!(applied.outcome, Outcome::Decided(Ok(_))), "{:?}", applied.outcome);
    }

    fn create(&mut self, path: String) {
        self.write(WriteOp::Create(Create {
            path,
            data: Some(self.data.clone()),
            acl: Acl::open(),
            mode: CreateMode::Persistent,
            kind: CreateKind::Create,
        }));
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|word| word.parse().expect("a number"));
    let znodes: usize = arguments.next().unwrap_or(1_000_000);
    let bytes: usize = arguments.next().unwrap_or(100);
    let empty = resident();
    let mut client = Client::new(vec![7; bytes].into());
    client.create("/bench".into());
    client.create("/bench/dir".into());
    let say = |what: &str, since: u64| {
        let each = (cpu_millis() - since) * 1_000_000 / znodes as u64;
        let taken = resident() - empty;
        println!(
            "{what:<10} {each:>6} ns each, {:>4} MB, {} bytes each",
            taken >> 20,
            taken / znodes
        );
    };
    let path = |n: usize| format!("/bench/dir/node-{n:010}");

    let start = cpu_millis();
    (0..znodes).for_each(|n| client.create(path(n)));
    say("create", start);

    let start = cpu_millis();
    for n in 0..znodes {
        let read = Read::GetData { path: path(n * 7919 % znodes), watch: false };
        assert!(client.tree.read(&read, SESSION, &[]).is_ok());
    }
    say("getData", start);

    let start = cpu_millis();
    for n in 0..znodes {
        let data = Some(client.data.clone());
        client.write(WriteOp::SetData { path: path(n * 7919 % znodes), data, version: -1 });
    }
    say("setData", start);

    let start = cpu_millis();
    client.tree.hand_over();
    let mut records = Vec::new();
    while records.len() % 4096 == 0 {
        records.extend(client.tree.harvest(4096));
    }
    client.tree.complete_run();
    say("harvest", start);

    let (zxid, digest) = (client.tree.zxid(), client.tree.digest());
    drop(client);
    records.sort_by(|one, other| path_of(one).cmp(path_of(other)));
    let start = cpu_millis();
    let tree = Tree::restore(zxid, records).expect("the records make a tree");
    assert_eq!(tree.digest(), digest);
    say("restore", start);
}

fn path_of(record: &Record) -> &str {
    match record {
        Record::Znode { path, .. } | Record::ZnodeGone { path } => path,
        _ => "",
    }
}

/// Bytes of memory that the process holds.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = status.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("statm has the resident pages second") * 4096
}

/// Milliseconds of CPU that the process used, in the kernel's ticks of ten.
fn cpu_millis() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields = stat.rsplit(") ").next().expect("stat has a name in brackets").split(' ');
    fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("ticks")).sum::<u64>() * 10
}
