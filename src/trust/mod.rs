//! Whether a server is believed.
//!
//! Settings hold policies: values, without files and without cryptography. Before any settings come
//! into force, each of their policies is *prepared*: the files it names, read by the client, become roots,
//! revocation lists and the agent's own certificate, and a TLS configuration is built around a verifier.
//! What reaches the network is only what is prepared. A policy of which a part cannot be enforced is refused
//! with a [`TrustError`]; it is never enforced in part.
//!
//! The way of one certificate: [`check_certificate`] asks `chain` for a path to one of the `anchors` (webpki builds
//! it; our rules stand in its closure; `rendition` is what it is shown), that asks `pin` and `revocation`, and `name` compares the name. What is not
//! accepted is one [`RejectReason`]; where webpki says only no, `diagnosis` finds out what it
//! meant. The same function answers rustls in the handshake (`verifier`), the link after the handshake, and a
//! product with a TLS stack of its own.
//!
//! Each policy has a session store of its own, so that a session made under one policy is never
//! resumed under another: what was verified then is what would be verified now. Cryptography is that
//! of *ring*, given explicitly; what else the process has installed for itself is neither used nor
//! changed. Time comes from whoever asks ([`Time`]); nothing here reads a clock, a file or the environment.

mod accepted;
mod advice;
mod anchors;
mod bare;
mod bundle;
mod cause;
mod certificate;
mod chain;
mod check;
mod constraint;
mod der;
mod description;
mod diagnosis;
mod exact;
mod identity;
mod malformed;
mod name;
mod names;
#[cfg(test)]
mod on_the_wire;
mod path;
mod path_filter;
mod pem;
mod phrase;
mod pin;
mod policies;
mod policy;
mod prepare;
#[cfg(test)]
mod reasons;
mod reject;
mod rendition;
mod revocation;
mod server_names;
mod sessions;
mod settings_signature;
mod signature;
mod time;
mod verification_cache;
mod verifier;
mod vouching;

pub use accepted::Accepted;
pub use bare::readable;
pub use bundle::{BundleError, Finding, FindingKind};
pub(crate) use cause::failure;
pub use certificate::Key;
pub use check::{check_certificate, check_chain};
pub use description::Description;
pub use identity::IdentityError;
pub use policy::{Material, Policy, Remark, SystemRoots, TrustError};
pub(crate) use prepare::{Prepared, prepare};
pub use reject::{Bearer, ListGap, NameMistake, Place, RejectReason, Unfit};
pub use revocation::RevocationError;
pub(crate) use settings_signature::check_settings_signature;
pub(crate) use time::{HIGHEST_FLOOR, WallClock};
pub use time::{Time, Timestamp};
pub use vouching::{Vouching, vouched_by};
