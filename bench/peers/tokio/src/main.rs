// SPDX-License-Identifier: MIT
// Tokio's side of the side-by-side benchmark: `peer-tokio BENCH FLAVOR [N]`.
// Prints one line: BENCH FLAVOR ns_per_op ops_per_s peak_rss_bytes [extra]
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::*};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use futures_util::stream::{FuturesUnordered, Stream};
use std::task::Waker;
use tokio::sync::{broadcast, mpsc, oneshot, watch, Mutex, Notify, Semaphore};

// std::hint::black_box, which Debian 12's compiler does not have yet.
fn black_box<T>(x: T) -> T {
    unsafe { std::arch::asm!("/* {0} */", in(reg) &x, options(nostack, preserves_flags)) };
    x
}

fn rt(flavor: &str) -> tokio::runtime::Runtime {
    match flavor {
        "ct" => tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
        f => tokio::runtime::Builder::new_multi_thread()
            .worker_threads(f.trim_start_matches("mt").parse().unwrap_or(4))
            .enable_all().build().unwrap(),
    }
}
fn rss() -> u64 {
    let s = std::fs::read_to_string("/proc/self/statm").unwrap();
    s.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096
}
struct Forever;
impl Future for Forever { type Output = (); fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> { Poll::Pending } }

// A member of a set that waits for ever: its first poll leaves its waker where the bench finds it.
struct Member { waker: *mut Option<Waker>, polls: *mut usize }
unsafe impl Send for Member {}
impl Future for Member { type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let me = &mut *self;
        unsafe { *me.polls += 1; if (*me.waker).is_none() { *me.waker = Some(cx.waker().clone()); } }
        Poll::Pending
    }
}
// Holds the members, and wakes one of them and polls the set, N times in one poll of its own.
struct Unordered { set: FuturesUnordered<Member>, wakers: Vec<Option<Waker>>, polls: Box<usize>, n: usize }
impl Future for Unordered { type Output = (usize, Duration);
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<(usize, Duration)> {
        let me = &mut *self;
        let members = me.wakers.len();
        while *me.polls < members { assert!(Pin::new(&mut me.set).poll_next(cx).is_pending()); }
        let (t, mut x) = (Instant::now(), 1u32);
        for _ in 0..me.n {
            x ^= x << 13; x ^= x >> 17; x ^= x << 5;
            me.wakers[x as usize % members].as_ref().unwrap().wake_by_ref();
            assert!(Pin::new(&mut me.set).poll_next(cx).is_pending());
        }
        let t = t.elapsed();
        assert_eq!(*me.polls, members + me.n);
        Poll::Ready((me.n, t))
    }
}
fn unordered(members: usize, n: usize) -> Unordered {
    let (set, mut wakers, mut polls) = (FuturesUnordered::new(), Vec::new(), Box::new(0));
    wakers.resize_with(members, || None);
    for waker in wakers.iter_mut() { set.push(Member { waker, polls: &mut *polls }); }
    Unordered { set, wakers, polls, n }
}

fn skynet(num: u64, size: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        if size == 1 { return num; }
        let (tx, mut rx) = mpsc::channel(10);
        for i in 0..10 {
            let tx = tx.clone();
            tokio::spawn(async move { let v = skynet(num + i * (size / 10), size / 10).await; let _ = tx.send(v).await; });
        }
        drop(tx);
        let mut sum = 0;
        while let Some(v) = rx.recv().await { sum += v; }
        sum
    })
}

fn main() {
    let a: Vec<String> = std::env::args().collect();
    let (bench, flavor) = (a[1].as_str(), a.get(2).map(|s| s.as_str()).unwrap_or("ct"));
    let n: usize = a.get(3).map(|s| s.parse().unwrap()).unwrap_or(0);
    let r = rt(flavor);
    let d = |x: usize| if n == 0 { x } else { n };
    let mut extra = String::new();
    let (ops, t): (usize, Duration) = match bench {
        // spawn one trivial task and await its handle, N times in sequence
        "spawn_join" => { let n = d(2_000_000); r.block_on(async { tokio::spawn(async move {
            let t = Instant::now(); for i in 0..n { let v = tokio::spawn(async move { i }).await.unwrap(); black_box(v); } (n, t.elapsed()) }).await.unwrap() }) }
        // spawn N trivial tasks at once, await all the handles
        "spawn_batch" => { let n = d(1_000_000); r.block_on(async { tokio::spawn(async move {
            let t = Instant::now(); let mut hs = Vec::with_capacity(n); for i in 0..n { hs.push(tokio::spawn(async move { i })); } for h in hs { black_box(h.await.unwrap()); } (n, t.elapsed()) }).await.unwrap() }) }
        // 1000 tasks which yield 1000 times each
        "yield" => { let n = d(2000); r.block_on(async move { tokio::spawn(async move { let t = Instant::now(); let mut hs = vec![]; for _ in 0..1000 { hs.push(tokio::spawn(async move { for _ in 0..n { tokio::task::yield_now().await } })) } for h in hs { h.await.unwrap() } (1000 * n, t.elapsed()) }).await.unwrap() }) }
        // each task spawns the next
        "chain" => { let n = d(1_000_000); fn go(tx: oneshot::Sender<()>, n: usize) { if n == 0 { tx.send(()).unwrap(); } else { tokio::spawn(async move { go(tx, n - 1) }); } }
            r.block_on(async move { let t = Instant::now(); let (tx, rx) = oneshot::channel(); tokio::spawn(async move { go(tx, n) }); rx.await.unwrap(); (n, t.elapsed()) }) }
        // two tasks, a token back and forth over two mpsc channels of capacity 1
        "ping_pong" => { let n = d(1_000_000); r.block_on(async move { let (t1, mut r1) = mpsc::channel::<usize>(1); let (t2, mut r2) = mpsc::channel::<usize>(1);
            let t = Instant::now();
            let h = tokio::spawn(async move { while let Some(v) = r1.recv().await { t2.send(v).await.unwrap(); } });
            let h2 = tokio::spawn(async move { for i in 0..n { t1.send(i).await.unwrap(); r2.recv().await.unwrap(); } });
            h2.await.unwrap(); h.await.unwrap(); (n, t.elapsed()) }) }
        // 1000 pairs of tasks, each does N oneshot ping-pongs
        "oneshot" => { let n = d(2_000_000); r.block_on(async move { tokio::spawn(async move { let t = Instant::now(); for i in 0..n { let (tx, rx) = oneshot::channel(); tx.send(i).unwrap(); black_box(rx.await.unwrap()); } (n, t.elapsed()) }).await.unwrap() }) }
        // one producer, one consumer
        "mpsc_1_1" => { let n = d(5_000_000); r.block_on(async move { let (tx, mut rx) = mpsc::channel::<usize>(1024); let t = Instant::now();
            tokio::spawn(async move { for i in 0..n { tx.send(i).await.unwrap() } });
            let h = tokio::spawn(async move { let mut s = 0; while let Some(v) = rx.recv().await { s += v } s }); black_box(h.await.unwrap()); (n, t.elapsed()) }) }
        "mpsc_8_1" => { let n = d(4_000_000); r.block_on(async move { let (tx, mut rx) = mpsc::channel::<usize>(1024); let t = Instant::now();
            for _ in 0..8 { let tx = tx.clone(); tokio::spawn(async move { for i in 0..n / 8 { tx.send(i).await.unwrap() } }); } drop(tx);
            let h = tokio::spawn(async move { let mut s = 0; while let Some(v) = rx.recv().await { s += v } s }); black_box(h.await.unwrap()); (n, t.elapsed()) }) }
        "mpsc_unbounded" => { let n = d(4_000_000); r.block_on(async move { let (tx, mut rx) = mpsc::unbounded_channel::<usize>(); let t = Instant::now();
            for _ in 0..8 { let tx = tx.clone(); tokio::spawn(async move { for i in 0..n / 8 { tx.send(i).unwrap() } }); } drop(tx);
            let h = tokio::spawn(async move { let mut s = 0; while let Some(v) = rx.recv().await { s += v } s }); black_box(h.await.unwrap()); (n, t.elapsed()) }) }
        "broadcast_1_8" => { let n = d(500_000); r.block_on(async move { let (tx, _) = broadcast::channel::<usize>(1024); let t = Instant::now(); let mut hs = vec![];
            for _ in 0..8 { let mut rx = tx.subscribe(); hs.push(tokio::spawn(async move { let mut c = 0usize; loop { match rx.recv().await { Ok(_) => c += 1, Err(broadcast::error::RecvError::Lagged(k)) => c += k as usize, Err(_) => break } } c })); }
            tokio::spawn(async move { for i in 0..n { let _ = tx.send(i); if i % 256 == 0 { tokio::task::yield_now().await } } });
            for h in hs { h.await.unwrap(); } (n, t.elapsed()) }) }
        "watch_1_8" => { let n = d(1_000_000); r.block_on(async move { let (tx, rx) = watch::channel(0usize); let t = Instant::now(); let mut hs = vec![];
            for _ in 0..8 { let mut rx = rx.clone(); hs.push(tokio::spawn(async move { while rx.changed().await.is_ok() { black_box(*rx.borrow_and_update()); } })); } drop(rx);
            tokio::spawn(async move { for i in 0..n { let _ = tx.send(i); if i % 256 == 0 { tokio::task::yield_now().await } } });
            for h in hs { h.await.unwrap(); } (n, t.elapsed()) }) }
        "mutex" => { let n = d(200_000); r.block_on(async move { let m = Arc::new(Mutex::new(0usize)); let t = Instant::now(); let mut hs = vec![];
            for _ in 0..16 { let m = m.clone(); hs.push(tokio::spawn(async move { for _ in 0..n { *m.lock().await += 1; } })); } for h in hs { h.await.unwrap() } (16 * n, t.elapsed()) }) }
        "semaphore" => { let n = d(200_000); r.block_on(async move { let m = Arc::new(Semaphore::new(4)); let t = Instant::now(); let mut hs = vec![];
            for _ in 0..16 { let m = m.clone(); hs.push(tokio::spawn(async move { for _ in 0..n { let p = m.acquire().await.unwrap(); tokio::task::yield_now().await; drop(p); } })); } for h in hs { h.await.unwrap() } (16 * n, t.elapsed()) }) }
        "notify" => { let n = d(1_000_000); r.block_on(async move { let a = Arc::new(Notify::new()); let b = Arc::new(Notify::new()); let t = Instant::now();
            let (a2, b2) = (a.clone(), b.clone()); let h = tokio::spawn(async move { for _ in 0..n { a2.notified().await; b2.notify_one(); } });
            let h2 = tokio::spawn(async move { for _ in 0..n { a.notify_one(); b.notified().await; } }); h.await.unwrap(); h2.await.unwrap(); (n, t.elapsed()) }) }
        "skynet" => { r.block_on(async move { let t = Instant::now(); let v = tokio::spawn(skynet(0, 1_000_000)).await.unwrap(); assert_eq!(v, 499999500000); (1_111_111, t.elapsed()) }) }
        // a ring of 503 tasks, a token passed N times
        "ring" => { let n = d(2_000_000); r.block_on(async move { let k = 503; let t = Instant::now(); let (dtx, drx) = oneshot::channel(); let mut dtx = Some(dtx);
            let (first, mut prev) = mpsc::channel::<usize>(1); 
            for i in 0..k { let (tx, rx) = if i == k - 1 { (first.clone(), None) } else { let (t, r) = mpsc::channel::<usize>(1); (t, Some(r)) }; let mut me = prev; prev = rx.unwrap_or_else(|| mpsc::channel(1).1); let mut dt = if i == 0 { dtx.take() } else { None };
                tokio::spawn(async move { while let Some(v) = me.recv().await { if v == 0 { if let Some(d) = dt.take() { let _ = d.send(()); } let _ = tx.send(0).await; return; } if tx.send(v - 1).await.is_err() { return } } }); }
            first.send(n).await.unwrap(); drop(first); let _ = tokio::time::timeout(Duration::from_secs(60), drx).await; (n, t.elapsed()) }) }
        // N tasks sleep 1..1000 ms spread, all expire
        "timers" => { let n = d(500_000); r.block_on(async move { let t = Instant::now(); let mut hs = Vec::with_capacity(n); for i in 0..n { hs.push(tokio::spawn(tokio::time::sleep(Duration::from_millis(1 + (i as u64 * 7919) % 1000)))) } for h in hs { h.await.unwrap() } (n, t.elapsed()) }) }
        // arm and cancel a long timer, as every request timeout does
        "timeout_cancel" => { let n = d(2_000_000); r.block_on(async move { tokio::spawn(async move { let t = Instant::now(); for _ in 0..n { let _ = tokio::time::timeout(Duration::from_secs(30), tokio::task::yield_now()).await; } (n, t.elapsed()) }).await.unwrap() }) }
        "blocking" => { let n = d(200_000); r.block_on(async move { tokio::spawn(async move { let t = Instant::now(); for i in 0..n { black_box(tokio::task::spawn_blocking(move || i).await.unwrap()); } (n, t.elapsed()) }).await.unwrap() }) }
        "select2" => { let n = d(2_000_000); r.block_on(async move { tokio::spawn(async move { let (t1, mut r1) = mpsc::channel::<usize>(64); let (t2, mut r2) = mpsc::channel::<usize>(64); let t = Instant::now();
            tokio::spawn(async move { for i in 0..n / 2 { t1.send(i).await.unwrap() } }); tokio::spawn(async move { for i in 0..n / 2 { t2.send(i).await.unwrap() } });
            let mut s = 0usize; loop { tokio::select! { Some(v) = r1.recv() => s += v, Some(v) = r2.recv() => s += v, else => break } } black_box(s); (n, t.elapsed()) }).await.unwrap() }) }
        // join of eight futures that are ready
        "join8" => { let n = d(5_000_000); r.block_on(async move { tokio::spawn(async move { let t = Instant::now(); let mut s = 0usize; for i in 0..n {
            let v = |k| std::future::ready(black_box(i + k));
            let (a, b, c, e, f, g, h, j) = tokio::join!(v(0), v(1), v(2), v(3), v(4), v(5), v(6), v(7)); s = s.wrapping_add(a + b + c + e + f + g + h + j); }
            black_box(s); (n, t.elapsed()) }).await.unwrap() }) }
        // a million numbers through a filter and a map, N times
        "stream_filter" => { let n = d(20); r.block_on(async move { tokio::spawn(async move { use tokio_stream::StreamExt; let items: Vec<i32> = (0..1_000_000).collect(); let t = Instant::now(); let mut s = 0i64;
            for _ in 0..n { let mut all = tokio_stream::iter(items.iter().copied()).filter(|i| i % 3 != 0).map(|i| i as i64 * 2); while let Some(v) = all.next().await { s += v } }
            let t = t.elapsed(); assert_eq!(s, n as i64 * 666_665_333_334); (n * items.len(), t) }).await.unwrap() }) }
        // a set of 10, or of 100,000 futures that wait; one is woken, and the set polled
        "unordered_10" => { let n = d(2_000_000); r.block_on(async move { tokio::spawn(unordered(10, n)).await.unwrap() }) }
        "unordered_100000" => { let n = d(2_000_000); r.block_on(async move { tokio::spawn(unordered(100_000, n)).await.unwrap() }) }
        // memory of a task that waits: N tasks parked
        "memory" => { let n = d(1_000_000); let before = rss(); let t = Instant::now(); r.block_on(async { for _ in 0..n { tokio::spawn(Forever); } for _ in 0..3 { tokio::task::yield_now().await } tokio::time::sleep(Duration::from_millis(100)).await; }); let e = t.elapsed(); extra = format!("bytes_per_task={}", (rss() - before) as usize / n); (n, e) }
        // memory of a task that sleeps
        "memory_sleep" => { let n = d(1_000_000); let before = rss(); let t = Instant::now(); r.block_on(async { for _ in 0..n { tokio::spawn(tokio::time::sleep(Duration::from_secs(3600))); } tokio::time::sleep(Duration::from_millis(500)).await; }); let e = t.elapsed(); extra = format!("bytes_per_task={}", (rss() - before) as usize / n); (n, e) }
        // spawn from a foreign thread
        "remote_spawn" => { let n = d(500_000); let h = r.handle().clone(); let c = Arc::new(AtomicUsize::new(0)); let t = Instant::now(); let c2 = c.clone(); let th = std::thread::spawn(move || { for _ in 0..n { let c = c2.clone(); h.spawn(async move { c.fetch_add(1, Relaxed); }); } }); r.block_on(async { while c.load(Relaxed) < n { tokio::task::yield_now().await } }); th.join().unwrap(); (n, t.elapsed()) }
        // TCP echo server for an outside load generator, and none of it timed here
        "echo_server" => { let port = d(7777); r.block_on(async move { let l = tokio::net::TcpListener::bind(("127.0.0.1", port as u16)).await.unwrap(); loop { let (mut s, _) = l.accept().await.unwrap(); s.set_nodelay(true).unwrap(); tokio::spawn(async move { let mut b = vec![0u8; 16384]; loop { match s.read(&mut b).await { Ok(0) | Err(_) => return, Ok(k) => if s.write_all(&b[..k]).await.is_err() { return } } } }); } }) }
        // TCP echo inside one process: 64 client tasks and 64 server tasks
        "echo_inproc" => { let n = d(5_000); r.block_on(async move { let l = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap(); let addr = l.local_addr().unwrap();
            tokio::spawn(async move { loop { let (mut s, _) = l.accept().await.unwrap(); s.set_nodelay(true).unwrap(); tokio::spawn(async move { let mut b = vec![0u8; 4096]; loop { match s.read(&mut b).await { Ok(0) | Err(_) => return, Ok(k) => if s.write_all(&b[..k]).await.is_err() { return } } } }); } });
            let t = Instant::now(); let mut hs = vec![]; for _ in 0..64 { hs.push(tokio::spawn(async move { let mut s = tokio::net::TcpStream::connect(addr).await.unwrap(); s.set_nodelay(true).unwrap(); let mut b = [7u8; 64]; for _ in 0..n { s.write_all(&b).await.unwrap(); s.read_exact(&mut b).await.unwrap(); } })) } for h in hs { h.await.unwrap() } (64 * n, t.elapsed()) }) }
        _ => { eprintln!("unknown bench {bench}"); std::process::exit(2) }
    };
    let ns = t.as_nanos() as f64 / ops as f64;
    println!("{bench} {flavor} ns_per_op={ns:.2} ops_per_s={:.0} rss={} {extra}", 1e9 / ns, rss());
    std::process::exit(0);
}
