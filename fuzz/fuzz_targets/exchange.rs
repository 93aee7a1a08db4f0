//! What a server sends over HTTP, in whatever pieces: the same answer or failure as in one piece, and within the limits.
#![no_main]

use std::time::Duration;

use homing::{client::Limits, fuzzing::take_in};
use libfuzzer_sys::{arbitrary, fuzz_target};

#[derive(arbitrary::Arbitrary, Debug)]
struct Input<'a> {
    /// Lengths of the pieces, over and over.
    cuts: [u8; 4],
    /// Small limits are met far more often than large ones.
    small: bool,
    /// The connection ended in good order.
    clean: bool,
    seconds: u32,
    text: &'a [u8],
}

fuzz_target!(|input: Input<'_>| {
    let limits = match input.small {
        true => Limits { head_bytes: 120, head_fields: 5, body_bytes: 20, tag_bytes: 5, ..Limits::default() },
        false => Limits::default(),
    };
    let wall = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(input.seconds.into());
    let mut pieces = Vec::new();
    let mut rest = input.text;
    for cut in input.cuts.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, left) = rest.split_at(rest.len().min(usize::from(*cut).max(1)));
        pieces.push(piece);
        rest = left;
    }
    let in_pieces = take_in(&pieces, input.clean, &limits, wall);
    let whole = take_in(&[input.text], input.clean, &limits, wall);
    // Which of two faults is seen first may depend on the pieces, that there is one may not.
    assert_eq!(in_pieces.map_err(drop), whole.map_err(drop));
});
