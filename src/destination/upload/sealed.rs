//! An upload's stage that encrypts: one part is sealed on a thread of its own while the age file's earlier
//! parts are on their way and the archive's next one is read.
//!
//! Memory: besides the parts on the way there is at most one part of the age file, being made or
//! waiting for its turn, and the one plaintext part that is being sealed.

use std::collections::VecDeque;
use std::io;

use tokio::task::JoinError;
use tokio::task::JoinHandle;

use crate::destination::error::Error;
use crate::destination::seal::Sealer;
use crate::destination::seal::sealed_part_bytes;
use crate::destination::stored::Facts;
use crate::destination::upload::Cursor;
use crate::destination::upload::Sending;
use crate::destination::upload::request::Target;
use crate::model::content::Part;
use crate::model::content::StreamDigest;
use crate::model::content::VerifiedContent;
use crate::model::key::ObjectKey;
use crate::model::recipient::SCHEME;
use crate::model::sidecar::Encryption;

/// How much of all sealed uploads of one transfer together may be encrypted and not yet stored.
const SEALED_BYTES: u64 = 48 << 20;

/// How many parts of each may be on the way, when `uploads` of one transfer seal.
pub(super) fn in_flight(part_bytes: u64, uploads: usize) -> usize {
    let each = SEALED_BYTES / part_bytes.max(1) / u64::try_from(uploads.max(1)).unwrap_or(u64::MAX);
    // One is being made.
    usize::try_from(each.saturating_sub(1))
        .unwrap_or(usize::MAX)
        .max(1)
}

/// The stage: where it is in the plaintext, and how far the age file is.
#[derive(Debug)]
pub(super) struct Sealing {
    encryption: Encryption,
    /// In the plaintext.
    cursor: Cursor,
    state: State,
    /// Made, and not yet taken by the upload.
    ready: VecDeque<Part>,
}

type Sealed = io::Result<(Box<Sealer>, Vec<Part>)>;

#[derive(Debug)]
enum State {
    Idle(Box<Sealer>),
    /// A part is being sealed. Kept here, so that it is not lost when the caller stops waiting.
    Busy(JoinHandle<Sealed>),
    /// Finished, or failed.
    Ended,
}

impl Sealing {
    /// Begins the age file that `cursor`'s stream is sealed into, and says where its parts begin.
    pub(super) async fn begin(target: &Target, cursor: Cursor) -> Result<(Cursor, Self), Error> {
        let destination = target.destination.clone();
        let recipients = destination.encrypts_to();
        let part_bytes = sealed_part_bytes(cursor.part_bytes, recipients.len());
        let encryption = Encryption {
            scheme: SCHEME.to_owned(),
            recipients: recipients.iter().map(ToString::to_string).collect(),
        };
        let begun = tokio::task::spawn_blocking(move || {
            Sealer::new(destination.encrypts_to(), part_bytes).map(Box::new)
        });
        let sealer = begun
            .await
            .map_err(|source| Error::Crashed {
                action: "encrypt",
                what: target.key.to_string(),
                source,
            })?
            .map_err(|source| Error::Seal {
                key: target.key.clone(),
                source: Box::new(source),
            })?;
        let of_age_file = Cursor::start(sealer.stream(), part_bytes);
        let sealing = Self {
            encryption,
            cursor,
            state: State::Idle(sealer),
            ready: VecDeque::new(),
        };
        Ok((of_age_file, sealing))
    }

    /// The length of the plaintext's parts.
    pub(super) const fn part_bytes(&self) -> u64 {
        self.cursor.part_bytes
    }

    /// Takes the next part of the plaintext; as `Upload::send`.
    pub(super) async fn send(&mut self, part: Part, sending: &mut Sending) -> Result<(), Error> {
        let after = self.cursor.after(&part, &sending.target.key)?;
        if part.length_bytes() == 0 {
            return Ok(());
        }
        // Dropped while it waits, this has neither begun the part nor lost an earlier one.
        let mut sealer = self.idle(sending).await?;
        self.state = State::Busy(tokio::task::spawn_blocking(move || {
            let parts = sealer.seal(&part)?;
            Ok((sealer, parts))
        }));
        self.cursor = after;
        Ok(())
    }

    /// Ends the age file and waits until the store has all of it; the proof must be of exactly what was
    /// sealed.
    pub(super) async fn settle(
        &mut self,
        content: &VerifiedContent,
        sending: &mut Sending,
    ) -> Result<Facts, Error> {
        self.cursor.prove(content, &sending.target.key)?;
        let sealer = self.idle(sending).await?;
        let key = &sending.target.key;
        let finished = tokio::task::spawn_blocking(move || sealer.finish()).await;
        let (last, digest) = told(finished, key)?;
        for part in last {
            sending.send(part).await?;
        }
        self.stored(content, &digest, sending).await
    }

    async fn stored(
        &self,
        content: &VerifiedContent,
        digest: &StreamDigest,
        sending: &mut Sending,
    ) -> Result<Facts, Error> {
        let sent_bytes = sending.all_sent().await?;
        if sent_bytes == digest.bytes() {
            Ok(Facts::sealed(content, digest, self.encryption.clone()))
        } else {
            Err(Error::Unproved {
                key: sending.target.key.clone(),
                sent_bytes,
                proved_bytes: digest.bytes(),
            })
        }
    }

    /// The sealer, once the part before is sealed and what came of it is on its way.
    async fn idle(&mut self, sending: &mut Sending) -> Result<Box<Sealer>, Error> {
        if let State::Busy(sealing) = &mut self.state {
            let done = sealing.await;
            self.state = State::Ended;
            let (sealer, parts) = told(done, &sending.target.key)?;
            self.state = State::Idle(sealer);
            self.ready.extend(parts);
        }
        while let Some(part) = self.ready.front() {
            if let Err(error) = sending.send(part.clone()).await {
                self.state = State::Ended;
                return Err(error);
            }
            self.ready.pop_front();
        }
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Idle(sealer) => Ok(sealer),
            State::Busy(_) | State::Ended => Err(sending.ended()),
        }
    }
}

fn told<T>(done: Result<io::Result<T>, JoinError>, key: &ObjectKey) -> Result<T, Error> {
    let done = done.map_err(|source| Error::Crashed {
        action: "encrypt",
        what: key.to_string(),
        source,
    })?;
    done.map_err(|source| Error::Seal {
        key: key.clone(),
        source: Box::new(source.into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_uploads_share_what_one_transfer_may_hold() {
        let parts = |part_mib: u64, uploads| in_flight(part_mib << 20, uploads);
        assert_eq!([1, 2, 3, 4].map(|uploads| parts(8, uploads)), [5, 2, 1, 1]);
        assert_eq!([8, 16, 32, 64].map(|part| parts(part, 1)), [5, 2, 1, 1]);
    }
}
