//! Reports for programs: the `--json` documents.
