//! Which homing this is.

use super::text::homing_text;

/// The version of the header, and of the library it was made with. Before version 1, a change of the second
/// number may break programs; from version 1 on, only a change of the first.
pub const HOMING_VERSION_MAJOR: u32 = 0;
/// See `HOMING_VERSION_MAJOR`.
pub const HOMING_VERSION_MINOR: u32 = 1;
/// See `HOMING_VERSION_MAJOR`.
pub const HOMING_VERSION_PATCH: u32 = 0;

/// The three in one number: `major << 16 | minor << 8 | patch`.
pub const HOMING_VERSION: u32 = 0x0000_0100;

/// The version of the library the program runs with, as `HOMING_VERSION` is that of the header it was compiled with.
///
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn homing_version() -> u32 {
    HOMING_VERSION
}

/// The same as text, such as `0.1.0`, living for ever.
///
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn homing_version_text() -> homing_text {
    homing_text::new(env!("CARGO_PKG_VERSION"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_the_package_s() {
        let numbers = format!("{HOMING_VERSION_MAJOR}.{HOMING_VERSION_MINOR}.{HOMING_VERSION_PATCH}");
        assert_eq!(numbers, env!("CARGO_PKG_VERSION"));
        assert_eq!(
            homing_version(),
            HOMING_VERSION_MAJOR << 16 | HOMING_VERSION_MINOR << 8 | HOMING_VERSION_PATCH
        );
    }
}
