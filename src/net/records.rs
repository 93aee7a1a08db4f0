//! The records of a TLS connection, one by one, and how many of them carry nothing.
//!
//! A peer that has proved itself may still send without end what is no answer: session tickets, key updates, records
//! that are empty or hold one byte, padding. Each costs a decryption and perhaps a wake of the thread, and none ends an
//! exchange. So what carries nothing is counted, from one complete answer to the next, idle time included.

use crate::types::{Cause, Failure};

/// Bytes that carry nothing between two answers. Session tickets have a few hundred bytes each and two are common; a
/// whole 16 KiB of padding fits four times.
const BYTES: usize = 64 * 1024;

/// The same before the first: a chain of certificates, and the list of authorities that a server may ask one of.
const HANDSHAKE_BYTES: usize = 256 * 1024;

/// Records that carry nothing between two answers. A handshake takes about ten.
const RECORDS: usize = 256;

/// What the framing and the protection of one record cost, with room to spare: TLS 1.3 takes 22 bytes, TLS 1.2 up to 29.
const FRAMING: usize = 32;

/// Type, version, length.
const HEADER: usize = 5;

/// Follows the framing of records, and counts those that carry nothing.
pub(super) struct Records {
    /// As much of the header as is there.
    header: [u8; HEADER],
    header_length: usize,
    /// Bytes of the record that are still to come.
    due: usize,
    /// Bytes of plaintext it brought.
    plaintext: usize,
    /// Left until the next answer.
    bytes: usize,
    records: usize,
}

impl Records {
    /// A connection whose handshake has not begun.
    pub(super) fn new() -> Self {
        let (header, header_length, due, plaintext) = Default::default();
        Self { header, header_length, due, plaintext, bytes: HANDSHAKE_BYTES, records: RECORDS }
    }

    /// The handshake is over, or an answer is complete: the peer may send as much again that carries nothing.
    pub(super) fn renew(&mut self) {
        (self.bytes, self.records) = (BYTES, RECORDS);
    }

    /// How many of these bytes belong to the present record.
    pub(super) fn next(&mut self, bytes: &[u8]) -> usize {
        let missing = self.header.get_mut(self.header_length..).unwrap_or_default();
        let begun = !missing.is_empty();
        let mut taken = 0;
        for (place, byte) in missing.iter_mut().zip(bytes) {
            *place = *byte;
            taken += 1;
        }
        self.header_length += taken;
        if begun && self.header_length == HEADER {
            let [.., high, low] = self.header;
            self.due = usize::from(u16::from_be_bytes([high, low]));
        }
        let body = self.due.min(bytes.len() - taken);
        self.due -= body;
        taken + body
    }

    /// The bytes of [`next`](Self::next) brought so much plaintext. Fails when too much carried nothing.
    pub(super) fn brought(&mut self, plaintext: usize) -> Result<(), Failure> {
        self.plaintext += plaintext;
        if self.header_length < HEADER || self.due > 0 {
            return Ok(());
        }
        let [.., high, low] = self.header;
        let length = HEADER + usize::from(u16::from_be_bytes([high, low]));
        let carries_nothing = self.plaintext <= 1;
        let allowed = if carries_nothing { 0 } else { FRAMING };
        let waste = length.saturating_sub(self.plaintext + allowed);
        (self.header_length, self.plaintext) = (0, 0);
        let records = self.records.checked_sub(carries_nothing.into());
        let (Some(bytes), Some(records)) = (self.bytes.checked_sub(waste), records) else {
            return Err(Cause::EmptyRecords.into());
        };
        (self.bytes, self.records) = (bytes, records);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record with a body of this length.
    fn record(length: usize) -> Vec<u8> {
        let [high, low] = u16::try_from(length).unwrap().to_be_bytes();
        [&[23, 3, 3, high, low], vec![0; length].as_slice()].concat()
    }

    /// Lets these bytes come in pieces of this size; each record brings so much plaintext with its last byte.
    fn feed(records: &mut Records, bytes: &[u8], piece: usize, plaintext: usize) -> Result<usize, Failure> {
        let mut count = 0;
        for mut piece in bytes.chunks(piece) {
            while !piece.is_empty() {
                let taken = records.next(piece);
                piece = &piece[taken..];
                let is_complete = records.header_length == HEADER && records.due == 0;
                records.brought(if is_complete { plaintext } else { 0 })?;
                count += usize::from(is_complete);
            }
        }
        Ok(count)
    }

    #[test]
    fn records_are_told_apart_in_whatever_pieces_they_come() {
        let bytes = [record(100), record(0), record(16_401), record(1)].concat();
        for piece in [1, 2, 4, 5, 6, 7, 105, 4096, bytes.len()] {
            assert_eq!(feed(&mut Records::new(), &bytes, piece, 0).unwrap(), 4, "pieces of {piece}");
        }
    }

    #[test]
    fn what_carries_nothing_is_counted_in_records_and_in_bytes() {
        for (length, plaintext, most) in [
            (17, 0, Some(256)),
            (18, 1, Some(256)),
            (19, 2, None),
            // Padding: 16,406 bytes on the wire, of which 2 + 32 are no waste.
            (16_401, 2, Some(4)),
            (16_401, 16_384, None),
            // A ticket.
            (250, 0, Some(256)),
            (1_000, 0, Some(65)),
            // TLS 1.2 with its explicit nonce.
            (8 + 16 + 1400, 1400, None),
        ] {
            let mut records = Records::new();
            records.renew();
            let bytes = record(length);
            let count =
                (0..10_000).take_while(|_| feed(&mut records, &bytes, 4096, plaintext).is_ok()).count();
            assert_eq!(Some(count).filter(|count| *count < 10_000), most, "{length} with {plaintext}");
        }
    }

    #[test]
    fn an_answer_renews_what_may_be_sent() {
        let mut records = Records::new();
        for _ in 0..100 {
            records.renew();
            feed(&mut records, &record(17).repeat(256), 4096, 0).unwrap();
        }
        assert_eq!(feed(&mut records, &record(17), 4096, 0).unwrap_err().cause, Cause::EmptyRecords);
    }
}
