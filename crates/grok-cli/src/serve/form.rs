//! A request's body as JSON: JSON itself, or, as clients send pictures to be changed, a form (RFC 7578), whose files become
//! `data:` URLs.

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use grok_mpp::call::Picture;
use serde_json::{Map, Value};

use super::error::ApiError;

/// Reads a body; members that are null are as good as none.
pub(super) fn read(head: &HeaderMap, body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    let kind = head.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if is_form(kind) {
        return form(kind, body)
            .ok_or_else(|| wrong("the body is no form whose pictures are PNG, JPEG, WebP or GIF"));
    }
    let asked =
        serde_json::from_slice(body).map_err(|error| wrong(format!("the body is not JSON: {error}")))?;
    let Value::Object(mut asked) = asked else { return Err(wrong("the body must be a JSON object")) };
    asked.retain(|_, value| !value.is_null());
    Ok(asked)
}

/// Whether a type is that of a form with files.
pub(super) fn is_form(kind: &str) -> bool {
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("multipart/form-data"))
}

/// The fields of a form. Several of a name are an array.
fn form(kind: &str, body: &[u8]) -> Option<Map<String, Value>> {
    let boundary = kind.split(';').find_map(|parameter| parameter.trim().strip_prefix("boundary="))?;
    let boundary = Some(boundary.trim_matches('"')).filter(|it| it.len() <= LONGEST_BOUNDARY)?;
    let boundary = format!("--{boundary}");
    let next = format!("\r\n{boundary}");
    let mut rest = body.strip_prefix(boundary.as_bytes())?;
    let mut fields = Map::new();
    loop {
        // After the last one.
        if rest.starts_with(b"--") {
            return Some(fields);
        }
        let (part, after) = split(rest.strip_prefix(b"\r\n")?, next.as_bytes())?;
        let (name, value) = field(part)?;
        match fields.get_mut(&name) {
            Some(Value::Array(several)) => several.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
            None => {
                fields.insert(name, value);
            }
        }
        rest = after;
    }
}

/// A field's name and what it holds: a picture's URL, a number, a switch, or a text.
fn field(part: &[u8]) -> Option<(String, Value)> {
    let (head, value) = split(part, b"\r\n\r\n")?;
    let head = std::str::from_utf8(head).ok()?;
    let told = head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"))?;
    let parameter = |start: &str| {
        // A file may be called anything.
        let mut quoted = false;
        let mut parts = told.split(|letter| {
            quoted ^= letter == '"';
            letter == ';' && !quoted
        });
        parts.find_map(|it| it.trim().strip_prefix(start))
    };
    let name = parameter("name=")?.trim_matches('"');
    let value = match parameter("filename=") {
        Some(_) => Picture::from_bytes(value)?.url().into(),
        None => {
            let text = std::str::from_utf8(value).ok()?;
            let known = ["n", "stream"].contains(&name).then(|| serde_json::from_str(text).ok());
            known.flatten().unwrap_or_else(|| text.into())
        }
    };
    // Clients say so that there may be several.
    Some((name.trim_end_matches("[]").to_owned(), value))
}

fn split<'a>(bytes: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let place = bytes.windows(at.len()).position(|window| window == at)?;
    let (before, after) = bytes.split_at_checked(place)?;
    Some((before, after.strip_prefix(at)?))
}

fn wrong(message: impl Into<String>) -> ApiError {
    ApiError::bad_request("", message)
}

/// As RFC 2046 §5.1.1 has it; it is looked for at every byte of the body.
const LONGEST_BOUNDARY: usize = 70;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const KIND: &str = "multipart/form-data; boundary=\"xy\"";

    fn read(body: &str) -> Option<Value> {
        form(KIND, body.as_bytes()).map(Value::Object)
    }

    fn part(name: &str, value: &str) -> String {
        format!("--xy\r\ncontent-disposition: form-data; name=\"{name}\"\r\nX: y\r\n\r\n{value}\r\n")
    }

    #[test]
    fn fields_are_read_as_what_they_are() {
        let gif =
            "Content-Disposition: form-data; name=\"image[]\"; filename=\"a.gif\"\r\n\r\nGIF8\r\n--x\r\n";
        let parts = [part("prompt", "two\r\nlines"), part("n", "2"), format!("--xy\r\n{gif}")].concat();
        let expected =
            json!({"prompt": "two\r\nlines", "n": 2, "image": "data:image/gif;base64,R0lGOA0KLS14"});
        assert_eq!(read(&format!("{parts}--xy--\r\n")), Some(expected));
        let twice = [part("image", "a"), part("image", "b"), part("image", "c")].concat();
        assert_eq!(read(&format!("{twice}--xy--")), Some(json!({"image": ["a", "b", "c"]})));
        let names = "filename=\"a; name=b; c.gif\"; name=\"image; filename=d\"";
        let named = format!("--xy\r\nContent-Disposition: form-data; {names}\r\n\r\nGIF8\r\n--xy--");
        let expected = json!({"image; filename=d": "data:image/gif;base64,R0lGOA=="});
        assert_eq!(read(&named), Some(expected));
        assert_eq!(read("--xy--"), Some(json!({})));
    }

    #[test]
    fn err_what_is_no_form_or_not_whole() {
        let whole = part("prompt", "a") + "--xy--";
        for length in 0..whole.len() - 1 {
            assert_eq!(read(&whole[..length]), None, "{length}");
        }
        let file =
            "--xy\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a\"\r\n\r\nMZ\r\n--xy--";
        assert_eq!(read(file), None, "no picture");
        assert_eq!(read("--xy\r\n\r\n\r\na\r\n--xy--"), None, "no name");
        assert!(form("multipart/form-data", whole.as_bytes()).is_none());
        for (length, is_read) in [(70, true), (71, false)] {
            let boundary = "x".repeat(length);
            let kind = format!("multipart/form-data; boundary={boundary}");
            assert_eq!(form(&kind, format!("--{boundary}--").as_bytes()).is_some(), is_read, "{length}");
        }
    }
}
