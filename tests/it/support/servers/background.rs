//! A runtime of the test process's own: servers and connections on it outlive any one test.

use std::future::Future;
use std::panic::resume_unwind;
use std::sync::OnceLock;
use std::thread;

use tokio::runtime::Builder;
use tokio::runtime::Runtime;

pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("test-servers")
            .enable_all()
            .build()
            .unwrap()
    })
}

/// Runs `work` there and waits for it without blocking the caller's runtime.
pub(crate) async fn run<F>(work: F) -> F::Output
where
    F: Future<Output: Send> + Send + 'static,
{
    match runtime().spawn(work).await {
        Ok(output) => output,
        Err(failed) => resume_unwind(failed.into_panic()),
    }
}

/// Runs `work` there and blocks until it is done, inside a runtime or outside of any.
pub(crate) fn block_on<F>(work: F) -> F::Output
where
    F: Future<Output: Send> + Send,
{
    thread::scope(
        |scope| match scope.spawn(|| runtime().block_on(work)).join() {
            Ok(output) => output,
            Err(panic) => resume_unwind(panic),
        },
    )
}
