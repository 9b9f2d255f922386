//! Secrets in the settings of a server, and texts without them.

use std::cmp::Reverse;

use crate::model::secret::Secret;
use crate::model::server::MASK;

/// A shorter secret is only taken out where it is a word of its own.
const ANYWHERE_CHARACTERS: usize = 4;
/// A user without a password in a URL is a token when it is as long as this, and else a mere name.
const SHORTEST_TOKEN_CHARACTERS: usize = 16;

/// Values that no text may repeat.
#[derive(Debug, Default)]
pub struct Secrets {
    values: Vec<Secret>,
}

impl Secrets {
    /// Adds a value that is a secret as a whole.
    pub fn add(&mut self, value: &str) {
        // What is masked already is no secret, and would be found in every mask.
        if !value.trim_matches('*').is_empty() {
            self.values.push(Secret::new(value));
            let length = |secret: &Secret| Reverse(secret.expose().len());
            self.values.sort_by_key(length);
        }
    }

    /// Adds the credentials that stand in the URLs of a text.
    pub fn add_those_of_urls(&mut self, text: &str) {
        for part in url_parts(text) {
            if let UrlPart::Credentials(credentials) = part {
                let secret = match credentials.split_once(':') {
                    Some((_user, password)) => password,
                    None if credentials.chars().count() < SHORTEST_TOKEN_CHARACTERS => continue,
                    None => credentials,
                };
                self.add(secret);
            }
        }
    }

    /// The text with every secret in it masked, the longest first.
    pub fn masked_in(&self, text: &str) -> String {
        let mut masked = text.to_owned();
        for secret in &self.values {
            let secret = secret.expose();
            if secret.chars().count() >= ANYWHERE_CHARACTERS {
                if masked.contains(secret) {
                    masked = masked.replace(secret, MASK);
                }
            } else {
                masked = without_word(&masked, secret);
            }
        }
        masked
    }
}

/// The text with the credentials in its URLs (`scheme://user:password@host`) masked.
pub fn without_url_credentials(text: &str) -> String {
    url_parts(text)
        .map(|part| match part {
            UrlPart::Plain(plain) => plain,
            UrlPart::Credentials(_) => MASK,
        })
        .collect()
}

enum UrlPart<'t> {
    Plain(&'t str),
    Credentials(&'t str),
}

/// The text in parts: what stands between `://` and the last `@` of a URL's host part is one of its own.
///
/// A password may hold an unescaped `/`, `?` or `#`, so a user with a password is looked for up to the
/// end of the word.
fn url_parts(text: &str) -> impl Iterator<Item = UrlPart<'_>> {
    let mut rest = text;
    let mut credentials = None;
    std::iter::from_fn(move || {
        if let Some(credentials) = credentials.take() {
            return Some(UrlPart::Credentials(credentials));
        }
        if rest.is_empty() {
            return None;
        }
        let Some((start, _)) = rest.match_indices("://").next() else {
            return Some(UrlPart::Plain(std::mem::take(&mut rest)));
        };
        let (plain, after) = rest.split_at_checked(start + "://".len())?;
        let ends_word = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>');
        let word = after.split(ends_word).next().unwrap_or(after);
        // The next URL of a list such as `a://…,b://…` is another one.
        let word = word.split("://").next().unwrap_or(word);
        let host = word.split(['/', '?', '#']).next().unwrap_or(word);
        let found = host.rsplit_once('@').map(|(user, _)| user).or_else(|| {
            let (user, _) = word.rsplit_once('@')?;
            user.contains(':').then_some(user)
        });
        let found = found.filter(|found| !found.is_empty() && *found != MASK);
        credentials = found;
        rest = after
            .split_at_checked(found.map_or(0, str::len))
            .map_or(after, |(_, after)| after);
        Some(UrlPart::Plain(plain))
    })
}

fn without_word(text: &str, secret: &str) -> String {
    let mut masked = String::new();
    let mut rest = text;
    let joins = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    while let Some((before, after)) = rest.split_once(secret) {
        let last = before.chars().next_back().or(masked.chars().next_back());
        masked.push_str(before);
        if joins(last) || joins(after.chars().next()) {
            masked.push_str(secret);
        } else {
            masked.push_str(MASK);
        }
        rest = after;
    }
    masked.push_str(rest);
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_urls_are_masked_and_the_rest_of_them_stays() {
        for (text, masked) in [
            ("", ""),
            ("https://example.com/a@b", "https://example.com/a@b"),
            (
                "mysql://root:hunter2@db:3306/mc",
                "mysql://********@db:3306/mc",
            ),
            ("redis://:pa/ss@db/0", "redis://********@db/0"),
            ("amqp://u:p@ss@db", "amqp://********@db"),
            (
                "git clone https://ghp_0123@github.com/x then \"ftp://a:b@c\" end",
                "git clone https://********@github.com/x then \"ftp://********@c\" end",
            ),
            ("a://u:p@h,b://u:p@h", "a://********@h,b://********@h"),
            ("://", "://"),
            ("x://@h", "x://@h"),
            ("é://ü:ß@ö", "é://********@ö"),
        ] {
            let once = without_url_credentials(text);
            assert_eq!(once, masked);
            assert_eq!(without_url_credentials(&once), masked);
        }
    }

    #[test]
    fn longer_secrets_go_first_and_short_ones_only_as_words() {
        let mut secrets = Secrets::default();
        for secret in ["pass", "password", "x1", "", "****"] {
            secrets.add(secret);
        }
        secrets.add_those_of_urls("mysql://root:hunter2@db git://git@h https://0123456789abcdef@h");
        assert_eq!(
            secrets.masked_in("password, apassb x1 x10 root hunter2 git 0123456789abcdef"),
            "********, a********b ******** x10 root ******** git ********"
        );
        assert!(!format!("{secrets:?}").contains("hunter2"));
    }
}
