//! Panics of codecs and runtimes are caught where they happen and listed as reasons; nothing else is to be said of them.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::sync::{Mutex, PoisonError};

/// Where the last panic was and what it said, on whichever thread.
static LAST: Mutex<String> = Mutex::new(String::new());

/// Runs `work` with panics kept silent. One that nothing caught is a mistake of ours and becomes an error.
pub(crate) fn guarded<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    set_hook(Box::new(|panic| {
        *LAST.lock().unwrap_or_else(PoisonError::into_inner) = panic.to_string();
    }));
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        Err(anyhow::anyhow!(
            "Sightline made a mistake that it should not make ({last}). Please report it, with the command and its input."
        ))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, clippy::unwrap_used)]

    #[test]
    fn a_panic_that_nothing_caught_is_an_error() {
        let message = super::guarded::<()>(|| panic!("seven is odd"))
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("seven is odd") && message.contains("panics.rs"),
            "{message}"
        );
        assert_eq!(super::guarded(|| Ok(1)).unwrap(), 1);
    }
}
