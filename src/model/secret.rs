//! Values that must never be printed.

use std::fmt;

/// A credential: `Debug` is redacted, there is no `Display`, and reading it says so.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the value, without the line end that files and commands leave behind it.
    pub fn new(value: impl Into<String>) -> Self {
        let mut value = value.into();
        value.truncate(value.trim_end_matches(['\r', '\n']).len());
        Self(value)
    }

    /// The value itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_holds_nothing_of_the_secret() {
        let secret = Secret::new("ptlc_sentinel\n");
        assert_eq!(
            format!("{secret:?} {:#?}", Some(&secret)).find("sentinel"),
            None
        );
        assert_eq!(secret.expose(), "ptlc_sentinel");
    }
}
