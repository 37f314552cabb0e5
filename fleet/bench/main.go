// Command bench measures a fleet: some processes at once over one PostgreSQL and one S3 store, and
// as many that send the same straight to that store by the AWS SDK:
//
//	cd fleet && go run ./bench -index DSN -chunks URL [-size MIB] [-calls N] [-processes N] [-rounds N]
//
// What is between the two is what deduplication, verification and metadata cost. All cases take
// turns, in each round once; what is printed are medians (least-most). The servers are on the same
// machine, if they are given so, and take processors from the nodes.
//
// The credentials are those that the SDK finds. TestBench starts both servers by itself.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/gabion-storage/gabion/internal/latinsquare"
)

func main() {
	ctx := context.Background()
	var err error
	if spec := os.Getenv(jobVariable); spec != "" {
		err = work(ctx, spec, os.Stdin, os.Stdout)
	} else {
		err = run(ctx, os.Args[1:], os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// settings are what the command was told.
type settings struct {
	index, chunks string
	size          int64 // bytes that all processes together upload
	calls         int   // small calls that all processes together make
	processes     int   // at once, at most
	rounds        int
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	var s settings
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&s.index, "index", "", "`DSN` of PostgreSQL, whose schema gabion is taken")
	flags.StringVar(&s.chunks, "chunks", "", "`URL` of a bucket and a prefix, as fleet.Config has it")
	size := flags.Int64("size", 1024, "`MiB` that all processes together upload")
	flags.IntVar(&s.calls, "calls", 4000, "small `calls` that all processes together make")
	flags.IntVar(&s.processes, "processes", 4, "`number` of processes at once, at most")
	flags.IntVar(&s.rounds, "rounds", 5, "`number` of measurements of each")
	if err := flags.Parse(args); err != nil {
		return err
	}
	s.size = *size << 20
	cases := cases(&s)
	for round := range s.rounds {
		for _, i := range latinsquare.Row(len(cases), round) {
			c := &cases[i]
			if err := c.measure(ctx, round); err != nil {
				return fmt.Errorf("%s, %s, %d processes: %w", c.what, c.Client, c.processes, err)
			}
		}
	}
	fmt.Fprintf(stdout, "%s/%s, %d processors, %s\n\n",
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	fmt.Fprintf(stdout, "| %s | %s | %s | %s | %s | %s | %s |\n| :-- | :-- | --: | --: | --: | --: | --: |\n",
		"what", "by", "processes", "calls at once each", "a second", "p50, ms", "p99, ms")
	for i := range cases {
		fmt.Fprintln(stdout, cases[i].row())
	}
	return weigh(ctx, &s, stdout)
}

// encode makes JSON of what always can be.
func encode(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}
