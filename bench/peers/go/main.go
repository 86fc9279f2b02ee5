// SPDX-License-Identifier: MIT

// Go's side of the benchmarks: `peer WORKLOAD FLAVOR [N]` runs those of edo-bench's workloads that one would
// write in Go, with the same sizes, and prints the same line. `ct` is GOMAXPROCS(1), `mtK` GOMAXPROCS(K).
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

type workload struct {
	name string
	n    int // by default
	run  func(b *bench) error
}

var workloads = []workload{
	{"spawn_join", 2000000, spawnJoin},
	{"spawn_batch", 1000000, spawnBatch},
	{"yield", 2000, yield},
	{"chain", 1000000, chain},
	{"skynet", 1000000, skynet},
	{"timers", 500000, timers},
	{"timeout_cancel", 2000000, timeoutCancel},
	{"memory", 1000000, memory},
	{"memory_sleep", 1000000, memorySleep},
	{"oneshot", 2000000, oneshot},
	{"mpsc_1_1", 5000000, mpsc11},
	{"mpsc_8_1", 4000000, mpsc81},
	{"broadcast_1_8", 500000, broadcast},
	{"ping_pong", 1000000, pingPong},
	{"ring", 2000000, ring},
	{"select2", 2000000, select2},
	{"mutex", 200000, mutex},
	{"semaphore", 200000, semaphore},
	{"notify", 1000000, notify},
	{"echo_inproc", 5000, echoInproc},
	{"yield_among", 1000, yieldAmong},
	{"timeout_among", 1000, timeoutAmong},
	{"echo_server", 7777, echoServer},
}

// What a workload is asked for, and what it took: so many operations, in ns of wall time and of the
// processor's.
type bench struct {
	n          int
	started    time.Time
	cpuStarted int64
	ops        int
	ns, cpuNs  int64
	extra      string
}

func (b *bench) start() {
	b.cpuStarted = cpuNs()
	b.started = time.Now()
}

func (b *bench) stop(ops int) {
	b.ns = time.Since(b.started).Nanoseconds()
	b.cpuNs = cpuNs() - b.cpuStarted
	b.ops = ops
}

var errWrong = errors.New("a wrong result")

// What a workload computed, and what it should have.
func check(is, should uint64) error {
	if is != should {
		return fmt.Errorf("%w: %d, not %d", errWrong, is, should)
	}
	return nil
}

// The sum of 0, 1, … n - 1.
func sumBelow(n int) uint64 {
	return uint64(n) * (uint64(n) - 1) / 2
}

// The time that all threads of the process have had. The library has no name for it.
func cpuNs() int64 {
	const clockProcessCputimeID = 2
	var time syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockProcessCputimeID, uintptr(unsafe.Pointer(&time)), 0)
	return time.Nano()
}

// The process' resident memory, in bytes.
func rss() int {
	said, _ := os.ReadFile("/proc/self/statm")
	var size, resident int
	fmt.Sscan(string(said), &size, &resident)
	return resident * os.Getpagesize()
}

// The statuses of what is not run. A panic ends with 2 as well.
const (
	badUsage = 2
	lacking  = 3
)

func usage(status int, why string) {
	fmt.Fprintf(os.Stderr, "peer: %s\nusage: peer WORKLOAD ct|mtK [N]\n       peer --list\n", why)
	os.Exit(status)
}

// How many threads run Go at once: "ct", or "mtK". 0: there is no such flavor.
func processors(flavor string) int {
	if flavor == "ct" {
		return 1
	}
	k, err := strconv.ParseUint(strings.TrimPrefix(flavor, "mt"), 10, 16)
	if err != nil || !strings.HasPrefix(flavor, "mt") {
		return 0
	}
	return int(k)
}

func find(name string) *workload {
	for i := range workloads {
		if workloads[i].name == name {
			return &workloads[i]
		}
	}
	return nil
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--list" {
		for _, w := range workloads {
			fmt.Println(w.name)
		}
		return
	}
	if len(os.Args) < 3 || len(os.Args) > 4 {
		usage(badUsage, "which workload, on which runtime?")
	}
	w, k := find(os.Args[1]), processors(os.Args[2])
	if w == nil {
		usage(lacking, "there is no such workload: "+os.Args[1])
	}
	if k == 0 {
		usage(lacking, "there is no such runtime: "+os.Args[2])
	}
	b := bench{n: w.n}
	if len(os.Args) == 4 {
		n, err := strconv.ParseUint(os.Args[3], 10, 62)
		if err != nil {
			usage(badUsage, "not a number: "+os.Args[3])
		}
		if n > 0 || w.name == "echo_server" { // whose N is a port
			b.n = int(n)
		}
	}
	runtime.GOMAXPROCS(k)
	if err := w.run(&b); err != nil {
		fmt.Fprintf(os.Stderr, "peer: %s %s: %v\n", w.name, os.Args[2], err)
		os.Exit(1)
	}
	if b.ops == 0 && w.name != "echo_server" { // to which nobody may have come
		fmt.Fprintf(os.Stderr, "peer: %s %s: N is too small\n", w.name, os.Args[2])
		os.Exit(1)
	}
	if b.ops > 0 {
		ops, ns := float64(b.ops), float64(b.ns)
		fmt.Printf("%s %s ns_per_op=%.2f cpu_ns_per_op=%.2f ops_per_s=%.0f rss=%d%s\n", w.name, os.Args[2],
			ns/ops, float64(b.cpuNs)/ops, ops*1e9/ns, rss(), b.extra)
	}
}
