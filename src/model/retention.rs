//! How long copies are kept, per server at one destination (design section 8).

use jiff::SpanFieldwise;

/// What `keep` of a destination asks for, in restic's meaning; a rule that is absent keeps nothing by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeepPolicy {
    /// The newest so many.
    pub last: Option<u32>,
    /// The newest of each of so many hours that have one.
    pub hourly: Option<u32>,
    /// The newest of each of so many days that have one.
    pub daily: Option<u32>,
    /// The newest of each of so many weeks that have one.
    pub weekly: Option<u32>,
    /// The newest of each of so many months that have one.
    pub monthly: Option<u32>,
    /// The newest of each of so many years that have one.
    pub yearly: Option<u32>,
    /// All that are younger than this.
    pub within: Option<SpanFieldwise>,
}
