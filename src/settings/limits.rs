//! How much text is read as settings.

/// The largest settings that are read: 1 MiB holds several times the most that the other limits allow.
pub const MAX_TEXT: usize = 1 << 20;

/// The deepest nesting that is read. The document itself goes 9 levels deep; the rest is for the
/// unknown fields of later ones.
pub const MAX_DEPTH: usize = 32;
