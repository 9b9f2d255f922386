//! Where archives lie: the node's download port and the panel's S3 disk.

use nestegg::model::ids::BackupId;
use uuid::Uuid;

use super::fault::Call;
use super::fault::Fault;
use super::log::Request;
use super::log::Site;
use super::reply::Reply;
use super::state::Life;
use super::state::State;
use super::token;
use super::words;

/// The secret that a request to the node or the S3 disk shows.
fn shown_secret(request: &Request) -> Option<&str> {
    request
        .query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find_map(|(name, value)| matches!(name, "token" | "X-Amz-Signature").then_some(value))
}

impl State {
    /// The download that a request to a disk is, for faults and actions; `None` for one that would be refused anyway.
    pub(super) fn download(&self, request: &Request) -> Option<Call> {
        if request.method != "GET" {
            return None;
        }
        let link = self.links.get(shown_secret(request)?)?;
        let is_usable = match request.site {
            Site::Node => link.life == Life::Fresh,
            Site::S3 | Site::Panel => true,
        };
        (is_usable && !self.is_expired(link)).then_some(Call::Download(link.backup))
    }

    /// The node's answer: one use a token, no ranges, no `HEAD` (`panel-contract.md` section 4).
    pub(super) fn answer_node(&mut self, request: &Request, fault: Option<&Fault>) -> Reply {
        let request_id = Uuid::new_v4().to_string();
        if request.path == "/upload/file" {
            let reply = fault
                .and_then(|fault| self.instead(fault, Site::Node))
                .unwrap_or_else(|| self.take_upload(request));
            return words::from_node(reply, &self.panel_url, &request_id);
        }
        let reply = self.node_reply(request, fault, &request_id);
        words::from_node(reply, &self.panel_url, &request_id)
    }

    fn node_reply(&mut self, request: &Request, fault: Option<&Fault>, request_id: &str) -> Reply {
        if request.method != "GET" || request.path != "/download/backup" {
            return words::node_no_route();
        }
        let key = self.signing_key.clone();
        let Some(token) =
            shown_secret(request).filter(|token| token::is_signed(key.as_bytes(), token))
        else {
            return words::node_unexpected(request_id);
        };
        let Some(link) = self.links.get(token) else {
            return words::node_resource_missing();
        };
        if self.is_expired(link) {
            return words::node_unexpected(request_id);
        }
        if link.life == Life::Used {
            return words::node_resource_missing();
        }
        let backup = link.backup;
        if let Some(link) = self.links.get_mut(token) {
            link.life = Life::Used;
        }
        match fault {
            Some(Fault::ResourceMissing) => return words::node_resource_missing(),
            Some(Fault::BackupMissing) => return words::node_backup_missing(),
            Some(Fault::Expired | Fault::ServerError) => {
                return words::node_unexpected(request_id);
            }
            Some(fault) => {
                if let Some(reply) = self.instead(fault, Site::Node) {
                    return reply;
                }
            }
            None => {}
        }
        match self.backup(backup).and_then(|row| row.archive.clone()) {
            None => words::node_backup_missing(),
            Some(archive) => {
                let bytes = archive.len();
                Reply::archive(200, archive, 0, bytes)
                    .header("content-type", "application/octet-stream")
                    .header(
                        "content-disposition",
                        format!("attachment; filename=\"{backup}.tar.gz\""),
                    )
            }
        }
    }

    /// The bucket's answer to a presigned URL: many uses, ranges, conditions; signed for `GET` alone.
    pub(super) fn answer_s3(&mut self, request: &Request, fault: Option<&Fault>) -> Reply {
        let path = request.path.as_str();
        let refuse = |status, code, message| words::s3_error(status, code, message, path);
        let no_such_key = || refuse(404, "NoSuchKey", "The specified key does not exist.");
        let expired = || refuse(403, "AccessDenied", "Request has expired");
        if request.header("authorization").is_some() {
            return refuse(
                400,
                "InvalidArgument",
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, \
                 Signature query string parameter or the Authorization header should be specified",
            );
        }
        let link = shown_secret(request).and_then(|secret| self.links.get(secret));
        let Some(link) = link.filter(|_link| request.method == "GET") else {
            return refuse(
                403,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. \
                 Check your key and signing method.",
            );
        };
        if self.is_expired(link) {
            return expired();
        }
        match fault {
            Some(Fault::ResourceMissing | Fault::BackupMissing) => return no_such_key(),
            Some(Fault::Expired) => return expired(),
            Some(Fault::ServerError) => {
                return refuse(500, "InternalError", "We encountered an internal error.");
            }
            Some(fault) => {
                if let Some(reply) = self.instead(fault, Site::S3) {
                    return reply;
                }
            }
            None => {}
        }
        self.s3_object(link.backup, request)
            .unwrap_or_else(no_such_key)
    }

    fn s3_object(&self, backup: BackupId, request: &Request) -> Option<Reply> {
        let archive = self.backup(backup)?.archive.clone()?;
        let tag: String = archive.sha256().chars().take(32).collect();
        // Of a multipart upload, so it is no digest of anything.
        let etag = format!("\"{tag}-1\"");
        if request
            .header("if-match")
            .is_some_and(|wanted| wanted != etag && wanted != "*")
        {
            return Some(words::s3_error(
                412,
                "PreconditionFailed",
                "At least one of the pre-conditions you specified did not hold",
                &request.path,
            ));
        }
        let bytes = archive.len();
        let reply = match request.header("range").map(|range| range_of(range, bytes)) {
            None | Some(Range::Whole) => Reply::archive(200, archive, 0, bytes),
            Some(Range::Part { from, to }) => Reply::archive(206, archive, from, to)
                .header("content-range", format!("bytes {from}-{}/{bytes}", to - 1)),
            Some(Range::Outside) => {
                return Some(
                    words::s3_error(
                        416,
                        "InvalidRange",
                        "The requested range is not satisfiable",
                        &request.path,
                    )
                    .header("content-range", format!("bytes */{bytes}")),
                );
            }
        };
        Some(
            reply
                .header("content-type", "application/x-gzip")
                .header("accept-ranges", "bytes")
                .header("etag", etag),
        )
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Range {
    /// No range that this server understands: everything.
    Whole,
    Part {
        from: u64,
        to: u64,
    },
    Outside,
}

fn range_of(text: &str, bytes: u64) -> Range {
    let Some((from, to)) = text
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'))
    else {
        return Range::Whole;
    };
    let (from, to) = match (from.parse::<u64>(), to.parse::<u64>()) {
        (Ok(from), Ok(last)) => (from, last.saturating_add(1).min(bytes)),
        (Ok(from), Err(_open)) if to.is_empty() => (from, bytes),
        (Err(_suffix), Ok(last)) if from.is_empty() => (bytes.saturating_sub(last), bytes),
        (Ok(_) | Err(_), Ok(_) | Err(_)) => return Range::Whole,
    };
    if from < to {
        Range::Part { from, to }
    } else {
        Range::Outside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_an_s3_server_reads_them() {
        for (text, expected) in [
            ("bytes=0-0", Range::Part { from: 0, to: 1 }),
            ("bytes=4-", Range::Part { from: 4, to: 10 }),
            ("bytes=4-99", Range::Part { from: 4, to: 10 }),
            ("bytes=-3", Range::Part { from: 7, to: 10 }),
            ("bytes=10-", Range::Outside),
            ("lines=1-2", Range::Whole),
        ] {
            assert_eq!(range_of(text, 10), expected, "{text}");
        }
    }
}
