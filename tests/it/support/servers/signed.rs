//! Requests that `object_store` can't make: buckets are made and open uploads listed with these.

use std::time::Duration;

use bytes::Bytes;
use object_store::aws::AwsAuthorizer;
use object_store::aws::AwsCredential;
use object_store::azure::AzureAuthorizer;
use object_store::azure::AzureCredential;
use object_store::client::HttpRequest;
use object_store::client::HttpRequestBody;
use reqwest::Method;
use reqwest::StatusCode;

/// With what requests are signed.
#[derive(Debug)]
pub(crate) enum Signature {
    S3(AwsCredential),
    Azure {
        account: &'static str,
        key: AzureCredential,
    },
    None,
}

/// A storage service at its own level, not a bucket's.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) endpoint: String,
    pub(crate) signature: Signature,
}

/// The region that all test buckets are in.
pub(crate) const REGION: &str = "us-east-1";

impl Service {
    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// What went wrong, or the answer itself unless it says success.
    pub(crate) async fn send(
        &self,
        method: Method,
        path_and_query: &str,
        headers: &[(&'static str, &str)],
        body: &'static str,
    ) -> Result<String, String> {
        let url = format!("{}{path_and_query}", self.endpoint);
        let mut request =
            HttpRequest::new(HttpRequestBody::from(Bytes::from_static(body.as_bytes())));
        *request.method_mut() = method;
        *request.uri_mut() = url.parse().map_err(|e| format!("{url}: {e}"))?;
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match &self.signature {
            Signature::S3(credential) => AwsAuthorizer::new(credential, "s3", REGION)
                .try_authorize(&mut request, None)
                .map_err(|e| e.to_string())?,
            Signature::Azure { account, key } => AzureAuthorizer::new(key, account)
                .try_authorize(&mut request)
                .map_err(|e| e.to_string())?,
            Signature::None => {}
        }
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_mins(1))
            .build()
            .map_err(|e| e.to_string())?;
        let answer = client
            .request(request.method().clone(), &url)
            .headers(request.headers().clone())
            .body(body)
            .send()
            .await
            .map_err(|e| format!("{e:?}"))?;
        let status = answer.status();
        let text = answer.text().await.map_err(|e| format!("{e:?}"))?;
        if status.is_success() || status == StatusCode::CONFLICT {
            Ok(text)
        } else {
            Err(format!("{status}: {text}"))
        }
    }

    /// The keys of the multipart uploads in `bucket` that were neither completed nor aborted.
    pub(crate) async fn open_uploads(&self, bucket: &str) -> Vec<String> {
        let listing = self
            .send(Method::GET, &format!("/{bucket}?uploads="), &[], "")
            .await
            .unwrap();
        assert!(!listing.contains("<IsTruncated>true"), "{listing}");
        let uploads = listing.split("<Upload>").skip(1);
        uploads
            .map(|upload| {
                let key = upload.split_once("<Key>").unwrap().1;
                unescaped(key.split_once("</Key>").unwrap().0)
            })
            .collect()
    }
}

/// Text of an XML element.
fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, reference)) = rest.split_once('&') {
        let (name, after) = reference.split_once(';').unwrap();
        plain.push_str(before);
        plain.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            number => {
                let number = number.strip_prefix('#').unwrap();
                let code = number.strip_prefix('x').map_or_else(
                    || number.parse::<u32>(),
                    |digits| u32::from_str_radix(digits, 16),
                );
                char::from_u32(code.unwrap()).unwrap()
            }
        });
        rest = after;
    }
    plain + rest
}

#[test]
fn references_in_xml_text_are_resolved() {
    assert_eq!(
        unescaped("a &amp; b&#43;c&#x7e;&lt;d&gt; &quot;e&apos;"),
        "a & b+c~<d> \"e'"
    );
}
