// SPDX-License-Identifier: MIT
//! Timers that expire, and timers that nearly always do not: the timeouts of requests.
use crate::{Clock, Cost};
use std::time::Duration;
use tokio::time::{sleep, timeout};

pub async fn timers(n: usize) -> Cost {
    let clock = Clock::start();
    let mut handles = Vec::with_capacity(n);
    for i in 0..n as u64 {
        handles.push(tokio::spawn(sleep(Duration::from_millis(1 + i * 7919 % 1000))));
    }
    for handle in handles {
        handle.await.unwrap();
    }
    clock.stop(n)
}

pub async fn timeout_cancel(n: usize) -> Cost {
    let clock = Clock::start();
    for _ in 0..n {
        timeout(Duration::from_secs(30), tokio::task::yield_now()).await.unwrap();
    }
    clock.stop(n)
}
