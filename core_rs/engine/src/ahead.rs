//! Reading ahead: while one thread uses a part of what is read, another makes the next ones.

use std::io;
use std::sync::mpsc::{channel, sync_channel};
use std::thread;

/// Parts that wait to be used, at most.
const WAITING: usize = 16;

/// Who makes the parts that are used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// This thread, each before it is used.
    Here,
    /// The same, beside an engine whose syncs must not wait: of a journal nothing is read that is not yet needed.
    Aside,
    /// A thread of its own, ahead.
    Ahead,
}

impl Reading {
    /// Has `make` make parts and `each` use them, in their order, in this thread: all of them, or up to the first that
    /// cannot be used. What `make` says at its end; where `each` has failed, that failure, for it came first. An error
    /// of the system's where it gives no thread.
    pub fn run<T: Send, M: Send, E: From<io::Error>>(
        self,
        make: impl FnOnce(&mut dyn FnMut(T) -> bool) -> M + Send,
        mut each: impl FnMut(&mut T) -> Result<(), E>,
    ) -> Result<M, E> {
        if self != Self::Ahead {
            return here(make, each);
        }
        thread::scope(|scope| {
            let (part, parts) = sync_channel(WAITING);
            let (back, spent) = channel();
            let maker = thread::Builder::new().name("reading".to_owned()).spawn_scoped(scope, move || {
                make(&mut |made| {
                    // What was used is dropped where it was made: that is where its memory is.
                    spent.try_iter().for_each(drop::<T>);
                    part.send(made).is_ok()
                })
            })?;
            for mut part in parts {
                each(&mut part)?;
                // Whoever made the last part has ended: then it is dropped here.
                drop(back.send(part));
            }
            maker.join().map_or_else(|panic| std::panic::resume_unwind(panic), Ok)
        })
    }
}

fn here<T, M, E>(
    make: impl FnOnce(&mut dyn FnMut(T) -> bool) -> M,
    mut each: impl FnMut(&mut T) -> Result<(), E>,
) -> Result<M, E> {
    let mut used = Ok(());
    let said = make(&mut |mut part| {
        used = each(&mut part);
        used.is_ok()
    });
    used.map(|()| said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    enum Failed {
        At(u32),
        Thread,
    }

    impl From<io::Error> for Failed {
        fn from(_: io::Error) -> Self {
            Self::Thread
        }
    }

    /// Makes 1, 2, 3, ..., up to and with `last`; how many were taken.
    fn count(last: u32) -> impl FnOnce(&mut dyn FnMut(u32) -> bool) -> u32 + Send {
        move |hand| (1..=last).take_while(|number| hand(*number)).last().unwrap_or(0)
    }

    #[test]
    fn all_parts_are_used_in_their_order_whoever_makes_them() {
        for reading in [Reading::Here, Reading::Aside, Reading::Ahead] {
            let mut used = Vec::new();
            let made = reading.run(count(1_000), |number| {
                used.push(*number);
                Ok::<(), Failed>(())
            });
            assert_eq!(made, Ok(1_000));
            assert!(used.into_iter().eq(1..=1_000));
        }
    }

    #[test]
    fn nothing_is_used_behind_a_part_that_cannot_be() {
        for reading in [Reading::Here, Reading::Aside, Reading::Ahead] {
            let mut used = 0;
            let made = reading.run(count(u32::MAX), |number| {
                used += 1;
                if *number < 100 { Ok(()) } else { Err(Failed::At(*number)) }
            });
            assert_eq!((made, used), (Err(Failed::At(100)), 100));
        }
    }
}
