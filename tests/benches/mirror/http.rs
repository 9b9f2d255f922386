//! As much of an HTTP/1.1 server as the bench needs: a thread a connection, nothing buffered twice.

use std::collections::BTreeMap;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write as _;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;

/// What is read from a connection at once.
const READ_BYTES: usize = 256 << 10;

/// The head of a request, its names in lower case.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: BTreeMap<String, String>,
}

impl Request {
    /// Reads one; `None` when the peer has hung up instead.
    fn read(connection: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut line = String::new();
        if connection.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let mut words = line.split_whitespace();
        let method = words.next().unwrap_or_default().to_owned();
        let target = words.next().unwrap_or_default().to_owned();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            connection.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        Ok(Some(Self {
            method,
            path: path.to_owned(),
            query: query
                .split('&')
                .filter(|pair| !pair.is_empty())
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            headers,
        }))
    }

    /// The number that a header or a parameter holds.
    fn number(text: Option<&String>) -> Option<u64> {
        text?.parse().ok()
    }

    /// How long its body is on the wire.
    fn body_bytes(&self) -> u64 {
        Self::number(self.headers.get("content-length")).unwrap_or(0)
    }

    /// A parameter of the query as a number.
    pub(crate) fn parameter(&self, name: &str) -> Option<u64> {
        Self::number(self.query.get(name))
    }

    /// How long what the body carries is: less than the body where it is sent in signed chunks.
    pub(crate) fn payload_bytes(&self) -> u64 {
        Self::number(self.headers.get("x-amz-decoded-content-length"))
            .unwrap_or_else(|| self.body_bytes())
    }
}

/// What is answered.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Body,
}

/// The body of an answer.
#[derive(Debug)]
pub(crate) enum Body {
    Text(String),
    /// None is sent, and a length is said: the answer to a HEAD.
    Length(u64),
    Archive(crate::archive::Archive),
}

impl Reply {
    /// An answer with a text.
    pub(crate) fn text(status: &'static str, content_type: &str, text: String) -> Self {
        Self {
            status,
            headers: vec![("content-type", content_type.to_owned())],
            body: Body::Text(text),
        }
    }

    fn send(&self, mut connection: &TcpStream) -> io::Result<()> {
        let body_bytes = match &self.body {
            Body::Text(text) => text.len().to_string(),
            Body::Length(bytes) => bytes.to_string(),
            Body::Archive(archive) => archive.bytes.to_string(),
        };
        let mut head = format!(
            "HTTP/1.1 {}\r\ncontent-length: {body_bytes}\r\n",
            self.status
        );
        for (name, value) in &self.headers {
            head.extend([*name, ": ", value.as_str(), "\r\n"]);
        }
        head.push_str("\r\n");
        if let Body::Text(text) = &self.body {
            head.push_str(text);
        }
        connection.write_all(head.as_bytes())?;
        match &self.body {
            Body::Text(_) | Body::Length(_) => Ok(()),
            Body::Archive(archive) => archive.send(connection),
        }
    }
}

/// Something that answers requests. Bodies of requests are read and thrown away beforehand.
pub(crate) trait Service: Send + Sync + 'static {
    /// The answer.
    fn answer(&self, request: &Request) -> Reply;
}

/// Serves on a free port of loopback until the process ends.
pub(crate) fn serve<S: Service>(service: Arc<S>) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let service = Arc::clone(&service);
            thread::spawn(move || {
                if let Err(error) = talk(&connection, &*service) {
                    tracing::debug!("a connection ended: {error}");
                }
            });
        }
    });
    Ok(address)
}

fn talk(connection: &TcpStream, service: &impl Service) -> io::Result<()> {
    connection.set_nodelay(true)?;
    let mut reader = BufReader::with_capacity(READ_BYTES, connection);
    let mut scratch = vec![0; READ_BYTES];
    while let Some(request) = Request::read(&mut reader)? {
        if request
            .headers
            .get("expect")
            .is_some_and(|expected| expected.eq_ignore_ascii_case("100-continue"))
        {
            let mut writer = connection;
            writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        if request.headers.contains_key("transfer-encoding") {
            return Err(io::Error::other(
                "bodies without a length are not understood",
            ));
        }
        let mut body = (&mut reader).take(request.body_bytes());
        while body.read(&mut scratch)? > 0 {}
        service.answer(&request).send(connection)?;
    }
    Ok(())
}
