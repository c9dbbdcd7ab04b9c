//! What a person sees of a local ensemble: sentences, and below them a table that is kept up to
//! date. Where nobody sees it being redrawn, it comes again only when a role has changed.

use std::io::{self, IsTerminal, Write};

use crate::status::{self, Answer, Role};

#[derive(Default)]
pub(super) struct Screen {
    /// Lines of the table at the bottom of the terminal.
    table_lines: usize,
    shown: Vec<Option<(Role, u32)>>,
}

impl Screen {
    /// Says something above the table.
    pub(super) fn say(&mut self, text: &str) {
        self.put(text);
        self.table_lines = 0;
    }

    /// Brings the table up to date.
    pub(super) fn show(&mut self, answers: &[Answer]) {
        let text = status::text(answers);
        let roles: Vec<_> = answers.iter().map(role).collect();
        let is_terminal = io::stdout().is_terminal();
        if is_terminal {
            self.put(&text);
            self.table_lines = text.lines().count();
        } else if roles != self.shown {
            self.put(&text);
        }
        self.shown = roles;
    }

    /// Writes over the table.
    fn put(&self, text: &str) {
        let back = match self.table_lines {
            0 => String::new(),
            lines => format!("\x1b[{lines}A\x1b[J"),
        };
        let mut out = io::stdout();
        // Nobody may be there to read it; the ensemble goes on.
        let _ = write!(out, "{back}{text}").and_then(|()| out.flush());
    }
}

fn role(answer: &Answer) -> Option<(Role, u32)> {
    answer.report().map(|report| (report.role.clone(), report.zxid.epoch().0))
}
