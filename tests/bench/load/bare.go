package main

import (
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// serveBare is the least that a server of Go does with an upload: it reads the
// body into memory that is used again, and answers. What clients see of each other
// here is the machine's doing, and net/http's.
func serveBare(address string) error {
	var buffers sync.Pool
	server := &http.Server{Addr: address, ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		buffer, _ := buffers.Get().(*[]byte)
		if buffer == nil || int64(cap(*buffer)) < r.ContentLength {
			made := make([]byte, r.ContentLength)
			buffer = &made
		}
		_, err := io.ReadFull(r.Body, (*buffer)[:r.ContentLength])
		buffers.Put(buffer)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		took := float64(time.Since(began).Microseconds()) / 1000
		w.Header().Set("Server-Timing", "door;dur="+strconv.FormatFloat(took, 'f', -1, 64))
		w.WriteHeader(http.StatusAccepted)
	})}
	return server.ListenAndServe()
}
