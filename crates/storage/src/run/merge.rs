//! Many runs as one: in the order of keys, the newest word on each, without what is gone.

use super::{Record, RunError, RunReader};

/// A key and its value.
pub type KeyValue<'a> = (&'a [u8], &'a [u8]);

/// A base and its deltas, read at once and sequentially.
#[derive(Debug)]
pub struct Merge {
    /// Oldest first, so that a later one has the say; each stands at its next record.
    runs: Vec<Head>,
}

#[derive(Debug)]
struct Head {
    run: RunReader,
    /// Whether its record was already given or overruled.
    spent: bool,
    ended: bool,
}

impl Head {
    fn refresh(&mut self) -> Result<(), RunError> {
        if self.spent && !self.ended {
            self.ended = !self.run.advance()?;
            self.spent = false;
        }
        Ok(())
    }

    fn key(&self) -> Option<&[u8]> {
        if self.ended { None } else { self.run.record().map(|record| record.key) }
    }
}

impl Merge {
    /// Over these runs, oldest first.
    #[must_use]
    pub fn new(runs: Vec<RunReader>) -> Self {
        let runs = runs.into_iter().map(|run| Head { run, spent: true, ended: false }).collect();
        Self { runs }
    }

    /// The next record that has a value, in the order of keys. Nothing behind an error counts.
    ///
    /// # Errors
    /// See [`RunError`].
    pub fn next_record(&mut self) -> Result<Option<KeyValue<'_>>, RunError> {
        let newest = loop {
            for head in &mut self.runs {
                head.refresh()?;
            }
            let Some(newest) = self.newest_of_least() else { return Ok(None) };
            self.spend_key_of(newest);
            if self.runs[newest].run.record().is_some_and(|record| record.value.is_some()) {
                break newest;
            }
        };
        let record = self.runs[newest].run.record();
        Ok(record.and_then(|Record { key, value }| value.map(|value| (key, value))))
    }

    /// The newest run among those that stand at the least key.
    fn newest_of_least(&self) -> Option<usize> {
        let standing = self.runs.iter().enumerate().filter_map(|(i, head)| Some((head.key()?, i)));
        standing.min_by(|(a, i), (b, j)| a.cmp(b).then(j.cmp(i))).map(|(_, newest)| newest)
    }

    /// That key is answered: every run that stands at it goes on the next time.
    fn spend_key_of(&mut self, newest: usize) {
        let (older, rest) = self.runs.split_at_mut(newest);
        let Some(newest) = rest.first_mut() else { return };
        newest.spent = true;
        for head in older {
            head.spent |= head.key() == newest.key();
        }
    }
}
