//! `rclone serve s3`, which is how everything that is no object store is reached.

use std::collections::BTreeMap;

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
use crate::support::servers::seaweedfs::BUCKET;
use crate::support::servers::seaweedfs::S3Access;
use crate::support::servers::shared::Shared;

/// One server over a folder, in which buckets are folders.
#[derive(Debug)]
pub(crate) struct RcloneS3 {
    _process: Process,
    options: BTreeMap<String, String>,
    view: View,
    _claim: Claim<1>,
}

impl RcloneS3 {
    /// The one of this test process.
    pub(crate) fn shared() -> &'static Self {
        static SERVER: Shared<RcloneS3> = Shared::new();
        SERVER.get(|| process::several_tries(Self::try_start))
    }

    fn try_start() -> Result<Self, NotStarted> {
        let claim = ports::claim::<1>();
        let address = format!("127.0.0.1:{}", claim.ports[0]);
        let access = S3Access {
            endpoint: format!("http://{address}"),
            key_id: "testkey",
            secret: "testsecret",
        };
        let folder = process::folder("rclone");
        let served = folder.join("served");
        std::fs::create_dir_all(served.join(BUCKET)).unwrap();
        let launch = Launch {
            program: PythonTools::get().program("rclone"),
            arguments: [
                "serve",
                "s3",
                "--config=/dev/null",
                "--addr",
                &address,
                "--auth-key",
                &format!("{},{}", access.key_id, access.secret),
                served.to_str().unwrap(),
            ]
            .map(str::to_owned)
            .to_vec(),
            environment: Vec::new(),
            left_elsewhere: Vec::new(),
        };
        let service = access.service();
        let process = Process::start("rclone", folder, &launch, || service.takes_an_object())?;
        Ok(Self {
            _process: process,
            options: access.options(),
            view: access.view(Uploads::Unlisted),
            _claim: claim,
        })
    }

    /// A prefix of its bucket.
    pub(crate) fn root(&self, prefix: &str) -> Root {
        Root::in_bucket(self.view.clone(), self.options.clone(), prefix)
    }
}
