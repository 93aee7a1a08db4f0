//! The location as others see it: the snapshot, and its reason in words.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::time::Duration;

use super::{
    Asked, ControlReply, Controlled, Evidence, Finding, Location, LocationReason, LocationSnapshot, Reply,
    Trigger,
};
use crate::engine::event::span;
use crate::settings::Settings;
use crate::types::{Medium, Moment, Proof, Span};

impl Location {
    pub(in crate::engine) fn snapshot(&self, settings: &Settings, now: Moment) -> LocationSnapshot {
        let due = self.due.map(|(at, _)| at);
        let regular =
            (self.usable.is_some() && !settings.reference_servers().is_empty()).then_some(self.regular);
        LocationSnapshot {
            situation: self.situation,
            since: span(now.since(self.since)),
            reason: self.reason,
            detail: self.detail(now),
            proof: self.proof,
            path: self.path(),
            location: None,
            chosen: false,
            attached: self.management.attached.clone(),
            server_lost: self.management.lost.map(|at| span(now.since(at))),
            next_round: due.into_iter().chain(regular).min().map(|at| span(at.after(now))),
            evidence: self.evidence.as_deref().cloned(),
        }
    }

    /// What the connection ran over on which the verdict rests, as far as it is still known.
    fn path(&self) -> Option<Medium> {
        let inside = self.situation.is_inside();
        match self.reason {
            LocationReason::ManagementServer if inside => {
                self.management.exchange.as_ref().map(|exchange| exchange.medium)
            }
            LocationReason::ReferenceServer if inside => match best(self.evidence.as_deref()?)?.reply {
                Reply::Proved { path, .. } => Some(path),
                Reply::NotBelieved { .. }
                | Reply::Refused { .. }
                | Reply::Silent {}
                | Reply::NoAddress { .. }
                | Reply::NotSent { .. }
                | Reply::NotAwaited {} => None,
            },
            LocationReason::NothingKnown
            | LocationReason::NoNetwork
            | LocationReason::NobodyToAsk
            | LocationReason::ManagementServer
            | LocationReason::ReferenceServer
            | LocationReason::NobodyAnswered
            | LocationReason::Incomplete
            | LocationReason::EverybodyAnswers => None,
        }
    }

    /// One sentence: the verdict, what was heard, and what is known of the management server.
    pub(super) fn detail(&self, now: Moment) -> String {
        let mut words = format!("{}: ", self.situation.explain());
        let disagrees = self.disagreeing_round();
        // What a round heard that found something else says nothing for the verdict.
        let evidence = self.evidence.as_deref().filter(|_| disagrees.is_none());
        let heard = evidence.map_or_else(|| "no reference server had answered".to_owned(), tally);
        // Writing to a string cannot fail.
        let _ = match self.reason {
            LocationReason::NothingKnown => words.write_str("nothing was found out yet"),
            LocationReason::NoNetwork => {
                let _ = words.write_str("there is no usable network");
                match self.evidence.as_deref().and_then(not_sent) {
                    Some(detail) => write!(words, ": {detail}"),
                    None => Ok(()),
                }
            }
            LocationReason::NobodyToAsk => words.write_str("there is no reference server to ask"),
            LocationReason::ManagementServer => match (&self.management.attached, self.proof) {
                (Some(server), Some(proof)) => {
                    let way = way(self.path());
                    write!(words, "the management server {server} answered with proof {}{way}", proof.word())
                }
                (Some(_) | None, _) => words.write_str("the management server had answered"),
            },
            LocationReason::ReferenceServer => match evidence.and_then(|evidence| best(evidence)) {
                Some(asked) => write!(
                    words,
                    "reference server {}:{} answered with proof {}{} after {}",
                    asked.server,
                    asked.port,
                    self.proof.unwrap_or(Proof::Tcp).word(),
                    way(self.path()),
                    asked.elapsed.brief()
                ),
                None => words.write_str("a reference server had answered"),
            },
            LocationReason::NobodyAnswered => words.write_str(&heard),
            LocationReason::Incomplete => write!(words, "not all could be asked in time; {heard}"),
            LocationReason::EverybodyAnswers => write!(words, "this network answers for everybody; {heard}"),
        };
        if let Some(evidence) = disagrees {
            let _ = write!(words, "; the last round found {}", evidence.finding.explain());
            let _ = match self.due {
                Some((at, Trigger::Confirming)) => write!(words, ", the next is in {}", whole(at.after(now))),
                Some((at, Trigger::Calmed)) => {
                    write!(
                        words,
                        ", which waits for {}: the location changed too often",
                        whole(at.after(now))
                    )
                }
                Some(_) | None => Ok(()),
            };
        }
        if self.reason != LocationReason::ManagementServer || self.management.attached.is_none() {
            let _ = match (&self.management.attached, self.management.lost) {
                (Some(server), _) => {
                    write!(words, "; the agent is attached to the management server {server}")
                }
                (None, Some(lost)) => {
                    write!(words, "; the management server was lost {} ago", whole(now.since(lost)))
                }
                (None, None) => Ok(()),
            };
        }
        words
    }

    /// The last round, if it found something else than the verdict says and no more is known: it is one of several that
    /// a change takes, or nothing could be found out.
    fn disagreeing_round(&self) -> Option<&Evidence> {
        let rests_on_rounds = match self.reason {
            LocationReason::ReferenceServer
            | LocationReason::NobodyAnswered
            | LocationReason::Incomplete
            | LocationReason::EverybodyAnswers => true,
            // Older rounds have nothing to do with it.
            LocationReason::ManagementServer => matches!(self.due, Some((_, Trigger::Confirming))),
            LocationReason::NothingKnown | LocationReason::NoNetwork | LocationReason::NobodyToAsk => false,
        };
        let evidence = self.evidence.as_deref().filter(|_| rests_on_rounds)?;
        let speaks_for_it = match evidence.finding.situation() {
            Some(situation) => situation == self.situation,
            // Then the verdict is that nothing could be found out.
            None => self.reason == LocationReason::Incomplete,
        };
        (!speaks_for_it).then_some(evidence)
    }
}

impl Evidence {
    /// The round as a table for an administrator: one line for each question in the order of the list, one for each
    /// control, and what was found. Lines end with `\n`.
    pub fn explain(&self) -> String {
        let mut page = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut page);
        page
    }

    fn write(&self, page: &mut String) -> fmt::Result {
        writeln!(page, "{:<32} {:>5}  {:<6} {:>9}  answer", "server", "port", "wanted", "time")?;
        for asked in &self.asked {
            let Asked { server, port, wanted, reply, elapsed, .. } = asked;
            let answer = answer(reply);
            let (wanted, elapsed) = (wanted.word(), elapsed.brief());
            writeln!(page, "{server:<32} {port:>5}  {wanted:<6} {elapsed:>9}  {answer}")?;
        }
        for Controlled { what, reply } in &self.control {
            let reply = match reply {
                ControlReply::Answered if what.ends_with(".invalid") => {
                    "answered, and must not exist: names lead anywhere here"
                }
                ControlReply::Answered => "answered, where nobody may: this network answers for everybody",
                ControlReply::Silent => "silent, as it has to be",
                ControlReply::NotAsked => "could not be asked: bare connections prove nothing",
                ControlReply::NotApplicable => "not applicable",
            };
            writeln!(page, "{:<58}{reply}", format!("control {what}"))?;
        }
        let (finding, elapsed) = (self.finding.explain(), self.elapsed.brief());
        writeln!(page, "this round ({}): {finding} after {elapsed}", self.trigger.explain())
    }
}

fn answer(reply: &Reply) -> Cow<'_, str> {
    match reply {
        Reply::Proved { proof, path, counts } => {
            let way = way(Some(*path));
            let worth = if *counts { "" } else { ", which is too little" };
            format!("proof {}{way}{worth}", proof.word()).into()
        }
        Reply::NotBelieved { detail }
        | Reply::Refused { detail }
        | Reply::NoAddress { detail }
        | Reply::NotSent { detail } => detail.into(),
        Reply::Silent {} => "no answer".into(),
        Reply::NotAwaited {} => "not waited for".into(),
    }
}

/// What has to be said of the way an answer came.
fn way(path: Option<Medium>) -> String {
    match path {
        None | Some(Medium::Direct) => String::new(),
        Some(medium @ (Medium::Tunnel | Medium::Unknown | Medium::ThisMachine)) => {
            format!(", {}", medium.explain())
        }
    }
}

fn whole(span: Duration) -> String {
    Span(Duration::from_secs(span.as_secs())).brief().to_string()
}

fn best(evidence: &Evidence) -> Option<&Asked> {
    let best = evidence.best.as_deref()?;
    evidence.asked.iter().find(|asked| {
        matches!(asked.reply, Reply::Proved { counts: true, .. })
            && best == format!("{}:{}", asked.server, asked.port)
    })
}

/// Why nothing left this machine, if nothing did.
fn not_sent(evidence: &Evidence) -> Option<&str> {
    let asked = evidence.asked.iter().filter(|_| evidence.finding == Finding::NoNetwork);
    let mut details = asked.filter_map(|asked| match &asked.reply {
        Reply::NotSent { detail } => Some(detail.as_str()),
        Reply::Proved { .. }
        | Reply::NotBelieved { .. }
        | Reply::Refused { .. }
        | Reply::Silent {}
        | Reply::NoAddress { .. }
        | Reply::NotAwaited {} => None,
    });
    details.next()
}

/// How many servers did what: of a server with several ports the most telling reply counts.
fn tally(evidence: &Evidence) -> String {
    const WORDS: [&str; 8] = [
        "proved enough",
        "answered without enough proof",
        "were not believed",
        "refused",
        "silent",
        "without an address",
        "out of this machine's reach",
        "not asked",
    ];
    let mut counts = [0usize; WORDS.len()];
    // The management server is none of them.
    let mut asked = evidence.asked.iter().filter(|asked| asked.place > 0).peekable();
    while let Some(first) = asked.next() {
        let mut most_telling = rank(&first.reply);
        while let Some(next) = asked.next_if(|next| next.place == first.place) {
            most_telling = most_telling.min(rank(&next.reply));
        }
        if let Some(count) = counts.get_mut(most_telling) {
            *count += 1;
        }
    }
    let [proved, ..] = counts;
    let mut words = format!(
        "{} of {} reference servers did not {}",
        evidence.servers.saturating_sub(proved),
        evidence.servers,
        if counts.iter().skip(1).take(2).any(|count| *count > 0) { "prove enough" } else { "answer" }
    );
    let parts: Vec<String> = counts
        .iter()
        .zip(WORDS)
        .filter(|(count, _)| **count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    if !parts.is_empty() {
        // Writing to a string cannot fail.
        let _ = write!(words, " ({})", parts.join(", "));
    }
    words
}

const fn rank(reply: &Reply) -> usize {
    match reply {
        Reply::Proved { counts: true, .. } => 0,
        Reply::Proved { counts: false, .. } => 1,
        Reply::NotBelieved { .. } => 2,
        Reply::Refused { .. } => 3,
        Reply::Silent {} => 4,
        Reply::NoAddress { .. } => 5,
        Reply::NotSent { .. } => 6,
        Reply::NotAwaited {} => 7,
    }
}
