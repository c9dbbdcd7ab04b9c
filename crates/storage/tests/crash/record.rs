//! Runs a process under the recorder (`recorder.c`), and reads what it recorded.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::{OnceLock, RwLock};

use bytes::Buf;

/// The calls, numbered as the recorder does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Open,
    Create,
    Write,
    Sync,
    SyncRange,
    Truncate,
    Allocate,
    Rename,
    Unlink,
    Mkdir,
    Rmdir,
    Read,
}

const OPS: [Op; 12] = [
    Op::Open,
    Op::Create,
    Op::Write,
    Op::Sync,
    Op::SyncRange,
    Op::Truncate,
    Op::Allocate,
    Op::Rename,
    Op::Unlink,
    Op::Mkdir,
    Op::Rmdir,
    Op::Read,
];

/// One call that was made.
pub(crate) struct Record {
    pub(crate) op: Op,
    pub(crate) error: u32,
    /// The inode, of calls on an open file.
    pub(crate) file: u64,
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) path: PathBuf,
    pub(crate) other: PathBuf,
    pub(crate) data: Rc<Vec<u8>>,
}

impl Record {
    pub(crate) fn failed(&self) -> bool {
        self.error != 0
    }

    /// Whether it counts as a call that can fail.
    pub(crate) fn changes(&self) -> bool {
        self.op != Op::Read && (self.op != Op::Open || self.length > 0)
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { op, file, offset, length, .. } = self;
        match op {
            Op::Rename => write!(f, "Rename {} to {}", self.path.display(), self.other.display()),
            Op::Write | Op::Allocate | Op::SyncRange | Op::Truncate | Op::Sync | Op::Read => {
                write!(f, "{op:?} {length} at {offset} of file {file}")
            }
            _ => write!(f, "{op:?} {} (file {file})", self.path.display()),
        }?;
        if self.failed() { write!(f, ", error {}", self.error) } else { Ok(()) }
    }
}

/// What a process did, and how it ended.
pub(crate) struct Recording {
    pub(crate) records: Vec<Record>,
    pub(crate) code: Option<i32>,
    pub(crate) said: String,
}

/// Held by whoever has a storage open. A process that is being started holds for a moment what is open
/// in this one, and with it the locks: also when another thread has closed it meanwhile.
pub(crate) static OPEN: RwLock<()> = RwLock::new(());

/// Lets `command` run with everything below `root` recorded; `fault` as the recorder takes it.
pub(crate) fn record(mut command: Command, root: &Path, fault: &str) -> Recording {
    let trace = root.with_extension("trace");
    let _none_before = fs::remove_file(&trace);
    command
        .env("LD_PRELOAD", recorder())
        .env("CRASH_ROOT", root)
        .env("CRASH_TRACE", &trace)
        .env("CRASH_FAULT", fault)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let started = {
        let _nothing_is_open = OPEN.write().unwrap();
        command.spawn().unwrap()
    };
    let ended = started.wait_with_output().unwrap();
    let mut bytes = &fs::read(&trace).unwrap()[..];
    let mut records = Vec::new();
    while !bytes.is_empty() {
        records.push(read(&mut bytes));
    }
    fs::remove_file(&trace).unwrap();
    let said = String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned();
    Recording { records, code: ended.status.code(), said }
}

fn read(bytes: &mut &[u8]) -> Record {
    let op = OPS[bytes.get_u32_le() as usize - 1];
    let error = bytes.get_u32_le();
    let (file, offset, length) = (bytes.get_u64_le(), bytes.get_u64_le(), bytes.get_u64_le());
    let (path, other) = (bytes.get_u32_le() as usize, bytes.get_u32_le() as usize);
    let data = bytes.get_u64_le() as usize;
    let mut take = |len: usize| bytes.split_off(..len).unwrap().to_vec();
    let mut text = |len| PathBuf::from(String::from_utf8(take(len)).unwrap());
    let (path, other) = (text(path), text(other));
    Record { op, error, file, offset, length, path, other, data: Rc::new(take(data)) }
}

/// The library, built once for each process; before anything is open, for the compiler is a process.
pub(crate) fn recorder() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/crash/recorder.c");
        let built = format!("recorder-{}.so", std::process::id());
        let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join(built);
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let ended = Command::new(compiler)
            .args(["-O1", "-shared", "-fPIC", "-o"])
            .args([&built, &source])
            .arg("-ldl")
            .output()
            .unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        built
    })
}
