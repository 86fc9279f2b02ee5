// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"runtime"
	"time"
)

func timers(b *bench) error {
	b.start()
	together(b.n, func(i int) {
		time.Sleep(time.Duration(1+i*7919%1000) * time.Millisecond)
	})
	b.stop(b.n)
	return nil
}

// A request, which yields, under the timeout that its caller gave it.
func request(ctx context.Context) error {
	runtime.Gosched()
	return ctx.Err()
}

func timeoutCancel(b *bench) error {
	b.start()
	for i := 0; i < b.n; i++ {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		err := request(ctx)
		cancel()
		if err != nil {
			return err
		}
	}
	b.stop(b.n)
	return nil
}
