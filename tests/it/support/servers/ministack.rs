//! ministack, the second S3 server: strict about regions, part numbers and known keys, blind to secrets.

use std::collections::BTreeMap;
use std::sync::Arc;

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
use crate::support::servers::seaweedfs::S3Access;
use crate::support::servers::shared::Shared;
use crate::support::servers::signed::Service;

/// One server with an empty bucket, in memory.
#[derive(Debug)]
pub(crate) struct Ministack {
    _process: Process,
    options: BTreeMap<String, String>,
    view: View,
    _claim: Claim<1>,
}

impl Ministack {
    /// The one of this test process.
    pub(crate) fn shared() -> &'static Self {
        static SERVER: Shared<Ministack> = Shared::new();
        SERVER.get(|| process::several_tries(Self::try_start))
    }

    fn try_start() -> Result<Self, NotStarted> {
        let claim = ports::claim::<1>();
        let access = S3Access {
            endpoint: format!("http://127.0.0.1:{}", claim.ports[0]),
            key_id: "test",
            secret: "test",
        };
        let service = access.service();
        let process = start_process("ministack", claim.ports[0], Keys::Checked, &service)?;
        Ok(Self {
            _process: process,
            options: access.options(),
            view: access.view(Uploads::Listed(service)),
            _claim: claim,
        })
    }

    /// A prefix of its bucket.
    pub(crate) fn root(&self, prefix: &str) -> Root {
        Root::in_bucket(self.view.clone(), self.options.clone(), prefix)
    }
}

/// Whether ministack asks who is there.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Keys {
    /// Unknown keys are refused.
    Checked,
    /// Unsigned requests are served.
    Ignored,
}

/// Starts the process, and makes the bucket with requests of `service`.
///
/// # Errors
/// What it wrote, when it does not serve.
pub(crate) fn start_process(
    name: &'static str,
    port: u16,
    keys: Keys,
    service: &Arc<Service>,
) -> Result<Process, NotStarted> {
    let checked = match keys {
        Keys::Checked => "true",
        Keys::Ignored => "false",
    };
    let mut environment = vec![(
        "PYTHONPATH",
        PythonTools::get().modules().to_str().unwrap().to_owned(),
    )];
    environment.extend(
        [
            ("GATEWAY_PORT", port.to_string().as_str()),
            ("BIND_HOST", "127.0.0.1"),
            ("SERVICES", "s3"),
            ("S3_PERSIST", "0"),
            ("IOT_MTLS_ENABLED", "0"),
            ("SFTP_ENABLED", "0"),
            ("AUTH", checked),
        ]
        .map(|(name, value)| (name, value.to_owned())),
    );
    let launch = Launch {
        program: "python3".into(),
        arguments: vec!["-m".to_owned(), "ministack".to_owned()],
        environment,
        left_elsewhere: Vec::new(),
    };
    Process::start(name, process::folder(name), &launch, || {
        service.make_bucket()?;
        service.takes_an_object()
    })
}
