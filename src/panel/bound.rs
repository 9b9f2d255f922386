//! Bounds on what is kept of a panel's texts.
//!
//! A sidecar repeats them, and one of more than 4 MiB would not be read back. A panel's own columns hold
//! 64 KiB at most, so nothing of a real one is cut.

use serde::Serialize;
use serde_json::Value;

/// Free text, such as a description: as much as a panel's column holds.
const LONGEST_TEXT_BYTES: usize = 64 * 1024;
/// A name.
const LONGEST_NAME_BYTES: usize = 16 * 1024;
/// An object whose shape is not ours, as it is written.
const LARGEST_OBJECT_BYTES: usize = 16 * 1024;
/// The items of a list together, as they are written.
const LARGEST_LIST_BYTES: usize = 512 * 1024;
/// What is written around one item of a list.
const AROUND_AN_ITEM_BYTES: usize = 64;

/// Free text, cut with a final `…`.
pub(super) fn text(text: String) -> String {
    cut(text, LONGEST_TEXT_BYTES)
}

/// A name, cut with a final `…`.
pub(super) fn name(name: String) -> String {
    cut(name, LONGEST_NAME_BYTES)
}

fn cut(mut text: String, longest_bytes: usize) -> String {
    if text.len() > longest_bytes {
        text.truncate(text.floor_char_boundary(longest_bytes));
        text.push('…');
    }
    text
}

/// An object; null when it is too large.
pub(super) fn object(value: Value) -> Value {
    if written_bytes(&value) <= LARGEST_OBJECT_BYTES {
        value
    } else {
        Value::Null
    }
}

/// The items of a list that fit, the first before the others.
pub(super) fn list<T: Serialize>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut room = LARGEST_LIST_BYTES;
    items
        .into_iter()
        .filter(|item| {
            let left = room.checked_sub(written_bytes(item) + AROUND_AN_ITEM_BYTES);
            room = left.unwrap_or(room);
            left.is_some()
        })
        .collect()
}

/// How long something is in a sidecar, which is indented.
fn written_bytes(value: &impl Serialize) -> usize {
    serde_json::to_vec_pretty(value).map_or(usize::MAX / 2, |bytes| bytes.len())
}
