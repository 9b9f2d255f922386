//! In which order the copies of one backup are tried.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::model::holding::HeldCopy;

/// Verifications within one such stretch of time count as equally recent, and so do copies: what was
/// done in one run is not told apart by its order in that run.
const SECONDS_A_DAY: i64 = 24 * 60 * 60;

/// Whether there is anything to open encrypted copies with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// At least one private key.
    Given,
    /// None.
    Missing,
}

/// A copy in its place of the order, and why it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranked {
    /// The copy.
    pub copy: HeldCopy,
    /// What speaks for it and against it, in plain words.
    pub why: String,
}

/// The copies of one backup in the order in which they are to be tried.
///
/// The first rule that tells two copies apart decides: what can't be opened for want of a key comes
/// last; what was read back and found right on a later day comes first, what never was last; then
/// what lies on this machine; then what needs no decryption; then the copy of a later day; then the name.
pub fn rank(copies: Vec<HeldCopy>, keys: Keys) -> Vec<Ranked> {
    let mut ranked: Vec<Ranked> = copies
        .into_iter()
        .map(|copy| Ranked {
            why: why(&copy, keys),
            copy,
        })
        .collect();
    ranked.sort_by(|a, b| order(&a.copy, keys).cmp(&order(&b.copy, keys)));
    ranked
}

/// Whether the copies of one backup say that they hold different archives.
pub fn disagree(copies: &[&HeldCopy]) -> bool {
    let digests: BTreeSet<String> = copies.iter().map(|copy| copy.sha256.to_hex()).collect();
    digests.len() > 1
}

fn order(copy: &HeldCopy, keys: Keys) -> impl Ord + use<'_> {
    let is_encrypted = copy.encryption.is_some();
    let day = |at: Timestamp| at.as_second().div_euclid(SECONDS_A_DAY);
    (
        is_encrypted && keys == Keys::Missing,
        Reverse(copy.verified_at.map(day)),
        !is_local(copy),
        is_encrypted,
        Reverse(day(copy.mirrored_at)),
        &copy.destination,
    )
}

fn is_local(copy: &HeldCopy) -> bool {
    copy.location.starts_with("file://")
}

fn why(copy: &HeldCopy, keys: Keys) -> String {
    let day = |at: Timestamp| at.strftime("%Y-%m-%d");
    let read_back = match copy.verified_at {
        Some(at) => format!("read back and found right on {}", day(at)),
        None => format!(
            "not read back since it was made on {}",
            day(copy.mirrored_at)
        ),
    };
    let place = if is_local(copy) {
        "on this machine"
    } else {
        "remote"
    };
    let seal = match (&copy.encryption, keys) {
        (None, _) => "not encrypted",
        (Some(_), Keys::Given) => "encrypted",
        (Some(_), Keys::Missing) => "encrypted, and no identity is given",
    };
    format!("{read_back}; {place}; {seal}")
}
