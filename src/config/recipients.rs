//! `encrypt_to` and `--encrypt-to`: public keys, and no others.

use crate::config::error::Error;
use crate::config::reader::Written;
use crate::config::source::Source;
use crate::model::recipient::BadRecipient;
use crate::model::recipient::Recipient;

/// The key in the configuration file.
pub(super) const KEY: &str = "encrypt_to";

/// The flag.
pub(super) const FLAG: &str = "--encrypt-to";

/// What is expected of the list.
pub(super) const EXPECTED: &str =
    "a list of public keys, such as [\"age1…\", \"ssh-ed25519 AAAA…\"]";

/// Reads public keys; what is wrong with each is told by its number and place, and no text is
/// repeated, for it may be a private key.
pub(super) fn read(
    key: &str,
    written: &[(String, Source)],
    problems: &mut Vec<Error>,
) -> Vec<Recipient> {
    let all = written.len();
    let mut read: Vec<(usize, Recipient)> = Vec::new();
    for (number, (text, source)) in (1..).zip(written) {
        let mut bad = |why: String, fix: &str| {
            problems.push(Error::BadValue {
                from: source.clone(),
                key: key.to_owned(),
                why: format!("key {number} of {all}: {why}"),
                fix: fix.to_owned(),
            });
        };
        match text.parse::<Recipient>() {
            Err(refused @ BadRecipient::Unknown) if text.trim().is_empty() => {
                bad("it is empty".to_owned(), refused.hint());
            }
            Err(refused) => bad(refused.to_string(), refused.hint()),
            Ok(recipient) => match read.iter().find(|(_, known)| *known == recipient) {
                Some((earlier, _)) => bad(
                    format!("it is the same as key {earlier}"),
                    "remove one of them",
                ),
                None => read.push((number, recipient)),
            },
        }
    }
    read.into_iter().map(|(_, recipient)| recipient).collect()
}

/// Reads the list of a `[[destination]]`.
pub(super) fn of_file(
    list: Written<Vec<Written<String>>>,
    problems: &mut Vec<Error>,
) -> Written<Vec<Recipient>> {
    if list.value.is_empty() {
        problems.push(Error::BadValue {
            from: Source::File(list.place.clone()),
            key: KEY.to_owned(),
            why: "an empty list encrypts to nobody".to_owned(),
            fix: "name a public key, or remove the line to store the archives as they are"
                .to_owned(),
        });
    }
    let written: Vec<(String, Source)> = list
        .value
        .into_iter()
        .map(|item| (item.value, Source::File(item.place)))
        .collect();
    Written {
        value: read(KEY, &written, problems),
        place: list.place,
    }
}
