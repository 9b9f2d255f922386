//! Opening age files without nestegg.

use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use crate::support::servers::install::AgeTools;

const NODE: &str = "
import { Decrypter } from 'age-encryption';
import { readFileSync } from 'node:fs';
const [key, file] = process.argv.slice(1);
const identity = readFileSync(key, 'utf8').split('\\n').find((line) => line.startsWith('AGE-'));
const decrypter = new Decrypter();
decrypter.addIdentity(identity);
process.stdout.write(await decrypter.decrypt(readFileSync(file)));
";

const PYTHON: &str = "
import sys, pyrage
key, file = (open(name, 'rb').read() for name in sys.argv[1:])
if key.startswith(b'-----BEGIN'):
    identity = pyrage.ssh.Identity.from_buffer(key)
else:
    line = next(line for line in key.decode().splitlines() if line.startswith('AGE-'))
    identity = pyrage.x25519.Identity.from_str(line)
sys.stdout.buffer.write(pyrage.decrypt(file, [identity]))
";

/// Another implementation of age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tool {
    /// age's author's own, in TypeScript: age keys alone.
    Node,
    /// `pyrage`: SSH keys too.
    Python,
}

impl Tool {
    /// What decrypts `file` with the private key in `key`, to its standard output.
    fn command(self, key: &Path, file: &Path) -> Command {
        let tools = AgeTools::get();
        let mut command = match self {
            Self::Node => {
                let mut node = Command::new("node");
                node.current_dir(tools.node())
                    .args(["--input-type=module", "-e", NODE]);
                node
            }
            Self::Python => {
                let mut python = Command::new("python3");
                python
                    .env("PYTHONPATH", tools.python())
                    .args(["-c", PYTHON]);
                python
            }
        };
        command.arg(key).arg(file).stdin(Stdio::null());
        command
    }

    /// The archive inside `file`, or what the tool says instead.
    pub(super) fn open(self, key: &Path, file: &Path) -> Result<Vec<u8>, String> {
        let output = self.command(key, file).output().unwrap();
        if output.status.success() {
            Ok(output.stdout)
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// The members of the archive inside `file`, by `… | tar tz`.
    pub(super) fn list(self, key: &Path, file: &Path) -> Vec<String> {
        let mut opening = self
            .command(key, file)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let listed = Command::new("tar")
            .arg("tz")
            .stdin(opening.stdout.take().unwrap())
            .output()
            .unwrap();
        assert!(opening.wait().unwrap().success());
        assert!(listed.status.success(), "{listed:?}");
        let names = String::from_utf8(listed.stdout).unwrap();
        names.lines().map(str::to_owned).collect()
    }
}

/// The members of an archive that is not encrypted.
pub(super) fn members(archive: &Path) -> Vec<String> {
    let listed = Command::new("tar")
        .arg("tzf")
        .arg(archive)
        .output()
        .unwrap();
    assert!(listed.status.success(), "{listed:?}");
    let names = String::from_utf8(listed.stdout).unwrap();
    names.lines().map(str::to_owned).collect()
}
