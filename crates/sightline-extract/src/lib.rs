//! Pictures to descriptor sets: batches, scales, resume, shards, skipped files.
