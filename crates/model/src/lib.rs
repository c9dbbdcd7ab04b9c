//! ZooKeeper's nouns: paths, ACLs, stats, operations, replies, watch events, error codes, limits.
