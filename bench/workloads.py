# SPDX-License-Identifier: MIT
"""What of each workload the harness must know: how large to run it, and what it cannot be faster than."""

# Not in the table: a server has no end, and these two are points of the curves of scaling.py.
APART = ("echo_server", "yield_among", "timeout_among")


class Workload:
    """first: an N that takes some 10 ms, from which the N of a run is reckoned. Where the cost depends on N,
    `shape` is the one to run: (for a short sitting, for a long one).
    floor: what of the machine an operation is made of at least, in whatever runtime, and how often. What one of
    them recycles (the memory of a task) or compiles away (a poll of a future whose type is known) is none."""

    def __init__(self, first=None, shape=None, floor=None, times=1):
        self.first, self.shape, self.floor, self.times = first, shape, floor, times


WORKLOADS = {
    "spawn_join": Workload(50000),
    "spawn_batch": Workload(shape=(200000, 1000000)),
    "yield": Workload(500, floor="indirect_call"),
    "chain": Workload(50000),
    "skynet": Workload(shape=(100000, 1000000)),
    "timers": Workload(shape=(100000, 500000)),
    "timeout_cancel": Workload(20000),
    "memory": Workload(shape=(200000, 1000000)),
    "memory_sleep": Workload(shape=(200000, 1000000)),
    "remote_spawn": Workload(20000),
    "blocking": Workload(1000, floor="hand_over"),
    "oneshot": Workload(100000),
    "mpsc_1_1": Workload(100000),
    "mpsc_8_1": Workload(100000),
    "mpsc_unbounded": Workload(shape=(1000000, 4000000)),
    "broadcast_1_8": Workload(20000),
    "watch_1_8": Workload(20000),
    "ping_pong": Workload(20000),
    "ring": Workload(100000),
    "select2": Workload(100000),
    "join8": Workload(100000),
    "stream_filter": Workload(1),
    "unordered_10": Workload(100000, floor="indirect_call"),
    "unordered_100000": Workload(100000, floor="indirect_call"),
    "mutex": Workload(10000, floor="atomic_rmw", times=2),
    "semaphore": Workload(5000),
    "notify": Workload(50000),
    # The client writes and reads, and so does the server.
    "echo_inproc": Workload(50, floor="read_write", times=2),
}

# How often a floor is done to be told: some 50 ms.
FLOORS = {"indirect_call": 20000000, "read_write": 10000, "atomic_rmw": 10000000, "hand_over": 20000}


def of(name):
    """One that is not above is scaled from a small N."""
    return WORKLOADS.get(name, Workload(100))


def floor_flavor(floor, flavor):
    """Threads tell each other on one core, or on two; all other floors are of one thread."""
    return "mt2" if floor == "hand_over" and flavor != "ct" else "ct"
