//! The gate before decoding: pictures pass it in their order, and only while there is memory for them.
//!
//! A picture holds memory from its turn until the network's thread takes it, which happens in the same order. So whoever waits
//! at the gate waits for pictures before it alone, and these need nothing more to finish: there is no deadlock. A picture that
//! needs more than all the memory passes when nothing else holds any.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
struct State {
    /// Whose turn it is.
    turn: usize,
    /// Bytes held.
    used: u64,
    /// Pictures that hold memory.
    pictures: usize,
    /// Nobody waits any more: the work was given up.
    closed: bool,
}

/// The gate.
#[derive(Debug)]
pub(crate) struct Gate {
    memory: u64,
    ahead: usize,
    state: Mutex<State>,
    changed: Condvar,
}

/// The right to be the next at the gate; given on when dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a>(&'a Gate);

/// Memory that a picture holds; given back when dropped.
#[derive(Debug)]
pub(crate) struct Hold<'a> {
    gate: &'a Gate,
    bytes: u64,
}

impl Gate {
    /// A gate for at most `memory` bytes and `ahead` pictures at a time (at least one).
    pub(crate) fn new(memory: u64, ahead: usize) -> Gate {
        let state = State {
            turn: 0,
            used: 0,
            pictures: 0,
            closed: false,
        };
        Gate {
            memory,
            ahead: ahead.max(1),
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    /// Nothing is left inconsistent by a panic while the state is locked, so a poisoned lock is as good as any.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the turn of picture `index`; none once the gate is closed.
    pub(crate) fn turn(&self, index: usize) -> Option<Turn<'_>> {
        let state = self
            .changed
            .wait_while(self.state(), |state| state.turn != index && !state.closed);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        (!state.closed).then(|| Turn(self))
    }

    /// Lets all who wait go, with nothing.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }
}

impl<'a> Turn<'a> {
    /// Waits until there are `bytes` to spare and passes the turn on; none once the gate is closed.
    pub(crate) fn pass(self, bytes: u64) -> Option<Hold<'a>> {
        let gate = self.0;
        let full = |state: &mut State| {
            let over = state.used.saturating_add(bytes) > gate.memory || state.pictures >= gate.ahead;
            over && state.pictures > 0 && !state.closed
        };
        let state = gate.changed.wait_while(gate.state(), full);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return None;
        }
        state.used = state.used.saturating_add(bytes);
        state.pictures += 1;
        drop(state);
        Some(Hold { gate, bytes })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.state().turn += 1;
        self.0.changed.notify_all();
    }
}

impl Hold<'_> {
    /// Changes what is held, to what was really needed.
    pub(crate) fn correct(&mut self, bytes: u64) {
        let mut state = self.gate.state();
        state.used = state.used.saturating_sub(self.bytes).saturating_add(bytes);
        self.bytes = bytes;
        drop(state);
        self.gate.changed.notify_all();
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.state();
        state.used = state.used.saturating_sub(self.bytes);
        state.pictures -= 1;
        drop(state);
        self.gate.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

    /// Many threads, random sizes, some larger than all the memory: never more in use than allowed unless alone, and all pass.
    #[test]
    fn memory_is_bounded_and_everything_passes() {
        const MEMORY: u64 = 100;
        let gate = Gate::new(MEMORY, 7);
        let (next, used, peak) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicU64::new(0));
        let (send, receive) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..5 {
                let (send, gate, next, used, peak) = (send.clone(), &gate, &next, &used, &peak);
                scope.spawn(move || {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        if index >= 500 {
                            return;
                        }
                        let bytes = (index as u64 * 7919) % 150;
                        let hold = gate.turn(index).unwrap().pass(bytes).unwrap();
                        let now = used.fetch_add(bytes, Ordering::SeqCst) + bytes;
                        if bytes <= MEMORY {
                            peak.fetch_max(now, Ordering::SeqCst);
                        } else {
                            assert_eq!(now, bytes, "a picture larger than all the memory passes alone");
                        }
                        send.send((index, bytes, hold)).unwrap();
                    }
                });
            }
            drop(send);
            let mut waiting = std::collections::BTreeMap::new();
            let mut expected = 0;
            for (index, bytes, hold) in receive {
                waiting.insert(index, (bytes, hold));
                while let Some((bytes, hold)) = waiting.remove(&expected) {
                    used.fetch_sub(bytes, Ordering::SeqCst);
                    drop(hold);
                    expected += 1;
                }
            }
            assert_eq!(expected, 500);
        });
        assert!(peak.load(Ordering::SeqCst) <= MEMORY);
    }

    #[test]
    fn closing_wakes_everyone() {
        let gate = Gate::new(10, 1);
        let _held = gate.turn(0).unwrap().pass(10);
        std::thread::scope(|scope| {
            let one = scope.spawn(|| gate.turn(1).unwrap().pass(1).is_none());
            let two = scope.spawn(|| gate.turn(5).is_none());
            std::thread::sleep(std::time::Duration::from_millis(20));
            gate.close();
            assert!(one.join().unwrap() && two.join().unwrap());
        });
    }
}
