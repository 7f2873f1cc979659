//! An event stream by WHATWG HTML §9.2.6, line by line.

/// The data of each event. As in grok-mpp, nothing is decoded but the lines, and the empty line after the last event may
/// be missing.
pub fn read(stream: &[u8]) -> Vec<Vec<u8>> {
    let stream = stream.strip_prefix("\u{feff}".as_bytes()).unwrap_or(stream);
    let (mut events, mut data) = (Vec::new(), Vec::new());
    for line in lines(stream).chain([&b""[..]]) {
        let (field, value) = match line.iter().position(|byte| *byte == b':') {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (line, &b""[..]),
        };
        match field {
            _ if line.is_empty() && data.is_empty() => {}
            _ if line.is_empty() => events.push(std::mem::take(&mut data).join(&b'\n')),
            b"data" => data.push(value.strip_prefix(b" ").unwrap_or(value)),
            _ => {}
        }
    }
    events
}

/// `end-of-line = ( cr lf / cr / lf )`, the longest first.
fn lines(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(stream);
    std::iter::from_fn(move || {
        let stream = rest?;
        let Some(at) = stream.iter().position(|byte| b"\r\n".contains(byte)) else {
            return rest.take();
        };
        let end = if stream[at..].starts_with(b"\r\n") { at + 2 } else { at + 1 };
        rest = Some(&stream[end..]);
        Some(&stream[..at])
    })
}
