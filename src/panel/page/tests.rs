use std::sync::Mutex;

use super::*;

/// A panel whose rows change by script.
struct Scripted {
    rows: Mutex<Vec<String>>,
    per_page: usize,
    /// What happens right after the request of that number, counted from 1.
    after: fn(u64, &mut Vec<String>),
    /// Added to the true total.
    lie: u64,
    requests: Mutex<u64>,
}

fn names(range: std::ops::RangeInclusive<u32>) -> Vec<String> {
    range.map(|number| format!("{number:03}")).collect()
}

fn read(uuid: &str) -> Row<String> {
    Row::Read {
        uuid: uuid.to_owned(),
        value: uuid.to_owned(),
    }
}

impl Scripted {
    fn of(rows: Vec<String>, after: fn(u64, &mut Vec<String>)) -> Self {
        Self {
            rows: Mutex::new(rows),
            per_page: 5,
            after,
            lie: 0,
            requests: Mutex::new(0),
        }
    }

    fn page(&self, number: u64) -> Page<String> {
        let mut rows = self.rows.lock().unwrap();
        let mut requests = self.requests.lock().unwrap();
        let skipped = usize::try_from(number - 1).unwrap() * self.per_page;
        let total = u64::try_from(rows.len()).unwrap() + self.lie;
        let page = Page {
            rows: rows
                .iter()
                .skip(skipped)
                .take(self.per_page)
                .map(|uuid| read(uuid))
                .collect(),
            pagination: Some(Pagination {
                total,
                counted: None,
                per_page: Some(u64::try_from(self.per_page).unwrap()),
                total_pages: u64::try_from(rows.len().div_ceil(self.per_page).max(1)).unwrap(),
            }),
            body_bytes: 100,
        };
        *requests += 1;
        (self.after)(*requests, &mut rows);
        page
    }

    async fn walk(&self) -> (Listing<String>, u64) {
        let listing = walk(&Call::ListServers, |number| {
            let page = self.page(number);
            async move { Ok(page) }
        })
        .await
        .unwrap();
        (listing, *self.requests.lock().unwrap())
    }
}

fn whole(rows: Vec<String>) -> Listing<String> {
    Listing {
        rows,
        unreadable: Vec::new(),
        counted: None,
        trust: ListingTrust::Whole,
    }
}

#[tokio::test]
async fn one_page_takes_one_request() {
    for rows in [names(1..=5), Vec::new()] {
        let panel = Scripted::of(rows.clone(), |_, _| {});
        assert_eq!(panel.walk().await, (whole(rows), 1));
    }
}

#[tokio::test]
async fn several_pages_are_believed_when_two_readings_agree() {
    let panel = Scripted::of(names(1..=12), |_, _| {});
    assert_eq!(panel.walk().await, (whole(names(1..=12)), 6));
}

#[tokio::test]
async fn a_deletion_between_two_pages_hides_no_row() {
    let panel = Scripted::of(names(1..=12), |request, rows| {
        if request == 1 {
            rows.remove(0);
        }
    });
    let (listing, _) = panel.walk().await;
    assert_eq!(listing, whole(names(2..=12)));
}

#[tokio::test]
async fn a_rotation_that_leaves_the_total_alone_hides_no_row() {
    let panel = Scripted::of(names(1..=12), |request, rows| {
        if request == 1 {
            rows.remove(0);
            rows.push("013".to_owned());
        }
    });
    let (listing, _) = panel.walk().await;
    assert_eq!(listing, whole(names(2..=13)));
}

#[tokio::test]
async fn rows_in_another_order_on_every_page_are_found_or_the_list_is_not_trusted() {
    let panel = Scripted::of(names(1..=12), |_, rows| rows.rotate_left(3));
    let (listing, requests) = panel.walk().await;
    let mut rows = listing.rows;
    rows.sort();
    assert_eq!(
        (rows, listing.trust),
        (names(1..=12), ListingTrust::Shifting)
    );
    assert_eq!(requests, 12);
}

#[tokio::test]
async fn a_list_that_never_stands_still_gives_all_that_was_seen_after_four_readings() {
    let panel = Scripted::of(names(1..=6), |request, rows| {
        rows.remove(0);
        rows.push(format!("{:03}", request + 6));
    });
    let (listing, requests) = panel.walk().await;
    let latest_first = [7, 8, 9, 10, 11, 13, 5, 6, 3, 4, 1, 2].map(|row| format!("{row:03}"));
    let expected = Listing {
        trust: ListingTrust::Shifting,
        ..whole(latest_first.to_vec())
    };
    assert_eq!((listing, requests), (expected, 8));
}

#[tokio::test]
async fn a_total_that_is_always_wrong_is_not_asked_about_for_ever() {
    let panel = Scripted {
        lie: 1,
        ..Scripted::of(names(1..=3), |_, _| {})
    };
    let expected = Listing {
        trust: ListingTrust::Shifting,
        ..whole(names(1..=3))
    };
    assert_eq!(panel.walk().await, (expected, 2));
}

#[tokio::test]
async fn the_page_size_is_the_panels_choice() {
    let panel = Scripted {
        per_page: 2,
        ..Scripted::of(names(1..=5), |_, _| {})
    };
    assert_eq!(panel.walk().await.0, whole(names(1..=5)));
}

/// Walks over pages made from their number; how many were asked for.
async fn made(page: fn(u64) -> Page<String>) -> (Result<Listing<String>, String>, u64) {
    let requests = Mutex::new(0);
    let listing = walk(&Call::ListServers, |number| {
        *requests.lock().unwrap() += 1;
        let page = page(number);
        async move { Ok(page) }
    })
    .await;
    let requests = *requests.lock().unwrap();
    (listing.map_err(|error| error.to_string()), requests)
}

fn says(total: u64, total_pages: u64) -> Pagination {
    Pagination {
        total,
        counted: None,
        per_page: Some(1),
        total_pages,
    }
}

#[tokio::test]
async fn the_same_page_again_and_again_is_an_end() {
    let (listing, requests) = made(|_| Page {
        rows: vec![read("a")],
        pagination: Some(says(500, 500)),
        body_bytes: 1,
    })
    .await;
    assert_eq!((listing.unwrap().rows, requests), (vec!["a".to_owned()], 4));
}

#[tokio::test]
async fn a_billion_pages_are_refused_at_once() {
    for pagination in [says(1, 1_000_000_000), says(u64::MAX, 1)] {
        let page = Page {
            rows: vec![read("a")],
            pagination: Some(pagination),
            body_bytes: 1,
        };
        let pages = pagination.last_page();
        let page = Mutex::new(Some(page));
        let error = walk(&Call::ListServers, |_| {
            let page = page.lock().unwrap().take().unwrap();
            async move { Ok(page) }
        })
        .await
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("could not list the servers: the panel's list has {pages} pages or more")
        );
    }
}

#[tokio::test]
async fn pages_without_end_are_refused_in_the_end() {
    let (listing, requests) = made(|number| Page {
        rows: vec![read(&number.to_string())],
        pagination: None,
        body_bytes: 1,
    })
    .await;
    assert_eq!(
        listing.unwrap_err(),
        "could not list the servers: the panel's list has 1001 pages or more"
    );
    assert_eq!(requests, MOST_PAGES);
}

#[tokio::test]
async fn pages_beyond_all_size_are_refused() {
    let (listing, requests) = made(|number| Page {
        rows: vec![read(&number.to_string())],
        pagination: None,
        body_bytes: MOST_BYTES / 3,
    })
    .await;
    assert!(listing.unwrap_err().contains("is longer than"));
    assert_eq!(requests, 4);
}

#[tokio::test]
async fn a_panel_that_numbers_nothing_is_read_to_an_empty_page_and_not_trusted() {
    let (listing, requests) = made(|number| Page {
        rows: if number < 4 {
            vec![read(&number.to_string())]
        } else {
            Vec::new()
        },
        pagination: None,
        body_bytes: 1,
    })
    .await;
    let listing = listing.unwrap();
    assert_eq!(
        (listing.rows.len(), listing.trust, requests),
        (3, ListingTrust::Shifting, 4)
    );
}

#[tokio::test]
async fn unreadable_rows_count_as_seen_and_repeated_ones_as_one() {
    let (listing, requests) = made(|_| Page {
        rows: vec![
            Row::Unreadable(UnreadableRow {
                id: "x".to_owned(),
                why: "y".to_owned(),
            }),
            read("a"),
            Row::Unreadable(UnreadableRow {
                id: "x".to_owned(),
                why: "y".to_owned(),
            }),
            read("a"),
        ],
        pagination: Some(says(2, 1)),
        body_bytes: 1,
    })
    .await;
    let listing = listing.unwrap();
    assert_eq!(listing.rows, ["a"]);
    assert_eq!(listing.unreadable.len(), 1);
    assert_eq!((listing.trust, requests), (ListingTrust::Whole, 4));
}
