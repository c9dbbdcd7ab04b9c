//! Opens what a crash left with the real [`Storage::open`], and compares it with what must be true.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use zooid_ids::LogIndex;
use zooid_storage::{Config, LogEntry, Opened, Storage};

use crate::record::OPEN;
use crate::steps::{World, promise, state};

/// What stands where a server is started that draws another incarnation than the one that crashed.
pub(crate) const DRAWN: u128 = 88;

/// Opens the directories that `config` names: one of `worlds` must be there, whole, and go on. Gives
/// that one.
///
/// # Errors
/// What is wrong.
pub(crate) fn judge(config: &Config, worlds: &[World]) -> Result<World, String> {
    // On a thread of its own, because raft-engine keeps for each thread what it read last.
    let (config, worlds) = (config.clone(), worlds.to_vec());
    let judged = std::thread::spawn(move || {
        let _no_process_starts = OPEN.read().unwrap();
        catch_unwind(AssertUnwindSafe(|| judge_here(&config, &worlds)))
            .unwrap_or_else(|panic| Err(format!("a panic: {}", message(&*panic))))
    });
    judged.join().unwrap_or_else(|_| Err("the thread died".into()))
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or(panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

fn judge_here(config: &Config, worlds: &[World]) -> Result<World, String> {
    let mut opened = Storage::open(config).map_err(|error| format!("refused: {error}"))?;
    let found = found(config, worlds, &mut opened)?;
    // It goes on, and nothing that recovery gave up comes back.
    let more = found.batch(1, 30);
    opened.log.append(&more).map_err(|error| format!("an append behind it: {error}"))?;
    drop(opened);
    let mut opened = Storage::open(config).map_err(|error| format!("then refused: {error}"))?;
    let mut after = found.clone();
    after.history.extend(more);
    let differs = difference(config, &after, &mut opened);
    differs.map_or(Ok(found), |why| Err(format!("after one more entry: {why}")))
}

/// The world that is there.
fn found(config: &Config, worlds: &[World], opened: &mut Opened) -> Result<World, String> {
    let mut differs = Vec::new();
    for world in worlds {
        match difference(config, world, opened) {
            None => return Ok(world.clone()),
            Some(why) => differs.push(why),
        }
    }
    Err(format!("{}: {}", opened.recovery, differs.join("; or: ")))
}

fn difference(config: &Config, world: &World, opened: &mut Opened) -> Option<String> {
    let identity = opened.log.identity();
    let told = world.incarnation.is_none_or(|known| known == identity.incarnation.0);
    let last = (opened.log.last().index.0, opened.log.last().zxid);
    let ends_at = world.history.len() as u64;
    let checks = [
        (last == (ends_at, world.zxid(ends_at)), format!("ends at {last:?}, not {ends_at}")),
        (told, format!("is {identity:?}, told was {:?}", world.incarnation)),
        (identity.cluster.0 == world.cluster, format!("is of {identity:?}")),
        (
            opened.log.promise() == promise(world.promise),
            format!("promised {:?}, not {}", opened.log.promise(), world.promise),
        ),
        (opened.suspect.is_some() == world.suspect, format!("suspect: {:?}", opened.suspect)),
        (!world.suspect || kept_aside(config), "what was suspect is not kept".into()),
    ];
    let wrong = checks.into_iter().find(|(holds, _)| !holds).map(|(_, why)| why);
    wrong.or_else(|| wrong_entries(world, opened)).or_else(|| wrong_checkpoint(world, opened))
}

fn kept_aside(config: &Config) -> bool {
    let homes = fs::read_dir(config.log_dir.join("zooid")).unwrap().map(Result::unwrap);
    homes.into_iter().any(|home| {
        let name = home.file_name();
        name.to_string_lossy().starts_with("suspect-") && home.path().join("log").exists()
    })
}

/// The first of all entries that can be read that is not what it should be.
fn wrong_entries(world: &World, opened: &mut Opened) -> Option<String> {
    let base = opened.checkpoint.as_ref().map_or(0, |found| found.position().index.0);
    let first = opened.log.first().map_or(base + 1, |first| first.0);
    if first > base + 1 {
        return Some(format!("entries from {first}, the checkpoint is {base}"));
    }
    let read: Result<Vec<LogEntry>, _> =
        opened.log.entries(LogIndex(first), opened.log.last().index).collect();
    match read {
        Err(error) => Some(error.to_string()),
        Ok(read) => (read != world.history[first as usize - 1..])
            .then(|| format!("{} entries from {first} are not those written", read.len())),
    }
}

fn wrong_checkpoint(world: &World, opened: &Opened) -> Option<String> {
    let checkpoint = opened.checkpoint.as_ref()?;
    let position = checkpoint.position();
    let index = position.index.0;
    if index > world.history.len() as u64 || world.zxid(index) != position.zxid {
        return Some(format!("a checkpoint at {position} of another history"));
    }
    let expected = state(index).into_iter().filter_map(|(key, value)| Some((key, value?)));
    match loaded(checkpoint) {
        Err(error) => Some(error),
        Ok(loaded) => (loaded != expected.collect::<Vec<_>>())
            .then(|| format!("the checkpoint at {position} holds something else")),
    }
}

fn loaded(checkpoint: &zooid_storage::Checkpoint) -> Result<Vec<(String, Vec<u8>)>, String> {
    let mut merge = checkpoint.load().map_err(|error| error.to_string())?;
    let mut records = Vec::new();
    while let Some((key, value)) = merge.next_record().map_err(|error| error.to_string())? {
        records.push((String::from_utf8_lossy(key).into_owned(), value.to_vec()));
    }
    Ok(records)
}
