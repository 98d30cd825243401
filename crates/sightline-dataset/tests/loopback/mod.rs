//! A server on loopback that answers as a test tells it to, and remembers what it was asked.
#![allow(dead_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    headers: Vec<(String, String)>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Where the asked range begins.
    pub(crate) fn from(&self) -> Option<usize> {
        self.header("range")?
            .strip_prefix("bytes=")?
            .strip_suffix('-')?
            .parse()
            .ok()
    }
}

/// What is sent: the head, then pieces with a pause before each. The connection is closed after that.
pub(crate) struct Answer {
    head: String,
    pieces: Vec<(Duration, Vec<u8>)>,
}

impl Answer {
    /// A status line such as `404 Not Found`, with these headers.
    pub(crate) fn new(status: &str, headers: &[(&str, &str)]) -> Self {
        let mut head = format!("HTTP/1.1 {status}\r\nConnection: close\r\n");
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        Self {
            head: head + "\r\n",
            pieces: Vec::new(),
        }
    }

    /// Bytes that follow, after a pause.
    pub(crate) fn then(mut self, pause_ms: u64, bytes: &[u8]) -> Self {
        self.pieces
            .push((Duration::from_millis(pause_ms), bytes.to_vec()));
        self
    }

    /// The whole file, honestly.
    pub(crate) fn whole(content: &[u8]) -> Self {
        Self::new("200 OK", &[("Content-Length", &content.len().to_string())]).then(0, content)
    }

    /// What was asked for, honestly, with this version.
    pub(crate) fn honest(asked: &Asked, content: &[u8], etag: &str) -> Self {
        let total = content.len();
        match asked.from() {
            Some(from) if from < total && asked.header("if-range").is_none_or(|version| version == etag) => {
                let range = format!("bytes {from}-{}/{total}", total - 1);
                let length = (total - from).to_string();
                let headers = [
                    ("Content-Range", range.as_str()),
                    ("Content-Length", &length),
                    ("ETag", etag),
                ];
                Self::new("206 Partial Content", &headers).then(0, &content[from..])
            }
            Some(from) if from >= total => Self::new(
                "416 Range Not Satisfiable",
                &[("Content-Range", &format!("bytes */{total}"))],
            ),
            _ => {
                let headers = [("Content-Length", total.to_string()), ("ETag", etag.to_owned())];
                let headers: Vec<(&str, &str)> = headers.iter().map(|(a, b)| (*a, b.as_str())).collect();
                Self::new("200 OK", &headers).then(0, content)
            }
        }
    }

    /// The head announces everything, but only `length` bytes come.
    pub(crate) fn cut(mut self, length: usize) -> Self {
        for (_, piece) in &mut self.pieces {
            piece.truncate(length);
        }
        self
    }
}

/// The server; it lives as long as the test's process.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// `answer` gets the number of the request, from 0, and the request.
    pub(crate) fn new(answer: impl Fn(usize, &Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (log, answer) = (Arc::clone(&asked), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                std::thread::spawn(move || serve(&stream, &log, answer.as_ref()));
            }
        });
        Self { address, asked }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.address)
    }

    /// All requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(stream: &TcpStream, log: &Mutex<Vec<Asked>>, answer: &dyn Fn(usize, &Asked) -> Answer) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    if reader.read_line(&mut line).is_err() || line.is_empty() {
        return;
    }
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).is_err() || line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.trim().split_once(':') {
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
    }
    let asked = Asked { path, headers };
    let number = {
        let mut log = log.lock().unwrap();
        log.push(asked.clone());
        log.len() - 1
    };
    let answer = answer(number, &asked);
    let mut out = stream;
    let _ = out.write_all(answer.head.as_bytes());
    for (pause, piece) in answer.pieces {
        std::thread::sleep(pause);
        if out.write_all(&piece).and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}
