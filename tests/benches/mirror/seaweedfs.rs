//! A SeaweedFS of the bench's own, empty for every measurement.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use crate::Outcome;
use crate::tools::Tool;
use crate::tools::Tools;

/// The bucket that it has.
pub(crate) const BUCKET: &str = "bench";

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_mins(1);

/// SeaweedFS listens for its own on each port plus this.
const NEIGHBOUR: u16 = 10_000;

/// A running server; dropping it ends it and removes what it kept.
#[derive(Debug)]
pub(crate) struct SeaweedFs {
    child: Child,
    folder: PathBuf,
    pub(crate) endpoint: String,
}

fn free_ports() -> Outcome<[u16; 5]> {
    let is_free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let start = u16::try_from(std::process::id() % 8000)? + 11_000;
    let mut free = (start..start + 1000).filter(|port| is_free(*port) && is_free(port + NEIGHBOUR));
    let mut next = || free.next().ok_or("no free ports on loopback");
    Ok([next()?, next()?, next()?, next()?, next()?])
}

impl SeaweedFs {
    /// Starts one below `folder`, and waits until it takes an object.
    pub(crate) fn start(tools: &Tools, folder: &Path) -> Outcome<Self> {
        let weed = tools.path(Tool::Weed).ok_or("weed is missing")?;
        let s5cmd = tools.path(Tool::S5cmd).ok_or("s5cmd is missing")?;
        let folder = folder.join("seaweedfs");
        fs::create_dir_all(&folder)?;
        let log = fs::File::create(folder.join("log"))?;
        let [master, volume, filer, s3, admin] = free_ports()?;
        let child = Command::new(weed)
            .arg("mini")
            .arg(format!("-dir={}", folder.display()))
            .args(["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-webdav=false"])
            .args(["-admin.ui=false", "-s3.port.iceberg=0", "-s3.port.lance=0"])
            .arg(format!("-bucket={BUCKET}"))
            .arg(format!("-master.port={master}"))
            .arg(format!("-volume.port={volume}"))
            .arg(format!("-filer.port={filer}"))
            .arg(format!("-s3.port={s3}"))
            .arg(format!("-admin.port={admin}"))
            .env("AWS_ACCESS_KEY_ID", "benchkey")
            .env("AWS_SECRET_ACCESS_KEY", "benchsecret")
            .env("HOME", &folder)
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let server = Self {
            child,
            folder,
            endpoint: format!("http://127.0.0.1:{s3}"),
        };
        let deadline = Instant::now() + PATIENCE;
        while !server.takes_an_object(&s5cmd)? {
            if Instant::now() > deadline {
                return Err("SeaweedFS did not start within a minute".into());
            }
            thread::sleep(Duration::from_millis(300));
        }
        Ok(server)
    }

    /// The processor time that it has used.
    pub(crate) fn cpu(&self) -> Outcome<f64> {
        crate::measure::cpu_of(self.child.id())
    }

    fn takes_an_object(&self, s5cmd: &Path) -> Outcome<bool> {
        let mut object = Command::new(s5cmd)
            .args(["--endpoint-url", &self.endpoint, "pipe"])
            .arg(format!("s3://{BUCKET}/ready"))
            .envs(credentials())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(object.wait()?.success())
    }
}

impl Drop for SeaweedFs {
    fn drop(&mut self) {
        let ended = self.child.kill().and_then(|()| self.child.wait());
        let removed = fs::remove_dir_all(&self.folder);
        if let Some(error) = ended.err().or(removed.err()) {
            crate::say(&format!("SeaweedFS may have left something: {error}"));
        }
    }
}

/// What clients are given.
pub(crate) fn credentials() -> [(&'static str, &'static str); 3] {
    [
        ("AWS_ACCESS_KEY_ID", "benchkey"),
        ("AWS_SECRET_ACCESS_KEY", "benchsecret"),
        ("AWS_REGION", "us-east-1"),
    ]
}
