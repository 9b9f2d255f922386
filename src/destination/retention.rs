//! Whether a store says that it will not let an object go, which the crate's own answers leave out.
//!
//! Every client of a store passes the headers that tell of it along with its answers, so that one look at
//! an object (a HEAD with the credentials in use) says it. Where the headers are described:
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html> (only for those who may
//! `s3:GetObjectRetention` and `s3:GetObjectLegalHold`),
//! <https://learn.microsoft.com/rest/api/storageservices/get-blob-properties>,
//! <https://docs.cloud.google.com/storage/docs/xml-api/reference-headers>. A rule of a whole container or
//! bucket is in none of them on Azure and Google Cloud Storage: it shows when the store refuses.

use std::future::Future;
use std::pin::Pin;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use object_store::ClientOptions;
use object_store::GetOptions;
use object_store::client::HttpClient;
use object_store::client::HttpConnector;
use object_store::client::HttpError;
use object_store::client::HttpRequest;
use object_store::client::HttpResponse;
use object_store::client::HttpService;
use object_store::client::ReqwestConnector;

use crate::destination::Destination;
use crate::destination::error::Error;
use crate::destination::fault::StoreFault;
use crate::model::key::ObjectKey;

/// Until when an object is retained; dates as RFC 3339 writes them, or as HTTP does.
const UNTIL: [&str; 3] = [
    "x-amz-object-lock-retain-until-date",
    "x-goog-object-lock-retain-until-date",
    "x-ms-immutability-policy-until-date",
];
/// Whether somebody holds it.
const HOLDS: [&str; 2] = ["x-amz-object-lock-legal-hold", "x-ms-legal-hold"];

/// Whether a store lets an object go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// Nothing that it tells keeps the object there.
    None,
    /// Not before then.
    Until(Timestamp),
    /// Not while somebody holds it, or until a time that it says in no form known.
    Held,
}

/// What an answer tells of retention, carried among its extensions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Told {
    until: Vec<String>,
    holds: Vec<String>,
}

impl Told {
    fn of(answer: &HttpResponse) -> Option<Self> {
        let all = |names: &[&str]| -> Vec<String> {
            let values = names.iter().filter_map(|name| answer.headers().get(*name));
            values
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
                .collect()
        };
        let told = Self {
            until: all(&UNTIL),
            holds: all(&HOLDS),
        };
        (told != Self::default()).then_some(told)
    }

    fn retention(&self, now: Timestamp) -> Retention {
        let is_free = |hold: &String| {
            let hold = hold.trim();
            hold.eq_ignore_ascii_case("off")
                || hold.eq_ignore_ascii_case("false")
                || hold.is_empty()
        };
        if !self.holds.iter().all(is_free) {
            return Retention::Held;
        }
        let mut latest = None;
        for text in &self.until {
            match date(text.trim()) {
                Some(until) => latest = latest.max(Some(until)),
                None => return Retention::Held,
            }
        }
        match latest {
            Some(until) if until > now => Retention::Until(until),
            Some(_) | None => Retention::None,
        }
    }
}

fn date(text: &str) -> Option<Timestamp> {
    let as_http = || rfc2822::parse(text).ok().map(|zoned| zoned.timestamp());
    text.parse().ok().or_else(as_http)
}

/// Makes clients that pass on what answers tell of retention.
#[derive(Debug)]
pub(super) struct Attentive;

impl HttpConnector for Attentive {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Listening(client)))
    }
}

#[derive(Debug)]
struct Listening(HttpClient);

impl HttpService for Listening {
    // As the trait's own macro writes it.
    fn call<'life0, 'async_trait>(
        &'life0 self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move {
            let mut answer = self.0.execute(request).await?;
            if let Some(told) = Told::of(&answer) {
                answer.extensions_mut().insert(told);
            }
            Ok(answer)
        })
    }
}

impl Destination {
    /// Whether the store says that it does not let an object go now; costs one request. A local
    /// directory, a store without retention, one whose rule is about a whole container, and one that
    /// tells these credentials nothing all say [`Retention::None`].
    ///
    /// # Errors
    /// What kept the store from being asked; a missing object is none.
    pub async fn retention(&self, key: &ObjectKey, now: Timestamp) -> Result<Retention, Error> {
        if self.root().is_some() {
            return Ok(Retention::None);
        }
        let path = self.path_of(key)?;
        let options = GetOptions::new().with_head(true);
        let waited = self.tuning().request_deadline;
        let request = self.handles().read.store.get_opts(&path, options);
        match self.ask("check", key.to_string(), waited, request).await {
            Ok(result) => Ok(result
                .extensions
                .get::<Told>()
                .map_or(Retention::None, |told| told.retention(now))),
            Err(error) if error.fault() == Some(StoreFault::NotFound) => Ok(Retention::None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_date_to_come_or_a_hold_keeps_an_object_and_what_is_not_understood_does_too() {
        let now = at("2026-11-22T12:00:00Z");
        for (until, holds, retention) in [
            (&[][..], &[][..], Retention::None),
            (
                &["2026-11-23T00:00:00Z"],
                &[],
                Retention::Until(at("2026-11-23T00:00:00Z")),
            ),
            (
                &["Mon, 23 Nov 2026 05:55:48 GMT"],
                &["false"],
                Retention::Until(at("2026-11-23T05:55:48Z")),
            ),
            (&["2026-11-22T11:59:59.999Z"], &["OFF"], Retention::None),
            (&[], &["ON"], Retention::Held),
            (&[], &["true"], Retention::Held),
            (&["2026-11-21T00:00:00Z"], &["ON"], Retention::Held),
            (&["one day"], &[], Retention::Held),
        ] {
            let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
            let told = Told {
                until: owned(until),
                holds: owned(holds),
            };
            assert_eq!(told.retention(now), retention, "{told:?}");
        }
    }
}
