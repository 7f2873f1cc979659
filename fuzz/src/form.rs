//! Forms by RFC 7578 and RFC 2046 §5.1.1, part by part.

/// What a field holds.
#[derive(Debug)]
pub enum Content<'a> {
    File(&'a [u8]),
    Text(&'a str),
}

/// The fields of a form, in order. As in grok-cli, nothing comes before the first boundary and no white space behind any,
/// what comes behind the last is ignored, and quoted strings have no escapes.
pub fn read<'a>(boundary: &str, body: &'a [u8]) -> Option<Vec<(String, Content<'a>)>> {
    let delimiter = format!("\r\n--{boundary}");
    let mut rest = body.strip_prefix(&delimiter.as_bytes()[2..])?;
    let mut fields = Vec::new();
    while !rest.starts_with(b"--") {
        let part;
        (part, rest) = cut(rest.strip_prefix(b"\r\n")?, delimiter.as_bytes())?;
        let (head, value) = cut(part, b"\r\n\r\n")?;
        let disposition = disposition(std::str::from_utf8(head).ok()?)?;
        let parameter = |name: &str| {
            let mut parameters = disposition.iter().skip(1).filter_map(|it| it.trim().split_once('='));
            parameters.find(|(known, _)| *known == name).map(|(_, value)| value.trim_matches('"').to_owned())
        };
        let content = match parameter("filename") {
            Some(_) => Content::File(value),
            None => Content::Text(std::str::from_utf8(value).ok()?),
        };
        fields.push((parameter("name")?, content));
    }
    Some(fields)
}

/// What stands between the semicolons of the first `Content-Disposition`, but for those in quotes.
fn disposition(head: &str) -> Option<Vec<String>> {
    let mut lines = head.split('\n').filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-disposition"))?;
    let (mut parts, mut quoted) = (vec![String::new()], false);
    for letter in value.chars() {
        quoted ^= letter == '"';
        match parts.last_mut() {
            Some(last) if letter != ';' || quoted => last.push(letter),
            _ => parts.push(String::new()),
        }
    }
    Some(parts)
}

fn cut<'a>(bytes: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let place = (0..bytes.len()).find(|place| bytes[*place..].starts_with(at))?;
    Some((&bytes[..place], &bytes[place + at.len()..]))
}
