//! Who decides: the log says so once it holds anything, and the file has to agree.

use std::fmt;
use std::path::PathBuf;

use zooid_ids::Zxid;
use zooid_zab::{Config as Decided, Seat, Voters};

use crate::config::Config;

/// The file has other voters than the log.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} has as servers with a vote: {}; but the log in {} says since zxid {since}: {}. This version \
     cannot change who votes in an ensemble that exists. Write the lines (server.N, group.N, \
     weight.N) as the log has them; observers and all addresses may be changed freely. Or, to begin \
     another ensemble with these servers, give each of them an empty dataDir and dataLogDir: it \
     begins without the data of this one",
    place(.file), Shown(.configured), .log.display(), Shown(.decided),
)]
pub(crate) struct OtherVoters {
    file: Option<PathBuf>,
    configured: Voters,
    log: PathBuf,
    since: Zxid,
    decided: Voters,
}

/// The voters of the configuration.
pub(crate) fn configured(config: &Config) -> Voters {
    match &config.ensemble {
        Some(ensemble) => ensemble.voters(),
        None => Voters::majority([config.id]),
    }
}

/// Compares the configuration with what the log has decided, oldest first; a log that holds nothing
/// agrees with everything.
///
/// # Errors
/// See [`OtherVoters`].
pub(crate) fn check(config: &Config, decided: &[(Zxid, Decided)]) -> Result<(), OtherVoters> {
    let Some((since, newest)) = decided.last() else { return Ok(()) };
    let (configured, decided) =
        (configured(config), newest.next.as_ref().unwrap_or(&newest.voters));
    if configured == *decided {
        return Ok(());
    }
    Err(OtherVoters {
        file: config.file.clone(),
        configured,
        log: config.data_log_dir.clone(),
        since: *since,
        decided: decided.clone(),
    })
}

fn place(file: &Option<PathBuf>) -> String {
    file.as_ref().map_or("the configuration".into(), |file| file.display().to_string())
}

/// Voters for a sentence.
struct Shown<'a>(&'a Voters);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (id, seat)) in self.0.seats().enumerate() {
            let comma = if number == 0 { "" } else { ", " };
            write!(f, "{comma}{id}")?;
            if seat != Seat::default() {
                write!(f, " (group {}, weight {})", seat.group, seat.weight)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use zooid_ids::ServerId;

    use super::*;

    fn parsed(lines: &str) -> Config {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("myid"), "1").unwrap();
        let text = format!(
            "dataDir={}\ndataLogDir=/log\nclientPort=2181\ninitLimit=10\nsyncLimit=5\n{lines}",
            dir.path().display()
        );
        Config::parse(Path::new("zoo.cfg"), text.as_bytes(), &[]).unwrap().0
    }

    fn decided(voters: Voters) -> [(Zxid, Decided); 2] {
        let config = |voters| Decided { voters, next: None, registered: BTreeMap::new() };
        let older = config(Voters::majority([ServerId(9)]));
        [(Zxid(0x1_0000_0000), older), (Zxid(0x3_0000_0000), config(voters))]
    }

    const THREE: &str = "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\n";

    #[test]
    fn a_file_that_agrees_with_the_log_is_taken() {
        let three = decided(Voters::majority([1, 2, 3].map(ServerId)));
        assert_eq!(check(&parsed(THREE), &three), Ok(()));
        let moved = THREE.replace("a:1:2", "elsewhere:3:4;2181") + "server.4=d:1:2:observer\n";
        assert_eq!(check(&parsed(&moved), &three), Ok(()), "addresses and observers are free");
        assert_eq!(check(&parsed(""), &[]), Ok(()), "nothing was decided");
        let alone = decided(Voters::majority([ServerId(1)]));
        assert_eq!(check(&parsed(""), &alone), Ok(()));
        let groups = THREE.to_string() + "group.1=1\ngroup.2=2:3\nweight.3=2\n";
        let seats = [(1, 1, 1), (2, 2, 1), (3, 2, 2)];
        let seats = seats.map(|(id, group, weight)| (ServerId(id), Seat { group, weight }));
        assert_eq!(check(&parsed(&groups), &decided(Voters::seated(seats).unwrap())), Ok(()));
    }

    #[test]
    fn a_file_that_does_not_is_refused_with_both() {
        let three = decided(Voters::majority([1, 2, 3].map(ServerId)));
        let observed = THREE.replace("c:1:2", "c:1:2:observer");
        for (lines, shown) in [
            (String::new(), "1"),
            (THREE.replace("server.3", "server.4"), "1, 2, 4"),
            (THREE.to_string() + "server.4=d:1:2\n", "1, 2, 3, 4"),
            (observed, "1, 2"),
            (
                THREE.to_string() + "group.0=1:2\ngroup.7=3\nweight.1=0\n",
                "1 (group 0, weight 0), 2, 3 (group 7, weight 1)",
            ),
        ] {
            let said = check(&parsed(&lines), &three).unwrap_err().to_string();
            let begin = format!(
                "zoo.cfg has as servers with a vote: {shown}; but the log in /log says since zxid \
                 0x300000000: 1, 2, 3. This version cannot change who votes"
            );
            assert!(said.starts_with(&begin), "{said}");
            assert!(said.ends_with("it begins without the data of this one"), "{said}");
        }
    }
}
