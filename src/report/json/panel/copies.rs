//! What stands at destinations, in documents of the `panel` commands.

use serde::Serialize;

use crate::model::ids::DestinationName;
use crate::report::panel::copies::CopySeen;

/// One destination.
#[derive(Serialize)]
pub(super) struct Copy<'a> {
    destination: &'a DestinationName,
    found: &'static str,
    why: Option<&'a str>,
}

impl<'a> Copy<'a> {
    /// It in a document.
    pub(super) fn of(copy: &'a CopySeen) -> Self {
        Self {
            destination: &copy.destination,
            found: copy.found.as_str(),
            why: copy.found.why_not(),
        }
    }
}
