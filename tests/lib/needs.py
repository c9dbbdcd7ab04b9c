"""Brings what the tests need and the machine lacks: Debian packages, Python packages, jar files.

Everything lands under `tests/.cache` except Debian packages. Each step says what it does, and does nothing
if the thing is there. Runs on the system's Python alone, so it may not import anything installed.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
CACHE = TESTS / ".cache"
VENV = CACHE / "venv"
PYSPARK = "pyspark==4.3.0"
PYSPARK_JARS = CACHE / "pyspark-4.3.0-jars"
JAVA_DIR = Path("/usr/share/java")

# Of the hundreds of jars in pyspark, those that ZooKeeper and Curator load.
PYSPARK_WANTED = (
    "commons-cli-",
    "commons-io-",
    "curator-",
    "guava-",
    "failureaccess-",
    "jackson-annotations-",
    "jackson-core-2",
    "jackson-databind-",
    "log4j-api-",
    "log4j-core-",
    "log4j-slf4j2-impl-",
    "metrics-core-",
    "netty-",
    "slf4j-api-",
    "snappy-java-",
    "zookeeper-",
)
DEBIAN_CURATOR = ("zookeeper", "zookeeper-jute", "curator-client", "curator-framework", "curator-recipes", "guava", "slf4j-api", "slf4j-nop")

_apt_lists_are_fresh = False


def say(text: str) -> None:
    print(f"  {text}", flush=True)


def debian(*packages: str) -> None:
    """Installs those of the packages that are missing."""
    global _apt_lists_are_fresh
    missing = [name for name in packages if not is_installed(name)]
    if not missing:
        return
    as_root = [] if os.geteuid() == 0 else ["sudo"]
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    if not _apt_lists_are_fresh:
        say("updating the lists of Debian packages")
        run_quietly([*as_root, "apt-get", "update", "-q"], environment)
        _apt_lists_are_fresh = True
    say(f"installing Debian packages: {' '.join(missing)}")
    run_quietly([*as_root, "apt-get", "install", "-y", "-q", "--no-install-recommends", *missing], environment)


def is_installed(package: str) -> bool:
    query = ["dpkg-query", "-W", "-f=${Status}", package]
    return subprocess.run(query, capture_output=True, text=True).stdout == "install ok installed"


def run_quietly(command: list, environment: dict | None = None) -> None:
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))[:300]} failed:\n{done.stdout[-4000:]}")


def judge() -> Path:
    """The program that judges recordings, built from this checkout."""
    say("building zooid-judge")
    run_quietly(["cargo", "build", "--quiet", "--locked", "--package", "zooid-judge", "--manifest-path", TESTS.parent / "Cargo.toml"])
    return Path(os.environ.get("CARGO_TARGET_DIR") or TESTS.parent / "target") / "debug/zooid-judge"


def jdk() -> None:
    """A Java compiler; Debian's default JDK unless one is on the path."""
    if not shutil.which("javac"):
        debian("default-jdk-headless")


def c_compiler() -> None:
    if not shutil.which("gcc"):
        debian("gcc", "libc6-dev")


def python_packages(*packages: str) -> Path:
    """A virtual environment that has the packages; its Python."""
    python = VENV / "bin/python"
    if not python.exists():
        say(f"making a Python environment in {VENV.relative_to(TESTS.parent)}")
        if subprocess.run([sys.executable, "-m", "venv", VENV], capture_output=True).returncode != 0:
            debian("python3-venv")
            run_quietly([sys.executable, "-m", "venv", "--clear", VENV])
    mark = VENV / ("has " + " ".join(packages))
    if not mark.exists():
        say(f"installing Python packages: {' '.join(packages)}")
        run_quietly([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages])
        mark.touch()
    return python


def debian_java_clients() -> None:
    jdk()
    debian("libzookeeper-java", "libcurator-client-java", "libcurator-framework-java", "libcurator-recipes-java", "libslf4j-java")


def debian_classpath() -> str:
    """ZooKeeper 3.8 and Curator 5.4; the jars name their own dependencies."""
    return ":".join(str(JAVA_DIR / f"{name}.jar") for name in DEBIAN_CURATOR)


def pyspark_jars() -> None:
    """ZooKeeper 3.9.5 and Curator 5.9, out of the pyspark archive (450 MB, thrown away after unpacking)."""
    if PYSPARK_JARS.exists():
        return
    python = python_packages("pip")
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        say(f"downloading {PYSPARK} for its ZooKeeper 3.9.5 and Curator 5.9 jars (450 MB)")
        download = [python, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "-d", folder]
        run_quietly([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "setuptools", "wheel"])
        run_quietly([*download, PYSPARK])
        unpacked = Path(folder) / "jars"
        unpacked.mkdir()
        unpack_jars(next(Path(folder).glob("pyspark-*")), unpacked)
        unpacked.rename(PYSPARK_JARS)


def unpack_jars(archive: Path, target: Path) -> None:
    with tarfile.open(archive) as tar:
        for member in tar:
            name = Path(member.name).name
            if name.endswith(".jar") and name.startswith(PYSPARK_WANTED) and "linux" not in name and "osx" not in name and "windows" not in name:
                (target / name).write_bytes(tar.extractfile(member).read())
    if not list(target.glob("zookeeper-3.9*.jar")):
        raise SystemExit(f"{archive.name} holds no ZooKeeper 3.9 jar")


def pyspark_classpath() -> str:
    return ":".join(str(jar) for jar in sorted(PYSPARK_JARS.glob("*.jar")))
