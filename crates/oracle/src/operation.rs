//! Requests, their replies and their log entries, brought together for all who judge them.
//!
//! A reply belongs to the first unanswered request with its number; pings and `addAuthInfo` are
//! answered out of order, each in their own. The n-th command of a connection that the log took
//! belongs to its n-th request that goes through the log, whatever the entry says of itself.

use std::collections::BTreeMap;

use zooid_ids::{Xid, Zxid};
use zooid_model::{
    Acl, Command, ErrorCode, Identity, Origin, Owner, Reply, Request, WriteOp, limits,
};
use zooid_tree::Outcome;

use crate::history::{Asked, Committed, Conversation, History, Logged, Moment, Told};
use crate::replay::{Done, Replayed};

/// A request with all that is known of it.
#[derive(Clone, Copy)]
pub(crate) struct Operation<'a> {
    pub(crate) conversation: &'a Conversation,
    pub(crate) asked: &'a Asked,
    pub(crate) answer: Option<Answer<'a>>,
    /// The entry that did it, where there is one.
    pub(crate) entry: Option<Zxid>,
}

/// A reply.
#[derive(Clone, Copy)]
pub(crate) struct Answer<'a> {
    /// Where it stands in what was told.
    pub(crate) position: usize,
    pub(crate) zxid: Option<Zxid>,
    pub(crate) result: &'a Result<Reply, ErrorCode>,
    pub(crate) at: Moment,
}

/// A conversation with its requests and replies paired.
pub(crate) struct Observed<'a> {
    pub(crate) conversation: &'a Conversation,
    /// In the order in which they were asked.
    pub(crate) operations: Vec<Operation<'a>>,
    /// For each thing told, the operation that it answers.
    pub(crate) answers: Vec<Option<usize>>,
    /// Operations that were answered before an earlier one, and that one.
    pub(crate) overtakes: Vec<(usize, usize)>,
    /// Replies to nothing that was asked.
    pub(crate) strays: Vec<usize>,
    /// The entries of this connection that the log took, in its order.
    pub(crate) taken: Vec<Zxid>,
    /// The identities that the client proved.
    proofs: Vec<Proof<'a>>,
}

/// An identity that was proved.
struct Proof<'a> {
    /// Which request proved it.
    asked: usize,
    /// Where the client was told so.
    told: usize,
    identity: &'a Identity,
}

/// Pairs every conversation.
pub(crate) fn observe(history: &History) -> Vec<Observed<'_>> {
    history.conversations.iter().map(pair).collect()
}

fn pair(conversation: &Conversation) -> Observed<'_> {
    let operation = |asked| Operation { conversation, asked, answer: None, entry: None };
    let mut observed = Observed {
        conversation,
        operations: conversation.asked.iter().map(operation).collect(),
        answers: vec![None; conversation.told.len()],
        overtakes: Vec::new(),
        strays: Vec::new(),
        taken: Vec::new(),
        proofs: Vec::new(),
    };
    let mut waiting: BTreeMap<Lane, Vec<usize>> = BTreeMap::new();
    for (at, asked) in conversation.asked.iter().enumerate().rev() {
        waiting.entry(Lane::of(&asked.request)).or_default().push(at);
    }
    for (position, told) in conversation.told.iter().enumerate() {
        if let Told::Reply { xid, zxid, result, at } = told {
            let answer = Answer { position, zxid: *zxid, result, at: *at };
            observed.answered(&mut waiting, *xid, answer);
        }
    }
    observed.proofs = proofs(&observed.operations);
    observed
}

fn proofs<'a>(operations: &[Operation<'a>]) -> Vec<Proof<'a>> {
    let answered = operations.iter().enumerate().filter_map(|(asked, operation)| {
        let answer = operation.answer.filter(|answer| answer.result.is_ok())?;
        Some((asked, answer.position, operation.asked))
    });
    let each = answered.flat_map(|(asked, told, auth)| {
        auth.proves.iter().map(move |identity| Proof { asked, told, identity })
    });
    each.collect()
}

/// Requests that are answered in their order among each other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Lane {
    Ping,
    Auth,
    Ordinary,
}

impl Lane {
    fn of(request: &Request) -> Self {
        match request {
            Request::Ping => Self::Ping,
            Request::Auth { .. } => Self::Auth,
            _ => Self::Ordinary,
        }
    }
}

impl<'a> Observed<'a> {
    /// `waiting` has the oldest request last.
    fn answered(&mut self, waiting: &mut BTreeMap<Lane, Vec<usize>>, xid: Xid, answer: Answer<'a>) {
        let lane = match xid {
            Xid::PING => Lane::Ping,
            Xid::AUTH => Lane::Auth,
            _ => Lane::Ordinary,
        };
        let queue = waiting.entry(lane).or_default();
        let found = queue.iter().rposition(|at| self.operations[*at].asked.xid == xid);
        let Some(found) = found else { return self.strays.push(answer.position) };
        if let Some(oldest) = queue.last().filter(|oldest| **oldest != queue[found]) {
            self.overtakes.push((queue[found], *oldest));
        }
        let at = queue.remove(found);
        self.operations[at].answer = Some(answer);
        self.answers[answer.position] = Some(at);
    }

    /// Who the client is by what it was told before `position`.
    pub(crate) fn identities_at(&self, position: usize) -> Vec<Identity> {
        self.identities(|proof| proof.told < position)
    }

    /// Who the client is when its request number `at` is taken: what is proved counts for requests
    /// behind the proof.
    pub(crate) fn identities_when_asked(&self, at: usize) -> Vec<Identity> {
        self.identities(|proof| proof.asked < at)
    }

    fn identities(&self, counts: impl Fn(&Proof<'_>) -> bool) -> Vec<Identity> {
        let proofs = self.proofs.iter().filter(|proof| counts(proof));
        let proved = proofs.map(|proof| proof.identity);
        self.conversation.identities.iter().chain(proved).cloned().collect()
    }

    /// The connection's name in the log.
    fn owner(&self, replayed: &Replayed<'_>) -> Option<Owner> {
        let of_write = |operation: &Operation<'_>| {
            let zxid = operation.answer.filter(|_| operation.goes_through_the_log())?.zxid?;
            let (owner, entry) = owned(replayed.at(zxid)?.entry)?;
            is_command_of(entry, operation).then_some(owner)
        };
        self.conversation.owner.or_else(|| self.operations.iter().find_map(of_write))
    }
}

/// Finds the entries of every conversation, once it is known what they came to.
pub(crate) fn find_entries(observed: &mut [Observed<'_>], replayed: &Replayed<'_>) {
    let mut taken: BTreeMap<Owner, Vec<Zxid>> = BTreeMap::new();
    for done in replayed.entries.iter().filter(|done| took_effect(done)) {
        if let Some((owner, entry)) = owned(done.entry) {
            taken.entry(owner).or_default().push(entry.zxid);
        }
    }
    for one in observed {
        let owner = one.owner(replayed);
        one.taken = owner.and_then(|owner| taken.remove(&owner)).unwrap_or_default();
        let commands = one.operations.iter_mut().filter(|op| op.goes_through_the_log());
        for (operation, zxid) in commands.zip(&one.taken) {
            operation.entry = Some(*zxid);
        }
    }
}

fn took_effect(done: &Done<'_>) -> bool {
    matches!(done.outcome, Some(Outcome::Decided(_) | Outcome::SessionClosed { .. }))
}

/// The connection that a command is of.
pub(crate) fn owned(entry: &Committed) -> Option<(Owner, &Committed)> {
    match &entry.what {
        Logged::Command(Command::Write(write)) => Some((write.turn.owner, entry)),
        Logged::Command(Command::CloseSession { by: Origin::Client { owner, .. }, .. }) => {
            Some((*owner, entry))
        }
        _ => None,
    }
}

/// Whether an entry is what this operation asks.
pub(crate) fn is_command_of(entry: &Committed, operation: &Operation<'_>) -> bool {
    let may_be_of = |session| operation.conversation.may_be_of(session);
    match (&entry.what, &operation.asked.request) {
        (Logged::Command(Command::Write(write)), Request::Write(op)) => {
            write.op == *op && may_be_of(write.turn.session)
        }
        (
            Logged::Command(Command::CloseSession { session: closed, by: Origin::Client { .. } }),
            Request::CloseSession,
        ) => may_be_of(*closed),
        _ => false,
    }
}

impl Operation<'_> {
    /// A write or the end of the session, unless it is refused before it gets a place.
    pub(crate) fn goes_through_the_log(&self) -> bool {
        match &self.asked.request {
            Request::Write(op) => refusal(op).is_none(),
            Request::CloseSession => true,
            _ => false,
        }
    }

    /// True if the reply's zxid is the version of the answering server when it answered.
    pub(crate) fn is_evaluation(&self) -> bool {
        !self.goes_through_the_log() && !matches!(self.asked.request, Request::Auth { .. })
    }

    /// What was told, if it went well.
    pub(crate) fn success(&self) -> Option<(Zxid, &Reply)> {
        let answer = self.answer?;
        Some((answer.zxid?, answer.result.as_ref().ok()?))
    }
}

/// What is refused without a place in the log: sizes beyond [`limits`].
pub(crate) fn refusal(op: &WriteOp) -> Option<ErrorCode> {
    match op {
        WriteOp::Create(create) => refused_path(&create.path).or(refused_acl(&create.acl)),
        WriteOp::SetAcl { path, acl, .. } => refused_path(path).or(refused_acl(acl)),
        WriteOp::Delete { path, .. }
        | WriteOp::SetData { path, .. }
        | WriteOp::Check { path, .. } => refused_path(path),
        WriteOp::Multi(ops) if ops.len() > limits::MULTI_OPS => Some(ErrorCode::BadArguments),
        WriteOp::Multi(ops) => ops.iter().find_map(refusal),
    }
}

fn refused_path(path: &str) -> Option<ErrorCode> {
    let is_too_deep = path.matches('/').count() > limits::PATH_COMPONENTS;
    (path.len() > limits::PATH_BYTES || is_too_deep).then_some(ErrorCode::BadArguments)
}

fn refused_acl(acl: &[Acl]) -> Option<ErrorCode> {
    let is_long = |e: &Acl| e.id.scheme.len() + e.id.id.len() > limits::ACL_ID_BYTES;
    let is_refused = acl.len() > limits::ACL_ENTRIES || acl.iter().any(is_long);
    is_refused.then_some(ErrorCode::InvalidAcl)
}
