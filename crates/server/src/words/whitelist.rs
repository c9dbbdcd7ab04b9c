//! Which four-letter words are answered.

use std::collections::BTreeSet;

use super::Name;

/// The words that are answered; `srvr` always is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whitelist(BTreeSet<Name>);

impl Default for Whitelist {
    fn default() -> Self {
        Self(BTreeSet::from([Name::Srvr]))
    }
}

impl Whitelist {
    /// Reads `4lw.commands.whitelist`: names with commas between them, `*` for all. Gives also
    /// those that are none.
    #[must_use]
    pub fn parse(list: &str) -> (Self, Vec<String>) {
        let mut words = Self::default();
        let mut unknown = Vec::new();
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match Name::ALL.into_iter().find(|known| known.text() == name) {
                Some(known) => drop(words.0.insert(known)),
                None if name == "*" => words.0.extend(Name::ALL),
                None => unknown.push(name.to_string()),
            }
        }
        (words, unknown)
    }

    /// Whether a word is answered.
    #[must_use]
    pub fn has(&self, name: Name) -> bool {
        self.0.contains(&name)
    }

    /// The words that are answered, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = Name> {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read() {
        let cases: [(&str, &[&str], &[&str]); 7] = [
            ("", &["srvr"], &[]),
            ("srvr", &["srvr"], &[]),
            ("ruok, mntr ,,stat", &["mntr", "ruok", "srvr", "stat"], &[]),
            ("ruok,nope,RUOK", &["ruok", "srvr"], &["nope", "RUOK"]),
            ("**", &["srvr"], &["**"]),
            ("ruok srvr", &["srvr"], &["ruok srvr"]),
            ("isro", &["isro", "srvr"], &[]),
        ];
        for (list, words, unknown) in cases {
            let (whitelist, others) = Whitelist::parse(list);
            assert!(whitelist.iter().map(Name::text).eq(words.iter().copied()), "{list}");
            assert_eq!(others, unknown, "{list}");
        }
        let (all, _) = Whitelist::parse("nope, *");
        assert_eq!(all.iter().count(), Name::ALL.len());
    }
}
