//! SeaweedFS, the S3 server that checks signatures, checksums and conditions as Amazon's does.

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::aws::AmazonS3Builder;
use object_store::aws::AwsCredential;
use reqwest::Method;

use crate::support::servers::background;
use crate::support::servers::install::PythonTools;
use crate::support::servers::ports;
use crate::support::servers::ports::Claim;
use crate::support::servers::process;
use crate::support::servers::process::Launch;
use crate::support::servers::process::NotStarted;
use crate::support::servers::process::Process;
use crate::support::servers::root::Root;
use crate::support::servers::root::Uploads;
use crate::support::servers::root::View;
use crate::support::servers::shared::Shared;
use crate::support::servers::signed::REGION;
use crate::support::servers::signed::Service;
use crate::support::servers::signed::Signature;

/// The bucket that every S3 server of the tests has.
pub(crate) const BUCKET: &str = "bkt";

/// One server with an empty bucket.
#[derive(Debug)]
pub(crate) struct SeaweedFs {
    process: Process,
    options: BTreeMap<String, String>,
    view: View,
    claim: Claim<5>,
}

impl SeaweedFs {
    /// The one of this test process.
    pub(crate) fn shared() -> &'static Self {
        static SERVER: Shared<SeaweedFs> = Shared::new();
        SERVER.get(|| process::several_tries(Self::try_start))
    }

    /// One for a test alone, which may kill it.
    pub(crate) fn start() -> Self {
        process::several_tries(Self::try_start).unwrap_or_else(|why| panic!("{why}"))
    }

    fn try_start() -> Result<Self, NotStarted> {
        let claim = ports::claim::<5>();
        let [master, volume, filer, s3, admin] = claim.ports;
        let access = S3Access {
            endpoint: format!("http://127.0.0.1:{s3}"),
            key_id: "testkey",
            secret: "testsecret",
        };
        let folder = process::folder("seaweedfs");
        let mut arguments = vec!["mini".to_owned(), format!("-dir={}", folder.display())];
        arguments.extend(
            [
                "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1",
                "-s3.autoCreateBucket=false", // a mistyped bucket must show
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
                "-webdav=false",
                "-admin.ui=false",
            ]
            .map(str::to_owned),
        );
        arguments.extend([
            format!("-bucket={BUCKET}"),
            format!("-master.port={master}"),
            format!("-volume.port={volume}"),
            format!("-filer.port={filer}"),
            format!("-s3.port={s3}"),
            format!("-admin.port={admin}"),
        ]);
        let launch = Launch {
            program: PythonTools::get().program("weed"),
            arguments,
            environment: vec![
                ("AWS_ACCESS_KEY_ID", access.key_id.to_owned()),
                ("AWS_SECRET_ACCESS_KEY", access.secret.to_owned()),
            ],
            left_elsewhere: sockets(claim.ports),
        };
        let service = access.service();
        let process = Process::start("seaweedfs", folder, &launch, || service.takes_an_object())?;
        Ok(Self {
            process,
            options: access.options(),
            view: access.view(Uploads::Listed(service)),
            claim,
        })
    }

    /// A prefix of its bucket.
    pub(crate) fn root(&self, prefix: &str) -> Root {
        Root::in_bucket(self.view.clone(), self.options.clone(), prefix)
    }

    /// A bucket of its own, made when it is not there, whose new objects are retained for a day.
    pub(crate) fn root_under_lock(&self, bucket: &'static str) -> Root {
        const A_DAY: &str = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule>\
            <DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule>\
            </ObjectLockConfiguration>";
        let access = S3Access {
            endpoint: self.options["endpoint"].clone(),
            key_id: "testkey",
            secret: "testsecret",
        };
        let service = access.service();
        let made = background::block_on(async {
            let lock = [("x-amz-bucket-object-lock-enabled", "true")];
            let path = format!("/{bucket}");
            service.send(Method::PUT, &path, &lock, "").await?;
            let path = format!("/{bucket}?object-lock=");
            service.send(Method::PUT, &path, &[], A_DAY).await
        });
        made.unwrap();
        Root::in_bucket(
            access.view_of(bucket, Uploads::Listed(service)),
            access.options(),
            "",
        )
    }

    /// Sends a request of the store's own, such as one that the store's client can't make.
    ///
    /// # Errors
    /// As [`Service::send`].
    pub(crate) async fn send(
        &self,
        method: Method,
        path_and_query: String,
        body: &'static str,
    ) -> Result<String, String> {
        let access = S3Access {
            endpoint: self.options["endpoint"].clone(),
            key_id: "testkey",
            secret: "testsecret",
        };
        let service = access.service();
        background::run(async move { service.send(method, &path_and_query, &[], body).await }).await
    }

    /// Ends it as a loss of power would; its address refuses connections from then on.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }
}

/// The sockets that it makes beside its ports, whatever its temporary directory is.
fn sockets([master, volume, filer, s3, admin]: [u16; 5]) -> Vec<String> {
    let mut names = vec![format!("filer-{filer}"), format!("s3-{s3}")];
    let roles = [
        ("master", master),
        ("volume", volume),
        ("filer", filer),
        ("s3", s3),
        ("admin", admin),
    ];
    names.extend(roles.map(|(role, port)| format!("{role}-grpc-{}", port + ports::NEIGHBOUR)));
    names
        .iter()
        .map(|name| format!("/tmp/seaweedfs-{name}.sock"))
        .collect()
}

/// How an S3 server of the tests is reached.
#[derive(Debug)]
pub(crate) struct S3Access {
    pub(crate) endpoint: String,
    pub(crate) key_id: &'static str,
    pub(crate) secret: &'static str,
}

impl S3Access {
    /// What a destination is configured with.
    pub(crate) fn options(&self) -> BTreeMap<String, String> {
        [
            ("endpoint", self.endpoint.as_str()),
            ("region", REGION),
            ("access_key_id", self.key_id),
            ("secret_access_key", self.secret),
            ("allow_http", "true"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    pub(crate) fn service(&self) -> Arc<Service> {
        Arc::new(Service {
            endpoint: self.endpoint.clone(),
            signature: Signature::S3(AwsCredential {
                key_id: self.key_id.to_owned(),
                secret_key: self.secret.to_owned(),
                token: None,
            }),
        })
    }

    /// The test's own view of the bucket.
    pub(crate) fn view(&self, uploads: Uploads) -> View {
        self.view_of(BUCKET, uploads)
    }

    /// The test's own view of any bucket.
    pub(crate) fn view_of(&self, bucket: &'static str, uploads: Uploads) -> View {
        let store = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_endpoint(&self.endpoint)
            .with_region(REGION)
            .with_access_key_id(self.key_id)
            .with_secret_access_key(self.secret)
            .with_allow_http(true)
            .build()
            .unwrap();
        View::Bucket {
            url: format!("s3://{bucket}"),
            name: bucket,
            store: Arc::new(store),
            uploads,
        }
    }
}

impl Service {
    /// Puts an object into the bucket and removes it: a server may answer other requests before.
    ///
    /// # Errors
    /// Why not, as the server or the connection says.
    pub(crate) fn takes_an_object(&self) -> Result<(), String> {
        let path = format!("/{BUCKET}/readiness");
        background::block_on(async {
            self.send(Method::PUT, &path, &[], "ready?").await?;
            self.send(Method::DELETE, &path, &[], "").await.map(drop)
        })
    }

    /// Makes the bucket; one that is there already is left as it is.
    ///
    /// # Errors
    /// As [`Self::takes_an_object`].
    pub(crate) fn make_bucket(&self) -> Result<(), String> {
        let path = format!("/{BUCKET}");
        background::block_on(self.send(Method::PUT, &path, &[], "")).map(drop)
    }
}

#[tokio::test]
async fn a_killed_server_refuses_connections_and_leaves_nothing_on_disk() {
    let mut server = SeaweedFs::start();
    server.root("").put("object", "bytes").await;
    let folder = server.process.folder().to_owned();
    let left = sockets(server.claim.ports);
    assert!(folder.join("log").exists());
    server.kill();
    assert!(!folder.exists());
    assert_eq!(
        left.iter()
            .filter(|socket| std::path::Path::new(socket).exists())
            .count(),
        0
    );
    let port = server.claim.ports[3];
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}
