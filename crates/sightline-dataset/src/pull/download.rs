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
    let mut part = PartFile::open(target)?;
    let mirrored = |published: &String| through_mirror(published, options.mirror.as_deref());
    let mut urls: Vec<String> = file.url.iter().map(mirrored).collect();
    // The address of which something is there goes first; the others keep their order.
    urls.sort_by_key(|url| !part.is_of(url));
    let mut last = None;
    for (index, url) in urls.iter().enumerate() {
        let came = stubbornly(options, file, url, &mut part, report, |part, report| {
            whole(&agent, url, file, part, options, report)
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
                if index + 1 < urls.len() {
                    report(Event::Remark(&format!(
                        "{url}: {reason}. Trying the next address."
                    )));
                }
                last = Some((url.clone(), reason));
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
    let continued = part.is_of(url);
    let answered = fetch(agent, url, file, part, report)?;
    let md5 = md5(agent, file, options)?;
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

/// The published MD5, which may have to be asked for.
fn md5(agent: &Agent, file: &FileEntry, options: &Options) -> Result<Option<String>, Failure> {
    match (&file.md5, &file.md5_url) {
        (None, Some(address)) => {
            let address = through_mirror(address, options.mirror.as_deref());
            let published = published_md5(agent, &address);
            Ok(Some(published.map_err(|failure| of_checksum(failure, &address))?))
        }
        (md5, _) => Ok(md5.clone()),
    }
}

/// The published MD5, for a file that is there already.
pub(super) fn md5_to_compare(file: &FileEntry, options: &Options) -> Result<Option<String>, PullError> {
    let agent = agent(options.stall, options.proxy);
    md5(&agent, file, options).map_err(|failure| match failure {
        Failure::Local(error) => error,
        Failure::Again { reason, .. } | Failure::Anew { reason } | Failure::Fatal { reason } => {
            PullError::Unchecked {
                to: file.to.clone(),
                reason,
            }
        }
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
    url: &str,
    part: &mut PartFile,
    report: &mut dyn FnMut(Event<'_>),
    mut attempt: impl FnMut(&mut PartFile, &mut dyn FnMut(Event<'_>)) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut tries = 0;
    // What came from another address is no progress here.
    let reached = |part: &PartFile| if part.is_of(url) { part.have } else { 0 };
    let mut furthest = reached(part);
    let mut wait = options.first_wait;
    loop {
        let failure = match attempt(part, report) {
            Ok(done) => return Ok(done),
            Err(failure @ (Failure::Fatal { .. } | Failure::Local(_))) => return Err(failure),
            Err(failure) => failure,
        };
        if reached(part) >= furthest.saturating_add(FURTHER) {
            (tries, wait, furthest) = (0, options.first_wait, reached(part));
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
