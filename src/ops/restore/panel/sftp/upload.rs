//! A file on a node that takes an archive in parts.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use russh_sftp::client::fs::File;
use russh_sftp::protocol::FileAttributes;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncSeekExt as _;
use tokio::io::AsyncWriteExt as _;

use crate::model::content::Part;
use crate::model::outcome::Failure;
use crate::model::outcome::Scope;
use crate::model::outcome::chain;
use crate::ops::restore::panel::because::Because;
use crate::ops::restore::panel::sftp::Sftp;
use crate::ops::restore::panel::sftp::error::SftpError;
use crate::ops::restore::panel::sftp::error::broken;
use crate::transfer::pump::Sink;

/// A file on a node that takes parts.
#[must_use = "the file only gets its name in `finish`"]
pub struct SftpUpload {
    pub(super) sftp: Arc<Sftp>,
    pub(super) name: String,
    pub(super) file: File,
    /// What an earlier run left, as far as it may still be right.
    pub(super) there_bytes: u64,
    /// Where the file is to be read or written next.
    pub(super) at_bytes: u64,
    pub(super) stall_timeout: Duration,
    pub(super) because: Because,
    pub(super) server: String,
}

impl fmt::Debug for SftpUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SftpUpload")
            .field("name", &self.name)
            .field("at_bytes", &self.at_bytes)
            .finish_non_exhaustive()
    }
}

impl SftpUpload {
    /// Gives the file its name, once it has the length of what was proved.
    ///
    /// # Errors
    /// [`SftpError::Broken`]; the file keeps the name that it is sent under.
    pub async fn finish(self, final_name: &str, length_bytes: u64) -> Result<(), SftpError> {
        let Self {
            sftp,
            name,
            mut file,
            ..
        } = self;
        let said = |error: io::Error| broken("write", &sftp.host, &error.to_string());
        file.flush().await.map_err(said)?;
        if sftp.length(&name).await? != Some(length_bytes) {
            let whole = FileAttributes {
                size: Some(length_bytes),
                ..FileAttributes::empty()
            };
            let cut = file.set_metadata(whole).await;
            cut.map_err(|error| sftp.fail("cut a file", &error))?;
        }
        file.close().await.map_err(said)?;
        match sftp.length(&name).await? {
            Some(found) if found == length_bytes => {}
            found => {
                let why = format!(
                    "the file has {} bytes where {length_bytes} were sent",
                    found.unwrap_or(0)
                );
                return Err(broken("write", &sftp.host, &why));
            }
        }
        if sftp.length(final_name).await?.is_some() {
            sftp.remove(final_name).await;
        }
        let renamed = sftp.session.rename(name.as_str(), final_name).await;
        renamed.map_err(|error| sftp.fail("rename a file", &error))
    }

    /// One chunk: what is there is compared, the rest is written.
    async fn take(&mut self, chunk: &[u8]) -> io::Result<()> {
        let compared = usize::try_from(self.there_bytes.saturating_sub(self.at_bytes))
            .unwrap_or(usize::MAX)
            .min(chunk.len());
        let (there, mut left) = chunk.split_at(compared);
        if !there.is_empty() {
            let mut read = vec![0; there.len()];
            let is_same = self.file.read_exact(&mut read).await.is_ok() && read == there;
            if is_same {
                self.at_bytes += there.len() as u64;
                if self.at_bytes == self.there_bytes {
                    self.write_from_here().await?;
                }
            } else {
                tracing::info!(
                    at_bytes = self.at_bytes,
                    "what an earlier run left on the node differs from here on"
                );
                self.there_bytes = self.at_bytes;
                self.write_from_here().await?;
                left = chunk;
            }
        }
        if !left.is_empty() {
            self.file.write_all(left).await?;
            self.at_bytes += left.len() as u64;
        }
        Ok(())
    }

    /// All chunks, each in its own time: a slow line is no stall.
    async fn take_all(&mut self, part: &Part) -> Result<(), String> {
        let stall_timeout = self.stall_timeout;
        for chunk in part.chunks() {
            match tokio::time::timeout(stall_timeout, self.take(chunk)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(error.to_string()),
                Err(_elapsed) => {
                    return Err(format!(
                        "it has taken nothing for {} s",
                        stall_timeout.as_secs()
                    ));
                }
            }
        }
        Ok(())
    }

    async fn write_from_here(&mut self) -> io::Result<()> {
        self.file
            .seek(io::SeekFrom::Start(self.at_bytes))
            .await
            .map(drop)
    }
}

impl Sink for SftpUpload {
    async fn send(&mut self, part: Part) -> Result<(), Failure> {
        let Err(why) = self.take_all(&part).await else {
            return Ok(());
        };
        let error = broken("write", &self.sftp.host, &why);
        let failure = Failure {
            scope: Scope::Server,
            id: self.server.clone(),
            kind: error.kind(),
            message: chain(&error),
            hint: error.hint(),
        };
        self.because.tell(error.into());
        Err(failure)
    }

    async fn abort(self) {
        // What was sent stays, to be gone on with.
        if let Err(error) = self.file.close().await {
            tracing::debug!("could not close a file over SFTP: {error}");
        }
    }

    fn name(&self) -> String {
        self.sftp.host.clone()
    }
}
