//! What tells the store that the bytes of an upload are not those that were sent.
//!
//! A signature over the bytes costs a SHA-256 of each part, which the same digest can carry as a
//! checksum for nothing more; a CRC costs next to nothing, but only finds what goes wrong, not what
//! somebody changes (`storage-servers.md` section 6, trap 17). So bytes are signed where nothing
//! else keeps others from them on the way, and until the store has said the CRC of a part back.

use std::collections::BTreeMap;

use object_store::aws::AmazonS3ConfigKey;

use crate::destination::error::Error;
use crate::destination::open::s3::transport::Transport;
use crate::destination::options::Settings;
use crate::model::secret::Secret;

const CHECKSUM: &str = "aws_checksum_algorithm";
const UNSIGNED: &str = "aws_unsigned_payload";

/// A checksum that the store compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checksum {
    Crc64Nvme,
    Sha256,
}

/// Whether requests are signed together with their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Payload {
    Signed,
    Unsigned,
}

/// How the bytes of uploads are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Protection {
    checksum: Option<Checksum>,
    payload: Payload,
}

/// How the bytes of uploads may be protected at one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Protections {
    /// Of all uploads.
    pub(super) usual: Protection,
    /// Of all uploads, at a store that refuses that; only where the operator leaves it open.
    pub(super) if_refused: Option<Protection>,
    /// Of parts, where a CRC does and the store says it back.
    pub(super) of_parts: Option<Protection>,
}

impl Protections {
    /// What the operator asks for, and what is left open.
    pub(super) fn choose(
        settings: &Settings<AmazonS3ConfigKey>,
        asked: Asked,
        transport: Transport,
    ) -> Self {
        let said = settings.get(UNSIGNED).map(|_value| {
            if settings.is_on(UNSIGNED) {
                Payload::Unsigned
            } else {
                Payload::Signed
            }
        });
        let way = |checksum| Protection {
            checksum,
            payload: said.unwrap_or(Payload::Signed),
        };
        let only = |checksum| Self {
            usual: way(checksum),
            if_refused: None,
            of_parts: None,
        };
        match asked {
            Asked::Checksum(checksum) => only(Some(checksum)),
            Asked::Off => only(None),
            Asked::Nothing => {
                let cheap = Protection {
                    checksum: Some(Checksum::Crc64Nvme),
                    payload: Payload::Unsigned,
                };
                // Bytes that are signed have the digest of a better checksum already.
                let does = transport == Transport::Closed && said != Some(Payload::Signed);
                Self {
                    usual: way(Some(Checksum::Sha256)),
                    if_refused: Some(way(None)),
                    of_parts: does.then_some(cheap),
                }
            }
        }
    }
}

impl Protection {
    /// The crate's options for it.
    pub(super) fn options(self) -> impl Iterator<Item = (AmazonS3ConfigKey, &'static str)> {
        let payload = match self.payload {
            Payload::Signed => "false",
            Payload::Unsigned => "true",
        };
        let checksum = self.checksum.map(|checksum| match checksum {
            Checksum::Crc64Nvme => "crc64nvme",
            Checksum::Sha256 => "sha256",
        });
        let checksum = checksum.map(|word| (AmazonS3ConfigKey::Checksum, word));
        std::iter::once((AmazonS3ConfigKey::UnsignedPayload, payload)).chain(checksum)
    }
}

/// Which checksum the operator asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Nothing,
    Checksum(Checksum),
    Off,
}

impl Asked {
    /// Takes `checksum_algorithm` out of the options: one of its words is none of the crate's.
    ///
    /// # Errors
    /// A word that means nothing.
    pub(super) fn take(given: &mut BTreeMap<String, Secret>) -> Result<Self, Error> {
        let mut said = None;
        let names: Vec<_> = given
            .keys()
            .filter(|name| is_checksum(name))
            .cloned()
            .collect();
        for name in names {
            let Some((name, value)) = given.remove_entry(&name) else {
                continue;
            };
            if let Some((other, _asked)) = said {
                return Err(Error::BadOption {
                    option: name,
                    why: format!("`{other}` says the same"),
                });
            }
            match Self::parse(value.expose()) {
                Some(asked) => said = Some((name, asked)),
                None => return Err(Self::refused(name)),
            }
        }
        Ok(said.map_or(Self::Nothing, |(_name, asked)| asked))
    }

    /// The same from the environment, when no option says it.
    ///
    /// # Errors
    /// A word that means nothing.
    pub(super) fn or_in(self, settings: &mut Settings<AmazonS3ConfigKey>) -> Result<Self, Error> {
        let written = settings.written(CHECKSUM);
        match (self, settings.remove(CHECKSUM)) {
            (Self::Nothing, Some(value)) => {
                Self::parse(&value).ok_or_else(|| Self::refused(written))
            }
            (asked, _) => Ok(asked),
        }
    }

    fn parse(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "none" | "off" => Some(Self::Off),
            "sha256" => Some(Self::Checksum(Checksum::Sha256)),
            "crc64nvme" => Some(Self::Checksum(Checksum::Crc64Nvme)),
            _other => None,
        }
    }

    fn refused(option: String) -> Error {
        Error::BadOption {
            option,
            why: "write `sha256`, `crc64nvme` or `none`".to_owned(),
        }
    }
}

fn is_checksum(option: &str) -> bool {
    let option = option.to_ascii_lowercase();
    option.trim_start_matches("aws_") == "checksum_algorithm"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::destination::options;

    const CRC: Protection = of(Some(Checksum::Crc64Nvme), Payload::Unsigned);
    const SHA: Protection = of(Some(Checksum::Sha256), Payload::Signed);
    const NONE: Protection = of(None, Payload::Signed);
    /// What is left open, where others can change bytes on their way.
    const OPEN: Protections = Protections {
        usual: SHA,
        if_refused: Some(NONE),
        of_parts: None,
    };
    /// What is left open, where they can't.
    const CLOSED: Protections = Protections {
        of_parts: Some(CRC),
        ..OPEN
    };

    const fn of(checksum: Option<Checksum>, payload: Payload) -> Protection {
        Protection { checksum, payload }
    }

    const fn only(usual: Protection) -> Protections {
        Protections {
            usual,
            if_refused: None,
            of_parts: None,
        }
    }

    fn table(pairs: &[(&str, &str)]) -> BTreeMap<String, Secret> {
        let secret = |(name, value): &(&str, &str)| ((*name).to_owned(), Secret::new(*value));
        pairs.iter().map(secret).collect()
    }

    fn chosen(
        given: &[(&str, &str)],
        environment: &[(&str, &str)],
        transport: Transport,
    ) -> Protections {
        let mut given = table(given);
        let environment: Vec<_> = table(environment).into_iter().collect();
        let asked = Asked::take(&mut given).unwrap();
        let mut settings = Settings::read(&options::S3, &given, &environment).unwrap();
        let asked = asked.or_in(&mut settings).unwrap();
        Protections::choose(&settings, asked, transport)
    }

    #[test]
    fn bytes_are_signed_where_somebody_could_change_them_on_the_way() {
        assert_eq!(chosen(&[], &[], Transport::Open), OPEN);
        assert_eq!(chosen(&[], &[], Transport::Closed), CLOSED);
    }

    #[test]
    fn what_the_operator_says_of_checksums_and_signatures_is_done() {
        let (crc, sha) = (Some(Checksum::Crc64Nvme), Some(Checksum::Sha256));
        let unsigned = Payload::Unsigned;
        for (transport, given, expected) in [
            (
                Transport::Closed,
                vec![("checksum_algorithm", "sha256")],
                only(SHA),
            ),
            (
                Transport::Closed,
                vec![("checksum_algorithm", "crc64nvme")],
                only(of(crc, Payload::Signed)),
            ),
            (
                Transport::Closed,
                vec![("aws_checksum_algorithm", "OFF")],
                only(NONE),
            ),
            (Transport::Closed, vec![("unsigned_payload", "false")], OPEN),
            (
                Transport::Closed,
                vec![("unsigned_payload", "true")],
                Protections {
                    usual: of(sha, unsigned),
                    if_refused: Some(of(None, unsigned)),
                    of_parts: Some(CRC),
                },
            ),
            (
                Transport::Closed,
                vec![
                    ("checksum_algorithm", "crc64nvme"),
                    ("unsigned_payload", "true"),
                ],
                only(CRC),
            ),
            (
                Transport::Closed,
                vec![("checksum_algorithm", "none"), ("unsigned_payload", "true")],
                only(of(None, unsigned)),
            ),
            (
                Transport::Open,
                vec![("unsigned_payload", "true")],
                Protections {
                    usual: of(sha, unsigned),
                    if_refused: Some(of(None, unsigned)),
                    of_parts: None,
                },
            ),
        ] {
            assert_eq!(
                chosen(&given, &[], transport),
                expected,
                "{transport:?} {given:?}"
            );
        }
    }

    #[test]
    fn the_environment_says_what_options_leave_open() {
        let environment = [
            ("AWS_CHECKSUM_ALGORITHM", "sha256"),
            ("AWS_UNSIGNED_PAYLOAD", "true"),
        ];
        assert_eq!(
            chosen(&[], &environment, Transport::Closed),
            only(of(Some(Checksum::Sha256), Payload::Unsigned))
        );
        assert_eq!(
            chosen(
                &[("checksum_algorithm", "none")],
                &environment,
                Transport::Closed
            ),
            only(of(None, Payload::Unsigned))
        );
    }

    #[test]
    fn a_checksum_that_is_none_or_said_twice_is_refused() {
        for option in ["checksum_algorithm", "AWS_CHECKSUM_ALGORITHM"] {
            assert_eq!(
                Asked::take(&mut table(&[(option, "md5")]))
                    .unwrap_err()
                    .to_string(),
                format!(
                    "the option `{option}` can't be used: write `sha256`, `crc64nvme` or `none`"
                )
            );
        }
        let mut twice = table(&[
            ("aws_checksum_algorithm", "sha256"),
            ("checksum_algorithm", "none"),
        ]);
        assert_eq!(
            Asked::take(&mut twice).unwrap_err().to_string(),
            "the option `checksum_algorithm` can't be used: `aws_checksum_algorithm` says the same"
        );
    }
}
