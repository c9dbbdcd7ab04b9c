//! What clients ask, by chance.

use bytes::Bytes;
use zooid_ids::{Millis, Zxid};
use zooid_model::{
    Acl, AddWatchMode, Create, CreateKind, CreateMode, Identity, Perms, Read, Request, Secret,
    SetWatches, WatchKind, WriteOp,
};

use crate::dice::Dice;

/// Few, so that clients meet.
const PATHS: [&str; 9] = ["/", "/a", "/a/x", "/a/x/y", "/a/z", "/b", "/b/x", "/q", "/zookeeper"];

impl Dice {
    fn path(&mut self) -> String {
        let path = self.pick(&PATHS);
        if self.once_in(8) { format!("/q/n-{:010}", self.roll(4)) } else { path.into() }
    }

    fn paths(&mut self) -> Vec<String> {
        let count = self.roll(3);
        (0..count).map(|_| self.path()).collect()
    }

    fn data(&mut self) -> Option<Bytes> {
        let text = format!("{}", self.roll(1000));
        (!self.once_in(10)).then(|| text.into())
    }

    fn version(&mut self) -> i32 {
        if self.once_in(3) { self.roll(4) as i32 } else { -1 }
    }

    fn acl(&mut self) -> Vec<Acl> {
        let anyone = Identity::anyone();
        match self.roll(8) {
            0 => vec![Acl { perms: Perms::ALL, id: Identity::new("auth", "") }],
            1 => vec![Acl {
                perms: Perms::WRITE | Perms::CREATE | Perms::DELETE | Perms::ADMIN,
                id: anyone,
            }],
            2 => vec![],
            _ => Acl::open(),
        }
    }

    /// Any request; `seen` is the newest zxid that the client knows.
    pub(crate) fn request(&mut self, seen: Zxid) -> Request {
        match self.roll(40) {
            0..=15 => Request::Write(self.write()),
            16..=30 => Request::Read(self.read()),
            31 => Request::Sync { path: self.path() },
            32 => Request::Ping,
            33 => {
                let proof = Secret(Bytes::from_static(b"user:secret"));
                Request::Auth { scheme: "digest".into(), proof }
            }
            34 => self.set_watches(seen),
            35 | 36 => {
                let modes = [AddWatchMode::Persistent, AddWatchMode::PersistentRecursive];
                Request::AddWatch { path: self.path(), mode: Some(self.pick(&modes)) }
            }
            37 => Request::CheckWatches { path: self.path(), kind: Some(self.watch_kind()) },
            38 => Request::RemoveWatches { path: self.path(), kind: Some(self.watch_kind()) },
            _ => self.rare(),
        }
    }

    fn rare(&mut self) -> Request {
        match self.roll(6) {
            0 => Request::CloseSession,
            1 => Request::Unknown { opcode: 4711 },
            2 => Request::Malformed { opcode: 1 },
            3 => {
                let path = "/a".repeat(2000);
                Request::Write(WriteOp::Delete { path, version: -1 })
            }
            _ => Request::WhoAmI,
        }
    }

    fn watch_kind(&mut self) -> WatchKind {
        self.pick(&[
            WatchKind::Children,
            WatchKind::Data,
            WatchKind::Any,
            WatchKind::Persistent,
            WatchKind::PersistentRecursive,
        ])
    }

    fn set_watches(&mut self, seen: Zxid) -> Request {
        Request::SetWatches(Box::new(SetWatches {
            relative_zxid: Zxid(seen.0.saturating_sub(self.roll(4))),
            data: self.paths(),
            exist: self.paths(),
            child: self.paths(),
            persistent: self.paths(),
            persistent_recursive: self.paths(),
        }))
    }

    fn write(&mut self) -> WriteOp {
        match self.roll(10) {
            0 => {
                let count = 1 + self.roll(4);
                WriteOp::Multi((0..count).map(|_| self.part()).collect())
            }
            1 => WriteOp::SetAcl { path: self.path(), acl: self.acl(), version: self.version() },
            _ => self.part(),
        }
    }

    fn part(&mut self) -> WriteOp {
        match self.roll(8) {
            0..=3 => WriteOp::Create(self.create()),
            4 => WriteOp::Delete { path: self.path(), version: self.version() },
            5 => WriteOp::Check { path: self.path(), version: self.version() },
            _ => WriteOp::SetData { path: self.path(), data: self.data(), version: self.version() },
        }
    }

    fn create(&mut self) -> Create {
        let (mut path, data, acl) = (self.path(), self.data(), self.acl());
        let mode = self.pick(&[
            CreateMode::Persistent,
            CreateMode::Persistent,
            CreateMode::Ephemeral,
            CreateMode::PersistentSequential,
            CreateMode::EphemeralSequential,
            CreateMode::Container,
            CreateMode::PersistentWithTtl(Millis(500)),
        ]);
        if mode.is_sequential() {
            path = self.pick(&["/q/n-", "/a/n-", "/n-"]).into();
        }
        let kind = match mode {
            CreateMode::Container => CreateKind::Container,
            CreateMode::PersistentWithTtl(_) => CreateKind::Ttl,
            _ => self.pick(&[CreateKind::Create, CreateKind::Create2]),
        };
        Create { path, data, acl, mode, kind }
    }

    fn read(&mut self) -> Read {
        let (path, watch) = (self.path(), self.once_in(2));
        match self.roll(10) {
            0 | 1 => Read::Exists { path, watch },
            2..=4 => Read::GetData { path, watch },
            5 => Read::GetAcl { path },
            6 => Read::GetChildren { path, watch },
            7 => Read::GetChildren2 { path, watch },
            8 if watch => Read::GetEphemerals { prefix: path },
            8 => Read::GetAllChildrenNumber { path },
            _ => Read::MultiRead(vec![
                Read::GetData { path: path.clone(), watch: false },
                Read::GetChildren { path, watch: false },
            ]),
        }
    }
}
