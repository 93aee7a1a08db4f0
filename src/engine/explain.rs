//! The snapshot in words: why this server, why not the better ones, and what happens when.

use std::fmt::{self, Write};

use super::{ServerHealth, ServerSnapshot, Snapshot, State};
use crate::types::LaneAccount;

/// Ids in a column: what protocol, address and port of most servers take.
const WIDEST_ID: usize = 40;

impl Snapshot {
    /// The decision as a page of text for an administrator.
    ///
    /// The first lines say where the agent stands and what happens next; then comes one line for
    /// each server of the list in force, in the order they would be tried. Lines end with `\n`.
    pub fn explain(&self) -> String {
        let mut page = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut page);
        page
    }

    fn write(&self, page: &mut String) -> fmt::Result {
        self.write_state(page)?;
        if let Some(location) = &self.location {
            writeln!(page, "{}", location.detail)?;
            match (&location.location, location.chosen) {
                (Some(name), true) => writeln!(page, "location {name}, chosen by the product")?,
                (Some(name), false) => writeln!(page, "location {name}")?,
                (None, _) => {}
            }
        }
        self.write_settings(page)?;
        if let Some(next) = self.next_heartbeat {
            writeln!(page, "next heartbeat in {}", next.brief())?;
        }
        if let Some(next) = self.next_search {
            writeln!(page, "next search in {}", next.brief())?;
        }
        self.write_registration(page)?;
        self.write_reports(page)?;
        match &self.list {
            Some(list) => {
                writeln!(page, "servers of list {list}, in the order in which this agent tries them:")?
            }
            None if self.servers.is_empty() => {}
            None => writeln!(
                page,
                "no list is assigned here, so every known server counts and all have one priority; in the order in which \
                 this agent tries them:"
            )?,
        }
        let width = self.servers.iter().map(|server| server.server.as_str().chars().count()).max();
        let width = width.unwrap_or_default().min(WIDEST_ID);
        for server in &self.servers {
            let mark = if self.active.as_ref() == Some(&server.server) { "*" } else { " " };
            let line = Line(self, server);
            writeln!(
                page,
                "{mark} priority {}  {:<width$}  {line}",
                server.priority,
                server.server.as_str()
            )?;
        }
        Ok(())
    }

    fn write_settings(&self, page: &mut String) -> fmt::Result {
        let Some(settings) = &self.settings else { return Ok(()) };
        if let Some(trial) = &settings.trial {
            let name = trial.tag.as_deref().unwrap_or("of the program");
            let before = if trial.known_good_answers { "answer" } else { "do not answer" };
            writeln!(
                page,
                "settings {name} are on trial for {}: {} searches found no server, the settings before them {before}",
                trial.spent.brief(),
                trial.searches,
            )?;
        } else if let Some(tag) = &settings.tag {
            let proved = if settings.proved { "" } else { "; no exchange through them has worked yet" };
            writeln!(page, "settings {tag}{proved}")?;
        }
        if let Some(rejected) = &settings.rejected {
            writeln!(page, "settings {rejected} were rolled back: no server was found through them")?;
        }
        Ok(())
    }

    /// Nothing, where the product gives no identity.
    fn write_registration(&self, page: &mut String) -> fmt::Result {
        if self.duplicate {
            writeln!(page, "the server sees this agent id on more than one machine")?;
        }
        let Some(registration) = &self.registration else { return Ok(()) };
        match &registration.server {
            Some(server) => write!(page, "registered with {server}")?,
            None if registration.group.is_some() || registration.mode.is_some() => {
                write!(page, "registered in an earlier life")?;
            }
            None => write!(page, "not registered")?,
        }
        if let Some(group) = &registration.group {
            write!(page, ", group {group}")?;
        }
        if let Some(mode) = registration.mode {
            write!(page, ", {mode} mode")?;
        }
        match registration.next {
            Some(next) if next.0.is_zero() => writeln!(page, "; it registers as soon as it can"),
            Some(next) => writeln!(page, "; it registers again in {}", next.brief()),
            None => writeln!(page),
        }
    }

    /// Nothing, where nothing was ever reported.
    fn write_reports(&self, page: &mut String) -> fmt::Result {
        for (lane, account) in &self.reports {
            let LaneAccount { waiting, sent, dropped, refused, .. } = account;
            if account.submitted + account.recovered + refused == 0 {
                continue;
            }
            write!(page, "reports of the lane {lane}: {waiting} wait, {sent} sent")?;
            let lost = [
                (dropped.full, "dropped because it was full"),
                (dropped.aged, "dropped as too old"),
                (dropped.too_large, "dropped as too large"),
                (dropped.damaged, "damaged"),
                (*refused, "refused because it was full, or they were too large"),
            ];
            for (count, how) in lost.into_iter().filter(|(count, _)| *count > 0) {
                write!(page, ", {count} {how}")?;
            }
            page.push('\n');
        }
        Ok(())
    }

    fn write_state(&self, page: &mut String) -> fmt::Result {
        match (&self.active, self.attached_for) {
            (Some(active), Some(since)) => write!(page, "attached to {active} for {}", since.brief())?,
            _ => page.write_str(match self.state {
                State::Starting => "starting",
                State::Searching => "searching for a server",
                State::Attached => "attached",
                State::Waiting => "attached to no server, waiting",
                State::NoNetwork => "attached to no server, nothing leaves this machine",
                State::NoWay => "attached to no server, no proxy leads to one",
                State::Captive => "attached to no server, something else answers",
                State::Rejected => "attached to no server, every server has rejected this agent",
                State::Disabled => "communication is switched off",
                State::Stopping => "stopping",
                State::Stopped => "stopped",
            })?,
        }
        if let Some(reason) = self.reason {
            write!(page, ": {}", reason.explain())?;
        }
        page.push('\n');
        let place = self.servers.iter().find(|server| self.active.as_ref() == Some(&server.server));
        match place {
            Some(place) if place.priority == self.best_priority() && place.rank == 1 => {
                writeln!(page, "it is the first choice of this agent")
            }
            Some(place) if place.priority == self.best_priority() => {
                writeln!(
                    page,
                    "it is of the best priority; another server there is the first choice of this agent"
                )
            }
            Some(place) => writeln!(page, "it is of priority {}; better ones are probed", place.priority),
            None if self.active.is_some() => {
                writeln!(page, "the list in force does not name it; another is looked for")
            }
            None => Ok(()),
        }
    }

    fn best_priority(&self) -> usize {
        self.servers.iter().map(|server| server.priority).min().unwrap_or(1)
    }
}

/// What is to say about one server.
struct Line<'a>(&'a Snapshot, &'a ServerSnapshot);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(snapshot, server) = self;
        if server.health != ServerHealth::Unknown {
            write!(f, "{} for {}", server.health, server.since.brief())?;
        } else if server.last_failure.is_none() {
            write!(f, "not asked yet")?;
        } else {
            write!(f, "not asked again yet")?;
        }
        if server.unverified {
            write!(f, ", its certificate is not verified (danger_no_verification)")?;
        }
        if let Some(left_out) = server.left_out {
            write!(f, ", left out for {} more", left_out.brief())?;
        }
        if let (Some(failure), Some(ago)) = (&server.last_failure, server.last_failure_ago) {
            write!(f, "; {} ago: {failure}", ago.brief())?;
        }
        if let Some(next_probe) = server.next_probe {
            write!(f, "; probed in {}", next_probe.brief())?;
        }
        if let Some(move_in) = server.move_in {
            write!(f, "; proven, the agent moves to it in {}", move_in.brief())?;
        }
        let better = snapshot
            .servers
            .iter()
            .find(|s| snapshot.active.as_ref() == Some(&s.server))
            .is_some_and(|active| (server.priority, server.rank) < (active.priority, active.rank));
        if better && server.last_failure.is_none() && server.next_probe.is_none() && server.move_in.is_none()
        {
            write!(f, "; it was not needed when the agent attached")?;
        }
        Ok(())
    }
}
