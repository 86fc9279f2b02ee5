// SPDX-License-Identifier: MIT

package main

import (
	"runtime"
	"sync"
)

const (
	yielders = 1000
	tasks    = 16
	permits  = 4
)

// Starts so many goroutines, and waits until they have ended.
func together(count int, work func(i int)) {
	var wg sync.WaitGroup
	wg.Add(count)
	for i := 0; i < count; i++ {
		go func(i int) {
			defer wg.Done()
			work(i)
		}(i)
	}
	wg.Wait()
}

// Goroutines that give way to each other.
func yield(b *bench) error {
	var done [yielders]int
	b.start()
	together(yielders, func(i int) {
		times := 0
		for ; times < b.n; times++ {
			runtime.Gosched()
		}
		done[i] = times
	})
	sum := 0
	for _, times := range done {
		sum += times
	}
	b.stop(sum)
	return check(uint64(sum), uint64(yielders*b.n))
}

func mutex(b *bench) error {
	var mu sync.Mutex
	sum := 0
	b.start()
	together(tasks, func(int) {
		for i := 0; i < b.n; i++ {
			mu.Lock()
			sum++
			mu.Unlock()
		}
	})
	b.stop(tasks * b.n)
	return check(uint64(sum), uint64(tasks*b.n))
}

// A semaphore is a channel with as many places.
func semaphore(b *bench) error {
	held := make(chan struct{}, permits)
	b.start()
	together(tasks, func(int) {
		for i := 0; i < b.n; i++ {
			held <- struct{}{}
			runtime.Gosched()
			<-held
		}
	})
	b.stop(tasks * b.n)
	return nil
}

// Leaves one wake for who waits, or will: a second changes nothing.
func wake(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

func notify(b *bench) error {
	ping, pong := make(chan struct{}, 1), make(chan struct{}, 1)
	b.start()
	together(2, func(i int) {
		if i == 0 {
			for i := 0; i < b.n; i++ {
				<-ping
				wake(pong)
			}
		} else {
			for i := 0; i < b.n; i++ {
				wake(ping)
				<-pong
			}
		}
	})
	b.stop(b.n)
	return nil
}
