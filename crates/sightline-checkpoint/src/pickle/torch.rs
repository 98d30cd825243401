//! Torch's constructors: storages by persistent id, tensors as views of them, parameters, sizes.

use super::PickleError;
use super::globals::Global;
use super::machine::Machine;
use super::node::{Item, Node, Pending, StorageKey, StorageUse};

impl Machine {
    /// A persistent id: ("storage", class, key, location, count[, view]).
    ///
    /// The location is of no interest: everything is read on the CPU. A view (old files) is (key, offset, count).
    pub(super) fn torch_storage(&mut self, id: Item) -> Result<Item, PickleError> {
        let fields = match self.tuple(id) {
            Some(fields) if (2..=6).contains(&fields.len()) => fields.to_vec(),
            _ => return Err(self.damaged("a persistent id is no short tuple")),
        };
        match self.name(fields[0]).as_deref() {
            Some("storage") if fields.len() >= 5 => {}
            Some("module") => {
                return Err(PickleError::Global {
                    name: "a pickled network (persistent id `module`)".to_owned(),
                    advice: super::globals::advice("torch.nn"),
                });
            }
            _ => return Err(self.damaged("a persistent id names no storage")),
        }
        let dtype = match self.get(fields[1]) {
            Some(Node::Global(Global::StorageClass(dtype))) => Some(*dtype),
            Some(Node::Global(Global::UntypedStorage)) => None,
            _ => return Err(self.damaged("a storage has no known class")),
        };
        let (Some(key), Some(count)) = (self.key_text(fields[2]), size(fields[4])) else {
            return Err(self.damaged("a storage has no key or no number of elements"));
        };
        let (offset, length) = match fields.get(5) {
            None | Some(Item::None) => (0, count),
            Some(view) => {
                let view = self.tuple(*view).and_then(|view| match view {
                    [_, offset, length] => Some((size(*offset)?, size(*length)?)),
                    _ => None,
                });
                match view {
                    Some((offset, length)) if offset.checked_add(length).is_some_and(|end| end <= count) => {
                        (offset, length)
                    }
                    _ => return Err(self.damaged("a view does not lie inside its storage")),
                }
            }
        };
        let named = StorageKey { key, dtype, count };
        let number = match self.key_numbers.get(&named.key) {
            Some(number) if self.keys[*number] == named => *number,
            Some(_) => {
                return Err(self.damaged(format!(
                    "storage {} is named twice with different types or sizes",
                    named.key
                )));
            }
            None => {
                self.charge(2 * (named.key.len() + size_of::<StorageKey>()))?;
                self.key_numbers.insert(named.key.clone(), self.keys.len());
                self.keys.push(named);
                self.keys.len() - 1
            }
        };
        self.node(Node::Storage(Box::new(StorageUse {
            key: number,
            offset,
            count: length,
        })))
    }

    /// A key: a text, in very old files a number.
    fn key_text(&self, item: Item) -> Option<String> {
        match item {
            Item::Int(number) => Some(number.to_string()),
            _ => self.name(item),
        }
    }

    /// `_rebuild_tensor*`: storage, offset, size, stride; with a type of its own over untyped storages.
    pub(super) fn tensor(
        &mut self,
        global: Global,
        [storage, offset, shape, strides]: [Item; 4],
        dtype: Option<Item>,
    ) -> Result<Node, PickleError> {
        let Some(Node::Storage(storage)) = self.get(storage) else {
            return Err(self.wrong_use(global, "something that is no storage"));
        };
        let storage = (**storage).clone();
        let stored = self.keys.get(storage.key).and_then(|key| key.dtype);
        let dtype = match dtype {
            None => stored,
            Some(item) => match self.get(item) {
                Some(Node::Global(Global::TorchDtype(dtype))) => Some(*dtype),
                _ => None,
            },
        };
        let Some(dtype) = dtype else {
            return Err(self.wrong_use(global, "no type of the elements"));
        };
        let (Some(offset), Some(shape), Some(strides)) =
            (size(offset), self.lengths(shape), self.lengths(strides))
        else {
            return Err(self.wrong_use(
                global,
                "an offset, shape or strides that are not whole numbers from 0",
            ));
        };
        self.charge(size_of::<Pending>() + 2 * 8 * shape.len())?;
        Ok(Node::Tensor(Box::new(Pending {
            storage,
            dtype,
            offset,
            shape,
            strides,
        })))
    }

    pub(super) fn parameter(&self, global: Global, tensor: Item, grad: Item) -> Result<Node, PickleError> {
        match (tensor, self.get(tensor), grad) {
            (Item::Node(number), Some(Node::Tensor(_)), Item::Bool(grad)) => {
                Ok(Node::Parameter(number, grad))
            }
            _ => Err(self.wrong_use(global, "something that is no tensor")),
        }
    }

    pub(super) fn torch_size(&mut self, global: Global, sizes: Item) -> Result<Node, PickleError> {
        let sizes: Option<Vec<i64>> = self
            .tuple(sizes)
            .filter(|items| items.len() <= 64)
            .and_then(|items| {
                items
                    .iter()
                    .map(|item| match item {
                        Item::Int(number) => Some(*number),
                        _ => None,
                    })
                    .collect()
            });
        match sizes {
            Some(sizes) => {
                self.charge(8 * sizes.len())?;
                Ok(Node::Size(sizes))
            }
            None => Err(self.wrong_use(global, "something that is no tuple of whole numbers")),
        }
    }
}

fn size(item: Item) -> Option<usize> {
    match item {
        Item::Int(number) => usize::try_from(number).ok(),
        _ => None,
    }
}
