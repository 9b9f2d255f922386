//! Pages of servers and of backups.

use nestegg::model::ids::ServerId;
use serde_json::Value;
use serde_json::json;
use uuid::Uuid;

use super::log::Request;
use super::objects;
use super::refusal::Refusal;
use super::reply::Reply;
use super::rows::Access;
use super::rows::Listing;
use super::rows::ServerRow;
use super::rows::Stage;
use super::state::Dialect;
use super::state::Role;
use super::state::State;
use super::words;

/// One parameter of a query.
pub(super) fn parameter<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find_map(|(known, value)| (known == name).then_some(value))
}

pub(super) fn page_number(query: &str) -> u64 {
    parameter(query, "page")
        .and_then(|page| page.parse().ok())
        .filter(|page| *page > 0)
        .unwrap_or(1)
}

impl State {
    pub(super) fn list_servers(&self, request: &Request) -> Result<Reply, Refusal> {
        let kind = parameter(&request.query, "type").unwrap_or_default();
        let is_listed = |row: &&ServerRow| match (kind, self.role) {
            ("admin-all", Role::Administrator) => true,
            ("admin", Role::Administrator) => row.access == Access::Stranger,
            ("admin-all" | "admin", Role::User) => false,
            ("owner", _) => row.access == Access::Owner,
            (_, _) => row.access != Access::Stranger,
        };
        let rows: Vec<&ServerRow> = self.servers.iter().filter(is_listed).collect();
        let per_page = per_page(&request.query, 50, 100).ok_or_else(Refusal::query)?;
        let page = Page::cut(&rows, per_page, page_number(&request.query));
        let data: Vec<Value> = page
            .rows
            .iter()
            .map(|row| objects::server(row, self.role, self.identifiers, &request.query))
            .collect();
        let kept: String = request
            .query
            .split('&')
            .filter(|pair| !pair.is_empty() && !pair.starts_with("page="))
            .fold(String::new(), |kept, pair| kept + pair + "&");
        let url = format!("{}/api/client?{kept}", self.panel_url);
        Ok(words::json_reply(&json!({
            "object": "list",
            "data": data,
            "meta": {"pagination": page.meta(&url)},
        })))
    }

    pub(super) fn list_backups(
        &mut self,
        server: ServerId,
        request: &Request,
    ) -> Result<Reply, Refusal> {
        let (usual, most) = match self.dialect {
            Dialect::Pterodactyl | Dialect::Pelican => (20, 50),
            Dialect::Documented => (25, 25),
        };
        let per_page = per_page(&request.query, usual, most).ok_or_else(Refusal::query)?;
        let number = page_number(&request.query);
        let listing = self.server(server).map(|row| row.listing);
        let (dialect, offset) = (self.dialect, self.offset);
        let mut unfailed = 0;
        let mut objects = Vec::new();
        for row in self.backups.iter_mut().filter(|row| row.server == server) {
            let row = row.read();
            unfailed += u64::from(row.stage != Stage::Failed);
            objects.push(objects::backup(row, dialect, offset));
        }
        let page = match listing.unwrap_or(Listing::Ordinary) {
            Listing::Ordinary => Page::cut(&objects, per_page, number),
            Listing::Repeating => Page {
                number,
                pages: number + 1,
                ..Page::cut(&objects, per_page, 1)
            },
            Listing::Endless => Page {
                rows: endless(objects.first(), per_page, number),
                total: per_page * (number + 1),
                rows_each: per_page,
                number,
                pages: number + 1,
            },
        };
        // The recorded trap: the next page's link forgets how long a page is.
        let path = request.path.trim_end_matches('/');
        let mut meta = json!({
            "pagination": page.meta(&format!("{}{path}?", self.panel_url)),
        });
        match self.dialect {
            Dialect::Pterodactyl | Dialect::Pelican => {
                if let Some(meta) = meta.as_object_mut() {
                    meta.insert("backup_count".to_owned(), json!(unfailed));
                }
            }
            Dialect::Documented => {
                if let Some(links) = meta.pointer_mut("/pagination/links") {
                    *links = json!({});
                }
            }
        }
        Ok(words::json_reply(&json!({
            "object": "list",
            "data": page.rows,
            "meta": meta,
        })))
    }
}

/// `per_page` as the panel reads it; `None` where its database balks.
fn per_page(query: &str, usual: u64, most: u64) -> Option<u64> {
    let Some(asked) = parameter(query, "per_page") else {
        return Some(usual);
    };
    match asked.parse::<i64>() {
        Ok(0) => Some(15.min(most)),
        Ok(asked) => u64::try_from(asked).ok().map(|asked| asked.min(most)),
        Err(_not_a_number) => Some(most),
    }
}

/// One page of a list.
pub(super) struct Page<T> {
    pub(super) rows: Vec<T>,
    total: u64,
    rows_each: u64,
    number: u64,
    pages: u64,
}

impl<T: Clone> Page<T> {
    pub(super) fn cut(all: &[T], per_page: u64, number: u64) -> Self {
        let skipped = usize::try_from(per_page.saturating_mul(number - 1)).unwrap_or(usize::MAX);
        let taken = usize::try_from(per_page).unwrap_or(usize::MAX);
        let total = all.len() as u64;
        Self {
            rows: all.iter().skip(skipped).take(taken).cloned().collect(),
            total,
            rows_each: per_page,
            number,
            pages: total.div_ceil(per_page).max(1),
        }
    }

    /// `url` ends where `page=` belongs.
    pub(super) fn meta(&self, url: &str) -> Value {
        let mut links = serde_json::Map::new();
        if self.number > 1 {
            links.insert(
                "previous".to_owned(),
                json!(format!("{url}page={}", self.number - 1)),
            );
        }
        if self.number < self.pages {
            links.insert(
                "next".to_owned(),
                json!(format!("{url}page={}", self.number + 1)),
            );
        }
        json!({
            "total": self.total,
            "count": self.rows.len(),
            "per_page": self.rows_each,
            "current_page": self.number,
            "total_pages": self.pages,
            "links": links,
        })
    }
}

/// Rows that were never seen before: copies of one under uuids made from page and place.
fn endless(pattern: Option<&Value>, per_page: u64, page: u64) -> Vec<Value> {
    let Some(pattern) = pattern else {
        return Vec::new();
    };
    (0..per_page)
        .map(|place| {
            let mut row = pattern.clone();
            if let Some(uuid) = row.pointer_mut("/attributes/uuid") {
                let number = 0xe9d1_e550_0000_4000_8000_0000_0000_0000_u128
                    + u128::from(page * per_page + place);
                *uuid = json!(Uuid::from_u128(number));
            }
            row
        })
        .collect()
}
