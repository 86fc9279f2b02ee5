// SPDX-License-Identifier: MIT
//! Tasks that give way to each other, or take turns.
use crate::{Clock, Cost};
use std::sync::Arc;
use tokio::sync::{Mutex, Notify, Semaphore};
use tokio::task::yield_now;

const YIELDERS: usize = 1000;
const TASKS: usize = 16;
const PERMITS: usize = 4;

pub async fn yields(n: usize) -> Cost {
    let clock = Clock::start();
    let mut handles = vec![];
    for _ in 0..YIELDERS {
        handles.push(tokio::spawn(async move {
            for _ in 0..n {
                yield_now().await;
            }
        }));
    }
    for handle in handles {
        handle.await.unwrap();
    }
    clock.stop(YIELDERS * n)
}

pub async fn mutex(n: usize) -> Cost {
    let sum = Arc::new(Mutex::new(0));
    let clock = Clock::start();
    let mut handles = vec![];
    for _ in 0..TASKS {
        let sum = sum.clone();
        handles.push(tokio::spawn(async move {
            for _ in 0..n {
                *sum.lock().await += 1;
            }
        }));
    }
    for handle in handles {
        handle.await.unwrap();
    }
    assert_eq!(*sum.lock().await, TASKS * n);
    clock.stop(TASKS * n)
}

pub async fn semaphore(n: usize) -> Cost {
    let permits = Arc::new(Semaphore::new(PERMITS));
    let clock = Clock::start();
    let mut handles = vec![];
    for _ in 0..TASKS {
        let permits = permits.clone();
        handles.push(tokio::spawn(async move {
            for _ in 0..n {
                let permit = permits.acquire().await.unwrap();
                yield_now().await;
                drop(permit);
            }
        }));
    }
    for handle in handles {
        handle.await.unwrap();
    }
    clock.stop(TASKS * n)
}

pub async fn notify(n: usize) -> Cost {
    let ping = Arc::new(Notify::new());
    let pong = Arc::new(Notify::new());
    let clock = Clock::start();
    let (pinged, ponged) = (ping.clone(), pong.clone());
    let answers = tokio::spawn(async move {
        for _ in 0..n {
            pinged.notified().await;
            pong.notify_one();
        }
    });
    let asks = tokio::spawn(async move {
        for _ in 0..n {
            ping.notify_one();
            ponged.notified().await;
        }
    });
    asks.await.unwrap();
    answers.await.unwrap();
    clock.stop(n)
}
