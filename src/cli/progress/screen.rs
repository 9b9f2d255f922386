//! The terminal that bars are drawn on.

use std::fmt::Write as _;
use std::io;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use indicatif::TermLike;

use crate::cli::progress::SharedWriter;

/// Columns assumed of a terminal that does not tell.
const USUAL_COLUMNS: u16 = 80;

/// A terminal behind a shared stream. What is drawn reaches it a frame at a time, and a
/// terminal that has gone away is drawn on in vain: a run goes on without an audience.
#[derive(Debug)]
pub(super) struct Screen {
    stream: SharedWriter,
    columns: fn() -> Option<u16>,
    frame: Mutex<String>,
}

impl Screen {
    pub(super) const fn on(stream: SharedWriter, columns: fn() -> Option<u16>) -> Self {
        Self {
            stream,
            columns,
            frame: Mutex::new(String::new()),
        }
    }

    fn frame(&self) -> MutexGuard<'_, String> {
        self.frame.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn move_cursor(&self, by: usize, direction: char) -> io::Result<()> {
        if by > 0 {
            write!(self.frame(), "\u{1b}[{by}{direction}").map_err(io::Error::other)?;
        }
        Ok(())
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        (self.columns)().unwrap_or(USUAL_COLUMNS)
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'D')
    }

    fn write_line(&self, s: &str) -> io::Result<()> {
        let mut frame = self.frame();
        frame.push_str(s);
        frame.push('\n');
        Ok(())
    }

    fn write_str(&self, s: &str) -> io::Result<()> {
        self.frame().push_str(s);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.frame().push_str("\r\u{1b}[2K");
        Ok(())
    }

    /// Always well: the bars' library panics on an error where it clears the screen. Nothing is
    /// logged either, since a log line would come back here while the bars are locked.
    fn flush(&self) -> io::Result<()> {
        let frame = std::mem::take(&mut *self.frame());
        self.stream
            .with(|stream| {
                stream.write_all(frame.as_bytes())?;
                stream.flush()
            })
            .or(Ok(()))
    }
}
