// SPDX-License-Identifier: MIT
//! Spawning: one after the other, all at once, each by the one before, as a tree, from outside, and what
//! blocks.
use crate::{black_box, Clock, Cost};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

pub async fn join(n: usize) -> Cost {
    let clock = Clock::start();
    for i in 0..n {
        black_box(tokio::spawn(async move { i }).await.unwrap());
    }
    clock.stop(n)
}

pub async fn batch(n: usize) -> Cost {
    let clock = Clock::start();
    let mut handles = Vec::with_capacity(n);
    for i in 0..n {
        handles.push(tokio::spawn(async move { i }));
    }
    for handle in handles {
        black_box(handle.await.unwrap());
    }
    clock.stop(n)
}

fn link(left: usize, last: oneshot::Sender<()>) {
    if left == 0 {
        last.send(()).unwrap();
    } else {
        tokio::spawn(async move { link(left - 1, last) });
    }
}

pub async fn chain(n: usize) -> Cost {
    let clock = Clock::start();
    let (tx, rx) = oneshot::channel();
    tokio::spawn(async move { link(n, tx) });
    rx.await.unwrap();
    clock.stop(n)
}

/// A tree of tasks, ten children each: one sends its number up, or the sum of what its children send.
fn node(number: u64, leaves: u64, up: mpsc::Sender<u64>) {
    tokio::spawn(async move {
        let mut sum = number;
        if leaves > 1 {
            let (tx, mut rx) = mpsc::channel(10);
            for i in 0..10 {
                node(number + i * (leaves / 10), leaves / 10, tx.clone());
            }
            drop(tx);
            sum = 0;
            while let Some(value) = rx.recv().await {
                sum += value;
            }
        }
        up.send(sum).await.unwrap();
    });
}

pub async fn skynet(n: usize) -> Cost {
    let (mut tasks, mut level) = (1, n);
    while level > 1 {
        assert_eq!(level % 10, 0, "a power of ten");
        tasks += level;
        level /= 10;
    }
    let clock = Clock::start();
    let (tx, mut rx) = mpsc::channel(1);
    node(0, n as u64, tx);
    let sum = rx.recv().await.unwrap();
    assert_eq!(sum, n as u64 * (n as u64 - 1) / 2);
    clock.stop(tasks)
}

/// Counted up by each task that a thread outside spawned.
static ARRIVED: AtomicUsize = AtomicUsize::new(0);

pub async fn remote(n: usize) -> Cost {
    let runtime = Handle::current();
    let clock = Clock::start();
    let thread = std::thread::spawn(move || {
        for _ in 0..n {
            runtime.spawn(async {
                ARRIVED.fetch_add(1, Relaxed);
            });
        }
    });
    while ARRIVED.load(Relaxed) < n {
        tokio::task::yield_now().await
    }
    thread.join().unwrap();
    clock.stop(n)
}

pub async fn blocking(n: usize) -> Cost {
    let clock = Clock::start();
    for i in 0..n {
        black_box(tokio::task::spawn_blocking(move || i).await.unwrap());
    }
    clock.stop(n)
}
