//! A chain with one fault, and noise beside it.

use std::sync::LazyLock;

use super::case::key;
use super::fault::{Constraint, Fault, afflict};
use crate::forge::{Digest, Kind, Made, PRINTABLE, name};
use crate::world::World;

/// What is sent besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Noise {
    None,
    Root,
    Reversed,
    Twice,
    /// Certificates of strangers, one signed with SHA-1, one with a weak key, one that expired.
    Junk,
}

pub(super) const NOISE: [Noise; 5] = [Noise::None, Noise::Root, Noise::Reversed, Noise::Twice, Noise::Junk];

/// A chain: how many authorities are between, what keys they have, and the fault of one of them, from the server (0) up to the root.
#[derive(Clone)]
pub(super) struct Chain {
    pub(super) between: usize,
    pub(super) kinds: Vec<Kind>,
    fault: Option<(Fault, usize)>,
    noise: Noise,
}

impl Chain {
    pub(super) fn new(between: usize, noise: Noise) -> Self {
        Self { between, kinds: vec![Kind::P256; between + 2], fault: None, noise }
    }

    pub(super) fn with(&self, fault: Fault, place: usize) -> Self {
        Self { fault: Some((fault, place)), ..self.clone() }
    }

    fn has(&self, fault: Fault, place: usize) -> bool {
        self.fault == Some((fault, place))
    }

    pub(super) fn called(&self, place: usize) -> &'static str {
        match place {
            0 => "server",
            place if place == self.between + 1 => "root",
            1 => "lower",
            _ => "upper",
        }
    }

    /// The certificate at a place, with its fault, before it is signed.
    fn made(&self, place: usize) -> Made {
        let kind = match self.fault {
            Some((Fault::WeakKey, at)) if at == place => Kind::Rsa(1024),
            Some((Fault::UnsupportedKey, at)) if at == place => Kind::P521,
            // OpenSSL signs with SHA-1, and of what is issued with it the key of the issuer is RSA.
            Some((Fault::Sha1, at)) if at + 1 == place => Kind::Rsa(2048),
            _ => self.kinds[place],
        };
        let key = key(kind, place);
        let mut made = if place == 0 {
            let names = Constraint::names();
            let is_constrained = matches!(self.fault, Some((Fault::Constrained(_), _)));
            Made::server("server", &key, if is_constrained { &names } else { &names[..1] })
        } else {
            Made::authority(self.called(place), &key)
        };
        if let Some((fault, at)) = self.fault
            && at == place
        {
            afflict(&mut made, fault);
        }
        if self.has(Fault::Spelled, place + 1) {
            made.issuer = name(self.called(place + 1), PRINTABLE);
        }
        made
    }

    pub(super) fn world(&self) -> World {
        let root = self.made(self.between + 1);
        let mut above = root.clone();
        let mut chain = Vec::new();
        for place in (0..=self.between).rev() {
            let mut made = self.made(place);
            let certificate = made.signed_by(&above);
            if self.has(Fault::OtherKey, place) {
                // What is below is signed with another key than the one that is sent.
                made.key = key(Kind::P256, 100);
            }
            if !self.has(Fault::Missing, place) {
                chain.insert(0, certificate);
            }
            above = made;
        }
        let known = if self.has(Fault::OtherKey, self.between + 1) {
            Made { key: key(Kind::P256, 101), ..root.clone() }.self_signed()
        } else {
            root.self_signed()
        };
        let own = chain.remove(0);
        match self.noise {
            Noise::None => {}
            Noise::Root => chain.push(root.self_signed()),
            Noise::Reversed => chain.reverse(),
            Noise::Twice => chain.extend(chain.clone()),
            Noise::Junk => {
                chain.splice(0..0, JUNK.iter().cloned());
            }
        }
        chain.insert(0, own);
        World::new(&[known], &chain)
    }
}

static JUNK: LazyLock<[Vec<u8>; 3]> = LazyLock::new(|| {
    let sha1 = Made { digest: Digest::Sha1, ..Made::authority("junk", &key(Kind::Rsa(2048), 90)) };
    let weak = Made::authority("weak junk", &key(Kind::Rsa(1024), 91));
    let old =
        Made { not_after: "20210101000000Z".to_owned(), ..Made::authority("old junk", &key(Kind::P256, 92)) };
    [sha1.signed_by(&sha1), weak.signed_by(&sha1), old.self_signed()]
});
