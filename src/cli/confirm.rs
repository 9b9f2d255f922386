//! A person at a terminal, asked to type something in agreement.

use std::fmt;
use std::io;
use std::io::IsTerminal as _;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::cli::progress::Progress;
use crate::cli::progress::SharedWriter;
use crate::cli::session::Session;
use crate::ops::restore::panel::consent::Asker;
use crate::ops::restore::panel::consent::Consent;
use crate::ops::restore::panel::consent::Deed;
use crate::ops::restore::panel::consent::NobodyThere;

/// Whoever sits at the terminal; nobody, when there is none.
pub(super) fn asker(session: &Session) -> Arc<dyn Asker> {
    if io::stdin().is_terminal() && io::stderr().is_terminal() {
        Arc::new(Person {
            stderr: session.stderr(),
            progress: session.progress.clone(),
        })
    } else {
        Arc::new(NobodyThere)
    }
}

struct Person {
    stderr: SharedWriter,
    progress: Progress,
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Person")
    }
}

impl Asker for Person {
    fn may(&self, deed: Deed) -> BoxFuture<'_, Consent> {
        Box::pin(async move {
            self.progress.clear();
            let Deed {
                question,
                answer,
                asked_for,
                words: _,
            } = deed;
            let question = format!("{question}\nType {asked_for} to go on:");
            let asked = self.stderr.with(|out| writeln!(out, "{question}"));
            if asked.is_err() {
                return Consent::NobodyThere;
            }
            let typed = tokio::task::spawn_blocking(|| {
                let mut line = String::new();
                io::stdin().read_line(&mut line).map(|_bytes| line)
            });
            match typed.await {
                Ok(Ok(line)) if line.trim() == answer.trim() => Consent::Given,
                Ok(_) | Err(_) => Consent::Declined,
            }
        })
    }
}
