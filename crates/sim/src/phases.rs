//! The two phases of a world: first anything goes and everything must stay right; then faults end
//! and everybody must come together. At the end all that clients were told is judged.

use zooid_ids::{ServerId, Zxid};
use zooid_model::Request;
use zooid_oracle::{History, Terms, judge};

use crate::disk::{End, Stored};
use crate::schedule::Step;
use crate::server::Server;
use crate::world::{Event, World};

/// So often it is looked whether the servers have come together.
const LOOK: u64 = 200_000;

impl World {
    /// Safety: all that was planned happens.
    pub(crate) fn torment(&mut self, steps: &[Step]) {
        for step in steps {
            self.post(step.at, Event::Act(Box::new(*step)));
        }
        let end = steps.last().map_or(0, |step| step.at);
        self.run_until(end + 1);
    }

    /// Liveness: a quorum of servers without faults goes on, then all do.
    ///
    /// # Panics
    /// If they do not, in a time that is long for them.
    pub(crate) fn heal_and_check(&mut self) {
        self.trace.tell(self.now, format_args!("all faults end"));
        self.end_faults();
        let core = self.core();
        let ids: Vec<ServerId> = self.servers.keys().copied().collect();
        for id in &ids {
            if core.contains(id) { self.boot(*id) } else { self.end(*id, End::Killed) }
        }
        self.expect("a quorum goes on", |world| world.serves(&core));
        ids.iter().for_each(|id| self.boot(*id));
        self.expect("everybody goes on", |world| world.serves(&ids));
        (0..self.clients.len()).for_each(|client| self.sleep(client, 0));
        self.expect("every client is connected", |world| {
            (0..world.clients.len()).all(|client| world.is_connected(client))
        });
        for client in 0..self.clients.len() {
            self.ask(client, Request::Sync { path: "/".into() });
        }
        self.expect("all servers have the same", |world| world.is_settled());
    }

    fn end_faults(&mut self) {
        self.heal();
        self.setup.loss = 0;
        let ids: Vec<ServerId> = self.servers.keys().copied().collect();
        for id in ids {
            let server = self.server(id);
            (server.slow_disk, server.skew) = (0, 0);
            if let Some(process) = &mut server.process {
                process.ends_after = None;
            }
            self.resume(id);
        }
    }

    /// Servers that must get on without the others: all, or a quorum of those whose disks count.
    fn core(&mut self) -> Vec<ServerId> {
        let all: Vec<ServerId> = self.servers.keys().copied().collect();
        let counting = self.counting();
        if !self.is_quorum(&counting) || self.dice.once_in(2) {
            return all;
        }
        let mut core = counting.clone();
        for _ in 0..2 * counting.len() {
            let at = self.dice.roll(core.len() as u64) as usize;
            let one = core.swap_remove(at);
            if !self.is_quorum(&core) {
                core.push(one);
            }
        }
        core
    }

    fn expect(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let tick = self.setup.tick.0 as u64 * 1000;
        let end = self.now + 60_000_000 + 200 * tick;
        while !is_so(self) {
            assert!(self.now < end, "no progress: {what}, but not in time");
            self.run(LOOK);
        }
    }

    /// True if all of these serve clients.
    fn serves(&self, ids: &[ServerId]) -> bool {
        ids.iter().all(|id| self.servers[id].node().is_some_and(zooid_node::Node::is_serving))
    }

    fn is_settled(&self) -> bool {
        let states = self.servers.values().filter_map(|server| server.node());
        let mut states = states.map(|node| (node.tree().zxid(), node.outstanding()));
        let first = states.next().expect("there is a server");
        let same = first.1 == 0 && states.all(|state| state.0 == first.0);
        same && self.servers.values().all(|server| server.disk.is_idle())
    }

    /// Voters whose disks count, as the newest log has it; none before anything was agreed: until
    /// then everybody is needed.
    fn counting(&self) -> Vec<ServerId> {
        if !self.record.is_formed() {
            return Vec::new();
        }
        let disks = self.servers.values().map(|server| server.disk.stored.last().zxid);
        let newest = disks.max().unwrap_or_default();
        let counts = |id: &ServerId| {
            let Server { disk, process, is_rolled_back, .. } = &self.servers[id];
            let is_sound = process.is_some() || disk.stored.is_sound(*id);
            let is_sound = is_sound && !is_rolled_back;
            is_sound && disk.member(*id).is_some_and(|member| self.record.counts(newest, member))
        };
        self.servers.keys().copied().filter(counts).collect()
    }

    /// A disk may be lost only if enough others know what was agreed.
    fn may_lose(&self, id: ServerId) -> bool {
        let counting = self.counting();
        let others: Vec<ServerId> = counting.into_iter().filter(|other| *other != id).collect();
        self.is_quorum(&others)
    }

    fn is_quorum(&self, ids: &[ServerId]) -> bool {
        self.setup.config().is_quorum(|id| ids.contains(&id))
    }

    /// Its disk is replaced by an empty one.
    pub(crate) fn wipe(&mut self, id: ServerId) {
        if self.may_lose(id) {
            self.end(id, End::PowerCut);
            self.record.lost(id);
            self.server(id).disk.stored = Stored::default();
            self.server(id).is_rolled_back = false;
            self.trace.tell(self.now, format_args!("server {id} has an empty disk"));
        }
    }

    /// Somebody makes a copy of its disk.
    pub(crate) fn copy(&mut self, id: ServerId) {
        let stored = self.servers[&id].disk.stored.clone();
        self.server(id).copy = Some(stored).filter(|stored| stored.identity.is_some());
    }

    /// The copy of its disk is put back. Only if all others have recorded that this life had more:
    /// that it had a little more nobody may know yet.
    pub(crate) fn restore(&mut self, id: ServerId) {
        let Some(copy) = self.servers[&id].copy.clone().filter(|_| self.may_lose(id)) else {
            return;
        };
        let lives = |stored: &Stored| stored.identity.map(|own| own.incarnation);
        let has = copy.last().zxid;
        let knows = |other: &Server| {
            let mut records = other.disk.stored.acknowledged.iter();
            records.any(|(member, had)| {
                member.id == id && Some(member.incarnation) == lives(&copy) && *had > has
            })
        };
        let counting = self.counting();
        let mut others = counting.iter().filter(|other| **other != id);
        let same_life = lives(&self.servers[&id].disk.stored) == lives(&copy);
        if same_life && others.all(|other| knows(&self.servers[other])) {
            self.end(id, End::Killed);
            self.record.lost(id);
            let server = self.server(id);
            (server.disk.stored, server.is_rolled_back) = (copy, true);
            self.trace.tell(self.now, format_args!("server {id} has an older disk, up to {has}"));
        }
    }

    /// The end of its log is gone though it was synced. Not if the power had failed within the last
    /// second before: that nobody can see who looks at this disk alone.
    pub(crate) fn damage(&mut self, id: ServerId, entries: usize) {
        if self.may_lose(id) {
            self.end(id, End::Killed);
            let whole = self.servers[&id].disk.stored.clone();
            let stored = &mut self.server(id).disk.stored;
            stored.lose(entries);
            if stored.is_sound(id) {
                *stored = whole;
            } else {
                self.trace.tell(self.now, format_args!("server {id} has a damaged log"));
            }
        }
    }

    /// What clients were told, and what servers hold, against the log.
    ///
    /// # Panics
    /// With what is wrong.
    pub(crate) fn judge(mut self) -> History {
        let last = self.servers.values().filter_map(|server| server.node());
        let last = last.map(|node| node.tree().zxid()).max().unwrap_or(Zxid::ZERO);
        let log = self.record.committed(last);
        self.record.check(&log);
        let servers = self.servers.values();
        let servers = servers.map(|s| self.record.log_of(s.id, &s.disk.stored, last)).collect();
        let mut conversations = std::mem::take(&mut self.ended);
        conversations.extend(self.lines.into_values().map(|line| line.conversation));
        let history = History { log, conversations, servers };
        // Between members a sign of life may be passed on late: what must hold of expiry is
        // checked as servers speak.
        let violations = judge(&history, &Terms { relay: u64::MAX });
        if let Some(first) = violations.first() {
            panic!("{first}");
        }
        history
    }
}
