// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"time"
)

// The growth of the resident memory by each of N goroutines, a while after the last one was started.
func grow(b *bench, wait func(), settle time.Duration) error {
	before := rss()
	b.start()
	for i := 0; i < b.n; i++ {
		go wait()
	}
	time.Sleep(settle)
	b.stop(b.n)
	b.extra = fmt.Sprintf(" bytes_per_task=%.1f", float64(rss()-before)/float64(b.n))
	return nil
}

func memory(b *bench) error {
	return grow(b, func() { select {} }, 100*time.Millisecond)
}

func memorySleep(b *bench) error {
	return grow(b, func() { time.Sleep(time.Hour) }, 500*time.Millisecond)
}
