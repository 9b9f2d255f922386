//! A store at a public https address: a folder's files, behind a proxy that answers for every name.
//!
//! No name is looked up. A destination that is told the proxy reaches it, and the fake node does not.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use crate::support::servers::ports;
use crate::support::servers::ports::Claim;
use crate::support::servers::process;
use crate::support::servers::process::Launch;
use crate::support::servers::process::NotStarted;
use crate::support::servers::process::Process;

/// Answers `CONNECT` itself, whatever the name, and goes on in TLS.
const SERVER: &str = r#"
import ssl, sys
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain("cert", "private")

class Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_CONNECT(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        self.connection = self.request = tls.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb", -1)
        self.wfile = self.connection.makefile("wb", 0)
        self.close_connection = False

    def log_message(self, *words):
        pass

handler = lambda *a: Handler(*a, directory="served")
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), handler).serve_forever()
"#;

/// One store.
#[derive(Debug)]
pub(crate) struct PublicStore {
    _process: Process,
    port: u16,
    _claim: Claim<1>,
}

impl PublicStore {
    /// Serves what is in `folder` as `s3://bkt/panel`.
    pub(crate) fn start(folder: &Path) -> Self {
        process::several_tries(|| Self::try_start(folder)).unwrap()
    }

    fn try_start(served: &Path) -> Result<Self, NotStarted> {
        let claim = ports::claim::<1>();
        let [port] = claim.ports;
        let folder = process::folder("public");
        let made = Command::new("openssl")
            .args([
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            ])
            .args(["-subj", "/CN=s3.example.com"])
            .args(["-addext", "subjectAltName=DNS:s3.example.com"])
            .args(["-keyout", "private", "-out", "cert"])
            .current_dir(&folder)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        fs::create_dir_all(folder.join("served/bkt")).unwrap();
        symlink(served, folder.join("served/bkt/panel")).unwrap();
        let launch = Launch {
            program: PathBuf::from("python3"),
            arguments: vec!["-c".to_owned(), SERVER.to_owned(), port.to_string()],
            environment: Vec::new(),
            left_elsewhere: Vec::new(),
        };
        let process = Process::start("public", folder, &launch, || {
            let reached = TcpStream::connect(("127.0.0.1", port));
            reached.map(drop).map_err(|error| error.to_string())
        })?;
        Ok(Self {
            _process: process,
            port,
            _claim: claim,
        })
    }

    /// What a destination at `s3://bkt/panel` is told.
    pub(crate) fn options(&self) -> Vec<(&'static str, String)> {
        vec![
            ("endpoint", "https://s3.example.com".to_owned()),
            ("region", "eu-central-1".to_owned()),
            ("access_key_id", "AKIASENTINEL".to_owned()),
            ("secret_access_key", "sentinel-sentinel".to_owned()),
            ("proxy_url", format!("http://127.0.0.1:{}", self.port)),
            ("allow_invalid_certificates", "true".to_owned()),
        ]
    }
}
