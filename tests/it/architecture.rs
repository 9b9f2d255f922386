//! Who may import whom, as data: data flows one way and so do imports.

use std::fs;
use std::iter;
use std::path::Path;
use std::path::PathBuf;

/// Each module, and the modules it may use besides itself.
const MAY_USE: [(&str, &[&str]); 13] = [
    ("model", &[]),
    ("config", &["model"]),
    ("env", &[]),
    ("plan", &["model"]),
    ("panel", &["model"]),
    ("destination", &["model"]),
    // Of `destination` only the proof that something is stored: see `ledger_takes_only_proofs`.
    ("ledger", &["model", "destination"]),
    ("transfer", &["model", "panel", "destination", "env"]),
    ("report", &["model", "plan"]),
    (
        "ops",
        &[
            "model",
            "config",
            "env",
            "plan",
            "panel",
            "destination",
            "ledger",
            "transfer",
            "report",
        ],
    ),
    ("exit", &["model", "plan", "report", "ops"]),
    (
        "cli",
        &[
            "model", "config", "env", "transfer", "report", "ops", "exit",
        ],
    ),
    ("main", &["model", "cli", "exit"]),
];

/// Every source file with the name of its top module.
fn sources() -> Vec<(String, PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    files
        .into_iter()
        .map(|path| {
            let below = path.strip_prefix(&root).unwrap();
            let first = below.components().next().unwrap();
            let module = Path::new(first.as_os_str()).file_stem().unwrap();
            let text = fs::read_to_string(&path).unwrap();
            (module.to_str().unwrap().to_owned(), path, text)
        })
        .collect()
}

/// The lines of a file that are code of the product: its tests may use what they like. Tests in a file of
/// their own may be named anywhere; those in the file itself are its end.
fn product_lines(text: &str) -> impl Iterator<Item = &str> {
    let next = text.lines().skip(1).chain(iter::once(""));
    text.lines()
        .zip(next)
        .take_while(|(line, next)| line.trim() != "#[cfg(test)]" || next.ends_with(';'))
        .map(|(line, _next)| line)
        .filter(|line| !line.trim_start().starts_with("//"))
}

#[test]
fn imports_run_in_the_direction_of_the_data() {
    let mut wrong = Vec::new();
    for (module, path, text) in sources() {
        if module == "lib" || path.ends_with("tests.rs") {
            continue;
        }
        let (_, allowed) = MAY_USE
            .iter()
            .find(|(name, _)| *name == module)
            .unwrap_or_else(|| panic!("{} is in no row of the table", path.display()));
        for line in product_lines(&text) {
            for used in line.split("crate::").skip(1) {
                let used: String = used
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                if used != module && !allowed.contains(&used.as_str()) {
                    wrong.push(format!("{}: {}", path.display(), line.trim()));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn imports_are_one_to_a_line_so_that_none_slips_past() {
    let grouped: Vec<String> = sources()
        .into_iter()
        .flat_map(|(_, path, text)| {
            product_lines(&text)
                .filter(|line| line.starts_with("use ") && line.contains('{'))
                .map(|line| format!("{}: {line}", path.display()))
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(grouped, Vec::<String>::new());
}

#[test]
fn ledger_takes_only_proofs() {
    let others: Vec<String> = sources()
        .into_iter()
        .filter(|(module, _, _)| module == "ledger")
        .flat_map(|(_, _, text)| {
            product_lines(&text)
                .filter(|line| line.contains("crate::destination::"))
                .filter(|line| !line.contains("crate::destination::StoredObject"))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(others, Vec::<String>::new());
}

#[test]
fn only_prune_begins_removals() {
    let elsewhere: Vec<String> = sources()
        .into_iter()
        .filter(|(_, path, _)| !path.to_string_lossy().contains("src/ops/prune"))
        .flat_map(|(_, _, text)| {
            product_lines(&text)
                .filter(|line| line.contains(".begin_removal("))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(elsewhere, Vec::<String>::new());
}

#[test]
fn only_one_file_reads_the_clock_and_only_config_reads_the_environment() {
    for (module, path, text) in sources() {
        for line in product_lines(&text) {
            let reads_clock =
                line.contains("Timestamp::now()") || line.contains("SystemTime::now()");
            assert!(
                !reads_clock || module == "env",
                "{}: {line}",
                path.display()
            );
            let reads_environment = line.contains("env::var");
            assert!(
                !reads_environment || module == "config",
                "{}: {line}",
                path.display()
            );
        }
    }
}
