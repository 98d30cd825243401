//! The stack machine's state: input, stack, marks, memo, arena, and the budget that bounds them.

use super::PickleError;
use super::node::{Item, Node, StorageKey};
use crate::storage::Storage;
use std::collections::HashMap;
use std::sync::Arc;

/// Entries on the stack; Python's own writer stays far below (it appends in batches of 1000).
const STACK_LIMIT: usize = 2 << 20;
/// Memory that a pickle may use beyond [`BUDGET_PER_BYTE`] times its size.
const BUDGET_BASE: usize = 160 << 20;
const BUDGET_PER_BYTE: usize = 20;
/// What a node costs in the arena, while it becomes a part of the tree, and there.
const NODE_COST: usize = 96;
/// How far a memo number may lie beyond those before it to be kept in a plain list (Python 2 counts from 1).
const MEMO_GAP: usize = 64;

/// What persistent ids mean.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Ids {
    /// Nothing: a plain pickle has none.
    Refused,
    /// Torch's storages.
    Torch,
}

/// A pickle while it is read.
pub(crate) struct Machine {
    pub(super) input: Storage,
    /// The next byte.
    pub(super) at: usize,
    /// Where the present opcode is, for messages.
    pub(super) opcode_at: usize,
    pub(super) stack: Vec<Item>,
    pub(super) marks: Vec<usize>,
    memo: Vec<Option<Item>>,
    far_memo: HashMap<u64, Item>,
    /// Values in both memos: the number that MEMOIZE gives.
    memorised: u64,
    pub(super) nodes: Vec<Node>,
    pub(super) ids: Ids,
    pub(super) keys: Vec<StorageKey>,
    pub(super) key_numbers: HashMap<String, usize>,
    spent: usize,
    budget: usize,
    pub(super) slots: usize,
}

/// A pickle that was read to its end: the arena, and the storages it names.
pub(crate) struct Program {
    pub(super) input: Storage,
    pub(super) nodes: Vec<Node>,
    pub(super) root: Item,
    pub(super) keys: Vec<StorageKey>,
    pub(super) end: usize,
    pub(super) slots: usize,
    /// Bytes of keys that were hashed.
    pub(super) hashed: usize,
}

impl Program {
    /// The position after the pickle's last byte.
    pub(crate) fn end(&self) -> usize {
        self.end
    }

    /// The storages that the pickle names.
    pub(crate) fn keys(&self) -> &[StorageKey] {
        &self.keys
    }
}

impl Machine {
    /// Reads the pickle that begins at byte `at` of `input`, up to its STOP. `size` is what it takes in its file,
    /// which justifies what it may build (less than `input` if that was unpacked).
    pub(crate) fn run(input: &Storage, at: usize, size: usize, ids: Ids) -> Result<Program, PickleError> {
        let mut machine = Self {
            input: input.clone(),
            at,
            opcode_at: at,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: Vec::new(),
            far_memo: HashMap::new(),
            memorised: 0,
            nodes: Vec::new(),
            ids,
            keys: Vec::new(),
            key_numbers: HashMap::new(),
            spent: 0,
            budget: size.saturating_mul(BUDGET_PER_BYTE).saturating_add(BUDGET_BASE),
            slots: 0,
        };
        loop {
            machine.opcode_at = machine.at;
            let opcode = machine.byte()?;
            if let Some(root) = machine.step(opcode)? {
                return Ok(Program {
                    input: machine.input,
                    nodes: machine.nodes,
                    root,
                    keys: machine.keys,
                    end: machine.at,
                    slots: machine.slots,
                    hashed: 0,
                });
            }
        }
    }

    /// Reads the pickle that fills `input`.
    pub(crate) fn run_all(input: &Storage, size: usize, ids: Ids) -> Result<Program, PickleError> {
        let program = Self::run(input, 0, size, ids)?;
        let left = input.len() - program.end;
        if left > 0 {
            return Err(PickleError::Damaged {
                at: program.end,
                what: format!(
                    "the pickle ends here but {left} bytes follow; several pickles in one file are not read"
                ),
            });
        }
        Ok(program)
    }

    pub(super) fn damaged(&self, what: impl Into<String>) -> PickleError {
        PickleError::Damaged {
            at: self.opcode_at,
            what: what.into(),
        }
    }

    pub(super) fn excess(&self, what: impl Into<String>) -> PickleError {
        PickleError::Excess {
            at: self.opcode_at,
            what: what.into(),
        }
    }

    /// Counts memory against what the pickle's size justifies.
    pub(super) fn charge(&mut self, bytes: usize) -> Result<(), PickleError> {
        self.spent = self.spent.saturating_add(bytes);
        if self.spent > self.budget {
            return Err(self.excess("it builds far more than its size justifies"));
        }
        Ok(())
    }

    /// Counts what a constructor copies. Doubly: a call of a few bytes may copy something large again and again.
    pub(super) fn charge_copy(&mut self, bytes: usize) -> Result<(), PickleError> {
        self.charge(bytes.saturating_mul(2))
    }

    /// Counts entries of a container.
    pub(super) fn charge_slots(&mut self, slots: usize) -> Result<(), PickleError> {
        self.slots += slots;
        // The entries, and their own piece of memory.
        self.charge(slots.saturating_mul(size_of::<Item>()) + 16)
    }

    // ---- input

    pub(super) fn take(&mut self, count: u64) -> Result<&[u8], PickleError> {
        let (start, end) = self.span(count)?;
        Ok(&self.input.bytes()[start..end])
    }

    /// Start and end of the next `count` bytes, which are consumed.
    pub(super) fn span(&mut self, count: u64) -> Result<(usize, usize), PickleError> {
        let left = self.input.len() - self.at;
        match usize::try_from(count) {
            Ok(count) if count <= left => {
                let start = self.at;
                self.at += count;
                Ok((start, self.at))
            }
            _ => Err(self.damaged(format!("{count} bytes are announced but only {left} follow"))),
        }
    }

    pub(super) fn byte(&mut self) -> Result<u8, PickleError> {
        match self.input.bytes().get(self.at) {
            Some(byte) => {
                self.at += 1;
                Ok(*byte)
            }
            None => Err(self.damaged("it ends before its STOP")),
        }
    }

    pub(super) fn number<const N: usize>(&mut self) -> Result<u64, PickleError> {
        let mut bytes = [0; 8];
        bytes[..N].copy_from_slice(self.take(N as u64)?);
        Ok(u64::from_le_bytes(bytes))
    }

    /// The next line, without its newline.
    pub(super) fn line(&mut self) -> Result<(usize, usize), PickleError> {
        let rest = &self.input.bytes()[self.at..];
        let Some(length) = rest.iter().position(|byte| *byte == b'\n') else {
            return Err(self.damaged("a line has no end"));
        };
        let start = self.at;
        self.at += length + 1;
        Ok((start, start + length))
    }

    /// The next line as text.
    pub(super) fn text_line(&mut self) -> Result<String, PickleError> {
        let (start, end) = self.line()?;
        if end - start > 1 << 16 {
            return Err(self.damaged("a name or number is longer than 65536 characters"));
        }
        let bytes = &self.input.bytes()[start..end];
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(self.damaged("a line is not valid text")),
        }
    }

    /// The next `count` bytes as a part of the input: no copy.
    pub(super) fn bytes_part(&mut self, count: u64) -> Result<Storage, PickleError> {
        let (start, end) = self.span(count)?;
        self.input
            .part(start, end - start)
            .ok_or_else(|| self.damaged("bytes lie outside the file"))
    }

    // ---- stack

    pub(super) fn mark(&mut self) -> Result<(), PickleError> {
        if self.marks.len() >= STACK_LIMIT {
            return Err(self.excess(format!("it sets more than {STACK_LIMIT} marks at once")));
        }
        self.marks.push(self.stack.len());
        Ok(())
    }

    pub(super) fn push(&mut self, item: Item) -> Result<(), PickleError> {
        if self.stack.len() >= STACK_LIMIT {
            return Err(self.excess(format!("it holds more than {STACK_LIMIT} values at once")));
        }
        self.stack.push(item);
        Ok(())
    }

    pub(super) fn push_node(&mut self, node: Node) -> Result<(), PickleError> {
        let item = self.node(node)?;
        self.push(item)
    }

    pub(super) fn node(&mut self, node: Node) -> Result<Item, PickleError> {
        self.charge(NODE_COST)?;
        let number = u32::try_from(self.nodes.len()).map_err(|_| self.excess("it has too many values"))?;
        self.nodes.push(node);
        Ok(Item::Node(number))
    }

    pub(super) fn owned_text(&mut self, text: &str) -> Result<Item, PickleError> {
        self.charge(text.len())?;
        self.node(Node::OwnedText(Arc::from(text)))
    }

    /// Takes the top of the stack, above the last mark.
    pub(super) fn pop(&mut self) -> Result<Item, PickleError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err(self.damaged("a value is wanted where the stack has none"));
        }
        self.stack
            .pop()
            .ok_or_else(|| self.damaged("a value is wanted where the stack has none"))
    }

    pub(super) fn top(&self) -> Result<Item, PickleError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.last() {
            Some(item) if self.stack.len() > floor => Ok(*item),
            _ => Err(self.damaged("a value is wanted where the stack has none")),
        }
    }

    /// Takes everything above the last mark, and the mark.
    pub(super) fn pop_mark(&mut self) -> Result<Vec<Item>, PickleError> {
        match self.marks.pop() {
            Some(start) => Ok(self.stack.split_off(start)),
            None => Err(self.damaged("a mark is wanted but none was set")),
        }
    }

    // ---- memo

    pub(super) fn remember(&mut self, number: Option<u64>) -> Result<(), PickleError> {
        let item = self.top()?;
        let number = number.unwrap_or(self.memorised);
        let near = usize::try_from(number)
            .ok()
            .filter(|near| *near <= self.memo.len() + MEMO_GAP);
        let before = if let Some(near) = near {
            let missing = (near + 1).saturating_sub(self.memo.len());
            self.charge(missing * size_of::<Item>())?;
            if missing > 0 {
                self.memo.resize(near + 1, None);
            }
            self.memo[near].replace(item)
        } else {
            self.charge(8 * size_of::<Item>())?;
            self.far_memo.insert(number, item)
        };
        self.memorised += u64::from(before.is_none());
        Ok(())
    }

    pub(super) fn recall(&mut self, number: u64) -> Result<(), PickleError> {
        let found = usize::try_from(number)
            .ok()
            .and_then(|number| self.memo.get(number).copied().flatten())
            .or_else(|| self.far_memo.get(&number).copied());
        match found {
            Some(item) => self.push(item),
            None => Err(self.damaged(format!("value {number} of the memo was never stored"))),
        }
    }

    // ---- looking at values

    pub(super) fn get(&self, item: Item) -> Option<&Node> {
        match item {
            Item::Node(number) => self.nodes.get(number as usize),
            _ => None,
        }
    }

    pub(super) fn get_mut(&mut self, item: Item) -> Option<&mut Node> {
        match item {
            Item::Node(number) => self.nodes.get_mut(number as usize),
            _ => None,
        }
    }

    /// The text of a value if it is a name: at most 256 bytes, so that naming it often stays cheap.
    pub(super) fn name(&self, item: Item) -> Option<String> {
        let text = match self.get(item)? {
            Node::OldText(bytes) if bytes.len() <= 256 => latin1(bytes),
            Node::Text(_, length) if *length > 256 => return None,
            _ => self.text(item).filter(|text| text.len() <= 256)?.to_owned(),
        };
        Some(text)
    }

    /// The text of a value (but Python 2's, which are bytes).
    pub(super) fn text(&self, item: Item) -> Option<&str> {
        match self.get(item)? {
            Node::Text(start, length) => std::str::from_utf8(self.input.get(*start..*start + *length)?).ok(),
            Node::OwnedText(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn tuple(&self, item: Item) -> Option<&[Item]> {
        match self.get(item)? {
            Node::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// A tuple (or `torch.Size`) of lengths.
    pub(super) fn lengths(&self, item: Item) -> Option<Vec<usize>> {
        let length = |item: &Item| match item {
            Item::Int(number) => usize::try_from(*number).ok(),
            _ => None,
        };
        match self.get(item)? {
            Node::Tuple(items) if items.len() <= 64 => items.iter().map(length).collect(),
            Node::Size(sizes) if sizes.len() <= 64 => {
                sizes.iter().map(|size| usize::try_from(*size).ok()).collect()
            }
            _ => None,
        }
    }
}

/// Bytes as the text that Python reads when each is a character.
pub(super) fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}
