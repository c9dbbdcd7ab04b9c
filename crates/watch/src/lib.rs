//! Who waits for which path on this server; turns changes into notifications.
