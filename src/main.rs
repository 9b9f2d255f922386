//! The `nestegg` command: parse → `cli::run` → `Exit`.

use std::process::ExitCode;

use nestegg::cli;
use nestegg::cli::session::Streams;
use nestegg::config::Environment;

fn main() -> ExitCode {
    let streams = Streams::of_process();
    let exit = match tokio::runtime::Runtime::new() {
        Ok(runtime) => {
            let run = cli::run(std::env::args_os(), Environment::capture(), streams);
            let exit = runtime.block_on(run);
            // Whoever stopped at once does not wait for work on the blocking pool.
            runtime.shutdown_background();
            exit
        }
        Err(error) => streams.complain(&format!("error: could not start: {error}")),
    };
    exit.into()
}
