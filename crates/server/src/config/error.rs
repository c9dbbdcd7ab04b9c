//! What can be wrong with a configuration, and what is worth saying of one that is right.

use std::fmt;
use std::io;
use std::path::PathBuf;

use thiserror::Error;
use zooid_ids::ServerId;

/// Why there is no configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {cause}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the operating system says.
        cause: io::Error,
    },
    /// The file is not in Java's properties format.
    #[error(
        "{origin}: \\u has to be followed by four hexadecimal digits; for a backslash write \\\\"
    )]
    Escape {
        /// Where.
        origin: Origin,
    },
    /// A value that its key cannot have.
    #[error("{origin}: {key}={value} is not possible; allowed is {allowed}")]
    Value {
        /// Where.
        origin: Origin,
        /// The key, as written.
        key: String,
        /// The value, as written.
        value: String,
        /// What it could be.
        allowed: String,
    },
    /// A key that has to be there.
    #[error("{}: {key} is not set; {advice}", file.display())]
    Missing {
        /// The file.
        file: PathBuf,
        /// The key.
        key: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// A limit that an ensemble needs.
    #[error("{key} is not set, and an ensemble needs it; {advice}")]
    NoLimit {
        /// The key.
        key: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// A member of an ensemble that does not know which one it is.
    #[error(
        "{} is missing: write the N of this server's server.N line into it", file.display()
    )]
    NoMyId {
        /// The file.
        file: PathBuf,
    },
    /// `myid` is there and cannot be read.
    #[error("cannot read {}: {cause}", file.display())]
    MyId {
        /// The file.
        file: PathBuf,
        /// What the operating system says.
        cause: io::Error,
    },
    /// `myid` holds no number.
    #[error(
        "{} holds {text:?}, not a server's number; write the N of this server's server.N \
         line into it", file.display()
    )]
    NoNumber {
        /// The file.
        file: PathBuf,
        /// What it holds.
        text: String,
    },
    /// `myid` holds a number that no line of the configuration has.
    #[error(
        "{} says that this is server {found}, but the configuration has lines for {configured} \
         only: is this the data directory of another server?", file.display()
    )]
    Another {
        /// The file.
        file: PathBuf,
        /// What it holds.
        found: ServerId,
        /// The servers that the configuration has.
        configured: String,
    },
    /// Values that do not go together.
    #[error("{origin}: {what}")]
    Conflict {
        /// Where one of them stands.
        origin: Origin,
        /// Which, and why.
        what: String,
    },
    /// The configuration asks for something that would be unsafe to leave out, and this version
    /// does not have.
    #[error("{origin}: {key} asks for {what}, which this version of Zooid does not have; {advice}")]
    Unsupported {
        /// Where.
        origin: Origin,
        /// The key, as written.
        key: String,
        /// What it asks for.
        what: &'static str,
        /// What to do.
        advice: &'static str,
    },
}

/// Where a value was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In the file.
    File {
        /// The file.
        file: PathBuf,
        /// The line that the property begins on, from 1.
        line: usize,
    },
    /// In an environment variable.
    Variable(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line } => write!(f, "{}:{line}", file.display()),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

/// Something to be logged about a configuration that is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Whether the operator should look at it.
    pub is_warning: bool,
    /// One sentence.
    pub text: String,
}

impl Notice {
    pub(super) fn warning(text: String) -> Self {
        Self { is_warning: true, text }
    }

    pub(super) fn information(text: String) -> Self {
        Self { is_warning: false, text }
    }
}
