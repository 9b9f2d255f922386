//! What was unpacked, moved into a directory that holds something already.

use std::os::fd::AsFd as _;
use std::os::fd::BorrowedFd;

use rustix::fs::FileType;

use crate::model::member::shown_member;
use crate::transfer::extract::Error;
use crate::transfer::extract::tree;

/// What is done with two directories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Merge {
    /// Only see whether it can be done.
    Look,
    /// Do it.
    Move,
}

/// Brings what is in `from` into `to`. Files replace files and links of the same name; a directory goes
/// into one of the same name, and never into what a link leads to.
pub(super) fn merge(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    way: &[u8],
    action: Merge,
) -> Result<(), Error> {
    for name in tree::names(from).map_err(Error::file("read", shown_member(way)))? {
        let name = name.as_bytes();
        let path: Vec<u8> = if way.is_empty() {
            name.to_vec()
        } else {
            [way, b"/", name].concat()
        };
        let failed = |action| Error::file(action, shown_member(&path));
        let in_the_way = |why| Error::InTheWay {
            path: shown_member(&path),
            why,
        };
        let Some(staged) = tree::look(from, name).map_err(failed("look at"))? else {
            continue;
        };
        let there = tree::look(to, name).map_err(failed("look at"))?;
        let there = there.as_ref().map(tree::kind_of);
        match (tree::kind_of(&staged), there) {
            (FileType::Directory, Some(FileType::Directory)) => {
                let inner_from = tree::open_directory(from, name).map_err(failed("open"))?;
                let inner_to = tree::open_directory(to, name).map_err(failed("open"))?;
                merge(inner_from.as_fd(), inner_to.as_fd(), &path, action)?;
            }
            (FileType::Directory, Some(FileType::Symlink)) => {
                return Err(in_the_way("a link is where it needs a directory"));
            }
            (FileType::Directory, Some(_)) => {
                return Err(in_the_way("a file is where it needs a directory"));
            }
            (_, Some(FileType::Directory)) => {
                return Err(in_the_way("a directory is where this file goes"));
            }
            (_, _) => match action {
                Merge::Look => {}
                Merge::Move => {
                    rustix::fs::renameat(from, name, to, name).map_err(failed("put in place"))?;
                }
            },
        }
    }
    Ok(())
}
