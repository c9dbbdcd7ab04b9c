//! `envi`, and this server's version as ZooKeeper's clients and probes read it.

use std::env;
use std::fs;

use zooid_ids::Millis;

use super::java::Date;

/// The release of ZooKeeper whose protocol and texts these are. Probes take the number apart and
/// decide by it what they may ask, so it stands first.
const COMPATIBLE: &str = "3.9.5";

/// What stands where ZooKeeper has nothing to say.
const UNKNOWN: &str = "<NA>";

/// The version: ZooKeeper's, then ours where ZooKeeper's has a revision, then when this was built.
#[must_use]
pub fn version(built: Millis) -> String {
    let ours = env!("CARGO_PKG_VERSION");
    format!("{COMPATIBLE}-zooid-{ours}, built on {}", Date::at(built).to_minute())
}

/// ZooKeeper's entries. There is no Java here: what is said of it is what ZooKeeper says where it
/// does not know.
#[must_use]
pub fn environment(version: &str) -> Vec<(&'static str, String)> {
    let file = |path| fs::read_to_string(path).ok().map(|text| text.trim().to_string());
    let directory = env::current_dir().ok().map(|path| path.display().to_string());
    let known = [
        ("zookeeper.version", Some(version.to_string())),
        ("host.name", file("/proc/sys/kernel/hostname")),
        ("java.version", None),
        ("java.vendor", None),
        ("java.home", None),
        ("java.class.path", None),
        ("java.library.path", None),
        ("java.io.tmpdir", Some(env::temp_dir().display().to_string())),
        ("java.compiler", None),
        ("os.name", file("/proc/sys/kernel/ostype")),
        ("os.arch", Some(architecture().to_string())),
        ("os.version", file("/proc/sys/kernel/osrelease")),
        ("user.name", env::var("USER").ok()),
        ("user.home", env::var("HOME").ok()),
        ("user.dir", directory),
    ];
    known.map(|(key, value)| (key, value.unwrap_or_else(|| UNKNOWN.to_string()))).into()
}

/// The processor, by Java's name.
fn architecture() -> &'static str {
    match env::consts::ARCH {
        "x86_64" => "amd64",
        other => other,
    }
}

/// `envi`.
#[must_use]
pub fn envi(environment: &[(&'static str, String)]) -> String {
    let lines = environment.iter().map(|(key, value)| format!("{key}={value}\n"));
    std::iter::once("Environment:\n".to_string()).chain(lines).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envi_says() {
        let environment = [("zookeeper.version", "x".to_string()), ("host.name", "y".to_string())];
        assert_eq!(envi(&environment), "Environment:\nzookeeper.version=x\nhost.name=y\n");
    }

    #[test]
    fn the_environment_has_zookeeper_s_keys() {
        let environment = environment("3.9.5");
        assert_eq!(environment[0], ("zookeeper.version", "3.9.5".to_string()));
        assert_eq!(environment.len(), 15);
        assert!(environment.iter().all(|(_, value)| !value.is_empty()));
    }

    #[test]
    fn the_version_begins_as_zookeeper_s() {
        let version = version(Millis(1_770_841_080_000));
        let ours = env!("CARGO_PKG_VERSION");
        assert_eq!(version, format!("3.9.5-zooid-{ours}, built on 2026-02-11 20:18 UTC"));
    }
}
