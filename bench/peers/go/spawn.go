// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"sync"
)

// One after the other. A goroutine has no handle: what it returns comes by a channel.
func spawnJoin(b *bench) error {
	var sum uint64
	b.start()
	done := make(chan uint64)
	for i := 0; i < b.n; i++ {
		i := i
		go func() { done <- uint64(i) }()
		sum += <-done
	}
	b.stop(b.n)
	return check(sum, sumBelow(b.n))
}

// All at once: each has its place for what it returns, and a WaitGroup says when all are filled.
func spawnBatch(b *bench) error {
	b.start()
	var wg sync.WaitGroup
	results := make([]uint64, b.n)
	wg.Add(b.n)
	for i := range results {
		i := i
		go func() {
			results[i] = uint64(i)
			wg.Done()
		}()
	}
	wg.Wait()
	var sum uint64
	for _, result := range results {
		sum += result
	}
	b.stop(b.n)
	return check(sum, sumBelow(b.n))
}

func link(left int, last chan<- int) {
	if left == 0 {
		last <- left
	} else {
		go link(left-1, last)
	}
}

// Each by the one before.
func chain(b *bench) error {
	b.start()
	last := make(chan int, 1)
	go link(b.n, last)
	<-last
	b.stop(b.n)
	return nil
}

const children = 10

// A tree of goroutines: one sends its number up, or the sum of what its children send.
func node(number, leaves int, up chan<- uint64) {
	if leaves == 1 {
		up <- uint64(number)
		return
	}
	values := make(chan uint64, children)
	for i := 0; i < children; i++ {
		go node(number+i*(leaves/children), leaves/children, values)
	}
	var sum uint64
	for i := 0; i < children; i++ {
		sum += <-values
	}
	up <- sum
}

func skynet(b *bench) error {
	tasks := 1
	for level := b.n; level > 1; level /= children {
		if level%children != 0 {
			return errors.New("N is no power of ten")
		}
		tasks += level
	}
	b.start()
	root := make(chan uint64, 1)
	go node(0, b.n, root)
	sum := <-root
	b.stop(tasks)
	return check(sum, sumBelow(b.n))
}
