//! Each file of `testdata/snapshots` is a session: commands, what each prints where, and how it ends, word for word but for
//! what differs each time. `UPDATE_SNAPSHOTS=1` writes them anew, to be looked at before they are kept.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::support::{Home, stderr, stdout};

#[test]
fn every_command_prints_what_its_session_shows() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/snapshots");
    let mut sessions: Vec<_> =
        fs::read_dir(folder).expect("there").map(|file| file.expect("a file").path()).collect();
    sessions.sort();
    assert!(sessions.len() >= 9, "the sessions are missing");
    let mut wrong = Vec::new();
    for path in sessions {
        let kept = fs::read_to_string(&path).expect("UTF-8");
        let shown = play(&kept);
        if shown == kept {
            continue;
        }
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            fs::write(&path, shown).expect("written");
        } else {
            wrong.push(format!("{}\n{}", path.display(), first_difference(&kept, &shown)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Does what a session's lines say that begin with `$ `, in a home of its own, and writes down what comes of it. Lines that
/// begin with `# ` stay; `$ cat > NAME` makes a file of the lines below it, which begin with `| `.
fn play(session: &str) -> String {
    let home = Home::new();
    let mut shown = String::new();
    let mut lines = session.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with("# ") {
            shown += &format!("{line}\n");
        } else if let Some(name) = line.strip_prefix("$ cat > ") {
            shown += &format!("{line}\n");
            let mut text = String::new();
            while let Some(line) = lines.next_if(|line| line.starts_with("| ")) {
                shown += &format!("{line}\n");
                text += &format!("{}\n", &line[2..]);
            }
            fs::write(home.file(name), text).expect("written");
        } else if let Some(command) = line.strip_prefix("$ grok-mpp ") {
            let arguments = shlex::split(command).expect("words");
            let output = home.grok_mpp().args(arguments).current_dir(home.file("")).output().expect("starts");
            shown += &format!("{line}\n{}", written(&output, &home));
        }
    }
    shown
}

fn written(output: &Output, home: &Home) -> String {
    let mut all = String::new();
    for (mark, text) in [("", stdout(output)), ("! ", stderr(output))] {
        let home = home.file("").display().to_string();
        let text = settled(&text.replace(home.trim_end_matches('/'), "HOME"));
        all.extend(text.lines().map(|line| format!("  {mark}{line}").trim_end().to_owned() + "\n"));
    }
    let code = output.status.code().expect("an end of its own");
    all + &format!("  = {code}\n")
}

/// A text without what differs each time: hashes, keys, times, ports.
pub(crate) fn settled(text: &str) -> String {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "_-+/=:.".contains(letter);
    let mut all = String::new();
    for part in text.split_inclusive(|letter| !is_part(letter)) {
        let end =
            part.len() - part.chars().last().filter(|letter| !is_part(*letter)).map_or(0, char::len_utf8);
        let (word, end) = part.split_at(end);
        all += &settled_word(word);
        all += end;
    }
    all
}

fn settled_word(word: &str) -> String {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let bare = word.trim_end_matches(['.', ':']);
    let tail = &word[bare.len()..];
    let hex = |length: usize| {
        bare.strip_prefix("0x")
            .is_some_and(|rest| rest.len() >= length && rest.bytes().all(|it| it.is_ascii_hexdigit()))
    };
    let at = |place: usize| bare.as_bytes().get(place).copied();
    let is_time = bare.len() >= 20 && bare.ends_with('Z') && [at(4), at(10)] == [Some(b'-'), Some(b'T')];
    let shown = match bare {
        _ if hex(65) => "0x…",
        _ if hex(64) || bare.len() == 8 && hex(6) => "0xHASH",
        // A sandbox's payer is another one each time, unlike its payee.
        _ if bare.len() == 42 && hex(40) && ![PAYEE, PATH_USD].contains(&bare.to_lowercase().as_str()) => {
            "0xPAYER"
        }
        _ if is_time => "TIME",
        _ if bare.len() == 10 && digits(&bare.replace('-', "")) && bare.contains('-') => "DAY",
        _ if bare.len() == 5 && digits(&bare.replace(':', "")) && bare.contains(':') => "TIME",
        _ if digits(bare) && bare.len() == 10 && bare.starts_with('1') => "SECONDS",
        _ if bare.starts_with("http://127.0.0.1:") => "http://127.0.0.1:PORT",
        _ if bare.starts_with("sha-256=:") => "sha-256=:DIGEST",
        _ if bare.len() >= 200 => "OPAQUE",
        _ if bare.len() >= 43 && !digits(bare) && !bare.contains(['/', '.', ':']) && !hex(40) => "OPAQUE",
        _ => return word.to_owned(),
    };
    shown.to_owned() + tail
}

const PAYEE: &str = "0xa0ee7a142d267c1f36714e4a8f75612f20a79720";
const PATH_USD: &str = "0x20c0000000000000000000000000000000000000";

fn first_difference(kept: &str, shown: &str) -> String {
    let pairs = kept.lines().map(Some).chain([None]).zip(shown.lines().map(Some).chain([None]));
    let different = pairs.enumerate().find(|(_, (kept, shown))| kept != shown);
    different.map_or(String::new(), |(line, (kept, shown))| {
        format!(
            "line {}:\n  kept  {}\n  shown {}",
            line + 1,
            kept.unwrap_or("(its end)"),
            shown.unwrap_or("(its end)")
        )
    })
}
