package main

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

func TestSink(t *testing.T) {
	want := bytes.Repeat([]byte("0123456789a"), sinkBuffer/5)
	for _, test := range []struct {
		name string
		src  io.Reader
	}{
		{"written at once", bytes.NewReader(want)},
		{"read in pieces", io.MultiReader(bytes.NewReader(want[:7]), iotest.DataErrReader(bytes.NewReader(want[7:])))},
	} {
		var got bytes.Buffer
		s := newSink(&got)
		n, err := io.Copy(s, test.src)
		if err != nil || n != int64(len(want)) || s.n != n || !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s: got %d bytes, %v; the sink counts %d", test.name, n, err, s.n)
		}
	}
	failure := errors.New("failure")
	if _, err := newSink(nil).ReadFrom(iotest.ErrReader(failure)); !errors.Is(err, failure) {
		t.Errorf("got %v", err)
	}
}
