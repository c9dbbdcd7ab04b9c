//! Which part this server plays, and what its clients and sessions feel when that changes.

use zooid_ids::{ConnectionId, Epoch, ServerId};
use zooid_model::Command;
use zooid_session::Expiry;
use zooid_zab::Effect as Agreed;

use crate::Node;

/// Which part a server plays in its ensemble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// None: it looks for a leader, or makes its log the leader's.
    Looking,
    /// It leads.
    Leading(Epoch),
    /// It follows or observes, and has what its leader had when it began.
    Following {
        /// Whom.
        leader: ServerId,
        /// In which epoch.
        epoch: Epoch,
    },
}

impl Node {
    pub(crate) fn is_leading(&self) -> bool {
        matches!(self.role, Role::Leading(_))
    }

    /// What the agreement says of this server's part, before the driver hears of it.
    pub(crate) fn follow_role(&mut self, said: &Agreed) {
        match said {
            Agreed::Replay { through, .. } => self.replay_through = Some(*through),
            Agreed::Lead(epoch) => self.lead(*epoch),
            Agreed::Follow { leader, epoch } => {
                self.role = Role::Following { leader: *leader, epoch: *epoch };
            }
            Agreed::Lost => self.lose_leader(),
            Agreed::Replaced(zxid) => {
                let tree = self.fetched.take().expect("only what was fetched is put in place");
                assert_eq!(tree.zxid(), *zxid, "another state was put in place");
                // Nobody watches: all clients were closed when the leader before was lost.
                self.tree = tree;
                self.since_checkpoint = 0;
            }
            _ => {}
        }
    }

    /// A new leader hears of every session anew, forms the ensemble if nobody has, and says who
    /// belongs to it. An epoch that was started in place changes nothing of this.
    fn lead(&mut self, epoch: Epoch) {
        if self.is_leading() {
            self.role = Role::Leading(epoch);
            return;
        }
        self.role = Role::Leading(epoch);
        for (id, session) in self.tree.sessions() {
            self.expiry.track(id, self.clock.now, session.timeout);
        }
        if self.tree.formation().is_none() {
            let (cluster, secret) = self.settings.formation;
            self.propose(&Command::Form { cluster, secret });
        }
        self.show_servers();
    }

    /// `/zookeeper/config` shows where clients reach the servers, as the leader's file has it.
    fn show_servers(&mut self) {
        let Some(servers) = self.settings.servers.clone() else { return };
        if self.tree.config() != Some(&*servers) {
            self.propose(&Command::Configure { servers });
        }
    }

    /// As ZooKeeper does it, every client connection ends when the leader is lost: what a client
    /// asked may or may not have been committed, and its next request must not overtake the one
    /// before. This is the one place that decides so.
    fn lose_leader(&mut self) {
        self.role = Role::Looking;
        self.expiry = Expiry::new(self.settings.tick);
        self.ending.clear();
        self.syncs.clear();
        let connections: alloc::vec::Vec<ConnectionId> = self.connections.keys().copied().collect();
        connections.into_iter().for_each(|id| self.close(id));
    }
}
