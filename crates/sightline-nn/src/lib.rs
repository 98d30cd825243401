//! Retrieval networks as Burn modules, each forward written once.
