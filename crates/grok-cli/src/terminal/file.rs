//! Pictures and sound as files: named after the prompt, never over another file, and never lost for want of a place.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// What some bytes are, by how they begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Png,
    Jpeg,
    Gif,
    WebP,
    Mp3,
    Wav,
    Ogg,
    Flac,
    /// By whoever knows it; nothing tells by its beginning.
    Text,
    /// Something else.
    Unknown,
}

impl Kind {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        match bytes {
            [0x89, b'P', b'N', b'G', ..] => Kind::Png,
            [0xff, 0xd8, 0xff, ..] => Kind::Jpeg,
            [b'G', b'I', b'F', b'8', ..] => Kind::Gif,
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Kind::WebP,
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => Kind::Wav,
            [b'O', b'g', b'g', b'S', ..] => Kind::Ogg,
            [b'f', b'L', b'a', b'C', ..] => Kind::Flac,
            [b'I', b'D', b'3', ..] | [0xff, 0xe2 | 0xe3 | 0xf2 | 0xf3 | 0xfa | 0xfb, ..] => Kind::Mp3,
            _ => Kind::Unknown,
        }
    }

    /// The ending of a file's name.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Kind::Png => "png",
            Kind::Jpeg => "jpg",
            Kind::Gif => "gif",
            Kind::WebP => "webp",
            Kind::Mp3 => "mp3",
            Kind::Wav => "wav",
            Kind::Ogg => "ogg",
            Kind::Flac => "flac",
            Kind::Text => "txt",
            Kind::Unknown => "bin",
        }
    }
}

/// Where some bytes are now.
#[derive(Debug)]
pub(crate) struct Saved {
    pub(crate) path: PathBuf,
    /// Why they are in the folder for temporary files, and not where they were to be.
    pub(crate) instead: Option<io::Error>,
}

/// Writes bytes to `output`, or into it if it is a folder, or else to a file of this folder called `stem`. A file that is
/// there stays: the new one is called `-2`, `-3`, and so on. Where that fails, the folder for temporary files takes them.
///
/// # Errors
/// When not even that can be written to.
pub(crate) fn save(bytes: &[u8], kind: Kind, stem: &str, output: Option<&Path>) -> io::Result<Saved> {
    let named = format!("{stem}.{}", kind.extension());
    let path = match output {
        Some(folder) if folder.is_dir() => folder.join(&named),
        Some(path) => path.to_owned(),
        None => PathBuf::from(&named),
    };
    match write_new(bytes, &path) {
        Ok(path) => Ok(Saved { path, instead: None }),
        Err(error) => {
            let path = write_new(bytes, &std::env::temp_dir().join(&named))?;
            Ok(Saved { path, instead: Some(error) })
        }
    }
}

/// A file's name made of a prompt: its first words in lower case, joined by `-`.
pub(crate) fn slug(prompt: &str) -> String {
    let words = prompt.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    let mut slug = String::new();
    for word in words {
        let word: String = word.to_lowercase().chars().take(MAX_SLUG).collect();
        if !slug.is_empty() && slug.chars().count().saturating_add(word.chars().count()) >= MAX_SLUG {
            break;
        }
        if !slug.is_empty() {
            slug.push('-');
        }
        slug.push_str(&word);
    }
    if slug.is_empty() { "grok".to_owned() } else { slug }
}

/// Writes to a file that is not there yet, under the first name that is free.
fn write_new(bytes: &[u8], path: &Path) -> io::Result<PathBuf> {
    for number in 1..=MAX_NUMBER {
        let path = numbered(path, number);
        match File::create_new(&path) {
            Ok(mut file) => {
                if let Err(error) = file.write_all(bytes).and_then(|()| file.sync_all()) {
                    let _ = fs::remove_file(&path);
                    return Err(error);
                }
                return Ok(path);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    if number == 1 {
        return path.to_owned();
    }
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{number}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// Most letters of a name made of a prompt; with four bytes each, a file system still takes it.
const MAX_SLUG: usize = 48;

/// Most files of one name.
const MAX_NUMBER: u32 = 9_999;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Kind, save, slug};

    #[test]
    fn a_name_is_made_of_the_prompt() {
        assert_eq!(slug("  A red FOX, in the snow! "), "a-red-fox-in-the-snow");
        assert_eq!(slug("../../etc/passwd"), "etc-passwd");
        assert_eq!(slug("\u{1b}[2J\0 …"), "2j");
        assert_eq!(slug("狐狸 in snow"), "狐狸-in-snow");
        assert_eq!(slug("?!"), "grok");
        assert_eq!(slug("word ".repeat(100).trim()), "word-word-word-word-word-word-word-word-word");
        assert_eq!(slug(&"x".repeat(1000)).len(), 48);
    }

    #[test]
    fn a_kind_is_told_by_the_bytes() {
        let kinds = [
            (&b"\x89PNG\r\n\x1a\n"[..], "png"),
            (b"\xff\xd8\xff\xe0", "jpg"),
            (b"RIFF\0\0\0\0WEBPVP8 ", "webp"),
            (b"RIFF\0\0\0\0WAVEfmt ", "wav"),
            (b"ID3\x04", "mp3"),
            (b"\xff\xfb\x90", "mp3"),
            (b"OggS", "ogg"),
            (b"<html>", "bin"),
            (b"", "bin"),
        ];
        for (bytes, extension) in kinds {
            assert_eq!(Kind::of(bytes).extension(), extension, "{bytes:?}");
        }
    }

    #[test]
    fn no_file_is_written_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let names = [b"1", b"2", b"3"].map(|bytes| {
            let saved = save(bytes, Kind::Png, "fox", Some(folder.path())).expect("saved");
            assert!(saved.instead.is_none());
            assert_eq!(fs::read(&saved.path).expect("read"), bytes);
            saved.path.file_name().expect("a name").to_owned()
        });
        assert_eq!(names, ["fox.png", "fox-2.png", "fox-3.png"]);

        let path = folder.path().join("given");
        let again = || save(b"4", Kind::Png, "fox", Some(&path)).expect("saved").path;
        assert_eq!([again(), again()], [path.clone(), folder.path().join("given-2")]);
    }

    #[test]
    fn bytes_whose_place_cannot_be_written_are_kept_elsewhere() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        fs::write(&file, "").expect("written");
        let stem = format!("kept-{}", folder.path().file_name().expect("a name").display());
        let saved = save(b"bytes", Kind::Mp3, &stem, Some(&file.join("below.mp3"))).expect("saved");
        assert!(saved.instead.is_some());
        assert!(saved.path.starts_with(std::env::temp_dir()), "{saved:?}");
        assert_eq!(fs::read(&saved.path).expect("read"), b"bytes");
        fs::remove_file(saved.path).expect("removed");
    }
}
