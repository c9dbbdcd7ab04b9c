//! The process that is recorded: takes the steps of one scenario, and notes what it was told.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use zooid_ids::{ClusterId, Millis};
use zooid_storage::{Config, LogEntry, Opened, RunKind, Storage, install};

use crate::steps::{Step, World, promise, state};

/// Where the files of a leader's checkpoint lie, to be received.
pub(crate) fn leader_dir(root: &Path) -> PathBuf {
    root.with_extension("leader")
}

/// Takes steps, one after the other.
pub(crate) struct Actor {
    pub(crate) config: Config,
    pub(crate) world: World,
    root: PathBuf,
    opened: Option<Opened>,
}

type Told = Result<(), Box<dyn std::error::Error>>;

impl Actor {
    pub(crate) fn new(config: Config, world: World, root: &Path) -> Self {
        Self { config, world, root: root.to_path_buf(), opened: None }
    }

    /// Takes all steps, each between two notes. After the first that fails nothing more is done.
    pub(crate) fn act(&mut self, steps: &[Step]) -> Told {
        let marks = self.root.join("marks");
        let mut marks = File::options().append(true).create(true).open(marks)?;
        for step in steps {
            marks.write_all(b"try\n")?;
            self.take(*step)?;
            marks.write_all(b"ok.\n")?;
        }
        Ok(())
    }

    pub(crate) fn take(&mut self, step: Step) -> Told {
        match step {
            Step::Open => self.opened = Some(Storage::open(&self.config)?),
            Step::Close => self.opened = None,
            step => self.take_open(step)?,
        }
        let drawn = self.config.identity_if_fresh.incarnation.0;
        self.world = self.world.after(step, drawn);
        Ok(())
    }

    fn take_open(&mut self, step: Step) -> Told {
        let opened = self.opened.as_mut().expect("the scenario opens first");
        match step {
            Step::Append(count, bytes) => {
                opened.log.append(&self.world.batch(count, bytes))?;
            }
            Step::Truncate(to) => opened.log.truncate(self.world.zxid(to))?,
            Step::Promise(epoch) => opened.log.put_promise(promise(epoch))?,
            Step::Checkpoint(kind) => checkpoint(opened, kind)?,
            Step::Compact => {
                opened.log.compact(opened.checkpoints.manifest().position())?;
            }
            Step::Merge => {
                opened.checkpoints.merge(Millis(0), |_| true)?;
            }
            Step::Cluster(cluster) => opened.log.set_cluster(ClusterId(cluster))?,
            Step::Install => receive_and_install(opened, &leader_dir(&self.root))?,
            Step::MarkSuspect => opened.dirs.mark_suspect("the others say so", Millis(5))?,
            Step::Readmit => opened.log.readmitted()?,
            Step::Open | Step::Close => unreachable!("done by the caller"),
        }
        Ok(())
    }
}

fn checkpoint(opened: &mut Opened, kind: RunKind) -> Told {
    let position = opened.log.last();
    let mut run = opened.checkpoints.begin(kind, position, 99, Millis(5))?;
    for (key, value) in state(position.index.0) {
        if value.is_some() || kind == RunKind::Delta {
            run.push(key.as_bytes(), value.as_deref())?;
        }
    }
    let run = run.finish()?;
    opened.checkpoints.publish(&run)?;
    Ok(())
}

fn receive_and_install(opened: &mut Opened, sent: &Path) -> Told {
    let staging = opened.checkpoint_files.staging()?;
    for file in fs::read_dir(sent)? {
        let file = file?;
        fs::write(staging.join(file.file_name()), fs::read(file.path())?)?;
    }
    let staged = opened.checkpoint_files.stage(None)?;
    install(&mut opened.log, &mut opened.checkpoints, staged)?;
    Ok(())
}

/// Makes a leader's checkpoint of `history` in `sent`.
pub(crate) fn lead(config: &Config, history: &[LogEntry], sent: &Path) -> Told {
    let mut leader = Storage::open(config)?;
    let (before, behind) = history.split_at(history.len() / 2);
    leader.log.append(before)?;
    checkpoint(&mut leader, RunKind::Base)?;
    leader.log.append(behind)?;
    checkpoint(&mut leader, RunKind::Delta)?;
    fs::create_dir(sent)?;
    for run in leader.checkpoint_files.newest()?.expect("just made").runs {
        let from = config.data_dir.join("zooid/runs").join(&run.name);
        fs::copy(from, sent.join(&run.name))?;
    }
    Ok(())
}
