//! What the process has used, as Linux tells it under `/proc/self`. Elsewhere nothing is known.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Clock ticks a second in `/proc/self/stat`: 100 on every Linux machine that Sightline is built for.
const TICKS: f64 = 100.0;
/// How often a [`MemoryWatch`] looks.
const LOOK: Duration = Duration::from_millis(2);

/// Processor seconds that all threads of this process have used, in steps of 10 ms.
pub fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the program's name in parentheses and may hold blanks; user and system time are fields 14 and 15.
    let (_, after) = stat.rsplit_once(')')?;
    let mut fields = after.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS)
}

/// Most bytes that lay in memory at once for this process, mapped files included, since it began or since
/// [`forget_peak_memory`].
pub fn peak_memory() -> Option<u64> {
    status("VmHWM:")
}

/// Lets [`peak_memory`] begin anew with what lies in memory now; whether the system did so.
pub fn forget_peak_memory() -> bool {
    std::fs::write("/proc/self/clear_refs", "5").is_ok()
}

/// A line of `/proc/self/status`, in bytes.
fn status(line: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let value = text.lines().find_map(|own| own.strip_prefix(line))?;
    let kilobytes: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// Watches how much memory beyond mapped files the process takes: the system keeps no peak of that, so a thread looks at it
/// every two milliseconds.
#[derive(Debug)]
pub struct MemoryWatch {
    done: Arc<AtomicBool>,
    most: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl MemoryWatch {
    /// Begins to watch.
    pub fn begin() -> Self {
        let (done, most) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let thread = {
            let (done, most) = (done.clone(), most.clone());
            std::thread::spawn(move || {
                while let Some(now) = status("RssAnon:") {
                    most.fetch_max(now, Ordering::Relaxed);
                    if done.load(Ordering::Relaxed) {
                        return;
                    }
                    std::thread::sleep(LOOK);
                }
            })
        };
        Self {
            done,
            most,
            thread: Some(thread),
        }
    }

    /// The most bytes that were seen; none where the system does not tell.
    pub fn end(mut self) -> Option<u64> {
        self.stop();
        Some(self.most.load(Ordering::Relaxed)).filter(|most| *most > 0)
    }

    fn stop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It cannot panic; and a watch that died has nothing to say.
            let _ = thread.join();
        }
    }
}

impl Drop for MemoryWatch {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn memory_that_is_touched_shows() {
        assert!(forget_peak_memory());
        let before = peak_memory().unwrap();
        let watch = MemoryWatch::begin();
        let block = std::hint::black_box(vec![1_u8; 64 << 20]);
        std::thread::sleep(Duration::from_millis(50));
        assert!(watch.end().unwrap() >= 64 << 20);
        assert!(peak_memory().unwrap() >= before.max(64 << 20));
        drop(block);
    }

    #[test]
    fn work_takes_processor_time() {
        let before = cpu_seconds().unwrap();
        let start = std::time::Instant::now();
        let mut value = 1_u64;
        while start.elapsed() < Duration::from_millis(300) {
            value = std::hint::black_box(value.wrapping_mul(3));
        }
        assert!(cpu_seconds().unwrap() > before);
    }
}
