//! What a power cut at one moment may leave: not every subset of what was not synced, but of each
//! kind of loss those that differ most.

use std::collections::BTreeMap;

use crate::disk::{Change, Disk, Fate, NameFate, Tree, Units};

/// How many of the newest unsynced changes are varied one by one.
const NEWEST: usize = 8;
/// Where among the losses of data that of all but the newest change stands.
const NEWEST_ALONE: usize = 4;
/// How many of the newest unsynced writes are torn.
const TORN: usize = 3;
/// What disks write at once.
const UNITS: [usize; 2] = [512, 4096];

/// One way to lose things.
pub(crate) struct Cut {
    /// For reports.
    pub(crate) what: String,
    /// One of those that are always tried.
    pub(crate) is_plain: bool,
    names: Vec<NameFate>,
    fates: BTreeMap<u64, Fate>,
}

impl Cut {
    pub(crate) fn of(&self, disk: &Disk) -> Tree {
        disk.after_power_cut(&self.names, &self.fates)
    }
}

/// All the ways at this moment.
pub(crate) fn cuts(disk: &Disk) -> Vec<Cut> {
    let unsynced = disk.unsynced();
    let data = losses_of_data(&unsynced);
    let names = losses_of_names(disk);
    let mut cuts = Vec::new();
    for (what_names, fates_of_names) in &names {
        for (nth_data, (what_data, fates)) in data.iter().enumerate() {
            // Every loss of names with the plain losses of data, and the other way round.
            let plain_names = matches!(what_names.as_str(), "all names" | "no name");
            let plain_data = matches!(what_data.as_str(), "all data" | "no data");
            if plain_names || plain_data {
                let what = format!("{what_names}, {what_data}");
                let is_plain = what_data == "all data" || what.starts_with("all names, no data");
                let (names, fates) = (fates_of_names.clone(), fates.clone());
                cuts.push(Cut {
                    what,
                    is_plain: is_plain || nth_data == NEWEST_ALONE,
                    names,
                    fates,
                });
            }
        }
    }
    cuts
}

fn losses_of_names(disk: &Disk) -> Vec<(String, Vec<NameFate>)> {
    let count = disk.names.len();
    let all = vec![NameFate::There; count];
    let mut losses = vec![("all names".into(), all.clone())];
    if count == 0 {
        return losses;
    }
    losses.push(("no name".into(), vec![NameFate::Lost; count]));
    for (nth, change) in disk.names.iter().enumerate() {
        let mut one_lost = all.clone();
        one_lost[nth] = NameFate::Lost;
        losses.push((format!("all names but [{}]", change.what), one_lost));
        let mut until = vec![NameFate::Lost; count];
        until[..nth].fill(NameFate::There);
        losses.push((format!("names before [{}]", change.what), until));
        if change.is_split() {
            let mut both = all.clone();
            both[nth] = NameFate::Both;
            losses.push((format!("both names of [{}]", change.what), both));
        }
    }
    losses
}

type Fates = BTreeMap<u64, Fate>;

fn losses_of_data(unsynced: &[(u64, Change)]) -> Vec<(String, Fates)> {
    let every = |fate| -> Fates { unsynced.iter().map(|(order, _)| (*order, fate)).collect() };
    let mut losses = vec![("all data".into(), Fates::new())];
    if unsynced.is_empty() {
        return losses;
    }
    losses.push(("no data".into(), every(Fate::Lost)));
    losses.push(("lengths only".into(), every(Fate::Length)));
    for (order, _) in unsynced.iter().rev().take(NEWEST) {
        let behind = |fate| -> Fates {
            unsynced.iter().map(|(other, _)| (*other, fate)).filter(|(at, _)| at > order).collect()
        };
        losses.push((format!("all data but {order}"), Fates::from([(*order, Fate::Lost)])));
        let mut only = every(Fate::Lost);
        only.insert(*order, Fate::There);
        losses.push((format!("data {order} only"), only));
        losses.push((format!("data up to {order}"), behind(Fate::Lost)));
    }
    losses.extend(torn(unsynced));
    losses
}

/// Each of the newest writes torn: what came before is there, what came behind is lost or there.
fn torn(unsynced: &[(u64, Change)]) -> Vec<(String, Fates)> {
    let mut losses = Vec::new();
    let writes = unsynced.iter().filter(|(_, change)| matches!(change, Change::Write { .. }));
    for (order, change) in writes.rev().take(TORN) {
        for unit in UNITS {
            for units in [Units::First, Units::AllButLast, Units::AllButFirst, Units::EverySecond] {
                if change.units(unit) < 2 {
                    continue;
                }
                let torn = Fate::Torn(unit, units);
                let mut alone = Fates::from([(*order, torn)]);
                losses.push((format!("all data, {order} torn {unit} {units:?}"), alone.clone()));
                alone.extend(
                    unsynced.iter().filter(|(at, _)| at > order).map(|(at, _)| (*at, Fate::Lost)),
                );
                losses.push((format!("data up to {order}, torn {unit} {units:?}"), alone));
            }
        }
    }
    losses
}
