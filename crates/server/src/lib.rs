//! Runs a node: configuration, the loop, the disk thread, four-letter words, shutdown.
