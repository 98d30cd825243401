//! Inflating zlib data that arrives in pieces, with what is known when it breaks off.

use flate2::{Decompress, FlushDecompress, Status};

/// How a stream of zlib data goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// More bytes may come.
    Open,
    /// The stream has ended, its checksum was right.
    Ended,
    /// The stream is no zlib data from here on, or its checksum is wrong.
    Broken,
}

/// Reads zlib data from several pieces of a file as if they were one.
pub(super) struct Inflate<'a, I: Iterator<Item = &'a [u8]>> {
    pieces: I,
    piece: &'a [u8],
    zlib: Decompress,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    state: State,
    /// The last step filled the buffer, so that more may come without more input.
    held_back: bool,
}

impl<'a, I: Iterator<Item = &'a [u8]>> Inflate<'a, I> {
    pub(super) fn new(pieces: I) -> Self {
        Self {
            pieces,
            piece: &[],
            zlib: Decompress::new(true),
            buffer: vec![0; 1 << 16],
            start: 0,
            end: 0,
            state: State::Open,
            held_back: false,
        }
    }

    /// Fills `out` as far as there is data; the number of bytes written is smaller only when no more can come.
    pub(super) fn read(&mut self, out: &mut [u8]) -> usize {
        let mut done = 0;
        while done < out.len() {
            if self.start == self.end && !self.refill() {
                break;
            }
            let count = (out.len() - done).min(self.end - self.start);
            out[done..done + count].copy_from_slice(&self.buffer[self.start..self.start + count]);
            self.start += count;
            done += count;
        }
        done
    }

    /// What follows the bytes read so far, as far as the piece they came from tells.
    pub(super) fn state(&mut self) -> State {
        if self.start == self.end && !self.piece.is_empty() && self.state == State::Open {
            self.step();
        }
        if self.start < self.end {
            State::Open
        } else {
            self.state
        }
    }

    /// Inflates on; `false` when no byte came.
    fn refill(&mut self) -> bool {
        (self.start, self.end) = (0, 0);
        while self.state == State::Open && self.end == 0 {
            if self.piece.is_empty() && !self.held_back {
                match self.pieces.next() {
                    Some(piece) => self.piece = piece,
                    None => return false,
                }
            }
            self.step();
        }
        self.end > 0
    }

    /// Inflates what the empty buffer takes of the current piece.
    fn step(&mut self) {
        let (before_in, before_out) = (self.zlib.total_in(), self.zlib.total_out());
        let result = self
            .zlib
            .decompress(self.piece, &mut self.buffer, FlushDecompress::None);
        self.piece = &self.piece[(self.zlib.total_in() - before_in) as usize..];
        (self.start, self.end) = (0, (self.zlib.total_out() - before_out) as usize);
        self.held_back = self.end == self.buffer.len();
        match result {
            Ok(Status::StreamEnd) => self.state = State::Ended,
            // Without progress the loop above would not end.
            Ok(_) if self.end == 0 && self.zlib.total_in() == before_in && !self.piece.is_empty() => {
                self.state = State::Broken;
            }
            Ok(_) => {}
            Err(_) => self.state = State::Broken,
        }
    }
}
