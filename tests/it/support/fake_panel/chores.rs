//! What a node goes on with after the answer.

use std::fs;
use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use flate2::read::GzDecoder;

use super::host_rules::Deletes;
use super::host_rules::Gateway;
use super::host_rules::HostRules;
use super::pulls::Pull;
use super::reply::Reply;
use super::restores::Restore;
use super::script::Script;

/// What goes on after the answer.
#[derive(Debug)]
pub(super) enum Chore {
    Pull(Pull),
    Unpack(Unpack),
    Restore(Restore),
    Delete {
        paths: Vec<PathBuf>,
        pause: Duration,
    },
}

pub(super) fn remove(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    }
}

pub(super) fn gives_up() -> Reply {
    let body = "<html>\r\n<head><title>504 Gateway Time-out</title></head>\r\n</html>\r\n";
    Reply::new(504, "text/html; charset=utf-8", body)
}

impl Chore {
    pub(super) fn begin(self, script: &Script) {
        let script = script.clone();
        match self {
            Self::Pull(pull) => drop(tokio::spawn(pull.run(script))),
            Self::Restore(restore) => drop(tokio::spawn(restore.run(script))),
            Self::Unpack(unpack) => {
                let halts = move |number| {
                    stand_still(&script, |rules| match rules.gateway {
                        Gateway::Halts { after } => number >= after,
                        Gateway::Waits
                        | Gateway::GivesUp { .. }
                        | Gateway::GivesUpAtTheEnd
                        | Gateway::Dies { .. } => false,
                    });
                };
                drop(std::thread::spawn(move || unpack.run(halts)));
            }
            Self::Delete { paths, pause } => drop(std::thread::spawn(move || {
                for (number, path) in paths.into_iter().enumerate() {
                    stand_still(&script, |rules| match rules.deletes {
                        Deletes::Halts { after } => number >= after,
                        Deletes::AtOnce | Deletes::Slowly { .. } => false,
                    });
                    std::thread::sleep(pause);
                    // Another deletion may have come first.
                    drop(remove(&path));
                }
            })),
        }
    }
}

/// Waits as long as the rules of nodes say so.
fn stand_still(script: &Script, still: impl Fn(&HostRules) -> bool) {
    while still(&script.state().hosts.rules) {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// An archive that is being unpacked.
#[derive(Debug)]
pub(super) struct Unpack {
    pub(super) archive: PathBuf,
    pub(super) folder: PathBuf,
    pub(super) denied: Vec<String>,
    pub(super) gateway: Gateway,
}

impl Unpack {
    /// Writes all files; before the one of each number, from 0, this is waited for.
    pub(super) fn run(&self, wait: impl Fn(usize)) -> io::Result<()> {
        let mut tar = tar::Archive::new(GzDecoder::new(File::open(&self.archive)?));
        for (number, entry) in tar.entries()?.enumerate() {
            let mut entry = entry?;
            wait(number);
            match self.gateway {
                Gateway::GivesUp { pause } => std::thread::sleep(pause),
                Gateway::Dies { after } if number == after => return Ok(()),
                Gateway::Waits
                | Gateway::GivesUpAtTheEnd
                | Gateway::Dies { .. }
                | Gateway::Halts { .. } => {}
            }
            let path = entry.path()?.into_owned();
            if self.denied.iter().any(|name| path == Path::new(name)) {
                continue;
            }
            let target = self.folder.join(&path);
            if let Some(parent) = target.parent() {
                fs::create_dir_all(parent)?;
            }
            // Its time is that of the archive only once it is whole.
            entry.set_preserve_mtime(true);
            entry.unpack(&target)?;
        }
        Ok(())
    }

    pub(super) fn unpacked_bytes(&self) -> io::Result<u64> {
        let mut tar = tar::Archive::new(GzDecoder::new(File::open(&self.archive)?));
        let mut bytes = 0;
        for entry in tar.entries()? {
            bytes += entry?.size();
        }
        Ok(bytes)
    }
}
