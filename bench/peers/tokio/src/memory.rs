// SPDX-License-Identifier: MIT
//! The memory of tasks that do nothing but be there.
use crate::{rss, Clock, Cost};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::sleep;

/// It waits for ever, and nobody has its waker.
struct Forever;

impl Future for Forever {
    type Output = ();
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

/// The growth of the resident memory by each.
fn report(mut cost: Cost, before: u64) -> Cost {
    cost.extra = format!("bytes_per_task={:.1}", (rss() as f64 - before as f64) / cost.ops as f64);
    cost
}

pub async fn waiting(n: usize) -> Cost {
    let before = rss();
    let clock = Clock::start();
    for _ in 0..n {
        tokio::spawn(Forever);
    }
    sleep(Duration::from_millis(100)).await;
    report(clock.stop(n), before)
}

pub async fn sleeping(n: usize) -> Cost {
    let before = rss();
    let clock = Clock::start();
    for _ in 0..n {
        tokio::spawn(sleep(Duration::from_secs(3600)));
    }
    sleep(Duration::from_millis(500)).await;
    report(clock.stop(n), before)
}
