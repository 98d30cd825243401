//! Graphs of neighbours. The checksum in the header is put right first, or nothing would get past it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sightline_descriptor::{GraphError, GraphFile};

fuzz_target!(|bytes: &[u8]| {
    let read = GraphFile::from_bytes("fuzz", bytes.to_vec());
    let read = match read {
        Err(GraphError::Checksum { wanted, .. }) => {
            let Some(changed) = with_checksum(bytes, &wanted) else {
                return;
            };
            GraphFile::from_bytes("fuzz", changed)
        }
        read => read,
    };
    let Ok(file) = read else {
        return;
    };
    let graph = &file.graph;
    assert_eq!(graph.indices.len(), graph.count() * graph.k);
    for row in 0..graph.count() {
        assert_eq!(graph.list(row).count(), graph.k);
        assert!(graph.list(row).all(|hit| hit.index < graph.count()));
    }
});

/// The bytes with another checksum of the same length in the metadata.
fn with_checksum(bytes: &[u8], checksum: &str) -> Option<Vec<u8>> {
    let key = b"\"checksum\":\"";
    let at = bytes.windows(key.len()).position(|window| window == key)? + key.len();
    let mut bytes = bytes.to_vec();
    bytes.get_mut(at..at + checksum.len())?.copy_from_slice(checksum.as_bytes());
    Some(bytes)
}
