//! How text is laid out and coloured; colour never says what words do not.

use std::fmt;

use comfy_table::Attribute;
use comfy_table::Cell;
use comfy_table::CellAlignment;
use comfy_table::ColumnConstraint;
use comfy_table::ContentArrangement;
use comfy_table::Table;
use comfy_table::presets;

use crate::model::outcome::CopyState;
use crate::model::text::shown_name;

/// Whether colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// They are.
    On,
    /// No escape sequence is written at all.
    Off,
}

/// What the reader of the output sees it on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether colours are used.
    pub color: Color,
    /// The columns of a terminal; `None` when it is not one.
    pub width: Option<u16>,
}

/// How a word is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Good,
    Bad,
    Careful,
    Quiet,
}

impl Tone {
    pub(super) const fn of_state(state: CopyState) -> Self {
        match state {
            CopyState::Mirrored => Self::Good,
            CopyState::AlreadyHeld => Self::Quiet,
            CopyState::Failed => Self::Bad,
            CopyState::WouldMirror | CopyState::NotReached => Self::Careful,
        }
    }

    const fn escape(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Good => Some("\u{1b}[32m"),
            Self::Bad => Some("\u{1b}[1;31m"),
            Self::Careful => Some("\u{1b}[33m"),
            Self::Quiet => Some("\u{1b}[2m"),
        }
    }
}

impl Style {
    /// A piece of our own text in its tone.
    pub(super) fn paint(self, text: &str, tone: Tone) -> String {
        match (self.color, tone.escape()) {
            (Color::On, Some(escape)) => format!("{escape}{text}\u{1b}[0m"),
            (Color::On | Color::Off, _) => text.to_owned(),
        }
    }

    /// A table without lines, as wide as the terminal at most.
    pub(super) fn table<T: fmt::Display>(self, header: &[T]) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).force_no_tty();
        if self.color == Color::On {
            table.enforce_styling().style_text_only();
        }
        if let Some(width) = self.width {
            table
                .set_content_arrangement(ContentArrangement::Dynamic)
                .set_width(width.max(NARROWEST));
        }
        table.set_header(
            header
                .iter()
                .map(|title| Cell::new(title).add_attribute(Attribute::Bold)),
        );
        for column in table.column_iter_mut() {
            column.set_padding((0, GUTTER));
        }
        table
    }
}

/// Terminals said to be narrower than this are not believed.
const NARROWEST: u16 = 40;
/// Blanks between two columns.
const GUTTER: u16 = 2;
/// Names are cut to this many characters in tables and lines.
const NAME_CHARACTERS: usize = 40;

/// A foreign name, safe to print.
pub(super) fn name(foreign: &str) -> String {
    shown_name(foreign, NAME_CHARACTERS)
}

/// A cell of a table.
pub(super) fn cell(text: impl Into<String>, tone: Tone) -> Cell {
    let cell = Cell::new(text.into());
    match tone {
        Tone::Plain => cell,
        Tone::Good => cell.fg(comfy_table::Color::Green),
        Tone::Bad => cell
            .fg(comfy_table::Color::Red)
            .add_attribute(Attribute::Bold),
        Tone::Careful => cell.fg(comfy_table::Color::Yellow),
        Tone::Quiet => cell.add_attribute(Attribute::Dim),
    }
}

/// Numbers stand at the right of their columns.
pub(super) fn right(table: &mut Table, column: usize) {
    if let Some(column) = table.column_mut(column) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

/// A column whose content is not broken over lines as long as there is room.
pub(super) fn unbroken(table: &mut Table, column: usize) {
    if let Some(column) = table.column_mut(column) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
}
