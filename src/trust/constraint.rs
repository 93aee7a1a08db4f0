//! Name constraints (RFC 5280 4.2.1.10).
//!
//! webpki compares the names of hosts and the addresses of networks. Directory names, mail addresses and URIs are compared here, because webpki
//! refuses what is under a constraint of those (see `rendition`); so it does with the other kinds, which are rare. What webpki decides is
//! compared here once more when it has said no, to tell which name of which certificate it is.

use super::certificate::{self, Certificate};
use super::der::{self, NotDer, Reader};
use super::names;

/// Kinds of names, by the number of their tag (RFC 5280 4.2.1.6).
const MAIL: u8 = 1;
const HOST: u8 = 2;
const DIRECTORY: u8 = 4;
const URI: u8 = 6;
const ADDRESS: u8 = 7;

/// How often a name is compared with a constraint, at most, for those of one authority: as often as webpki does it for a path.
const COMPARED: usize = 250_000;

/// What is the matter with a constraint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// It cannot be read.
    Unreadable,
    /// The certificate at this place has a name of this kind, which is not compared.
    NotCompared(usize, &'static str),
    /// The certificate at this place has a name outside it.
    Name(usize),
    /// There are too many names and constraints.
    TooMany,
}

/// Whether these certificates, from the server up, obey constraints on names of the kinds that are compared here. `content` is that of the
/// extension. Constraints that cannot be read are webpki's matter.
pub(super) fn check_ours(content: &[u8], below: &[Certificate<'_>]) -> Result<(), Broken> {
    match check(content, below, is_ours) {
        Err(Broken::Unreadable) => Ok(()),
        checked => checked,
    }
}

/// Whether they obey constraints on names of any kind.
pub(super) fn check_all(content: &[u8], below: &[Certificate<'_>]) -> Result<(), Broken> {
    check(content, below, |_| true)
}

/// Whether there is a constraint of a kind that is compared here.
pub(super) fn has_ours(content: &[u8]) -> bool {
    subtrees(content).is_ok_and(|subtrees| subtrees.iter().any(|subtree| is_ours(subtree.kind)))
}

/// The content of the extension without those.
pub(super) fn without_ours(content: &[u8]) -> Result<Vec<u8>, NotDer> {
    Ok(written(&subtrees(content)?, |kind| !is_ours(kind)))
}

/// The first kind of name that is constrained and not compared.
pub(super) fn first_not_compared(content: &[u8]) -> Option<&'static str> {
    subtrees(content).ok()?.iter().find_map(|subtree| not_compared(subtree.kind))
}

fn is_ours(kind: u8) -> bool {
    matches!(kind, MAIL | DIRECTORY | URI)
}

/// What a kind of name is called that is refused rather than compared.
fn not_compared(kind: u8) -> Option<&'static str> {
    Some(match kind {
        MAIL | HOST | DIRECTORY | URI | ADDRESS => return None,
        0 => "otherName",
        3 => "x400Address",
        5 => "ediPartyName",
        8 => "registeredID",
        _ => "an unknown one",
    })
}

fn check(content: &[u8], below: &[Certificate<'_>], looks_at: fn(u8) -> bool) -> Result<(), Broken> {
    let mut subtrees = subtrees(content).map_err(|NotDer| Broken::Unreadable)?;
    subtrees.retain(|subtree| looks_at(subtree.kind));
    if subtrees.is_empty() {
        return Ok(());
    }
    let bases: Vec<Option<Vec<u8>>> = subtrees.iter().map(Subtree::form).collect();
    let mut left = COMPARED;
    for (place, certificate) in below.iter().enumerate() {
        // RFC 5280 6.1.3 (b) and (c). webpki makes no such difference among names of hosts.
        let is_exempt = place > 0 && certificate.is_self_issued();
        let names = names(certificate).map_err(|NotDer| Broken::Name(place))?;
        for name in names.iter().filter(|name| !(is_exempt && is_ours(name.kind))) {
            let of_kind = || subtrees.iter().zip(&bases).filter(|(subtree, _)| subtree.kind == name.kind);
            let Some(_) = of_kind().next() else { continue };
            if let Some(kind) = not_compared(name.kind) {
                return Err(Broken::NotCompared(place, kind));
            }
            left = left.checked_sub(subtrees.len()).ok_or(Broken::TooMany)?;
            let form = name.form();
            let compared =
                |base: &Option<Vec<u8>>| Some(is_within(name.kind, form.as_ref()?, base.as_ref()?));
            let (mut is_permitted, mut is_wanted) = (false, false);
            for (subtree, base) in of_kind() {
                // What cannot be compared is within what is excluded, and outside what is permitted.
                if subtree.is_excluded && compared(base).unwrap_or(true) {
                    return Err(Broken::Name(place));
                }
                is_wanted |= !subtree.is_excluded;
                is_permitted |= !subtree.is_excluded && compared(base).unwrap_or(false);
            }
            if is_wanted && !is_permitted {
                return Err(Broken::Name(place));
            }
        }
    }
    Ok(())
}

/// A part of the names of one kind.
struct Subtree<'a> {
    is_excluded: bool,
    kind: u8,
    base: &'a [u8],
    whole: &'a [u8],
}

const PERMITTED: u8 = 0xa0;
const EXCLUDED: u8 = 0xa1;

/// The subtrees of an extension with this content, if it is written as DER writes it. They have no `minimum` and no `maximum` (RFC 5280 4.2.1.10).
fn subtrees(content: &[u8]) -> Result<Vec<Subtree<'_>>, NotDer> {
    let mut found = Vec::new();
    let mut lists = Reader::new(content);
    for (is_excluded, tag) in [(false, PERMITTED), (true, EXCLUDED)] {
        let mut list = Reader::new(lists.optional(tag)?.unwrap_or_default());
        while !list.is_empty() {
            let subtree = list.any()?;
            let mut fields = Reader::new(subtree.content);
            let base = fields.any()?;
            fields.end()?;
            let kind = base.tag & 0x1f;
            let tag = if kind == DIRECTORY { 0xa0 | kind } else { 0x80 | kind };
            if subtree.tag != der::SEQUENCE || (is_ours(kind) && base.tag != tag) {
                return Err(NotDer);
            }
            found.push(Subtree { is_excluded, kind, base: base.content, whole: subtree.whole });
        }
    }
    lists.end()?;
    if written(&found, |_| true) == content { Ok(found) } else { Err(NotDer) }
}

/// The content of an extension with those of these subtrees whose kind is kept.
fn written(subtrees: &[Subtree<'_>], is_kept: fn(u8) -> bool) -> Vec<u8> {
    let list = |is_excluded, tag| {
        let kept = subtrees.iter().filter(|it| it.is_excluded == is_excluded && is_kept(it.kind));
        let kept: Vec<u8> = kept.flat_map(|it| it.whole.iter().copied()).collect();
        if kept.is_empty() { Vec::new() } else { der::wrap(tag, &kept) }
    };
    [list(false, PERMITTED), list(true, EXCLUDED)].concat()
}

impl Subtree<'_> {
    /// The base in the form in which it is compared; `None` when it has none.
    fn form(&self) -> Option<Vec<u8>> {
        match self.kind {
            DIRECTORY => directory(self.base),
            MAIL if self.base.contains(&b'@') => mailbox(self.base),
            MAIL | URI => {
                let base = text(self.base)?;
                let host = base.strip_prefix('.').unwrap_or(&base);
                is_host(host).then(|| base.clone().into_bytes())
            }
            HOST => Some(String::from_utf8_lossy(self.base).to_ascii_lowercase().into_bytes()),
            _ => Some(self.base.to_vec()),
        }
    }
}

/// A name of a certificate.
struct Name<'a> {
    kind: u8,
    content: &'a [u8],
}

impl Name<'_> {
    /// The name in the form in which it is compared; `None` when it has none.
    fn form(&self) -> Option<Vec<u8>> {
        match self.kind {
            DIRECTORY => directory(self.content),
            MAIL => mailbox(self.content),
            URI => host_of(&text(self.content)?).map(|host| host.as_bytes().to_vec()),
            HOST => Some(String::from_utf8_lossy(self.content).to_ascii_lowercase().into_bytes()),
            _ => Some(self.content.to_vec()),
        }
    }
}

/// The subject of a certificate, if it has one, the mail addresses in it, and its alternative names.
fn names<'a>(certificate: &Certificate<'a>) -> Result<Vec<Name<'a>>, NotDer> {
    let mut found = Vec::new();
    if !certificate.subject.is_empty() {
        found.push(Name { kind: DIRECTORY, content: certificate.whole_subject });
    }
    if certificate.extensions.names.is_none() {
        // Where there are no alternative names (RFC 5280 4.2.1.10).
        let addresses = certificate::mail_addresses(certificate.subject);
        found.extend(addresses.map(|content| Name { kind: MAIL, content }));
    }
    let mut names = Reader::new(certificate.extensions.names.unwrap_or_default());
    while !names.is_empty() {
        let name = names.any()?;
        found.push(Name { kind: name.tag & 0x1f, content: name.content });
    }
    Ok(found)
}

/// A directory name in its canonical form.
fn directory(content: &[u8]) -> Option<Vec<u8>> {
    let mut outer = Reader::new(content);
    let name = outer.expect(der::SEQUENCE).ok()?;
    outer.end().ok()?;
    names::readable(name)
}

fn text(content: &[u8]) -> Option<String> {
    let text = content.is_ascii().then(|| String::from_utf8(content.to_vec()).ok())??;
    Some(text.to_ascii_lowercase())
}

/// A mail address with its host in lower case.
fn mailbox(content: &[u8]) -> Option<Vec<u8>> {
    let (local, host) = std::str::from_utf8(content).ok()?.split_once('@')?;
    let host = host.to_ascii_lowercase();
    let is_clear = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte);
    (!local.is_empty() && local.bytes().all(is_clear) && is_host(&host))
        .then(|| format!("{local}@{host}").into_bytes())
}

/// The host of a URI (RFC 3986 3.2). `None` when it has none, or an address, which no constraint is about.
fn host_of(uri: &str) -> Option<&str> {
    let (scheme, rest) = uri.split_once("://")?;
    let is_clear = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
    if scheme.contains([':', '/', '?', '#']) || !uri.bytes().all(is_clear) {
        return None;
    }
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => host,
        Some(_) => return None,
        None => host,
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    is_host(host).then_some(host)
}

/// Whether it is the name of a host and no address.
fn is_host(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let top = text.rsplit('.').next().unwrap_or_default();
    text.split('.').all(is_label) && !top.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a name is within a subtree of its kind.
fn is_within(kind: u8, name: &[u8], base: &[u8]) -> bool {
    match kind {
        DIRECTORY => name.starts_with(base),
        MAIL if base.contains(&b'@') => name == base,
        MAIL => {
            let host = name.iter().position(|byte| *byte == b'@').and_then(|at| name.get(at + 1..));
            host.is_some_and(|host| is_within(URI, host, base))
        }
        URI if base.starts_with(b".") => name.ends_with(base),
        URI => name == base,
        HOST => {
            let name = name.strip_prefix(b"*.").unwrap_or(name);
            let name = name.strip_suffix(b".").unwrap_or(name);
            let base = base.strip_prefix(b".").unwrap_or(base);
            let below = name.strip_suffix(base);
            base.is_empty() || below.is_some_and(|below| below.is_empty() || below.ends_with(b"."))
        }
        _ => is_in_net(name, base),
    }
}

fn is_in_net(address: &[u8], base: &[u8]) -> bool {
    let Some((net, mask)) = base
        .split_at_checked(base.len() / 2)
        .filter(|(net, mask)| net.len() == address.len() && mask.len() == net.len())
    else {
        return false;
    };
    address.iter().zip(net).zip(mask).all(|((address, net), mask)| address & mask == net & mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_is_within_what_its_host_is_within() {
        for (uri, base, expected) in [
            ("https://mgmt.example/x?y#z", "mgmt.example", true),
            ("HTTPS://a:b@MGMT.example.:8443", "mgmt.example", true),
            ("https://a.mgmt.example", "mgmt.example", false),
            ("https://a.mgmt.example", ".mgmt.example", true),
            ("https://a.b.mgmt.example", ".mgmt.example", true),
            ("https://mgmt.example", ".mgmt.example", false),
            ("https://mgmt.example@evil.example", "mgmt.example", false),
            ("https://evil.example/@mgmt.example", "mgmt.example", false),
            ("https://evil.example#@mgmt.example", "mgmt.example", false),
        ] {
            let (name, base) = (Name { kind: URI, content: uri.as_bytes() }, subtree(base));
            let (name, base) = (name.form().unwrap(), base.form().unwrap());
            assert_eq!(is_within(URI, &name, &base), expected, "{uri}");
        }
        for uri in [
            "",
            "urn:x",
            "mailto:a@mgmt.example",
            "https://",
            "https:///x",
            "https://192.0.2.7",
            "https://[2001:db8::1]/",
            "https://mgmt.example:x",
            "x:y://mgmt.example",
            "https://evil.example\\@mgmt.example",
            "https://mgmt.example\0",
            "https://a..b",
            "https://mgmt%2eexample",
            "https://b\u{fc}.example",
        ] {
            assert_eq!(Name { kind: URI, content: uri.as_bytes() }.form(), None, "{uri}");
        }
        for base in ["", ".", "192.0.2.7", "https://mgmt.example", "*.example"] {
            assert_eq!(subtree(base).form(), None, "{base}");
        }
    }

    #[test]
    fn a_mail_address_is_within_a_box_a_host_or_what_is_below_one() {
        for (name, base, expected) in [
            ("A@Corp.example", "A@corp.example", true),
            ("a@corp.example", "A@corp.example", false),
            ("a@corp.example", "corp.EXAMPLE", true),
            ("a@corp.example", ".example", true),
            ("a@corp.example", ".corp.example", false),
            ("a@notcorp.example", "corp.example", false),
        ] {
            let (name, base) =
                (Name { kind: MAIL, content: name.as_bytes() }, Subtree { kind: MAIL, ..subtree(base) });
            assert_eq!(is_within(MAIL, &name.form().unwrap(), &base.form().unwrap()), expected);
        }
        for name in
            ["", "@", "a@", "@corp.example", "a@b@corp.example", "\"a\"@corp.example", "a@[192.0.2.7]"]
        {
            assert_eq!(Name { kind: MAIL, content: name.as_bytes() }.form(), None, "{name}");
        }
    }

    fn subtree(base: &str) -> Subtree<'_> {
        Subtree { is_excluded: false, kind: URI, base: base.as_bytes(), whole: &[] }
    }
}
