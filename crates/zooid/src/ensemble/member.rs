//! One member of a local ensemble, and its process.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use zooid_server::config::HostPort;

use crate::parent;

/// Where a member has its files, and where it serves clients.
pub(super) struct Member {
    /// Its `myid`.
    pub(super) number: u16,
    pub(super) config: PathBuf,
    pub(super) log: PathBuf,
    pub(super) client: HostPort,
}

/// A member that was started.
pub(super) struct Process {
    pub(super) member: Member,
    child: Child,
    status: Option<ExitStatus>,
}

impl Process {
    /// Starts this very program as that member. It is out of reach of the terminal's Ctrl-C, and
    /// ends with this process.
    ///
    /// # Errors
    /// What the operating system refuses.
    pub(super) fn start(member: Member) -> Result<Self, String> {
        let failed = |error| format!("cannot start member {}: {error}", member.number);
        let log = File::options().create(true).append(true).open(&member.log).map_err(failed)?;
        let child = Command::new(std::env::current_exe().map_err(failed)?)
            .args(["server", parent::OPTION, &std::process::id().to_string()])
            .arg(&member.config)
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(failed)?)
            .stderr(log)
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        Ok(Self { member, child, status: None })
    }

    /// The process's number.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// True until [`ended`](Self::ended) says otherwise.
    pub(super) fn runs(&self) -> bool {
        self.status.is_none()
    }

    /// True if it ended as one that was told to.
    pub(super) fn ended_well(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// A sentence on its end, once.
    pub(super) fn ended(&mut self) -> Option<String> {
        if self.status.is_some() {
            return None;
        }
        // An error means that there is no such child, which cannot be.
        self.status = self.child.try_wait().ok().flatten();
        let status = self.status?;
        let Member { number, config, log, .. } = &self.member;
        let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let last = text.ok().and_then(|text| text.lines().last().map(str::to_string));
        Some(format!(
            "member {number} ended: {status}; its log {} ends: {}\n\
             to start it again: zooid server {}\n",
            log.display(),
            last.unwrap_or_default(),
            config.display(),
        ))
    }

    /// SIGTERM.
    pub(super) fn terminate(&self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid.filter(|_| self.runs()) {
            // It may have ended meanwhile.
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    /// SIGKILL.
    pub(super) fn kill(&mut self) {
        // It may have ended meanwhile.
        let _ = self.child.kill();
    }
}

impl Drop for Process {
    /// Nothing is left behind, whatever went wrong here.
    fn drop(&mut self) {
        if self.runs() {
            self.kill();
            let _ = self.child.wait();
        }
    }
}
