// SPDX-License-Identifier: MIT

package main

import (
	"runtime"
	"sync"
)

const (
	receivers = 8
	turn      = 256
	places    = 503
)

// A message through a channel of its own, in one goroutine.
func oneshot(b *bench) error {
	var sum uint64
	b.start()
	for i := 0; i < b.n; i++ {
		ch := make(chan uint64, 1)
		ch <- uint64(i)
		sum += <-ch
	}
	b.stop(b.n)
	return check(sum, sumBelow(b.n))
}

func mpsc11(b *bench) error { return bounded(b, 1) }
func mpsc81(b *bench) error { return bounded(b, 8) }

// A channel is closed by its senders, so they count who is left.
func bounded(b *bench, producers int) error {
	each := b.n / producers
	ch := make(chan uint64, 1024)
	b.start()
	var wg sync.WaitGroup
	wg.Add(producers)
	for p := 0; p < producers; p++ {
		go func() {
			defer wg.Done()
			for i := 0; i < each; i++ {
				ch <- uint64(i)
			}
		}()
	}
	go func() {
		wg.Wait()
		close(ch)
	}()
	sum := make(chan uint64, 1)
	go func() {
		var total uint64
		for value := range ch {
			total += value
		}
		sum <- total
	}()
	total := <-sum
	b.stop(producers * each)
	return check(total, uint64(producers)*sumBelow(each))
}

// A channel for each receiver. The sender waits for the slowest: nobody misses a message, unlike with
// Edo and Tokio.
func broadcast(b *bench) error {
	chans := make([]chan uint64, receivers)
	counts := make([]uint64, receivers)
	b.start()
	var wg sync.WaitGroup
	wg.Add(receivers)
	for i := range chans {
		i := i
		chans[i] = make(chan uint64, 1024)
		go func() {
			defer wg.Done()
			var count uint64
			for range chans[i] {
				count++
			}
			counts[i] = count
		}()
	}
	go func() {
		for i := 0; i < b.n; i++ {
			for _, ch := range chans {
				ch <- uint64(i)
			}
			if i%turn == 0 {
				runtime.Gosched()
			}
		}
		for _, ch := range chans {
			close(ch)
		}
	}()
	wg.Wait()
	b.stop(b.n)
	for _, count := range counts {
		if err := check(count, uint64(b.n)); err != nil {
			return err
		}
	}
	return nil
}

// A token there and back.
func pingPong(b *bench) error {
	ask, answer := make(chan uint64, 1), make(chan uint64, 1)
	last := make(chan uint64, 1)
	b.start()
	go func() {
		for value := range ask {
			answer <- value
		}
		close(answer)
	}()
	go func() {
		var value uint64
		for i := 0; i < b.n; i++ {
			ask <- uint64(i)
			value = <-answer
		}
		close(ask)
		last <- value
	}()
	value := <-last
	<-answer // is closed
	b.stop(b.n)
	return check(value, uint64(b.n-1))
}

// Passes the token on, one less; 0 goes once round and ends them all.
func hop(out chan<- uint64, in <-chan uint64) {
	for value := range in {
		if value > 0 {
			value--
		}
		out <- value
		if value == 0 {
			return
		}
	}
}

func ring(b *bench) error {
	var chans [places]chan uint64
	for i := range chans {
		chans[i] = make(chan uint64, 1)
	}
	last := make(chan struct{})
	b.start()
	chans[0] <- uint64(b.n)
	for i := 0; i < places-1; i++ {
		go hop(chans[i+1], chans[i])
	}
	go func() {
		hop(chans[0], chans[places-1])
		close(last)
	}()
	<-last
	b.stop(b.n)
	return nil
}

// Two sources. One that is closed is nil, which is never ready.
func select2(b *bench) error {
	var sources [2]chan uint64
	for i := range sources {
		sources[i] = make(chan uint64, 64)
	}
	b.start()
	for _, source := range sources {
		source := source
		go func() {
			for i := 0; i < b.n/2; i++ {
				source <- uint64(i)
			}
			close(source)
		}()
	}
	count := 0
	for one, other := sources[0], sources[1]; one != nil || other != nil; {
		select {
		case _, ok := <-one:
			if ok {
				count++
			} else {
				one = nil
			}
		case _, ok := <-other:
			if ok {
				count++
			} else {
				other = nil
			}
		}
	}
	b.stop(count)
	return check(uint64(count), uint64(b.n/2*2))
}
