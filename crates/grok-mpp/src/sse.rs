//! Server-sent events (WHATWG HTML §9.2.6): bytes in pieces in, the data of each event out. Everything but `data` is
//! passed over; each byte is looked at once. How much there can be is the reader's limit on the whole body.

use std::collections::VecDeque;

/// What came of a stream of events.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// Of the line that has not ended.
    line: Vec<u8>,
    /// Of the event that has not ended, each line with its end.
    data: Vec<u8>,
    after_return: bool,
    begun: bool,
    ready: VecDeque<Vec<u8>>,
}

impl Events {
    /// Takes the next bytes of the stream.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let after_return = std::mem::replace(&mut self.after_return, *byte == b'\r');
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => self.end_line(),
                _ => self.line.push(*byte),
            }
        }
    }

    /// Takes the end of the stream. The empty line after the last event may be missing.
    pub(crate) fn end(&mut self) {
        self.end_line();
        self.dispatch();
    }

    /// The data of the next event that is whole.
    pub(crate) fn next(&mut self) -> Option<Vec<u8>> {
        self.ready.pop_front()
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line = match std::mem::replace(&mut self.begun, true) {
            false => line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&line),
            true => &line,
        };
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = match line.iter().position(|byte| *byte == b':') {
            Some(at) => line.split_at(at),
            None => (line, &b":"[..]),
        };
        if field == b"data" {
            let value = value.strip_prefix(b":").unwrap_or(value);
            self.data.extend_from_slice(value.strip_prefix(b" ").unwrap_or(value));
            self.data.push(b'\n');
        }
    }

    fn dispatch(&mut self) {
        let mut data = std::mem::take(&mut self.data);
        // Without the end of its last line.
        if data.pop().is_some() {
            self.ready.push_back(data);
        }
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

#[cfg(test)]
mod tests {
    use super::*;

    fn events(pieces: &[&str]) -> Vec<String> {
        let mut events = Events::default();
        pieces.iter().for_each(|piece| events.push(piece.as_bytes()));
        events.end();
        std::iter::from_fn(|| events.next()).map(|data| String::from_utf8(data).unwrap()).collect()
    }

    #[test]
    fn events_are_read_as_the_standard_has_it() {
        let cases: [(&str, &[&str]); 10] = [
            ("data: a\n\ndata:b\n\n", &["a", "b"]),
            ("data: a\r\n\r\ndata: b\r\rdata: c\n\r\n", &["a", "b", "c"]),
            ("data: a\ndata: b\ndata\n\n", &["a\nb\n"]),
            ("\u{feff}data: a\n\n\u{feff}data: b\n\n", &["a"]),
            (": ping\n\nevent: x\nid: 1\nretry: 2\n\n", &[]),
            ("event: x\ndata:  two spaces\n\n", &[" two spaces"]),
            ("data\n\ndata:\n\n", &["", ""]),
            ("dataset: a\n\ndata a: b\n\n", &[]),
            ("data: [DONE]", &["[DONE]"]),
            ("\n\n\n", &[]),
        ];
        for (stream, expected) in cases {
            assert_eq!(events(&[stream]), expected, "{stream:?}");
            let bytes: Vec<_> =
                stream.char_indices().map(|(at, one)| &stream[at..at + one.len_utf8()]).collect();
            assert_eq!(events(&bytes), expected, "{stream:?}, one by one");
        }
    }
}
