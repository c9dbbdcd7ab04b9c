//! Agreement on one order of opaque entries.
