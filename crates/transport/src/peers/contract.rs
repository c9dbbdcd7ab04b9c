//! `proto/peer.proto` in the words of [`zooid_zab`], and back.
//!
//! What a peer sends is checked here as far as it can be checked without a state: what comes out
//! satisfies what the types of `zab` promise.

use std::collections::BTreeMap;

use thiserror::Error;
use zooid_ids::{Epoch, Incarnation, Millis, ServerId, Zxid};
use zooid_zab::message::{Message, Notification, Plan, Standing, Vote};
use zooid_zab::{Body, Config, Entry, EpochEnds, Member, Promise, Seat, SyncTicket, Voters};

use super::generated as proto;
use proto::{entry, from_leader, from_learner, notification, sync};

/// Why a message is not what the contract says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum ContractError {
    /// A part is missing, or a newer version has written something else.
    #[error("{0} is missing or unknown")]
    Unknown(&'static str),
    /// An epoch whose zxids clients could not order.
    #[error("epoch {0} is beyond the last one")]
    Epoch(Epoch),
    /// Entries, or ends of epochs, that do not follow each other.
    #[error("{1} stands behind {0}")]
    Order(Zxid, Zxid),
    /// A learner says what only leaders say, or the other way round.
    #[error("a message in the wrong direction")]
    Direction,
}

/// A direction of the stream between a learner and its leader.
pub(crate) trait Frame: prost::Message + Default + Sized + 'static {
    /// A message in this direction.
    fn write(message: &Message) -> Result<Self, ContractError>;
    /// What a frame behind the first says.
    fn read(self) -> Result<Message, ContractError>;
    /// The first frame.
    fn open(hello: proto::Hello) -> Self;
    /// What the first frame says.
    fn opening(self) -> Result<proto::Hello, ContractError>;
    /// The forwards that a frame grants, in bytes since the stream was opened, if it does.
    fn grants(&self) -> Option<u64>;
}

impl Frame for proto::FromLearner {
    fn write(message: &Message) -> Result<Self, ContractError> {
        use from_learner::Message as P;
        let message = match message {
            Message::Info { member, promise, uninitialised } => P::Info(proto::Info {
                member: Some(write_member(*member)),
                promised_epoch: promise.epoch.0,
                promised_to: Some(write_member(promise.to)),
                uninitialised: *uninitialised,
            }),
            Message::Promised { epoch, counts, last, ends } => P::Promised(proto::Promised {
                epoch: epoch.0,
                counts: *counts,
                last: last.0,
                ends: ends.iter().map(|end| end.0).collect(),
            }),
            Message::Installed { zxid } => P::Installed(proto::Installed { zxid: zxid.0 }),
            Message::Ack { zxid } => P::Ack(proto::Ack { zxid: zxid.0 }),
            Message::Pong { sequence } => P::Pong(proto::Pong { sequence: *sequence }),
            Message::Forward { command } => P::Forward(proto::Forward { command: command.clone() }),
            Message::AskSync { ticket } => P::AskSync(proto::AskSync { ticket: ticket.0 }),
            Message::Touch { payload } => P::Touch(proto::Touch { payload: payload.clone() }),
            Message::Propose { .. }
            | Message::Sync { .. }
            | Message::Entries { .. }
            | Message::Commit { .. }
            | Message::Ping { .. }
            | Message::Synced { .. }
            | Message::Confirmed { .. }
            | Message::Suspect
            | Message::Acknowledged { .. } => return Err(ContractError::Direction),
        };
        Ok(Self { message: Some(message) })
    }

    fn read(self) -> Result<Message, ContractError> {
        use from_learner::Message as P;
        Ok(match self.message.ok_or(ContractError::Unknown("the message"))? {
            P::Info(info) => Message::Info {
                member: read_member(info.member)?,
                promise: Promise {
                    epoch: read_epoch(info.promised_epoch)?,
                    to: read_member(info.promised_to)?,
                },
                uninitialised: info.uninitialised,
            },
            P::Promised(promised) => Message::Promised {
                epoch: read_epoch(promised.epoch)?,
                counts: promised.counts,
                last: read_zxid(promised.last)?,
                ends: read_ends(&promised.ends)?,
            },
            P::Installed(installed) => Message::Installed { zxid: read_zxid(installed.zxid)? },
            P::Ack(ack) => Message::Ack { zxid: read_zxid(ack.zxid)? },
            P::Pong(pong) => Message::Pong { sequence: pong.sequence },
            P::Forward(forward) => Message::Forward { command: forward.command },
            P::AskSync(ask) => Message::AskSync { ticket: SyncTicket(ask.ticket) },
            P::Touch(touch) => Message::Touch { payload: touch.payload },
            P::Hello(_) => return Err(ContractError::Unknown("a second hello")),
        })
    }

    fn open(hello: proto::Hello) -> Self {
        Self { message: Some(from_learner::Message::Hello(hello)) }
    }

    fn opening(self) -> Result<proto::Hello, ContractError> {
        match self.message {
            Some(from_learner::Message::Hello(hello)) => Ok(hello),
            _ => Err(ContractError::Unknown("the hello")),
        }
    }

    fn grants(&self) -> Option<u64> {
        None
    }
}

impl Frame for proto::FromLeader {
    fn write(message: &Message) -> Result<Self, ContractError> {
        use from_leader::Message as P;
        let message = match message {
            Message::Propose { epoch, forms } => {
                P::Propose(proto::Propose { epoch: epoch.0, forms: *forms })
            }
            Message::Sync { plan, through } => {
                P::Sync(proto::Sync { through: through.0, plan: Some(write_plan(*plan)) })
            }
            Message::Entries { entries, commit } => P::Entries(proto::Entries {
                entries: entries.iter().map(write_entry).collect(),
                commit: commit.0,
            }),
            Message::Commit { zxid } => P::Commit(proto::Commit { zxid: zxid.0 }),
            Message::Ping { sequence, commit } => {
                P::Ping(proto::Ping { sequence: *sequence, commit: commit.0 })
            }
            Message::Synced { ticket, zxid } => {
                P::Synced(proto::Synced { ticket: ticket.0, zxid: zxid.0 })
            }
            Message::Suspect => P::Suspect(proto::Suspect {}),
            Message::Acknowledged { had } => {
                let had = had.iter().map(|(member, zxid)| proto::Had {
                    member: Some(write_member(*member)),
                    zxid: zxid.0,
                });
                P::Acknowledged(proto::Acknowledged { had: had.collect() })
            }
            Message::Confirmed { payload } => {
                P::Confirmed(proto::Confirmed { payload: payload.clone() })
            }
            Message::Info { .. }
            | Message::Promised { .. }
            | Message::Installed { .. }
            | Message::Ack { .. }
            | Message::Pong { .. }
            | Message::Forward { .. }
            | Message::AskSync { .. }
            | Message::Touch { .. } => return Err(ContractError::Direction),
        };
        Ok(Self { message: Some(message) })
    }

    fn read(self) -> Result<Message, ContractError> {
        use from_leader::Message as P;
        Ok(match self.message.ok_or(ContractError::Unknown("the message"))? {
            P::Propose(propose) => {
                Message::Propose { epoch: read_epoch(propose.epoch)?, forms: propose.forms }
            }
            P::Sync(sync) => {
                Message::Sync { plan: read_plan(sync.plan)?, through: read_zxid(sync.through)? }
            }
            P::Entries(entries) => Message::Entries {
                entries: read_entries(entries.entries)?,
                commit: read_zxid(entries.commit)?,
            },
            P::Commit(commit) => Message::Commit { zxid: read_zxid(commit.zxid)? },
            P::Ping(ping) => {
                Message::Ping { sequence: ping.sequence, commit: read_zxid(ping.commit)? }
            }
            P::Synced(synced) => {
                Message::Synced { ticket: SyncTicket(synced.ticket), zxid: read_zxid(synced.zxid)? }
            }
            P::Suspect(_) => Message::Suspect,
            P::Acknowledged(said) => Message::Acknowledged { had: read_had(said.had)? },
            P::Confirmed(confirmed) => Message::Confirmed { payload: confirmed.payload },
            P::Granted(_) => return Err(ContractError::Unknown("a message for the loop")),
            P::Hello(_) => return Err(ContractError::Unknown("a second hello")),
        })
    }

    fn open(hello: proto::Hello) -> Self {
        Self { message: Some(from_leader::Message::Hello(hello)) }
    }

    fn opening(self) -> Result<proto::Hello, ContractError> {
        match self.message {
            Some(from_leader::Message::Hello(hello)) => Ok(hello),
            _ => Err(ContractError::Unknown("the hello")),
        }
    }

    fn grants(&self) -> Option<u64> {
        match &self.message {
            Some(from_leader::Message::Granted(granted)) => Some(granted.forward_bytes),
            _ => None,
        }
    }
}

impl proto::FromLeader {
    /// Grants forwards: so many bytes in all since the stream was opened.
    pub(crate) fn granted(forward_bytes: u64) -> Self {
        let granted = proto::Granted { forward_bytes };
        Self { message: Some(from_leader::Message::Granted(granted)) }
    }
}

pub(crate) fn write_notification(said: &Notification) -> proto::Notification {
    use notification::Standing as P;
    proto::Notification {
        from: Some(write_member(said.from)),
        standing: Some(match said.standing {
            Standing::Looking => P::Looking(proto::Looking {}),
            Standing::Following(epoch) => P::Following(epoch.0),
            Standing::Leading(epoch) => P::Leading(epoch.0),
        }),
        round: said.round,
        vote_zxid: said.vote.map(|vote| vote.zxid.0),
        vote_leader: said.vote.map(|vote| vote.leader.0),
    }
}

pub(crate) fn read_notification(said: proto::Notification) -> Result<Notification, ContractError> {
    use notification::Standing as P;
    let standing = match said.standing.ok_or(ContractError::Unknown("the standing"))? {
        P::Looking(_) => Standing::Looking,
        P::Following(epoch) => Standing::Following(read_epoch(epoch)?),
        P::Leading(epoch) => Standing::Leading(read_epoch(epoch)?),
    };
    let vote = match (said.vote_zxid, said.vote_leader) {
        (None, None) => None,
        (Some(zxid), Some(leader)) => {
            Some(Vote { zxid: read_zxid(zxid)?, leader: ServerId(leader) })
        }
        _ => return Err(ContractError::Unknown("a part of the vote")),
    };
    Ok(Notification { from: read_member(said.from)?, standing, round: said.round, vote })
}

pub(crate) fn write_member(member: Member) -> proto::Member {
    let incarnation = member.incarnation.0.to_be_bytes().to_vec().into();
    proto::Member { id: member.id.0, incarnation }
}

pub(crate) fn read_member(member: Option<proto::Member>) -> Result<Member, ContractError> {
    let unknown = ContractError::Unknown("a member");
    let member = member.ok_or(unknown)?;
    let incarnation = read_u128(&member.incarnation).ok_or(unknown)?;
    Ok(Member { id: ServerId(member.id), incarnation: Incarnation(incarnation) })
}

fn read_had(had: Vec<proto::Had>) -> Result<Vec<(Member, Zxid)>, ContractError> {
    had.into_iter().map(|had| Ok((read_member(had.member)?, read_zxid(had.zxid)?))).collect()
}

pub(crate) fn read_u128(bytes: &[u8]) -> Option<u128> {
    bytes.try_into().ok().map(u128::from_be_bytes)
}

fn read_epoch(epoch: u32) -> Result<Epoch, ContractError> {
    let epoch = Epoch(epoch);
    if i32::try_from(epoch.0).is_ok() { Ok(epoch) } else { Err(ContractError::Epoch(epoch)) }
}

pub(crate) fn read_zxid(zxid: u64) -> Result<Zxid, ContractError> {
    let zxid = Zxid(zxid);
    read_epoch(zxid.epoch().0).map(|_| zxid)
}

fn read_ends(ends: &[u64]) -> Result<EpochEnds, ContractError> {
    let ends: Vec<Zxid> = ends.iter().map(|end| read_zxid(*end)).collect::<Result<_, _>>()?;
    if let Some(pair) = ends.windows(2).find(|pair| pair[0] >= pair[1]) {
        return Err(ContractError::Order(pair[0], pair[1]));
    }
    let (first, others) = ends.split_first().ok_or(ContractError::Unknown("the log's ends"))?;
    Ok(EpochEnds::new(*first, others.iter().copied()))
}

fn write_plan(plan: Plan) -> sync::Plan {
    match plan {
        Plan::Diff => sync::Plan::Diff(proto::Diff {}),
        Plan::Truncate(to) => sync::Plan::Truncate(to.0),
        Plan::Checkpoint => sync::Plan::Checkpoint(proto::Checkpoint {}),
    }
}

fn read_plan(plan: Option<sync::Plan>) -> Result<Plan, ContractError> {
    Ok(match plan.ok_or(ContractError::Unknown("the plan"))? {
        sync::Plan::Diff(_) => Plan::Diff,
        sync::Plan::Truncate(to) => Plan::Truncate(read_zxid(to)?),
        sync::Plan::Checkpoint(_) => Plan::Checkpoint,
    })
}

fn write_entry(entry: &Entry) -> proto::Entry {
    let body = match &entry.body {
        Body::EpochStart(config) => entry::Body::EpochStart(write_config(config)),
        Body::Command(command) => entry::Body::Command(command.clone()),
        Body::Config(config) => entry::Body::Config(write_config(config)),
    };
    proto::Entry {
        zxid: entry.zxid.0,
        prev_zxid: entry.prev_zxid.0,
        time_ms: entry.time.0,
        body: Some(body),
    }
}

fn read_entries(entries: Vec<proto::Entry>) -> Result<Vec<Entry>, ContractError> {
    let entries: Vec<_> = entries.into_iter().map(read_entry).collect::<Result<_, _>>()?;
    let gap = entries.windows(2).find(|pair| pair[1].prev_zxid != pair[0].zxid);
    match gap {
        Some(pair) => Err(ContractError::Order(pair[0].zxid, pair[1].zxid)),
        None => Ok(entries),
    }
}

fn read_entry(entry: proto::Entry) -> Result<Entry, ContractError> {
    let (zxid, prev_zxid) = (read_zxid(entry.zxid)?, read_zxid(entry.prev_zxid)?);
    if prev_zxid >= zxid {
        return Err(ContractError::Order(prev_zxid, zxid));
    }
    let body = match entry.body.ok_or(ContractError::Unknown("the entry's body"))? {
        entry::Body::EpochStart(start) => Body::EpochStart(read_config(start)?),
        entry::Body::Command(command) => Body::Command(command),
        entry::Body::Config(config) => Body::Config(read_config(config)?),
    };
    Ok(Entry { zxid, prev_zxid, time: Millis(entry.time_ms), body })
}

fn write_config(config: &Config) -> proto::Config {
    let (voters, seats) = write_voters(Some(&config.voters));
    let (next_voters, next_seats) = write_voters(config.next.as_ref());
    let registered = config.registered.iter().map(|(id, incarnation)| proto::Registration {
        voter: id.0,
        incarnation: incarnation
            .map(|life| life.0.to_be_bytes().to_vec())
            .unwrap_or_default()
            .into(),
    });
    let registered = registered.collect();
    proto::Config { voters, next_voters, seats, next_seats, registered }
}

/// The voters, and the seats of those that are not where they would be without groups.
fn write_voters(voters: Option<&Voters>) -> (Vec<u64>, Vec<proto::Seat>) {
    let seats = || voters.into_iter().flat_map(Voters::seats);
    let seat = |(id, seat): (ServerId, Seat)| proto::Seat {
        voter: id.0,
        group: seat.group,
        weight: seat.weight,
    };
    let unlike = seats().filter(|(_, seat)| *seat != Seat::default()).map(seat).collect();
    (seats().map(|(id, _)| id.0).collect(), unlike)
}

fn read_config(config: proto::Config) -> Result<Config, ContractError> {
    let unknown = ContractError::Unknown("the set of voters");
    let voters = read_voters(&config.voters, &config.seats)?.ok_or(unknown)?;
    let next = read_voters(&config.next_voters, &config.next_seats)?;
    let registered = config.registered.iter().map(read_registration).collect::<Result<_, _>>()?;
    Ok(Config { voters, next, registered })
}

/// None if there are none at all.
fn read_voters(ids: &[u64], unlike: &[proto::Seat]) -> Result<Option<Voters>, ContractError> {
    let mut seats: BTreeMap<_, _> = ids.iter().map(|id| (*id, Seat::default())).collect();
    for proto::Seat { voter, group, weight } in unlike {
        let seat = seats.get_mut(voter).ok_or(ContractError::Unknown("the seat's voter"))?;
        *seat = Seat { group: *group, weight: *weight };
    }
    if seats.is_empty() {
        return Ok(None);
    }
    let voters = Voters::seated(seats.into_iter().map(|(id, seat)| (ServerId(id), seat)));
    voters.map(Some).ok_or(ContractError::Unknown("a voter with a weight"))
}

fn read_registration(
    registration: &proto::Registration,
) -> Result<(ServerId, Option<Incarnation>), ContractError> {
    let id = ServerId(registration.voter);
    if registration.incarnation.is_empty() {
        return Ok((id, None));
    }
    let incarnation = read_u128(&registration.incarnation);
    let incarnation = incarnation.ok_or(ContractError::Unknown("an incarnation"))?;
    Ok((id, Some(Incarnation(incarnation))))
}
