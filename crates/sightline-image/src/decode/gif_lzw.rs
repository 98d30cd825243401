//! GIF's variant of LZW.

/// Longest codes, in bits.
const LONGEST: u32 = 12;

/// Why no more indices come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The output is full.
    Full,
    /// An end code came before that.
    Ended,
    /// A code has no meaning.
    Broken,
}

/// Unpacks codes to indices.
pub(super) struct Lzw {
    /// Bits of an index.
    bits: u32,
    /// Bits of the next code.
    width: u32,
    /// For each code from the clear code on: the code of all but its last index, and that index.
    table: Vec<(u16, u8)>,
    /// The code before, and the first index it stood for.
    last: Option<(u16, u8)>,
    held: u32,
    held_bits: u32,
}

impl Lzw {
    /// For indices of `bits` bits; `None` if no GIF has so many.
    pub(super) fn new(bits: u8) -> Option<Self> {
        let bits = u32::from(bits);
        (bits < LONGEST).then(|| Self {
            bits,
            width: bits + 1,
            table: Vec::with_capacity(1 << LONGEST),
            last: None,
            held: 0,
            held_bits: 0,
        })
    }

    /// Unpacks one block behind `done` in `out`; `None` when it is used up.
    pub(super) fn unpack(&mut self, block: &[u8], out: &mut [u8], done: &mut usize) -> Option<Stop> {
        let clear = 1u16 << self.bits;
        for byte in block {
            self.held |= u32::from(*byte) << self.held_bits;
            self.held_bits += 8;
            while self.held_bits >= self.width {
                let code = (self.held & ((1 << self.width) - 1)) as u16;
                self.held >>= self.width;
                self.held_bits -= self.width;
                if code == clear {
                    self.table.clear();
                    self.last = None;
                    self.width = self.bits + 1;
                } else if code == clear + 1 {
                    return Some(Stop::Ended);
                } else if !self.write(code, clear, out, done) {
                    return Some(Stop::Broken);
                } else if *done == out.len() {
                    return Some(Stop::Full);
                }
            }
        }
        None
    }

    /// Writes what a code stands for and learns the next one; `false` if it stands for nothing.
    fn write(&mut self, code: u16, clear: u16, out: &mut [u8], done: &mut usize) -> bool {
        let next = clear as usize + 2 + self.table.len();
        let Some((last, last_first)) = self.last else {
            if code >= clear {
                return false;
            }
            out[*done] = code as u8;
            *done += 1;
            self.last = Some((code, code as u8));
            return true;
        };
        if usize::from(code) > next {
            return false;
        }
        // The code about to be learnt is the one before and its own first index.
        let (mut at, unlearnt) = if usize::from(code) == next {
            (last, true)
        } else {
            (code, false)
        };
        let start = *done;
        let mut length = usize::from(unlearnt);
        let mut walk = at;
        while walk > clear {
            length += 1;
            walk = self.table[usize::from(walk - clear - 2)].0;
        }
        length += 1;
        let first = walk as u8;
        let mut end = start + length;
        *done = end.min(out.len());
        if unlearnt {
            end -= 1;
            if let Some(slot) = out.get_mut(end) {
                *slot = last_first;
            }
        }
        while at > clear {
            let (before, index) = self.table[usize::from(at - clear - 2)];
            end -= 1;
            if let Some(slot) = out.get_mut(end) {
                *slot = index;
            }
            at = before;
        }
        if let Some(slot) = out.get_mut(start) {
            *slot = first;
        }
        if next < 1 << LONGEST {
            self.table.push((last, first));
            if next + 1 == 1 << self.width && self.width < LONGEST {
                self.width += 1;
            }
        }
        self.last = Some((code, first));
        true
    }
}
