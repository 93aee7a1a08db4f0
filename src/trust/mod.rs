//! From a certificate policy to the verifier that enforces it.
//!
//! Settings hold policies: values, without files and without cryptography. Before any settings come
//! into force, each of their policies is *prepared*: its files, read by the client, become
//! trust anchors, and a TLS configuration is built around a verifier. What reaches the network is
//! only what is prepared. A policy that asks for something this version cannot enforce is refused
//! with a [`TrustError`]; it is never enforced in part.
//!
//! Each policy has a session store of its own, so that a session made under one policy is never
//! resumed under another: what was verified then is what would be verified now. Cryptography is that
//! of *ring*, given explicitly; what else the process has installed for itself is neither used nor
//! changed.

mod cause;
mod policy;
mod verifier;

pub(crate) use cause::failure;
pub(crate) use policy::{Files, Prepared, expected_name, prepare};
pub use policy::{TrustError, Unsupported};
