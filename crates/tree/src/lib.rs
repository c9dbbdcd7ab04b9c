//! The replicated state: znodes, sessions, quotas; apply a command, get a result and the changes.
