//! The copies of one restore into a server: which are of use, and what came of each.

use crate::model::outcome::Failure;
use crate::ops::restore::panel::became::Came;
use crate::ops::restore::panel::error::Error;
use crate::ops::restore::panel::job::Job;
use crate::ops::restore::source::Candidate;
use crate::transfer::readback;

/// The copies that were asked for, the best first.
#[derive(Debug)]
pub struct Copies {
    usable: Vec<Candidate>,
    /// The place of each usable one among all of them.
    places: Vec<usize>,
    came: Vec<Came>,
}

impl Copies {
    /// All of them; nothing is known yet.
    pub fn new(candidates: &[Candidate]) -> Self {
        Self {
            usable: candidates.to_vec(),
            places: (0..candidates.len()).collect(),
            came: vec![Came::NotNeeded; candidates.len()],
        }
    }

    /// Those that may be read or fetched.
    pub fn usable(&self) -> &[Candidate] {
        &self.usable
    }

    /// What came of the usable one with this number.
    pub fn tell(&mut self, number: usize, came: Came) {
        let place = self.places.get(number);
        if let Some(slot) = place.and_then(|place| self.came.get_mut(*place)) {
            *slot = came;
        }
    }

    /// Why the first of the usable ones were passed over, in their order.
    pub fn passed_over(&mut self, failures: Vec<Failure>) {
        for (number, failure) in failures.into_iter().enumerate() {
            self.tell(number, Came::PassedOver(failure));
        }
    }

    /// Gives what was told of a copy the words of the failure that it has become.
    pub fn told_as(&mut self, failure: &Failure) {
        for came in &mut self.came {
            if let Came::PassedOver(told) = came
                && told.message == failure.message
            {
                told.clone_from(failure);
            }
        }
    }

    /// What came of each, in the order of all.
    pub fn into_came(self) -> Vec<Came> {
        self.came
    }
}

/// What a look at the copies came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// All are of use.
    AllUsable,
    /// Some are, and the others are told.
    SomeUsable,
    /// None is, and each is told.
    NoneUsable,
}

/// Looks at every copy, and drops those that can't be restored from.
///
/// # Errors
/// [`Error::Interrupted`].
pub async fn look(job: &mut Job<'_>) -> Result<Looked, Error> {
    let all = job.copies.usable.len();
    let mut usable = Vec::new();
    let mut places = Vec::new();
    for (number, candidate) in job.request.candidates.iter().enumerate() {
        let looked = look_at(job, candidate).await?;
        match looked {
            Ok(()) => {
                usable.push(candidate.clone());
                places.push(number);
            }
            Err(failure) => {
                tracing::warn!("{}", failure.message);
                job.copies.tell(number, Came::PassedOver(failure));
            }
        }
    }
    let looked = match usable.len() {
        0 => Looked::NoneUsable,
        some if some < all => Looked::SomeUsable,
        _all => Looked::AllUsable,
    };
    job.copies.usable = usable;
    job.copies.places = places;
    Ok(looked)
}

/// Whether one copy can be had now; of its bytes hardly any are read.
///
/// # Errors
/// [`Error::Interrupted`]; inside, why not.
pub async fn look_at(job: &Job<'_>, candidate: &Candidate) -> Result<Result<(), Failure>, Error> {
    let looking = readback::look(
        &candidate.copy,
        &candidate.destination,
        job.request.identities,
    );
    job.unless_stopped(async { Ok::<_, Error>(looking.await) })
        .await
}

/// Why none is of use: the last one's failure.
pub fn none_usable(job: &Job<'_>) -> Error {
    let last = job.copies.came.iter().rev().find_map(|came| match came {
        Came::PassedOver(failure) => Some(failure.clone()),
        Came::Proved | Came::Fetched | Came::NotNeeded => None,
    });
    last.map_or(Error::NoCopy, Error::NotRead)
}
