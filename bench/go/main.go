// Finished messages by Go's net/smtp, ten connections, as a program of its own.
//
// Usage: main PORT FILE COUNT; prints messages, seconds and CPU seconds as JSON.
package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/smtp"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const connections = 10

func cpu() float64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(used.Utime) + seconds(used.Stime)
}

func send(port string, messages [][3]string, body [][]byte, left *int64) {
	conn, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		panic(err)
	}
	client, err := smtp.NewClient(conn, "localhost")
	if err != nil {
		panic(err)
	}
	for {
		n := atomic.AddInt64(left, -1)
		if n < 0 {
			break
		}
		place := int(n) % len(messages)
		if err := client.Mail(messages[place][0]); err != nil {
			panic(err)
		}
		if err := client.Rcpt(messages[place][1]); err != nil {
			panic(err)
		}
		data, err := client.Data()
		if err != nil {
			panic(err)
		}
		if _, err := data.Write(body[place]); err != nil {
			panic(err)
		}
		if err := data.Close(); err != nil {
			panic(err)
		}
	}
	client.Quit()
}

func main() {
	text, err := os.ReadFile(os.Args[2])
	if err != nil {
		panic(err)
	}
	var messages [][3]string
	if err := json.Unmarshal(text, &messages); err != nil {
		panic(err)
	}
	body := make([][]byte, len(messages))
	for n, message := range messages {
		body[n] = []byte(message[2])
	}
	count, err := strconv.Atoi(os.Args[3])
	if err != nil {
		panic(err)
	}
	left := int64(count)
	began, before := time.Now(), cpu()
	var all sync.WaitGroup
	for range connections {
		all.Add(1)
		go func() {
			defer all.Done()
			send(os.Args[1], messages, body, &left)
		}()
	}
	all.Wait()
	fmt.Printf("{\"messages\": %d, \"seconds\": %f, \"cpu\": %f}\n", count, time.Since(began).Seconds(), cpu()-before)
}
