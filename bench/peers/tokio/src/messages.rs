// SPDX-License-Identifier: MIT
//! Messages through channels, between tasks.
use crate::{black_box, Clock, Cost};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

const RECEIVERS: usize = 8;
const TURN: usize = 256;
const RING: usize = 503;

pub async fn oneshot(n: usize) -> Cost {
    let clock = Clock::start();
    for i in 0..n {
        let (tx, rx) = oneshot::channel();
        tx.send(i).unwrap();
        black_box(rx.await.unwrap());
    }
    clock.stop(n)
}

pub async fn bounded(n: usize, producers: usize) -> Cost {
    let each = n / producers;
    let (tx, mut rx) = mpsc::channel::<usize>(1024);
    let clock = Clock::start();
    for _ in 0..producers {
        let tx = tx.clone();
        tokio::spawn(async move {
            for i in 0..each {
                tx.send(i).await.unwrap();
            }
        });
    }
    drop(tx);
    let consumer = tokio::spawn(async move {
        let mut sum = 0;
        while let Some(value) = rx.recv().await {
            sum += value;
        }
        sum
    });
    assert_eq!(consumer.await.unwrap(), producers * (each * (each - 1) / 2));
    clock.stop(producers * each)
}

pub async fn unbounded(n: usize, producers: usize) -> Cost {
    let each = n / producers;
    let (tx, mut rx) = mpsc::unbounded_channel::<usize>();
    let clock = Clock::start();
    for _ in 0..producers {
        let tx = tx.clone();
        tokio::spawn(async move {
            for i in 0..each {
                tx.send(i).unwrap();
            }
        });
    }
    drop(tx);
    let consumer = tokio::spawn(async move {
        let mut sum = 0;
        while let Some(value) = rx.recv().await {
            sum += value;
        }
        sum
    });
    assert_eq!(consumer.await.unwrap(), producers * (each * (each - 1) / 2));
    clock.stop(producers * each)
}

/// Messages that a receiver was too slow for count as well: it is told how many.
pub async fn broadcast(n: usize) -> Cost {
    let (tx, _) = broadcast::channel::<usize>(1024);
    let clock = Clock::start();
    let mut handles = vec![];
    for _ in 0..RECEIVERS {
        let mut rx = tx.subscribe();
        handles.push(tokio::spawn(async move {
            let mut count = 0;
            loop {
                match rx.recv().await {
                    Ok(_) => count += 1,
                    Err(broadcast::error::RecvError::Lagged(missed)) => count += missed as usize,
                    Err(broadcast::error::RecvError::Closed) => return count,
                }
            }
        }));
    }
    tokio::spawn(async move {
        for i in 0..n {
            tx.send(i).unwrap();
            if i % TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
    });
    for handle in handles {
        assert_eq!(handle.await.unwrap(), n);
    }
    clock.stop(n)
}

/// Values may be passed over, but not the last.
pub async fn watch(n: usize) -> Cost {
    let (tx, rx) = watch::channel(0);
    let clock = Clock::start();
    let mut handles = vec![];
    for _ in 0..RECEIVERS {
        let mut rx = rx.clone();
        handles.push(tokio::spawn(async move {
            let mut last = 0;
            while rx.changed().await.is_ok() {
                last = *rx.borrow_and_update();
            }
            last
        }));
    }
    drop(rx);
    tokio::spawn(async move {
        for i in 0..n {
            tx.send(i).unwrap();
            if i % TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
    });
    for handle in handles {
        assert_eq!(handle.await.unwrap(), n - 1);
    }
    clock.stop(n)
}

pub async fn ping_pong(n: usize) -> Cost {
    let (ask, mut asked) = mpsc::channel::<usize>(1);
    let (answer, mut answered) = mpsc::channel::<usize>(1);
    let clock = Clock::start();
    let echo = tokio::spawn(async move {
        while let Some(value) = asked.recv().await {
            answer.send(value).await.unwrap();
        }
    });
    let player = tokio::spawn(async move {
        let mut last = 0;
        for i in 0..n {
            ask.send(i).await.unwrap();
            last = answered.recv().await.unwrap();
        }
        last
    });
    assert_eq!(player.await.unwrap(), n - 1);
    echo.await.unwrap();
    clock.stop(n)
}

/// Passes the token on, one less; 0 goes once round and ends them all.
async fn hop(tx: mpsc::Sender<usize>, mut rx: mpsc::Receiver<usize>) {
    while let Some(value) = rx.recv().await {
        let value = value.saturating_sub(1);
        if tx.send(value).await.is_err() || value == 0 {
            return;
        }
    }
}

pub async fn ring(n: usize) -> Cost {
    let (mut txs, rxs): (Vec<_>, Vec<_>) = (0..RING).map(|_| mpsc::channel(1)).unzip();
    let clock = Clock::start();
    txs[0].try_send(n).unwrap();
    txs.rotate_left(1);
    let hops = txs.into_iter().zip(rxs);
    let mut handles: Vec<_> = hops.map(|(tx, rx)| tokio::spawn(hop(tx, rx))).collect();
    handles.pop().unwrap().await.unwrap();
    clock.stop(n)
}

pub async fn select(n: usize) -> Cost {
    let (tx1, mut rx1) = mpsc::channel::<usize>(64);
    let (tx2, mut rx2) = mpsc::channel::<usize>(64);
    let clock = Clock::start();
    for tx in [tx1, tx2] {
        tokio::spawn(async move {
            for i in 0..n / 2 {
                tx.send(i).await.unwrap();
            }
        });
    }
    let mut count = 0;
    loop {
        tokio::select! {
            Some(_) = rx1.recv() => count += 1,
            Some(_) = rx2.recv() => count += 1,
            else => break,
        }
    }
    assert_eq!(count, n / 2 * 2);
    clock.stop(count)
}
