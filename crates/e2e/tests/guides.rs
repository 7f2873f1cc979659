//! What the README and the guides point to is there: files, headings, and the tests that they name.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn every_link_of_the_guides_leads_somewhere_and_every_test_they_name_exists() {
    let (mut links, mut wrong) = (0, Vec::new());
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for (words, target) in links_in(&text) {
            links += 1;
            if let Err(why) = follow(&page, words, target) {
                wrong.push(format!("{}: [{words}]({target}): {why}", page.display()));
            }
        }
    }
    assert!(links > 100, "the links are not found any more: {links}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn pages() -> Vec<PathBuf> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let guides = fs::read_dir(top.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let guides = guides.filter(|path| path.extension().is_some_and(|end| end == "md"));
    guides.chain([top.join("README.md")]).collect()
}

/// The words and the target of each link.
fn links_in(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.match_indices("](").filter_map(|(at, _)| {
        let words = text.get(..at)?.rsplit_once('[')?.1;
        let target = text.get(at + 2..)?.split_once(')')?.0;
        Some((words, target))
    })
}

fn follow(page: &Path, words: &str, target: &str) -> Result<(), String> {
    if target.starts_with("https://") {
        return Ok(());
    }
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    let path = if path.is_empty() { page.to_owned() } else { page.parent().unwrap().join(path) };
    if path.is_dir() {
        return Ok(());
    }
    let Ok(text) = fs::read_to_string(&path) else { return Err("there is no such file".to_owned()) };
    let headings = text.lines().filter_map(|line| line.strip_prefix('#'));
    if !heading.is_empty() && !headings.map(anchor).any(|anchor| anchor == heading) {
        return Err("there is no such heading".to_owned());
    }
    // A link to a test is its name, as code.
    match words.strip_prefix('`').and_then(|words| words.strip_suffix('`')) {
        Some(test) if target.ends_with(".rs") && !text.contains(test) => {
            Err("there is no such test".to_owned())
        }
        _ => Ok(()),
    }
}

/// The name that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    let letters = heading.trim_start_matches('#').trim().to_lowercase();
    let letters =
        letters.chars().filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter));
    letters.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}
