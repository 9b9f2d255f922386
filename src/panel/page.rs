//! Paging that trusts neither `links.next` nor the order of rows.
