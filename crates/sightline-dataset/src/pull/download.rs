//! Tries, waits and tries again until the file is whole and right.

use super::digest::Digests;
use super::exchange::{Failure, again, agent, fetch, short_text, through_mirror};
use super::part_file::PartFile;
use super::{Event, FileEntry, Options, PullError, Receipt};
use std::path::Path;
use std::time::Duration;
use ureq::Agent;

/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// So many bytes count as getting further: the tries are counted anew.
const FURTHER: u64 = 1 << 20;
/// The longest text in which a checksum is looked for.
const CHECKSUM_TEXT: u64 = 1 << 16;

/// Downloads `file` to `target`, checks it, and leaves its receipt.
pub(super) fn download(
    entry: &str,
    file: &FileEntry,
    target: &Path,
    options: &Options,
    report: &mut dyn FnMut(Event<'_>),
) -> Result<Receipt, PullError> {
    let agent = agent(options.stall, options.proxy);
    let mut last = None;
    for (index, published) in file.url.iter().enumerate() {
        let url = through_mirror(published, options.mirror.as_deref());
        let mut part = PartFile::open(target)?;
        if part.origin.as_ref().is_some_and(|origin| origin.url != url) {
            part.forget()?;
        }
        let came = stubbornly(options, file, &mut part, report, |part, report| {
            whole(&agent, &url, file, part, options, report)
        });
        match came {
            Ok((answered, digests)) => {
                part.finish(target)?;
                let receipt = Receipt::new(entry, file, &digests, Some(answered), &options.day);
                receipt.write(target)?;
                return Ok(receipt);
            }
            Err(Failure::Local(error)) => return Err(error),
            Err(Failure::Again { reason, .. } | Failure::Anew { reason } | Failure::Fatal { reason }) => {
                if index + 1 < file.url.len() {
                    report(Event::Remark(&format!(
                        "{url}: {reason}. Trying the next address."
                    )));
                }
                last = Some((url, reason));
            }
        }
    }
    let (url, reason) = last.unwrap_or_default();
    Err(PullError::Download {
        url,
        reason: format!(
            "{reason}. What has come is kept; run the same command again to continue, or give another address with --table."
        ),
    })
}

/// One try: the rest of the file, and a look at whether it is the published one.
fn whole(
    agent: &Agent,
    url: &str,
    file: &FileEntry,
    part: &mut PartFile,
    options: &Options,
    report: &mut dyn FnMut(Event<'_>),
) -> Result<(String, Digests), Failure> {
    let continued = part.have > 0;
    let answered = fetch(agent, url, file, part, report)?;
    let md5 = match (&file.md5, &file.md5_url) {
        (Some(md5), _) => Some(md5.clone()),
        (None, Some(address)) => {
            let address = through_mirror(address, options.mirror.as_deref());
            Some(published_md5(agent, &address).map_err(|failure| of_checksum(failure, &address))?)
        }
        (None, None) => None,
    };
    let digests = Digests::of(part.path(), &file.to, report)?;
    let Some(wrong) = digests.contradiction(file.size, md5.as_deref(), file.sha256.as_deref()) else {
        return Ok((answered, digests));
    };
    part.forget()?;
    if continued {
        // Perhaps the pieces do not belong together; in one piece it may be right.
        return Err(Failure::Anew {
            reason: format!("what came in pieces is not the published file ({wrong})"),
        });
    }
    Err(Failure::Fatal {
        reason: format!("what came is not the published file ({wrong}) and was removed"),
    })
}

/// The first text of 32 hexadecimal digits in the answer.
fn published_md5(agent: &Agent, url: &str) -> Result<String, Failure> {
    let text = short_text(agent, url, CHECKSUM_TEXT)?;
    let is_md5 = |word: &&str| word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let found = text.split(|c: char| !c.is_ascii_alphanumeric()).find(is_md5);
    found
        .map(str::to_lowercase)
        .ok_or_else(|| again("it holds no MD5"))
}

/// A failure whose reason says that the checksum was asked for.
fn of_checksum(failure: Failure, url: &str) -> Failure {
    let named = |reason: String| format!("its published checksum at {url} cannot be had: {reason}");
    match failure {
        Failure::Again { reason, after } => Failure::Again {
            reason: named(reason),
            after,
        },
        Failure::Anew { reason } | Failure::Fatal { reason } => Failure::Fatal {
            reason: named(reason),
        },
        Failure::Local(error) => Failure::Local(error),
    }
}

/// Tries until it works, will never work, or has not got further so many times in a row.
fn stubbornly<T>(
    options: &Options,
    file: &FileEntry,
    part: &mut PartFile,
    report: &mut dyn FnMut(Event<'_>),
    mut attempt: impl FnMut(&mut PartFile, &mut dyn FnMut(Event<'_>)) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut tries = 0;
    let mut furthest = part.have;
    let mut wait = options.first_wait;
    loop {
        let failure = match attempt(part, report) {
            Ok(done) => return Ok(done),
            Err(failure @ (Failure::Fatal { .. } | Failure::Local(_))) => return Err(failure),
            Err(failure) => failure,
        };
        if part.have >= furthest.saturating_add(FURTHER) {
            (tries, wait, furthest) = (0, options.first_wait, part.have);
        }
        tries += 1;
        if let Failure::Anew { .. } = failure {
            part.forget()?;
        }
        if tries >= options.tries {
            return Err(failure);
        }
        let (reason, asked) = match &failure {
            Failure::Again { reason, after } => (reason, *after),
            Failure::Anew { reason } | Failure::Fatal { reason } => (reason, None),
            Failure::Local(_) => return Err(failure),
        };
        let pause = asked.unwrap_or(wait).max(wait);
        report(Event::Remark(&format!(
            "{}: {reason}. Try {} of {} follows in {:.1} s.",
            file.to,
            tries + 1,
            options.tries,
            pause.as_secs_f64()
        )));
        std::thread::sleep(pause);
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}
