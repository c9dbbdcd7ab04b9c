//! What one connection has done, for `cons` and `stat`.

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use zooid_ids::{ConnectionId, Millis, SessionId, Xid, Zxid};
use zooid_model::{Read, Request, WriteOp};

/// One connection at one moment.
#[derive(Clone, Debug)]
pub struct ConnectionReport {
    /// Its number.
    pub connection: ConnectionId,
    /// The other end.
    pub peer: SocketAddr,
    /// Whether requests are read from it just now.
    pub reading: bool,
    /// Whether something waits to be written to it.
    pub writing: bool,
    /// Requests without an answer.
    pub queued: usize,
    /// Frames received (a four-letter word counts as one).
    pub received: u64,
    /// Frames sent.
    pub sent: u64,
    /// When it was accepted.
    pub established: SystemTime,
    /// Its session; [`SessionId::NONE`] before there is one.
    pub session: SessionId,
    /// The session's negotiated timeout.
    pub timeout: Millis,
    /// The last answer; `None` before the first.
    pub last: Option<LastReply>,
    /// The shortest time from request to answer.
    pub min_latency: Duration,
    /// The mean time from request to answer.
    pub avg_latency: Duration,
    /// The longest time from request to answer.
    pub max_latency: Duration,
}

/// The last answer on a connection.
#[derive(Clone, Copy, Debug)]
pub struct LastReply {
    /// ZooKeeper's short name of the operation, such as `GETD`.
    pub operation: &'static str,
    /// The last request's number that is not one of the special, negative ones.
    pub xid: Option<Xid>,
    /// The zxid it carried.
    pub zxid: Zxid,
    /// When.
    pub at: Instant,
    /// How long it took.
    pub latency: Duration,
}

/// The numbers behind a [`ConnectionReport`].
#[derive(Debug)]
pub(crate) struct Traffic {
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) session: SessionId,
    pub(crate) timeout: Millis,
    established: SystemTime,
    last: Option<LastReply>,
    min: Duration,
    max: Duration,
    sum: Duration,
    count: u32,
}

impl Traffic {
    pub(crate) fn new() -> Self {
        Self {
            received: 0,
            sent: 0,
            session: SessionId::NONE,
            timeout: Millis(0),
            established: SystemTime::now(),
            last: None,
            min: Duration::MAX,
            max: Duration::ZERO,
            sum: Duration::ZERO,
            count: 0,
        }
    }

    /// Notes an answer.
    pub(crate) fn answered(&mut self, reply: LastReply) {
        let before = self.last.and_then(|last| last.xid);
        let xid = reply.xid.filter(|xid| xid.0 >= 0).or(before);
        self.min = self.min.min(reply.latency);
        self.max = self.max.max(reply.latency);
        self.sum += reply.latency;
        self.count = self.count.saturating_add(1);
        self.last = Some(LastReply { xid, ..reply });
    }

    /// Sets back what `crst` sets back; who it is stays.
    pub(crate) fn reset(&mut self) {
        let (session, timeout, established) = (self.session, self.timeout, self.established);
        *self = Self { session, timeout, established, ..Self::new() };
    }

    /// The report; what is not known here is filled in by the caller.
    pub(crate) fn report(&self, connection: ConnectionId, peer: SocketAddr) -> ConnectionReport {
        ConnectionReport {
            connection,
            peer,
            reading: true,
            writing: false,
            queued: 0,
            received: self.received,
            sent: self.sent,
            established: self.established,
            session: self.session,
            timeout: self.timeout,
            last: self.last,
            min_latency: if self.count == 0 { Duration::ZERO } else { self.min },
            avg_latency: self.sum.checked_div(self.count).unwrap_or_default(),
            max_latency: self.max,
        }
    }
}

/// ZooKeeper's short name of an operation, as `cons` prints it.
pub(crate) fn operation(request: &Request) -> &'static str {
    match request {
        Request::Write(write) => write_operation(write),
        Request::Read(read) => read_operation(read),
        Request::Sync { .. } => "SYNC",
        Request::Ping => "PING",
        Request::SetWatches(lists)
            if lists.persistent.is_empty() && lists.persistent_recursive.is_empty() =>
        {
            "SETW"
        }
        Request::SetWatches(_) => "STW2",
        Request::AddWatch { .. } => "ADDW",
        Request::CheckWatches { .. } => "CHKW",
        Request::RemoveWatches { .. } => "REMW",
        Request::WhoAmI => "HOMI",
        Request::CloseSession => "CLOS",
        Request::Auth { .. } | Request::Unknown { .. } | Request::Malformed { .. } => "NA",
    }
}

fn write_operation(write: &WriteOp) -> &'static str {
    match write {
        WriteOp::Create(_) => "CREA",
        WriteOp::Delete { .. } => "DELE",
        WriteOp::SetData { .. } => "SETD",
        WriteOp::SetAcl { .. } => "SETA",
        WriteOp::Check { .. } => "CHEC",
        WriteOp::Multi(_) => "MULT",
    }
}

fn read_operation(read: &Read) -> &'static str {
    match read {
        Read::Exists { .. } => "EXIS",
        Read::GetData { .. } => "GETD",
        Read::GetAcl { .. } => "GETA",
        Read::GetChildren { .. } | Read::GetChildren2 { .. } => "GETC",
        Read::GetEphemerals { .. } => "GETE",
        Read::GetAllChildrenNumber { .. } => "GETACN",
        Read::MultiRead(_) => "MLTR",
    }
}
