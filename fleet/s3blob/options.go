package s3blob

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/gabion-storage/gabion/blob"
)

// Options of a Store. The zero value of each field is its default.
type Options struct {
	// Prefix goes before the names of all objects. It may end with a slash, and nothing else may
	// write below it. By default there is none.
	Prefix string

	// VolumeSize is how many bytes of frames a volume takes, 32 MiB by default, 64 MiB at most. A
	// frame that is longer gets a volume of its own.
	VolumeSize int64

	// Memory is how many bytes of frames may wait to be written, and be under way, at a time: by
	// default four volumes, and at least two.
	Memory int64

	// GroupDelay is how long a Sync waits for others to share its object. By default it waits for
	// nobody, but while Uploads are under way those that come share the next one.
	GroupDelay time.Duration

	// Uploads and Reads are how many volumes are written and how many frames read at a time, 4 and
	// 64 by default. Others wait.
	Uploads, Reads int

	// Attempts is how often a request is tried before it has failed, 6 by default. What is waited
	// between them grows up to 20 seconds.
	Attempts int

	// Timeout is how long a request may take with all its attempts, 2 minutes by default. An attempt is
	// given up when nothing of it was sent or received for its share of that, Timeout / Attempts.
	Timeout time.Duration

	// StorageClass is sent with every volume that is written. By default the bucket decides.
	StorageClass types.StorageClass

	// Encryption and KMSKeyID are sent with every object that is written, also with those that claim
	// numbers. By default the bucket decides.
	Encryption types.ServerSideEncryption
	KMSKeyID   string

	// Claim returns a number, at least least and less than MaxOpenings, that it has returned to nobody
	// else who writes below Prefix. By default the object store's conditional writes see to that.
	Claim func(ctx context.Context, least uint64) (uint64, error)
}

// What Options.Attempts and Options.Timeout are by default.
const (
	DefaultAttempts = 6
	DefaultTimeout  = 2 * time.Minute
)

// MaxOpenings is how often a store can be opened and written to.
const MaxOpenings = blob.MaxVolume >> volumeBits

const (
	defaultVolumeSize = 32 << 20
	maxVolumeSize     = 64 << 20
)

// withDefaults returns a copy in which nothing is left open.
func (o *Options) withDefaults() (Options, error) {
	var full Options
	if o != nil {
		full = *o
	}
	for _, number := range []struct {
		name  string
		value *int64
		most  int64
		usual int64
	}{
		{"VolumeSize", &full.VolumeSize, maxVolumeSize, defaultVolumeSize},
		{"Memory", &full.Memory, 1 << 50, 0},
	} {
		if *number.value < 0 || *number.value > number.most {
			return full, fmt.Errorf("s3blob: %s is %d, must be from 0 to %d",
				number.name, *number.value, number.most)
		}
		if *number.value == 0 {
			*number.value = number.usual
		}
	}
	if full.Memory == 0 {
		full.Memory = 4 * full.VolumeSize
	}
	if full.Memory < 2*full.VolumeSize {
		return full, fmt.Errorf("s3blob: Memory is %d, must be two volumes of %d at least",
			full.Memory, full.VolumeSize)
	}
	for _, count := range []struct {
		name  string
		value *int
		usual int
	}{
		{"Uploads", &full.Uploads, 4}, {"Reads", &full.Reads, 64},
		{"Attempts", &full.Attempts, DefaultAttempts},
	} {
		if *count.value < 0 {
			return full, fmt.Errorf("s3blob: %s is %d, must not be below 0", count.name, *count.value)
		}
		if *count.value == 0 {
			*count.value = count.usual
		}
	}
	if full.GroupDelay < 0 || full.Timeout < 0 {
		return full, fmt.Errorf("s3blob: GroupDelay is %v and Timeout %v, must not be below 0",
			full.GroupDelay, full.Timeout)
	}
	if full.Timeout == 0 {
		full.Timeout = DefaultTimeout
	}
	return full, nil
}
