//! The files of a local ensemble: `DIR/N/zoo.cfg`, `DIR/N/data/myid`, `DIR/N/server.log`.
//!
//! They are written once. What is there is kept, whatever an operator made of it, and a command line
//! that contradicts it is refused.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use zooid_server::config::{Config, HostPort};

use super::member::Member;

/// More would overlap with the default ports of others, and say nothing that nine do not.
pub(super) const MEMBERS_MAX: u64 = 9;
const MEMBERS: u16 = 3;
const TICK_TIME: u32 = 2000;
const HOST: &str = "127.0.0.1";

/// What is wished; `None` is the default for a new ensemble, and whatever it has for an old one.
pub(super) struct Layout {
    /// An absolute path.
    pub(super) dir: PathBuf,
    pub(super) members: Option<u16>,
    pub(super) ports: Ports,
    pub(super) tick_time: Option<u32>,
}

/// The first member's ports; the others' follow.
#[derive(Clone, Copy, Default)]
pub(super) struct Ports {
    pub(super) client: Option<u16>,
    pub(super) quorum: Option<u16>,
    pub(super) election: Option<u16>,
}

impl Layout {
    /// Finds the files, or writes them.
    ///
    /// # Errors
    /// What cannot be read or written, what is there and contradicts the wish, ports that overlap.
    pub(super) fn prepare(&self) -> Result<Vec<Member>, String> {
        if config_file(&self.dir, 1).exists() {
            self.check_wishes()?;
        } else {
            self.write()?;
        }
        let numbers = (1..).take_while(|number| config_file(&self.dir, *number).exists());
        numbers.map(|number| find(&self.dir, number)).collect()
    }

    fn check_wishes(&self) -> Result<(), String> {
        let Ports { client, quorum, election } = self.ports;
        let wishes =
            [client.is_some(), quorum.is_some(), election.is_some(), self.tick_time.is_some()];
        let there = (1..).take_while(|number| config_file(&self.dir, *number).exists()).count();
        let dir = self.dir.display();
        if self.members.is_some_and(|wished| usize::from(wished) != there) {
            return Err(format!(
                "{dir} holds an ensemble of {there}; say {there}, or another --dir"
            ));
        }
        if wishes.contains(&true) {
            return Err(format!(
                "{dir} holds an ensemble already, whose ports and tickTime stand in its zoo.cfg files; \
                 change them there, or say another --dir"
            ));
        }
        Ok(())
    }

    /// The first member's file comes last: without it nothing counts.
    fn write(&self) -> Result<(), String> {
        let members = self.members.unwrap_or(MEMBERS);
        let ports = self.all_ports(members)?;
        let lines: String =
            (1..).zip(&ports).map(|(number, ports)| server_line(number, *ports)).collect();
        for number in (1..=members).rev() {
            let data = data_dir(&self.dir, number);
            fs::create_dir_all(&data).map_err(|error| failed(&data, &error))?;
            put(&data.join("myid"), &format!("{number}\n"))?;
            let tick_time = self.tick_time.unwrap_or(TICK_TIME);
            put(&config_file(&self.dir, number), &config(&data, tick_time, &lines))?;
        }
        Ok(())
    }

    /// For each member the ports for clients, followers and elections.
    fn all_ports(&self, members: u16) -> Result<Vec<[u16; 3]>, String> {
        let Ports { client, quorum, election } = self.ports;
        let firsts = [client.unwrap_or(2181), quorum.unwrap_or(2888), election.unwrap_or(3888)];
        let of = |index: u16| {
            let [client, quorum, election] =
                firsts.map(|first| first.checked_add(index).filter(|port| *port > 0));
            Some([client?, quorum?, election?])
        };
        let ports: Vec<_> =
            (0..members).map(of).collect::<Option<_>>().ok_or("ports are 1 to 65535")?;
        let mut all = ports.concat();
        all.sort_unstable();
        match all.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(format!("port {} would be used twice", pair[0])),
            None => Ok(ports),
        }
    }
}

fn server_line(number: u16, [client, quorum, election]: [u16; 3]) -> String {
    format!("server.{number}={HOST}:{quorum}:{election};{HOST}:{client}\n")
}

fn config(data: &Path, tick_time: u32, server_lines: &str) -> String {
    format!(
        "# Written once by `zooid ensemble`, which keeps what is changed here.\n\
         tickTime={tick_time}\n\
         initLimit=10\n\
         syncLimit=5\n\
         dataDir={}\n\
         4lw.commands.whitelist=*\n\
         {server_lines}",
        data.display()
    )
}

fn find(dir: &Path, number: u16) -> Result<Member, String> {
    let config = config_file(dir, number);
    let (read, _) = Config::load(Some(&config)).map_err(|error| error.to_string())?;
    let HostPort { host, port } = read.client_address;
    let client = HostPort { host: host.or_else(|| Some(HOST.to_string())), port };
    Ok(Member { number, config, log: dir.join(number.to_string()).join("server.log"), client })
}

fn config_file(dir: &Path, number: u16) -> PathBuf {
    dir.join(number.to_string()).join("zoo.cfg")
}

fn data_dir(dir: &Path, number: u16) -> PathBuf {
    dir.join(number.to_string()).join("data")
}

fn put(file: &Path, text: &str) -> Result<(), String> {
    fs::write(file, text).map_err(|error| failed(file, &error))
}

fn failed(path: &Path, error: &io::Error) -> String {
    format!("cannot write {}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(dir: &Path, members: Option<u16>) -> Layout {
        Layout { dir: dir.to_path_buf(), members, ports: Ports::default(), tick_time: None }
    }

    #[test]
    fn files_are_written_once() {
        let dir = tempfile::tempdir().unwrap();
        layout(dir.path(), None).write().unwrap();
        let data = data_dir(dir.path(), 2);
        assert_eq!(fs::read_to_string(data.join("myid")).unwrap(), "2\n");
        let expected = format!(
            "# Written once by `zooid ensemble`, which keeps what is changed here.\n\
             tickTime=2000\ninitLimit=10\nsyncLimit=5\ndataDir={}\n4lw.commands.whitelist=*\n\
             server.1=127.0.0.1:2888:3888;127.0.0.1:2181\n\
             server.2=127.0.0.1:2889:3889;127.0.0.1:2182\n\
             server.3=127.0.0.1:2890:3890;127.0.0.1:2183\n",
            data.display()
        );
        let file = config_file(dir.path(), 2);
        assert_eq!(fs::read_to_string(&file).unwrap(), expected);
        let changed = expected.replace("=2000", "=1000");
        fs::write(&file, &changed).unwrap();
        assert!(layout(dir.path(), Some(3)).check_wishes().is_ok());
        assert_eq!(fs::read_to_string(&file).unwrap(), changed);
    }

    #[test]
    fn a_server_alone_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let found = layout(dir.path(), Some(1)).prepare().unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].client.to_string(), "127.0.0.1:2181");
        assert_eq!(layout(dir.path(), None).prepare().unwrap().len(), 1);
    }

    #[test]
    fn wishes_that_contradict_what_is_there_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        layout(dir.path(), Some(3)).write().unwrap();
        let refused = layout(dir.path(), Some(5)).prepare().err().unwrap();
        assert!(refused.contains("holds an ensemble of 3"), "{refused}");
        let ports = Ports { client: Some(4000), ..Ports::default() };
        let refused = Layout { ports, ..layout(dir.path(), None) }.prepare().err().unwrap();
        assert!(refused.contains("zoo.cfg"), "{refused}");
    }

    #[test]
    fn ports_are_checked() {
        let dir = tempfile::tempdir().unwrap();
        let with = |ports| Layout { ports, ..layout(dir.path(), Some(3)) }.prepare().err().unwrap();
        let overlap = with(Ports { client: Some(2887), ..Ports::default() });
        assert_eq!(overlap, "port 2888 would be used twice");
        let beyond = with(Ports { election: Some(65534), ..Ports::default() });
        assert_eq!(beyond, "ports are 1 to 65535");
        assert!(!config_file(dir.path(), 1).exists());
    }
}
