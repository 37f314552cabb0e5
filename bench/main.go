/*
Bench runs Gabion's main job on real files, and measures the engine and its hashing.

	go run ./bench upload [-sse] [-part-size 8MiB] [-parallel 16] [-dir DIR] [-key NAME] [-keyring FILE]
		[-new-keyring] [-json] [FILE...]
	go run ./bench engine|hash|growth|soak|wear [FLAGS]

Flags are explained by -h of each. But for upload, -dir is where a directory is made that is removed at the
end, and -json writes what every round measured. All but upload and soak print tables, which are Markdown,
too: each value as median (least-most) ratio. The module bench/charts draws what -json has written, for
several reports of one machine at once:

	cd bench/charts
	go run . [-o PREFIX] [-log] [-markdown] FILE.json...

# Upload

Upload stores each FILE as an object of the bucket "bench" by engine.Upload: several parts at once.
Then it reads the object back and compares it with FILE byte by byte, computes the digests anew from
FILE with crypto/md5 and hash/crc64, and compares ETag, CRC64 and size. A summary of aligned lines, or
with -json an object a line, ends with the word "verified". Otherwise the reason is on stderr.

Parts grow where 10000 would not suffice; those below 100 KiB, OSS's minimum, are refused. With -sse the
key ring is the file of -keyring, by default DIR + ".keyring"; it is made with the store, and beside a
store that is there only with -new-keyring. Without FILE there is a sample of 64 MiB: random bytes and
some text, the same every time. Without -dir the store is temporary. In that of -dir an object stays, also
one that was not verified. An upload that failed is aborted.

The lines of the summary:

	object      bucket and key
	size        of the object
	parts       number x size
	ETag        as OSS computes it
	CRC64       CRC-64/XZ, decimal
	up          the whole cycle from Initiate to Complete, every part durable
	down        reading back with one reader; the comparison with FILE counts in
	chunks      uses of chunks by the parts: those that the store did not have, and those that it had
	stored      bytes that the new chunks take, compressed and sealed; 0 B when there was none
	encryption  algorithm and key id, or none
	memory      of the process, where /proc tells it. Peak resident is since the start and counts
	            mapped files; peak anonymous is the largest sample during upload and verification,
	            taken every 50 ms.

MB is 10^6 bytes here, MiB is 2^20.

# Engine

Engine measures uploads and downloads through package engine beside contenders that do less, in turns:

	gabion      the whole cycle from Initiate to Complete, every part durable; or GetObject and
	            reading to the end
	floor       the same digests, compression, sealing, volumes and syncs, without engine and index:
	            see bench/internal/floor
	hashing     MD5, CRC-64 and chunk addresses; nothing is compressed, sealed or stored
	crypto/md5  MD5 of the parts by the standard library, as many goroutines as parts in flight

What gabion lacks to floor is the engine's own; what floor lacks to hashing is compression, sealing
and the disk. All find the same ETag, or it fails.

An upload goes to a new store that was warmed up by 80 MiB, and its bytes are new in every round; those of
the kind "stored" are there already, under another object. Before the clock starts, all file systems are
synced. Of downloads each reader reads the whole of one object again and again: from the page cache, if it
fits there. See bench/internal/contest, by which bench/rivals measures, too.

# Hash

Hash measures MD5 at several numbers of concurrent streams: Gabion's (crypto/md5lanes), crypto/md5
and md5-simd, in turns, the median of the rounds each. Every stream hashes -size bytes in writes of
1 MiB, from a buffer of its own of at most 4 MiB that it goes through again and again: as one hash,
and, in a second table, in hashes of -churn bytes one after the other. The rates are those of all
streams together. It fails when the digests differ.

# Growth

Growth measures what a part costs in a store that holds more and more. For each number of -chunks it
makes a store of small chunks and stores parts of random bytes until there are so many. Then it
measures -rounds parts of -part-size, one at a time, in each store in turn. The cost is flat when the
time of a part does not depend on the number of chunks. All stores together, a million chunks of 4 KiB
and the fewer ones, take 6 GiB of disk.

# Soak

Soak uses a store as many clients do: for -duration they put, overwrite, upload by parts, copy, list,
read and delete objects of very different sizes under a bounded number of keys, some of them far more
often than others. Some contents are duplicates, some compress, some are encrypted; some bodies trickle
or stall, some calls are cancelled midway, some uploads are aborted and some left for the engine to
expire. Reclaiming goes on in the background. Every byte that is read is compared with what was written,
and every answer with what it may be: see bench/internal/soak.

Each -interval prints a line: calls a second; the bytes that must be on disk (live), those that are,
and their ratio; what the engine has still to work off; memory, goroutines and file handles; and of each
kind of call the number, and median and 99th percentile of what they took. At the end everything is read
once more and the engine checks itself, with all data when less than 4 GiB are live. Soak fails when
anything was wrong, when there was an error that was not provoked, when the disk held more than 1.5 times
the live bytes and 256 MiB at any sample, or when a curve does not level off; -h tells that rule. -seed
repeats what the clients do, though not how their calls fall together. With -dir, the store of a soak
that failed is left.

# Wear

Wear measures whether calls cost more because of what was deleted before them. In a store of its own for
each -op it makes -n calls over -keys keys, and compares the last -window of them with the first:

	put        PutObject and DeleteObject
	complete   CompleteMultipartUpload under S3's rules, which replaces the object before it. Between
	           windows a day passes for the store.
	listparts  ListParts of a new upload, which is then aborted

It fails when the last ones took more than -limit times what the first ones did. A million calls take
from minutes to an hour, by the disk.

# Exit status

0 when all went well, 1 when something failed, 2 for wrong arguments, 130 when interrupted. What only
the file system can tell, as that FILE does not exist, is a failure. (go run itself reports any of
them as 1, and says which on stderr.)
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
  engine   measure uploads and downloads beside their floor
  hash     measure MD5 at several numbers of concurrent streams
  growth   measure what a part costs in a store that grows
  soak     use a store for long, verify everything, judge whether its costs level off
  wear     measure what calls cost after a million whose effect is gone

bench COMMAND -h tells the flags of a command. The module bench/charts draws what -json has written.
`

var commands = map[string]func(ctx context.Context, args []string, stdout io.Writer, stderr *log.Logger) error{
	"upload": runUpload,
	"engine": runEngine,
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
