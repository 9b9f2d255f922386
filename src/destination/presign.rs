//! Letting somebody else read one object for a while.

use std::fmt;
use std::time::Duration;

use object_store::signer::Method;
use url::Url;

use crate::destination::Destination;
use crate::destination::error::Error;
use crate::model::key::ObjectKey;

/// A URL that whoever holds it can read one object with, until it expires.
///
/// A credential: it is shown without its query, and must not be stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Presigned(Url);

impl Presigned {
    /// The whole URL, for the one request that hands it on.
    pub const fn expose(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for Presigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = self.0.origin().ascii_serialization();
        write!(f, "{origin}{}", self.0.path())
    }
}

impl fmt::Debug for Presigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Presigned({self}?…)")
    }
}

impl Destination {
    /// A URL that reads one object for the given time; `None` where the store signs nothing.
    ///
    /// Whether there is such an object, and whether anybody else reaches the store, shows later.
    ///
    /// # Errors
    /// The credentials in use can't sign, or could not be had.
    pub async fn presign(
        &self,
        key: &ObjectKey,
        expires_in: Duration,
    ) -> Result<Option<Presigned>, Error> {
        let Some(signer) = &self.handles().read.signer else {
            return Ok(None);
        };
        let path = self.path_of(key)?;
        let waited = self.tuning().probe_deadline;
        let request = signer.signed_url(Method::GET, &path, expires_in);
        let url = self
            .ask("sign a URL for", key.to_string(), waited, request)
            .await?;
        // The crate signs an Azure path as it is escaped, and Azure wants it as it is meant.
        let is_signed_wrong = self.location().starts_with("az://") && url.path().contains('%');
        Ok((!is_signed_wrong).then_some(Presigned(url)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::destination::DestinationSpec;
    use crate::destination::DestinationTuning;
    use crate::destination::RootRule;
    use crate::model::key::ObjectKind;
    use crate::model::secret::Secret;

    fn key() -> ObjectKey {
        ObjectKey::for_backup(
            "a1fa0000-1111-4111-8111-00000000000a".parse().unwrap(),
            "6fdff738-bf44-4933-824f-489198dda9e6".parse().unwrap(),
            ObjectKind::Archive,
        )
    }

    async fn presigned(url: &str, options: &[(&str, &str)]) -> Option<Presigned> {
        let options: BTreeMap<_, _> = options
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Secret::new(*value)))
            .collect();
        let spec = DestinationSpec {
            name: "far".parse().unwrap(),
            url: url.to_owned(),
            options,
            environment: Vec::new(),
            root: RootRule::MustExist,
            encrypt_to: Vec::new(),
        };
        let destination = Destination::open(spec, DestinationTuning::PRODUCTION)
            .await
            .unwrap();
        destination
            .presign(&key(), Duration::from_mins(15))
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_bucket_signs_one_object_for_a_while_and_shows_nothing_of_the_signature() {
        let signed = presigned(
            "s3://bkt/panel",
            &[
                ("access_key_id", "AKIASENTINEL"),
                ("secret_access_key", "sentinel-sentinel"),
                ("region", "eu-central-1"),
            ],
        )
        .await
        .unwrap();
        let url = signed.expose();
        let expires = url.query_pairs().find(|(name, _)| name == "X-Amz-Expires");
        assert_eq!(expires.unwrap().1, "900");
        assert!(
            url.path().ends_with(&format!("/panel/{}", key())),
            "{signed}"
        );
        assert!(!format!("{signed} {signed:?}").contains("X-Amz"));
    }

    #[tokio::test]
    async fn a_service_account_with_a_private_key_signs() {
        let key = std::process::Command::new("openssl")
            .args([
                "genpkey",
                "-algorithm",
                "RSA",
                "-pkeyopt",
                "rsa_keygen_bits:2048",
            ])
            .output()
            .unwrap();
        let account = serde_json::json!({
            "client_email": "mirror@example.iam.gserviceaccount.com",
            "private_key": String::from_utf8(key.stdout).unwrap(),
            "private_key_id": "1",
        });
        let account = account.to_string();
        let signed = presigned("gs://bkt/panel", &[("service_account_key", &account)]).await;
        let url = signed.unwrap();
        let names: Vec<_> = url
            .expose()
            .query_pairs()
            .map(|(name, _)| name.into_owned())
            .collect();
        assert!(names.contains(&"X-Goog-Signature".to_owned()), "{names:?}");
    }

    #[tokio::test]
    async fn a_container_signs_too_and_a_folder_does_not() {
        // Base64 of twelve bytes: any key signs.
        let options = [
            ("account_name", "acct"),
            ("account_key", "c2VudGluZWwxMjM0"),
        ];
        let signed = presigned("az://box/panel", &options).await.unwrap();
        assert!(signed.expose().query_pairs().any(|(name, _)| name == "sig"));
        assert!(!format!("{signed} {signed:?}").contains("sig="));
        assert_eq!(presigned("az://box/my panel", &options).await, None);
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(presigned(folder.path().to_str().unwrap(), &[]).await, None);
    }
}
