// SPDX-License-Identifier: MIT
//! Tokio's side of bench/compare.py: `peer WORKLOAD FLAVOR [N]` runs one of edo-bench's workloads, with the
//! same sizes, and prints the same line. A file here has its counterpart in bench/.
mod echo;
mod join;
mod memory;
mod messages;
mod spawn;
mod stream;
mod time;
mod turns;
mod unordered;

use std::future::Future;
use std::time::Instant;
use tokio::runtime::{Builder, Runtime};

/// std::hint::black_box, which Debian 12's compiler does not have yet.
pub fn black_box<T>(x: T) -> T {
    unsafe { std::arch::asm!("/* {0} */", in(reg) &x, options(nostack, preserves_flags)) };
    x
}

/// What a workload took: N operations of so many ns, of wall time and of the processor's.
pub struct Cost {
    ops: usize,
    ns: u64,
    cpu_ns: u64,
    extra: String,
}

pub struct Clock {
    started: Instant,
    cpu_started: u64,
}

impl Clock {
    pub fn start() -> Clock {
        let cpu_started = cpu_ns();
        Clock { started: Instant::now(), cpu_started }
    }

    pub fn stop(self, ops: usize) -> Cost {
        let ns = self.started.elapsed().as_nanos() as u64;
        Cost { ops, ns, cpu_ns: cpu_ns() - self.cpu_started, extra: String::new() }
    }
}

/// The time that all threads of the process have had. std has no name for it, but links what has.
fn cpu_ns() -> u64 {
    #[repr(C)]
    struct Timespec {
        seconds: i64,
        ns: i64,
    }
    extern "C" {
        fn clock_gettime(clock: i32, time: *mut Timespec) -> i32;
    }
    const CLOCK_PROCESS_CPUTIME_ID: i32 = 2;
    let mut time = Timespec { seconds: 0, ns: 0 };
    unsafe { clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.seconds as u64 * 1_000_000_000 + time.ns as u64
}

/// The process' resident memory, in bytes.
pub fn rss() -> u64 {
    let said = std::fs::read_to_string("/proc/self/statm").unwrap();
    said.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// "ct", or "mtK": K workers.
fn runtime(flavor: &str) -> Option<Runtime> {
    let mut builder = if flavor == "ct" {
        Builder::new_current_thread()
    } else {
        let workers = flavor.strip_prefix("mt")?.parse().ok().filter(|&k| k > 0)?;
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(workers);
        builder
    };
    builder.enable_all().build().ok()
}

struct Runner(Runtime);

impl Runner {
    /// On the thread that waits, which is no worker of a multi-thread runtime.
    fn root(&self, workload: impl Future<Output = Cost>) -> Cost {
        self.0.block_on(workload)
    }

    /// In a task of its own.
    fn task(&self, workload: impl Future<Output = Cost> + Send + 'static) -> Cost {
        self.0.block_on(async { tokio::spawn(workload).await.unwrap() })
    }
}

fn usage(why: &str) -> ! {
    eprintln!("peer: {why}\nusage: peer WORKLOAD ct|mtK [N]");
    std::process::exit(2)
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.len() < 3 || arguments.len() > 4 {
        usage("which workload, on which runtime?");
    }
    let (workload, flavor) = (arguments[1].as_str(), arguments[2].as_str());
    let given: Option<usize> = match arguments.get(3).map(|n| n.parse()) {
        None => None,
        Some(Ok(n)) => Some(n),
        Some(Err(_)) => usage("N is no number"),
    };
    let n = |default| given.filter(|&n| n > 0).unwrap_or(default);
    let on = match runtime(flavor) {
        Some(runtime) => Runner(runtime),
        None => usage("there is no such runtime"),
    };
    let cost = match workload {
        "spawn_join" => on.task(spawn::join(n(2_000_000))),
        "spawn_batch" => on.task(spawn::batch(n(1_000_000))),
        "chain" => on.root(spawn::chain(n(1_000_000))),
        "skynet" => on.task(spawn::skynet(n(1_000_000))),
        "remote_spawn" => on.root(spawn::remote(n(500_000))),
        "blocking" => on.task(spawn::blocking(n(200_000))),
        "timers" => on.root(time::timers(n(500_000))),
        "timeout_cancel" => on.task(time::timeout_cancel(n(2_000_000))),
        "memory" => on.root(memory::waiting(n(1_000_000))),
        "memory_sleep" => on.root(memory::sleeping(n(1_000_000))),
        "oneshot" => on.task(messages::oneshot(n(2_000_000))),
        "mpsc_1_1" => on.root(messages::bounded(n(5_000_000), 1)),
        "mpsc_8_1" => on.root(messages::bounded(n(4_000_000), 8)),
        "mpsc_unbounded" => on.root(messages::unbounded(n(4_000_000), 8)),
        "broadcast_1_8" => on.root(messages::broadcast(n(500_000))),
        "watch_1_8" => on.root(messages::watch(n(1_000_000))),
        "ping_pong" => on.root(messages::ping_pong(n(1_000_000))),
        "ring" => on.root(messages::ring(n(2_000_000))),
        "select2" => on.task(messages::select(n(2_000_000))),
        "join8" => on.task(join::join8(n(5_000_000))),
        "stream_filter" => on.task(stream::filter(n(20))),
        "unordered_10" => on.task(unordered::unordered(10, n(2_000_000))),
        "unordered_100000" => on.task(unordered::unordered(100_000, n(2_000_000))),
        "yield" => on.task(turns::yields(n(2000))),
        "mutex" => on.root(turns::mutex(n(200_000))),
        "semaphore" => on.root(turns::semaphore(n(200_000))),
        "notify" => on.root(turns::notify(n(1_000_000))),
        "echo_inproc" => on.root(echo::clients(n(5_000))),
        "echo_server" => on.root(echo::server(given.unwrap_or(7777))),
        _ => usage("there is no such workload"),
    };
    let (ops, ns) = (cost.ops as f64, cost.ns as f64);
    println!(
        "{workload} {flavor} ns_per_op={:.2} cpu_ns_per_op={:.2} ops_per_s={:.0} rss={} {}",
        ns / ops,
        cost.cpu_ns as f64 / ops,
        ops * 1e9 / ns,
        rss(),
        cost.extra
    );
    std::process::exit(0);
}
