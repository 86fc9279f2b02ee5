// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"
)

const (
	yields   = 2000000
	least    = 4 // turns of each
	timeouts = 500000
)

// Timed from when all of them are there, until when they give way, to when the last has had its turns. Each
// gives way once more after the start: it waited for it.
func yieldAmong(b *bench) error {
	each := yields / b.n
	if each < least {
		each = least
	}
	n := int64(b.n)
	var begun, ended atomic.Int64
	together(b.n, func(int) {
		if begun.Add(1) == n {
			b.start()
		}
		for waits := true; waits; waits = begun.Load() < n {
			runtime.Gosched()
		}
		for i := 0; i < each; i++ {
			runtime.Gosched()
		}
		if ended.Add(1) == n {
			b.stop(b.n * (each + 1))
		}
	})
	return nil
}

// An hour, and then some: never due.
func later(i int) time.Duration {
	return time.Duration(3600000+i*7919%3600000) * time.Millisecond
}

func timeoutAmong(b *bench) error {
	var asleep atomic.Int64
	for i := 0; i < b.n; i++ {
		i := i
		go func() {
			asleep.Add(1)
			time.Sleep(later(i))
		}()
	}
	for asleep.Load() < int64(b.n) {
		runtime.Gosched()
	}
	b.start()
	for i := 0; i < timeouts; i++ {
		ctx, cancel := context.WithTimeout(context.Background(), later(i*31))
		err := request(ctx)
		cancel()
		if err != nil {
			return err
		}
	}
	b.stop(timeouts)
	return nil
}
