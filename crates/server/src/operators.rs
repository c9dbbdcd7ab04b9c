//! Answers four-letter words: gathers what they are about and lets [`words`] say it.
//!
//! What only the loop knows is asked of the loop, between two turns.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::{Instant, UNIX_EPOCH};

use tokio::sync::oneshot;
use zooid_ids::{ConnectionId, Millis, ServerId, SessionId};
use zooid_node::Role;
use zooid_storage::{DataDirs, Sizes};
use zooid_transport::peers::Peers;
use zooid_transport::{Clients, ConnectionReport, Mailbox, Word, Words};
use zooid_zab::LearnerView;

use crate::config::Config;
use crate::turn::Loop;
use crate::words::{self, Conf, Dump, DumpedConnection, Metric, Monitor, Name, View, WatchSummary};
use crate::{Event, clock, system};

/// Answers four-letter words about one server.
pub(crate) struct Operators {
    config: Config,
    client_port: u16,
    clients: Arc<Clients>,
    peers: Option<Arc<Peers>>,
    mailbox: Arc<Mailbox<Event>>,
    /// Only looked at: they are to be unlocked when the loop ends.
    dirs: Weak<DataDirs>,
    version: String,
    started: Instant,
    trace_mask: AtomicI64,
}

impl Operators {
    /// About the server that is made of these, and serves clients on this port.
    #[must_use]
    pub(crate) fn new(
        config: &Config,
        client_port: u16,
        (clients, peers): (&Arc<Clients>, Option<&Arc<Peers>>),
        mailbox: &Arc<Mailbox<Event>>,
        dirs: &Arc<DataDirs>,
    ) -> Self {
        Self {
            config: config.clone(),
            client_port,
            clients: clients.clone(),
            peers: peers.cloned(),
            mailbox: mailbox.clone(),
            dirs: Arc::downgrade(dirs),
            version: words::version(built()),
            started: Instant::now(),
            trace_mask: AtomicI64::new(words::TRACE_MASK),
        }
    }

    async fn say(&self, name: Name, argument: Option<i64>) -> String {
        if name.is_of_state() && !self.is_serving().await {
            let is_asked_for_mode = name == Name::Isro;
            return if is_asked_for_mode { "null".into() } else { words::NOT_SERVING.into() };
        }
        let said = match name {
            Name::Ruok => Some(words::HERE.to_string()),
            Name::Envi => Some(words::envi(&words::environment(&self.version))),
            Name::Gtmk => Some(self.trace_mask.load(Relaxed).to_string()),
            Name::Stmk => Some(self.set_trace_mask(argument)),
            Name::Isro => Some(words::READ_WRITE.to_string()),
            Name::Cons => Some(self.cons()),
            Name::Crst => Some(self.reset_connections()),
            Name::Srst => Some(self.reset_server()),
            Name::Conf => self.sizes().await.map(|sizes| self.conf(sizes)),
            Name::Dirs => self.sizes().await.map(|sizes| words::dirs(sizes.data, sizes.log)),
            Name::Srvr => self.view().await.map(|view| words::srvr(&view)),
            Name::Stat => self.view().await.map(|view| words::stat(&view, &self.clients.reports())),
            Name::Dump => self.dump().await.map(|dump| words::dump(&dump)),
            Name::Mntr => self.mntr().await,
            Name::Hash => self.look(hash).await,
            Name::Wchs => self.look(wchs).await,
            Name::Wchc => self.look(wchc).await,
            Name::Wchp => self.look(wchp).await,
        };
        said.unwrap_or_else(|| words::NOT_SERVING.to_string())
    }

    /// A member that looks for its leader serves nobody.
    async fn is_serving(&self) -> bool {
        self.look(|state| state.node.is_serving()).await.unwrap_or(false)
    }

    /// Lets the loop look at its state; `None` if it has ended.
    async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Loop) -> T + Send + 'static,
    ) -> Option<T> {
        let (give, take) = oneshot::channel();
        self.mailbox.put(Event::Look(Box::new(move |state| {
            // Who asked may have gone.
            let _ = give.send(look(state));
        })));
        take.await.ok()
    }

    /// What the directories take, counted on a thread that may wait for the disk.
    async fn sizes(&self) -> Option<Sizes> {
        let dirs = self.dirs.upgrade()?;
        tokio::task::spawn_blocking(move || dirs.sizes()).await.ok()
    }

    fn conf(&self, sizes: Sizes) -> String {
        let Sizes { data, log } = sizes;
        let more = Conf { client_port: self.client_port, data_bytes: data, log_bytes: log };
        words::conf(&self.config, more)
    }

    fn set_trace_mask(&self, argument: Option<i64>) -> String {
        let mask = argument.unwrap_or(0);
        self.trace_mask.store(mask, Relaxed);
        mask.to_string()
    }

    fn cons(&self) -> String {
        let reports = self.clients.reports();
        let now = words::Now { instant: Instant::now(), milliseconds: clock::now().0 };
        words::cons(&reports, now)
    }

    fn reset_connections(&self) -> String {
        self.clients.reset_reports();
        words::CONNECTIONS_RESET.to_string()
    }

    fn reset_server(&self) -> String {
        self.clients.counters().reset();
        words::SERVER_RESET.to_string()
    }

    async fn view(&self) -> Option<View> {
        let look = |state: &Loop| {
            let (node, proposals) = (&state.node, state.measures.proposals);
            (node.tree().zxid(), node.tree().node_count(), node.role(), proposals)
        };
        let (zxid, znodes, role, proposals) = self.look(look).await?;
        let leads_others = self.config.ensemble.is_some() && matches!(role, Role::Leading(_));
        let counters = self.clients.counters();
        Some(View {
            version: self.version.clone(),
            mode: self.mode(role),
            proposals: leads_others.then_some(proposals),
            min_latency: counters.latency.min_ms(),
            avg_latency: counters.latency.avg_ms(),
            max_latency: counters.latency.max_ms(),
            received: counters.received.load(Relaxed),
            sent: counters.sent.load(Relaxed),
            connections: self.clients.open_connections(),
            outstanding: self.clients.outstanding_requests(),
            zxid,
            znodes,
        })
    }

    fn mode(&self, role: Role) -> &'static str {
        let Some(ensemble) = &self.config.ensemble else { return "standalone" };
        match role {
            Role::Leading(_) => "leader",
            _ if ensemble.servers[&self.config.id].is_observer => "observer",
            _ => "follower",
        }
    }

    async fn dump(&self) -> Option<Dump> {
        let (sessions, ephemerals) = self.look(sessions).await?;
        let deadlines: BTreeMap<_, _> =
            sessions.iter().map(|(deadline, session)| (*session, *deadline)).collect();
        let connections = self.clients.reports().into_iter().map(|report| {
            let deadline = deadlines.get(&report.session).copied();
            let deadline = deadline.unwrap_or_else(|| self.sessionless_deadline(&report));
            (deadline, DumpedConnection { peer: report.peer, session: report.session })
        });
        Some(Dump { sessions, ephemerals, connections: connections.collect() })
    }

    fn sessionless_deadline(&self, report: &ConnectionReport) -> Millis {
        let deadline = report.established + self.config.sessionless_timeout;
        let since = deadline.duration_since(UNIX_EPOCH).unwrap_or_default();
        Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    async fn mntr(&self) -> Option<String> {
        let view = self.view().await?;
        let mut monitor = Monitor::default();
        monitor.add("version", Metric::Text(view.version));
        monitor.add("server_state", Metric::Text(view.mode.to_string()));
        monitor.add("avg_latency", Metric::Real(view.avg_latency));
        monitor.integer("max_latency", view.max_latency);
        monitor.integer("min_latency", view.min_latency);
        monitor.integer("packets_received", view.received);
        monitor.integer("packets_sent", view.sent);
        monitor.integer("num_alive_connections", view.connections);
        monitor.integer("outstanding_requests", view.outstanding);
        monitor.integer("uptime", self.started.elapsed().as_millis());
        monitor.integer("znode_count", view.znodes);
        add_system(&mut monitor);
        self.add_transport(&mut monitor);
        self.add_peers(&mut monitor);
        let participants =
            self.config.ensemble.as_ref().map(|ensemble| ensemble.participants().collect());
        self.look(move |state| add_state(add_leader(monitor, participants, state), state)).await
    }

    fn add_transport(&self, monitor: &mut Monitor) {
        let counters = self.clients.counters();
        for (name, counter) in [
            ("connection_request_count", &counters.connect_requests),
            ("bytes_received_count", &counters.bytes_received),
            ("response_bytes", &counters.response_bytes),
            ("watch_bytes", &counters.watch_bytes),
            ("connection_rejected", &counters.rejected),
            ("connection_drop_count", &counters.dropped),
            ("sessionless_connections_expired", &counters.sessionless_expired),
            ("large_requests_rejected", &counters.oversized_frames),
            ("zooid_malformed_frames", &counters.malformed_frames),
            ("zooid_tls_on_plain_port", &counters.tls_on_plain_port),
            ("zooid_http_on_client_port", &counters.http_on_client_port),
            ("zooid_slow_clients", &counters.slow_clients),
            ("zooid_accept_errors", &counters.accept_errors),
        ] {
            monitor.integer(name, counter.load(Relaxed));
        }
        monitor.latency("readlatency", &counters.read_latency);
        monitor.latency("updatelatency", &counters.update_latency);
    }

    /// What was said between servers; nothing where there is one.
    fn add_peers(&self, monitor: &mut Monitor) {
        for (name, count) in self.peers.iter().flat_map(|peers| peers.counters().named()) {
            monitor.integer(&format!("zooid_{name}"), count);
        }
    }
}

impl Words for Operators {
    fn is_word(&self, name: [u8; 4]) -> bool {
        Name::from_letters(name).is_some()
    }

    fn answer(&self, word: Word) -> Pin<Box<dyn Future<Output = String> + Send + '_>> {
        match Name::from_letters(word.name).filter(|name| self.config.words.has(*name)) {
            Some(name) => Box::pin(self.say(name, word.argument)),
            None => Box::pin(std::future::ready(words::refused(word))),
        }
    }
}

/// When this program was built: when its file was written. 0 where that cannot be found out.
fn built() -> Millis {
    let written = std::env::current_exe().and_then(fs::metadata).and_then(|file| file.modified());
    let since = written.ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    Millis(since.map_or(0, |since| since.as_millis() as i64))
}

fn hash(state: &Loop) -> String {
    let tree = state.node.tree();
    words::hash(&[(tree.zxid(), tree.digest())])
}

fn wchs(state: &Loop) -> String {
    let summary = state.node.watches().summary();
    words::wchs(WatchSummary {
        connections: summary.connections,
        paths: summary.paths,
        watches: summary.watches,
    })
}

fn wchc(state: &Loop) -> String {
    let sessions = sessions_of_connections(state);
    let of = |connection| sessions.get(&connection).copied().unwrap_or_default();
    let watches = state.node.watches().by_connection();
    words::wchc(watches.into_iter().map(|(connection, paths)| (of(connection), paths)))
}

fn wchp(state: &Loop) -> String {
    let sessions = sessions_of_connections(state);
    let of = |connection| sessions.get(&connection).copied().unwrap_or_default();
    let watches = state.node.watches().by_path();
    words::wchp(
        watches.into_iter().map(|(path, connections)| (path, connections.into_iter().map(of))),
    )
}

fn sessions_of_connections(state: &Loop) -> BTreeMap<ConnectionId, SessionId> {
    state.node.connections().map(|view| (view.connection, view.session)).collect()
}

type Ephemerals = Vec<(SessionId, Vec<String>)>;

/// Every session with the wall time of its deadline, and the ephemeral nodes of those that have
/// any.
fn sessions(state: &Loop) -> (Vec<(Millis, SessionId)>, Ephemerals) {
    let clock = clock::read();
    let wall = |deadline: zooid_ids::Instant| {
        Millis(clock.wall.0 + deadline.since(clock.now).0 - clock.now.since(deadline).0)
    };
    let sessions = state.node.expiries().map(|(deadline, session)| (wall(deadline), session));
    let tree = state.node.tree();
    let ephemerals = tree.sessions().map(|(session, _)| (session, tree.ephemerals(session)));
    (sessions.collect(), ephemerals.filter(|(_, paths)| !paths.is_empty()).collect())
}

fn add_system(monitor: &mut Monitor) {
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        monitor.integer("open_file_descriptor_count", files.count());
    }
    if let Some(limit) = system::max_open_files() {
        monitor.integer("max_file_descriptor_count", limit);
    }
}

/// What only a leader of others has. A follower counts as such also while it has no vote.
fn add_leader(
    mut monitor: Monitor,
    participants: Option<BTreeSet<ServerId>>,
    state: &Loop,
) -> Monitor {
    let (Some(participants), Role::Leading(_)) = (participants, state.node.role()) else {
        return monitor;
    };
    let learners = state.node.learners();
    let synced = learners.iter().filter(|learner| learner.is_synchronised);
    let follows = |learner: &&LearnerView| participants.contains(&learner.id);
    let (followers, observers): (Vec<&LearnerView>, Vec<_>) = synced.partition(follows);
    let words::Proposals { last, min, max } = state.measures.proposals;
    monitor.integer("learners", learners.len());
    monitor.integer("synced_followers", followers.len());
    monitor.integer("synced_non_voting_followers", 0);
    monitor.integer("synced_observers", observers.len());
    monitor.integer("pending_syncs", state.node.pending_syncs());
    monitor.integer("leader_uptime", state.measures.leader_uptime().as_millis());
    monitor.integer("quorum_size", participants.len());
    monitor.integer("last_proposal_size", last);
    monitor.integer("min_proposal_size", min);
    monitor.integer("max_proposal_size", max);
    monitor
}

/// What the loop knows.
fn add_state(mut monitor: Monitor, state: &Loop) -> String {
    let (tree, counters) = (state.node.tree(), state.node.counters());
    monitor.integer("watch_count", state.node.watches().count());
    monitor.integer("ephemerals_count", tree.ephemerals_count());
    monitor.integer("approximate_data_size", tree.approximate_data_size());
    monitor.integer("global_sessions", tree.sessions().len());
    monitor.integer("local_sessions", 0);
    for (name, count) in [
        ("auth_failed_count", counters.auth_failures),
        ("connection_revalidate_count", counters.sessions_reattached),
        ("stale_sessions_expired", counters.sessions_expired),
        ("zooid_entries_applied", counters.entries_applied),
        ("zooid_events_sent", counters.events_sent),
        ("zooid_nodes_collected", counters.nodes_collected),
        ("zooid_over_soft_quota", counters.over_soft_quota),
        ("zooid_over_hard_quota", counters.over_hard_quota),
        ("zooid_unknown_requests", counters.unknown_requests),
        ("zooid_malformed_requests", counters.malformed_requests),
        ("zooid_refused_over_limit", counters.refused_over_limit),
        ("zooid_clients_ahead", counters.clients_ahead),
        ("zooid_refused_for_room", counters.refused_for_room),
        ("zooid_short_of_room", u64::from(state.node.is_short_of_room())),
    ] {
        monitor.integer(name, count);
    }
    if let Some(free) = state.measures.free {
        monitor.integer("zooid_free_bytes", free);
    }
    let fsync = state.measures.fsync_time;
    monitor.summary("fsynctime", fsync.count, fsync.sum_ms, fsync.min_ms, fsync.max_ms);
    monitor.into_text()
}
