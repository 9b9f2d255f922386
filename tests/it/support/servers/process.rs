//! A server's process, tied to the life of the test process.

use std::fmt;
use std::fs;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::ChildStdin;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use std::time::Instant;

/// How long a server may take until it takes an object; it takes 2 s on an idle machine.
const PATIENCE: Duration = Duration::from_mins(5);

/// Runs the server and waits for it. When the pipe that is its standard input closes, which the
/// system does when the test process ends in any way, it kills the server. Then it removes the
/// server's folder and whatever the server leaves elsewhere.
const WATCHDOG: &str = r#"
folder=$1; shift
exec 3<&0
"$@" 3<&- </dev/null &
server=$!
(read -r _ <&3; kill -KILL "$server") 2>/dev/null >/dev/null &
reader=$!
wait "$server"
kill "$reader" 2>/dev/null
cd /
rm -rf -- "$folder" $LEFT_ELSEWHERE
"#;

/// What to start.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(&'static str, String)>,
    /// Files outside of its folder that the server makes; no spaces in them.
    pub(crate) left_elsewhere: Vec<String>,
}

/// The folder of one server, readable by its owner only.
///
/// It is short, because sockets may be made in it, and their paths are limited to 107 bytes.
pub(crate) fn folder(name: &str) -> PathBuf {
    tempfile::Builder::new()
        .prefix(&format!("nestegg-{name}-"))
        .tempdir()
        .unwrap()
        .keep()
}

/// A running server. Dropping it kills the server and removes its folder.
pub(crate) struct Process {
    name: &'static str,
    folder: PathBuf,
    watchdog: Child,
    lifeline: Option<ChildStdin>,
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process")
            .field("name", &self.name)
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl Process {
    /// Starts a server that keeps everything in `folder`, and returns once `takes_an_object` does.
    ///
    /// # Errors
    /// [`NotStarted`], with what the server wrote.
    pub(crate) fn start(
        name: &'static str,
        folder: PathBuf,
        launch: &Launch,
        takes_an_object: impl Fn() -> Result<(), String>,
    ) -> Result<Self, NotStarted> {
        let log = File::create(folder.join("log")).unwrap();
        // The folder goes as soon as the server has ended.
        let written = File::open(folder.join("log")).unwrap();
        let mut watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, name])
            .arg(&folder)
            .arg(&launch.program)
            .args(&launch.arguments)
            .env("LEFT_ELSEWHERE", launch.left_elsewhere.join(" "))
            .env("TMPDIR", &folder)
            .env("HOME", &folder)
            .env("NO_PROXY", "127.0.0.1,localhost")
            .env("no_proxy", "127.0.0.1,localhost")
            .envs(launch.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&folder)
            .process_group(0) // an interrupt typed at the terminal must not end it before its work
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let lifeline = watchdog.stdin.take();
        let mut process = Self {
            name,
            folder,
            watchdog,
            lifeline,
        };
        process.wait_until(takes_an_object, written)?;
        Ok(process)
    }

    fn wait_until(
        &mut self,
        takes_an_object: impl Fn() -> Result<(), String>,
        log: File,
    ) -> Result<(), NotStarted> {
        let name = self.name;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let Err(why) = takes_an_object() else {
                return Ok(());
            };
            if self.watchdog.try_wait().unwrap().is_some() {
                let wrote = tail(log);
                let message = format!("{name} ended by itself; it wrote:\n{wrote}");
                return Err(NotStarted::Ended(message));
            }
            if Instant::now() > deadline {
                let wrote = tail(log);
                return Err(NotStarted::TooSlow(format!(
                    "{name} took no object within {PATIENCE:?} ({why}); it wrote:\n{wrote}"
                )));
            }
            thread::sleep(Duration::from_millis(30));
        }
    }

    /// Where it keeps everything.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Kills the server, as a machine that loses power does, and returns when nothing of it is left.
    pub(crate) fn kill(&mut self) {
        drop(self.lifeline.take());
        self.watchdog.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The last lines of a log, which may have no name any more.
fn tail(log: File) -> String {
    let text = std::io::read_to_string(log).unwrap_or_else(|e| format!("(unreadable: {e})"));
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

/// Why a server does not run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotStarted {
    /// It ended at once, as it does when somebody else took its port meanwhile.
    Ended(String),
    /// It runs and does not serve.
    TooSlow(String),
}

/// Starts a server, on other ports when the first ones were taken meanwhile.
///
/// # Errors
/// What the server wrote.
pub(crate) fn several_tries<T>(start: impl Fn() -> Result<T, NotStarted>) -> Result<T, String> {
    let mut tries_left = 3;
    loop {
        tries_left -= 1;
        match start() {
            Ok(server) => return Ok(server),
            Err(NotStarted::Ended(_)) if tries_left > 0 => {}
            Err(NotStarted::Ended(why) | NotStarted::TooSlow(why)) => return Err(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Launch {
        Launch {
            program: "sh".into(),
            arguments: vec!["-c".to_owned(), script.to_owned()],
            environment: Vec::new(),
            left_elsewhere: Vec::new(),
        }
    }

    #[test]
    fn a_server_that_ends_by_itself_is_told_with_what_it_wrote() {
        let folder = folder("ends");
        let launch = shell("echo the port is taken >&2; exit 1");
        let failed = Process::start("ends", folder.clone(), &launch, || Err(String::new()));
        assert_eq!(
            failed.map(drop),
            Err(NotStarted::Ended(
                "ends ended by itself; it wrote:\nthe port is taken".to_owned()
            ))
        );
        assert!(!folder.exists());
    }

    #[test]
    fn when_the_pipe_from_the_test_process_closes_nothing_is_left() {
        let folder = folder("tied");
        let elsewhere = tempfile::NamedTempFile::new().unwrap();
        let pid_file = folder.join("pid");
        let launch = Launch {
            left_elsewhere: vec![elsewhere.path().to_str().unwrap().to_owned()],
            ..shell("echo $$ >pid.new; mv pid.new pid; exec sleep 1000")
        };
        let mut process = Process::start("tied", folder.clone(), &launch, || {
            fs::metadata(&pid_file).map(drop).map_err(|e| e.to_string())
        })
        .unwrap();
        let pid = fs::read_to_string(&pid_file).unwrap();
        process.kill();
        let alive = Command::new("kill")
            .args(["-0", pid.trim()])
            .output()
            .unwrap();
        assert!(!alive.status.success());
        assert!(!folder.exists());
        assert!(!elsewhere.path().exists());
    }
}
