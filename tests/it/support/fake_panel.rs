//! A panel and its node over real HTTP.
