//! OpenSSH's server, serving SFTP over one folder, for one login of the test's own.
//!
//! It runs without privileges whoever runs the tests, so it needs no account, no chroot and no
//! folder outside its own: a wrapper of the C library answers for its users. Logins such as
//! `alice.d3aac109` exist there alone.

use std::fs;
use std::io::Read as _;
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::support::servers::install::SshTools;
use crate::support::servers::ports;
use crate::support::servers::ports::Claim;
use crate::support::servers::process;
use crate::support::servers::process::Launch;
use crate::support::servers::process::NotStarted;
use crate::support::servers::process::Process;

/// The password that every login takes.
pub(crate) const PASSWORD: &str = "open sesame";
/// It, as `crypt(3)` keeps it.
const CRYPTED: &str = "$6$nestegg$obtfaQ5Fd3eMxLJ/JA9CUdPCbSQHr8mzuTO7gqyhXbcKXosNrsQMXwv9kZYyxhFbSVz/cqwrMMcElkjVPEGlB.";
/// `nobody`: root's tests run the server as this.
const NOBODY: u32 = 65_534;

/// One server.
#[derive(Debug)]
pub(crate) struct Sshd {
    process: Process,
    pub(crate) port: u16,
    _claim: Claim<1>,
}

impl Sshd {
    /// Serves `folder` to `login`.
    pub(crate) fn start(login: &str, folder: &Path) -> Self {
        process::several_tries(|| Self::try_start(login, folder)).unwrap()
    }

    fn try_start(login: &str, served: &Path) -> Result<Self, NotStarted> {
        let claim = ports::claim::<1>();
        let [port] = claim.ports;
        let folder = process::folder("sshd");
        let own = fs::metadata(&folder).unwrap().uid();
        let uid = if own == 0 { NOBODY } else { own };
        copy_programs(&folder);
        let here = folder.to_str().unwrap().to_owned();
        let passwd = format!(
            "{login}:{CRYPTED}:{uid}:{uid}::{here}:/bin/sh\nsshd:*:65533:65533::/nonexistent:/bin/false\nroot:*:0:0::/:/bin/false\n"
        );
        fs::write(folder.join("passwd"), passwd).unwrap();
        fs::write(folder.join("group"), format!("own:x:{uid}:\n")).unwrap();
        for name in ["host", "key", "other"] {
            make_key(&folder, name);
        }
        if own == 0 {
            for open in [folder.as_path(), &folder.join("host")] {
                fs::set_permissions(open, fs::Permissions::from_mode(0o755)).unwrap();
            }
            fs::set_permissions(served, fs::Permissions::from_mode(0o777)).unwrap();
        }
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {here}/host\nPidFile none\nUsePAM no\n\
             StrictModes no\nAuthorizedKeysFile {here}/key.pub\nKbdInteractiveAuthentication no\n\
             Subsystem sftp internal-sftp -d {}\n",
            served.display()
        );
        fs::write(folder.join("config"), config).unwrap();
        let wrapped = [
            "env".to_owned(),
            format!("LD_LIBRARY_PATH={here}"),
            format!("LD_PRELOAD={here}/libnss_wrapper.so"),
            format!("NSS_WRAPPER_PASSWD={here}/passwd"),
            format!("NSS_WRAPPER_GROUP={here}/group"),
            format!("{here}/sshd"),
            "-D".to_owned(),
            "-e".to_owned(),
            "-f".to_owned(),
            format!("{here}/config"),
        ];
        let unprivileged = if own == 0 {
            vec![
                "setpriv".to_owned(),
                format!("--reuid={NOBODY}"),
                format!("--regid={NOBODY}"),
                "--clear-groups".to_owned(),
            ]
        } else {
            Vec::new()
        };
        let mut words = unprivileged.into_iter().chain(wrapped);
        let launch = Launch {
            program: PathBuf::from(words.next().unwrap()),
            arguments: words.collect(),
            environment: Vec::new(),
            left_elsewhere: Vec::new(),
        };
        let process = Process::start("sshd", folder, &launch, || greets(port))?;
        Ok(Self {
            process,
            port,
            _claim: claim,
        })
    }

    /// A private key that is let in.
    pub(crate) fn key(&self) -> PathBuf {
        self.process.folder().join("key")
    }

    /// A private key that is not.
    pub(crate) fn other_key(&self) -> PathBuf {
        self.process.folder().join("other")
    }

    /// The fingerprint of its host key, by OpenSSH's own account.
    pub(crate) fn fingerprint(&self) -> String {
        fingerprint(self.process.folder(), "host.pub")
    }

    /// The fingerprint of a key that is not its host key.
    pub(crate) fn other_fingerprint(&self) -> String {
        fingerprint(self.process.folder(), "other.pub")
    }

    /// The line of a `known_hosts` file that names its host key.
    pub(crate) fn known_hosts_line(&self) -> String {
        let key = fs::read_to_string(self.process.folder().join("host.pub")).unwrap();
        let mut words = key.split(' ');
        let (kind, key) = (words.next().unwrap(), words.next().unwrap());
        format!("[127.0.0.1]:{} {kind} {}\n", self.port, key.trim())
    }
}

fn copy_programs(folder: &Path) {
    let tools = SshTools::get();
    for file in tools.files() {
        fs::copy(&file, folder.join(file.file_name().unwrap())).unwrap();
    }
}

/// The tests' own user need not exist on this machine: the wrapper answers for it too.
fn ssh_keygen(folder: &Path) -> Command {
    let mut command = Command::new("ssh-keygen");
    command
        .current_dir(folder)
        .env("LD_PRELOAD", folder.join("libnss_wrapper.so"))
        .env("NSS_WRAPPER_PASSWD", folder.join("passwd"))
        .env("NSS_WRAPPER_GROUP", folder.join("group"));
    command
}

fn told(mut command: Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|why| panic!("ssh-keygen is missing (Debian's openssh-client): {why}"));
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn make_key(folder: &Path, name: &str) {
    let mut command = ssh_keygen(folder);
    command.args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", name]);
    told(command);
}

fn fingerprint(folder: &Path, public: &str) -> String {
    let mut command = ssh_keygen(folder);
    command.args(["-lf", public]);
    told(command).split(' ').nth(1).unwrap().to_owned()
}

fn greets(port: u16) -> Result<(), String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(|e| e.to_string())?;
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .map_err(|e| e.to_string())?;
    let mut hello = [0; 4];
    stream.read_exact(&mut hello).map_err(|e| e.to_string())?;
    if &hello == b"SSH-" {
        Ok(())
    } else {
        Err(format!("it says {hello:?}"))
    }
}
