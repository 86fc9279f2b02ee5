// SPDX-License-Identifier: MIT
//! The same operations among few others and among many: does their price stay?
use crate::{Clock, Cost};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

const YIELDS: usize = 2_000_000;
const TURNS: usize = 4;
const TIMEOUTS: usize = 500_000;

/// The tasks are timed from when all of them are there, until when they give way, to when the last has had its
/// turns. Each gives way once more after the start: it waited for it.
struct Crowd {
    begun: AtomicUsize,
    ended: AtomicUsize,
    clock: Mutex<Option<Clock>>,
    cost: Mutex<Option<Cost>>,
}

pub async fn yields(n: usize) -> Cost {
    let turns = (YIELDS / n).max(TURNS);
    let crowd = Arc::new(Crowd {
        begun: AtomicUsize::new(0),
        ended: AtomicUsize::new(0),
        clock: Mutex::new(None),
        cost: Mutex::new(None),
    });
    let mut handles = vec![];
    for _ in 0..n {
        let crowd = crowd.clone();
        handles.push(tokio::spawn(async move {
            if crowd.begun.fetch_add(1, Relaxed) + 1 == n {
                *crowd.clock.lock().unwrap() = Some(Clock::start());
            }
            loop {
                yield_now().await;
                if crowd.begun.load(Relaxed) >= n {
                    break;
                }
            }
            for _ in 0..turns {
                yield_now().await;
            }
            if crowd.ended.fetch_add(1, Relaxed) + 1 == n {
                let clock = crowd.clock.lock().unwrap().take().unwrap();
                *crowd.cost.lock().unwrap() = Some(clock.stop(n * (turns + 1)));
            }
        }));
    }
    for handle in handles {
        handle.await.unwrap();
    }
    let cost = crowd.cost.lock().unwrap().take();
    cost.unwrap()
}

/// An hour, and then some: all over the wheel, and never due.
fn later(i: usize) -> Duration {
    Duration::from_millis(3_600_000 + i as u64 * 7919 % 3_600_000)
}

pub async fn timeouts(n: usize) -> Cost {
    let asleep = Arc::new(AtomicUsize::new(0));
    for i in 0..n {
        let asleep = asleep.clone();
        tokio::spawn(async move {
            asleep.fetch_add(1, Relaxed);
            sleep(later(i)).await;
        });
    }
    while asleep.load(Relaxed) < n {
        yield_now().await;
    }
    let clock = Clock::start();
    for i in 0..TIMEOUTS {
        timeout(later(i * 31), yield_now()).await.unwrap();
    }
    clock.stop(TIMEOUTS)
}
