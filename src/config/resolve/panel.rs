//! What a panel is asked for, and whom it concerns.

use crate::config::flags::panel::CreateWish;
use crate::config::flags::panel::IgnoreWish;
use crate::config::flags::panel::PanelFlags;
use crate::config::flags::panel::PanelWish;
use crate::config::ignore;
use crate::config::resolve::Resolver;
use crate::config::resolve::needs::Need;
use crate::config::resolve::needs::Needs;
use crate::config::settings::PanelSettings;
use crate::config::settings::panel::CreateTask;
use crate::config::settings::panel::PanelTask;

/// A panel is asked; destinations are only known by name, unless copies are looked at.
pub(super) const fn needs_of(flags: &PanelFlags) -> Needs {
    let destinations = match flags.wish {
        PanelWish::Servers
        | PanelWish::Backups
        | PanelWish::Create(_)
        | PanelWish::SetLock(_)
        | PanelWish::Restore(_) => Need::Nothing,
        // Copies are looked at before the panel's own goes.
        PanelWish::Delete(_) => Need::Any,
        PanelWish::Trim(_) => Need::Some,
    };
    Needs {
        panels: Need::Some,
        destinations,
    }
}

impl Resolver<'_> {
    /// The task; `exclude` of the configuration is about what is mirrored, and leaves out nothing here.
    pub(super) fn panel_task(
        &mut self,
        flags: &PanelFlags,
        panels: &mut [PanelSettings],
    ) -> Option<PanelTask> {
        for panel in panels {
            panel.exclude.clear();
        }
        match &flags.wish {
            PanelWish::Servers => Some(PanelTask::Servers),
            PanelWish::Backups => Some(PanelTask::Backups),
            PanelWish::Create(wish) => self.create_task(wish).map(PanelTask::Create),
            PanelWish::SetLock(task) => Some(PanelTask::SetLock(task.clone())),
            PanelWish::Delete(job) => Some(PanelTask::Delete(job.clone())),
            PanelWish::Restore(job) => Some(PanelTask::Restore(job.clone())),
            PanelWish::Trim(job) => Some(PanelTask::Trim(*job)),
        }
    }

    fn create_task(&mut self, wish: &CreateWish) -> Option<CreateTask> {
        let ignored = match &wish.ignored {
            IgnoreWish::AsServer => Vec::new(),
            IgnoreWish::Patterns(patterns) => patterns.clone(),
            IgnoreWish::File(path) => match ignore::read(&self.environment.absolute(path)) {
                Ok(patterns) => patterns,
                Err(error) => {
                    self.problems.push(error);
                    return None;
                }
            },
        };
        Some(CreateTask {
            server: wish.server.clone(),
            name: wish.name.clone(),
            ignored,
            lock: wish.lock,
            wait: wish.wait,
        })
    }
}
