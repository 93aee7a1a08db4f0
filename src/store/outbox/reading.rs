//! The next entries of a lane, on their way into a batch. What to read is planned with the lane's lock, and read without it: a disk
//! may take half a minute, and neither submits nor looks at the lane wait for that.

use std::fs::File;
use std::io;
use std::ops::Range;

use super::segment_name::SegmentName;
use super::shelf::Shelf;
use crate::types::Series;

/// Entries of one series that follow each other.
pub(super) struct Reading {
    pub(super) series: Series,
    /// The number of the first one.
    pub(super) first: u64,
    /// The report before it that waits and is left out.
    pub(super) without: Option<u64>,
    pub(super) pieces: Vec<Piece>,
    /// At most so many bytes of a batch.
    pub(super) at_most: usize,
}

/// Those of one segment.
pub(super) struct Piece {
    /// Its id.
    pub(super) segment: u64,
    /// Each with its number and where its bytes are in `bytes`, when all is read; holes left out.
    pub(super) entries: Vec<(u64, Range<usize>)>,
    /// Bytes of a batch, at least.
    pub(super) in_batch: u64,
    /// The segment has no more behind them.
    pub(super) is_last: bool,
    pub(super) in_file: Option<InFile>,
    /// Until the file was read: what was in memory.
    pub(super) bytes: Vec<u8>,
}

/// The part of them that is in the file, before the part in memory.
pub(super) struct InFile {
    pub(super) name: SegmentName,
    pub(super) at: u64,
    pub(super) length: u64,
    /// Opened when it is first needed.
    pub(super) file: Option<File>,
}

impl Reading {
    /// Reads all of it; in the end the pieces that could be read are left, and what is the matter with the next one.
    pub(super) fn read(&mut self, mut shelf: Option<Shelf>) -> Option<(Piece, io::Error)> {
        for index in 0..self.pieces.len() {
            if let Err(error) = self.pieces[index].read(shelf.as_mut()) {
                let failed = self.pieces.drain(index..).next()?;
                return Some((failed, error));
            }
        }
        None
    }
}

impl Piece {
    fn read(&mut self, shelf: Option<&mut Shelf>) -> io::Result<()> {
        let Some(InFile { name, at, length, file }) = &mut self.in_file else { return Ok(()) };
        let shelf = shelf.ok_or(io::ErrorKind::NotFound)?;
        let file = match file {
            Some(file) => file,
            None => file.insert(shelf.open(&name.to_string())?),
        };
        let mut bytes = shelf.read_at(file, *at, *length)?;
        if bytes.len() as u64 != *length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.append(&mut self.bytes);
        self.bytes = bytes;
        Ok(())
    }
}
