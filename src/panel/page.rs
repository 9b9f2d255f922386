//! Paging that trusts neither `links.next` nor the order of rows.
//!
//! A panel's lists have no order, and a deletion between two page reads hides a row while a
//! rotation does so without changing `total` (`panel-contract.md` section 3). So a list of one page
//! is believed when its rows are as many as `total`, and one of several pages when two readings in a
//! row agree.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::panel::call::Call;
use crate::panel::error::Error;

/// A list is read at most this often before it counts as shifting.
const READINGS: u32 = 4;
/// No list has more pages than this.
pub(super) const MOST_PAGES: u64 = 1000;
/// All pages of one reading together are at most this long.
const MOST_BYTES: usize = 256 * 1024 * 1024;

/// Whether absence from a listing means anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListingTrust {
    /// `total` stood still and every row was seen.
    Whole,
    /// Rows moved while they were read, or the panel does not say how many there are.
    Shifting,
}

/// A row that makes no sense: a hostile uuid, a missing date.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnreadableRow {
    /// Its uuid as sent, made safe to print; `(no uuid)` where there is none.
    pub id: String,
    /// Why it could not be read, in plain words.
    pub why: String,
}

/// What a page says about the whole list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pagination {
    pub(super) total: u64,
    /// Backups that take a slot (`meta.backup_count`), where the list is of backups.
    pub(super) counted: Option<u64>,
    pub(super) per_page: Option<u64>,
    pub(super) total_pages: u64,
}

impl Pagination {
    /// The last page, by whichever of its numbers says more.
    fn last_page(&self) -> u64 {
        let by_total = self
            .per_page
            .filter(|per_page| *per_page > 0)
            .map_or(1, |per_page| self.total.div_ceil(per_page));
        self.total_pages.max(by_total)
    }
}

/// One row.
#[derive(Debug)]
pub(super) enum Row<T> {
    Read { uuid: String, value: T },
    Unreadable(UnreadableRow),
}

/// One page.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub(super) rows: Vec<Row<T>>,
    pub(super) pagination: Option<Pagination>,
    pub(super) body_bytes: usize,
}

/// A whole list, each row once, in the panel's order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listing<T> {
    pub(super) rows: Vec<T>,
    pub(super) unreadable: Vec<UnreadableRow>,
    pub(super) counted: Option<u64>,
    pub(super) trust: ListingTrust,
}

/// Rows by uuid, with the order in which they were first seen.
#[derive(Debug)]
struct Seen<T> {
    order: Vec<String>,
    rows: BTreeMap<String, T>,
    unreadable: BTreeSet<UnreadableRow>,
}

impl<T> Seen<T> {
    const fn nothing() -> Self {
        Self {
            order: Vec::new(),
            rows: BTreeMap::new(),
            unreadable: BTreeSet::new(),
        }
    }

    /// The latest value of a row counts. Says whether the row is new.
    fn add(&mut self, row: Row<T>) -> bool {
        match row {
            Row::Read { uuid, value } => {
                let is_new = self.rows.insert(uuid.clone(), value).is_none();
                if is_new {
                    self.order.push(uuid);
                }
                is_new
            }
            Row::Unreadable(row) => self.unreadable.insert(row),
        }
    }

    fn count(&self) -> usize {
        self.rows.len() + self.unreadable.len()
    }

    fn same_ids(&self, other: &Self) -> bool {
        self.rows.keys().eq(other.rows.keys()) && self.unreadable == other.unreadable
    }

    fn into_listing(mut self, counted: Option<u64>, trust: ListingTrust) -> Listing<T> {
        Listing {
            rows: self
                .order
                .iter()
                .filter_map(|uuid| self.rows.remove(uuid))
                .collect(),
            unreadable: self.unreadable.into_iter().collect(),
            counted,
            trust,
        }
    }

    /// With what earlier readings saw and this one did not.
    fn completed_with(mut self, earlier: Self) -> Self {
        let Self {
            order,
            mut rows,
            unreadable,
        } = earlier;
        for uuid in order {
            if let Some(value) = rows.remove(&uuid)
                && !self.rows.contains_key(&uuid)
            {
                self.order.push(uuid.clone());
                self.rows.insert(uuid, value);
            }
        }
        self.unreadable.extend(unreadable);
        self
    }
}

/// One reading of all pages.
#[derive(Debug)]
struct Reading<T> {
    seen: Seen<T>,
    pages: u64,
    /// What the panel says; `None` where it says nothing.
    total: Option<u64>,
    /// The same, of slots taken.
    counted: Option<u64>,
    /// `total` was the same on every page.
    is_still: bool,
}

impl<T> Reading<T> {
    fn is_complete(&self) -> bool {
        let seen = u64::try_from(self.seen.count()).ok();
        self.is_still && self.total.is_some() && self.total == seen
    }
}

/// Reads a list to its end, again where it moved.
///
/// # Errors
/// What `fetch` says, [`Error::Endless`], or [`Error::TooLarge`] for all pages together.
pub(super) async fn walk<T, F, Fut>(call: &Call, fetch: F) -> Result<Listing<T>, Error>
where
    T: Send,
    F: Fn(u64) -> Fut + Send + Sync,
    Fut: Future<Output = Result<Page<T>, Error>> + Send,
{
    let mut older = Seen::nothing();
    let mut before: Option<Reading<T>> = None;
    for _ in 0..READINGS {
        let now = read_once(call, &fetch).await?;
        if now.total.is_none() {
            return Ok(now.seen.into_listing(now.counted, ListingTrust::Shifting));
        }
        if now.is_complete() && now.pages == 1 {
            return Ok(now.seen.into_listing(now.counted, ListingTrust::Whole));
        }
        if let Some(earlier) = before.take() {
            let agree = now.total == earlier.total && now.seen.same_ids(&earlier.seen);
            if agree && now.is_complete() && earlier.is_complete() {
                return Ok(now.seen.into_listing(now.counted, ListingTrust::Whole));
            }
            if agree && now.is_still && earlier.is_still {
                // The total is wrong and nothing moves: more readings won't help.
                return Ok(now.seen.into_listing(now.counted, ListingTrust::Shifting));
            }
            older = earlier.seen.completed_with(older);
        }
        before = Some(now);
    }
    let (last, counted) = before.map_or_else(
        || (Seen::nothing(), None),
        |reading| (reading.seen, reading.counted),
    );
    Ok(last
        .completed_with(older)
        .into_listing(counted, ListingTrust::Shifting))
}

async fn read_once<T, F, Fut>(call: &Call, fetch: &F) -> Result<Reading<T>, Error>
where
    T: Send,
    F: Fn(u64) -> Fut + Send + Sync,
    Fut: Future<Output = Result<Page<T>, Error>> + Send,
{
    let mut reading = Reading {
        seen: Seen::nothing(),
        pages: 0,
        total: None,
        counted: None,
        is_still: true,
    };
    let mut body_bytes = 0_usize;
    loop {
        let number = reading.pages + 1;
        if number > MOST_PAGES {
            return Err(Error::Endless {
                call: call.clone(),
                pages: number,
            });
        }
        let page = fetch(number).await?;
        reading.pages = number;
        body_bytes = body_bytes.saturating_add(page.body_bytes);
        if body_bytes > MOST_BYTES {
            return Err(Error::TooLarge {
                call: call.clone(),
                limit_bytes: MOST_BYTES,
            });
        }
        let total = page.pagination.map(|pagination| pagination.total);
        reading.is_still &= number == 1 || total == reading.total;
        reading.total = total;
        reading.counted = page.pagination.and_then(|pagination| pagination.counted);

        let mut is_news = false;
        for row in page.rows {
            is_news |= reading.seen.add(row);
        }
        let last = page.pagination.map(|pagination| pagination.last_page());
        if let Some(pages) = last.filter(|pages| *pages > MOST_PAGES) {
            return Err(Error::Endless {
                call: call.clone(),
                pages,
            });
        }
        // An empty page, or the same page again, is an end whatever the numbers say.
        if !is_news || last.is_some_and(|last| number >= last) {
            return Ok(reading);
        }
    }
}

#[cfg(test)]
mod tests;
