//! Known ways to break an ensemble, each a test: bugs that ZooKeeper had, told as what happens to
//! servers and clients. The names R01 to R50 are those of the maintainers' list of scenarios; the
//! table says where each is shown.
//!
//! | scenario | shown by |
//! |---|---|
//! | R01-R12, R15 | `synchronisation` |
//! | R13, R14, R16, R18, R30-R36, R39, R40, R44 | `faults` |
//! | R20-R24, R27, R28, R48 | `sessions` |
//! | R17 | `zooid-zab`: `testdata/ensemble/candidate_lost.txt`, a promise binds to one candidate |
//! | R25, R26, R29, R45 | `zooid-tree` and `zooid-watch`, where they are decided |
//! | R37, R38 | `zooid-storage`: directories of others, and damaged runs |
//! | R41 | `zooid-transport`: bounded queues of peers and clients |
//! | R19, R50 | reconfiguration; there is no command for it yet |
//! | R33, R42, R43, R46, R47, R49 | disks that are full, storms, versions, SASL, certificates, read-only mode: not of the simulated world |
//!
//! Every scene ends with the same judgement as every seed: all faults end, everybody comes together,
//! and all that clients were told is held against the log.

mod faults;
mod sessions;
mod synchronisation;

use zooid_ids::ServerId;
use zooid_model::{Create, CreateKind, CreateMode, Request, WriteOp};
use zooid_node::Role;
use zooid_oracle::History;

use crate::Setup;
use crate::disk::End;
use crate::server::Process;
use crate::world::World;

/// A world that is told what to do.
pub(crate) struct Scene {
    pub(crate) world: World,
}

const SECOND: u64 = 1_000_000;

impl Scene {
    /// Everybody serves, and every client is connected to a server: client 0 to server 1, and so on.
    pub(crate) fn new(setup: Setup) -> Self {
        let mut scene = Self { world: World::new(setup, 7, true) };
        let servers = scene.world.servers.len();
        for (client, state) in scene.world.clients.iter_mut().enumerate() {
            state.faithful_to = Some(ServerId(1 + (client % servers) as u64));
        }
        scene.settle();
        scene
    }

    /// Runs until everybody who runs serves, and every client is connected whose server runs.
    pub(crate) fn settle(&mut self) {
        self.until("everybody serves", |world| {
            let running = world.servers.values().filter_map(|server| server.process.as_ref());
            let mut running = running.filter(|process| !process.paused);
            let clients = 0..world.clients.len();
            running.all(|process| process.node.is_serving())
                && clients.filter(|client| world.has_server(*client)).all(|c| world.is_connected(c))
        });
    }

    /// The same, once somebody leads that is not the leader any more of which nobody hears.
    pub(crate) fn settle_with_another_leader(&mut self) {
        let before = self.world.record.elections();
        self.until("another epoch", |world| world.record.elections() > before);
        self.settle();
    }

    /// Runs until something is so.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, is_so: impl Fn(&World) -> bool) {
        let end = self.world.now + 60 * SECOND;
        while !is_so(&self.world) {
            assert!(self.world.now < end, "never: {what}\n{}", self.told());
            self.world.run(1000);
        }
    }

    pub(crate) fn run(&mut self, milliseconds: u64) {
        self.world.run(1000 * milliseconds);
    }

    /// Who leads.
    pub(crate) fn leader(&self) -> ServerId {
        let leads = |process: &Process| matches!(process.node.role(), Role::Leading(_));
        let mut leaders = self.world.servers.values().filter_map(|server| {
            server.process.as_ref().filter(|process| leads(process)).map(|_| server.id)
        });
        leaders.next().expect("somebody leads")
    }

    /// The others, ascending.
    pub(crate) fn followers(&self) -> Vec<ServerId> {
        let leader = self.leader();
        self.world.servers.keys().copied().filter(|id| *id != leader).collect()
    }

    /// The client that speaks to this server.
    pub(crate) fn client_of(&self, server: ServerId) -> usize {
        server.0 as usize - 1
    }

    /// A client makes a sequential node.
    pub(crate) fn write(&mut self, client: usize) {
        self.world.ask(client, create("/n-", CreateMode::PersistentSequential));
    }

    /// Every client writes so often, all at once.
    pub(crate) fn write_all(&mut self, count: usize) {
        for _ in 0..count {
            (0..self.world.clients.len()).for_each(|client| self.write(client));
        }
    }

    pub(crate) fn kill(&mut self, id: ServerId) {
        self.world.end(id, End::Killed);
    }

    pub(crate) fn cut_power(&mut self, id: ServerId) {
        self.world.end(id, End::PowerCut);
    }

    pub(crate) fn boot(&mut self, id: ServerId) {
        self.world.boot(id);
    }

    pub(crate) fn pause(&mut self, id: ServerId) {
        self.world.server(id).process.as_mut().expect("it runs").paused = true;
    }

    /// True if something of this kind was told.
    pub(crate) fn saw(&self, what: &str) -> bool {
        self.world.trace.lines.iter().flatten().any(|line| line.contains(what))
    }

    fn told(&self) -> String {
        let lines = self.world.trace.lines.iter().flatten();
        lines.cloned().collect::<Vec<_>>().join("\n")
    }

    /// All faults end, everybody comes together, and everything is judged.
    pub(crate) fn finish(mut self) -> History {
        self.world.heal_and_check();
        self.world.judge()
    }
}

impl World {
    /// True if the server that a client is faithful to runs.
    fn has_server(&self, client: usize) -> bool {
        let server = self.clients[client].faithful_to;
        server.is_none_or(|id| {
            self.servers[&id].process.as_ref().is_some_and(|process| !process.paused)
        })
    }
}

pub(crate) fn create(path: &str, mode: CreateMode) -> Request {
    Request::Write(WriteOp::Create(Create {
        path: path.into(),
        data: Some("x".into()),
        acl: zooid_model::Acl::open(),
        mode,
        kind: CreateKind::Create2,
    }))
}

/// Plays a scene again and again, each time with the end of one server after one more thing that it
/// did, until it gets to its end without. Gives how many ends there were.
pub(crate) fn at_every_effect(
    how: End,
    scene: impl Fn(&mut dyn FnMut(&mut Scene, ServerId)),
) -> u64 {
    for effects in 0.. {
        let mut armed = None;
        scene(&mut |scene, id| {
            if armed.is_none() {
                let process = scene.world.server(id).process.as_mut().expect("it runs");
                process.ends_after = Some((effects, how));
                armed = Some((id, process.boot));
                return;
            }
            // Asked again at the end of the scene: did it come so far?
            let still = scene.world.servers[&id].process.as_ref();
            let ended = still.is_none_or(|process| process.ends_after.is_none());
            if !ended {
                armed = Some((ServerId(0), 0));
            }
        });
        if armed == Some((ServerId(0), 0)) {
            return effects;
        }
        assert!(effects < 2000, "the scene never gets to its end");
    }
    unreachable!("the numbers do not end")
}
