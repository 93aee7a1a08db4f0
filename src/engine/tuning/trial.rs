//! The constants of settings on trial, each with the reason for it.

use super::durations::durations;

durations! { "trial",
    /// New settings have at least this long to work: a server that was moved with them may still be starting.
    budget_least: 120_000 ms,
    /// And at most this, once the settings before them answer: then it will not be started any more.
    budget_most: 900_000 ms,
    /// What is spent is counted in steps of this, and stored with each: a crash costs no more. A gap without an input, as a
    /// suspend makes one, counts as one step at most.
    budget_step: 30_000 ms,
}
