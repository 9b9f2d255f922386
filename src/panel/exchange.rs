//! One exchange with a panel: at the panel's pace, to its own address only, again where that
//! makes sense, and never longer than an answer may be.

use std::time::Duration;

use backon::ExponentialBuilder;
use backon::Retryable as _;
use reqwest::Method;
use reqwest::header::ACCEPT;
use reqwest::header::AUTHORIZATION;
use reqwest::header::HeaderValue;
use serde::de::IgnoredAny;
use serde_json::Value;
use url::Url;

use crate::model::ids::PanelName;
use crate::model::ids::printable;
use crate::model::outcome::chain;
use crate::model::retry::Retry;
use crate::model::secret::Secret;
use crate::panel::PanelEndpoint;
use crate::panel::PanelTuning;
use crate::panel::answer;
use crate::panel::call::Call;
use crate::panel::error::Error;
use crate::panel::link;
use crate::panel::pace::Pace;

/// An answer is read up to this length.
const LONGEST_ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// Web servers close idle connections after a minute or so; ours are closed before.
const IDLE_CONNECTION: Duration = Duration::from_secs(30);

/// What is sent.
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) body: Option<Value>,
    pub(super) patience: Patience,
}

/// How long a whole answer may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// As long as the client's tuning says.
    Usual,
    /// So long.
    For(Duration),
}

/// The way to one panel.
pub(super) struct Exchange {
    pub(super) name: PanelName,
    pub(super) base_url: Url,
    host: String,
    authorization: HeaderValue,
    tuning: PanelTuning,
    http: reqwest::Client,
    pace: Pace,
}

impl Exchange {
    /// A way that nobody went yet.
    pub(super) fn new(endpoint: PanelEndpoint, tuning: PanelTuning) -> Result<Self, Error> {
        let base_url = checked_base(endpoint.base_url)?;
        let http = reqwest::Client::builder()
            .user_agent(concat!("nestegg/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(tuning.connect_timeout)
            .timeout(tuning.request_timeout)
            .pool_idle_timeout(IDLE_CONNECTION)
            .build()
            .map_err(|source| Error::Client { source })?;
        Ok(Self {
            host: base_url.origin().ascii_serialization(),
            authorization: authorization(&endpoint.key)?,
            name: endpoint.name,
            base_url,
            tuning,
            http,
            pace: Pace::new(tuning.window),
        })
    }

    /// `<base>/api/client/<path>?<query>`, each segment escaped.
    pub(super) fn url(&self, path: &[&str], query: &[(&str, String)]) -> Url {
        let mut url = self.base_url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments
                .pop_if_empty()
                .extend(["api", "client"])
                .extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// Sends, again where that makes sense: the one place that retries.
    pub(super) async fn send(&self, call: &Call, ask: &Ask) -> Result<Vec<u8>, Error> {
        let tuning = self.tuning;
        let waits = ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(tuning.first_wait)
            .with_max_delay(tuning.max_wait)
            .with_max_times(
                usize::try_from(tuning.attempts.saturating_sub(1)).unwrap_or(usize::MAX),
            );
        (|| self.send_once(call, ask))
            .retry(waits)
            .when(|error| ask.may_repeat_after(call, error))
            .adjust(|error, wait| match error.retry() {
                Retry::After(asked_for) => wait.map(|wait| wait.max(asked_for)),
                Retry::Backoff | Retry::Never => wait,
            })
            .notify(|error, wait| {
                tracing::warn!(
                    panel.name = %self.name, wait_ms = wait.as_millis(), error = chain(error),
                    "asking the panel again"
                );
            })
            .await
    }

    async fn send_once(&self, call: &Call, ask: &Ask) -> Result<Vec<u8>, Error> {
        self.pace.turn().await;
        tracing::debug!(panel.name = %self.name, "asking the panel to {call}");
        let mut request = self
            .http
            .request(ask.method.clone(), ask.url.clone())
            .header(AUTHORIZATION, self.authorization.clone())
            .header(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(body) = &ask.body {
            request = request.json(body);
        }
        if let Patience::For(patience) = ask.patience {
            request = request.timeout(patience);
        }
        let mut answer = request
            .send()
            .await
            .map_err(|error| self.broken(call, error))?;
        if !call.has_a_limit_of_its_own() {
            self.pace.learn(answer::budget(answer.headers()));
        }
        let body = self.body(call, &mut answer).await?;
        let status = answer.status();
        if !status.is_success() {
            let error = answer::error(call, &ask.url, status.as_u16(), answer.headers(), &body);
            if let (Error::RateLimited { .. }, Retry::After(wait)) = (&error, error.retry())
                && !call.has_a_limit_of_its_own()
            {
                self.pace.pause(wait);
            }
            return Err(error);
        }
        if body.is_empty() && call.is_answered_without_body() {
            return Ok(body);
        }
        if serde_json::from_slice::<IgnoredAny>(&body).is_ok() {
            return Ok(body);
        }
        Err(Error::NotThePanel {
            call: call.clone(),
            status: status.as_u16(),
            stray: answer::stray(&body),
        })
    }

    async fn body(&self, call: &Call, answer: &mut reqwest::Response) -> Result<Vec<u8>, Error> {
        let mut body = Vec::new();
        while let Some(chunk) = answer
            .chunk()
            .await
            .map_err(|error| self.broken(call, error))?
        {
            if body.len() + chunk.len() > LONGEST_ANSWER_BYTES {
                return Err(Error::TooLarge {
                    call: call.clone(),
                    limit_bytes: LONGEST_ANSWER_BYTES,
                });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn broken(&self, call: &Call, error: reqwest::Error) -> Error {
        let (call, host) = (call.clone(), self.host.clone());
        let source = error.without_url();
        if source.is_connect() && chain(&source).contains("certificate") {
            Error::Certificate { call, host, source }
        } else if source.is_connect() {
            Error::Connect { call, host, source }
        } else if source.is_timeout() {
            Error::Timeout { call, host, source }
        } else {
            Error::Broken { call, host, source }
        }
    }
}

impl Ask {
    pub(super) const fn get(url: Url) -> Self {
        Self {
            method: Method::GET,
            url,
            body: None,
            patience: Patience::Usual,
        }
    }

    pub(super) const fn post(url: Url, body: Value) -> Self {
        Self {
            method: Method::POST,
            url,
            body: Some(body),
            patience: Patience::Usual,
        }
    }

    /// Deleting twice is deleting once, so it is sent again like a GET.
    pub(super) const fn delete(url: Url) -> Self {
        Self {
            method: Method::DELETE,
            url,
            body: None,
            patience: Patience::Usual,
        }
    }

    /// A POST may have done its work whatever came back, unless nothing was sent or let in.
    fn may_repeat_after(&self, call: &Call, error: &Error) -> bool {
        if self.method == Method::POST {
            let was_let_in = !matches!(error, Error::RateLimited { .. });
            matches!(error, Error::Connect { .. })
                || (!was_let_in && call.may_repeat_when_limited() && error.retry() != Retry::Never)
        } else {
            error.retry() != Retry::Never
        }
    }
}

/// The address without slashes at its end, if it can be a panel's.
fn checked_base(mut url: Url) -> Result<Url, Error> {
    let refuse = |why| {
        Err(Error::BadAddress {
            shown: printable(&link::shown(&url)),
            why,
        })
    };
    if !matches!(url.scheme(), "http" | "https") {
        let shown = printable(url.scheme());
        return Err(Error::BadAddress {
            shown,
            why: "it must begin with https:// or http://",
        });
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("it must not hold a user or password");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return refuse("it must end with its path, without `?` and `#`");
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

fn authorization(key: &Secret) -> Result<HeaderValue, Error> {
    let key = key.expose();
    if key.is_empty() {
        return Err(Error::UnusableKey { why: "it is empty" });
    }
    if key.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Error::UnusableKey {
            why: "it holds a space, a line end or a control character",
        });
    }
    if !key.is_ascii() {
        return Err(Error::UnusableKey {
            why: "it holds characters that no key has",
        });
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_not_sendable| {
        Error::UnusableKey {
            why: "it can't be sent in a header",
        }
    })?;
    value.set_sensitive(true);
    Ok(value)
}
