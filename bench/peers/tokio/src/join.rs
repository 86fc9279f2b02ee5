// SPDX-License-Identifier: MIT
//! join! of what is ready: its own price, and that of eight polls.
use crate::{black_box, Clock, Cost};

pub async fn join8(n: usize) -> Cost {
    let clock = Clock::start();
    let mut sum = 0;
    for i in 0..n {
        let v = |k| std::future::ready(black_box(i % 2 + k));
        let (a, b, c, d, e, f, g, h) = tokio::join!(v(0), v(1), v(2), v(3), v(4), v(5), v(6), v(7));
        sum += a + b + c + d + e + f + g + h;
    }
    let cost = clock.stop(n);
    assert_eq!(sum, 28 * n + n / 2 * 8);
    cost
}
