//! The search: depth first through every state that can be reached, each looked at once. What is
//! known of a state that was seen is a hash of 64 bits: of a million states two could be taken for
//! one with a chance of one in 30 million.

use std::collections::HashSet;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::time::{Duration, Instant};

use crate::model::{Action, Model};

/// How much was looked at.
pub(crate) struct Explored {
    pub(crate) states: usize,
    pub(crate) steps: usize,
    pub(crate) deepest: usize,
    pub(crate) time: Duration,
    /// Nothing was left out.
    pub(crate) all: bool,
}

/// Looks at every state from `start` on, at most so many.
///
/// # Panics
/// If something does not hold in one of them: with the way there, made as short as it can be made
/// by leaving things out.
pub(crate) fn explore(start: &Model, limit: usize) -> Explored {
    let hook = take_hook();
    set_hook(Box::new(|_| {}));
    let found = search(start, limit);
    let shortened = found.map_err(|way| shorten(start, way));
    set_hook(hook);
    match shortened {
        Ok(explored) => explored,
        Err((way, why)) => {
            let told: Vec<_> = way.iter().map(|action| format!("  {action:?}")).collect();
            panic!("{why}, after\n{}", told.join("\n"));
        }
    }
}

fn search(start: &Model, limit: usize) -> Result<Explored, Vec<Action>> {
    let began = Instant::now();
    let mut seen = HashSet::from([fingerprint(start)]);
    let mut way: Vec<Action> = Vec::new();
    let mut open = vec![(start.clone(), start.actions().into_iter())];
    let (mut steps, mut deepest) = (0, 0);
    while let Some((model, actions)) = open.last_mut() {
        let Some(action) = actions.next().filter(|_| seen.len() < limit) else {
            open.pop();
            way.pop();
            continue;
        };
        steps += 1;
        let next = step(model, action).map_err(|_| [&way[..], &[action]].concat())?;
        if seen.insert(fingerprint(&next)) {
            way.push(action);
            deepest = deepest.max(way.len());
            let actions = next.actions().into_iter();
            open.push((next, actions));
        }
    }
    let all = seen.len() < limit;
    Ok(Explored { states: seen.len(), steps, deepest, time: began.elapsed(), all })
}

/// The state after this; what does not hold there otherwise.
fn step(model: &Model, action: Action) -> Result<Model, String> {
    let mut next = model.clone();
    let run = catch_unwind(AssertUnwindSafe(|| next.apply(action)));
    match run {
        Ok(()) => Ok(next),
        Err(panic) => Err(panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
            .unwrap_or_default()),
    }
}

/// Leaves out what is not needed to get there.
fn shorten(start: &Model, mut way: Vec<Action>) -> (Vec<Action>, String) {
    let mut why = fails(start, &way).expect("it failed before");
    let mut at = way.len();
    while at > 0 {
        at -= 1;
        let mut shorter = way.clone();
        shorter.remove(at);
        if let Some(reason) = fails(start, &shorter) {
            (way, why) = (shorter, reason);
            at = at.min(way.len());
        }
    }
    (way, why)
}

/// Why this way fails, if it does at its very end or before; what cannot happen is left out.
fn fails(start: &Model, way: &[Action]) -> Option<String> {
    let mut model = start.clone();
    for action in way {
        if model.actions().contains(action) {
            match step(&model, *action) {
                Ok(next) => model = next,
                Err(why) => return Some(why),
            }
        }
    }
    None
}

fn fingerprint(model: &Model) -> u64 {
    let mut hasher = DefaultHasher::new();
    model.hash(&mut hasher);
    hasher.finish()
}

impl fmt::Display for Explored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { states, steps, deepest, time, all } = self;
        let extent = if *all { "all" } else { "the first" };
        write!(f, "{extent} {states} states, {steps} steps, {deepest} deep, in {time:.1?}")
    }
}
