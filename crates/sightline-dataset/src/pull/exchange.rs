//! One request and its answer, appended to the part file.

use super::part_file::{Origin, PartFile};
use super::{Event, FileEntry, PullError, Stage, disk};
use std::io::Read as _;
use std::time::Duration;
use ureq::http::{HeaderMap, Response, StatusCode};
use ureq::{Agent, Body, ResponseExt as _};

/// Redirects that are followed.
const REDIRECTS: u32 = 10;
/// Bytes that are written at once.
const BLOCK: usize = 1 << 16;
/// Bytes of the disk that a file of unknown length leaves alone.
const SPARED: u64 = 1 << 30;
/// The longest wait that a server may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// How a request failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// It may work the next time; what has come stays. The server may have said when.
    Again { reason: String, after: Option<Duration> },
    /// What has come cannot be continued; the next try begins anew.
    Anew { reason: String },
    /// This address will not work.
    Fatal { reason: String },
    /// The fault is on this machine.
    Local(PullError),
}

impl From<PullError> for Failure {
    fn from(error: PullError) -> Self {
        Self::Local(error)
    }
}

pub(super) fn again(reason: impl Into<String>) -> Failure {
    Failure::Again {
        reason: reason.into(),
        after: None,
    }
}

fn fatal(reason: impl Into<String>) -> Failure {
    Failure::Fatal {
        reason: reason.into(),
    }
}

fn anew(reason: impl Into<String>) -> Failure {
    Failure::Anew {
        reason: reason.into(),
    }
}

/// What all requests have in common.
pub(super) fn agent(stall: Duration, proxy: bool) -> Agent {
    let builder = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(REDIRECTS)
        .save_redirect_history(true)
        .user_agent(concat!("sightline/", env!("CARGO_PKG_VERSION")))
        .accept_encoding("identity")
        .timeout_resolve(Some(stall))
        .timeout_connect(Some(stall))
        .timeout_recv_response(Some(stall))
        .timeout_per_read(Some(stall))
        // A server that sends more than it announced must not spoil the next answer.
        .max_idle_connections(0);
    let builder = if proxy { builder } else { builder.proxy(None) };
    builder.build().into()
}

/// Asks for `url` with these headers, following redirects but never from https to http.
fn ask(agent: &Agent, url: &str, headers: &[(&str, String)]) -> Result<Response<Body>, Failure> {
    let secure = url.starts_with("https://");
    let mut request = agent.get(url).config().https_only(secure).build();
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let response = request.call().map_err(|error| match error {
        ureq::Error::TooManyRedirects => fatal(format!(
            "it redirects more than {REDIRECTS} times, perhaps in a circle"
        )),
        ureq::Error::RequireHttpsOnly(to) => fatal(format!(
            "it redirects from https to an address that is not encrypted ({to}), which is not followed"
        )),
        ureq::Error::BadUri(what) => fatal(format!("the address cannot be understood ({what})")),
        ureq::Error::Http(error) => fatal(format!("the address cannot be understood ({error})")),
        ureq::Error::Timeout(_) => again("the server did not answer in time"),
        ureq::Error::HostNotFound => again("the server's name is not known; is there a network?"),
        error => again(format!("the connection failed ({error})")),
    })?;
    let steps = response.get_redirect_history().unwrap_or_default();
    let schemes: Vec<Option<&str>> = steps.iter().map(ureq::http::Uri::scheme_str).collect();
    if schemes
        .windows(2)
        .any(|pair| pair[0] == Some("https") && pair[1] != Some("https"))
    {
        return Err(fatal(
            "it redirects from https to an address that is not encrypted, which is not followed",
        ));
    }
    Ok(response)
}

/// What a status other than a file's means.
fn refused(status: StatusCode, headers: &HeaderMap) -> Failure {
    let said = format!(
        "the server answers {}{}",
        status.as_u16(),
        status
            .canonical_reason()
            .map_or_else(String::new, |text| format!(" ({text})"))
    );
    if status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429) {
        let after = text_of(headers, "retry-after").and_then(|text| text.trim().parse().ok());
        return Failure::Again {
            reason: said,
            after: after.map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT)),
        };
    }
    fatal(match status.as_u16() {
        404 | 410 => format!("{said}: the file is no longer at this address"),
        401 | 403 => format!("{said}: the file is not given to everybody"),
        _ => said,
    })
}

/// Gets a short text, such as a published checksum.
pub(super) fn short_text(agent: &Agent, url: &str, most: u64) -> Result<String, Failure> {
    let response = ask(agent, url, &[])?;
    if response.status() != StatusCode::OK {
        return Err(refused(response.status(), response.headers()));
    }
    let mut text = String::new();
    let read = response
        .into_body()
        .into_reader()
        .take(most + 1)
        .read_to_string(&mut text);
    read.map_err(|error| again(format!("the answer broke off ({error})")))?;
    if text.len() as u64 > most {
        return Err(fatal(format!("the answer is longer than {most} bytes")));
    }
    Ok(text)
}

/// Asks for what is missing of the file and appends it. Returns the address that answered, after redirects.
pub(super) fn fetch(
    agent: &Agent,
    url: &str,
    file: &FileEntry,
    part: &mut PartFile,
    report: &mut dyn FnMut(Event<'_>),
) -> Result<String, Failure> {
    let mut headers = Vec::new();
    let mut continues = false;
    // What came from another address stays until this one sends something.
    if part.is_of(url) {
        let origin = part.origin.clone().unwrap_or_default();
        if origin.total == Some(part.have) {
            return Ok(url.to_owned());
        }
        if let Some(validator) = origin.validator() {
            headers.push(("if-range", validator.to_owned()));
        }
        // Without either, nothing would tell whether the rest belongs to the same file.
        continues = origin.validator().is_some() || origin.total.is_some();
    }
    if continues {
        headers.push(("range", format!("bytes={}-", part.have)));
    }
    let response = ask(agent, url, &headers)?;
    let answered = response.get_uri().to_string();
    let (status, headers) = (response.status(), response.headers());
    if status == StatusCode::RANGE_NOT_SATISFIABLE && continues {
        let total =
            text_of(headers, "content-range").and_then(|text| text.strip_prefix("bytes */")?.parse().ok());
        return if total == Some(part.have) {
            Ok(answered)
        } else {
            Err(anew("the server has another file than before"))
        };
    }
    if text_of(headers, "content-type").is_some_and(|kind| kind.trim_start().starts_with("text/html"))
        && !file.to.ends_with(".html")
        && status.is_success()
    {
        return Err(fatal("the server answers with a web page instead of the file"));
    }
    let announced: Option<u64> = text_of(headers, "content-length").and_then(|text| text.trim().parse().ok());
    let end = if status == StatusCode::OK {
        if continues {
            report(Event::Remark(&format!(
                "{} cannot be continued (its server sends it whole, or it has changed); beginning anew.",
                file.to
            )));
        }
        compare_size(file, announced)?;
        let (etag, day) = (text_of(headers, "etag"), text_of(headers, "last-modified"));
        part.begin(Origin::new(url, etag, day, announced))?;
        announced
    } else if status == StatusCode::PARTIAL_CONTENT && continues {
        continued(part, headers, announced)?
    } else {
        return Err(refused(status, headers));
    };
    let end_or_size = end.or(file.size);
    let free = part.path().parent().and_then(disk::free);
    let needed = end_or_size.map(|end| end.saturating_sub(part.have));
    if let (Some(needed), Some(free)) = (needed, free)
        && needed > free
    {
        return Err(Failure::Local(PullError::NoRoom {
            to: file.to.clone(),
            needed,
            free,
        }));
    }
    // Where nobody says how long the file is, it must at least leave some room.
    let most = end_or_size.or(free.map(|free| part.have + free.saturating_sub(SPARED)));
    report(Event::Stage {
        stage: Stage::Downloading,
        to: &file.to,
        done: part.have,
        total: end_or_size,
    });
    receive(response, part, end_or_size, most, report)?;
    Ok(answered)
}

/// Appends the body, which should end when the part file has `end` bytes, and may never pass `most`.
fn receive(
    response: Response<Body>,
    part: &mut PartFile,
    end: Option<u64>,
    most: Option<u64>,
    report: &mut dyn FnMut(Event<'_>),
) -> Result<(), Failure> {
    let mut body = response.into_body().into_reader();
    let mut block = vec![0; BLOCK];
    loop {
        let read = match body.read(&mut block) {
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(broke_off(part.have, end, &error.to_string())),
        };
        if read == 0 {
            break;
        }
        if most.is_some_and(|most| part.have + read as u64 > most) {
            let most = most.unwrap_or_default();
            return Err(anew(format!(
                "the server sends more than the {most} bytes that it should, or that there is room for"
            )));
        }
        part.append(&block[..read])?;
        report(Event::Bytes(read as u64));
    }
    match end {
        Some(end) if part.have < end => Err(broke_off(part.have, Some(end), "the connection was closed")),
        _ => Ok(()),
    }
}

/// Checks that an answer 206 continues what is there; returns where it ends.
fn continued(part: &PartFile, headers: &HeaderMap, announced: Option<u64>) -> Result<Option<u64>, Failure> {
    let origin = part.origin.clone().unwrap_or_default();
    let text = text_of(headers, "content-range").unwrap_or_default();
    let Some((first, last, total)) = content_range(text) else {
        return Err(anew(format!(
            "the server says nonsense about the part that it sends (\"{text}\")"
        )));
    };
    let asked = part.have;
    if first != asked || announced.is_some_and(|announced| announced != last - first + 1) {
        return Err(anew(format!(
            "the server sends other bytes than asked for (\"{text}\" instead of from {asked} on)"
        )));
    }
    let changed = |then: Option<&str>, now: Option<&str>| then.is_some() && now.is_some() && then != now;
    if changed(origin.etag.as_deref(), text_of(headers, "etag"))
        || (origin.total.is_some() && total.is_some() && origin.total != total)
        || total.is_some_and(|total| last >= total)
    {
        return Err(anew("the file has changed on the server since it was begun"));
    }
    Ok(total.or(origin.total))
}

/// `bytes 10-19/100` or `bytes 10-19/*`.
fn content_range(text: &str) -> Option<(u64, u64, Option<u64>)> {
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let total = match total.trim() {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    // The largest number is left out, so that lengths can be computed.
    (first <= last && last < u64::MAX).then_some((first, last, total))
}

fn compare_size(file: &FileEntry, announced: Option<u64>) -> Result<(), Failure> {
    match (file.size, announced) {
        (Some(size), Some(announced)) if size != announced => Err(fatal(format!(
            "the server offers {announced} bytes, but the published file has {size}; it is another file"
        ))),
        _ => Ok(()),
    }
}

fn broke_off(have: u64, end: Option<u64>, why: &str) -> Failure {
    let of = end.map_or_else(String::new, |end| format!(" of {end}"));
    again(format!("the download broke off after {have}{of} bytes ({why})"))
}

fn text_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// A published address, or its place at the mirror: `https://a.org/b` becomes `MIRROR/a.org/b`.
pub fn through_mirror(url: &str, mirror: Option<&str>) -> String {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    match (mirror, rest) {
        (Some(mirror), Some(rest)) => format!("{}/{rest}", mirror.trim_end_matches('/')),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_bytes() {
        assert_eq!(content_range("bytes 10-19/100"), Some((10, 19, Some(100))));
        assert_eq!(content_range("bytes 0-0/*"), Some((0, 0, None)));
        for text in [
            "",
            "bytes */100",
            "bytes 5-4/10",
            "items 0-1/2",
            "bytes 0-18446744073709551615/*",
        ] {
            assert_eq!(content_range(text), None, "{text}");
        }
    }

    #[test]
    fn mirrors_keep_host_and_path() {
        assert_eq!(
            through_mirror("https://a.org/b?c", Some("http://m/x/")),
            "http://m/x/a.org/b?c"
        );
        assert_eq!(through_mirror("https://a.org/b", None), "https://a.org/b");
    }
}
