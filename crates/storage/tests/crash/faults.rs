//! How calls fail: what the recorder is told to answer in place of the system.

use crate::record::Op;

const EIO: i32 = 5;
const ENOSPC: i32 = 28;
/// What stands in such a fault.
pub(crate) const FULL: &str = " 28 ";

/// Error and mode, as the recorder takes them, that a call like this can fail with.
pub(crate) fn faults_of(op: Op) -> Vec<String> {
    let faults: &[(i32, &str)] = match op {
        Op::Write => &[(EIO, "once"), (ENOSPC, "short"), (ENOSPC, "always")],
        Op::Sync | Op::SyncRange => &[(EIO, "once"), (EIO, "always")],
        Op::Create | Op::Mkdir | Op::Allocate | Op::Rename => {
            &[(EIO, "once"), (ENOSPC, "once"), (ENOSPC, "always")]
        }
        Op::Read => &[(EIO, "read")],
        Op::Open | Op::Truncate | Op::Unlink | Op::Rmdir => &[(EIO, "once")],
    };
    faults.iter().map(|(error, mode)| format!("{error} {mode}")).collect()
}
