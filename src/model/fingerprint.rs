//! A host key, as people compare it.

use std::fmt;
use std::str::FromStr;

/// The SHA-256 of a public key, as OpenSSH writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(String);

impl FromStr for Fingerprint {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/');
        match text.strip_prefix("SHA256:") {
            Some(digest) if digest.len() == 43 && digest.chars().all(base64) => {
                Ok(Self(text.to_owned()))
            }
            Some(_) | None => Err(
                "write SHA256: and 43 characters, as `ssh-keygen -lf` prints it for the node's host key",
            ),
        }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PartialEq<str> for Fingerprint {
    fn eq(&self, shown: &str) -> bool {
        self.0 == shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_what_ssh_keygen_prints() {
        let right = "SHA256:Mx0uVuVMWW3dL3pXcqRvZfWhGiXCzDdDMDwTtrAUKKk";
        assert_eq!(right.parse(), Ok(Fingerprint(right.to_owned())));
        for text in [
            "",
            "SHA256:",
            "MD5:16:27:ac",
            "Mx0uVuVMWW3dL3pXcqRvZfWhGiXCzDdDMDwTtrAUKKk",
            "SHA256:short",
        ] {
            assert!(text.parse::<Fingerprint>().is_err(), "{text}");
        }
    }
}
