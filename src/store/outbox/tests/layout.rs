//! The bytes on the disk, read by the tables of `docs/outbox-format.md` and by nothing of the outbox.

use std::fs;

use crc32fast::Hasher;
use siphasher::sip::SipHasher24;

use super::*;

fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    bytes[at..at + length].iter().rev().fold(0_u64, |number, &byte| number << 8 | u64::from(byte))
}

fn salted(salt: u32, bytes: &[u8]) -> u64 {
    let mut hasher = Hasher::new_with_initial(salt);
    hasher.update(bytes);
    hasher.finalize().into()
}

/// Ends with the CRC-32 of all before it.
fn assert_closed(bytes: &[u8]) {
    let end = bytes.len() - 4;
    assert_eq!(number(bytes, end, 4), u64::from(crc32fast::hash(&bytes[..end])));
}

#[test]
fn the_files_are_laid_out_as_their_page_says() {
    let folder = scratch();
    let path = folder.path().join("outbox");
    let outbox = open(&path, &Watch::new());
    outbox.learn_applications(true);
    for (code, kind) in (1_u8..).zip(ReportKind::ALL) {
        submit(&outbox, kind, [b'b', code]);
    }
    drop(outbox);
    let read = |name: &str| fs::read(path.join(name)).unwrap();

    let mut codes = Vec::new();
    for name in names(&path).iter().filter(|name| name.contains('-')) {
        let [lane, opening, series, count] = name.split('-').collect::<Vec<_>>()[..] else {
            panic!("{name}")
        };
        assert_eq!((opening.len(), series.len(), count.len()), (8, 16, 8), "{name}");
        let series = u64::from_str_radix(series, 16).unwrap();
        let bytes = read(name);
        assert_eq!((&bytes[..8], number(&bytes, 8, 4), number(&bytes, 12, 4)), (&b"HOMINGOB"[..], 1, 0));
        assert_eq!((number(&bytes, 16, 8), number(&bytes, 32, 4)), (series, 0));
        assert_eq!(number(&bytes, 36, 4), u64::from(crc32fast::hash(&bytes[..36])));

        let salt = crc32fast::hash(&[lane.as_bytes(), &series.to_le_bytes()].concat());
        let (mut expected, mut rest) = (number(&bytes, 24, 8), &bytes[40..]);
        while !rest.is_empty() {
            let length = usize::try_from(number(rest, 4, 4)).unwrap();
            let (entry, next) = rest.split_at(32 + length);
            assert_eq!(number(entry, 0, 4), salted(salt, &entry[4..32]));
            assert_eq!((number(entry, 8, 8), number(entry, 16, 8)), (expected, 1_800_000_000));
            assert_eq!((&entry[25..28], &entry[32..]), (&[0; 3][..], &[b'b', entry[24]][..]));
            assert_eq!(number(entry, 28, 4), salted(salt, &[&entry[8..16], &entry[32..]].concat()));
            codes.push(entry[24]);
            (expected, rest) = (expected + 1, next);
        }
    }
    codes.sort_unstable();
    assert_eq!(codes, [1, 2, 3, 4, 5, 6, 7]);

    let outbox = open(&path, &Watch::new());
    for lane in Lane::ALL {
        drain(&outbox, lane);
    }
    drop(outbox);
    let head = read("head");
    assert_eq!((&head[..8], number(&head, 8, 4), number(&head, 12, 4)), (&b"HOMINGOH"[..], 1, 2));
    assert_eq!(head.len() as u64, 24 + 24 * number(&head, 16, 8) + 4);
    assert_closed(&head);

    let learned = read("learned");
    assert_eq!((&learned[..8], number(&learned, 8, 8)), (&b"HOMINGOL"[..], 1));
    let mut hasher = SipHasher24::new_with_keys(number(&learned, 16, 8), number(&learned, 24, 8));
    std::hash::Hasher::write(&mut hasher, b"b\x07");
    assert_eq!((number(&learned, 32, 8), learned.len()), (std::hash::Hasher::finish(&hasher), 32 + 8 + 4));
    assert_closed(&learned);
}
