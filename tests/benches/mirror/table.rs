//! Results as a table, and what they mean for the bounds.

use comfy_table::CellAlignment;
use comfy_table::Table;
use comfy_table::presets;

use crate::measure::Sample;
use crate::measure::median;
use crate::say;

/// Everything that was measured of one contender.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) samples: Vec<Sample>,
}

impl Row {
    /// The median wall time in seconds.
    pub(crate) fn wall(&self) -> f64 {
        median(self.samples.iter().map(|sample| sample.wall))
    }

    /// The median CPU time in seconds.
    pub(crate) fn cpu(&self) -> f64 {
        median(self.samples.iter().map(|sample| sample.cpu))
    }

    /// The median CPU time of the store, in seconds.
    pub(crate) fn store_cpu(&self) -> f64 {
        median(self.samples.iter().map(|sample| sample.store_cpu))
    }

    /// The median CPU time of this process meanwhile, in seconds.
    pub(crate) fn served_cpu(&self) -> f64 {
        median(self.samples.iter().map(|sample| sample.served_cpu))
    }

    /// The median of the wall times that the processors would allow, in seconds.
    pub(crate) fn least_wall(&self) -> f64 {
        median(self.samples.iter().map(Sample::least_wall))
    }

    /// The largest peak seen, in MiB.
    pub(crate) fn peak_mib(&self) -> f64 {
        let peaks = self.samples.iter().map(|sample| sample.peak_kib);
        peaks.fold(0.0, f64::max) / 1024.0
    }
}

/// The rows of one group.
#[derive(Debug)]
pub(crate) struct Rows(pub(crate) Vec<Row>);

impl Rows {
    /// The row of that name, unless it was left out.
    pub(crate) fn get(&self, name: &str) -> Option<&Row> {
        self.0.iter().find(|row| row.name == name)
    }

    /// The wall time of that row.
    pub(crate) fn wall(&self, name: &str) -> Option<f64> {
        self.get(name).map(Row::wall)
    }

    /// Prints them; the last column is wall time beside `reference`.
    pub(crate) fn print(&self, title: &str, reference: Option<(&str, f64)>) {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        let beside = reference.map_or_else(String::new, |(name, _)| format!("÷ {name}"));
        table.set_header([
            "",
            "wall s",
            "from – to",
            "CPU s",
            "store's CPU s",
            "bench's CPU s",
            "all CPU ÷ cores",
            "peak MiB",
            &beside,
        ]);
        for row in &self.0 {
            let walls = || row.samples.iter().map(|sample| sample.wall);
            let ratio = reference.map(|(_, wall)| format!("{:.2}", row.wall() / wall));
            let unless_zero = |figure: f64, digits: usize| {
                if figure > 0.0 {
                    format!("{figure:.digits$}")
                } else {
                    "–".to_owned()
                }
            };
            table.add_row([
                row.name.clone(),
                format!("{:.2}", row.wall()),
                format!(
                    "{:.2} – {:.2}",
                    walls().fold(f64::INFINITY, f64::min),
                    walls().fold(0.0, f64::max)
                ),
                format!("{:.2}", row.cpu()),
                unless_zero(row.store_cpu(), 2),
                unless_zero(row.served_cpu(), 2),
                format!("{:.2}", row.least_wall()),
                unless_zero(row.peak_mib(), 0),
                ratio.unwrap_or_default(),
            ]);
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        say(&format!("\n## {title}\n\n{table}\n"));
    }
}

/// Says how a figure stands to its bound; nothing when a figure is missing.
pub(crate) fn bound(what: &str, figure: Option<f64>, at_most: f64, unit: &str) {
    let Some(figure) = figure.filter(|figure| figure.is_finite()) else {
        say(&format!("- {what}: not measured"));
        return;
    };
    let verdict = if figure <= at_most { "met" } else { "MISSED" };
    say(&format!(
        "- {what}: {figure:.2}{unit}, bound {at_most}{unit}: {verdict}"
    ));
}

/// The quotient, where there are both.
pub(crate) fn ratio(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    Some(one? / other?)
}
