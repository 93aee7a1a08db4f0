//! Why bytes are no list that can be used.

use crate::trust::der::NotDer;

/// Why bytes are no list that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    Damaged,
    Version1,
    NoNextUpdate,
    NoExtensions,
    Indirect,
    SomeReasons,
    AttributeCertificates,
    UnknownExtension,
}

impl Unusable {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Damaged => "it is damaged, or not a revocation list",
            Self::Version1 => "it is of version 1; version 2 is wanted",
            Self::NoNextUpdate => "it does not say when the next one is due",
            Self::NoExtensions => "it has no extensions, not even its number",
            Self::Indirect => {
                "it is an indirect list; one that names certificates of its own issuer alone is wanted"
            }
            Self::SomeReasons => "it is for some reasons only; one for all reasons is wanted",
            Self::AttributeCertificates => "it is for attribute certificates, which no server has",
            Self::UnknownExtension => "a critical extension of it is not known",
        }
    }
}

impl From<NotDer> for Unusable {
    fn from(NotDer: NotDer) -> Self {
        Self::Damaged
    }
}
