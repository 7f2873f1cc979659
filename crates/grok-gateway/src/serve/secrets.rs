//! Secrets: taken from the environment or from files, or made once and kept beside the database. None is ever shown.

use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use mpp_gate::Secret;
use zeroize::Zeroizing;

/// Whatever the environment holds; an empty variable is as good as none.
pub(crate) struct Environment(pub(crate) Lookup);

pub(crate) type Lookup = Box<dyn Fn(&str) -> Option<String>>;

impl Environment {
    pub(crate) fn of_process() -> Self {
        Environment(Box::new(|name| std::env::var(name).ok()))
    }

    pub(crate) fn text(&self, name: &str) -> Option<Zeroizing<String>> {
        (self.0)(name).filter(|text| !text.is_empty()).map(Zeroizing::new)
    }

    /// A secret: of the variable, or of the file in the variable with `_FILE` at its end, else of `file`. Both variables
    /// are one too many, as nobody can tell which is meant.
    pub(crate) fn secret(
        &self,
        name: &str,
        file: Option<&Path>,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Zeroizing<String>>, String> {
        let twin = format!("{name}_FILE");
        match (self.text(name), self.text(&twin)) {
            (Some(_), Some(_)) => Err(format!("{name} and {twin} are both set; unset one of them")),
            (Some(text), None) => Ok(Some(text)),
            (None, Some(path)) => from_file(Path::new(path.as_str()), warnings).map(Some),
            (None, None) => file.map(|path| from_file(path, warnings)).transpose(),
        }
    }
}

fn from_file(path: &Path, warnings: &mut Vec<String>) -> Result<Zeroizing<String>, String> {
    let wrong = |why: &str| format!("{}: {why}", path.display());
    let file = std::fs::File::open(path).map_err(|error| wrong(&error.to_string()))?;
    let metadata = file.metadata().map_err(|error| wrong(&error.to_string()))?;
    // Not an error: what hands secrets to containers often leaves them like this.
    if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0 {
        warnings.push(wrong("others on this machine can read it; run chmod 600 on it"));
    }
    // Memory that does not grow: growing leaves copies that nobody wipes.
    let mut text = Zeroizing::new(String::with_capacity(usize::try_from(MAX_FILE).unwrap_or_default() + 1));
    file.take(MAX_FILE).read_to_string(&mut text).map_err(|error| wrong(&error.to_string()))?;
    let text = Zeroizing::new(text.trim().to_owned());
    if text.is_empty() { Err(wrong("it is empty; put the secret into it")) } else { Ok(text) }
}

/// A gate's secret of at least 64 hexadecimal digits.
pub(crate) fn parse(text: &str) -> Result<Secret, &'static str> {
    let bytes = alloy_primitives::hex::decode(text).ok();
    bytes.and_then(Secret::new).ok_or("a secret is 64 or more hexadecimal digits, as of openssl rand -hex 32")
}

/// Where the secret of a gateway is that was given none.
pub(crate) fn place(database: &Path) -> PathBuf {
    let mut name = database.file_name().unwrap_or_default().to_owned();
    name.push(".secret");
    database.with_file_name(name)
}

/// The secret that is kept there, made if there is none.
pub(crate) fn kept(path: &Path) -> Result<Secret, String> {
    let wrong = |why: &str| format!("{}: {why}", path.display());
    let text = match from_file(path, &mut Vec::new()) {
        Ok(text) => text,
        Err(_) if !path.exists() => make(path).map_err(|error| wrong(&error.to_string()))?,
        Err(error) => return Err(error),
    };
    parse(&text).map_err(wrong)
}

fn make(path: &Path) -> std::io::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut_slice()).map_err(std::io::Error::other)?;
    let text = Zeroizing::new(alloy_primitives::hex::encode(bytes.as_slice()));
    // Whole or not at all, readable by its owner alone; of two who do this at once, the first one's counts.
    let mut file = tempfile::NamedTempFile::new_in(folder(path))?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(text),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {
            std::fs::read_to_string(path).map(Zeroizing::new)
        }
        Err(error) => Err(error.error),
    }
}

/// The folder that a file is in, or is to be.
pub(crate) fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// In bytes; the longest of them are URLs.
const MAX_FILE: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_secret_is_kept_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = place(&folder.path().join("gateway.sqlite"));
        kept(&path).unwrap();
        let first = std::fs::read_to_string(&path).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
        assert_eq!((first.len(), mode & 0o777), (64, 0o600));
        kept(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), first, "it was made anew");
        std::fs::write(&path, "short").unwrap();
        assert!(kept(&path).unwrap_err().contains("64 or more hexadecimal digits"));
    }

    #[test]
    fn a_variable_and_one_that_names_a_file_come_before_the_settings_and_are_not_set_both() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, format!("{name}\n")).unwrap();
            path
        };
        let (named, set) = (file("named").display().to_string(), file("set"));
        let read = |variables: &[(&str, &str)]| {
            let variables: Vec<_> =
                variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let find = move |name: &str| Some(variables.iter().find(|(known, _)| known == name)?.1.clone());
            let environment = Environment(Box::new(find));
            let secret = environment.secret("KEY", Some(&set), &mut Vec::new())?;
            Ok::<_, String>(secret.unwrap().to_string())
        };
        assert_eq!(read(&[]).unwrap(), "set");
        assert_eq!(read(&[("KEY", ""), ("KEY_FILE", &named)]).unwrap(), "named");
        assert_eq!(read(&[("KEY", "itself"), ("KEY_FILE", "")]).unwrap(), "itself");
        for file in [&named, "/nowhere"] {
            let both = read(&[("KEY", "itself"), ("KEY_FILE", file)]);
            assert_eq!(both.unwrap_err(), "KEY and KEY_FILE are both set; unset one of them");
        }
    }
}
