//! The location as others see it: the snapshot, and its reason in words.

use std::fmt::Write;

use super::{Asked, Evidence, Location, LocationSnapshot, Reply, WhyLocation};
use crate::engine::event::span;
use crate::words::{Moment, Proof};

impl Location {
    pub(in crate::engine) fn snapshot(&self, now: Moment) -> LocationSnapshot {
        let due = self.due.map(|(at, _)| at);
        let regular =
            (self.usable.is_some() && !self.settings.reference_servers().is_empty()).then_some(self.regular);
        LocationSnapshot {
            situation: self.situation,
            since: span(now.since(self.since)),
            why: self.why,
            reason: self.reason(now),
            proof: self.proof,
            location: None,
            chosen: false,
            attached: self.management.attached.clone(),
            server_lost: self.management.lost.map(|at| span(now.since(at))),
            next_round: due.into_iter().chain(regular).min().map(|at| span(at.after(now))),
            evidence: self.evidence.as_deref().cloned(),
        }
    }

    /// One sentence: the verdict, what was heard, and what is known of the management server.
    pub(super) fn reason(&self, now: Moment) -> String {
        let mut words = format!("{}: ", self.situation.explain());
        let evidence = self.evidence.as_deref();
        // Writing to a string cannot fail.
        let _ = match self.why {
            WhyLocation::NothingKnown => words.write_str("nothing was found out yet"),
            WhyLocation::NoNetwork => words.write_str("there is no usable network"),
            WhyLocation::NobodyToAsk => words.write_str("there is no reference server to ask"),
            WhyLocation::ManagementServer => match (&self.management.attached, self.proof) {
                (Some(server), Some(proof)) => {
                    write!(words, "the management server {server} answered with proof {}", proof.word())
                }
                (Some(_) | None, _) => words.write_str("the management server had answered"),
            },
            WhyLocation::ReferenceServer => match evidence.and_then(|evidence| best(evidence)) {
                Some(asked) => write!(
                    words,
                    "reference server {}:{} answered with proof {} after {}",
                    asked.server,
                    asked.port,
                    self.proof.unwrap_or(Proof::Tcp).word(),
                    asked.elapsed
                ),
                None => words.write_str("a reference server had answered"),
            },
            WhyLocation::NobodyAnswered | WhyLocation::Incomplete | WhyLocation::EverybodyAnswers => {
                let _ = match self.why {
                    WhyLocation::Incomplete => words.write_str("not all could be asked in time; "),
                    WhyLocation::EverybodyAnswers => words.write_str("this network answers for everybody; "),
                    WhyLocation::NothingKnown
                    | WhyLocation::NoNetwork
                    | WhyLocation::NobodyToAsk
                    | WhyLocation::ManagementServer
                    | WhyLocation::ReferenceServer
                    | WhyLocation::NobodyAnswered => Ok(()),
                };
                match evidence {
                    Some(evidence) => words.write_str(&tally(evidence)),
                    None => words.write_str("no reference server had answered"),
                }
            }
        };
        if self.why != WhyLocation::ManagementServer {
            let _ = match (&self.management.attached, self.management.lost) {
                (Some(server), _) => {
                    write!(words, "; the agent is attached to the management server {server}")
                }
                (None, Some(lost)) => {
                    write!(words, "; the management server was lost {} ago", whole(now, lost))
                }
                (None, None) => Ok(()),
            };
        }
        words
    }
}

fn whole(now: Moment, then: Moment) -> String {
    format!("{} s", now.since(then).as_secs())
}

fn best(evidence: &Evidence) -> Option<&Asked> {
    let best = evidence.best.as_deref()?;
    evidence.asked.iter().find(|asked| {
        matches!(asked.reply, Reply::Proved { counts: true, .. })
            && best == format!("{}:{}", asked.server, asked.port)
    })
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
    let mut asked = evidence.asked.iter().peekable();
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
