//! What is answered in place of the truth.

use super::fault::Fault;
use super::log::Request;
use super::log::Site;
use super::refusal::Format;
use super::refusal::Refusal;
use super::reply::Reply;
use super::state::State;
use super::words;

impl State {
    /// What is answered instead of the truth; `None` for faults that only spoil the body.
    pub(super) fn api_instead(&self, fault: &Fault, request: &Request) -> Option<Reply> {
        let in_words = |refusal: Refusal| {
            let format = Format::wanted(request.header("accept"));
            refusal.reply(self.dialect, format, &self.panel_url)
        };
        Some(match fault {
            Fault::ResourceMissing | Fault::BackupMissing => in_words(Refusal::unknown()),
            Fault::Expired | Fault::ServerError => in_words(Refusal::query()),
            Fault::Unavailable => in_words(Refusal::maintenance()),
            Fault::TooManyRequests { .. }
            | Fault::Html
            | Fault::Redirect
            | Fault::BadGateway
            | Fault::Garbage
            | Fault::Says(_)
            | Fault::Refusal { .. }
            | Fault::Closed
            | Fault::Silent
            | Fault::SilentAfter
            | Fault::ClosedAfter
            | Fault::FlipByte { .. }
            | Fault::ShortenTo { .. }
            | Fault::CutAfter { .. }
            | Fault::Lengthen { .. }
            | Fault::StallAfter { .. }
            | Fault::HoldAfter { .. }
            | Fault::NoLength
            | Fault::Drip { .. }
            | Fault::All(_) => return self.instead(fault, Site::Panel),
        })
    }

    /// The replacements that sound the same everywhere.
    pub(super) fn instead(&self, fault: &Fault, site: Site) -> Option<Reply> {
        match fault {
            Fault::TooManyRequests { retry_after_s } => {
                Some(words::throttled(site, *retry_after_s))
            }
            Fault::Html => Some(words::page(200, "Just a moment...")),
            Fault::Redirect => Some(words::login_redirect(&self.panel_url)),
            Fault::BadGateway => Some(words::bad_gateway()),
            Fault::Unavailable => Some(words::page(503, "Service Unavailable")),
            Fault::Garbage => Some(Reply::new(200, "application/json", "{\"object\":\"li}][")),
            Fault::Says(json) => Some(Reply::new(200, "application/json", json.clone())),
            Fault::Refusal {
                status,
                code,
                detail,
            } => Some(Refusal::new(*status, code.clone(), detail.clone()).reply(
                self.dialect,
                Format::Json,
                &self.panel_url,
            )),
            Fault::Closed => Some(Reply::closed()),
            Fault::Silent => Some(Reply::silent()),
            Fault::FlipByte { .. }
            | Fault::ShortenTo { .. }
            | Fault::CutAfter { .. }
            | Fault::Lengthen { .. }
            | Fault::StallAfter { .. }
            | Fault::HoldAfter { .. }
            | Fault::NoLength
            | Fault::Drip { .. }
            | Fault::All(_)
            | Fault::SilentAfter
            | Fault::ClosedAfter
            | Fault::ResourceMissing
            | Fault::BackupMissing
            | Fault::Expired
            | Fault::ServerError => None,
        }
    }
}
