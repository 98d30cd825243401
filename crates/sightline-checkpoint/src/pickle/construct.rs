//! What a pickle may do with the names on the list: call constructors of data, and set the state of what they made.

use super::PickleError;
use super::globals::{self, Global};
use super::machine::Machine;
use super::node::{Item, Node, OrderedDict};
use crate::storage::Storage;
use std::sync::Arc;

impl Machine {
    /// GLOBAL and STACK_GLOBAL: a name on the list, or the end of reading.
    pub(super) fn global(&mut self, module: &str, name: &str) -> Result<(), PickleError> {
        match globals::find(module, name) {
            Some(global) => self.push_node(Node::Global(global)),
            None => Err(PickleError::Global {
                name: printable(&format!("{module}.{name}")),
                advice: globals::advice(module),
            }),
        }
    }

    pub(super) fn wrong_use(&self, global: Global, what: impl Into<String>) -> PickleError {
        PickleError::Use {
            name: global.name().to_owned(),
            what: what.into(),
            at: self.opcode_at,
        }
    }

    fn named(&self, callable: Item) -> Result<Global, PickleError> {
        match self.get(callable) {
            Some(Node::Global(global)) => Ok(*global),
            _ => Err(self.damaged("it calls something that is no function")),
        }
    }

    /// REDUCE: `callable(*arguments)`.
    pub(super) fn reduce(&mut self, callable: Item, arguments: Item) -> Result<Item, PickleError> {
        let global = self.named(callable)?;
        // Every constructor takes few arguments; a short copy keeps calls cheap whatever tuple they are given.
        let arguments = match self.tuple(arguments) {
            Some(items) if items.len() <= 16 => items.to_vec(),
            _ => return Err(self.wrong_use(global, "arguments that are no short tuple")),
        };
        let node = match (global, arguments.as_slice()) {
            (Global::OrderedDict, []) => Node::OrderedDict(Box::default()),
            (Global::OrderedDict, [pairs]) => self.ordered_dict(global, *pairs)?,
            (Global::DefaultDict, []) => Node::DefaultDict(Box::new(("", Vec::new()))),
            (Global::DefaultDict, [factory]) => self.default_dict(global, *factory)?,
            (Global::Set, []) => Node::Set(Vec::new()),
            (Global::Set, [items]) => {
                let items = match self.get(*items) {
                    Some(Node::List(items) | Node::Set(items)) => items.clone(),
                    Some(Node::Tuple(items)) => items.to_vec(),
                    _ => return Err(self.wrong_use(global, "something that is no list")),
                };
                self.charge_copy(items.len().saturating_mul(size_of::<Item>()))?;
                Node::Set(items)
            }
            (Global::Bytes | Global::ByteArray, []) => Node::Bytes(Storage::from_vec(Vec::new())),
            (Global::Bytes | Global::ByteArray, [bytes]) => match self.get(*bytes) {
                Some(Node::Bytes(bytes) | Node::OldText(bytes)) => {
                    let bytes = bytes.clone();
                    self.charge_copy(bytes.len())?;
                    Node::Bytes(bytes)
                }
                _ => return Err(self.wrong_use(global, "something that is not bytes")),
            },
            (Global::ByteArray | Global::Encode, [text, encoding]) => {
                self.encode(global, *text, *encoding)?
            }
            (Global::Range, [Item::Int(start), Item::Int(stop)]) => Node::Range([*start, *stop, 1]),
            (Global::Range, [Item::Int(start), Item::Int(stop), Item::Int(step)]) if *step != 0 => {
                Node::Range([*start, *stop, *step])
            }
            (Global::Reconstructor, [class, base, state]) => {
                let class = self.get(*class);
                let base = self.get(*base);
                match (class, base, state) {
                    (
                        Some(Node::Global(Global::Data(class))),
                        Some(Node::Global(Global::Object)),
                        Item::None,
                    ) => Node::Object(class, None),
                    _ => return Err(self.wrong_use(global, "a class that is not kept as plain data")),
                }
            }
            (Global::TorchSize, [sizes]) => self.torch_size(global, *sizes)?,
            (Global::TorchDevice, arguments) => self.device(global, arguments)?,
            (Global::RebuildTensor, [storage, offset, size, stride]) => {
                self.tensor(global, [*storage, *offset, *size, *stride], None)?
            }
            (
                Global::RebuildTensorV2,
                [storage, offset, size, stride, _, _] | [storage, offset, size, stride, _, _, _],
            ) => self.tensor(global, [*storage, *offset, *size, *stride], None)?,
            (
                Global::RebuildTensorV3,
                [storage, offset, size, stride, _, _, dtype]
                | [storage, offset, size, stride, _, _, dtype, _],
            ) => self.tensor(global, [*storage, *offset, *size, *stride], Some(*dtype))?,
            (Global::RebuildParameter, [tensor, grad, _])
            | (Global::RebuildParameterWithState, [tensor, grad, _, _]) => {
                self.parameter(global, *tensor, *grad)?
            }
            (Global::NumpyReconstruct, [class, _, _]) => match self.get(*class) {
                Some(Node::Global(Global::NumpyArray)) => Node::EmptyArray,
                _ => return Err(self.wrong_use(global, "a class other than numpy.ndarray")),
            },
            (Global::NumpyDtype, [text] | [text, _, _]) => self.numpy_dtype(global, *text)?,
            (Global::NumpyScalar, [dtype, bytes]) => self.numpy_scalar(global, *dtype, *bytes)?,
            (Global::NumpyFromBuffer, [bytes, dtype, shape, order]) => {
                self.numpy_buffer(global, [*bytes, *dtype, *shape, *order])?
            }
            _ => {
                return Err(self.wrong_use(global, format!("a call with {} arguments", arguments.len())));
            }
        };
        self.node(node)
    }

    /// NEWOBJ and NEWOBJ_EX: an empty object of a class that is kept as plain data.
    pub(super) fn new_object(
        &mut self,
        class: Item,
        arguments: Item,
        keywords: Option<Item>,
    ) -> Result<(), PickleError> {
        let global = self.named(class)?;
        let no_arguments = self.tuple(arguments).is_some_and(<[Item]>::is_empty);
        let no_keywords = match keywords {
            None => true,
            Some(item) => matches!(self.get(item), Some(Node::Dict(items)) if items.is_empty()),
        };
        match global {
            Global::Data(class) if no_arguments && no_keywords => self.push_node(Node::Object(class, None)),
            _ => Err(self.wrong_use(global, "a new object")),
        }
    }

    /// INST and OBJ: the same in protocols 0 and 1.
    pub(super) fn instance(&mut self, class: Item, arguments: &[Item]) -> Result<(), PickleError> {
        match self.named(class)? {
            Global::Data(class) if arguments.is_empty() => self.push_node(Node::Object(class, None)),
            global => Err(self.wrong_use(global, "a new object")),
        }
    }

    /// BUILD: sets the state of what was made before.
    pub(super) fn build(&mut self, target: Item, state: Item) -> Result<(), PickleError> {
        let is_dict = matches!(self.get(state), Some(Node::Dict(_)));
        match self.get(target) {
            Some(Node::EmptyArray) => {
                let array = self.numpy_array(state)?;
                return self.replace(target, array);
            }
            Some(Node::NumpyDtype(dtype)) => {
                let dtype = (**dtype).clone();
                let dtype = self.numpy_dtype_state(dtype, state)?;
                return self.replace(target, dtype);
            }
            Some(Node::OrderedDict(_) | Node::Object(..)) if !is_dict => {
                return Err(self.damaged("the attributes of an object are no dictionary"));
            }
            Some(Node::Global(global)) => {
                return Err(self.wrong_use(*global, "attributes, which would change the class itself"));
            }
            _ => {}
        }
        match self.get_mut(target) {
            Some(Node::OrderedDict(dict)) => dict.attrs = Some(state),
            Some(Node::Object(_, attributes)) => *attributes = Some(state),
            _ => return Err(self.damaged("attributes are set on something that has none")),
        }
        Ok(())
    }

    fn replace(&mut self, target: Item, node: Node) -> Result<(), PickleError> {
        if let Some(slot) = self.get_mut(target) {
            *slot = node;
        }
        Ok(())
    }

    fn ordered_dict(&mut self, global: Global, pairs: Item) -> Result<Node, PickleError> {
        let Some(Node::List(pairs)) = self.get(pairs) else {
            return Err(self.wrong_use(global, "something that is no list of pairs"));
        };
        let items: Option<Vec<(Item, Item)>> = pairs
            .iter()
            .map(|pair| match self.get(*pair)? {
                Node::List(pair) if pair.len() == 2 => Some((pair[0], pair[1])),
                Node::Tuple(pair) if pair.len() == 2 => Some((pair[0], pair[1])),
                _ => None,
            })
            .collect();
        let Some(items) = items else {
            return Err(self.wrong_use(global, "something that is no list of pairs"));
        };
        self.charge_slots(2 * items.len())?;
        self.charge_copy(items.len().saturating_mul(2 * size_of::<Item>()))?;
        Ok(Node::OrderedDict(Box::new(OrderedDict { items, attrs: None })))
    }

    fn default_dict(&self, global: Global, factory: Item) -> Result<Node, PickleError> {
        let name = match (factory, self.get(factory)) {
            (Item::None, _) => "",
            (_, Some(Node::Global(Global::Factory(name)))) => name,
            (_, Some(Node::Global(Global::Set))) => "set",
            _ => return Err(self.wrong_use(global, "a factory that is no builtin container or number")),
        };
        Ok(Node::DefaultDict(Box::new((name, Vec::new()))))
    }

    /// Latin-1 text that stands for bytes.
    fn encode(&mut self, global: Global, text: Item, encoding: Item) -> Result<Node, PickleError> {
        let encoding = self.name(encoding);
        if !matches!(encoding.as_deref(), Some("latin1" | "latin-1")) {
            return Err(self.wrong_use(global, "an encoding other than latin-1"));
        }
        if let Some(Node::OldText(bytes)) = self.get(text) {
            let bytes = bytes.clone();
            self.charge_copy(bytes.len())?;
            return Ok(Node::Bytes(bytes));
        }
        let length = match self.get(text) {
            Some(Node::Text(_, length)) => *length,
            Some(Node::OwnedText(text)) => text.len(),
            _ => return Err(self.wrong_use(global, "something that is no text")),
        };
        self.charge_copy(length)?;
        let mut bytes = Vec::with_capacity(length);
        let fits = self.text(text).is_some_and(|text| {
            text.chars().all(|character| {
                let byte = u8::try_from(u32::from(character));
                bytes.extend(byte);
                byte.is_ok()
            })
        });
        match fits.then_some(bytes) {
            Some(bytes) => Ok(Node::Bytes(Storage::from_vec(bytes))),
            None => Err(self.wrong_use(global, "a text that is not latin-1")),
        }
    }

    fn device(&self, global: Global, arguments: &[Item]) -> Result<Node, PickleError> {
        let text = match arguments {
            [kind] => self.name(*kind),
            [kind, Item::Int(number)] => self.name(*kind).map(|kind| format!("{kind}:{number}")),
            _ => None,
        };
        text.map(|text| Node::Device(Arc::from(text)))
            .ok_or_else(|| self.wrong_use(global, "something that names no device"))
    }
}

/// A name of a file for a message: no control characters, not endless.
fn printable(name: &str) -> String {
    let mut text: String = name
        .chars()
        .take(120)
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    if text.len() < name.len() {
        text.push_str("...");
    }
    text
}
