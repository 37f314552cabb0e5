package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/gabion-storage/gabion/bench/internal/bytesize"
	"github.com/gabion-storage/gabion/engine"
)

// summary is what there is to say about one upload that was verified.
type summary struct {
	File   string `json:"file"`
	Bucket string `json:"bucket"`
	Key    string `json:"key"`

	Size     int64  `json:"size"`
	Parts    int    `json:"parts"`
	PartSize int64  `json:"part_size"`
	ETag     string `json:"etag"`
	CRC64    uint64 `json:"crc64,string"` // as text: many readers of JSON keep 53 bits

	UpSeconds   float64 `json:"up_seconds"`
	DownSeconds float64 `json:"down_seconds"`
	UpRate      float64 `json:"up_mb_per_second"`
	DownRate    float64 `json:"down_mb_per_second"`

	NewChunks          int64 `json:"chunks_new"`
	DeduplicatedChunks int64 `json:"chunks_deduplicated"`
	StoredBytes        int64 `json:"stored_bytes"`

	Encryption string  `json:"encryption,omitempty"`
	KeyID      string  `json:"encryption_key_id,omitempty"`
	Memory     *memory `json:"memory,omitempty"`
	Verified   bool    `json:"verified"`
}

// countUpload takes over what an upload has come to. before is the state of the store before it.
func (s *summary) countUpload(p plan, up *uploaded, before *engine.StatsResult) {
	s.Size, s.Parts, s.PartSize = p.size, p.parts, min(p.partSize, p.size)
	s.ETag, s.CRC64 = up.object.ETag, up.object.CRC64
	s.UpSeconds, s.UpRate = up.took.Seconds(), megabytes(p.size, up.took)
	s.NewChunks = up.stats.Chunks - before.Chunks
	s.DeduplicatedChunks = up.stats.References - before.References - s.NewChunks
	s.StoredBytes = up.stats.StoredBytes - before.StoredBytes
	s.Encryption = up.object.ServerSideEncryption
}

// countDown takes over that the object was verified, and how long reading it took.
func (s *summary) countDown(took time.Duration) {
	s.DownSeconds, s.DownRate = took.Seconds(), megabytes(s.Size, took)
	s.Verified = true
}

// write prints the summary, as lines for people or as JSON. A further one is set off by an empty
// line.
func (s *summary) write(w io.Writer, asJSON, further bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(s)
	}
	var out bytes.Buffer
	if further {
		fmt.Fprintln(&out)
	}
	s.format(&out)
	_, err := w.Write(out.Bytes())
	return err
}

func (s *summary) format(out *bytes.Buffer) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(out, "%-12s%s\n", name, fmt.Sprintf(format, args...))
	}
	line("object", "%s/%s", s.Bucket, printable(s.Key))
	line("size", "%s", bytesAndHuman(s.Size))
	line("parts", "%s", s.partsText())
	line("ETag", "%s", s.ETag)
	line("CRC64", "%d", s.CRC64)
	line("up", "%.1f MB/s", s.UpRate)
	line("down", "%.1f MB/s", s.DownRate)
	line("chunks", "%d new, %d deduplicated", s.NewChunks, s.DeduplicatedChunks)
	line("stored", "%s", bytesAndHuman(s.StoredBytes))
	if s.Encryption == "" {
		line("encryption", "none")
	} else {
		line("encryption", "%s, key %s", s.Encryption, s.KeyID)
	}
	if s.Memory != nil {
		line("memory", "%v", s.Memory)
	}
	fmt.Fprintln(out, "verified")
}

// partsText is number x size, and the size of the last part when it is another.
func (s *summary) partsText() string {
	text := fmt.Sprintf("%d x %s", s.Parts, bytesize.Human(s.PartSize))
	if s.PartSize > 0 && s.Size%s.PartSize != 0 {
		text += fmt.Sprintf(", the last %s", bytesize.Human(s.Size%s.PartSize))
	}
	return text
}

func bytesAndHuman(n int64) string {
	if n < 1<<10 {
		return bytesize.Human(n)
	}
	return fmt.Sprintf("%d bytes (%s)", n, bytesize.Human(n))
}
