//! After the network: scales, whitening, and descriptor sets on disk.
