/*
Bench runs Gabion's main job on real files, and measures the engine and its hashing.

	go run ./bench upload [-sse] [-part-size 8MiB] [-parallel 16] [-dir DIR] [-key NAME]
		[-keyring FILE] [-new-keyring] [-json] [FILE...]
	go run ./bench engine|small|hash|growth|soak|wear [FLAGS]

Flags are explained by -h of each. But for upload, -dir is where a directory is made that is removed
at the end, and -json writes what every round measured. All but upload and soak print tables, which
are Markdown, too: each value as median (least-most) ratio, and below them what was measured how.
The module bench/charts draws what -json has written.

# Upload

Upload stores each FILE as an object of the bucket "bench" by engine.Upload: several parts at once.
Then it reads the object back and compares it with FILE byte by byte, computes the digests anew from
FILE with crypto/md5 and hash/crc64, and compares ETag, CRC64 and size. A summary of aligned lines,
or with -json an object a line, ends with the word "verified". Otherwise the reason is on stderr.

Parts grow where 10000 would not suffice; those below 100 KiB, OSS's minimum, are refused. With -sse
the key ring is the file of -keyring, by default DIR + ".keyring"; it is made with the store, and
beside a store that is there only with -new-keyring. Without FILE there is a sample of 64 MiB:
random bytes and some text, the same every time. Without -dir the store is temporary. In that of
-dir an object stays, also one that was not verified. An upload that failed is aborted.

In the summary, up is the whole cycle from Initiate to Complete, every part durable, and down
reading back with one reader, the comparison with FILE included. Chunks are uses of chunks by the
parts: those that the store did not have, and those that it had; stored is what the new ones take.
Memory is that of the process, where /proc tells it: peak resident since the start, mapped files
included, and peak anonymous as seen every 50 ms. MB is 10^6 bytes, MiB is 2^20.

# Engine and small

Engine measures uploads by parts and downloads through package engine, and in the same run what
uploads cannot be faster than: the processors' limit, which is all that there is to compute, and the
disk's, which is the same bytes and a sync a part. Beside each rate is the processor time that a
byte took, so that it shows which of the two was the bound. All find the same ETag, or it fails. See
bench/internal/contest, by which bench/rivals measures other systems, too.

Small measures PutObject, GetObject and HeadObject of small objects by some clients at once, beside
files that are written as durably, and the syncs that the disk can do: calls a second, how long
calls take, and the processor time of each.

# Hash

Hash measures MD5 at several numbers of concurrent streams: Gabion's (crypto/md5lanes), crypto/md5
and md5-simd. Every stream hashes -size bytes in writes of 1 MiB, from a buffer of its own of at
most 4 MiB that it goes through again and again: as one hash, and, in a second table, in hashes of
-churn bytes one after the other. The rates are those of all streams together. It fails when the
digests differ.

# Growth and wear

Growth measures what a part costs in stores that hold more and more small chunks. The cost is flat
when it does not depend on their number. All stores together, a million chunks of 4 KiB and the
fewer ones, take 6 GiB of disk.

Wear measures whether calls cost more because of what was deleted before them. In a store of its own
for each -op it makes -n calls over -keys keys, and fails when the last -window of them took more
than -limit times what the first ones did. A million calls take from minutes to an hour, by the
disk.

	put        PutObject and DeleteObject
	complete   CompleteMultipartUpload under S3's rules, which replaces the object before it. Between
	           windows a day passes for the store.
	listparts  ListParts of a new upload, which is then aborted

# Soak

Soak uses a store as many clients do: for -duration they put, overwrite, upload by parts, copy,
list, read and delete objects of very different sizes under a bounded number of keys, some of them
far more often than others. Some contents are duplicates, some compress, some are encrypted; some
bodies trickle or stall, some calls are cancelled midway, some uploads are aborted and some left for
the engine to expire. Reclaiming goes on in the background. Every byte that is read is compared with
what was written, and every answer with what it may be: see bench/internal/soak.

Each -interval prints a line: calls a second; the bytes that must be on disk (live), those that are,
and those that may be; what the engine has still to work off; memory, goroutines and file handles;
and of each kind of call the number, and median and 99th percentile of what they took. At the end
everything is read once more and the engine checks itself and every byte. Soak fails when anything
was wrong, when there was an error that was not provoked, when the disk held more than 1.5 times the
live bytes and 256 MiB at any sample, or when a curve does not level off; -h tells that rule. -seed
repeats what the clients do, though not how their calls fall together. With -dir, the store of a
soak that failed is left.

# Exit status

0 when all went well, 1 when something failed, 2 for wrong arguments, 130 when interrupted. What
only the file system can tell, as that FILE does not exist, is a failure. (go run itself reports any
of them as 1, and says which on stderr.)
*/
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/gabion-storage/gabion/bench/internal/cli"
)

const usage = `usage: bench COMMAND [FLAGS] [ARGUMENTS]

  upload   store files by multipart upload, read them back, verify
  engine   measure uploads and downloads beside what limits them
  small    measure small objects beside files
  hash     measure MD5 at several numbers of concurrent streams
  growth   measure what a part costs in a store that grows
  soak     use a store for long, verify everything, judge whether its costs level off
  wear     measure what calls cost after a million whose effect is gone

bench COMMAND -h tells the flags of a command. The module bench/charts draws what -json has written.
`

// A command runs with the arguments behind its name.
type command func(ctx context.Context, args []string, stdout io.Writer, stderr *log.Logger) error

var commands = map[string]command{
	"upload": runUpload,
	"engine": runEngine,
	"small":  runSmall,
	"hash":   runHash,
	"growth": runGrowth,
	"soak":   runSoak,
	"wear":   runWear,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // so that a second signal ends even a clean-up that hangs
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process around it. It returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	name := append(args, "")[0]
	cmd, ok := commands[name]
	switch {
	case name == "-h" || name == "-help" || name == "--help":
		fmt.Fprint(stdout, usage)
		return cli.ExitOK
	case !ok:
		fmt.Fprintf(stderr, "bench: there is no command %q\n%s", name, usage)
		return cli.ExitUsage
	}
	err := cmd(ctx, args[1:], stdout, log.New(stderr, "bench: ", 0))
	return cli.Conclude(ctx, err, "bench: "+name, "bench "+name+" -h", stderr)
}
