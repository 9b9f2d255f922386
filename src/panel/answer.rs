//! From an HTTP answer to a body, a wait or an error (`panel-contract.md` sections 1, 2 and 8).
//!
//! The status decides first, the exception's name second. Its text is only looked at where the
//! contract has nothing else to tell two cases apart, and then a sensible case stands without it.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::DATE;
use reqwest::header::HeaderMap;
use reqwest::header::LOCATION;
use reqwest::header::RETRY_AFTER;
use url::Url;

use crate::model::ids::printable;
use crate::model::server::ServerState;
use crate::panel::call::Call;
use crate::panel::call::Stray;
use crate::panel::error::Error;
use crate::panel::link;
use crate::panel::pace::Budget;
use crate::panel::refusal::NodeRefusal;
use crate::panel::wire;
use crate::panel::wire::Refusal;

/// The rate-limit headers.
pub(super) fn budget(headers: &HeaderMap) -> Budget {
    let number = |name| headers.get(name)?.to_str().ok()?.trim().parse::<u32>().ok();
    Budget {
        limit: number("x-ratelimit-limit"),
        remaining: number("x-ratelimit-remaining"),
    }
}

/// `Retry-After`, in seconds or as a date; a date is measured against the answer's own `Date`.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let when = date(text)?;
    let sent = date(headers.get(DATE)?.to_str().ok()?)?;
    Some(Duration::try_from(when.duration_since(sent)).unwrap_or_default())
}

fn date(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text).ok()
}

/// Whether a body starts like a web page.
pub(super) fn is_html(body: &[u8]) -> bool {
    body.trim_ascii_start().first() == Some(&b'<')
}

/// What a body is that is no JSON.
pub(super) fn stray(body: &[u8]) -> Stray {
    if is_html(body) {
        Stray::Html
    } else {
        Stray::Other
    }
}

/// The error that an answer other than 2xx means.
pub(super) fn error(call: &Call, at: &Url, status: u16, headers: &HeaderMap, body: &[u8]) -> Error {
    let call = call.clone();
    let said = wire::refusal(body);
    let code = said.as_ref().map_or("", |said| said.code.as_str());
    let wait = retry_after(headers);
    if is_of_the_node(status, code) {
        return match &said {
            Some(said) if call.is_about_files() && (400..500).contains(&status) => {
                Error::NodeRefused {
                    call,
                    refusal: NodeRefusal::read(status, &said.detail),
                    said: printable(&said.detail),
                }
            }
            Some(_) | None => Error::Node { call, status },
        };
    }
    match status {
        300..=399 => Error::NotThePanel {
            call,
            status,
            stray: Stray::Redirect(target(at, headers)),
        },
        401 => Error::KeyRefused { call },
        429 => match (&call, code) {
            (Call::CreateBackup(_), "TooManyRequestsHttpException") => {
                Error::Throttled { call, wait }
            }
            _general => Error::RateLimited { call, wait },
        },
        409 => Error::ServerState {
            call,
            state: said.map_or(ServerState::Conflict, |said| state(&said)),
        },
        503 => Error::Maintenance { call, wait },
        507 => Error::NoRoom { call },
        500..=599 => Error::PanelFailed {
            call,
            status,
            code: printable(code),
        },
        400..=499 => match said {
            Some(said) => refused(call, status, &said),
            None => Error::NotThePanel {
                call,
                status,
                stray: stray(body),
            },
        },
        _other => Error::NotThePanel {
            call,
            status,
            stray: stray(body),
        },
    }
}

/// Whether a node's failure comes back: Pelican has no exception of its own for that
/// (`panel-contract.md` section 8).
fn is_of_the_node(status: u16, code: &str) -> bool {
    match code {
        "DaemonConnectionException" => true,
        "ConnectionException" | "RequestException" => status >= 500,
        _another => false,
    }
}

fn refused(call: Call, status: u16, said: &Refusal) -> Error {
    match (status, said.code.as_str()) {
        (400, "TwoFactorAuthRequiredException") => Error::TwoFactor { call },
        (400, "TooManyBackupsException") => Error::BackupLimit { call },
        (400, "BackupLockedException" | "BackupIsLockedException") => Error::Locked { call },
        (400, "BackupNotCompletedException") => Error::NotCompleted { call },
        (400, "BackupFailedException") => Error::BackupFailed { call },
        // The only refusal of its own that the link call has (`panel-contract.md` section 4).
        (400, "BadRequestHttpException") if matches!(call, Call::MintLink(_)) => {
            Error::UnknownDisk { call }
        }
        // The server is busy, or the backup not completed: only the text says which.
        (400, "BadRequestHttpException") if matches!(call, Call::RestoreBackup(_)) => {
            Error::NotRestorable { call }
        }
        (403, code) => forbidden(call, code, &said.detail),
        (404, _) => match call {
            Call::ListServers | Call::ReadAccount => Error::NoApi { call },
            Call::ReadServer(_)
            | Call::ListBackups(_)
            | Call::CreateBackup(_)
            | Call::ReadHosting(_)
            | Call::ReadResources(_)
            | Call::Power(..)
            | Call::ListFiles(_)
            | Call::MintUploadLink(_)
            | Call::Pull(_)
            | Call::Decompress(_)
            | Call::DeleteFiles(_)
            | Call::WriteNote(_) => Error::UnknownServer { call },
            Call::ReadBackup(_)
            | Call::MintLink(_)
            | Call::DeleteBackup(_)
            | Call::ToggleLock(_)
            | Call::RestoreBackup(_) => Error::UnknownBackup { call },
            Call::ReadActivity(_) => Error::NoActivityLog { call },
        },
        (_, code) => Error::Refused {
            call,
            status,
            said: format!("{}: {}", printable(code), printable(&said.detail)),
        },
    }
}

/// Application key, address list and permission share status and name; only the text differs.
fn forbidden(call: Call, code: &str, detail: &str) -> Error {
    let says =
        |text| code == "AccessDeniedHttpException" && detail.to_ascii_lowercase().contains(text);
    if says("application api key") {
        return Error::ApplicationKey { call };
    }
    if says("ip address") {
        return Error::AddressNotAllowed { call };
    }
    match call.permission() {
        Some(needed) => Error::Permission { call, needed },
        None => Error::KeyForbidden { call },
    }
}

/// Which state it is stands in the text alone; any other text is a conflict all the same.
fn state(said: &Refusal) -> ServerState {
    const SAYS: [(&str, ServerState); 5] = [
        ("suspended", ServerState::Suspended),
        ("maintenance", ServerState::NodeMaintenance),
        ("install", ServerState::Installing),
        ("restoring", ServerState::Restoring),
        ("transfer", ServerState::Transferring),
    ];
    let detail = said.detail.to_ascii_lowercase();
    SAYS.into_iter()
        .find(|(word, _)| detail.contains(word))
        .map_or(ServerState::Conflict, |(_, state)| state)
}

/// Where a redirect points, without what may be a credential in it.
fn target(at: &Url, headers: &HeaderMap) -> Option<String> {
    let text = headers.get(LOCATION)?.to_str().ok()?;
    let url = at.join(text).ok()?;
    Some(printable(&link::shown(&url)))
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderName;
    use reqwest::header::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    name.parse::<HeaderName>().unwrap(),
                    value.parse::<HeaderValue>().unwrap(),
                )
            })
            .collect()
    }

    fn answer(call: &Call, status: u16, code: &str, detail: &str) -> String {
        let body = serde_json::json!({"errors": [{"code": code, "status": status.to_string(), "detail": detail}]});
        let at = Url::parse("https://panel.example.com/api/client").unwrap();
        let error = error(
            call,
            &at,
            status,
            &HeaderMap::new(),
            body.to_string().as_bytes(),
        );
        format!("{:?} | {error}", error.kind())
    }

    #[test]
    fn documented_errors_have_their_own_outcome() {
        let backup = "6fdff738-bf44-4933-824f-489198dda9e6";
        let server = "a1fa0000-1111-4111-8111-00000000000a";
        let link = Call::MintLink(backup.parse().unwrap());
        let list = Call::ListBackups(server.parse().unwrap());
        let create = Call::CreateBackup(server.parse().unwrap());
        for (call, status, code, expected) in [
            (
                &create,
                400,
                "TooManyBackupsException",
                "Policy | could not have a backup of server a1fa0000-1111-4111-8111-00000000000a made: the server has reached its limit of backups",
            ),
            (
                &link,
                400,
                "BackupNotCompletedException",
                "NotFound | could not get a download link for backup 6fdff738-bf44-4933-824f-489198dda9e6: the backup is not completed",
            ),
            (
                &link,
                400,
                "BackupFailedException",
                "NotFound | could not get a download link for backup 6fdff738-bf44-4933-824f-489198dda9e6: the backup failed",
            ),
            (
                &list,
                401,
                "InvalidCredentialsException",
                "Credentials | could not list the backups of server a1fa0000-1111-4111-8111-00000000000a: the panel does not accept the API key",
            ),
            (
                &link,
                403,
                "InsufficientPermissionsException",
                "Permission | could not get a download link for backup 6fdff738-bf44-4933-824f-489198dda9e6: the permission `backup.download` is missing",
            ),
            (
                &link,
                404,
                "NotFoundHttpException",
                "NotFound | could not get a download link for backup 6fdff738-bf44-4933-824f-489198dda9e6: the panel has no such backup",
            ),
            (
                &create,
                409,
                "ConflictingServerStateException",
                "ServerState | could not have a backup of server a1fa0000-1111-4111-8111-00000000000a made: the server is in a state that refuses backup calls",
            ),
            (
                &create,
                507,
                "InsufficientStorageException",
                "NoSpace | could not have a backup of server a1fa0000-1111-4111-8111-00000000000a made: the panel says that there is no space for it",
            ),
        ] {
            assert_eq!(answer(call, status, code, "x"), expected, "{code}");
        }
    }

    #[test]
    fn a_forbidden_call_without_known_text_is_a_missing_permission_or_a_forbidden_key() {
        let read = Call::ListBackups("a1fa0000-1111-4111-8111-00000000000a".parse().unwrap());
        let code = "AccessDeniedHttpException";
        assert!(answer(&read, 403, code, "Nicht erlaubt.").starts_with("Permission | "));
        assert!(
            answer(&Call::ListServers, 403, code, "Nicht erlaubt.").starts_with("Credentials | ")
        );
    }

    #[test]
    fn a_web_page_with_404_is_not_a_deleted_backup() {
        let call = Call::ReadBackup("6fdff738-bf44-4933-824f-489198dda9e6".parse().unwrap());
        let at = Url::parse("https://panel.example.com/").unwrap();
        let error = error(&call, &at, 404, &HeaderMap::new(), b"\n<html>");
        assert_eq!(
            error.to_string(),
            "could not read backup 6fdff738-bf44-4933-824f-489198dda9e6: the answer is a web page instead of a panel's API (HTTP 404)"
        );
    }

    #[test]
    fn a_redirect_is_shown_without_its_query() {
        let at = Url::parse("http://panel.example.com/api/client").unwrap();
        let to = headers(&[("location", "//other.example.com/login?token=sentinel")]);
        let error = error(&Call::ListServers, &at, 302, &to, b"");
        assert_eq!(
            error.to_string(),
            "could not list the servers: the answer is a redirect to http://other.example.com/login instead of a panel's API (HTTP 302)"
        );
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let date = ("date", "Sun, 22 Nov 2026 02:55:02 GMT");
        for (pairs, wait) in [
            (vec![("retry-after", "59")], Some(59)),
            (
                vec![("retry-after", "Sun, 22 Nov 2026 02:56:02 GMT"), date],
                Some(60),
            ),
            (
                vec![("retry-after", "Sun, 22 Nov 2026 02:00:00 GMT"), date],
                Some(0),
            ),
            (vec![("retry-after", "Sun, 22 Nov 2026 02:56:02 GMT")], None),
            (vec![("retry-after", "-1")], None),
            (vec![("retry-after", "soon")], None),
            (vec![], None),
        ] {
            assert_eq!(
                retry_after(&headers(&pairs)),
                wait.map(Duration::from_secs),
                "{pairs:?}"
            );
        }
    }

    #[test]
    fn header_names_of_any_case_and_odd_values_are_borne() {
        let both = headers(&[
            ("x-ratelimit-limit", " 720 "),
            ("X-RateLimit-Remaining", "-1"),
        ]);
        assert_eq!(
            budget(&both),
            Budget {
                limit: Some(720),
                remaining: None
            }
        );
    }
}
