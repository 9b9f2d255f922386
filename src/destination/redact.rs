//! What stores say when they fail, made fit for people: classified, short, and without secrets.
//!
//! Errors of a store can hold whole URLs, whose query string may be a credential, and whole
//! bodies. Nothing of `object_store` leaves this module except through [`StoreError`].

use std::error::Error as StdError;
use std::io;

use object_store::client::HttpError;

use crate::destination::fault::StoreFault;
use crate::model::outcome::chain;
use crate::model::secret::Secret;

/// No more of a store's words than this is repeated.
const SHOWN_CHARACTERS: usize = 500;

/// Values shorter than this are not looked for: they would match ordinary words.
const SHORTEST_SECRET: usize = 8;

/// What a store said, redacted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct StoreError {
    text: String,
    fault: StoreFault,
}

impl StoreError {
    /// What kind of failure it is.
    pub const fn fault(&self) -> StoreFault {
        self.fault
    }

    /// The same words, where the caller knows better what they mean.
    pub(super) fn meaning(self, fault: StoreFault) -> Self {
        Self { fault, ..self }
    }
}

/// Takes the configured secrets out of texts.
#[derive(Debug, Clone, Default)]
pub(super) struct Scrubber(Vec<Secret>);

impl Scrubber {
    /// One that knows these values.
    pub(super) fn new(secrets: impl IntoIterator<Item = Secret>) -> Self {
        Self(
            secrets
                .into_iter()
                .filter(|secret| secret.expose().len() >= SHORTEST_SECRET)
                .collect(),
        )
    }

    fn scrub(&self, text: &str) -> String {
        let without = self.0.iter().fold(text.to_owned(), |text, secret| {
            text.replace(secret.expose(), "…")
        });
        shortened(&redact_urls(&without))
    }

    /// Reads a store's error once, at the boundary.
    pub(super) fn store_error(&self, error: &object_store::Error) -> StoreError {
        let said = chain(error);
        if let Some(answer) = HttpAnswer::find(&said) {
            return StoreError {
                text: self.scrub(&answer.text()),
                fault: answer.fault(),
            };
        }
        if said.contains("redirect without LOCATION") {
            return StoreError {
                text: "the store sends us to another region".to_owned(),
                fault: StoreFault::Region,
            };
        }
        let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
        while let Some(inner) = cause {
            if let Some(http) = inner.downcast_ref::<HttpError>() {
                return StoreError {
                    text: self.scrub(&chain(http)),
                    fault: StoreFault::Unreachable,
                };
            }
            if let Some(io) = inner.downcast_ref::<io::Error>() {
                return StoreError {
                    text: self.scrub(&io.to_string()),
                    fault: io_fault(io),
                };
            }
            cause = inner.source();
        }
        StoreError {
            text: self.scrub(&said),
            fault: fault_of_variant(error),
        }
    }
}

/// What an I/O error of a local directory means.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the standard library's enum grows, and what is not known is `Other`"
)]
pub(super) fn io_fault(error: &io::Error) -> StoreFault {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::StorageFull | Kind::QuotaExceeded => StoreFault::NoSpace,
        Kind::PermissionDenied | Kind::ReadOnlyFilesystem => StoreFault::Forbidden,
        Kind::NotFound => StoreFault::NotFound,
        Kind::FileTooLarge => StoreFault::FileTooLarge,
        _ => StoreFault::Other,
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the crate's enum may grow, and what is not known is `Other`"
)]
fn fault_of_variant(error: &object_store::Error) -> StoreFault {
    use object_store::Error;
    match error {
        Error::NotFound { .. } => StoreFault::NotFound,
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => StoreFault::Credentials,
        Error::AlreadyExists { .. } => StoreFault::Busy,
        Error::InvalidPath { .. } => StoreFault::ForeignName,
        _ => StoreFault::Other,
    }
}

/// A failing answer of a store, found in the text of an error: the crate keeps its type private.
struct HttpAnswer<'a> {
    status: u16,
    reason: &'a str,
    code: Option<&'a str>,
    message: Option<&'a str>,
    body: &'a str,
}

impl<'a> HttpAnswer<'a> {
    fn find(said: &'a str) -> Option<Self> {
        let (status, reason, body) = if let Some((_before, answer)) =
            said.split_once("Server returned non-2xx status code: ")
        {
            let (line, body) = answer.split_once(": ").unwrap_or((answer, ""));
            let (status, reason) = line.split_once(' ').unwrap_or((line, ""));
            (status.trim_end_matches(':').parse().ok()?, reason, body)
        } else if let Some((_before, answer)) =
            said.split_once("Bulk delete request failed for key ")
        {
            let (line, code) = answer.rsplit_once(" (code: ")?;
            let (_key, reason) = line.split_once(": ")?;
            let status = code.split(')').next()?;
            (status.parse().ok()?, reason, "")
        } else {
            let (_before, body) = said.split_once("Server returned error response: ")?;
            (500, "Error in the body of a success", body)
        };
        Some(Self {
            status,
            reason: reason.trim_end_matches(':'),
            code: element(body, "Code"),
            message: element(body, "Message"),
            body,
        })
    }

    fn text(&self) -> String {
        let mut text = format!("the store answered {} {}", self.status, self.reason);
        match (self.code, self.message) {
            (None, None) if self.body.trim().is_empty() => {}
            (None, None) => {
                text.push_str(": ");
                text.push_str(self.body.trim());
            }
            (code, message) => {
                for said in [code, message].into_iter().flatten() {
                    text.push_str(": ");
                    text.push_str(said);
                }
            }
        }
        text
    }

    /// Whether the store refuses because it retains the object. S3: 403 `AccessDenied` "… object
    /// protected by object lock", `MinIO` 400 "Object is WORM protected …", R2 `ObjectLockedByBucketPolicy`;
    /// Google Cloud Storage: 403 `RetentionPolicyNotMet`, `ObjectUnderActiveHold`; Azure: 409
    /// `BlobImmutableDueToPolicy`, `BlobImmutableDueToLegalHold`, in a batch only as a sentence.
    fn tells_of_retention(&self) -> bool {
        const WORDS: [&str; 9] = [
            "object lock",
            "objectlocked",
            "worm protected",
            "retentionpolicynotmet",
            "retention policy",
            "underactivehold",
            "legal hold",
            "blobimmutable",
            "is immutable",
        ];
        let said = format!("{} {}", self.reason, self.body).to_ascii_lowercase();
        matches!(self.status, 400 | 403 | 409)
            && !said.contains("not authorized to perform")
            && WORDS.iter().any(|word| said.contains(word))
    }

    fn fault(&self) -> StoreFault {
        let code = self.code.unwrap_or_default();
        let says = |words: &[&str]| {
            let body = self.body.to_ascii_lowercase();
            words.iter().any(|word| body.contains(word))
        };
        if self.tells_of_retention() {
            return StoreFault::Retained;
        }
        if self.status == 507 || says(&["quota", "storage cap", "storagefull", "no space left"]) {
            return StoreFault::NoSpace;
        }
        match code {
            "NoSuchBucket" | "ContainerNotFound" | "InvalidBucketName" => {
                return StoreFault::NoBucket;
            }
            "AuthorizationHeaderMalformed"
            | "PermanentRedirect"
            | "IllegalLocationConstraintException" => return StoreFault::Region,
            "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "ExpiredToken"
            | "InvalidToken"
            | "AuthenticationFailed"
            | "TokenRefreshRequired" => return StoreFault::Credentials,
            // What is malformed in the words of some is just wrong: the crate writes whole digests.
            "BadDigest"
            | "InvalidDigest"
            | "XAmzContentChecksumMismatch"
            | "XAmzContentSHA256Mismatch" => return StoreFault::Damaged,
            _other => {}
        }
        match self.status {
            401 | 403 => StoreFault::Credentials,
            400 if says(&["invalid_grant", "invalid_client", "unauthorized_client"]) => {
                StoreFault::Credentials
            }
            404 => StoreFault::NotFound,
            300..=399 => StoreFault::Region,
            501 => StoreFault::Refused(501),
            408 | 409 | 429 | 500..=599 => StoreFault::Busy,
            status => StoreFault::Refused(status),
        }
    }
}

/// The text of the first such element of an XML body.
fn element<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let (_before, inside) = body.split_once(&format!("<{name}>"))?;
    let (text, _after) = inside.split_once(&format!("</{name}>"))?;
    Some(text.split(" RequestId:").next().unwrap_or(text).trim()).filter(|text| !text.is_empty())
}

/// Cuts what a URL may hold of credentials: its query, and a user before the host.
fn redact_urls(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        let end = after
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>' | ')'))
            .unwrap_or(after.len());
        let (url, remaining) = after.split_at_checked(end).unwrap_or((after, ""));
        let (address, query) = match url.split_once(['?', '#']) {
            Some((address, _secret)) => (address, "?…"),
            None => (url, ""),
        };
        let (host, path) = match address.split_once('/') {
            Some((host, path)) => (host, Some(path)),
            None => (address, None),
        };
        match host.rsplit_once('@') {
            Some((_user, host)) => {
                shown.push_str("…@");
                shown.push_str(host);
            }
            None => shown.push_str(host),
        }
        if let Some(path) = path {
            shown.push('/');
            shown.push_str(path);
        }
        shown.push_str(query);
        rest = remaining;
    }
    shown.push_str(rest);
    shown
}

/// The text as it may be shown of a URL that somebody typed.
pub(super) fn shown_url(url: &str) -> String {
    shortened(&redact_urls(url))
}

fn shortened(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(SHOWN_CHARACTERS)
        .collect();
    if text.chars().nth(SHOWN_CHARACTERS).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(text: &str) -> object_store::Error {
        object_store::Error::Generic {
            store: "S3",
            source: text.to_owned().into(),
        }
    }

    fn read(text: &str) -> (String, StoreFault) {
        let error = Scrubber::default().store_error(&generic(text));
        (error.to_string(), error.fault())
    }

    #[test]
    fn an_answer_is_told_by_status_code_and_message_alone() {
        let body = "<?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code>\
            <Message>The signature does not match.</Message><StringToSign>sentinel</StringToSign></Error>";
        let text = format!(
            "Error performing POST http://h/b/k?uploads&sig=sentinel in 2ms - \
             Server returned non-2xx status code: 403 Forbidden: {body}"
        );
        assert_eq!(
            read(&text),
            (
                "the store answered 403 Forbidden: SignatureDoesNotMatch: The signature does not match."
                    .to_owned(),
                StoreFault::Credentials
            )
        );
    }

    #[test]
    fn answers_are_classified() {
        for (status, code, fault) in [
            ("404 Not Found", "NoSuchBucket", StoreFault::NoBucket),
            ("404 Not Found", "ContainerNotFound", StoreFault::NoBucket),
            ("404 Not Found", "NoSuchUpload", StoreFault::NotFound),
            ("403 Forbidden", "AccessDenied", StoreFault::Credentials),
            ("400 Bad Request", "ExpiredToken", StoreFault::Credentials),
            (
                "400 Bad Request",
                "AuthorizationHeaderMalformed",
                StoreFault::Region,
            ),
            ("403 Forbidden", "QuotaExceeded", StoreFault::NoSpace),
            ("507 Insufficient Storage", "X", StoreFault::NoSpace),
            ("503 Service Unavailable", "SlowDown", StoreFault::Busy),
            ("409 Conflict", "OperationAborted", StoreFault::Busy),
            ("400 Bad Request", "BadDigest", StoreFault::Damaged),
            (
                "400 Bad Request",
                "XAmzContentSHA256Mismatch",
                StoreFault::Damaged,
            ),
            (
                "409 Conflict",
                "BlobImmutableDueToPolicy",
                StoreFault::Retained,
            ),
            (
                "403 Forbidden",
                "RetentionPolicyNotMet",
                StoreFault::Retained,
            ),
            (
                "501 Not Implemented",
                "NotImplemented",
                StoreFault::Refused(501),
            ),
            (
                "400 Bad Request",
                "InvalidArgument",
                StoreFault::Refused(400),
            ),
        ] {
            let text = format!(
                "Server returned non-2xx status code: {status}: <Error><Code>{code}</Code></Error>"
            );
            assert_eq!(
                read(&text),
                (format!("the store answered {status}: {code}"), fault)
            );
        }
        assert_eq!(
            read("Server returned non-2xx status code: 404 Not Found: "),
            (
                "the store answered 404 Not Found".to_owned(),
                StoreFault::NotFound
            )
        );
    }

    #[test]
    fn a_refusal_to_let_an_object_go_is_told_from_bad_credentials() {
        let denied = |message: &str| {
            read(&format!(
                "Server returned non-2xx status code: 403 Forbidden: \
                 <Error><Code>AccessDenied</Code><Message>{message}</Message></Error>"
            ))
            .1
        };
        let locked = "Access Denied because object protected by object lock.";
        assert_eq!(denied(locked), StoreFault::Retained);
        assert_eq!(denied("Access Denied"), StoreFault::Credentials);
        let role =
            "User x is not authorized to perform: s3:DeleteObject on an object under legal hold";
        assert_eq!(denied(role), StoreFault::Credentials);
    }

    #[test]
    fn the_answer_to_a_part_of_a_batch_is_read_too() {
        let answer = |reason: &str, code: u16| {
            read(&format!(
                "Bulk delete request failed for key a/b.json: {reason} (code: {code})"
            ))
        };
        let retained = "This operation is not permitted as the blob is immutable due to a policy.";
        assert_eq!(
            answer(retained, 409),
            (
                format!("the store answered 409 {retained}"),
                StoreFault::Retained
            )
        );
        assert_eq!(answer("Forbidden", 403).1, StoreFault::Credentials);
    }

    #[test]
    fn a_full_disk_is_told_by_its_cause() {
        let error = object_store::Error::Generic {
            store: "LocalFileSystem",
            source: Box::new(io::Error::from(io::ErrorKind::StorageFull)),
        };
        let error = Scrubber::default().store_error(&error);
        assert_eq!(error.fault(), StoreFault::NoSpace);
    }

    #[test]
    fn no_query_no_user_and_no_configured_secret_is_shown() {
        let scrubber = Scrubber::new(["hunter2-hunter2", "short"].map(Secret::new));
        let text = "could not reach https://key:pass@host:9000/b/k?sig=sentinel&x=1 (https://h?a=b) hunter2-hunter2";
        assert_eq!(
            scrubber.store_error(&generic(text)).to_string(),
            "Generic S3 error: could not reach https://…@host:9000/b/k?… (https://h?…) …"
        );
    }

    #[test]
    fn long_words_are_cut_and_control_characters_blanked() {
        let (text, _fault) = read(&"\u{1b}x".repeat(4000));
        assert!(text.chars().count() <= SHOWN_CHARACTERS + 1);
        assert!(!text.contains('\u{1b}'));
    }
}
