//! The panel's refusals, worded as recorded (`panel-contract.md` section 8).

use serde_json::json;

use super::reply::Reply;
use super::rows::Condition;
use super::state::Dialect;
use super::words;

const UNEXPECTED: &str =
    "An unexpected error was encountered while processing this request, please try again.";

/// A refusal in the panel's envelope.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    status: u16,
    code: String,
    detail: String,
    retry_after_s: Option<u64>,
    source_field: Option<&'static str>,
}

impl Refusal {
    pub(super) fn new(status: u16, code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            status,
            code: code.into(),
            detail: detail.into(),
            retry_after_s: None,
            source_field: None,
        }
    }

    pub(super) fn unauthenticated() -> Self {
        Self::new(401, "AuthenticationException", "Unauthenticated.")
    }

    fn denied(detail: &str) -> Self {
        Self::new(403, "AccessDeniedHttpException", detail)
    }

    pub(super) fn application_key() -> Self {
        Self::denied(
            "You are attempting to use an application API key on an endpoint that requires a client API key.",
        )
    }

    pub(super) fn address() -> Self {
        Self::denied(
            "This IP address (127.0.0.1) does not have permission to access the API using these credentials.",
        )
    }

    pub(super) fn permission() -> Self {
        Self::denied("This action is unauthorized.")
    }

    pub(super) fn two_factor() -> Self {
        Self::new(
            400,
            "TwoFactorAuthRequiredException",
            "Two-factor authentication is required on this account in order to access this endpoint.",
        )
    }

    fn not_found(detail: impl Into<String>) -> Self {
        Self::new(404, "NotFoundHttpException", detail)
    }

    /// An id that no row has.
    pub(super) fn unknown() -> Self {
        Self::not_found("The requested resource could not be found on the server.")
    }

    /// A server that exists and is none of the asker's business.
    pub(super) fn stranger() -> Self {
        Self::not_found("The requested resource does not exist on this server.")
    }

    pub(super) fn no_route(path: &str) -> Self {
        let path = path.trim_start_matches('/');
        Self::not_found(format!("The route {path} could not be found."))
    }

    pub(super) fn method(method: &str, path: &str, supported: &str) -> Self {
        let path = path.trim_start_matches('/');
        Self::new(
            405,
            "MethodNotAllowedHttpException",
            format!(
                "The {method} method is not supported for route {path}. Supported methods: {supported}."
            ),
        )
    }

    /// Why backup calls are closed; `None` when they are open.
    pub(super) fn condition(condition: Condition) -> Option<Self> {
        let detail = match condition {
            Condition::Ready => return None,
            Condition::Suspended => {
                "This server is currently suspended and the functionality requested is unavailable."
            }
            Condition::Installing | Condition::InstallFailed => {
                "This server has not yet completed its installation process, please try again later."
            }
            Condition::Restoring => {
                "This server is currently restoring from a backup, please try again later."
            }
            Condition::Transferring => {
                "This server is currently being transferred to a new machine, please try again later."
            }
            Condition::NodeMaintenance => {
                "The node of this server is currently under maintenance and the functionality requested is unavailable."
            }
        };
        Some(Self::new(409, "ServerStateConflictException", detail))
    }

    pub(super) fn too_many_attempts(retry_after_s: u64) -> Self {
        Self {
            retry_after_s: Some(retry_after_s),
            ..Self::new(429, "ThrottleRequestsException", "Too Many Attempts.")
        }
    }

    pub(super) fn too_many_creations(count: usize, span_s: u64, retry_after_s: u64) -> Self {
        Self {
            retry_after_s: Some(retry_after_s),
            ..Self::new(
                429,
                "TooManyRequestsHttpException",
                format!(
                    "Only {count} backups may be generated within a {span_s} second span of time."
                ),
            )
        }
    }

    pub(super) fn backup_limit(limit: u64) -> Self {
        Self::new(
            400,
            "TooManyBackupsException",
            format!(
                "Cannot create a new backup, this server has reached its limit of {limit} backups."
            ),
        )
    }

    pub(super) fn locked() -> Self {
        Self::new(
            400,
            "BackupLockedException",
            "Cannot delete a backup that is marked as locked.",
        )
    }

    pub(super) fn unknown_disk() -> Self {
        Self::new(
            400,
            "BadRequestHttpException",
            "The backup requested references an unknown disk driver type and cannot be downloaded.",
        )
    }

    pub(super) fn bad_json() -> Self {
        Self::new(
            400,
            "BadRequestHttpException",
            "The JSON data passed in the request appears to be malformed: Syntax error",
        )
    }

    pub(super) fn long_name() -> Self {
        Self {
            source_field: Some("name"),
            ..Self::new(
                422,
                "ValidationException",
                "The name may not be greater than 191 characters.",
            )
        }
    }

    pub(super) fn node_down() -> Self {
        Self::new(
            504,
            "DaemonConnectionException",
            "Could not establish a connection to the machine running this server. Please try again.",
        )
    }

    /// A node that can't be reached, as each panel says it.
    pub(super) fn node_away(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Pterodactyl | Dialect::Documented => Self::node_down(),
            Dialect::Pelican => Self::new(500, "ConnectionException", UNEXPECTED),
        }
    }

    /// A node that could be reached and failed, as each panel says it.
    pub(super) fn of_the_node(dialect: Dialect, status: u16) -> Self {
        match dialect {
            Dialect::Pterodactyl | Dialect::Documented => Self::new(
                status,
                "DaemonConnectionException",
                "An error occurred on the remote host: The requested resources was not found on the system.. (request id: x)",
            ),
            Dialect::Pelican => Self::new(500, "RequestException", UNEXPECTED),
        }
    }

    /// A body without `truncate`.
    pub(super) fn truncate_required() -> Self {
        Self {
            source_field: Some("truncate"),
            ..Self::new(
                422,
                "ValidationException",
                "The truncate field is required.",
            )
        }
    }

    /// A restore of what is not completed.
    pub(super) fn not_restorable() -> Self {
        Self::new(
            400,
            "BadRequestHttpException",
            "This backup cannot be restored at this time: not completed or failed.",
        )
    }

    pub(super) fn maintenance() -> Self {
        Self::new(503, "HttpException", "Service Unavailable")
    }

    pub(super) fn query() -> Self {
        Self::new(
            500,
            "QueryException",
            "An unexpected error was encountered while processing this request, please try again.",
        )
    }

    /// Documented dialect only: there is nothing to download yet.
    pub(super) fn not_completed() -> Self {
        Self::new(
            400,
            "BackupNotCompletedException",
            "The backup has not yet completed.",
        )
    }

    /// Documented dialect only: there will never be anything to download.
    pub(super) fn backup_failed() -> Self {
        Self::new(400, "BackupFailedException", "The backup has failed.")
    }

    /// As whoever asked wants it: JSON, or a page when `Accept` does not put JSON first.
    pub(super) fn reply(self, dialect: Dialect, format: Format, panel_url: &str) -> Reply {
        let reply = match format {
            Format::Json => self.json(dialect),
            Format::Page if self.status == 401 => words::login_redirect(panel_url),
            Format::Page => words::page(self.status, &self.detail),
        };
        match self.retry_after_s {
            Some(seconds) => reply.header("retry-after", seconds),
            None => reply,
        }
    }

    pub(super) fn json(&self, dialect: Dialect) -> Reply {
        let code = match (dialect, self.code.as_str()) {
            (Dialect::Documented, "AuthenticationException") => "InvalidCredentialsException",
            (Dialect::Documented, "AccessDeniedHttpException") => {
                "InsufficientPermissionsException"
            }
            (Dialect::Documented, "ServerStateConflictException") => {
                "ConflictingServerStateException"
            }
            (Dialect::Documented, "BackupLockedException") => "BackupIsLockedException",
            (Dialect::Documented | Dialect::Pterodactyl | Dialect::Pelican, code) => code,
        };
        let mut error = json!({
            "code": code,
            "status": self.status.to_string(),
            "detail": self.detail,
        });
        if let (Some(field), Some(error)) = (self.source_field, error.as_object_mut()) {
            error.insert(
                "meta".to_owned(),
                json!({"source_field": field, "rule": if field == "truncate" { "required" } else { "max" }}),
            );
        }
        let body = json!({"errors": [error]});
        let is_compact = matches!(
            self.code.as_str(),
            "AuthenticationException"
                | "TooManyBackupsException"
                | "BackupLockedException"
                | "DaemonConnectionException"
                | "ValidationException"
        );
        let text = if is_compact {
            words::compact(&body)
        } else {
            words::pretty(&body)
        };
        Reply::new(self.status, "application/json", text)
    }
}

/// What the asker's `Accept` puts first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Something with `/json` or `+json`.
    Json,
    /// Anything else, `*/*` and nothing included.
    Page,
}

impl Format {
    pub(super) fn wanted(accept: Option<&str>) -> Self {
        let first = accept.unwrap_or_default().split(',').next();
        let first = first.unwrap_or_default().to_ascii_lowercase();
        if first.contains("/json") || first.contains("+json") {
            Self::Json
        } else {
            Self::Page
        }
    }
}
