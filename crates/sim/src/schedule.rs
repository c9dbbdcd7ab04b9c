//! What is done to a world, and when: drawn before it begins, so that steps can be left out of it.
//!
//! A step knows nothing of the state it meets: what it needs of chance comes from its own number,
//! and what it cannot do there it leaves.

use std::fmt;

use zooid_ids::ServerId;

use crate::dice::Dice;
use crate::disk::End;
use crate::setup::Setup;

const SECOND: u64 = 1_000_000;

/// Something that is done to a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// A client asks something.
    Ask(usize),
    /// A client asks so many things, one right behind the other.
    Burst(usize, u64),
    /// A client's connection breaks.
    HangUp(usize),
    /// A client does nothing for so many microseconds.
    Sleep(usize, u64),
    /// A client and a server do not reach each other.
    CutOff(usize, ServerId),
    /// A server ends.
    End(ServerId, End),
    /// A server ends when it has done so many more things.
    EndAfter(ServerId, u64, End),
    /// All servers end.
    EndAll(End),
    /// A server starts.
    Boot(ServerId),
    /// A server stands still, or goes on.
    Pause(ServerId),
    Resume(ServerId),
    /// A server asks to lead no more.
    HandOver(ServerId),
    /// A server's disk is empty.
    Wipe(ServerId),
    /// A copy is made of a server's disk, as at each of its starts; and put back.
    Copy(ServerId),
    Restore(ServerId),
    /// A server's disk loses so many entries that were synced.
    Damage(ServerId, usize),
    /// Syncs of a server's disk take so long, in microseconds; 0: as long as others'.
    SlowDisk(ServerId, u64),
    /// Messages from one server to the other do not arrive.
    Cut(ServerId, ServerId),
    /// Nobody and a server reach each other.
    Isolate(ServerId),
    /// The servers of this set and the others do not reach each other.
    Split(u64),
    /// Everybody reaches everybody.
    Heal,
    /// All channels between two servers break.
    Break(ServerId, ServerId),
    /// A server's wall clock jumps by so many milliseconds.
    SetClock(ServerId, i64),
}

/// One action and its time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// In microseconds from the beginning.
    pub(crate) at: u64,
    /// Where it stands in the schedule that was drawn; what chance it has.
    pub(crate) number: u64,
    pub(crate) action: Action,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {}: {:?}", self.number, self.action)
    }
}

/// How a schedule is drawn: which faults, how often.
struct Mood {
    servers: u64,
    voters: u64,
    clients: u64,
    /// Of a hundred steps so many are faults.
    faults: u64,
    /// Faults of these kinds only.
    kinds: Vec<u64>,
    /// In microseconds, between steps.
    pause: (u64, u64),
}

/// All that happens in the world of this seed.
pub(crate) fn draw(setup: &Setup, dice: &mut Dice) -> Vec<Step> {
    let kinds: Vec<u64> = (0..KINDS).filter(|_| !dice.once_in(3)).collect();
    let mood = Mood {
        servers: setup.voters + setup.observers,
        voters: setup.voters,
        clients: setup.clients as u64,
        faults: dice.pick(&[2, 10, 30]),
        kinds,
        pause: dice.pick(&[(10, 3000), (10, 100_000), (1000, 500_000)]),
    };
    let count = 50 + dice.roll(400);
    let mut at = dice.roll(2 * SECOND);
    let mut steps = Vec::new();
    for number in 0..count {
        at += dice.between(mood.pause);
        if dice.once_in(40) {
            at += dice.roll(10 * setup.session_timeout.0 as u64 * 100);
        }
        let action = mood.action(dice);
        steps.push(Step { at, number, action });
    }
    steps
}

const KINDS: u64 = 14;

impl Mood {
    fn action(&self, dice: &mut Dice) -> Action {
        if dice.roll(100) < self.faults && !self.kinds.is_empty() {
            return self.fault(dice);
        }
        let client = dice.roll(self.clients) as usize;
        match dice.roll(100) {
            0..=89 => Action::Ask(client),
            90..=93 => Action::Burst(client, 2 + dice.roll(30)),
            94 | 95 => Action::HangUp(client),
            96 => Action::Sleep(client, dice.roll(20 * SECOND)),
            97 => Action::CutOff(client, self.server(dice)),
            _ => Action::Boot(self.server(dice)),
        }
    }

    fn server(&self, dice: &mut Dice) -> ServerId {
        ServerId(1 + dice.roll(self.servers))
    }

    fn fault(&self, dice: &mut Dice) -> Action {
        let (one, other) = (self.server(dice), self.server(dice));
        let end = dice.pick(&[End::Killed, End::PowerCut]);
        match dice.pick(&self.kinds) {
            0 => Action::End(one, end),
            1 => Action::EndAfter(one, dice.roll(30), end),
            2 if dice.once_in(3) => Action::EndAll(end),
            2 | 3 => Action::Boot(one),
            4 => dice.pick(&[Action::Pause(one), Action::Resume(one), Action::Resume(other)]),
            5 => Action::HandOver(one),
            6 => {
                let voter = ServerId(1 + dice.roll(self.voters));
                let wipe = Action::Wipe(voter);
                let exchanges = [wipe, wipe, Action::Copy(voter), Action::Restore(voter)];
                dice.clone().pick(&exchanges)
            }
            7 => Action::Damage(one, 1 + dice.roll(5) as usize),
            8 => Action::SlowDisk(one, dice.pick(&[0, 0, 20_000, 500_000])),
            9 => dice.pick(&[Action::Cut(one, other), Action::Heal]),
            10 => dice.pick(&[Action::Isolate(one), Action::Heal]),
            11 => dice.pick(&[Action::Split(dice.clone().next()), Action::Heal]),
            12 => Action::Break(one, other),
            _ => Action::SetClock(one, dice.pick(&[-3_600_000, -500, 500, 3_600_000])),
        }
    }
}
