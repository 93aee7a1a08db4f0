//! What the system and the person at the keyboard ask of a program.

use std::io;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Ctrl-C, or SIGTERM.
    End,
    /// SIGHUP: read the settings again.
    #[cfg_attr(not(unix), allow(dead_code, reason = "nothing asks for it there"))]
    Reload,
}

/// Calls this with each signal, on a thread of its own.
#[cfg(unix)]
pub(crate) fn listen(hear: impl Fn(Signal) + Send + 'static) -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            hear(if signal == SIGHUP { Signal::Reload } else { Signal::End });
        }
    })?;
    Ok(())
}

/// Calls this with each signal, on a thread of its own.
#[cfg(not(unix))]
pub(crate) fn listen(hear: impl Fn(Signal) + Send + 'static) -> io::Result<()> {
    ctrlc::set_handler(move || hear(Signal::End)).map_err(io::Error::other)
}
