//! What a panel is asked for, and whom it concerns.

use crate::config::flags::panel::CreateWish;
use crate::config::flags::panel::IgnoreWish;
use crate::config::flags::panel::PanelFlags;
use crate::config::flags::panel::PanelWish;
use crate::config::ignore;
use crate::config::resolve::Need;
use crate::config::resolve::Needs;
use crate::config::resolve::Resolver;
use crate::config::settings::PanelSettings;
use crate::config::settings::panel::CreateTask;
use crate::config::settings::panel::PanelTask;

/// A panel is asked; destinations are only known by name.
pub(super) const fn needs_of(_flags: &PanelFlags) -> Needs {
    Needs {
        panels: Need::Some,
        destinations: Need::Nothing,
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
