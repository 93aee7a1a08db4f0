//! From whom an agent takes settings.

/// From which servers settings are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TakesSettings {
    /// From none: they come from the program alone.
    #[default]
    Never,
    /// From a server that was verified by its certificate or key; from another one where the settings in force say so
    /// (`accept_settings_over_http`).
    Verified,
    /// From any server, unless the settings in force say otherwise: the driver takes none without a signature.
    Signed,
}
