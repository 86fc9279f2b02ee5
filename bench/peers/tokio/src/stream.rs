// SPDX-License-Identifier: MIT
//! Items through adapters.
use crate::{Clock, Cost};
use tokio_stream::StreamExt;

const ITEMS: i32 = 1_000_000;

pub async fn filter(n: usize) -> Cost {
    let items: Vec<i32> = (0..ITEMS).collect();
    let expected: i64 = items.iter().filter(|&i| i % 3 != 0).map(|&i| i as i64 * 2).sum();
    let clock = Clock::start();
    let mut sum = 0;
    for _ in 0..n {
        let mut doubled =
            tokio_stream::iter(items.iter().copied()).filter(|i| i % 3 != 0).map(|i| i as i64 * 2);
        while let Some(value) = doubled.next().await {
            sum += value;
        }
    }
    let cost = clock.stop(n * items.len());
    assert_eq!(sum, n as i64 * expected);
    cost
}
