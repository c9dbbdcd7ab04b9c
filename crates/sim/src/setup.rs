//! What one world is like: drawn anew from each seed, so that every size and limit meets every fault.

use std::collections::BTreeMap;

use zooid_ids::{Millis, ServerId};
use zooid_zab::{Config, Seat, Voters};

use crate::dice::Dice;

/// A span of time in microseconds, both ends included.
pub(crate) type Span = (u64, u64);

/// One world, before anything happens in it.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Servers with a vote; the first ones.
    pub voters: u64,
    /// Their groups and weights, where they are not all equal.
    pub seats: Vec<Seat>,
    /// Servers without; the last ones.
    pub observers: u64,
    /// Who connects.
    pub clients: usize,
    /// `tickTime`.
    pub tick: Millis,
    /// What clients wish.
    pub session_timeout: Millis,
    /// From this counter on an epoch rolls over.
    pub rollover_counter: u32,
    /// Entries between checkpoints.
    pub checkpoint_entries: u64,
    /// Entries of the log that stay behind a checkpoint.
    pub keep_entries: u64,
    /// How long a message is under way.
    pub latency: Span,
    /// How much longer a forward is under way, as it waits until the leader grants it: what was
    /// said after it overtakes it.
    pub forward_wait: Span,
    /// How long a sync of a disk takes.
    pub sync: Span,
    /// How long after the first input a turn of a server's loop begins: what comes until then is
    /// one batch.
    pub gather: Span,
    /// One election message in so many is lost; none if 0.
    pub loss: u64,
}

const LATENCIES: [Span; 4] = [(50, 300), (100, 2000), (500, 20_000), (1000, 80_000)];

const FORWARD_WAITS: [Span; 4] = [(0, 0), (0, 0), (0, 5000), (0, 400_000)];

const SYNCS: [Span; 3] = [(50, 200), (500, 5000), (2000, 50_000)];

/// The spans that are not longer than a tick of that length bears: limits are counted in ticks, and
/// an operator sets them so that they can be kept.
fn up_to(longest: u64, spans: &[Span]) -> &[Span] {
    &spans[..spans.iter().take_while(|span| span.1 <= longest).count()]
}

/// One ensemble in eight has groups or weights.
fn seats(voters: u64, dice: &mut Dice) -> Vec<Seat> {
    if voters < 3 || dice.next() >> 32 & 7 != 0 {
        return Vec::new();
    }
    let groups = 1 + dice.roll(3);
    (0..voters).map(|_| Seat { group: dice.roll(groups), weight: dice.roll(4) }).collect()
}

impl Default for Setup {
    /// Three servers and three clients on a good network.
    fn default() -> Self {
        Self {
            voters: 3,
            seats: Vec::new(),
            observers: 0,
            clients: 3,
            tick: Millis(500),
            session_timeout: Millis(4000),
            rollover_counter: u32::MAX,
            checkpoint_entries: 1000,
            keep_entries: 1000,
            latency: (100, 1000),
            forward_wait: (0, 0),
            sync: (500, 5000),
            gather: (1, 200),
            loss: 0,
        }
    }
}

impl Setup {
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let mut seating = dice.clone();
        let tick = Millis(dice.pick(&[50, 200, 500, 500, 2000]));
        let voters = dice.pick(&[1, 2, 3, 3, 3, 3, 4, 5, 5, 7]);
        Self {
            voters,
            seats: seats(voters, &mut seating),
            forward_wait: seating.pick(&FORWARD_WAITS),
            observers: dice.pick(&[0, 0, 0, 1, 2]),
            clients: 1 + dice.roll(5) as usize,
            tick,
            session_timeout: Millis(tick.0 * dice.pick(&[4, 8, 20])),
            rollover_counter: dice.pick(&[10, 100, u32::MAX, u32::MAX]),
            checkpoint_entries: dice.pick(&[5, 20, 100, 5000]),
            keep_entries: dice.pick(&[0, 3, 30, 5000]),
            latency: dice.pick(up_to(tick.0 as u64 * 50, &LATENCIES)),
            sync: dice.pick(up_to(tick.0 as u64 * 100, &SYNCS)),
            gather: dice.pick(&[(1, 1), (1, 200), (1, 5000)]),
            loss: dice.pick(&[0, 0, 3, 20]),
        }
    }

    /// Who decides at first.
    pub(crate) fn config(&self) -> Config {
        let ids = (1..=self.voters).map(ServerId);
        let seated = Voters::seated(ids.clone().zip(self.seats.iter().copied()));
        let equal = || Voters::majority(ids);
        Config { voters: seated.unwrap_or_else(equal), next: None, registered: BTreeMap::new() }
    }

    pub(crate) fn agreement(&self) -> zooid_zab::Settings {
        zooid_zab::Settings {
            rollover_counter: self.rollover_counter,
            tick: self.tick,
            init_limit: Millis(10 * self.tick.0),
            sync_limit: Millis(5 * self.tick.0),
            election_wait: Millis(50),
        }
    }
}
