//! One step of the machine: every opcode of protocols 0 to 5.

use super::PickleError;
use super::machine::{Ids, Machine, latin1};
use super::node::{Item, Node};
use super::numbers;
use crate::storage::Storage;
use std::sync::Arc;

impl Machine {
    /// Runs one opcode; gives the pickle's value at STOP.
    #[allow(clippy::too_many_lines)] // one arm for each opcode
    pub(super) fn step(&mut self, opcode: u8) -> Result<Option<Item>, PickleError> {
        match opcode {
            // PROTO, FRAME
            0x80 => {
                let protocol = self.byte()?;
                if protocol > 5 {
                    return Err(self.damaged(format!("protocol {protocol} is not known")));
                }
            }
            0x95 => {
                let length = self.number::<8>()?;
                let left = (self.input.len() - self.at) as u64;
                if length > left {
                    return Err(self.damaged(format!(
                        "a frame of {length} bytes is announced but {left} follow"
                    )));
                }
            }
            b'.' => {
                let root = self.pop()?;
                if !self.stack.is_empty() || !self.marks.is_empty() {
                    return Err(self.damaged("values are left over at its end"));
                }
                return Ok(Some(root));
            }

            // the stack
            b'0' => {
                if self.marks.last() == Some(&self.stack.len()) {
                    self.marks.pop();
                } else {
                    self.pop()?;
                }
            }
            b'1' => drop(self.pop_mark()?),
            b'2' => {
                let top = self.top()?;
                self.push(top)?;
            }
            b'(' => self.mark()?,

            // the memo
            b'p' => {
                let number = self.decimal()?;
                self.remember(Some(number))?;
            }
            b'q' => {
                let number = self.number::<1>()?;
                self.remember(Some(number))?;
            }
            b'r' => {
                let number = self.number::<4>()?;
                self.remember(Some(number))?;
            }
            0x94 => self.remember(None)?,
            b'g' => {
                let number = self.decimal()?;
                self.recall(number)?;
            }
            b'h' => {
                let number = self.number::<1>()?;
                self.recall(number)?;
            }
            b'j' => {
                let number = self.number::<4>()?;
                self.recall(number)?;
            }

            // plain values
            b'N' => self.push(Item::None)?,
            0x88 => self.push(Item::Bool(true))?,
            0x89 => self.push(Item::Bool(false))?,
            b'I' => {
                let line = self.text_line()?;
                match line.as_str() {
                    "00" => self.push(Item::Bool(false))?,
                    "01" => self.push(Item::Bool(true))?,
                    digits => self.whole_number(digits)?,
                }
            }
            b'L' => {
                let line = self.text_line()?;
                self.whole_number(line.strip_suffix('L').unwrap_or(&line))?;
            }
            b'J' => {
                let number = self.number::<4>()? as u32 as i32;
                self.push(Item::Int(number.into()))?;
            }
            b'K' => {
                let number = self.byte()?;
                self.push(Item::Int(number.into()))?;
            }
            b'M' => {
                let number = self.number::<2>()?;
                self.push(Item::Int(number as i64))?;
            }
            0x8a => {
                let length = self.number::<1>()?;
                self.long(length)?;
            }
            0x8b => {
                let length = self.length4()?;
                self.long(length)?;
            }
            b'F' => {
                let line = self.text_line()?;
                match line.trim().parse() {
                    Ok(number) => self.push(Item::Float(number))?,
                    Err(_) => return Err(self.damaged("a float cannot be read")),
                }
            }
            b'G' => {
                let bits = self.number::<8>()?.swap_bytes();
                self.push(Item::Float(f64::from_bits(bits)))?;
            }

            // texts and bytes
            b'S' => self.quoted_text()?,
            b'T' => {
                let length = self.length4()?;
                let part = self.bytes_part(length)?;
                self.push_node(Node::OldText(part))?;
            }
            b'U' => {
                let length = self.number::<1>()?;
                let part = self.bytes_part(length)?;
                self.push_node(Node::OldText(part))?;
            }
            b'V' => self.escaped_text()?,
            b'X' => {
                let length = self.number::<4>()?;
                self.utf8_text(length)?;
            }
            0x8c => {
                let length = self.number::<1>()?;
                self.utf8_text(length)?;
            }
            0x8d => {
                let length = self.number::<8>()?;
                self.utf8_text(length)?;
            }
            b'B' => {
                let length = self.number::<4>()?;
                self.bytes(length)?;
            }
            b'C' => {
                let length = self.number::<1>()?;
                self.bytes(length)?;
            }
            0x8e | 0x96 => {
                let length = self.number::<8>()?;
                self.bytes(length)?;
            }

            // containers
            b']' => self.push_node(Node::List(Vec::new()))?,
            b')' => self.push_node(Node::Tuple(Box::default()))?,
            b'}' => self.push_node(Node::Dict(Vec::new()))?,
            0x8f => self.push_node(Node::Set(Vec::new()))?,
            b'l' => {
                let items = self.pop_mark()?;
                self.charge_slots(items.len())?;
                self.push_node(Node::List(items))?;
            }
            b't' => {
                let items = self.pop_mark()?;
                self.push_tuple(&items)?;
            }
            0x85 => {
                let one = self.pop()?;
                self.push_tuple(&[one])?;
            }
            0x86 => {
                let two = self.pop()?;
                let one = self.pop()?;
                self.push_tuple(&[one, two])?;
            }
            0x87 => {
                let three = self.pop()?;
                let two = self.pop()?;
                let one = self.pop()?;
                self.push_tuple(&[one, two, three])?;
            }
            b'd' => {
                let items = self.pop_mark()?;
                let pairs = self.pairs(&items)?;
                self.push_node(Node::Dict(pairs))?;
            }
            0x91 => {
                let items = self.pop_mark()?;
                self.charge_slots(items.len())?;
                self.push_node(Node::Set(items))?;
            }
            b'a' => {
                let item = self.pop()?;
                self.append(&[item])?;
            }
            b'e' => {
                let items = self.pop_mark()?;
                self.append(&items)?;
            }
            0x90 => {
                let items = self.pop_mark()?;
                self.charge_slots(items.len())?;
                let target = self.top()?;
                match self.get_mut(target) {
                    Some(Node::Set(set)) => set.extend(items),
                    _ => return Err(self.damaged("elements are added to something that is no set")),
                }
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set_items(&[key, value])?;
            }
            b'u' => {
                let items = self.pop_mark()?;
                self.set_items(&items)?;
            }

            // names, and what is done with them
            b'c' => {
                let module = self.text_line()?;
                let name = self.text_line()?;
                self.global(&module, &name)?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                match (self.name(module), self.name(name)) {
                    (Some(module), Some(name)) => self.global(&module, &name)?,
                    _ => return Err(self.damaged("a name is not a text")),
                }
            }
            b'R' => {
                let arguments = self.pop()?;
                let callable = self.pop()?;
                let made = self.reduce(callable, arguments)?;
                self.push(made)?;
            }
            b'b' => {
                let state = self.pop()?;
                let target = self.top()?;
                self.build(target, state)?;
            }
            0x81 => {
                let arguments = self.pop()?;
                let class = self.pop()?;
                self.new_object(class, arguments, None)?;
            }
            0x92 => {
                let keywords = self.pop()?;
                let arguments = self.pop()?;
                let class = self.pop()?;
                self.new_object(class, arguments, Some(keywords))?;
            }
            b'i' => {
                let module = self.text_line()?;
                let name = self.text_line()?;
                let arguments = self.pop_mark()?;
                self.global(&module, &name)?;
                let class = self.pop()?;
                self.instance(class, &arguments)?;
            }
            b'o' => {
                let mut arguments = self.pop_mark()?;
                if arguments.is_empty() {
                    return Err(self.damaged("an object has no class"));
                }
                let class = arguments.remove(0);
                self.instance(class, &arguments)?;
            }
            0x82..=0x84 => {
                let code = match opcode {
                    0x82 => self.number::<1>()?,
                    0x83 => self.number::<2>()?,
                    _ => self.number::<4>()?,
                };
                return Err(PickleError::Global {
                    name: format!("extension code {code}"),
                    advice: super::globals::advice(""),
                });
            }

            // what lies outside the pickle
            b'P' => {
                self.text_line()?;
                return Err(self.damaged("it refers to something outside itself by a text id"));
            }
            b'Q' => {
                let id = self.pop()?;
                if self.ids == Ids::Refused {
                    return Err(self.damaged(
                        "it refers to something outside itself (a persistent id), which a plain pickle cannot have",
                    ));
                }
                let storage = self.torch_storage(id)?;
                self.push(storage)?;
            }
            0x97 | 0x98 => return Err(self.damaged("it refers to buffers outside itself")),
            _ => return Err(self.damaged(format!("opcode 0x{opcode:02x} is not known"))),
        }
        Ok(None)
    }

    // ---- numbers

    /// A four-byte length that older writers signed.
    fn length4(&mut self) -> Result<u64, PickleError> {
        let length = self.number::<4>()? as u32 as i32;
        u64::try_from(length).map_err(|_| self.damaged("a length is negative"))
    }

    fn decimal(&mut self) -> Result<u64, PickleError> {
        let line = self.text_line()?;
        line.trim()
            .parse()
            .map_err(|_| self.damaged("a memo number cannot be read"))
    }

    fn whole_number(&mut self, digits: &str) -> Result<(), PickleError> {
        match numbers::from_decimal(digits.trim()) {
            Some(Ok(number)) => self.push(Item::Int(number)),
            Some(Err(text)) => {
                self.charge(text.len())?;
                self.push_node(Node::BigInt(Arc::from(text)))
            }
            None => Err(self.damaged("a whole number cannot be read, or has more than 160 digits")),
        }
    }

    fn long(&mut self, length: u64) -> Result<(), PickleError> {
        if length > numbers::MAX_BYTES {
            return Err(self.damaged(format!(
                "a whole number has {length} bytes; at most {} are read",
                numbers::MAX_BYTES
            )));
        }
        match numbers::from_little_endian(self.take(length)?) {
            Ok(number) => self.push(Item::Int(number)),
            Err(text) => {
                self.charge(text.len())?;
                self.push_node(Node::BigInt(Arc::from(text)))
            }
        }
    }

    // ---- texts

    fn utf8_text(&mut self, length: u64) -> Result<(), PickleError> {
        let (start, end) = self.span(length)?;
        if std::str::from_utf8(&self.input.bytes()[start..end]).is_err() {
            return Err(self.damaged("a text is not valid UTF-8"));
        }
        self.push_node(Node::Text(start, end - start))
    }

    fn bytes(&mut self, length: u64) -> Result<(), PickleError> {
        let part = self.bytes_part(length)?;
        self.push_node(Node::Bytes(part))
    }

    /// STRING: Python 2's `repr` of a byte string.
    fn quoted_text(&mut self) -> Result<(), PickleError> {
        let (start, end) = self.line()?;
        let line = self.input.bytes()[start..end].trim_ascii();
        let inner = match line {
            [first @ (b'"' | b'\''), inner @ .., last] if first == last => inner,
            _ => return Err(self.damaged("a text has no quotes")),
        };
        match numbers::unescape(inner) {
            Some(bytes) => {
                self.charge(bytes.len())?;
                self.push_node(Node::OldText(Storage::from_vec(bytes)))
            }
            None => Err(self.damaged("a text has an escape that cannot be read")),
        }
    }

    /// UNICODE: latin-1 with \u and \U escapes.
    fn escaped_text(&mut self) -> Result<(), PickleError> {
        let (start, end) = self.line()?;
        let text = latin1(&self.input.bytes()[start..end]);
        match numbers::unescape_unicode(&text) {
            Some(text) => {
                let item = self.owned_text(&text)?;
                self.push(item)
            }
            None => Err(self.damaged("a text has an escape that cannot be read")),
        }
    }

    // ---- containers

    fn push_tuple(&mut self, items: &[Item]) -> Result<(), PickleError> {
        self.charge_slots(items.len())?;
        self.push_node(Node::Tuple(items.into()))
    }

    pub(super) fn pairs(&mut self, items: &[Item]) -> Result<Vec<(Item, Item)>, PickleError> {
        if !items.len().is_multiple_of(2) {
            return Err(self.damaged("a dictionary has a key without a value"));
        }
        self.charge_slots(items.len())?;
        Ok(items.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
    }

    fn append(&mut self, items: &[Item]) -> Result<(), PickleError> {
        self.charge_slots(items.len())?;
        let target = self.top()?;
        match self.get_mut(target) {
            Some(Node::List(list)) => {
                list.extend_from_slice(items);
                Ok(())
            }
            _ => Err(self.damaged("elements are appended to something that is no list")),
        }
    }

    fn set_items(&mut self, items: &[Item]) -> Result<(), PickleError> {
        let pairs = self.pairs(items)?;
        let target = self.top()?;
        let entries = match self.get_mut(target) {
            Some(Node::Dict(entries)) => entries,
            Some(Node::OrderedDict(dict)) => &mut dict.items,
            Some(Node::DefaultDict(dict)) => &mut dict.1,
            _ => return Err(self.damaged("entries are put into something that is no dictionary")),
        };
        entries.extend(pairs);
        Ok(())
    }
}
