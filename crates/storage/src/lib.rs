//! The log (raft-engine), the checkpoint runs and the ledger (sled); opaque bytes.
