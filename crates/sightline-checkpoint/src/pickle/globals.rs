//! The list of names that a pickle may use, and what each stands for.

use crate::tensor::Dtype;

/// A function or class on the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    OrderedDict,
    DefaultDict,
    Set,
    Bytes,
    ByteArray,
    Range,
    /// `object`, the base that `copyreg._reconstructor` is given.
    Object,
    /// A builtin that is only named, as the factory of a defaultdict.
    Factory(&'static str),
    Reconstructor,
    Encode,
    RebuildTensor,
    RebuildTensorV2,
    RebuildTensorV3,
    RebuildParameter,
    RebuildParameterWithState,
    TorchSize,
    TorchDevice,
    TorchDtype(Dtype),
    StorageClass(Dtype),
    UntypedStorage,
    NumpyReconstruct,
    NumpyArray,
    NumpyDtype,
    NumpyScalar,
    NumpyFromBuffer,
    /// A class whose objects are kept as plain data, by its full name.
    Data(&'static str),
}

impl Global {
    /// Its name, for messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::OrderedDict => "collections.OrderedDict",
            Self::DefaultDict => "collections.defaultdict",
            Self::Set => "set",
            Self::Bytes => "bytes",
            Self::ByteArray => "bytearray",
            Self::Range => "range",
            Self::Object => "object",
            Self::Factory(name) | Self::Data(name) => name,
            Self::Reconstructor => "copyreg._reconstructor",
            Self::Encode => "_codecs.encode",
            Self::RebuildTensor => "torch._utils._rebuild_tensor",
            Self::RebuildTensorV2 => "torch._utils._rebuild_tensor_v2",
            Self::RebuildTensorV3 => "torch._utils._rebuild_tensor_v3",
            Self::RebuildParameter => "torch._utils._rebuild_parameter",
            Self::RebuildParameterWithState => "torch._utils._rebuild_parameter_with_state",
            Self::TorchSize => "torch.Size",
            Self::TorchDevice => "torch.device",
            Self::TorchDtype(dtype) => dtype.name(),
            Self::StorageClass(_) => "a storage class of torch",
            Self::UntypedStorage => "torch.storage.UntypedStorage",
            Self::NumpyReconstruct => "numpy.core.multiarray._reconstruct",
            Self::NumpyArray => "numpy.ndarray",
            Self::NumpyDtype => "numpy.dtype",
            Self::NumpyScalar => "numpy.core.multiarray.scalar",
            Self::NumpyFromBuffer => "numpy.core.numeric._frombuffer",
        }
    }
}

/// Classes whose objects are kept as plain data: scikit-learn's PCA under the module paths of all its versions,
/// and the meters in dirtorch's training state.
pub const DATA_CLASSES: [&str; 5] = [
    "sklearn.decomposition.pca.PCA",
    "sklearn.decomposition._pca.PCA",
    "sklearn.decomposition.PCA",
    "utils.watcher.AverageMeter",
    "utils.watcher.Watch",
];

/// Looks a name up; `None` if it is not on the list.
pub(super) fn find(module: &str, name: &str) -> Option<Global> {
    Some(match module {
        "collections" => match name {
            "OrderedDict" => Global::OrderedDict,
            "defaultdict" => Global::DefaultDict,
            _ => return None,
        },
        "__builtin__" | "builtins" => match name {
            "set" | "frozenset" => Global::Set,
            "bytes" => Global::Bytes,
            "bytearray" => Global::ByteArray,
            "xrange" | "range" => Global::Range,
            "object" => Global::Object,
            "list" => Global::Factory("list"),
            "dict" => Global::Factory("dict"),
            "int" | "long" => Global::Factory("int"),
            "float" => Global::Factory("float"),
            _ => return None,
        },
        "copy_reg" | "copyreg" if name == "_reconstructor" => Global::Reconstructor,
        "_codecs" if name == "encode" => Global::Encode,
        "torch._utils" => match name {
            "_rebuild_tensor" => Global::RebuildTensor,
            "_rebuild_tensor_v2" => Global::RebuildTensorV2,
            "_rebuild_tensor_v3" => Global::RebuildTensorV3,
            "_rebuild_parameter" => Global::RebuildParameter,
            "_rebuild_parameter_with_state" => Global::RebuildParameterWithState,
            _ => return None,
        },
        "torch.storage" if name == "UntypedStorage" => Global::UntypedStorage,
        "torch" => torch(name)?,
        "numpy" => match name {
            "ndarray" => Global::NumpyArray,
            "dtype" => Global::NumpyDtype,
            _ => return None,
        },
        "numpy.core.multiarray" | "numpy._core.multiarray" => match name {
            "_reconstruct" => Global::NumpyReconstruct,
            "scalar" => Global::NumpyScalar,
            _ => return None,
        },
        "numpy.core.numeric" | "numpy._core.numeric" if name == "_frombuffer" => Global::NumpyFromBuffer,
        _ => {
            let class = DATA_CLASSES
                .iter()
                .find(|class| class.rsplit_once('.') == Some((module, name)))?;
            Global::Data(class)
        }
    })
}

fn torch(name: &str) -> Option<Global> {
    Some(match name {
        "Size" => Global::TorchSize,
        "device" => Global::TorchDevice,
        "UntypedStorage" => Global::UntypedStorage,
        "FloatStorage" => Global::StorageClass(Dtype::F32),
        "DoubleStorage" => Global::StorageClass(Dtype::F64),
        "HalfStorage" => Global::StorageClass(Dtype::F16),
        "BFloat16Storage" => Global::StorageClass(Dtype::Bf16),
        "LongStorage" => Global::StorageClass(Dtype::I64),
        "IntStorage" => Global::StorageClass(Dtype::I32),
        "ShortStorage" => Global::StorageClass(Dtype::I16),
        "CharStorage" => Global::StorageClass(Dtype::I8),
        "ByteStorage" => Global::StorageClass(Dtype::U8),
        "BoolStorage" => Global::StorageClass(Dtype::Bool),
        "ComplexFloatStorage" => Global::StorageClass(Dtype::Complex64),
        "ComplexDoubleStorage" => Global::StorageClass(Dtype::Complex128),
        _ => Global::TorchDtype(Dtype::from_torch_name(name)?),
    })
}

/// What to do about a file that names something outside the list; a full sentence.
pub(super) fn advice(module: &str) -> &'static str {
    if module.starts_with("torch.nn") || module.starts_with("torchvision") || module.contains("network") {
        "It looks like a pickled network, which is code: ask its author for the state dict (`torch.save(model.state_dict(), ...)`)."
    } else {
        "If you trust the file, load it with the program that wrote it and save plain tensors, numbers and texts."
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_names_are_found() {
        assert_eq!(
            find("torch", "FloatStorage"),
            Some(Global::StorageClass(Dtype::F32))
        );
        assert_eq!(
            find("sklearn.decomposition.pca", "PCA"),
            Some(Global::Data("sklearn.decomposition.pca.PCA"))
        );
        for (module, name) in [
            ("os", "system"),
            ("builtins", "eval"),
            ("builtins", "getattr"),
            ("sklearn", "decomposition.pca.PCA"),
            ("sklearn.decomposition.pca.PCA", ""),
            ("torch", "hub.load"),
            ("torch", "load"),
            ("numpy", "load"),
            ("collections", "OrderedDict.__reduce__"),
            ("", ""),
        ] {
            assert_eq!(find(module, name), None, "{module} {name}");
        }
    }
}
