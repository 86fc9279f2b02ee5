// SPDX-License-Identifier: MIT

package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
)

const (
	clients = 64
	message = 64
)

// Of all connections that have ended: a count of each echo would be a line that all processors share.
var echoes atomic.Uint64

// TCP_NODELAY is what net sets by itself.
func serve(conn net.Conn) {
	defer conn.Close()
	var count uint64
	defer func() { echoes.Add(count) }()
	buffer := make([]byte, 16384)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return
		}
		if _, err := conn.Write(buffer[:n]); err != nil {
			return
		}
		count++
	}
}

// Listens on loopback and starts the server.
func startEcho(port int) (net.Addr, error) {
	listener, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				fmt.Fprintln(os.Stderr, "peer:", err)
				os.Exit(1)
			}
			go serve(conn)
		}
	}()
	return listener.Addr(), nil
}

// Sends numbers and has each back.
func client(addr net.Addr, times int) error {
	conn, err := net.Dial("tcp4", addr.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	buffer := make([]byte, message)
	for i := 0; i < times; i++ {
		binary.LittleEndian.PutUint64(buffer, uint64(i))
		if _, err := conn.Write(buffer); err != nil {
			return err
		}
		binary.LittleEndian.PutUint64(buffer, ^uint64(0))
		if _, err := io.ReadFull(conn, buffer); err != nil {
			return err
		}
		if err := check(binary.LittleEndian.Uint64(buffer), uint64(i)); err != nil {
			return err
		}
	}
	return nil
}

func echoInproc(b *bench) error {
	addr, err := startEcho(0)
	if err != nil {
		return err
	}
	var errs [clients]error
	b.start()
	together(clients, func(i int) { errs[i] = client(addr, b.n) })
	b.stop(clients * b.n)
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// For a load from outside: until SIGINT or SIGTERM. Port 0 picks one.
func echoServer(b *bench) error {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	addr, err := startEcho(b.n)
	if err != nil {
		return err
	}
	fmt.Println("listening on", addr)
	b.start()
	<-stop
	b.stop(int(echoes.Load()))
	return nil
}
