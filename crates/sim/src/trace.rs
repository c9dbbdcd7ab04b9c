//! What happened, in lines that a person can read.

use std::fmt;

/// The lines, if somebody wants them.
#[derive(Default)]
pub(crate) struct Trace {
    pub(crate) lines: Option<Vec<String>>,
}

impl Trace {
    pub(crate) fn tell(&mut self, now: u64, what: fmt::Arguments<'_>) {
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:>13.3} ms  {what}", now as f64 / 1000.0));
        }
    }
}
