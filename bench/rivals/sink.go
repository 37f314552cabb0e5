package main

import (
	"errors"
	"io"
)

const sinkBuffer = 1 << 20

// A sink is where downloads go. It copies what comes into a buffer of its own, as a reader would, so
// that a contender that hands out its own memory has moved the bytes, too; and it reads in pieces of
// 1 MiB where io.Copy lets it, so that no contender pays for small ones.
type sink struct {
	n      int64
	tap    io.Writer // gets what came, if it is not nil
	buffer []byte
}

func newSink(tap io.Writer) *sink { return &sink{tap: tap, buffer: make([]byte, sinkBuffer)} }

// Write implements io.Writer.
func (s *sink) Write(p []byte) (total int, err error) {
	for total < len(p) {
		n := copy(s.buffer, p[total:])
		total += n
		if err := s.take(n); err != nil {
			return total, err
		}
	}
	return total, nil
}

// ReadFrom implements io.ReaderFrom.
func (s *sink) ReadFrom(r io.Reader) (total int64, err error) {
	for {
		n, err := r.Read(s.buffer)
		total += int64(n)
		if err := s.take(n); err != nil {
			return total, err
		}
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// take counts the first n bytes of the buffer.
func (s *sink) take(n int) error {
	s.n += int64(n)
	if s.tap == nil {
		return nil
	}
	_, err := s.tap.Write(s.buffer[:n])
	return err
}
