//! The constants of what is said when, each with the reason for it.

use super::durations::durations;

durations! { "schedule",
    /// After suspend the first heartbeat comes within this, or within a thirtieth of the interval if that is less.
    resume_spread: 10_000 ms,
    /// After a network change the first heartbeat comes within this.
    network_spread: 5_000 ms,
    /// Heartbeats for network changes are no closer than this: links flap.
    network_interval: 30_000 ms,
    /// A server without an event stream is asked again after this: it may have been upgraded.
    push_retry: 3_600_000 ms,
    /// A stream that lived this long was a good one; one that did not, time and again, is left alone.
    push_lasting: 60_000 ms,
    /// For how long a server may say nothing on a stream, until more is known: hardly any middlebox forgets in less than 30 s.
    push_silence: 25_000 ms,
    /// Silence is not tried beyond this; the longest limits in use are a little above.
    push_silence_most: 300_000 ms,
    /// Where connections die of less than this, heartbeats cost less than a stream.
    push_silence_least: 10_000 ms,
    /// Added to 1.1 times the silence before a stream is taken for dead: the line may be slow.
    push_margin: 5_000 ms,
    /// After this long without a loss the silence becomes half as long again.
    push_calm: 3_600_000 ms,
    /// For how long a silence that killed a connection is not tried again: middleboxes are seldom set anew.
    push_died: 604_800_000 ms,
    /// When a stream is tried again where polls, or heartbeats, serve.
    push_relook: 86_400_000 ms,
    /// Reads are spread over at most this, whatever a server says: an hour later a change is no news any more.
    within_most: 3_600_000 ms,
    /// A poll waits at most this long: what sits in between often gives up at 30 s.
    poll_wait: 25_000 ms,
    /// Between the beginnings of two polls: each of a thousand events must not cost a request.
    poll_gap: 1_000 ms,
    /// Critical reports that follow each other leave together, once in this time.
    upload_gap: 1_000 ms,
    /// For so long a connection is kept after a critical report: more of them may follow.
    upload_linger: 5_000 ms,
    /// While no server is attached, a critical report begins a search at most once in this time.
    upload_search: 60_000 ms,
    /// For each 64 KiB of what is no critical report, after the first four: a fleet that catches up shares a server.
    upload_pace: 2_000 ms,
    /// After an attach, more than one batch begins to leave at a moment within this.
    upload_spread: 60_000 ms,
}
