//! Which answers there are: those that are being made, and for some minutes those that were. Whoever asks the same again
//! because an answer was lost on the way to him, or took too long for him, gets that one, and nothing is paid twice.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::record::{Reader, Record, Recorder};

/// The answers that are kept.
#[derive(Debug, Default)]
pub(super) struct Calls {
    kept: Mutex<VecDeque<Kept>>,
}

#[derive(Debug)]
struct Kept {
    request: Request,
    reader: Reader,
}

/// What tells requests apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// What the client calls it, if it calls it something.
    pub(super) key: Option<String>,
    /// Where it goes and what it says.
    pub(super) digest: String,
}

/// What there is to do about a request.
#[derive(Debug)]
pub(super) enum Found {
    /// To buy its answer, and to write it down here.
    New(Recorder, Reader),
    /// Nothing: this is its answer.
    Known(Reader),
    /// Its key is that of another request.
    KeyReused,
}

impl Calls {
    /// Whether there is no answer to a request, even if its client says that it tries again.
    pub(super) fn is_new(&self, request: &Request) -> bool {
        let mut kept = self.lock();
        // Of one that cost nothing, that is all there is to know.
        let cost_nothing = |it: &Kept| request.is_that_of(it) && it.reader.now(Record::is_void);
        if kept.iter().any(cost_nothing) {
            return false;
        }
        // What is about to be forgotten is no answer.
        tidy(&mut kept);
        !kept.iter().any(|it| request.is_that_of(it))
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks for the answer to a request, or makes room for it. One without a key counts as the same as another only if its
    /// client says that it tries `again`, or if whoever asked the other hung up before it was answered: some try again
    /// without a word.
    pub(super) fn find(&self, request: &Request, again: bool) -> Found {
        let mut kept = self.lock();
        tidy(&mut kept);
        let same = |it: &&Kept| {
            request.is_that_of(it) && (again || request.key.is_some() || it.reader.is_left_alone())
        };
        // The latest of several.
        if let Some(found) = kept.iter().rev().find(same) {
            let reused = found.request.digest != request.digest;
            return if reused { Found::KeyReused } else { Found::Known(found.reader.clone()) };
        }
        let (recorder, reader) = Recorder::new();
        kept.push_back(Kept { request: request.clone(), reader: reader.clone() });
        Found::New(recorder, reader)
    }
}

impl Request {
    fn is_that_of(&self, kept: &Kept) -> bool {
        match &self.key {
            Some(_) => kept.request.key == self.key,
            None => kept.request == *self,
        }
    }
}

/// Forgets what is old, what nobody needs, and, where all of it is too much, the oldest; never what is being made.
fn tidy(kept: &mut VecDeque<Kept>) {
    kept.retain(|it| {
        it.reader.now(|record| !record.is_void() && record.age().is_none_or(|age| age < KEPT_FOR))
    });
    let mut left = MOST_BYTES;
    let mut newest_first: VecDeque<Kept> = VecDeque::with_capacity(kept.len());
    while let Some(it) = kept.pop_back() {
        let (size, under_way) = it.reader.now(|record| (record.size(), record.age().is_none()));
        let room = left.checked_sub(size);
        left = room.unwrap_or(left);
        if under_way || (room.is_some() && newest_first.len() < MOST_ANSWERS) {
            newest_first.push_front(it);
        }
    }
    *kept = newest_first;
}

/// The official clients try again within seconds, and give up waiting after ten minutes unless told otherwise.
pub(super) const KEPT_FOR: Duration = Duration::from_secs(15 * 60);
/// Most that finished answers take, in bytes: some hundred conversations, or a dozen pictures.
const MOST_BYTES: usize = 64 << 20;
const MOST_ANSWERS: usize = 1024;

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, StatusCode};

    use super::super::record::Reply;
    use super::*;

    fn bought(calls: &Calls, bytes: usize) -> (Request, Reader) {
        let request = Request { key: None, digest: bytes.to_string() };
        let Found::New(record, reader) = calls.find(&request, false) else { panic!("it is new") };
        record.answer(Reply::new(StatusCode::OK, HeaderMap::new(), "a/b", vec![0; bytes]), true);
        (request, reader)
    }

    #[test]
    fn an_answer_that_is_too_large_to_be_kept_is_not_held_to_be_there() {
        let calls = Calls::default();
        let (small, _) = bought(&calls, 1);
        let (large, _) = bought(&calls, MOST_BYTES + 1);
        assert_eq!([calls.is_new(&small), calls.is_new(&large)], [false, true]);
    }

    #[tokio::test]
    async fn an_answer_that_nobody_took_is_that_of_who_asks_the_same() {
        let calls = Calls::default();
        let (request, reader) = bought(&calls, 1);
        assert!(matches!(calls.find(&request, false), Found::Known(_)));
        assert!(reader.respond(HeaderMap::new()).await.is_some());
        assert!(matches!(calls.find(&request, false), Found::New(..)));
    }
}
