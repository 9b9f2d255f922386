//! The programs that nestegg is compared with, where they are, and which they are.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

/// One program of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    Curl,
    Gzip,
    Pigz,
    Tar,
    Sha256sum,
    Openssl,
    Rclone,
    S5cmd,
    Aws,
    Weed,
}

impl Tool {
    /// What it is called.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Curl => "curl",
            Self::Gzip => "gzip",
            Self::Pigz => "pigz",
            Self::Tar => "tar",
            Self::Sha256sum => "sha256sum",
            Self::Openssl => "openssl",
            Self::Rclone => "rclone",
            Self::S5cmd => "s5cmd",
            Self::Aws => "aws",
            Self::Weed => "weed",
        }
    }

    /// What it says of its version, in a few words.
    fn version(self, path: &Path) -> Option<String> {
        let word = match self {
            Self::Rclone | Self::S5cmd | Self::Weed | Self::Openssl => "version",
            Self::Curl | Self::Gzip | Self::Pigz | Self::Tar | Self::Sha256sum | Self::Aws => {
                "--version"
            }
        };
        let output = Command::new(path).arg(word).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = text.lines().next()?.to_owned();
        let has_name = line.contains(self.name());
        let words: Vec<&str> = line.split_whitespace().take(4).collect();
        let shown = words.join(" ");
        Some(if has_name {
            shown
        } else {
            format!("{} {shown}", self.name())
        })
    }
}

/// Where programs are found: first where the tests install them, then on the search path.
#[derive(Debug)]
pub(crate) struct Tools {
    folders: Vec<PathBuf>,
}

impl Tools {
    /// Asks the shell for the search path.
    pub(crate) fn find() -> Self {
        let installed =
            Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("test-servers/python");
        let path = Command::new("sh")
            .args(["-c", "printf %s \"$PATH\""])
            .output()
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
            .unwrap_or_default();
        // s5cmd's own binary before the script of that name, which needs to be told where it is.
        let mut folders = vec![installed.join("s5cmd/bin"), installed.join("bin")];
        folders.extend(path.split(':').map(PathBuf::from));
        Self { folders }
    }

    /// The program, if it is there.
    pub(crate) fn path(&self, tool: Tool) -> Option<PathBuf> {
        self.folders
            .iter()
            .map(|folder| folder.join(tool.name()))
            .find(|path| path.is_file())
    }

    /// Those of `needed` that are not there, told; `None` when all are.
    pub(crate) fn missing(&self, needed: &[Tool]) -> Option<String> {
        let missing: Vec<&str> = needed
            .iter()
            .filter(|tool| self.path(**tool).is_none())
            .map(|tool| tool.name())
            .collect();
        (!missing.is_empty()).then(|| format!("{} is not on this machine", missing.join(", ")))
    }

    /// The search path for a peer's shell.
    pub(crate) fn search_path(&self) -> String {
        let folders: Vec<String> = self
            .folders
            .iter()
            .map(|folder| folder.display().to_string())
            .collect();
        folders.join(":")
    }

    /// The versions of what is there.
    pub(crate) fn versions(&self, tools: &[Tool]) -> String {
        let shown: Vec<String> = tools
            .iter()
            .filter_map(|tool| tool.version(&self.path(*tool)?))
            .collect();
        shown.join(", ")
    }
}
