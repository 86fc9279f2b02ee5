// SPDX-License-Identifier: MIT
//! Tokio's side of bench/compare.py: `peer WORKLOAD FLAVOR [N]` runs one of edo-bench's workloads, with the
//! same sizes, and prints the same line. A file here has its counterpart in bench/.
mod among;
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

/// The compiler must have `x`, and does not know what it is from here on; it stays in its register, where
/// std::hint::black_box would have it in memory.
pub fn black_box(mut x: usize) -> usize {
    unsafe { std::arch::asm!("/* {0} */", inout(reg) x, options(nomem, nostack, preserves_flags)) };
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

/// N, if the command line has it.
#[derive(Clone, Copy)]
struct Given(Option<usize>);

impl Given {
    /// 0 is the default as well.
    fn or(self, default: usize) -> usize {
        self.0.filter(|&n| n > 0).unwrap_or(default)
    }

    /// Of a server: 0 is one of its own choice.
    fn port(self, default: usize) -> usize {
        self.0.unwrap_or(default)
    }
}

type Workload = fn(&Runner, Given) -> Cost;

const WORKLOADS: &[(&str, Workload)] = &[
    ("spawn_join", |on, n| on.task(spawn::join(n.or(2_000_000)))),
    ("spawn_batch", |on, n| on.task(spawn::batch(n.or(1_000_000)))),
    ("yield", |on, n| on.task(turns::yields(n.or(2000)))),
    ("chain", |on, n| on.root(spawn::chain(n.or(1_000_000)))),
    ("skynet", |on, n| on.task(spawn::skynet(n.or(1_000_000)))),
    ("timers", |on, n| on.root(time::timers(n.or(500_000)))),
    ("timeout_cancel", |on, n| on.task(time::timeout_cancel(n.or(2_000_000)))),
    ("memory", |on, n| on.root(memory::waiting(n.or(1_000_000)))),
    ("memory_sleep", |on, n| on.root(memory::sleeping(n.or(1_000_000)))),
    ("remote_spawn", |on, n| on.root(spawn::remote(n.or(500_000)))),
    ("blocking", |on, n| on.task(spawn::blocking(n.or(200_000)))),
    ("oneshot", |on, n| on.task(messages::oneshot(n.or(2_000_000)))),
    ("mpsc_1_1", |on, n| on.root(messages::bounded(n.or(5_000_000), 1))),
    ("mpsc_8_1", |on, n| on.root(messages::bounded(n.or(4_000_000), 8))),
    ("mpsc_unbounded", |on, n| on.root(messages::unbounded(n.or(4_000_000), 8))),
    ("broadcast_1_8", |on, n| on.root(messages::broadcast(n.or(500_000)))),
    ("watch_1_8", |on, n| on.root(messages::watch(n.or(1_000_000)))),
    ("ping_pong", |on, n| on.root(messages::ping_pong(n.or(1_000_000)))),
    ("ring", |on, n| on.root(messages::ring(n.or(2_000_000)))),
    ("select2", |on, n| on.task(messages::select(n.or(2_000_000)))),
    ("join8", |on, n| on.task(join::join8(n.or(5_000_000)))),
    ("stream_filter", |on, n| on.task(stream::filter(n.or(20)))),
    ("unordered_10", |on, n| on.task(unordered::unordered(10, n.or(2_000_000)))),
    ("unordered_100000", |on, n| on.task(unordered::unordered(100_000, n.or(2_000_000)))),
    ("mutex", |on, n| on.root(turns::mutex(n.or(200_000)))),
    ("semaphore", |on, n| on.root(turns::semaphore(n.or(200_000)))),
    ("notify", |on, n| on.root(turns::notify(n.or(1_000_000)))),
    ("echo_inproc", |on, n| on.root(echo::clients(n.or(5_000)))),
    ("yield_among", |on, n| on.task(among::yields(n.or(1000)))),
    ("timeout_among", |on, n| on.task(among::timeouts(n.or(1000)))),
    ("echo_server", |on, n| on.root(echo::server(n.port(7777)))),
];

const USAGE: i32 = 2;
const LACKING: i32 = 3;

fn usage(status: i32, why: &str) -> ! {
    eprintln!("peer: {why}\nusage: peer WORKLOAD ct|mtK [N]\n       peer --list");
    std::process::exit(status)
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments[1..] == ["--list"] {
        for (name, _) in WORKLOADS {
            println!("{name}");
        }
        return;
    }
    if arguments.len() < 3 || arguments.len() > 4 {
        usage(USAGE, "which workload, on which runtime?");
    }
    let (workload, flavor) = (arguments[1].as_str(), arguments[2].as_str());
    let given = match arguments.get(3).map(|n| n.parse()) {
        None => Given(None),
        Some(Ok(n)) => Given(Some(n)),
        Some(Err(_)) => usage(USAGE, "N is no number"),
    };
    let run = match WORKLOADS.iter().find(|(name, _)| *name == workload) {
        Some((_, run)) => run,
        None => usage(LACKING, "there is no such workload"),
    };
    let on = match runtime(flavor) {
        Some(runtime) => Runner(runtime),
        None => usage(LACKING, "there is no such runtime"),
    };
    let cost = run(&on, given);
    if cost.ops == 0 {
        eprintln!("peer: {workload} {flavor}: N is too small");
        std::process::exit(1);
    }
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
