//! A frozen network: operations and weights; ONNX out; running it on the CPU.
