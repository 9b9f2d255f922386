//! Public keys that copies are encrypted to; never private ones.

use std::fmt;
use std::str::FromStr;

use age::ssh::ParseRecipientKeyError;

use crate::model::text::one_line;

/// What the scheme of an encrypted copy is called in its sidecar.
pub const SCHEME: &str = "age";

/// A public key: of age itself (`age1…`), or of SSH (`ssh-ed25519 …`, `ssh-rsa …`).
///
/// Its text is the same however it was written: an SSH key's comment is no part of it.
#[derive(Clone)]
pub struct Recipient {
    text: String,
    key: Key,
}

#[derive(Clone)]
enum Key {
    Native(age::x25519::Recipient),
    Ssh(Box<age::ssh::Recipient>),
}

/// Why a text is no recipient. The text is never repeated: it may be a private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRecipient {
    /// A private key of age or SSH.
    #[error("it is a private key: whoever can read this machine could read the copies")]
    Private,
    /// Not empty, and nothing that names a kind of public key: perhaps a passphrase.
    #[error("it is no public key of age or SSH; passphrases are not taken")]
    Unknown,
    /// It begins as a public key and is not a whole one.
    #[error("it is cut short or mistyped")]
    Damaged,
    /// A kind of age recipient that a plugin, or its hardware, would have to open.
    #[error("it needs a plugin of age to be opened, which a restore could not run")]
    Plugin,
    /// An SSH key of a kind that age can't encrypt to.
    #[error("age encrypts to SSH keys of the kinds ssh-ed25519 and ssh-rsa alone")]
    OtherSsh,
    /// An RSA key that is too short to be safe.
    #[error("an RSA key shorter than 2048 bits is not safe")]
    WeakRsa,
    /// An RSA key that is longer than age takes.
    #[error("the RSA key is longer than the 4096 bits that age takes")]
    LongRsa,
}

impl BadRecipient {
    /// What to do about it.
    pub const fn hint(self) -> &'static str {
        match self {
            Self::Private => {
                "write its public half instead (`age-keygen -y FILE`, or the `.pub` file of an SSH key), and consider \
                 this private key seen"
            }
            Self::Unknown | Self::Damaged => {
                "write a whole public key on one line, such as \"age1…\" (`age-keygen -y FILE`) or \"ssh-ed25519 AAAA…\""
            }
            Self::Plugin | Self::OtherSsh => {
                "use an \"age1…\", \"ssh-ed25519 …\" or \"ssh-rsa …\" key"
            }
            Self::WeakRsa | Self::LongRsa => "use an \"age1…\" or \"ssh-ed25519 …\" key",
        }
    }
}

impl Recipient {
    /// The public key in its one canonical form.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The key as the encryption takes it.
    pub fn key(&self) -> &dyn age::Recipient {
        match &self.key {
            Key::Native(key) => key,
            Key::Ssh(key) => &**key,
        }
    }
}

impl FromStr for Recipient {
    type Err = BadRecipient;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let folded = text.to_ascii_lowercase();
        if folded.contains("secret-key-")
            || folded.contains("private key")
            || folded.contains("age-plugin-")
        {
            return Err(BadRecipient::Private);
        }
        if folded.starts_with("age1") {
            return native(text, &folded);
        }
        if folded.starts_with("ssh-") || folded.starts_with("ecdsa-") || folded.starts_with("sk-") {
            return ssh(text);
        }
        Err(BadRecipient::Unknown)
    }
}

fn native(text: &str, folded: &str) -> Result<Recipient, BadRecipient> {
    if let Ok(key) = text.parse::<age::x25519::Recipient>() {
        return Ok(Recipient {
            text: key.to_string(),
            key: Key::Native(key),
        });
    }
    // Bech32's separator is the last `1`: a plugin's recipients are named before it.
    let is_named = folded.rfind('1').is_some_and(|separator| separator > 3);
    Err(if is_named {
        BadRecipient::Plugin
    } else {
        BadRecipient::Damaged
    })
}

fn ssh(text: &str) -> Result<Recipient, BadRecipient> {
    let mut words = text.split_whitespace();
    let (Some(kind), Some(blob)) = (words.next(), words.next()) else {
        return Err(BadRecipient::Damaged);
    };
    let bare = format!("{kind} {blob}");
    let key: age::ssh::Recipient = bare.parse().map_err(|error| match error {
        ParseRecipientKeyError::RsaModulusTooSmall => BadRecipient::WeakRsa,
        ParseRecipientKeyError::RsaModulusTooLarge => BadRecipient::LongRsa,
        ParseRecipientKeyError::Unsupported(_) | ParseRecipientKeyError::Ignore => {
            BadRecipient::OtherSsh
        }
        ParseRecipientKeyError::Invalid(_) | _ => BadRecipient::Damaged,
    })?;
    let text = key.to_string();
    // What follows a whole key without a blank is not looked at by the parser.
    if text.trim_end_matches('=') != bare.trim_end_matches('=') {
        return Err(BadRecipient::Damaged);
    }
    Ok(Recipient {
        text,
        key: Key::Ssh(Box::new(key)),
    })
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Recipient").field(&self.text).finish()
    }
}

impl PartialEq for Recipient {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Recipient {}

/// How many characters of a recipient are shown at each end.
const SHOWN_CHARACTERS: usize = 6;

/// The longest kind of key that is shown in full: `ssh-ed25519`.
const KIND_CHARACTERS: usize = 11;

/// A recipient in short, as a sidecar says it and so perhaps from anywhere: enough to tell one's
/// own keys apart, and fit to print.
pub fn short(recipient: &str) -> String {
    let mut words = recipient.split_whitespace();
    let first = words.next().unwrap_or_default();
    let (begin, whole) = if let Some(blob) = words.next() {
        (format!("{} ", one_line(first, KIND_CHARACTERS)), blob)
    } else {
        let shown = "age1".len() + SHOWN_CHARACTERS;
        (first.chars().take(shown).collect(), first)
    };
    let skipped = whole.chars().count().saturating_sub(SHOWN_CHARACTERS);
    let end: String = whole.chars().skip(skipped).collect();
    one_line(&format!("{begin}…{end}"), usize::MAX)
}

/// So many recipients are named; of more it is said how many.
const SHOWN_RECIPIENTS: usize = 4;

/// Several of them, in words.
pub fn short_list(recipients: &[String]) -> String {
    if recipients.is_empty() {
        return "nobody".to_owned();
    }
    let shown = recipients.iter().take(SHOWN_RECIPIENTS);
    let mut shown: Vec<String> = shown.map(|recipient| short(recipient)).collect();
    let more = recipients.len() - shown.len();
    if more > 0 {
        shown.push(format!("{more} more"));
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NATIVE: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
    const ED25519: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN";

    fn why(text: &str) -> BadRecipient {
        text.parse::<Recipient>().unwrap_err()
    }

    #[test]
    fn a_public_key_reads_the_same_whatever_stands_around_it() {
        for (written, meant) in [
            (NATIVE.to_owned(), NATIVE),
            (format!("  {NATIVE}\n"), NATIVE),
            (ED25519.to_owned(), ED25519),
            (format!("{ED25519} alice@example"), ED25519),
            (ED25519.replace(' ', "   "), ED25519),
        ] {
            let read = written.parse::<Recipient>().map(|key| key.to_string());
            assert_eq!(read.as_deref(), Ok(meant), "{written}");
        }
    }

    #[test]
    fn what_is_no_public_key_is_told_apart_and_never_repeated() {
        let identity = age::x25519::Identity::generate();
        let private = age::secrecy::ExposeSecret::expose_secret(&identity.to_string()).to_owned();
        let last_letter_lost = NATIVE.strip_suffix('a').unwrap();
        for (text, meant) in [
            (private.as_str(), BadRecipient::Private),
            (&private.to_lowercase(), BadRecipient::Private),
            ("-----BEGIN OPENSSH PRIVATE KEY-----", BadRecipient::Private),
            ("AGE-PLUGIN-YUBIKEY-1QYZ", BadRecipient::Private),
            ("", BadRecipient::Unknown),
            ("correct horse battery staple", BadRecipient::Unknown),
            (last_letter_lost, BadRecipient::Damaged),
            (
                "age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t",
                BadRecipient::Plugin,
            ),
            ("ssh-ed25519", BadRecipient::Damaged),
            (&format!("{ED25519}junk"), BadRecipient::Damaged),
            (
                "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBHFliOyIZs1gxGF3fmDxFykQhE88wy6AKDGFBfn0R6ZuvRmENABZQa9+pj9hMki+LX0qDJbmHTiWDbYv/cmFt/Q=",
                BadRecipient::OtherSsh,
            ),
        ] {
            assert_eq!(why(text), meant, "{text}");
            let told = format!("{meant} {}", meant.hint());
            assert!(text.len() < 12 || !told.contains(text), "{told}");
        }
    }

    #[test]
    fn the_short_form_keeps_both_ends_and_is_fit_to_print() {
        assert_eq!(short(NATIVE), "age1t7rxye…vpy7pa");
        assert_eq!(short(ED25519), "ssh-ed25519 …Z6isGN");
        assert!(!short("a\u{1b}[2Jb").contains('\u{1b}'));
        assert_eq!(short_list(&[]), "nobody");
        let many = vec![ED25519.to_owned(); 6];
        assert!(short_list(&many).ends_with("…Z6isGN, 2 more"));
    }
}
